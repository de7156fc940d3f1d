#pragma once
// What tests of the emulated device share: a stream, small arrays, and a look at what is left over at the end.

#include <cuda_runtime_api.h>
#include <gtest/gtest.h>

#include <vector>

#include "tests/cuda/emulated/control.h"

namespace tessera::emulated {

// Schedules under which results have to be the same.
inline std::vector<Schedule> all_schedules() {
  return {{Order::kForward, 1}, {Order::kReverse, 1}, {Order::kShuffled, 1}, {Order::kShuffled, 2}};
}

// `count` floats on the device, fresh: not initialised.
class DeviceArray {
 public:
  explicit DeviceArray(std::size_t count) : count_(count) {
    EXPECT_EQ(cudaMalloc(reinterpret_cast<void**>(&data_), count * sizeof(float)), cudaSuccess);
  }
  ~DeviceArray() { cudaFree(data_); }
  DeviceArray(const DeviceArray&) = delete;
  DeviceArray& operator=(const DeviceArray&) = delete;
  float* get() const { return data_; }
  std::size_t count() const { return count_; }
  std::size_t bytes() const { return count_ * sizeof(float); }

 private:
  float* data_ = nullptr;
  std::size_t count_;
};

class EmulatedFixture : public testing::Test {
 protected:
  EmulatedFixture() {
    set_schedule({});
    cudaStreamCreateWithFlags(&stream_, cudaStreamNonBlocking);
  }
  ~EmulatedFixture() override {
    if (stream_ != nullptr) cudaStreamDestroy(stream_);
    cudaDeviceSynchronize();
    EXPECT_EQ(leftovers(), std::vector<std::string>());
  }

  cudaStream_t stream() const { return stream_; }
  void upload(float* device, const std::vector<float>& values) {
    cudaMemcpyAsync(device, values.data(), values.size() * sizeof(float), cudaMemcpyHostToDevice, stream_);
  }
  void fill_with(const DeviceArray& array, float value) {
    upload(array.get(), std::vector<float>(array.count(), value));
  }
  std::vector<float> download(const DeviceArray& array) {
    std::vector<float> values(array.count());
    cudaMemcpyAsync(values.data(), array.get(), array.bytes(), cudaMemcpyDeviceToHost, stream_);
    cudaStreamSynchronize(stream_);
    return values;
  }

  cudaStream_t stream_ = nullptr;
};

}  // namespace tessera::emulated
