#include "cuda/product.h"

#include <numeric>
#include <string>
#include <utility>

namespace tessera::cuda {

namespace {

template <class T>
void set(const LtOperation& operation, cublasLtMatmulDescAttributes_t attribute, const T& value) {
  check(cublasLtMatmulDescSetAttribute(operation.get(), attribute, &value, sizeof(value)), "describing a product");
}
template <class T>
void set(const LtPreference& preference, cublasLtMatmulPreferenceAttributes_t attribute, const T& value) {
  check(cublasLtMatmulPreferenceSetAttribute(preference.get(), attribute, &value, sizeof(value)),
        "describing a product");
}

LtOperation make_operation(const TesseraDevice& device, const ProductShape& shape) {
  const bool tf32 = shape.type == TESSERA_F32 && device.options().tf32 != 0;
  cublasLtMatmulDesc_t made = nullptr;
  check(cublasLtMatmulDescCreate(&made, tf32 ? CUBLAS_COMPUTE_32F_FAST_TF32 : CUBLAS_COMPUTE_32F, CUDA_R_32F),
        "describing a product");
  LtOperation operation(made);
  set(operation, CUBLASLT_MATMUL_DESC_TRANSA, shape.a_transposed ? CUBLAS_OP_T : CUBLAS_OP_N);
  set(operation, CUBLASLT_MATMUL_DESC_TRANSB, CUBLAS_OP_N);
  set(operation, CUBLASLT_MATMUL_DESC_EPILOGUE, shape.epilogue);
  if (shape.bias != nullptr) {
    set(operation, CUBLASLT_MATMUL_DESC_BIAS_POINTER, shape.bias);
    set(operation, CUBLASLT_MATMUL_DESC_BIAS_DATA_TYPE, data_type(shape.d_type));
  }
  return operation;
}

LtLayout make_layout(TesseraDType type, std::int64_t rows, std::int64_t columns, std::int64_t step, std::int64_t batch,
                     std::int64_t batch_step) {
  cublasLtMatrixLayout_t made = nullptr;
  check(cublasLtMatrixLayoutCreate(&made, data_type(type), static_cast<std::uint64_t>(rows),
                                   static_cast<std::uint64_t>(columns), step),
        "describing a matrix");
  LtLayout layout(made);
  if (batch == 1) return layout;
  const auto count = static_cast<std::int32_t>(batch);
  check(cublasLtMatrixLayoutSetAttribute(made, CUBLASLT_MATRIX_LAYOUT_BATCH_COUNT, &count, sizeof(count)),
        "describing a batch");
  check(cublasLtMatrixLayoutSetAttribute(made, CUBLASLT_MATRIX_LAYOUT_STRIDED_BATCH_OFFSET, &batch_step,
                                         sizeof(batch_step)),
        "describing a batch");
  return layout;
}

LtPreference make_preference(const ProductShape& shape) {
  cublasLtMatmulPreference_t made = nullptr;
  check(cublasLtMatmulPreferenceCreate(&made), "describing a product");
  LtPreference preference(made);
  set(preference, CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, static_cast<std::uint64_t>(kProductScratch));
  set(preference, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES, shape.a_alignment);
  set(preference, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES, shape.b_alignment);
  set(preference, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES, shape.d_alignment);
  set(preference, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES, shape.d_alignment);
  return preference;
}

std::string describe(const ProductShape& shape) {
  return std::to_string(shape.m) + " x " + std::to_string(shape.n) + " x " + std::to_string(shape.k);
}

}  // namespace

cudaDataType_t data_type(TesseraDType type) {
  return type == TESSERA_F32 ? CUDA_R_32F : type == TESSERA_F16 ? CUDA_R_16F : CUDA_R_16BF;
}

std::uint32_t alignment_of(std::initializer_list<std::int64_t> distances, std::uint32_t most) {
  std::int64_t divisor = most;
  for (const std::int64_t distance : distances) divisor = std::gcd(divisor, distance);
  return static_cast<std::uint32_t>(divisor);  // of a power of two: one itself
}

Product::Product(const TesseraDevice& device, const ProductShape& shape)
    : lt_(device.lt()),
      operation_(make_operation(device, shape)),
      a_(make_layout(shape.type, shape.a_transposed ? shape.k : shape.m, shape.a_transposed ? shape.m : shape.k,
                     shape.a_step, shape.batch, shape.a_batch)),
      b_(make_layout(shape.type, shape.k, shape.n, shape.b_step, shape.batch, shape.b_batch)),
      d_(make_layout(shape.d_type, shape.m, shape.n, shape.d_step, shape.batch, shape.d_batch)) {
  const LtPreference preference = make_preference(shape);
  cublasLtMatmulHeuristicResult_t best{};
  int found = 0;
  const cublasStatus_t status = cublasLtMatmulAlgoGetHeuristic(lt_, operation_.get(), a_.get(), b_.get(), d_.get(),
                                                               d_.get(), preference.get(), 1, &best, &found);
  if (status != CUBLAS_STATUS_SUCCESS || found == 0) {
    throw Failure(kDevice, "cuBLASLt has no algorithm for a product of " + describe(shape) + " (status " +
                               std::to_string(static_cast<int>(status)) + ")");
  }
  algorithm_ = best.algo;
}

void Product::run(const Operands& operands, cudaStream_t stream) const {
  const float beta = operands.c == nullptr ? 0 : 1;
  const void* const c = operands.c == nullptr ? operands.d : operands.c;
  check(cublasLtMatmul(lt_, operation_.get(), &operands.alpha, operands.a, a_.get(), operands.b, b_.get(), &beta, c,
                       d_.get(), operands.d, d_.get(), &algorithm_, operands.scratch,
                       static_cast<std::size_t>(kProductScratch), stream),
        "multiplying matrices");
}

const Product& Products::with(std::int64_t n, std::int64_t batch) {
  const std::scoped_lock lock(mutex_);
  const auto found = made_.find({n, batch});
  if (found != made_.end()) return found->second;
  ProductShape shape = shape_;
  shape.n = n;
  shape.batch = batch;
  return made_.emplace(std::piecewise_construct, std::forward_as_tuple(n, batch), std::forward_as_tuple(device_, shape))
      .first->second;
}

}  // namespace tessera::cuda
