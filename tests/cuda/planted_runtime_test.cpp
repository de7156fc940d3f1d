// Host code with a planted mistake, each of which the emulated device must find; and the same without it.

#include <gtest/gtest.h>

#include <cmath>

#include "tests/cuda/emulated/kernel_shim.h"
#include "tests/cuda/emulated_fixture.h"

namespace tessera::emulated {
namespace {

__global__ void add_one(float* y) { y[threadIdx.x] += 1; }
__global__ void copy_first(const float* x, float* y) { y[0] = x[0]; }

struct Pinned {
  explicit Pinned(std::size_t count) { cudaMallocHost(reinterpret_cast<void**>(&data), count * sizeof(float)); }
  ~Pinned() { cudaFreeHost(data); }
  Pinned(const Pinned&) = delete;
  Pinned& operator=(const Pinned&) = delete;
  float* data = nullptr;
};

struct SecondStream {
  SecondStream() { cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking); }
  ~SecondStream() { cudaStreamDestroy(stream); }
  SecondStream(const SecondStream&) = delete;
  SecondStream& operator=(const SecondStream&) = delete;
  cudaStream_t stream = nullptr;
};

struct TestEvent {
  TestEvent() { cudaEventCreateWithFlags(&event, cudaEventDisableTiming); }
  ~TestEvent() { cudaEventDestroy(event); }
  TestEvent(const TestEvent&) = delete;
  TestEvent& operator=(const TestEvent&) = delete;
  cudaEvent_t event = nullptr;
};

class PlantedRuntime : public EmulatedFixture {
 protected:
  void to_host(float* host, const DeviceArray& device) {
    cudaMemcpyAsync(host, device.get(), device.bytes(), cudaMemcpyDeviceToHost, stream());
  }
};

TEST_F(PlantedRuntime, WorkWaitsForASynchronisation) {
  DeviceArray y(8);
  fill_with(y, 1);
  const std::int64_t before = counts().kernels;
  TESSERA_LAUNCH(add_one, 1, 8, 0, stream(), y.get());
  EXPECT_EQ(counts().kernels, before);
  cudaStreamSynchronize(stream());
  EXPECT_EQ(counts().kernels, before + 1);
  EXPECT_EQ(download(y), std::vector<float>(8, 2.0F));
}

TEST_F(PlantedRuntime, MissingSynchronisationIsFoundWhenTheHostReads) {
  DeviceArray y(2048);
  Pinned host(2048);
  fill_with(y, 1);
  to_host(host.data, y);
  EXPECT_DEATH(EXPECT_EQ(host.data[0], 1.0F),
               "missing synchronisation: the host touches offset 0 of pinned allocation");
  cudaStreamSynchronize(stream());
  EXPECT_EQ(host.data[0], 1.0F);
}

TEST_F(PlantedRuntime, MissingSynchronisationIsFoundWhenTheHostWritesWhatIsBeingSent) {
  DeviceArray y(8);
  Pinned host(8);
  host.data[0] = 1;
  cudaMemcpyAsync(y.get(), host.data, y.bytes(), cudaMemcpyHostToDevice, stream());
  EXPECT_DEATH(host.data[0] = 2, "missing synchronisation");
  EXPECT_EQ(host.data[0], 1.0F);  // reading is allowed
  cudaStreamSynchronize(stream());
  host.data[0] = 2;
}

// A buffer of two halves: pages that only one of them touches stay open.
TEST_F(PlantedRuntime, AnotherPartOfAPinnedBufferStaysUsable) {
  DeviceArray y(4096);
  Pinned host(8192);
  fill_with(y, 3);
  to_host(host.data, y);
  host.data[8191] = 7;
  EXPECT_EQ(host.data[8191], 7.0F);
  EXPECT_DEATH(EXPECT_EQ(host.data[0], 3.0F), "missing synchronisation");
  cudaStreamSynchronize(stream());
  EXPECT_EQ(host.data[4095], 3.0F);
}

TEST_F(PlantedRuntime, HostDereferenceOfDeviceMemoryIsFound) {
  DeviceArray y(8);
  EXPECT_DEATH(EXPECT_EQ(y.get()[2], 0.0F),
               "the host touches device memory: offset 8 of allocation [0-9]+ of 32 bytes");
  EXPECT_DEATH(y.get()[0] = 1, "the host touches device memory");
}

TEST_F(PlantedRuntime, UninitialisedReadShowsAsNan) {
  DeviceArray y(8);
  TESSERA_LAUNCH(add_one, 1, 8, 0, stream(), y.get());
  for (const float value : download(y)) EXPECT_TRUE(std::isnan(value));
}

TEST_F(PlantedRuntime, LeakIsFound) {
  void* memory = nullptr;
  ASSERT_EQ(cudaMalloc(&memory, 100), cudaSuccess);
  void* host = nullptr;
  ASSERT_EQ(cudaMallocHost(&host, 100), cudaSuccess);
  cudaEvent_t event = nullptr;
  cudaEventCreate(&event);
  const std::vector<std::string> found = leftovers();
  ASSERT_EQ(found.size(), 4U);
  EXPECT_NE(found[0].find("leak: allocation"), std::string::npos) << found[0];
  EXPECT_NE(found[1].find("leak: pinned allocation"), std::string::npos) << found[1];
  EXPECT_NE(found[2].find("leak: stream"), std::string::npos) << found[2];  // the fixture's
  EXPECT_NE(found[3].find("leak: event"), std::string::npos) << found[3];
  cudaFree(memory);
  cudaFreeHost(host);
  cudaEventDestroy(event);
}

TEST_F(PlantedRuntime, LeakEndsAProcessThatLeavesOne) {
  EXPECT_EXIT(
      {
        void* memory = nullptr;
        cudaMalloc(&memory, 100);
        std::exit(0);
      },
      testing::ExitedWithCode(70), "emulated device: at exit: leak: allocation [0-9]+ of 100 bytes");
}

TEST_F(PlantedRuntime, DoubleFreeIsFound) {
  void* memory = nullptr;
  ASSERT_EQ(cudaMalloc(&memory, 100), cudaSuccess);
  cudaFree(memory);
  EXPECT_DEATH(cudaFree(memory), "double free of allocation [0-9]+ of 100 bytes");
}

TEST_F(PlantedRuntime, FreeByTheWrongFunctionIsFound) {
  DeviceArray y(8);
  EXPECT_DEATH(cudaFreeHost(y.get()), "is freed by the wrong function");
}

TEST_F(PlantedRuntime, UseAfterFreeIsFound) {
  float* memory = nullptr;
  ASSERT_EQ(cudaMalloc(reinterpret_cast<void**>(&memory), 100), cudaSuccess);
  cudaFree(memory);
  EXPECT_DEATH(
      {
        TESSERA_LAUNCH(add_one, 1, 1, 0, stream(), memory);
        cudaStreamSynchronize(stream());
      },
      "an argument of add_one is not in device memory");
}

TEST_F(PlantedRuntime, OutOfBoundsCopyIsFound) {
  DeviceArray y(8);
  std::vector<float> host(9);
  EXPECT_DEATH(
      {
        upload(y.get(), host);
        cudaStreamSynchronize(stream());
      },
      "out of bounds: the destination of a copy takes 36 bytes at offset 0 of allocation");
}

TEST_F(PlantedRuntime, CopyInTheWrongDirectionIsFound) {
  DeviceArray y(8);
  float host = 0;
  EXPECT_DEATH(cudaMemcpyAsync(&host, y.get(), 4, cudaMemcpyHostToDevice, stream()), "direction");
}

TEST_F(PlantedRuntime, WrongStreamWithoutAnEventReadsPoison) {
  DeviceArray x(1), y(1);
  SecondStream second;
  TestEvent ready;
  fill_with(x, 5);
  TESSERA_LAUNCH(copy_first, 1, 1, 0, second.stream, x.get(), y.get());
  cudaStreamSynchronize(second.stream);  // runs before the copy to x, which nobody waits for
  EXPECT_TRUE(std::isnan(download(y)[0]));

  fill_with(x, 5);
  cudaEventRecord(ready.event, stream());
  cudaStreamWaitEvent(second.stream, ready.event, 0);
  TESSERA_LAUNCH(copy_first, 1, 1, 0, second.stream, x.get(), y.get());
  cudaStreamSynchronize(second.stream);
  EXPECT_EQ(download(y)[0], 5.0F);
}

TEST_F(PlantedRuntime, WrongStreamIsFoundWhenItIsTheDefaultOne) {
  DeviceArray y(8);
  EXPECT_DEATH(TESSERA_LAUNCH(add_one, 1, 8, 0, nullptr, y.get()), "wrong stream: add_one is given to the default");
}

TEST_F(PlantedRuntime, WrongStreamIsFoundWhenItWasDestroyed) {
  DeviceArray y(8);
  cudaStream_t other = nullptr;
  cudaStreamCreateWithFlags(&other, cudaStreamNonBlocking);
  cudaStreamDestroy(other);
  EXPECT_DEATH(TESSERA_LAUNCH(add_one, 1, 8, 0, other, y.get()), "was destroyed and is used");
}

// The manual: a copy from pageable memory may return before it has arrived.
TEST_F(PlantedRuntime, CopyFromPageableMemoryIsNotOrderedBeforeAnotherStream) {
  DeviceArray x(1), y(1);
  const float value = 5;
  cudaMemcpy(x.get(), &value, sizeof(value), cudaMemcpyHostToDevice);
  TESSERA_LAUNCH(copy_first, 1, 1, 0, stream(), x.get(), y.get());
  EXPECT_TRUE(std::isnan(download(y)[0]));
  cudaDeviceSynchronize();
  TESSERA_LAUNCH(copy_first, 1, 1, 0, stream(), x.get(), y.get());
  EXPECT_EQ(download(y)[0], 5.0F);
}

TEST_F(PlantedRuntime, OutOfMemoryIsReportedAndCanBeInjected) {
  void* memory = nullptr;
  set_device_memory(1 << 20);
  EXPECT_EQ(cudaMalloc(&memory, (1 << 20) + 1), cudaErrorMemoryAllocation);
  EXPECT_EQ(memory, nullptr);
  EXPECT_EQ(cudaGetLastError(), cudaErrorMemoryAllocation);
  EXPECT_EQ(cudaGetLastError(), cudaSuccess);
  set_device_memory(std::size_t{16} << 30);
  fail_allocation_after(1);
  void* other = nullptr;
  EXPECT_EQ(cudaMalloc(&memory, 100), cudaSuccess);
  EXPECT_EQ(cudaMalloc(&other, 100), cudaErrorMemoryAllocation);
  EXPECT_EQ(cudaMalloc(&other, 100), cudaSuccess);
  cudaFree(memory);
  cudaFree(other);
  EXPECT_EQ(cudaGetLastError(), cudaErrorMemoryAllocation);
}

class PlantedCaptures : public PlantedRuntime {
 protected:
  void begin() { EXPECT_EQ(cudaStreamBeginCapture(stream(), cudaStreamCaptureModeThreadLocal), cudaSuccess); }
  cudaGraphExec_t end() {
    cudaGraph_t graph = nullptr;
    cudaGraphExec_t executable = nullptr;
    EXPECT_EQ(cudaStreamEndCapture(stream(), &graph), cudaSuccess);
    EXPECT_EQ(cudaGraphInstantiate(&executable, graph, 0), cudaSuccess);
    cudaGraphDestroy(graph);
    return executable;
  }
};

TEST_F(PlantedCaptures, RecordsWithoutRunningAndReplays) {
  DeviceArray y(8);
  fill_with(y, 0);
  begin();
  TESSERA_LAUNCH(add_one, 1, 8, 0, stream(), y.get());
  TESSERA_LAUNCH(add_one, 1, 8, 0, stream(), y.get());
  const cudaGraphExec_t executable = end();
  EXPECT_EQ(download(y)[0], 0.0F);
  for (int i = 1; i <= 3; ++i) {
    cudaGraphLaunch(executable, stream());
    EXPECT_EQ(download(y)[7], 2.0F * static_cast<float>(i));
  }
  cudaGraphExecDestroy(executable);
}

TEST_F(PlantedCaptures, TwoStreamsJoinByEventsInEverySchedule) {
  DeviceArray x(1), y(1);
  SecondStream second;
  TestEvent forked, joined;
  for (const Schedule& schedule : all_schedules()) {
    set_schedule(schedule);
    fill_with(x, 1);
    begin();
    TESSERA_LAUNCH(add_one, 1, 1, 0, stream(), x.get());
    cudaEventRecord(forked.event, stream());
    cudaStreamWaitEvent(second.stream, forked.event, 0);
    TESSERA_LAUNCH(copy_first, 1, 1, 0, second.stream, x.get(), y.get());
    cudaEventRecord(joined.event, second.stream);
    cudaStreamWaitEvent(stream(), joined.event, 0);
    TESSERA_LAUNCH(add_one, 1, 1, 0, stream(), y.get());
    const cudaGraphExec_t executable = end();
    cudaGraphLaunch(executable, stream());
    EXPECT_EQ(download(y)[0], 3.0F);
    cudaGraphExecDestroy(executable);
  }
}

TEST_F(PlantedCaptures, ACaptureThatIsNotJoinedIsFound) {
  DeviceArray x(1), y(1);
  SecondStream second;
  TestEvent forked;
  EXPECT_DEATH(
      {
        begin();
        cudaEventRecord(forked.event, stream());
        cudaStreamWaitEvent(second.stream, forked.event, 0);
        TESSERA_LAUNCH(copy_first, 1, 1, 0, second.stream, x.get(), y.get());
        end();
      },
      "a capture is ended before a stream that took part was waited for");
}

TEST_F(PlantedCaptures, SynchronisingOrAllocatingInACaptureIsFound) {
  void* memory = nullptr;
  EXPECT_DEATH(
      {
        begin();
        cudaStreamSynchronize(stream());
      },
      "cudaStreamSynchronize is called while a stream is captured");
  EXPECT_DEATH(
      {
        begin();
        cudaMalloc(&memory, 16);
      },
      "cudaMalloc is called while a stream is captured");
}

TEST_F(PlantedCaptures, AReplayProtectsItsPinnedMemory) {
  DeviceArray y(8);
  Pinned host(8);
  fill_with(y, 4);
  begin();
  to_host(host.data, y);
  const cudaGraphExec_t executable = end();
  host.data[0] = 1;  // nothing is under way
  cudaGraphLaunch(executable, stream());
  EXPECT_DEATH(EXPECT_EQ(host.data[0], 4.0F), "missing synchronisation");
  cudaStreamSynchronize(stream());
  EXPECT_EQ(host.data[0], 4.0F);
  cudaGraphExecDestroy(executable);
}

}  // namespace
}  // namespace tessera::emulated
