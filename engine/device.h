#pragma once
// A device with memory of its own, as a session needs it. The host itself is none: its sessions have no queue.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

namespace tessera {

struct QueueRequest {
  std::size_t arena_bytes = 0, scratch_bytes = 0;
  std::size_t input_bytes = 0;   // of one upload at most
  std::size_t output_bytes = 0;  // of all downloads between two synchronisations at most
  int input_slots = 1;           // one for each input; twice as many: the next are copied while these are worked on
  int marks = 0;
};

// A session's place on the device: its memory, and the order in which its work is done. Work is put into the queue and
// goes on while the host does other things, until synchronise(). Addresses are the device's: the host must not read
// them. Not thread-safe. Every function may throw DeviceError (also for what was put into the queue before) and
// ResourceError.
class DeviceQueue {
 public:
  virtual ~DeviceQueue() = default;
  virtual std::byte* arena() const = 0;
  virtual std::span<float> scratch() const = 0;

  // Copies values to an input slot; where they lie for kernels that run after this. The host's may be changed at once.
  virtual const std::byte* upload(int slot, std::span<const std::byte> values) = 0;
  // The slot's values are no longer needed once all work so far is done.
  virtual void release_slot(int slot) = 0;
  // `to` holds the values after synchronise().
  virtual void download(const std::byte* from, std::span<std::byte> to) = 0;
  virtual void synchronise() = 0;

  // Notes the moment, on the device's clock, when all work so far is done.
  virtual void mark(int index) = 0;
  // Between two marks, after synchronise().
  virtual std::int64_t between_ns(int first, int second) = 0;

  // Kernels that run between these two are recorded, not done, and can be replayed at the cost of one.
  virtual void begin_recording() = 0;
  virtual void end_recording(std::int64_t id) = 0;
  virtual void replay(std::int64_t id) = 0;
};

class Device {
 public:
  virtual ~Device() = default;
  virtual std::unique_ptr<DeviceQueue> open_queue(const QueueRequest& request) const = 0;
};

// The last run of a session on a device, by three clocks that begin when it is called. `enqueued` is what a clock reads
// that does not wait for the device.
struct RunClock {
  std::int64_t enqueued_ns = 0;  // host: all work is in the queue
  std::int64_t finished_ns = 0;  // host: results are there
  std::int64_t device_ns = 0;    // device: from before the first kernel to after the last copy
};

}  // namespace tessera
