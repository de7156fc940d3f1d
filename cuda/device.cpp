#include "cuda/device.h"

#include <cuda_bf16.h>
#include <cuda_fp16.h>

#include <algorithm>
#include <cstdio>
#include <string>
#include <vector>

using namespace tessera::cuda;

namespace {

// Turing: the oldest that the toolkit still compiles for.
constexpr int kOldest = 75;
// From compute capability 8.0 on there are bfloat16 and TF32.
constexpr int kAmpere = 8;

std::string version(int number, int major_unit, int minor_unit) {
  return std::to_string(number / major_unit) + "." + std::to_string(number % major_unit / minor_unit);
}

// How many devices there are; throws a Failure that says why there are none.
int count_devices() {
  int count = 0;  // not written where the driver is missing
  const cudaError_t status = cudaGetDeviceCount(&count);
  cudaGetLastError();  // kept by the runtime until it is asked
  switch (status) {
    case cudaSuccess:
      if (count > 0) return count;
      throw Failure(kDevice, "no CUDA device");
    case cudaErrorInsufficientDriver:  // 35: also when there is no driver at all
      throw Failure(kDevice, "no NVIDIA driver, or one older than the plugin's CUDA (CUDA error 35)");
    case cudaErrorStubLibrary:  // 34
      throw Failure(kDevice, "libcuda.so.1 is the toolkit's stub, not a driver (CUDA error 34)");
    case cudaErrorNoDevice:  // 100
      throw Failure(kDevice, "the NVIDIA driver finds no device (CUDA error 100)");
    default:
      check(status, "looking for CUDA devices");
      return 0;
  }
}

template <class T, class Convert>
std::vector<T> converted(std::span<const float> values, const Convert& convert) {
  std::vector<T> result(values.size());
  std::ranges::transform(values, result.begin(), convert);
  return result;
}

}  // namespace

TesseraDevice::TesseraDevice(int index, const TesseraOptions& options) : index_(index), options_(options) {
  const int count = count_devices();
  if (index < 0 || index >= count) {
    throw Failure(kDevice, "there is no CUDA device " + std::to_string(index) + "; there " +
                               (count == 1 ? "is 1" : "are " + std::to_string(count)) + ", counted from 0");
  }
  cudaDeviceProp properties{};
  check(cudaGetDeviceProperties(&properties, index), "reading the device's properties");
  if (properties.major * 10 + properties.minor < kOldest) {
    throw Failure(kDevice, std::string(properties.name) + " is too old: compute capability " +
                               std::to_string(properties.major) + "." + std::to_string(properties.minor) +
                               ", at least 7.5 is needed");
  }
  use();
  std::snprintf(facts_.name, sizeof(facts_.name), "%s", properties.name);
  facts_.major = properties.major;
  facts_.minor = properties.minor;
  facts_.multiprocessors = properties.multiProcessorCount;
  facts_.has_bf16 = facts_.has_tf32 = properties.major >= kAmpere ? 1 : 0;
  facts_.memory_bytes = static_cast<std::int64_t>(properties.totalGlobalMem);
#ifdef TESSERA_EMULATED_DEVICE
  facts_.emulated = 1;
#endif
  int driver = 0, runtime = 0;
  check(cudaDriverGetVersion(&driver), "reading the driver's version");
  check(cudaRuntimeGetVersion(&runtime), "reading the runtime's version");
  const std::string libraries = "CUDA " + version(runtime, 1000, 10) + ", driver " + version(driver, 1000, 10) +
                                ", cuBLASLt " + version(static_cast<int>(cublasLtGetVersion()), 10000, 100) +
                                ", cuDNN " + version(static_cast<int>(cudnnGetVersion()), 10000, 100);
  std::snprintf(facts_.libraries, sizeof(facts_.libraries), "%s", libraries.c_str());
  stream_ = make_stream();
  cublasLtHandle_t lt = nullptr;
  check(cublasLtCreate(&lt), "opening cuBLASLt");
  lt_.reset(lt);
}

void TesseraDevice::use() const { check(cudaSetDevice(index_), "choosing the device"); }

DeviceMemory TesseraDevice::upload(std::span<const float> values, TesseraDType type) {
  const std::size_t bytes = values.size() * static_cast<std::size_t>(bytes_of(type));
  DeviceMemory memory = allocate_device(bytes);
  const auto copy = [&](const void* from) {
    check(cudaMemcpyAsync(memory.get(), from, bytes, cudaMemcpyHostToDevice, stream()), "copying weights");
    check(cudaStreamSynchronize(stream()), "copying weights");
  };
  if (bytes == 0) return memory;
  if (type == TESSERA_F32) {
    copy(values.data());
  } else if (type == TESSERA_F16) {
    copy(converted<__half>(values, [](float value) { return __float2half_rn(value); }).data());
  } else {
    copy(converted<__nv_bfloat16>(values, [](float value) { return __float2bfloat16_rn(value); }).data());
  }
  return memory;
}

cudnnHandle_t TesseraDevice::cudnn(cudaStream_t stream) {
  if (cudnn_ == nullptr) {
    cudnnHandle_t handle = nullptr;
    check(cudnnCreate(&handle), "opening cuDNN");
    cudnn_.reset(handle);
  }
  check(cudnnSetStream(cudnn_.get(), stream), "giving cuDNN its stream");
  return cudnn_.get();
}
