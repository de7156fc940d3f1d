#include "evaluation/check/selftest.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <utility>

#include "core/clock.h"
#include "core/error.h"
#include "core/quantile.h"
#include "device/device_backend.h"
#include "evaluation/ready/backends.h"
#include "layers/examples.h"
#include "models/family.h"
#include "models/modules.h"
#include "weights/seeded.h"

namespace tessera {

namespace {

constexpr std::uint64_t kSeed = 7;

// The layer between others that no pass takes away or merges: a graph's inputs and output are float32 in every dtype,
// what lies between is not.
Graph graph_of(const LayerExample& example) {
  Graph graph;
  const Scope s{graph, ""};
  std::vector<Value> inputs;
  for (const Shape& shape : example.in) {
    const std::string name = "x" + std::to_string(inputs.size());
    inputs.push_back(layer_scale(s / "before" / name, graph.input(name, shape)));
  }
  graph.set_output(emit(s / "after", Flatten{}, emit(s / "layer", example.layer, inputs)));
  return graph;
}

std::string name_of(const LayerExample& example) {
  std::string name(layer_name(example.layer));
  const std::string attributes = layer_attributes(example.layer);
  if (!attributes.empty()) name += " " + attributes;
  return name + " of " + to_string(example.in[0]);
}

WeightStore seeded_weights(const Graph& graph) {
  WeightStore store;
  for (const WeightSpec& spec : graph.weight_specs()) store.put(spec.name, seeded_tensor(spec, kSeed));
  return store;
}

// What a graph is given: values between -1 and 1 that no layer's symmetry hides.
class MadeInputs {
 public:
  explicit MadeInputs(const Graph& graph) {
    std::uint64_t state = kSeed;
    for (const GraphInput& input : graph.inputs()) {
      Tensor& made = tensors_.emplace_back(graph.shape(input.id));
      for (float& value : made.values()) {
        state = state * 6364136223846793005ULL + 1442695040888963407ULL;  // Knuth's MMIX
        value = static_cast<float>(static_cast<double>(state >> 11) * 0x1p-52 - 1.0);
      }
      names_.push_back(input.name);
    }
    for (std::size_t i = 0; i < names_.size(); ++i) named_.push_back({names_[i], std::as_const(tensors_[i]).view()});
  }
  MadeInputs(const MadeInputs&) = delete;
  MadeInputs& operator=(const MadeInputs&) = delete;

  std::span<const NamedInput> named() const { return named_; }

 private:
  std::vector<Tensor> tensors_;
  std::vector<std::string> names_;
  std::vector<NamedInput> named_;
};

double relative_error(std::span<const float> found, std::span<const float> expected) {
  double worst = 0, squares = 0;
  for (std::size_t i = 0; i < expected.size(); ++i) {
    const double error = std::abs(double{found[i]} - double{expected[i]});
    if (!(error <= worst)) worst = error;  // a NaN as well
    squares += double{expected[i]} * double{expected[i]};
  }
  const double scale = std::sqrt(squares / static_cast<double>(std::max<std::size_t>(1, expected.size())));
  return worst / std::max(scale, 1e-30);
}

double ms_of(const std::function<void()>& work) {
  const auto start = Clock::now();
  work();
  return std::chrono::duration<double, std::milli>(Clock::now() - start).count();
}

// Of ten runs after three that are not counted; of fewer where those take long (on the emulated device, seconds each).
double median_ms(Session& session, std::span<const NamedInput> input) {
  constexpr int kWarmUps = 3, kRuns = 10;
  constexpr double kLongMs = 1000;
  std::vector<double> times;
  double spent = 0;
  const auto run = [&] {
    times.push_back(ms_of([&] { session.run(input); }));
    spent += times.back();
  };
  for (int i = 0; i < kWarmUps && spent < kLongMs; ++i) run();
  times.clear();
  do run();
  while (times.size() < kRuns && spent < kLongMs);
  std::ranges::sort(times);
  return quantile(times, 0.5);
}

struct Subject {
  const Backend& backend;
  const RunOptions& options;
  std::unique_ptr<Backend> reference = make_eigen_backend();

  Session session(const Graph& graph, const Backend& on, bool optimise) const {
    return Session(
        Program::compile(graph, seeded_weights(graph), on, {.optimise = optimise, .threads = options.threads}));
  }
};

double gflops(const Graph& graph, double ms) {
  const double macs = static_cast<double>(totals(graph).macs * graph.batch());
  return ms > 0 ? 2 * macs / ms / 1e6 : 0;
}

// Of a graph whose passes are run (a model), or is run as it is (a layer: the last node but one).
SelftestRow checked(const Subject& subject, std::string name, const Graph& graph, double tolerance, bool layer) {
  const MadeInputs inputs(graph);
  const bool optimise = !layer && subject.options.optimise;
  Session found = subject.session(graph, subject.backend, optimise);
  Session expected = subject.session(graph, *subject.reference, optimise);
  SelftestRow row{.name = std::move(name), .tolerance = tolerance};
  row.reference_ms = ms_of([&] { expected.run(inputs.named()); });
  if (layer) {
    row.implementation = found.program().kernel(found.program().graph().nodes().size() - 2).implementation();
  }
  // Its first runs may be other than those that come after: all are looked at.
  for (int run = 0; run < 3; ++run) {
    const ConstView wanted = expected.run(inputs.named());
    const double error = relative_error(found.run(inputs.named()).values(), wanted.values());
    if (!(error <= row.error)) row.error = error;
  }
  row.ms = median_ms(found, inputs.named());
  row.gflops = gflops(graph, row.ms);
  return row;
}

std::vector<SelftestModel> selftest_models() {
  std::vector<SelftestModel> models;
  for (const Family* family : families()) {
    models.insert(models.end(), family->selftest.begin(), family->selftest.end());
  }
  return models;
}

std::vector<SelftestRow> check_models(const Subject& subject, const std::function<void(const SelftestRow&)>& done,
                                      std::vector<std::string>& left_out) {
  std::vector<SelftestRow> rows;
  const double tolerance = model_tolerance(subject.options.dtype);
  for (const auto& [architecture, size, timed] : selftest_models()) {
    if (size == 0) continue;
    const Graph graph = build_graph(make_config(architecture, {{"image_size", size}}), 2);
    try {
      rows.push_back(checked(subject, fmt::format("{} at {}", architecture, size), graph, tolerance, false));
      done(rows.back());
    } catch (const UsageError& error) {  // a layer of it is not on the device yet
      left_out.push_back(fmt::format("{}: {}", architecture, error.what()));
    }
  }
  return rows;
}

std::vector<SelftestRow> time_models(const Subject& subject, const std::function<void(const SelftestRow&)>& done) {
  std::vector<SelftestRow> rows;
  for (const auto& [name, size, timed] : selftest_models()) {
    if (!timed) continue;
    for (const std::int64_t batch : {1, 32}) {
      const Graph graph = build_graph(make_config(name), batch);
      const MadeInputs inputs(graph);
      Session session = subject.session(graph, subject.backend, subject.options.optimise);
      SelftestRow& row = rows.emplace_back(SelftestRow{.name = fmt::format("{}, batch {}", name, batch)});
      row.ms = median_ms(session, inputs.named());
      row.gflops = gflops(graph, row.ms);
      done(row);
    }
  }
  return rows;
}

std::string share_passed(const std::vector<SelftestRow>& rows) {
  return fmt::format("{}/{}", std::ranges::count_if(rows, &SelftestRow::passed), rows.size());
}

const SelftestRow& worst(const std::vector<SelftestRow>& rows) {
  static const SelftestRow none;
  if (rows.empty()) return none;
  return *std::ranges::max_element(
      rows, {}, [](const SelftestRow& row) { return std::isfinite(row.error) ? row.error : HUGE_VAL; });
}

}  // namespace

bool SelftestResult::passed() const {
  return std::ranges::all_of(layers, &SelftestRow::passed) && std::ranges::all_of(models, &SelftestRow::passed);
}

namespace {

// Half the distance from 1 to the next value of the format: what rounding a factor to it costs at most. Of float32
// nothing is rounded but the sums.
double rounding_of(const std::string& dtype) {
  if (dtype == "f32") return 0;
  if (dtype == "tf32" || dtype == "f16") return 0x1p-11;
  if (dtype == "bf16") return 0x1p-8;
  throw UsageError("selftest checks f32, tf32, f16 and bf16, not " + dtype);
}

constexpr double kFloatRounding = 0x1p-24;

}  // namespace

// Inputs, weights and the result are rounded to the format, each value by a random part of half a step: of a sum's
// terms that averages out to about as much as one rounding of the sum. The largest of some ten thousand values is five
// times the root mean square, and so is the largest error. Sums of K values add sqrt(K) roundings of float32, a few
// times over where an algorithm (Winograd's, Strassen's) trades digits for speed.
double layer_tolerance(const Layer& layer, Shapes in, const std::string& dtype) {
  constexpr double kRoundings = 16, kSums = 16, kBesides = 4;
  const double sums = std::sqrt(static_cast<double>(layer_reduction(layer, in))) + kBesides;
  return kRoundings * rounding_of(dtype) + kSums * sums * kFloatRounding;
}

// Measured on the emulated device, and twice that: errors of a layer meet the next ones' weights, which neither widen
// nor narrow them (seeded weights keep the size of values), and norms divide them out.
double model_tolerance(const std::string& dtype) {
  constexpr double kRoundings = 24, kFloatRoundings = 400;
  return kRoundings * rounding_of(dtype) + kFloatRoundings * kFloatRounding;
}

std::vector<SelftestRow> check_layers(const Backend& backend, const RunOptions& options,
                                      const std::function<void(const SelftestRow&)>& done,
                                      std::vector<std::string>& left_out) {
  const Subject subject{backend, options};
  std::vector<SelftestRow> rows;
  for (const LayerExample& example : good_examples()) {
    const double tolerance = layer_tolerance(example.layer, example.in, options.dtype);
    try {
      rows.push_back(checked(subject, name_of(example), graph_of(example), tolerance, true));
      done(rows.back());
    } catch (const UsageError& error) {
      left_out.emplace_back(error.what());
    }
  }
  return rows;
}

SelftestResult run_selftest(const RunOptions& options, bool full, const std::function<void(const SelftestRow&)>& done) {
  const std::unique_ptr<Backend> backend =
      make_backend(options, seeded_card(make_config(architectures().front().name), kSeed));
  const std::shared_ptr<const Device> device = backend->device();
  const Subject subject{*backend, options};
  SelftestResult result;
  result.device = device != nullptr ? describe_device(facts_of(*device)) : std::string(backend->name());
  result.hardware = device == nullptr || facts_of(*device).emulated == 0;
  result.layers = check_layers(*backend, options, done, result.left_out);
  result.models = check_models(subject, done, result.left_out);
  if (full) result.speeds = time_models(subject, done);
  return result;
}

std::string selftest_line(const SelftestResult& result, const RunOptions& options) {
  std::string line =
      fmt::format("tessera {} selftest, {}{}, {}: {}", TESSERA_VERSION, result.device,
                  result.hardware ? "" : " (not hardware)", options.dtype, result.passed() ? "passed" : "FAILED");
  const SelftestRow &layer = worst(result.layers), &model = worst(result.models);
  line += fmt::format("; layers {} (worst {:.1e}: {}), models {} (worst {:.1e}: {})", share_passed(result.layers),
                      layer.error, layer.name, share_passed(result.models), model.error, model.name);
  if (!result.hardware) return line;
  for (const SelftestRow& row : result.speeds) {
    line += fmt::format("; {} {:.2f} ms {:.2f} TFLOP/s", row.name, row.ms, row.gflops / 1e3);
  }
  return line;
}

}  // namespace tessera
