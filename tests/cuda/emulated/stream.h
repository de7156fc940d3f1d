#pragma once
// Streams, events and graphs: work is queued and runs only when somebody waits for it. Of several streams only the one
// that is waited for goes on, and what it waits for by events.

#include <driver_types.h>

#include <cstddef>
#include <functional>
#include <string>
#include <vector>

#include "tests/cuda/emulated/grid.h"

namespace tessera::emulated {

// A piece of device work. May run several times (graphs).
struct Operation {
  struct HostRange {
    const void* begin;
    std::size_t bytes;
    bool writes;
  };
  enum class Kind : std::uint8_t { kKernel, kCopy, kProduct, kConvolution };
  Kind kind = Kind::kKernel;
  std::string name;
  std::function<void()> run;
  std::vector<HostRange> host;  // pinned memory that it touches
};

// Appends to the stream's queue, or to the graph that is being captured. Faults for a stream that was destroyed, and
// for the default stream unless `on_default` says that it is meant.
void enqueue(cudaStream_t stream, Operation operation, bool on_default = false);
void enqueue_kernel(Launch launch, const void* kernel, cudaStream_t stream, std::vector<const void*> pointers,
                    std::function<void()> body);

// Runs all work of the stream, or of all streams. Faults while a stream is captured.
void finish(cudaStream_t stream);
void finish_all();
// Faults when the stream does not exist.
void check_stream(cudaStream_t stream);
// A call that a capture does not allow.
void forbid_in_capture(const char* call);

// More than 48 KiB of dynamic shared memory must be asked for, by cudaFuncSetAttribute.
void allow_shared_memory(const void* kernel, std::size_t bytes);

}  // namespace tessera::emulated
