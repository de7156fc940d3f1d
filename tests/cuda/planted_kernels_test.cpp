// Kernels with a planted mistake, each of which the emulated device must find; and the same without it, which must
// pass.

#include <gtest/gtest.h>

#include <functional>
#include <numeric>

#include "tests/cuda/emulated/kernel_shim.h"
#include "tests/cuda/emulated_fixture.h"

namespace tessera::emulated {
namespace {

constexpr unsigned kThreads = 64;

// Each thread writes one value to shared memory and reads that of the thread opposite.
__global__ void reverse(const float* x, float* y, bool with_barrier) {
  TESSERA_DYNAMIC_SHARED(float, shared);
  shared[threadIdx.x] = x[threadIdx.x];
  if (with_barrier) __syncthreads();
  y[threadIdx.x] = shared[blockDim.x - 1 - threadIdx.x];
}

__global__ void sum_of_warps(const float* x, float* y, unsigned lanes) {
  TESSERA_STATIC_SHARED(float, partial, 32);
  float sum = x[threadIdx.x];
  if (threadIdx.x % 32 < lanes) {
    for (int step = 16; step > 0; step /= 2) sum += __shfl_xor_sync(0xFFFFFFFFU, sum, step);
  }
  if (threadIdx.x % 32 == 0) partial[threadIdx.x / 32] = sum;
  __syncthreads();
  if (threadIdx.x == 0) y[0] = partial[0] + partial[1];
}

__global__ void leave_before_barrier(float* y, unsigned count) {
  if (threadIdx.x >= count) return;
  __syncthreads();
  y[threadIdx.x] = 1;
}

__global__ void two_barriers(float* y) {
  if (threadIdx.x < 32) {
    __syncthreads();
  } else {
    __syncthreads();
  }
  y[threadIdx.x] = 1;
}

__global__ void write_at(float* y, int index) { y[index] = 1; }
__global__ void read_at(const float* x, float* y, int index) { y[0] = x[index]; }

__global__ void write_past_shared(float* y, unsigned beyond) {
  TESSERA_STATIC_SHARED(float, values, 32);
  if (threadIdx.x == 0) values[31 + beyond] = 1;
  __syncthreads();
  y[threadIdx.x] = values[threadIdx.x % 32];
}

__global__ void half_of(const __half* x, __half* y) {
  y[threadIdx.x] = __float2half_rn(__half2float(x[threadIdx.x]) * 0.5F);
}

class PlantedKernels : public EmulatedFixture {
 protected:
  void fill(float* device) {
    std::vector<float> values(kThreads);
    std::iota(values.begin(), values.end(), 0.0F);
    upload(device, values);
  }
};

TEST_F(PlantedKernels, AKernelWithItsBarrierGivesTheSameInEverySchedule) {
  DeviceArray x(kThreads), y(kThreads);
  fill(x.get());
  for (const Schedule& schedule : all_schedules()) {
    set_schedule(schedule);
    TESSERA_LAUNCH(reverse, 1, kThreads, kThreads * sizeof(float), stream(), x.get(), y.get(), true);
    const std::vector<float> found = download(y);
    for (std::size_t i = 0; i < kThreads; ++i) EXPECT_EQ(found[i], static_cast<float>(kThreads - 1 - i));
  }
}

TEST_F(PlantedKernels, MissingBarrierShowsAsPoisonInEverySchedule) {
  DeviceArray x(kThreads), y(kThreads);
  fill(x.get());
  for (const Schedule& schedule : all_schedules()) {
    set_schedule(schedule);
    TESSERA_LAUNCH(reverse, 1, kThreads, kThreads * sizeof(float), stream(), x.get(), y.get(), false);
    const std::vector<float> found = download(y);
    EXPECT_TRUE(std::ranges::any_of(found, [](float value) { return std::isnan(value); }));
  }
}

TEST_F(PlantedKernels, WarpShufflesSum) {
  DeviceArray x(kThreads), y(1);
  fill(x.get());
  for (const Schedule& schedule : all_schedules()) {
    set_schedule(schedule);
    TESSERA_LAUNCH(sum_of_warps, 1, kThreads, 0, stream(), x.get(), y.get(), 32U);
    EXPECT_EQ(download(y)[0], kThreads * (kThreads - 1) / 2.0F);
  }
}

TEST_F(PlantedKernels, MissingLanesOfAShuffleAreFound) {
  DeviceArray x(kThreads), y(1);
  fill(x.get());
  EXPECT_DEATH(
      {
        TESSERA_LAUNCH(sum_of_warps, 1, kThreads, 0, stream(), x.get(), y.get(), 30U);
        cudaStreamSynchronize(stream());
      },
      "missing lanes 30 31 of warp 0 at the shuffle .* in sum_of_warps");
}

TEST_F(PlantedKernels, DivergentBarrierIsFoundWhenThreadsHaveLeft) {
  DeviceArray y(kThreads);
  EXPECT_DEATH(
      {
        TESSERA_LAUNCH(leave_before_barrier, 1, kThreads, 0, stream(), y.get(), 40U);
        cudaStreamSynchronize(stream());
      },
      "divergent barrier: 40 of 64 threads of a block of leave_before_barrier .* 24 have ended");
}

TEST_F(PlantedKernels, DivergentBarrierIsFoundWhenThreadsAreAtTwoPlaces) {
  DeviceArray y(kThreads);
  EXPECT_DEATH(
      {
        TESSERA_LAUNCH(two_barriers, 1, kThreads, 0, stream(), y.get());
        cudaStreamSynchronize(stream());
      },
      "divergent barrier: block .* thread \\(32, 0, 0\\) of two_barriers");
}

TEST_F(PlantedKernels, WritePastAnAllocationIsFound) {
  DeviceArray y(4);
  for (const int index : {4, 63, 64, 100000}) {  // in the padding, at its end, on the next page, far away
    EXPECT_DEATH(
        {
          TESSERA_LAUNCH(write_at, 1, 1, 0, stream(), y.get(), index);
          cudaStreamSynchronize(stream());
        },
        "out of bounds: .*write_at");
  }
}

TEST_F(PlantedKernels, ReadPastAnAllocationIsFoundOrPoison) {
  DeviceArray x(4), y(1);
  fill_with(x, 1.0F);
  TESSERA_LAUNCH(read_at, 1, 1, 0, stream(), x.get(), y.get(), 4);
  EXPECT_TRUE(std::isnan(download(y)[0]));
  EXPECT_DEATH(
      {
        TESSERA_LAUNCH(read_at, 1, 1, 0, stream(), x.get(), y.get(), 64);
        cudaStreamSynchronize(stream());
      },
      "out of bounds: .* of read_at touches");
}

TEST_F(PlantedKernels, WritePastSharedMemoryIsFound) {
  DeviceArray y(kThreads);
  TESSERA_LAUNCH(write_past_shared, 1, kThreads, 0, stream(), y.get(), 0U);
  cudaStreamSynchronize(stream());
  EXPECT_DEATH(
      {
        TESSERA_LAUNCH(write_past_shared, 1, kThreads, 0, stream(), y.get(), 1U);
        cudaStreamSynchronize(stream());
      },
      "write_past_shared wrote past a shared array of 128 bytes");
}

TEST_F(PlantedKernels, HostPointerGivenToAKernelIsFound) {
  float value = 0;
  EXPECT_DEATH(
      {
        TESSERA_LAUNCH(write_at, 1, 1, 0, stream(), &value, 0);
        cudaStreamSynchronize(stream());
      },
      "an argument of write_at is not in device memory");
}

TEST_F(PlantedKernels, SharedMemoryBeyondTheLimitMustBeAskedFor) {
  DeviceArray x(kThreads), y(kThreads);
  constexpr std::size_t kBytes = 60 << 10;
  EXPECT_DEATH(TESSERA_LAUNCH(reverse, 1, kThreads, kBytes, stream(), x.get(), y.get(), true),
               "bytes of shared memory, allowed are 49152");
  cudaFuncSetAttribute(reinterpret_cast<const void*>(&reverse), cudaFuncAttributeMaxDynamicSharedMemorySize, kBytes);
  TESSERA_LAUNCH(reverse, 1, kThreads, kBytes, stream(), x.get(), y.get(), true);
  cudaStreamSynchronize(stream());
}

TEST_F(PlantedKernels, HalfPrecisionIsThatOfTheHeaders) {
  DeviceArray x(1), y(1);  // two halves each
  const __half values[2] = {__float2half_rn(3.0F), __float2half_rn(1.0F / 3.0F)};
  cudaMemcpyAsync(x.get(), values, sizeof(values), cudaMemcpyHostToDevice, stream());
  TESSERA_LAUNCH(half_of, 1, 2, 0, stream(), reinterpret_cast<const __half*>(x.get()),
                 reinterpret_cast<__half*>(y.get()));
  __half found[2];
  cudaMemcpyAsync(found, y.get(), sizeof(found), cudaMemcpyDeviceToHost, stream());
  cudaStreamSynchronize(stream());
  EXPECT_EQ(__half2float(found[0]), 1.5F);
  EXPECT_EQ(__half2float(found[1]), 0.166625977F);
}

}  // namespace
}  // namespace tessera::emulated
