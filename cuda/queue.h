#pragma once
// A session's place on the device: its memory, and two streams. Work runs on one in order; pictures are copied to the
// device on the other, so that with two input slots the next ones come while these are worked on.
//
//   copies   upload slot 0 ─┐         upload slot 1 ─┐        upload slot 0 (waits until slot 0 has been read) ...
//   work                    └▶ kernels, download      └▶ kernels, download ...

#include <cstdint>
#include <map>
#include <vector>

#include "cuda/device.h"

struct TesseraQueue {
  // On the device of this thread (TesseraDevice::use()).
  TesseraQueue(const TesseraDevice& device, const TesseraQueueRequest& request);
  ~TesseraQueue();
  TesseraQueue(const TesseraQueue&) = delete;
  TesseraQueue& operator=(const TesseraQueue&) = delete;

  const TesseraDevice& device() const noexcept { return device_; }
  void* arena() const noexcept { return arena_.get(); }
  void* scratch() const noexcept { return scratch_.get(); }
  cudaStream_t work() const noexcept { return work_.get(); }

  const void* upload(int slot, const void* values, std::size_t bytes);
  void release_slot(int slot);
  void download(const void* from, void* values, std::size_t bytes);
  void synchronise();
  void mark(int index);
  std::int64_t between_ns(int first, int second);
  void begin_recording();
  void end_recording(std::int64_t id);
  void replay(std::int64_t id);

 private:
  struct Slot {
    tessera::cuda::DeviceMemory device;
    tessera::cuda::PinnedMemory host;
    tessera::cuda::Event copied;  // from host: it may be written again
    tessera::cuda::Event read;    // by all kernels: the device's may be written again
  };
  struct Download {
    void* values;
    std::size_t offset, bytes;
  };

  Slot& slot(int index);

  const TesseraDevice& device_;
  tessera::cuda::Stream work_, copies_;
  tessera::cuda::DeviceMemory arena_, scratch_;
  std::vector<Slot> slots_;
  tessera::cuda::PinnedMemory staged_;  // what was downloaded
  std::size_t staged_bytes_, slot_bytes_, staged_used_ = 0;
  std::vector<Download> downloads_;
  std::vector<tessera::cuda::Event> marks_;
  std::map<std::int64_t, tessera::cuda::Recording> recordings_;
};
