#include "cuda/queue.h"

#include <cmath>
#include <cstring>

using namespace tessera::cuda;

TesseraQueue::TesseraQueue(const TesseraDevice& device, const TesseraQueueRequest& request)
    : device_(device),
      work_(make_stream()),
      copies_(make_stream()),
      arena_(allocate_device(static_cast<std::size_t>(request.arena_bytes))),
      scratch_(allocate_device(static_cast<std::size_t>(request.scratch_bytes))),
      staged_(allocate_pinned(static_cast<std::size_t>(request.output_bytes))),
      staged_bytes_(static_cast<std::size_t>(request.output_bytes)),
      slot_bytes_(static_cast<std::size_t>(request.input_bytes)) {
  for (int i = 0; i < request.input_slots; ++i) {
    slots_.push_back({.device = allocate_device(slot_bytes_),
                      .host = allocate_pinned(slot_bytes_),
                      .copied = make_event(false),
                      .read = make_event(false)});
  }
  for (int i = 0; i < request.marks; ++i) marks_.push_back(make_event(true));
}

TesseraQueue::~TesseraQueue() {
  // Memory must not go while work that uses it is under way. Nobody is left to tell of a failure.
  cudaStreamSynchronize(copies_.get());
  cudaStreamSynchronize(work_.get());
}

TesseraQueue::Slot& TesseraQueue::slot(int index) {
  if (index < 0 || index >= static_cast<int>(slots_.size())) throw Failure(kInternal, "no such input slot");
  return slots_[static_cast<std::size_t>(index)];
}

const void* TesseraQueue::upload(int index, const void* values, std::size_t bytes) {
  Slot& to = slot(index);
  if (bytes > slot_bytes_) throw Failure(kInternal, "an upload is larger than its slot");
  check(cudaEventSynchronize(to.copied.get()), "waiting for the last upload");  // at once where there was none
  std::memcpy(to.host.get(), values, bytes);
  check(cudaStreamWaitEvent(copies_.get(), to.read.get(), 0), "waiting for the slot");
  check(cudaMemcpyAsync(to.device.get(), to.host.get(), bytes, cudaMemcpyHostToDevice, copies_.get()),
        "copying pictures to the device");
  check(cudaEventRecord(to.copied.get(), copies_.get()), "marking the upload");
  check(cudaStreamWaitEvent(work(), to.copied.get(), 0), "waiting for the upload");
  return to.device.get();
}

void TesseraQueue::release_slot(int index) {
  check(cudaEventRecord(slot(index).read.get(), work()), "releasing the slot");
}

void TesseraQueue::download(const void* from, void* values, std::size_t bytes) {
  if (bytes > staged_bytes_ - staged_used_) throw Failure(kInternal, "more is downloaded than was asked for");
  auto* const to = static_cast<std::byte*>(staged_.get()) + staged_used_;
  check(cudaMemcpyAsync(to, from, bytes, cudaMemcpyDeviceToHost, work()), "copying results from the device");
  downloads_.push_back({values, staged_used_, bytes});
  staged_used_ += bytes;
}

void TesseraQueue::synchronise() {
  check(cudaStreamSynchronize(work()), "running on the device");
  for (const Download& download : downloads_) {
    std::memcpy(download.values, static_cast<const std::byte*>(staged_.get()) + download.offset, download.bytes);
  }
  downloads_.clear();
  staged_used_ = 0;
}

void TesseraQueue::mark(int index) {
  check(cudaEventRecord(marks_.at(static_cast<std::size_t>(index)).get(), work()), "marking a moment");
}

std::int64_t TesseraQueue::between_ns(int first, int second) {
  float milliseconds = 0;
  check(cudaEventElapsedTime(&milliseconds, marks_.at(static_cast<std::size_t>(first)).get(),
                             marks_.at(static_cast<std::size_t>(second)).get()),
        "reading the device's clock");
  return std::llround(static_cast<double>(milliseconds) * 1e6);
}

void TesseraQueue::begin_recording() {
  check(cudaStreamBeginCapture(work(), cudaStreamCaptureModeThreadLocal), "beginning to record");
}

void TesseraQueue::end_recording(std::int64_t id) {
  cudaGraph_t graph = nullptr;
  check(cudaStreamEndCapture(work(), &graph), "ending a recording");
  const Owned<cudaGraph_t, cudaGraphDestroy> owned(graph);
  cudaGraphExec_t executable = nullptr;
  check(cudaGraphInstantiate(&executable, graph, 0), "making a recording ready");
  recordings_[id] = Recording(executable);
}

void TesseraQueue::replay(std::int64_t id) {
  check(cudaGraphLaunch(recordings_.at(id).get(), work()), "replaying a recording");
}
