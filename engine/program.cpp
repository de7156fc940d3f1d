#include "engine/program.h"

#include <algorithm>

#include "core/error.h"

namespace tessera {

namespace {

// Names in the graph that a tap asks for. Throws when one matches nothing.
std::vector<std::string> match_taps(const Graph& graph, const std::vector<std::string>& patterns) {
  std::vector<std::string> matched;
  for (const std::string& pattern : patterns) {
    const std::size_t before = matched.size();
    for (const auto& [path, id] : graph.names()) {
      if (glob_match(pattern, path) && !graph.is_input(id)) matched.push_back(path);
    }
    if (matched.size() == before) {
      throw UsageError("no layer is called '" + pattern + "'; `tessera inspect` lists the names");
    }
  }
  std::ranges::sort(matched);
  matched.erase(std::unique(matched.begin(), matched.end()), matched.end());
  return matched;
}

std::vector<Tensor> take_weights(const Node& node, WeightSource& weights) {
  std::vector<Tensor> tensors;
  for (const WeightSpec& spec : node.weights) {
    tensors.push_back(weights.take(spec));
    if (tensors.back().shape() != spec.shape) {
      throw InternalError(spec.name + ": " + to_string(tensors.back().shape()) + " instead of " +
                          to_string(spec.shape));
    }
  }
  return tensors;
}

// As the backend keeps them; indices as they are given.
std::vector<ValueType> types_of(const Graph& graph, const Backend& backend) {
  std::vector<ValueType> types = backend.choose_types(graph);
  for (const GraphInput& input : graph.inputs()) {
    if (is_index(input.dtype)) types[static_cast<std::size_t>(input.id)] = {.dtype = input.dtype};
  }
  return types;
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
  StoredWeights source(std::move(weights));
  return compile(std::move(graph), source, backend, options);
}

std::shared_ptr<const Program> Program::compile(Graph graph, WeightSource& weights, const Backend& backend,
                                                const CompileOptions& options) {
  std::shared_ptr<Program> program(new Program);
  program->backend_ = backend.name();
  program->device_ = backend.device();
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
  BatchPlan plan{graph.batch(), 1, options.threads};
  if (kept.empty()) plan = plan_batch(graph, backend, options.threads);
  graph.set_batch(plan.at_a_time);
  program->lanes_ = plan.lanes;
  program->types_ = types_of(graph, backend);
  program->plan_ = plan_memory(graph, program->types_, kept);

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
                              .threads = plan.threads};
    program->kernels_[n] = backend.prepare(request, take_weights(node, weights));
  });
  for (const auto& kernel : program->kernels_) program->scratch_ = std::max(program->scratch_, kernel->scratch());
  program->graph_ = std::move(graph);
  return program;
}

namespace {

// Whether lanes that take parts of `pictures` have work for at least nine tenths of the time.
bool keeps_lanes_busy(std::int64_t batch, std::int64_t pictures, std::int64_t lanes) {
  constexpr std::int64_t kOf = 10, kBusy = 9;
  const std::int64_t parts = batch / pictures, rounds = (parts + lanes - 1) / lanes;
  return kOf * parts >= kBusy * rounds * lanes;
}

}  // namespace

BatchPlan plan_batch(const Graph& graph, const Backend& backend, int threads) {
  const std::size_t cache = backend.activation_cache();
  const std::int64_t batch = graph.batch(), most = backend.most_pictures();
  if ((cache == 0 && most == 0) || batch == 1) return {batch, 1, threads};
  const bool alone = cache > 0 && keeps_lanes_busy(batch, 1, threads);
  const int lanes = alone ? threads : 1;
  // A lane of one thread brings its weights through the cache as well, at a time of its own.
  const std::size_t share = alone ? cache / 2 / static_cast<std::size_t>(lanes) : cache;
  const std::size_t bytes = plan_memory(graph, types_of(graph, backend), {}).arena_bytes;
  const auto good = [&](std::int64_t pictures) {
    const std::size_t arena = bytes / static_cast<std::size_t>(batch / pictures);
    return batch % pictures == 0 && (most == 0 || pictures <= most) && (cache == 0 || arena <= share) &&
           keeps_lanes_busy(batch, pictures, lanes);
  };
  std::int64_t pictures = batch;
  while (pictures > 1 && !good(pictures)) --pictures;
  return {pictures, lanes, threads / lanes};
}

std::size_t Program::weight_bytes() const {
  std::size_t bytes = 0;
  for (const auto& kernel : kernels_) bytes += kernel->weight_bytes();
  return bytes;
}

std::size_t Program::activation_bytes() const {
  return static_cast<std::size_t>(lanes_) * (plan_.arena_bytes + static_cast<std::size_t>(scratch_) * sizeof(float));
}

}  // namespace tessera
