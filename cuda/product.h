#pragma once
// Matrix products by cuBLASLt.
//
// It counts matrices by columns. A row-major matrix [rows, columns] is, read that way, its transpose, so that
// y [M, O] = x [M, K] * w [O, K]^T is asked for as  Y (O x M) = W^T (K x O, transposed) * X (K x M).

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>

#include "cuda/device.h"

namespace tessera::cuda {

// D (m x n) = act(alpha * op(A) * B + C + bias), all column-major; C and D lie alike.
struct ProductShape {
  std::int64_t m = 0, n = 0, k = 0;
  bool a_transposed = true;                         // A is k x m, else m x k; B is k x n
  std::int64_t a_step = 0, b_step = 0, d_step = 0;  // values between columns ("leading dimension")
  TesseraDType type = TESSERA_F32;                  // of A and B; sums are float32
  TesseraDType d_type = TESSERA_F32;                // of C, D and the bias
  std::int64_t batch = 1;
  std::int64_t a_batch = 0, b_batch = 0, d_batch = 0;  // values between the matrices of a batch
  // Addresses of A, B and D are multiples of so many bytes.
  std::uint32_t a_alignment = 256, b_alignment = 64, d_alignment = 64;
  cublasLtEpilogue_t epilogue = CUBLASLT_EPILOGUE_DEFAULT;
  const void* bias = nullptr;  // m values on the device, for an epilogue that has one
};

// Bytes of scratch memory that a product may use.
constexpr std::int64_t kProductScratch = 32 << 20;

// A product of one shape with its algorithm. Immutable.
class Product {
 public:
  // Throws Failure when cuBLASLt has no algorithm for it.
  Product(const TesseraDevice& device, const ProductShape& shape);

  struct Operands {
    const void* a = nullptr;
    const void* b = nullptr;
    const void* c = nullptr;  // null: none is added
    void* d = nullptr;
    float alpha = 1;
    void* scratch = nullptr;  // kProductScratch bytes
  };
  void run(const Operands& operands, cudaStream_t stream) const;

 private:
  cublasLtHandle_t lt_;
  LtOperation operation_;
  LtLayout a_, b_, d_;
  cublasLtMatmulAlgo_t algorithm_{};
};

// Products that differ in n or the batch alone, made when they are first needed. Thread-safe.
class Products {
 public:
  Products(const TesseraDevice& device, const ProductShape& shape) : device_(device), shape_(shape) {}
  const Product& with_n(std::int64_t n) { return with(n, shape_.batch); }
  const Product& with_batch(std::int64_t batch) { return with(shape_.n, batch); }

 private:
  const Product& with(std::int64_t n, std::int64_t batch);

  const TesseraDevice& device_;
  ProductShape shape_;
  std::mutex mutex_;
  std::map<std::pair<std::int64_t, std::int64_t>, Product> made_;
};

// The largest power of two up to `most` that divides all of the byte distances: how addresses so far apart are aligned.
std::uint32_t alignment_of(std::initializer_list<std::int64_t> distances, std::uint32_t most);

cudaDataType_t data_type(TesseraDType type);

}  // namespace tessera::cuda
