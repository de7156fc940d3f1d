#pragma once
// What goes wrong in the plugin is thrown as a Failure, which plugin.cpp turns into a code and a message for the host.

#include <cublasLt.h>
#include <cuda_runtime_api.h>
#include <cudnn_graph.h>

#include <stdexcept>
#include <string>

namespace tessera::cuda {

// The numbers of core/error.h's ErrorKind that a device has use for.
constexpr int kInternal = 1, kUsage = 2, kResource = 5, kDevice = 7;

class Failure : public std::runtime_error {
 public:
  Failure(int code, const std::string& message) : std::runtime_error(message), code_(code) {}
  int code() const noexcept { return code_; }

 private:
  int code_;
};

// Each throws unless the call succeeded; `what` says what was tried ("copying weights").
void check(cudaError_t status, const char* what);
void check(cublasStatus_t status, const char* what);
void check(cudnnStatus_t status, const char* what);
// That the kernel launched just before could be launched.
void check_launch(const char* kernel);

}  // namespace tessera::cuda
