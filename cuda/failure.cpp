#include "cuda/failure.h"

namespace tessera::cuda {

void check(cudaError_t status, const char* what) {
  if (status == cudaSuccess) return;
  cudaGetLastError();  // the runtime keeps it until it is asked: the next launch is not to be blamed for it
  const int code = status == cudaErrorMemoryAllocation ? kResource : kDevice;
  throw Failure(code, std::string(what) + ": " + cudaGetErrorString(status) + " (CUDA error " +
                          std::to_string(static_cast<int>(status)) + ")");
}

void check(cublasStatus_t status, const char* what) {
  if (status == CUBLAS_STATUS_SUCCESS) return;
  const int code = status == CUBLAS_STATUS_ALLOC_FAILED ? kResource : kDevice;
  throw Failure(code, std::string(what) + ": " + cublasLtGetStatusString(status) + " (cuBLAS status " +
                          std::to_string(static_cast<int>(status)) + ")");
}

void check(cudnnStatus_t status, const char* what) {
  if (status == CUDNN_STATUS_SUCCESS) return;
  const int code = status == CUDNN_STATUS_ALLOC_FAILED ? kResource : kDevice;
  throw Failure(code, std::string(what) + ": " + cudnnGetErrorString(status) + " (cuDNN status " +
                          std::to_string(static_cast<int>(status)) + ")");
}

void check_launch(const char* kernel) { check(cudaGetLastError(), kernel); }

}  // namespace tessera::cuda
