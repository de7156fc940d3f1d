#include "tests/cuda/emulated/stream.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <random>
#include <utility>

#include "tests/cuda/emulated/fault.h"
#include "tests/cuda/emulated/memory.h"
#include "tests/cuda/emulated/stream_state.h"

namespace tessera::emulated {

namespace {

constexpr int kExitCodeOfLeftovers = 70;
constexpr std::size_t kSharedWithoutAsking = std::size_t{48} << 10;

// Device memory can be touched while this lives.
class Opened {
 public:
  Opened() : outermost_(!Memory::instance().opened()) {
    if (outermost_) Memory::instance().open();
  }
  ~Opened() {
    if (outermost_) Memory::instance().close();
  }
  Opened(const Opened&) = delete;
  Opened& operator=(const Opened&) = delete;

 private:
  bool outermost_;
};

void begin_copies(const Operation& operation) {
  for (const Operation::HostRange& range : operation.host) {
    Memory::instance().begin_copy(range.begin, range.bytes, range.writes);
  }
}

void check_launch(const Launch& launch, std::size_t shared_limit) {
  const Size3& grid = launch.grid;
  const Size3& block = launch.block;
  require(grid.count() > 0 && block.count() > 0, launch.kernel + " is launched with an empty grid or block");
  require(block.count() <= 1024 && block.z <= 64,
          launch.kernel + " is launched with " + std::to_string(block.count()) + " threads a block");
  require(grid.x <= 0x7FFFFFFFU && grid.y <= 65535 && grid.z <= 65535,
          launch.kernel + " is launched with a grid that is too large in y or z");
  require(launch.shared_bytes <= shared_limit,
          launch.kernel + " is launched with " + std::to_string(launch.shared_bytes) +
              " bytes of shared memory, allowed are " + std::to_string(shared_limit));
}

// Whoever leaves something behind does not end well, even where no test asked.
void report_at_exit() {
  const std::vector<std::string> lines = leftovers();
  for (const std::string& line : lines) std::fprintf(stderr, "emulated device: at exit: %s\n", line.c_str());
  if (!lines.empty()) std::_Exit(kExitCodeOfLeftovers);
}

State& make_state() {
  static auto* const state = new State;  // never destroyed: the report asks it
  std::atexit(&report_at_exit);
  return *state;
}

}  // namespace

State& State::instance() {
  static State& state = make_state();
  return state;
}

Stream& State::stream_of(cudaStream_t stream) {
  if (stream == nullptr || stream == cudaStreamLegacy) return default_stream;
  for (const auto& known : streams) {
    if (known.get() != reinterpret_cast<Stream*>(stream)) continue;
    require(!known->destroyed, "stream " + std::to_string(known->number) + " was destroyed and is used");
    return *known;
  }
  fault("a stream is used that was never created");
}

void State::append(Stream& stream, Item item) {
  if (stream.capture != nullptr) {
    Capture& capture = *stream.capture;
    require(item.operation.run != nullptr, "a graph is launched, or an event recorded outside, into a capture");
    std::vector<std::size_t>& frontier = capture.frontier[&stream];
    capture.graph->steps.push_back({std::move(item.operation), frontier});
    frontier = {capture.graph->steps.size() - 1};
    return;
  }
  begin_copies(item.operation);
  if (item.graph != nullptr) {
    for (const GraphWork::Step& step : item.graph->steps) begin_copies(step.operation);
  }
  stream.queue.push_back(std::move(item));
}

void State::run_operation(const Operation& operation) {
  const Opened opened;
  for (const Operation::HostRange& range : operation.host) {
    Memory::instance().end_copy(range.begin, range.bytes, range.writes);
  }
  operation.run();
  ++clock;
  switch (operation.kind) {
    case Operation::Kind::kKernel:
      ++counts.kernels;
      break;
    case Operation::Kind::kCopy:
      ++counts.copies;
      break;
    case Operation::Kind::kProduct:
      ++counts.products;
      break;
    case Operation::Kind::kConvolution:
      ++counts.convolutions;
      break;
  }
}

// Any order that the steps' dependencies allow is right; the schedule chooses one.
void State::run_graph(const GraphWork& graph) {
  ++counts.graph_launches;
  std::vector<bool> done(graph.steps.size(), false);
  std::mt19937_64 random(schedule.seed + shuffles++);
  for (std::size_t ran = 0; ran < graph.steps.size(); ++ran) {
    std::vector<std::size_t> ready;
    for (std::size_t i = 0; i < graph.steps.size() && (ready.empty() || schedule.order != Order::kForward); ++i) {
      const auto& after = graph.steps[i].after;
      if (!done[i] && std::ranges::all_of(after, [&](std::size_t before) { return done[before]; })) ready.push_back(i);
      if (ready.size() > 8) break;  // enough to choose among
    }
    std::size_t chosen = ready.front();
    if (schedule.order == Order::kReverse) chosen = ready.back();
    if (schedule.order == Order::kShuffled) chosen = ready[random() % ready.size()];
    run_operation(graph.steps[chosen].operation);
    done[chosen] = true;
  }
}

void State::run_item(Item& item) {
  if (item.awaits != nullptr && !item.awaits->passed) run_until(*item.awaits->stream, item.awaits.get());
  if (item.graph != nullptr) run_graph(*item.graph);
  if (item.operation.run != nullptr) run_operation(item.operation);
  if (item.record != nullptr) {
    item.record->passed = true;
    item.record->time = ++clock;
  }
}

void State::run_until(Stream& stream, const Marker* marker) {
  const Opened opened;
  while (!stream.queue.empty() && (marker == nullptr || !marker->passed)) {
    Item item = std::move(stream.queue.front());
    stream.queue.pop_front();
    run_item(item);
  }
}

void enqueue(cudaStream_t handle, Operation operation, bool on_default) {
  State& state = State::instance();
  const Lock lock(state.mutex);
  Stream& stream = state.stream_of(handle);
  require(on_default || &stream != &state.default_stream,
          "wrong stream: " + operation.name + " is given to the default stream");
  if (&stream == &state.default_stream) {
    for (const auto& other : state.streams) {
      if (other->blocking) state.run_until(*other, nullptr);
    }
  } else if (stream.blocking) {
    state.run_until(state.default_stream, nullptr);
  }
  state.append(stream, {std::move(operation), nullptr, nullptr, nullptr});
}

void enqueue_kernel(Launch launch, const void* kernel, cudaStream_t stream, std::vector<const void*> pointers,
                    std::function<void()> body) {
  State& state = State::instance();
  const Lock lock(state.mutex);
  const auto limit = state.shared_limits.find(kernel);
  check_launch(launch, limit == state.shared_limits.end() ? kSharedWithoutAsking : limit->second);
  const std::string name = launch.kernel;
  enqueue(stream, {Operation::Kind::kKernel,
                   name,
                   [launch = std::move(launch), pointers = std::move(pointers), body = std::move(body)] {
                     const Memory& memory = Memory::instance();
                     for (const void* pointer : pointers) {
                       if (pointer != nullptr) memory.check_device(pointer, 1, "an argument of " + launch.kernel);
                     }
                     State& now = State::instance();
                     Schedule schedule = now.schedule;
                     schedule.seed += now.shuffles++;
                     run_grid(launch, schedule, body);
                     for (const void* pointer : pointers) memory.check_guards(pointer, launch.kernel);
                   },
                   {}});
}

void forbid_in_capture(const char* call) {
  State& state = State::instance();
  for (const auto& capture : state.captures) {
    if (capture->mode == cudaStreamCaptureModeRelaxed) continue;
    const bool concerned =
        capture->mode == cudaStreamCaptureModeGlobal || capture->thread == std::this_thread::get_id();
    require(!concerned, std::string(call) + " is called while a stream is captured");
  }
}

void finish(cudaStream_t handle) {
  State& state = State::instance();
  const Lock lock(state.mutex);
  Stream& stream = state.stream_of(handle);
  require(stream.capture == nullptr, "a stream is waited for while it is captured");
  ++state.counts.synchronisations;
  state.run_until(stream, nullptr);
}

// The order of streams that do not wait for each other is the schedule's.
void finish_all() {
  State& state = State::instance();
  const Lock lock(state.mutex);
  ++state.counts.synchronisations;
  std::vector<Stream*> all{&state.default_stream};
  for (const auto& stream : state.streams) all.push_back(stream.get());
  if (state.schedule.order == Order::kReverse) std::ranges::reverse(all);
  if (state.schedule.order == Order::kShuffled) {
    std::mt19937_64 random(state.schedule.seed + state.shuffles++);
    std::ranges::shuffle(all, random);
  }
  for (Stream* stream : all) state.run_until(*stream, nullptr);
  std::erase_if(state.streams, [](const auto& stream) { return stream->destroyed; });
}

void check_stream(cudaStream_t stream) {
  State& state = State::instance();
  const Lock lock(state.mutex);
  state.stream_of(stream);
}

void allow_shared_memory(const void* kernel, std::size_t bytes) {
  State& state = State::instance();
  const Lock lock(state.mutex);
  state.shared_limits[kernel] = bytes;
}

void count_handle(const std::string& kind, int change) {
  State& state = State::instance();
  const Lock lock(state.mutex);
  std::int64_t& count = state.handles[kind];
  count += change;
  require(count >= 0, "a " + kind + " is destroyed twice");
}

void set_schedule(const Schedule& schedule) {
  State& state = State::instance();
  const Lock lock(state.mutex);
  state.schedule = schedule;
}

Counts counts() {
  State& state = State::instance();
  const Lock lock(state.mutex);
  return state.counts;
}

std::vector<std::string> leftovers() {
  State& state = State::instance();
  const Lock lock(state.mutex);
  std::vector<std::string> lines = Memory::instance().leftovers();
  for (const auto& stream : state.streams) {
    const std::string name = "stream " + std::to_string(stream->number);
    if (!stream->destroyed) lines.push_back("leak: " + name);
    if (!stream->queue.empty()) lines.push_back("work of " + name + " was never waited for");
  }
  if (!state.default_stream.queue.empty()) lines.emplace_back("work of the default stream was never waited for");
  for (const Event* event : state.events) lines.push_back("leak: event " + std::to_string(event->number));
  if (!state.graphs.empty()) lines.push_back("leak: graphs, " + std::to_string(state.graphs.size()));
  if (!state.executables.empty())
    lines.push_back("leak: graph executables, " + std::to_string(state.executables.size()));
  for (const auto& [kind, count] : state.handles) {
    if (count > 0) lines.push_back("leak: " + kind + ", " + std::to_string(count));
  }
  return lines;
}

}  // namespace tessera::emulated
