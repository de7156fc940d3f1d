#include <algorithm>

#include "core/clock.h"
#include "core/error.h"
#include "engine/program.h"

namespace tessera {

namespace {

// Marks on a device: before and after a run, and from kNodes on one after each node that is observed.
constexpr int kBegin = 0, kEnd = 1, kNodes = 2;
// A batch size is run as it is the first time, when libraries choose and allocate, then recorded.
constexpr int kRunsBeforeRecording = 1;

Shape with_batch(Shape shape, std::int64_t batch) {
  shape[0] = batch;
  return shape;
}

ConstValueView part_of(const ConstValueView& pictures, std::int64_t first, std::int64_t count) {
  const std::int64_t each = pictures.count() / pictures.shape()[0];
  return {pictures.at(first * each), pictures.type(), with_batch(pictures.shape(), count)};
}

std::size_t bytes_of_values(const Shape& shape) { return static_cast<std::size_t>(shape.count()) * sizeof(float); }

std::size_t bytes_of_value(const ConstValueView& value) {
  return static_cast<std::size_t>(value.count() * bytes_of(value.type().dtype));
}

// Bytes of the largest input.
std::size_t largest_input(const Graph& graph) {
  std::size_t largest = 0;
  for (const GraphInput& input : graph.inputs()) {
    largest = std::max(largest, static_cast<std::size_t>(graph.shape(input.id).count() * bytes_of(input.dtype)));
  }
  return largest;
}

// "image f32 [8, 224, 224, 3], tokens i64 [8, 77]"
std::string say_inputs(const Graph& graph, std::int64_t max_batch) {
  std::string text;
  for (const GraphInput& input : graph.inputs()) {
    if (!text.empty()) text += ", ";
    text += input.name + " " + std::string(to_string(input.dtype)) + " " +
            to_string(with_batch(graph.shape(input.id), max_batch));
  }
  return text;
}

// Bytes of the largest value that an observer or a tap may ask for.
std::size_t largest_value(const Graph& graph) {
  std::size_t largest = 0;
  for (const Node& node : graph.nodes()) largest = std::max(largest, bytes_of_values(graph.shape(node.output)));
  return largest;
}

}  // namespace

Session::Session(std::shared_ptr<const Program> program)
    : program_(std::move(program)), threads_(program_->device() == nullptr ? program_->threads() : 1) {
  const Graph& graph = program_->graph();
  const Shape whole = with_batch(graph.shape(graph.output_id()), program_->max_batch());
  const bool in_parts = program_->at_a_time() < program_->max_batch();
  if (in_parts || program_->device() != nullptr) output_ = Tensor(whole);
  taken_.resize(graph.inputs().size());
  for (int lane = 0; lane < program_->lanes(); ++lane) lanes_.push_back(make_lane());
  if (program_->device() == nullptr) return;
  queue_ =
      program_->device()->open_queue({.arena_bytes = program_->plan().arena_bytes,
                                      .scratch_bytes = static_cast<std::size_t>(program_->scratch()) * sizeof(float),
                                      .input_bytes = largest_input(graph),
                                      .output_bytes = std::max(bytes_of_values(whole), largest_value(graph)),
                                      .input_slots = (in_parts ? 2 : 1) * static_cast<int>(taken_.size()),
                                      .marks = kNodes + static_cast<int>(graph.nodes().size())});
}

Session::Lane Session::make_lane() const {
  Lane lane;
  for (const Node& node : program_->graph().nodes()) lane.inputs.emplace_back(node.inputs.size());
  lane.given.resize(taken_.size());
  if (program_->lanes() > 1) lane.alone = std::make_unique<ThreadPool>(1);
  if (program_->device() == nullptr) {
    lane.arena = allocate_aligned(program_->plan().arena_bytes);
    lane.scratch = Tensor(Shape{program_->scratch()});
    prefer_huge_pages({lane.arena.get(), program_->plan().arena_bytes});
    prefer_huge_pages(std::as_writable_bytes(lane.scratch.values()));
  }
  return lane;
}

ValueView Session::value(const Lane& lane, ValueId id) const {
  std::byte* const arena = queue_ == nullptr ? lane.arena.get() : queue_->arena();
  const std::size_t offset = program_->plan().offsets[static_cast<std::size_t>(id)];
  return {arena + offset, program_->type(id), with_batch(program_->graph().shape(id), lane.batch)};
}

KernelArguments Session::arguments(Lane& lane, std::size_t n) {
  const std::vector<GraphInput>& given = program_->graph().inputs();
  const Node& node = program_->graph().nodes()[n];
  for (std::size_t i = 0; i < node.inputs.size(); ++i) {
    const auto found = std::ranges::find(given, node.inputs[i], &GraphInput::id);
    lane.inputs[n][i] = found == given.end() ? ConstValueView(value(lane, node.inputs[i]))
                                             : lane.given[static_cast<std::size_t>(found - given.begin())];
  }
  return {.inputs = lane.inputs[n],
          .output = value(lane, node.output),
          .scratch = queue_ == nullptr ? lane.scratch.values() : queue_->scratch(),
          .threads = lane.alone == nullptr ? threads_ : *lane.alone,
          .queue = queue_.get()};
}

ConstView Session::run(ConstView input, Observers observers) {
  const Graph& graph = program_->graph();
  if (graph.inputs().size() != 1 || graph.inputs()[0].dtype != DType::kF32) {
    throw UsageError("the model takes " + say_inputs(graph, program_->max_batch()));
  }
  const Shape largest = with_batch(graph.shape(graph.input_id()), program_->max_batch());
  Shape expected = largest;
  if (input.shape().rank() == largest.rank()) expected[0] = input.shape()[0];
  if (input.shape() != expected || expected[0] < 1 || expected[0] > largest[0]) {
    throw UsageError("the model takes pictures " + to_string(largest) + " (or fewer), not " + to_string(input.shape()));
  }
  taken_[0] = input;
  return run_taken(expected[0], observers);
}

ConstView Session::run(std::span<const NamedInput> inputs, Observers observers) {
  const std::vector<GraphInput>& declared = program_->graph().inputs();
  const auto refuse = [&](const std::string& what) {
    throw UsageError(what + "; the model takes " + say_inputs(program_->graph(), program_->max_batch()));
  };
  std::ranges::fill(taken_, ConstValueView());
  std::int64_t batch = 0;
  for (const NamedInput& input : inputs) {
    const std::string name = "input '" + std::string(input.name) + "'";
    const auto found = std::ranges::find(declared, input.name, &GraphInput::name);
    if (found == declared.end()) refuse("there is no " + name);
    ConstValueView& taken = taken_[static_cast<std::size_t>(found - declared.begin())];
    if (taken.bytes() != nullptr) refuse(name + " is given twice");
    const DType dtype = input.values.type().dtype;
    if (dtype != found->dtype) refuse(name + " is " + std::string(to_string(dtype)));
    const Shape& shape = input.values.shape();
    if (batch == 0 && shape.rank() > 0) batch = shape[0];
    if (batch < 1 || batch > program_->max_batch() || shape != with_batch(program_->graph().shape(found->id), batch)) {
      refuse(name + " is " + to_string(shape));
    }
    taken = input.values;
  }
  if (inputs.size() != declared.size()) refuse("not every input is given");
  return run_taken(batch, observers);
}

ConstView Session::run_taken(std::int64_t batch, Observers observers) {
  for (Observer* observer : observers) observer->before_run();
  if (queue_ != nullptr) {
    run_on_device(batch, observers);
  } else if (output_.empty()) {
    run_part({0, batch, 0, 1}, observers);
    return value(lanes_.front(), program_->graph().output_id()).f32();
  } else {
    run_parts(batch, observers);
  }
  return {output_.data(), with_batch(output_.shape(), batch)};
}

// Where there are several lanes, few pictures go in smaller parts, so that each lane has some.
void Session::run_parts(std::int64_t batch, Observers observers) {
  const auto lanes = static_cast<std::int64_t>(lanes_.size());
  const std::int64_t share = (batch + lanes - 1) / lanes;
  const std::int64_t step = std::min(program_->at_a_time(), share), parts = (batch + step - 1) / step;
  const int busy = static_cast<int>(std::min(lanes, parts));
  const auto run_one = [&](std::int64_t index, int lane) {
    const std::int64_t picture = index * step;
    run_part({picture, std::min(step, batch - picture), lane, busy}, observers);
    const ConstView logits = value(lanes_[static_cast<std::size_t>(lane)], program_->graph().output_id()).f32();
    std::ranges::copy(logits.values(), output_.data() + picture * output_.view().stride0());
  };
  if (lanes > 1) {
    threads_.for_each(parts, run_one);
  } else {
    for (std::int64_t index = 0; index < parts; ++index) run_one(index, 0);
  }
}

void Session::run_part(const Part& part, Observers observers) {
  const Graph& graph = program_->graph();
  Lane& lane = lanes_[static_cast<std::size_t>(part.lane)];
  lane.batch = part.count;
  for (std::size_t i = 0; i < taken_.size(); ++i) lane.given[i] = part_of(taken_[i], part.picture, part.count);
  for (std::size_t n = 0; n < graph.nodes().size(); ++n) {
    const KernelArguments given = arguments(lane, n);
    const Kernel& kernel = program_->kernel(n);
    if (observers.empty()) {
      kernel.run(given);
      continue;
    }
    const std::int64_t begin = now_ns();
    kernel.run(given);
    const NodeEvent event{n,     graph.nodes()[n], kernel, part.picture, part.lane, part.lanes_at_once, given.output,
                          begin, now_ns()};
    const std::scoped_lock lock(observing_);
    for (Observer* observer : observers) observer->after_node(event);
  }
}

// The host copies a part's pictures and puts its work into the queue while the device works on the parts before.
void Session::run_on_device(std::int64_t batch, Observers observers) {
  const std::int64_t begin = now_ns();
  const Graph& graph = program_->graph();
  const std::int64_t step = program_->at_a_time();
  const int inputs = static_cast<int>(taken_.size());
  const bool whole = step == program_->max_batch();
  queue_->mark(kBegin);
  int slot = 0;
  for (std::int64_t picture = 0; picture < batch; picture += step) {
    upload_part({picture, std::min(step, batch - picture), 0, 1}, slot);
    if (!observers.empty()) {
      launch_observed(picture, observers);
    } else if (whole) {
      launch_or_replay();
    } else {
      launch();
    }
    for (int i = 0; i < inputs; ++i) queue_->release_slot(slot + i);
    slot = whole || slot > 0 ? 0 : inputs;
    const ConstView logits = value(lanes_.front(), graph.output_id()).f32();
    const View to = View(output_.data() + picture * output_.view().stride0(), logits.shape());
    queue_->download(reinterpret_cast<const std::byte*>(logits.data()), std::as_writable_bytes(to.values()));
  }
  queue_->mark(kEnd);
  const std::int64_t enqueued = now_ns();
  queue_->synchronise();
  clock_ = {
      .enqueued_ns = enqueued - begin, .finished_ns = now_ns() - begin, .device_ns = queue_->between_ns(kBegin, kEnd)};
}

// To the slots from `slot` on, one for each input.
void Session::upload_part(const Part& part, int slot) {
  Lane& lane = lanes_.front();
  lane.batch = part.count;
  for (std::size_t i = 0; i < taken_.size(); ++i) {
    const ConstValueView values = part_of(taken_[i], part.picture, part.count);
    const std::byte* const there = queue_->upload(slot + static_cast<int>(i), {values.bytes(), bytes_of_value(values)});
    lane.given[i] = {there, values.type(), values.shape()};
  }
}

void Session::launch() {
  for (std::size_t n = 0; n < program_->graph().nodes().size(); ++n) {
    program_->kernel(n).run(arguments(lanes_.front(), n));
  }
}

// The host needs microseconds for each kernel that it puts into the queue, as long as a small one runs; a recording of
// all of them goes as one.
void Session::launch_or_replay() {
  const std::int64_t batch = lanes_.front().batch;
  int& runs = runs_[batch];
  if (runs < kRunsBeforeRecording) {
    launch();
    ++runs;
    return;
  }
  if (runs == kRunsBeforeRecording) {
    queue_->begin_recording();
    launch();
    queue_->end_recording(batch);
    ++runs;
  }
  queue_->replay(batch);
}

void Session::launch_observed(std::int64_t picture, Observers observers) {
  const Graph& graph = program_->graph();
  const bool reads = std::ranges::any_of(observers, [](const Observer* observer) { return observer->reads_values(); });
  const auto tell = [&](std::size_t n, const ConstValueView& output, std::int64_t begin, std::int64_t end) {
    const NodeEvent event{n, graph.nodes()[n], program_->kernel(n), picture, 0, 1, output, begin, end};
    for (Observer* observer : observers) observer->after_node(event);
  };
  const std::int64_t host_begin = now_ns();
  const auto device_ns = [&](int mark) { return host_begin + queue_->between_ns(kBegin, mark); };
  int before = kBegin;
  for (std::size_t n = 0; n < graph.nodes().size(); ++n) {
    if (n == 0) queue_->mark(kBegin);  // the first node's time does not hold the upload
    const KernelArguments given = arguments(lanes_.front(), n);
    program_->kernel(n).run(given);
    const int after = kNodes + static_cast<int>(n);
    queue_->mark(after);
    if (reads) {  // before a later node overwrites it
      const Tensor values = fetch(given.output);
      tell(n, ConstValueView(values.view()), device_ns(before), device_ns(after));
    }
    before = after;
  }
  if (reads) return;
  queue_->synchronise();
  before = kBegin;
  for (std::size_t n = 0; n < graph.nodes().size(); ++n) {
    const int after = kNodes + static_cast<int>(n);
    const ValueView output = value(lanes_.front(), graph.nodes()[n].output);
    tell(n, {nullptr, output.type(), output.shape()}, device_ns(before), device_ns(after));
    before = after;
  }
}

// Waits for the device.
Tensor Session::fetch(const ConstValueView& value) const {
  if (queue_ == nullptr) return to_f32(value);
  const auto bytes = static_cast<std::size_t>(value.count() * bytes_of(value.type().dtype));
  const AlignedBytes copy = allocate_aligned(bytes);
  queue_->download(value.bytes(), {copy.get(), bytes});
  queue_->synchronise();
  return to_f32({copy.get(), value.type(), value.shape()});
}

Tensor Session::tap(std::string_view name) const {
  if (!std::ranges::binary_search(program_->taps(), name)) {
    throw UsageError("'" + std::string(name) + "' was not tapped when the program was compiled");
  }
  if (lanes_.front().batch == 0) throw UsageError("there is no tap before the first run");
  return fetch(value(lanes_.front(), program_->graph().names().find(name)->second));
}

}  // namespace tessera
