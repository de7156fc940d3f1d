// The part of cuBLASLt that tessera calls: D = act(alpha * op(A) * op(B) + beta * C + bias), strided batches included.

#include <cublasLt.h>

#include <cmath>
#include <cstring>
#include <memory>
#include <optional>

#include "tests/cuda/emulated/fault.h"
#include "tests/cuda/emulated/memory.h"
#include "tests/cuda/emulated/product.h"
#include "tests/cuda/emulated/stream_state.h"

namespace tessera::emulated {

namespace {

struct Layout {
  cudaDataType_t type;
  std::int64_t rows, columns, leading;
  std::int32_t order = CUBLASLT_ORDER_COL, batches = 1;
  std::int64_t batch_step = 0;
};

struct Description {
  cublasComputeType_t compute;
  cudaDataType_t scale;
  std::int32_t transpose_a = CUBLAS_OP_N, transpose_b = CUBLAS_OP_N;
  std::uint32_t epilogue = CUBLASLT_EPILOGUE_DEFAULT;
  const void* bias = nullptr;
  std::int64_t bias_batch_step = 0;
  std::int32_t bias_type = -1;  // that of D
};

struct Preference {
  std::uint64_t workspace = 0;
  std::uint32_t alignment[4] = {256, 256, 256, 256};  // of A, B, C, D: what the header says is assumed
};

// What the heuristic gives: kept in the opaque words of cublasLtMatmulAlgo_t.
struct Algorithm {
  std::uint32_t mark;
  std::uint32_t alignment[4];
  std::uint64_t workspace;
  std::int64_t m, n, k;
};
constexpr std::uint32_t kMark = 0x7E55E7A0;
static_assert(sizeof(Algorithm) <= sizeof(cublasLtMatmulAlgo_t));

std::optional<Type> type_of(std::int32_t type) {
  switch (type) {
    case CUDA_R_32F:
      return Type::kF32;
    case CUDA_R_16F:
      return Type::kF16;
    case CUDA_R_16BF:
      return Type::kBf16;
    default:
      return std::nullopt;
  }
}

template <class T>
T* from_handle(void* handle) {
  return static_cast<T*>(handle);
}

struct Problem {
  Description description;
  Layout a, b, c, d;
  std::int64_t m = 0, n = 0, k = 0;
};

bool fits(const Layout& layout) {
  const std::int64_t needed = layout.order == CUBLASLT_ORDER_ROW ? layout.columns : layout.rows;
  return layout.leading >= needed && layout.rows > 0 && layout.columns > 0;
}

// What cuBLASLt computes with its types; bf16 needs compute capability 8.0, which heuristics know.
cublasStatus_t check(const Problem& p) {
  const bool types_known = type_of(p.a.type) && type_of(p.b.type) && type_of(p.c.type) && type_of(p.d.type);
  if (!types_known || p.a.type != p.b.type || p.c.type != p.d.type) return CUBLAS_STATUS_NOT_SUPPORTED;
  if (p.a.type != p.d.type && p.d.type != CUDA_R_32F) return CUBLAS_STATUS_NOT_SUPPORTED;
  const bool tf32 = p.description.compute == CUBLAS_COMPUTE_32F_FAST_TF32;
  if (p.description.compute != CUBLAS_COMPUTE_32F && !tf32) return CUBLAS_STATUS_NOT_SUPPORTED;
  if (tf32 && p.a.type != CUDA_R_32F) return CUBLAS_STATUS_NOT_SUPPORTED;
  if (p.description.scale != CUDA_R_32F) return CUBLAS_STATUS_NOT_SUPPORTED;
  if (!fits(p.a) || !fits(p.b) || !fits(p.c) || !fits(p.d)) return CUBLAS_STATUS_INVALID_VALUE;
  const std::int64_t k_of_b = p.description.transpose_b == CUBLAS_OP_N ? p.b.rows : p.b.columns;
  const std::int64_t n_of_b = p.description.transpose_b == CUBLAS_OP_N ? p.b.columns : p.b.rows;
  const bool shapes =
      p.k == k_of_b && p.n == n_of_b && p.d.rows == p.m && p.d.columns == p.n && p.c.rows == p.m && p.c.columns == p.n;
  const bool batches = p.a.batches == p.b.batches && p.a.batches == p.d.batches && p.a.batches == p.c.batches;
  return shapes && batches ? CUBLAS_STATUS_SUCCESS : CUBLAS_STATUS_INVALID_VALUE;
}

Problem problem_of(const Description& description, const Layout& a, const Layout& b, const Layout& c, const Layout& d) {
  Problem p{description, a, b, c, d};
  p.m = description.transpose_a == CUBLAS_OP_N ? a.rows : a.columns;
  p.k = description.transpose_a == CUBLAS_OP_N ? a.columns : a.rows;
  p.n = d.columns;
  return p;
}

std::int64_t row_step(const Layout& layout) { return layout.order == CUBLASLT_ORDER_ROW ? layout.leading : 1; }
std::int64_t column_step(const Layout& layout) { return layout.order == CUBLASLT_ORDER_ROW ? 1 : layout.leading; }

std::size_t extent(const Layout& layout) {
  const std::int64_t last = (layout.rows - 1) * row_step(layout) + (layout.columns - 1) * column_step(layout) +
                            (layout.batches - 1) * layout.batch_step;
  return static_cast<std::size_t>(last + 1) * bytes_of(*type_of(layout.type));
}

void check_alignment(const Layout& layout, const void* address, std::uint32_t alignment, const char* name) {
  const auto step =
      static_cast<std::uintptr_t>(layout.batches > 1 ? layout.batch_step : 0) * bytes_of(*type_of(layout.type));
  require((reinterpret_cast<std::uintptr_t>(address) | step) % alignment == 0,
          std::string("operand ") + name + " of a product is not aligned to the " + std::to_string(alignment) +
              " bytes that its heuristic was asked for");
}

float gelu_by_tanh(float x) { return 0.5F * x * (1.0F + std::tanh(0.7978845608F * (x + 0.044715F * x * x * x))); }

float epilogue(std::uint32_t kind, float value) {
  if ((kind & CUBLASLT_EPILOGUE_RELU) != 0) return value < 0.0F ? 0.0F : value;
  if ((kind & CUBLASLT_EPILOGUE_GELU) != 0) return gelu_by_tanh(value);
  return value;
}

struct Call {
  Problem problem;
  float alpha = 1, beta = 0;
  const void* a = nullptr;
  const void* b = nullptr;
  const void* c = nullptr;
  void* d = nullptr;
  void* workspace = nullptr;
  std::size_t workspace_bytes = 0;
};

const void* at(const void* data, const Layout& layout, std::int64_t batch) {
  const auto bytes = static_cast<std::int64_t>(bytes_of(*type_of(layout.type)));
  return static_cast<const std::byte*>(data) + batch * layout.batch_step * bytes;
}

void check_operands(const Call& call) {
  const Memory& memory = Memory::instance();
  const Problem& p = call.problem;
  memory.check_device(call.a, extent(p.a), "operand A of a product");
  memory.check_device(call.b, extent(p.b), "operand B of a product");
  if (call.beta != 0) memory.check_device(call.c, extent(p.c), "operand C of a product");
  memory.check_device(call.d, extent(p.d), "the result of a product");
  if ((p.description.epilogue & CUBLASLT_EPILOGUE_BIAS) != 0) {
    const Type type = *type_of(p.description.bias_type < 0 ? p.d.type : p.description.bias_type);
    memory.check_device(p.description.bias, static_cast<std::size_t>(p.m) * bytes_of(type), "the bias of a product");
  }
  memory.check_device(call.workspace, call.workspace_bytes, "the workspace of a product");
}

void run_batch(const Call& call, std::int64_t batch) {
  const Problem& p = call.problem;
  const Matrix a{*type_of(p.a.type), at(call.a, p.a, batch), row_step(p.a), column_step(p.a)};
  const Matrix b{*type_of(p.b.type), at(call.b, p.b, batch), row_step(p.b), column_step(p.b)};
  const auto turned = [](const Matrix& x, std::int32_t transpose) {
    return transpose == CUBLAS_OP_N ? x : Matrix{x.type, x.data, x.column_step, x.row_step};
  };
  const bool tf32 = p.description.compute == CUBLAS_COMPUTE_32F_FAST_TF32;
  const std::vector<float> product =
      multiply(p.m, p.n, p.k, turned(a, p.description.transpose_a), turned(b, p.description.transpose_b), tf32);
  const bool has_bias = (p.description.epilogue & CUBLASLT_EPILOGUE_BIAS) != 0;
  const Type bias_type = *type_of(p.description.bias_type < 0 ? p.d.type : p.description.bias_type);
  const Type c_type = *type_of(p.c.type), d_type = *type_of(p.d.type);
  const void* const c = call.beta != 0 ? at(call.c, p.c, batch) : nullptr;
  void* const d = const_cast<void*>(at(call.d, p.d, batch));
  for (std::int64_t column = 0; column < p.n; ++column) {
    for (std::int64_t row = 0; row < p.m; ++row) {
      float value = call.alpha * product[static_cast<std::size_t>(column * p.m + row)];
      if (c != nullptr) value += call.beta * load(c_type, c, row * row_step(p.c) + column * column_step(p.c));
      if (has_bias) value += load(bias_type, p.description.bias, batch * p.description.bias_batch_step + row);
      store(d_type, d, row * row_step(p.d) + column * column_step(p.d), epilogue(p.description.epilogue, value));
    }
  }
}

void run(const Call& call) {
  check_operands(call);
  if (call.workspace_bytes > 0) std::memset(call.workspace, 0xFF, call.workspace_bytes);
  for (std::int64_t batch = 0; batch < call.problem.d.batches; ++batch) run_batch(call, batch);
}

template <class Value>
cublasStatus_t take(Value& to, const void* from, std::size_t bytes) {
  if (from == nullptr || bytes != sizeof(Value)) return CUBLAS_STATUS_INVALID_VALUE;
  std::memcpy(&to, from, sizeof(Value));
  return CUBLAS_STATUS_SUCCESS;
}

template <class T, class Handle>
cublasStatus_t destroy(Handle handle, const char* kind) {
  if (handle == nullptr) return CUBLAS_STATUS_INVALID_VALUE;
  count_handle(kind, -1);
  delete reinterpret_cast<T*>(handle);  // NOLINT(cppcoreguidelines-owning-memory): the handle was the owner
  return CUBLAS_STATUS_SUCCESS;
}

template <class T, class Handle>
cublasStatus_t create(Handle* handle, T value, const char* kind) {
  count_handle(kind, 1);
  *handle = reinterpret_cast<Handle>(new T(std::move(value)));  // NOLINT(cppcoreguidelines-owning-memory): as above
  return CUBLAS_STATUS_SUCCESS;
}

}  // namespace

}  // namespace tessera::emulated

using namespace tessera::emulated;  // NOLINT(google-build-using-namespace): C functions cannot lie in it

extern "C" {

cublasStatus_t cublasLtCreate(cublasLtHandle_t* handle) { return create(handle, 0, "cublasLt handle"); }
cublasStatus_t cublasLtDestroy(cublasLtHandle_t handle) { return destroy<int>(handle, "cublasLt handle"); }
std::size_t cublasLtGetVersion() { return CUBLAS_VERSION; }
const char* cublasLtGetStatusName(cublasStatus_t) { return "a status of the emulated cuBLASLt"; }
const char* cublasLtGetStatusString(cublasStatus_t) { return "a status of the emulated cuBLASLt"; }

cublasStatus_t cublasLtMatmulDescCreate(cublasLtMatmulDesc_t* handle, cublasComputeType_t compute,
                                        cudaDataType_t scale) {
  return create(handle, Description{compute, scale}, "matmul description");
}
cublasStatus_t cublasLtMatmulDescDestroy(cublasLtMatmulDesc_t handle) {
  return destroy<Description>(handle, "matmul description");
}
cublasStatus_t cublasLtMatmulDescSetAttribute(cublasLtMatmulDesc_t handle, cublasLtMatmulDescAttributes_t attribute,
                                              const void* from, std::size_t bytes) {
  auto& description = *reinterpret_cast<Description*>(handle);
  switch (attribute) {
    case CUBLASLT_MATMUL_DESC_TRANSA:
      return take(description.transpose_a, from, bytes);
    case CUBLASLT_MATMUL_DESC_TRANSB:
      return take(description.transpose_b, from, bytes);
    case CUBLASLT_MATMUL_DESC_EPILOGUE:
      return take(description.epilogue, from, bytes);
    case CUBLASLT_MATMUL_DESC_BIAS_POINTER:
      return take(description.bias, from, bytes);
    case CUBLASLT_MATMUL_DESC_BIAS_DATA_TYPE:
      return take(description.bias_type, from, bytes);
    case CUBLASLT_MATMUL_DESC_BIAS_BATCH_STRIDE:
      return take(description.bias_batch_step, from, bytes);
    default:
      fault("the emulated cuBLASLt does not know description attribute " + std::to_string(attribute));
  }
}

cublasStatus_t cublasLtMatrixLayoutCreate(cublasLtMatrixLayout_t* handle, cudaDataType type, std::uint64_t rows,
                                          std::uint64_t columns, std::int64_t leading) {
  return create(handle, Layout{type, static_cast<std::int64_t>(rows), static_cast<std::int64_t>(columns), leading},
                "matrix layout");
}
cublasStatus_t cublasLtMatrixLayoutDestroy(cublasLtMatrixLayout_t handle) {
  return destroy<Layout>(handle, "matrix layout");
}
cublasStatus_t cublasLtMatrixLayoutSetAttribute(cublasLtMatrixLayout_t handle,
                                                cublasLtMatrixLayoutAttribute_t attribute, const void* from,
                                                std::size_t bytes) {
  auto& layout = *reinterpret_cast<Layout*>(handle);
  switch (attribute) {
    case CUBLASLT_MATRIX_LAYOUT_ORDER:
      return take(layout.order, from, bytes);
    case CUBLASLT_MATRIX_LAYOUT_ROWS:
      return take(layout.rows, from, bytes);
    case CUBLASLT_MATRIX_LAYOUT_COLS:
      return take(layout.columns, from, bytes);
    case CUBLASLT_MATRIX_LAYOUT_LD:
      return take(layout.leading, from, bytes);
    case CUBLASLT_MATRIX_LAYOUT_BATCH_COUNT:
      return take(layout.batches, from, bytes);
    case CUBLASLT_MATRIX_LAYOUT_STRIDED_BATCH_OFFSET:
      return take(layout.batch_step, from, bytes);
    default:
      fault("the emulated cuBLASLt does not know layout attribute " + std::to_string(attribute));
  }
}

cublasStatus_t cublasLtMatmulPreferenceCreate(cublasLtMatmulPreference_t* handle) {
  return create(handle, Preference(), "matmul preference");
}
cublasStatus_t cublasLtMatmulPreferenceDestroy(cublasLtMatmulPreference_t handle) {
  return destroy<Preference>(handle, "matmul preference");
}
cublasStatus_t cublasLtMatmulPreferenceSetAttribute(cublasLtMatmulPreference_t handle,
                                                    cublasLtMatmulPreferenceAttributes_t attribute, const void* from,
                                                    std::size_t bytes) {
  auto& preference = *reinterpret_cast<Preference*>(handle);
  switch (attribute) {
    case CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES:
      return take(preference.workspace, from, bytes);
    case CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES:
      return take(preference.alignment[0], from, bytes);
    case CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES:
      return take(preference.alignment[1], from, bytes);
    case CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES:
      return take(preference.alignment[2], from, bytes);
    case CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES:
      return take(preference.alignment[3], from, bytes);
    default:
      fault("the emulated cuBLASLt does not know preference " + std::to_string(attribute));
  }
}

cublasStatus_t cublasLtMatmulAlgoGetHeuristic(cublasLtHandle_t, cublasLtMatmulDesc_t description,
                                              cublasLtMatrixLayout_t a, cublasLtMatrixLayout_t b,
                                              cublasLtMatrixLayout_t c, cublasLtMatrixLayout_t d,
                                              cublasLtMatmulPreference_t preference_handle, int requested,
                                              cublasLtMatmulHeuristicResult_t results[], int* found) {
  const Problem problem =
      problem_of(*reinterpret_cast<Description*>(description), *reinterpret_cast<Layout*>(a),
                 *reinterpret_cast<Layout*>(b), *reinterpret_cast<Layout*>(c), *reinterpret_cast<Layout*>(d));
  *found = 0;
  if (const cublasStatus_t status = check(problem); status != CUBLAS_STATUS_SUCCESS) return status;
  int capability = 0;
  cudaDeviceGetAttribute(&capability, cudaDevAttrComputeCapabilityMajor, 0);
  const bool tf32 = problem.description.compute == CUBLAS_COMPUTE_32F_FAST_TF32;
  if (capability < 8 && (tf32 || problem.a.type == CUDA_R_16BF)) return CUBLAS_STATUS_NOT_SUPPORTED;
  const auto& preference = *reinterpret_cast<Preference*>(preference_handle);
  // One way without a workspace, one with as much as is allowed.
  for (const std::uint64_t workspace : {std::min<std::uint64_t>(preference.workspace, 4096), std::uint64_t{0}}) {
    if (*found >= requested) break;
    cublasLtMatmulHeuristicResult_t& result = results[*found];
    result = {};
    Algorithm algorithm{kMark, {}, workspace, problem.m, problem.n, problem.k};
    std::copy(std::begin(preference.alignment), std::end(preference.alignment), algorithm.alignment);
    std::memcpy(&result.algo, &algorithm, sizeof(algorithm));
    result.workspaceSize = workspace;
    result.state = CUBLAS_STATUS_SUCCESS;
    result.wavesCount = 1;
    ++*found;
    if (workspace == 0) break;
  }
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatmul(cublasLtHandle_t, cublasLtMatmulDesc_t description, const void* alpha, const void* a,
                              cublasLtMatrixLayout_t a_layout, const void* b, cublasLtMatrixLayout_t b_layout,
                              const void* beta, const void* c, cublasLtMatrixLayout_t c_layout, void* d,
                              cublasLtMatrixLayout_t d_layout, const cublasLtMatmulAlgo_t* chosen, void* workspace,
                              std::size_t workspace_bytes, cudaStream_t stream) {
  Call call{problem_of(*reinterpret_cast<Description*>(description), *reinterpret_cast<Layout*>(a_layout),
                       *reinterpret_cast<Layout*>(b_layout), *reinterpret_cast<Layout*>(c_layout),
                       *reinterpret_cast<Layout*>(d_layout))};
  const Problem& p = call.problem;
  if (const cublasStatus_t status = check(p); status != CUBLAS_STATUS_SUCCESS) return status;
  if ((p.description.epilogue & CUBLASLT_EPILOGUE_BIAS) != 0 && p.description.bias == nullptr) {
    return CUBLAS_STATUS_INVALID_VALUE;
  }
  std::memcpy(&call.alpha, alpha, sizeof(float));
  std::memcpy(&call.beta, beta, sizeof(float));
  call.a = a, call.b = b, call.c = c, call.d = d;
  if (chosen != nullptr) {
    Algorithm algorithm;
    std::memcpy(&algorithm, chosen, sizeof(algorithm));
    require(algorithm.mark == kMark, "a product is given an algorithm that no heuristic gave");
    require(algorithm.m == p.m && algorithm.n == p.n && algorithm.k == p.k,
            "a product is given the algorithm of another shape");
    if (algorithm.workspace > workspace_bytes) return CUBLAS_STATUS_INVALID_VALUE;
    check_alignment(p.a, a, algorithm.alignment[0], "A");
    check_alignment(p.b, b, algorithm.alignment[1], "B");
    if (call.beta != 0) check_alignment(p.c, c, algorithm.alignment[2], "C");
    check_alignment(p.d, d, algorithm.alignment[3], "D");
    call.workspace_bytes = algorithm.workspace;
    call.workspace = workspace;
  }
  enqueue(stream, {Operation::Kind::kProduct, "a matrix product", [call] { run(call); }, {}});
  return CUBLAS_STATUS_SUCCESS;
}

}  // extern "C"
