// cuBLASLt and cuDNN as the emulated device has them: right results, and planted mistakes in what they are given.

#include <cublasLt.h>
#include <cudnn_graph.h>
#include <gtest/gtest.h>

#include <cmath>

#include "tests/cuda/emulated_fixture.h"

namespace tessera::emulated {
namespace {

struct ProductShape {
  std::uint64_t m = 3, n = 2, k = 4;
  std::int64_t a_step = 4, b_step = 4, d_step = 3;  // A is transposed, as weights are
  cublasLtEpilogue_t epilogue = CUBLASLT_EPILOGUE_DEFAULT;
  const float* bias = nullptr;
  cublasComputeType_t compute = CUBLAS_COMPUTE_32F;
  std::uint32_t alignment = 4;
};

// D [m x n] = A^T [m x k] * B [k x n], column-major float32.
class Product {
 public:
  explicit Product(const ProductShape& shape) {
    cublasLtCreate(&handle_);
    cublasLtMatmulDescCreate(&description_, shape.compute, CUDA_R_32F);
    const std::int32_t transposed = CUBLAS_OP_T;
    cublasLtMatmulDescSetAttribute(description_, CUBLASLT_MATMUL_DESC_TRANSA, &transposed, sizeof(transposed));
    cublasLtMatmulDescSetAttribute(description_, CUBLASLT_MATMUL_DESC_EPILOGUE, &shape.epilogue,
                                   sizeof(shape.epilogue));
    if (shape.bias != nullptr) {
      cublasLtMatmulDescSetAttribute(description_, CUBLASLT_MATMUL_DESC_BIAS_POINTER, &shape.bias, sizeof(shape.bias));
    }
    cublasLtMatrixLayoutCreate(&a_, CUDA_R_32F, shape.k, shape.m, shape.a_step);
    cublasLtMatrixLayoutCreate(&b_, CUDA_R_32F, shape.k, shape.n, shape.b_step);
    cublasLtMatrixLayoutCreate(&d_, CUDA_R_32F, shape.m, shape.n, shape.d_step);
    cublasLtMatmulPreferenceCreate(&preference_);
    for (const auto attribute :
         {CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES,
          CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES}) {
      cublasLtMatmulPreferenceSetAttribute(preference_, attribute, &shape.alignment, sizeof(shape.alignment));
    }
  }
  ~Product() {
    cublasLtMatmulPreferenceDestroy(preference_);
    for (const cublasLtMatrixLayout_t layout : {a_, b_, d_}) cublasLtMatrixLayoutDestroy(layout);
    cublasLtMatmulDescDestroy(description_);
    cublasLtDestroy(handle_);
  }
  Product(const Product&) = delete;
  Product& operator=(const Product&) = delete;

  cublasStatus_t run(const float* a, const float* b, float* d, cudaStream_t stream) {
    cublasLtMatmulHeuristicResult_t result;
    int found = 0;
    const cublasStatus_t status =
        cublasLtMatmulAlgoGetHeuristic(handle_, description_, a_, b_, d_, d_, preference_, 1, &result, &found);
    if (status != CUBLAS_STATUS_SUCCESS) return status;
    const float one = 1, zero = 0;
    return cublasLtMatmul(handle_, description_, &one, a, a_, b, b_, &zero, d, d_, d, d_, &result.algo, nullptr, 0,
                          stream);
  }

 private:
  cublasLtHandle_t handle_ = nullptr;
  cublasLtMatmulDesc_t description_ = nullptr;
  cublasLtMatrixLayout_t a_ = nullptr, b_ = nullptr, d_ = nullptr;
  cublasLtMatmulPreference_t preference_ = nullptr;
};

class PlantedProducts : public EmulatedFixture {
 protected:
  PlantedProducts() {
    upload(a_.get(), {1, 2, 3, 4, 5, 6, 7, 8, -1, 0, 1, 0});  // three rows of weights
    upload(b_.get(), {1, 0, 0, 1, 2, 1, 0, 0});               // two rows of inputs
    upload(bias_.get(), {10, 20, -30});
  }
  DeviceArray a_{12}, b_{8}, d_{6}, bias_{3};
};

TEST_F(PlantedProducts, MultiplyAndAddABias) {
  Product plain({});
  ASSERT_EQ(plain.run(a_.get(), b_.get(), d_.get(), stream()), CUBLAS_STATUS_SUCCESS);
  EXPECT_EQ(download(d_), (std::vector<float>{5, 13, -1, 4, 16, -2}));
  Product relu({.epilogue = CUBLASLT_EPILOGUE_RELU_BIAS, .bias = bias_.get()});
  ASSERT_EQ(relu.run(a_.get(), b_.get(), d_.get(), stream()), CUBLAS_STATUS_SUCCESS);
  EXPECT_EQ(download(d_), (std::vector<float>{15, 33, 0, 14, 36, 0}));
}

TEST_F(PlantedProducts, GeluIsTheTanhApproximationAsNvidiasIs) {
  Product gelu({.epilogue = CUBLASLT_EPILOGUE_GELU});
  ASSERT_EQ(gelu.run(a_.get(), b_.get(), d_.get(), stream()), CUBLAS_STATUS_SUCCESS);
  EXPECT_NEAR(download(d_)[2], -0.15880801, 1e-6);  // the exact GELU of -1 is -0.15865525
}

TEST_F(PlantedProducts, Tf32RoundsItsOperands) {
  upload(a_.get(), {1.0F + 0x1p-12F, 0, 0, 0, 1.0F + 0x1p-10F, 0, 0, 0, 0, 0, 0, 0});
  Product product({.compute = CUBLAS_COMPUTE_32F_FAST_TF32});
  ASSERT_EQ(product.run(a_.get(), b_.get(), d_.get(), stream()), CUBLAS_STATUS_SUCCESS);
  const std::vector<float> found = download(d_);
  EXPECT_EQ(found[0], 1.0F);
  EXPECT_EQ(found[1], 1.0F + 0x1p-10F);
}

TEST_F(PlantedProducts, WrongLeadingDimensionIsRefusedWhenItIsTooSmall) {
  Product product({.a_step = 3});
  EXPECT_EQ(product.run(a_.get(), b_.get(), d_.get(), stream()), CUBLAS_STATUS_INVALID_VALUE);
}

TEST_F(PlantedProducts, WrongLeadingDimensionIsFoundWhenItReachesOutOfTheOperand) {
  Product product({.a_step = 8});
  EXPECT_DEATH(
      {
        product.run(a_.get(), b_.get(), d_.get(), stream());
        cudaStreamSynchronize(stream());
      },
      "out of bounds: operand A of a product takes 80 bytes at offset 0 of allocation [0-9]+ of 48 bytes");
}

TEST_F(PlantedProducts, OutOfBoundsResultIsFound) {
  Product product({.d_step = 6});
  EXPECT_DEATH(
      {
        product.run(a_.get(), b_.get(), d_.get(), stream());
        cudaStreamSynchronize(stream());
      },
      "out of bounds: the result of a product");
}

TEST_F(PlantedProducts, HostOperandIsFound) {
  const std::vector<float> host(12);
  Product product({});
  EXPECT_DEATH(
      {
        product.run(host.data(), b_.get(), d_.get(), stream());
        cudaStreamSynchronize(stream());
      },
      "operand A of a product is not in device memory");
}

TEST_F(PlantedProducts, MisalignedOperandIsFound) {
  Product product({.m = 2, .alignment = 16});
  EXPECT_DEATH(product.run(a_.get() + 1, b_.get(), d_.get(), stream()),
               "operand A of a product is not aligned to the 16");
}

TEST_F(PlantedProducts, UninitialisedOperandShowsAsNan) {
  DeviceArray fresh(12);
  Product product({});
  ASSERT_EQ(product.run(fresh.get(), b_.get(), d_.get(), stream()), CUBLAS_STATUS_SUCCESS);
  for (const float value : download(d_)) EXPECT_TRUE(std::isnan(value));
}

TEST_F(PlantedProducts, WrongStreamIsFound) {
  Product product({});
  EXPECT_DEATH(product.run(a_.get(), b_.get(), d_.get(), nullptr), "wrong stream: a matrix product");
}

TEST_F(PlantedProducts, LeakOfADescriptionIsFound) {
  cublasLtMatrixLayout_t layout = nullptr;
  cublasLtMatrixLayoutCreate(&layout, CUDA_R_32F, 1, 1, 1);
  const std::vector<std::string> found = leftovers();
  EXPECT_NE(std::find(found.begin(), found.end(), "leak: matrix layout, 1"), found.end());
  cublasLtMatrixLayoutDestroy(layout);
}

}  // namespace
}  // namespace tessera::emulated
