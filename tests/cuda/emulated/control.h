#pragma once
// What a test can set and ask of the emulated device. Not part of CUDA.

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace tessera::emulated {

// The order in which the threads of a block, the blocks of a grid and independent work of several streams are run.
enum class Order { kForward, kReverse, kShuffled };
struct Schedule {
  Order order = Order::kForward;
  std::uint64_t seed = 1;  // of kShuffled
};
void set_schedule(const Schedule& schedule);

// Bytes that the device has; also what cudaMemGetInfo says.
void set_device_memory(std::size_t bytes);
// The allocation after `successes` further ones fails, once; those of device and of pinned memory count.
void fail_allocation_after(std::int64_t successes);
// Devices that cudaGetDeviceCount finds; 0: cudaErrorNoDevice, negative: cudaErrorInsufficientDriver.
void set_device_count(int count);
// Compute capability, as 75 or 90.
void set_compute_capability(int capability);

// What was made and not destroyed, a line each: device and pinned memory, streams, events, graphs, handles,
// descriptors. Work that is still queued is one as well.
std::vector<std::string> leftovers();

struct Counts {
  std::int64_t kernels = 0, copies = 0, products = 0, convolutions = 0, graph_launches = 0, synchronisations = 0;
};
// Since the process began, of what has been run.
Counts counts();

}  // namespace tessera::emulated
