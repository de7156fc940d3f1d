#include "engine/program.h"

#include <algorithm>
#include <chrono>

#include "core/error.h"

namespace tessera {

namespace {

std::int64_t now_ns() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

// Names in the graph that a tap asks for. Throws when one matches nothing.
std::vector<std::string> match_taps(const Graph& graph, const std::vector<std::string>& patterns) {
  std::vector<std::string> matched;
  for (const std::string& pattern : patterns) {
    const std::size_t before = matched.size();
    for (const auto& [path, id] : graph.names()) {
      if (glob_match(pattern, path) && id != graph.input_id()) matched.push_back(path);
    }
    if (matched.size() == before) {
      throw UsageError("no layer is called '" + pattern + "'; `tessera inspect` lists the names");
    }
  }
  std::ranges::sort(matched);
  matched.erase(std::unique(matched.begin(), matched.end()), matched.end());
  return matched;
}

}  // namespace

bool glob_match(std::string_view pattern, std::string_view text) {
  std::size_t p = 0, t = 0, star = std::string_view::npos, resume = 0;
  while (t < text.size()) {
    if (p < pattern.size() && (pattern[p] == '?' || (pattern[p] != '*' && pattern[p] == text[t]))) {
      ++p, ++t;
    } else if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      resume = t;
    } else if (star != std::string_view::npos) {
      p = star + 1;
      t = ++resume;
    } else {
      return false;
    }
  }
  return pattern.find_first_not_of('*', p) == std::string_view::npos;
}

std::shared_ptr<const Program> Program::compile(Graph graph, WeightStore weights, const Backend& backend,
                                                const CompileOptions& options) {
  std::shared_ptr<Program> program(new Program);
  program->backend_ = backend.name();
  program->threads_ = options.threads;
  program->taps_ = match_taps(graph, options.taps);
  KeptValues kept;
  for (const std::string& name : program->taps_) kept.insert(graph.names().at(name));
  if (options.optimise) {
    program->pass_results_ = run_passes(graph, kept);
    kept.clear();  // a dropped identity's tap now looks at its input
    for (const std::string& name : program->taps_) kept.insert(graph.names().at(name));
    if (options.rewrite) backend.rewrite(graph, kept);
    graph.verify();
  }
  program->max_batch_ = graph.batch();
  if (kept.empty()) graph.set_batch(pictures_at_a_time(graph, backend));
  program->types_ = backend.choose_types(graph);
  program->plan_ = plan_memory(graph, program->types_, kept);

  std::vector<std::vector<Tensor>> node_weights;
  for (const Node& node : graph.nodes()) {
    std::vector<Tensor>& tensors = node_weights.emplace_back();
    for (const WeightSpec& spec : node.weights) tensors.push_back(weights.take(spec.name));
  }
  program->kernels_.resize(graph.nodes().size());
  ThreadPool packing(options.threads);
  packing.for_each(static_cast<std::int64_t>(graph.nodes().size()), [&](std::int64_t index, int) {
    const auto n = static_cast<std::size_t>(index);
    const Node& node = graph.nodes()[n];
    const std::vector<Shape> in = graph.input_shapes(node);
    std::vector<ValueType> in_types;
    for (const ValueId id : node.inputs) in_types.push_back(program->type(id));
    const NodeRequest request{.node = node,
                              .in = in,
                              .out = graph.shape(node.output),
                              .in_types = in_types,
                              .out_type = program->type(node.output),
                              .threads = options.threads};
    program->kernels_[n] = backend.prepare(request, std::move(node_weights[n]));
  });
  for (const auto& kernel : program->kernels_) program->scratch_ = std::max(program->scratch_, kernel->scratch());
  program->graph_ = std::move(graph);
  return program;
}

std::int64_t pictures_at_a_time(const Graph& graph, const Backend& backend) {
  const std::size_t cache = backend.activation_cache();
  const std::int64_t batch = graph.batch();
  if (cache == 0 || batch == 1) return batch;
  const std::size_t bytes = plan_memory(graph, backend.choose_types(graph), {}).arena_bytes;
  const auto parts_of = [&](std::int64_t pictures) { return bytes / static_cast<std::size_t>(batch / pictures); };
  std::int64_t pictures = batch;
  while (pictures > 1 && (batch % pictures != 0 || parts_of(pictures) > cache)) --pictures;
  return pictures;
}

std::size_t Program::weight_bytes() const {
  std::size_t bytes = 0;
  for (const auto& kernel : kernels_) bytes += kernel->weight_bytes();
  return bytes;
}

std::size_t Program::activation_bytes() const {
  return plan_.arena_bytes + static_cast<std::size_t>(scratch_) * sizeof(float);
}

Session::Session(std::shared_ptr<const Program> program)
    : program_(std::move(program)),
      arena_(allocate_aligned(program_->plan().arena_bytes)),
      scratch_(Shape{program_->scratch()}),
      threads_(program_->threads()) {
  if (program_->at_a_time() < program_->max_batch()) {
    Shape shape = program_->graph().shape(program_->graph().output_id());
    shape[0] = program_->max_batch();
    output_ = Tensor(shape);
  }
  for (const Node& node : program_->graph().nodes()) inputs_.emplace_back(node.inputs.size());
}

ValueView Session::value(ValueId id) const {
  const std::size_t offset = program_->plan().offsets[static_cast<std::size_t>(id)];
  Shape shape = program_->graph().shape(id);
  shape[0] = batch_;
  return {arena_.get() + offset, program_->type(id), shape};
}

ConstView Session::run(ConstView input, std::span<Observer* const> observers) {
  const Graph& graph = program_->graph();
  Shape expected = graph.shape(graph.input_id());
  expected[0] = program_->max_batch();
  const Shape largest = expected;
  if (input.shape().rank() == 4) expected[0] = input.shape()[0];
  if (input.shape() != expected || expected[0] < 1 || expected[0] > largest[0]) {
    throw UsageError("the model takes pictures " + to_string(largest) + " (or fewer), not " + to_string(input.shape()));
  }
  const std::int64_t batch = expected[0], step = program_->at_a_time();
  if (step == program_->max_batch()) return run_part(input, 0, observers);
  Shape part = expected, shape = output_.shape();
  shape[0] = batch;
  for (std::int64_t picture = 0; picture < batch; picture += step) {
    part[0] = std::min(step, batch - picture);
    const ConstView logits = run_part({input.data() + picture * (input.count() / batch), part}, picture, observers);
    std::ranges::copy(logits.values(), output_.data() + picture * (output_.shape().count() / output_.shape()[0]));
  }
  return {output_.data(), shape};
}

ConstView Session::run_part(ConstView input, std::int64_t picture, std::span<Observer* const> observers) {
  const Graph& graph = program_->graph();
  batch_ = input.shape()[0];
  for (std::size_t n = 0; n < graph.nodes().size(); ++n) {
    const Node& node = graph.nodes()[n];
    for (std::size_t i = 0; i < node.inputs.size(); ++i) {
      inputs_[n][i] = node.inputs[i] == graph.input_id() ? ConstValueView(input) : value(node.inputs[i]);
    }
    const KernelArguments arguments{inputs_[n], value(node.output), scratch_.values(), threads_};
    const Kernel& kernel = program_->kernel(n);
    if (observers.empty()) {
      kernel.run(arguments);
      continue;
    }
    const std::int64_t begin = now_ns();
    kernel.run(arguments);
    const NodeEvent event{n, node, kernel, picture, arguments.output, begin, now_ns()};
    for (Observer* observer : observers) observer->after_node(event);
  }
  return value(graph.output_id()).f32();
}

Tensor Session::tap(std::string_view name) const {
  if (!std::ranges::binary_search(program_->taps(), name)) {
    throw UsageError("'" + std::string(name) + "' was not tapped when the program was compiled");
  }
  if (batch_ == 0) throw UsageError("there is no tap before the first run");
  return to_f32(value(program_->graph().names().find(name)->second));
}

}  // namespace tessera
