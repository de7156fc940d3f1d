// The part of libcudart that tessera calls: streams, events, captures and graphs.

#include <cuda_runtime_api.h>

#include <algorithm>

#include "tests/cuda/emulated/fault.h"
#include "tests/cuda/emulated/stream_state.h"

namespace tessera::emulated {

namespace {

State& state() { return State::instance(); }

cudaStream_t handle_of(Stream* stream) { return reinterpret_cast<cudaStream_t>(stream); }
cudaEvent_t handle_of(Event* event) { return reinterpret_cast<cudaEvent_t>(event); }

cudaError_t create_stream(cudaStream_t* handle, bool blocking) {
  const Lock lock(state().mutex);
  auto made = std::make_unique<Stream>();
  made->number = ++state().numbers;
  made->blocking = blocking;
  *handle = handle_of(made.get());
  state().streams.push_back(std::move(made));
  return cudaSuccess;
}

Event& event_of(cudaEvent_t handle) {
  auto* const event = reinterpret_cast<Event*>(handle);
  require(state().events.contains(event), "an event is used that was destroyed or never created");
  return *event;
}

cudaError_t create_event(cudaEvent_t* handle, bool timing) {
  const Lock lock(state().mutex);
  auto made = std::make_unique<Event>();
  made->number = ++state().numbers;
  made->timing = timing;
  *handle = handle_of(made.get());
  state().events.insert(made.release());
  return cudaSuccess;
}

cudaError_t record(cudaEvent_t event_handle, cudaStream_t stream_handle) {
  const Lock lock(state().mutex);
  Event& event = event_of(event_handle);
  Stream& stream = state().stream_of(stream_handle);
  require(&stream != &state().default_stream, "wrong stream: an event is recorded on the default stream");
  event.capture = stream.capture;
  if (stream.capture != nullptr) {
    event.steps = stream.capture->frontier[&stream];
    return cudaSuccess;
  }
  event.marker = std::make_shared<Marker>();
  event.marker->stream = &stream;
  state().append(stream, {{}, nullptr, event.marker, nullptr});
  return cudaSuccess;
}

cudaError_t wait_event(cudaStream_t stream_handle, cudaEvent_t event_handle) {
  const Lock lock(state().mutex);
  Event& event = event_of(event_handle);
  Stream& stream = state().stream_of(stream_handle);
  if (event.capture != nullptr) {
    require(stream.capture == nullptr || stream.capture == event.capture,
            "a stream of one capture waits for an event of another");
    stream.capture = event.capture;
    std::vector<std::size_t>& frontier = event.capture->frontier[&stream];
    frontier.insert(frontier.end(), event.steps.begin(), event.steps.end());
    return cudaSuccess;
  }
  require(stream.capture == nullptr, "a captured stream waits for an event that was not recorded in the capture");
  if (event.marker != nullptr) state().append(stream, {{}, nullptr, nullptr, event.marker});
  return cudaSuccess;
}

// True when all that the capture's streams did comes before where its first stream now is.
bool joined(const Capture& capture) {
  std::vector<bool> before(capture.graph->steps.size(), false);
  std::vector<std::size_t> open = capture.frontier.at(capture.origin);
  while (!open.empty()) {
    const std::size_t step = open.back();
    open.pop_back();
    if (before[step]) continue;
    before[step] = true;
    const auto& after = capture.graph->steps[step].after;
    open.insert(open.end(), after.begin(), after.end());
  }
  return std::ranges::all_of(capture.frontier, [&](const auto& entry) {
    return std::ranges::all_of(entry.second, [&](std::size_t step) { return before[step]; });
  });
}

GraphWork* work_of(const void* handle, const std::set<GraphWork*>& known, const char* what) {
  auto* const work = static_cast<GraphWork*>(const_cast<void*>(handle));
  require(known.contains(work), std::string(what) + " is used that was destroyed or never created");
  return work;
}

}  // namespace

}  // namespace tessera::emulated

using namespace tessera::emulated;  // NOLINT(google-build-using-namespace): C functions cannot lie in it

extern "C" {

cudaError_t cudaStreamCreate(cudaStream_t* stream) { return create_stream(stream, true); }
cudaError_t cudaStreamCreateWithFlags(cudaStream_t* stream, unsigned flags) {
  return create_stream(stream, (flags & cudaStreamNonBlocking) == 0);
}
cudaError_t cudaStreamCreateWithPriority(cudaStream_t* stream, unsigned flags, int) {
  return create_stream(stream, (flags & cudaStreamNonBlocking) == 0);
}
cudaError_t cudaStreamDestroy(cudaStream_t handle) {
  const Lock lock(state().mutex);
  require(handle != nullptr, "the default stream is destroyed");
  Stream& stream = state().stream_of(handle);
  require(stream.capture == nullptr, "a stream is destroyed while it is captured");
  stream.destroyed = true;  // what it has queued goes on
  return cudaSuccess;
}
cudaError_t cudaStreamSynchronize(cudaStream_t stream) {
  forbid_in_capture("cudaStreamSynchronize");
  finish(stream);
  return cudaSuccess;
}
// Not ready as long as there is work; each question lets some of it run, so that who asks in a loop comes to an end.
cudaError_t cudaStreamQuery(cudaStream_t handle) {
  const Lock lock(state().mutex);
  Stream& stream = state().stream_of(handle);
  if (stream.queue.empty()) return cudaSuccess;
  finish(handle);
  return cudaErrorNotReady;
}
cudaError_t cudaStreamWaitEvent(cudaStream_t stream, cudaEvent_t event, unsigned) { return wait_event(stream, event); }

cudaError_t cudaEventCreate(cudaEvent_t* event) { return create_event(event, true); }
cudaError_t cudaEventCreateWithFlags(cudaEvent_t* event, unsigned flags) {
  return create_event(event, (flags & cudaEventDisableTiming) == 0);
}
cudaError_t cudaEventDestroy(cudaEvent_t event) {
  const Lock lock(state().mutex);
  Event* const found = &event_of(event);
  state().events.erase(found);
  delete found;  // NOLINT(cppcoreguidelines-owning-memory): the handle was the owner
  return cudaSuccess;
}
cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t stream) { return record(event, stream); }
cudaError_t cudaEventRecordWithFlags(cudaEvent_t event, cudaStream_t stream, unsigned) { return record(event, stream); }
cudaError_t cudaEventSynchronize(cudaEvent_t handle) {
  const Lock lock(state().mutex);
  forbid_in_capture("cudaEventSynchronize");
  const Event& event = event_of(handle);
  ++state().counts.synchronisations;
  const std::shared_ptr<Marker> marker = event.marker;
  if (marker != nullptr && !marker->passed) state().run_until(*marker->stream, marker.get());
  return cudaSuccess;
}
cudaError_t cudaEventQuery(cudaEvent_t handle) {
  const Lock lock(state().mutex);
  const std::shared_ptr<Marker> marker = event_of(handle).marker;
  if (marker == nullptr || marker->passed) return cudaSuccess;
  state().run_until(*marker->stream, marker.get());
  return cudaErrorNotReady;
}
cudaError_t cudaEventElapsedTime(float* milliseconds, cudaEvent_t begin_handle, cudaEvent_t end_handle) {
  const Lock lock(state().mutex);
  const Event& begin = event_of(begin_handle);
  const Event& end = event_of(end_handle);
  require(begin.timing && end.timing, "the time of an event made with cudaEventDisableTiming is asked for");
  require(begin.marker != nullptr && end.marker != nullptr,
          "the time of an event that was never recorded is asked for");
  if (!begin.marker->passed || !end.marker->passed) return cudaErrorNotReady;
  *milliseconds = static_cast<float>(end.marker->time - begin.marker->time) * 1e-3F;  // made up
  return cudaSuccess;
}

cudaError_t cudaStreamBeginCapture(cudaStream_t handle, cudaStreamCaptureMode mode) {
  const Lock lock(state().mutex);
  Stream& stream = state().stream_of(handle);
  require(&stream != &state().default_stream, "wrong stream: the default stream cannot be captured");
  require(stream.capture == nullptr, "a stream is captured twice");
  stream.capture = std::make_shared<Capture>();
  stream.capture->origin = &stream;
  stream.capture->mode = mode;
  stream.capture->thread = std::this_thread::get_id();
  stream.capture->frontier[&stream];
  state().captures.push_back(stream.capture);
  return cudaSuccess;
}
cudaError_t cudaStreamEndCapture(cudaStream_t handle, cudaGraph_t* graph) {
  const Lock lock(state().mutex);
  Stream& stream = state().stream_of(handle);
  const std::shared_ptr<Capture> capture = stream.capture;
  require(capture != nullptr && capture->origin == &stream, "a capture is ended that this stream did not begin");
  require(joined(*capture), "a capture is ended before a stream that took part was waited for");
  for (const auto& entry : capture->frontier) entry.first->capture = nullptr;
  std::erase(state().captures, capture);
  state().graphs.insert(capture->graph.get());
  state().owned[capture->graph.get()] = capture->graph;
  *graph = reinterpret_cast<cudaGraph_t>(capture->graph.get());
  return cudaSuccess;
}
cudaError_t cudaStreamIsCapturing(cudaStream_t handle, cudaStreamCaptureStatus* status) {
  const Lock lock(state().mutex);
  *status = state().stream_of(handle).capture == nullptr ? cudaStreamCaptureStatusNone : cudaStreamCaptureStatusActive;
  return cudaSuccess;
}
cudaError_t cudaThreadExchangeStreamCaptureMode(cudaStreamCaptureMode* mode) {
  *mode = cudaStreamCaptureModeGlobal;
  return cudaSuccess;
}
cudaError_t cudaGraphInstantiate(cudaGraphExec_t* executable, cudaGraph_t graph, unsigned long long) {
  const Lock lock(state().mutex);
  auto copy = std::make_shared<GraphWork>(*work_of(graph, state().graphs, "a graph"));
  state().executables.insert(copy.get());
  *executable = reinterpret_cast<cudaGraphExec_t>(copy.get());
  state().owned[copy.get()] = std::move(copy);
  return cudaSuccess;
}
cudaError_t cudaGraphGetNodes(cudaGraph_t graph, cudaGraphNode_t* nodes, std::size_t* count) {
  const Lock lock(state().mutex);
  require(nodes == nullptr, "cudaGraphGetNodes tells the count of nodes alone");
  *count = work_of(graph, state().graphs, "a graph")->steps.size();
  return cudaSuccess;
}
cudaError_t cudaGraphLaunch(cudaGraphExec_t executable, cudaStream_t handle) {
  const Lock lock(state().mutex);
  GraphWork* const work = work_of(executable, state().executables, "a graph executable");
  Stream& stream = state().stream_of(handle);
  require(&stream != &state().default_stream, "wrong stream: a graph is launched on the default stream");
  require(stream.capture == nullptr, "a graph is launched into a capture");
  state().append(stream, {{}, state().owned.at(work), nullptr, nullptr});
  return cudaSuccess;
}
cudaError_t cudaGraphUpload(cudaGraphExec_t executable, cudaStream_t stream) {
  const Lock lock(state().mutex);
  work_of(executable, state().executables, "a graph executable");
  check_stream(stream);
  return cudaSuccess;
}
cudaError_t cudaGraphDestroy(cudaGraph_t graph) {
  const Lock lock(state().mutex);
  GraphWork* const work = work_of(graph, state().graphs, "a graph");
  state().graphs.erase(work);
  state().owned.erase(work);
  return cudaSuccess;
}
cudaError_t cudaGraphExecDestroy(cudaGraphExec_t executable) {
  const Lock lock(state().mutex);
  GraphWork* const work = work_of(executable, state().executables, "a graph executable");
  state().executables.erase(work);
  state().owned.erase(work);
  return cudaSuccess;
}

}  // extern "C"
