#include "evaluation/selftest.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>

#include "core/error.h"
#include "device/device_backend.h"
#include "engine/passes.h"
#include "engine/profile.h"
#include "models/family.h"
#include "models/modules.h"
#include "weights/seeded.h"

namespace tessera {

namespace {

using Clock = std::chrono::steady_clock;
constexpr std::uint64_t kSeed = 7;

// A graph of one layer, or of one and what gives it its second input.
struct LayerTest {
  std::string name;
  Shape input;
  std::function<Value(const Scope&, Value)> build;
};

// A convolution fused with the sum of its result and a shortcut.
LayerTest conv_residual(std::string name, const Shape& input, Conv2d layer, ActivationKind kind) {
  return {std::move(name), input, [layer, kind](const Scope& s, Value x) {
            const Value shortcut = conv2d(s / "shortcut", x, {.out_channels = layer.out_channels});
            return activation(s / "act", add(s / "add", conv2d(s / "layer", x, layer), shortcut), kind);
          }};
}
LayerTest one(std::string name, const Shape& input, Layer layer) {
  return {std::move(name), input,
          [layer = std::move(layer)](const Scope& s, Value x) { return emit(s / "layer", layer, x); }};
}

std::vector<LayerTest> convolution_tests() {
  const Shape x{2, 14, 14, 32}, odd{2, 13, 11, 20}, picture{2, 56, 56, 3};
  return {
      one("Conv2d 1x1", x, Conv2d{.out_channels = 64}),
      one("Conv2d 3x3", x, Conv2d{.out_channels = 48, .kernel = 3, .padding = 1}),
      one("Conv2d 3x3, relu", x,
          Conv2d{.out_channels = 64, .kernel = 3, .padding = 1, .activation = ActivationKind::kRelu}),
      one("Conv2d 3x3, relu6", x,
          Conv2d{.out_channels = 64, .kernel = 3, .padding = 1, .activation = ActivationKind::kRelu6}),
      one("Conv2d 3x3, silu", x,
          Conv2d{.out_channels = 64, .kernel = 3, .padding = 1, .activation = ActivationKind::kSilu}),
      one("Conv2d 3x3, stride 2, no bias", odd,
          Conv2d{.out_channels = 24, .kernel = 3, .stride = 2, .padding = 1, .bias = false}),
      one("Conv2d 3x3, dilation 2, groups 4", odd,
          Conv2d{.out_channels = 24, .kernel = 3, .padding = 2, .dilation = 2, .groups = 4}),
      one("Conv2d 7x7, stride 2, three channels", picture,
          Conv2d{.out_channels = 64, .kernel = 7, .stride = 2, .padding = 3, .activation = ActivationKind::kRelu}),
      one("Conv2d 3x3, stride 2, padding same", picture,
          Conv2d{.out_channels = 32, .kernel = 3, .stride = 2, .padding_same = true}),
      one("Conv2d depthwise 3x3, relu6", x,
          Conv2d{.out_channels = 32, .kernel = 3, .padding = 1, .groups = 32, .activation = ActivationKind::kRelu6}),
      one("Conv2d depthwise 5x5, stride 2, padding same", odd,
          Conv2d{.out_channels = 20, .kernel = 5, .stride = 2, .padding_same = true, .groups = 20}),
      conv_residual("Conv2d 1x1, + residual, relu", x, {.out_channels = 64}, ActivationKind::kRelu),
      conv_residual("Conv2d 3x3, + residual", x, {.out_channels = 64, .kernel = 3, .padding = 1},
                    ActivationKind::kNone),
      conv_residual("Conv2d 3x3, + residual, gelu", x, {.out_channels = 64, .kernel = 3, .padding = 1},
                    ActivationKind::kGelu),
  };
}

std::vector<LayerTest> token_tests() {
  const Shape tokens{2, 50, 96};
  return {
      one("Linear", tokens, Linear{.out_features = 128}),
      one("Linear, no bias", tokens, Linear{.out_features = 100, .bias = false}),
      one("Linear, gelu", tokens, Linear{.out_features = 384, .activation = ActivationKind::kGelu}),
      one("Linear, relu", tokens, Linear{.out_features = 64, .activation = ActivationKind::kRelu}),
      {"Linear, layer scale, + residual", tokens,
       [](const Scope& s, Value x) { return add(s / "add", x, layer_scale(s / "scale", linear(s / "layer", x, 96))); }},
      one("LayerNorm", tokens, LayerNorm{}),
      one("Attention, 3 heads", Shape{2, 50, 288}, Attention{.heads = 3}),
      one("Attention, more pictures than heads", Shape{3, 17, 192}, Attention{.heads = 1}),
      one("Softmax", tokens, Softmax{}),
      one("PatchEmbed 16", Shape{2, 64, 64, 3}, PatchEmbed{.patch = 16, .width = 96}),
      one("TokenEmbed, 4 registers", Shape{2, 16, 96},
          TokenEmbed{.registers = 4, .position_covers_class = false, .stored_grid = 6, .grid = 4}),
      one("TokenPool, class token", tokens, TokenPool{}),
      one("TokenPool, mean", tokens, TokenPool{.kind = TokenPoolKind::kMean, .skip = 1}),
      {"Concat", tokens, [](const Scope& s, Value x) { return concat(s / "layer", x, linear(s / "other", x, 32)); }},
  };
}

std::vector<LayerTest> pixel_tests() {
  const Shape x{2, 13, 11, 24};
  std::vector<LayerTest> tests{
      one("BatchNorm", x, BatchNorm{}),
      one("Pool2d, max 3x3, stride 2", x, Pool2d{.kind = PoolKind::kMax, .kernel = 3, .stride = 2, .padding = 1}),
      one("Pool2d, average 3x3, padding not counted", x,
          Pool2d{.kind = PoolKind::kAverage, .kernel = 3, .stride = 2, .padding = 1, .count_include_pad = false}),
      one("Pool2d, average 2x2, ceil mode", x, Pool2d{.kind = PoolKind::kAverage, .ceil_mode = true}),
      one("GlobalAveragePool", x, GlobalAveragePool{}),
      one("Flatten", x, Flatten{}),
      one("LayerScale", x, LayerScale{}),
      {"Add", x, [](const Scope& s, Value v) { return add(s / "layer", v, batch_norm(s / "other", v, 1e-5F)); }},
      {"squeeze-excite (Multiply)", x,
       [](const Scope& s, Value v) { return squeeze_excite(s / "se", v, 8, ActivationKind::kRelu); }},
  };
  for (const ActivationKind kind : {ActivationKind::kRelu, ActivationKind::kRelu6, ActivationKind::kSilu,
                                    ActivationKind::kHardSwish, ActivationKind::kGelu, ActivationKind::kSigmoid}) {
    tests.push_back(one("Activation " + std::string(to_string(kind)), x, Activation{kind}));
  }
  return tests;
}

// Between two layers that no pass takes away or merges: a graph's input and output are float32 in every dtype, what
// lies between is not.
Graph graph_of(const LayerTest& test) {
  Graph graph;
  const Scope s{graph, ""};
  const Value x = layer_scale(s / "before", graph.input(test.input));
  graph.set_output(emit(s / "after", Flatten{}, test.build(s, x)));
  return graph;
}

WeightStore seeded_weights(const Graph& graph) {
  const std::vector<WeightSpec> specs = graph.weight_specs();
  WeightStore store;
  for (const WeightSpec& spec : specs) store.put(spec.name, seeded_tensor(spec, specs, kSeed));
  return store;
}

// Values between -1 and 1 that no layer's symmetry hides.
Tensor made_input(const Shape& shape) {
  Tensor input(shape);
  std::uint64_t state = kSeed;
  for (float& value : input.values()) {
    state = state * 6364136223846793005ULL + 1442695040888963407ULL;  // Knuth's MMIX
    value = static_cast<float>(static_cast<double>(state >> 11) * 0x1p-52 - 1.0);
  }
  return input;
}

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

double median_ms(Session& session, ConstView input, int runs) {
  constexpr int kWarmUps = 3;
  std::vector<double> times;
  times.reserve(static_cast<std::size_t>(runs));
  for (int run = 0; run < kWarmUps; ++run) session.run(input);
  for (int run = 0; run < runs; ++run) times.push_back(ms_of([&] { session.run(input); }));
  std::ranges::sort(times);
  return quantile(times, 0.5);
}

class Selftest {
 public:
  Selftest(const RunOptions& options, const std::function<void(const SelftestRow&)>& done)
      : options_(options),
        done_(done),
        tolerance_(selftest_tolerance(options.dtype)),
        backend_(make_backend(options, seeded_card(make_config(architectures().front().name), kSeed))),
        reference_(make_eigen_backend()) {
    const std::shared_ptr<const Device> device = backend_->device();
    result_.device = device != nullptr ? describe_device(facts_of(*device)) : std::string(backend_->name());
    result_.hardware = device == nullptr || facts_of(*device).emulated == 0;
  }

  void layers() {
    for (const auto& tests : {convolution_tests(), token_tests(), pixel_tests()}) {
      for (const LayerTest& test : tests) {
        keep(result_.layers, checked(test.name, graph_of(test), tolerance_.layer, true));
      }
    }
  }

  void models() {
    for (const Family* family : families()) {
      for (const SelftestModel& model : family->selftest) {
        if (model.size == 0) continue;
        const Graph graph = build_graph(make_config(model.architecture, {{"image_size", model.size}}), 2);
        const std::string name = fmt::format("{} at {}", model.architecture, model.size);
        keep(result_.models, checked(name, graph, tolerance_.model, false));
      }
    }
  }

  void speeds() {
    for (const Family* family : families()) {
      for (const SelftestModel& model : family->selftest) {
        if (!model.timed) continue;
        for (const std::int64_t batch : {1, 32}) keep(result_.speeds, timed(model.architecture, batch));
      }
    }
  }

  SelftestResult result() { return std::move(result_); }

 private:
  static constexpr int kRuns = 10;

  void keep(std::vector<SelftestRow>& rows, SelftestRow row) {
    done_(row);
    rows.push_back(std::move(row));
  }

  Session session(const Graph& graph, WeightStore weights, const Backend& backend) const {
    return Session(Program::compile(graph, std::move(weights), backend,
                                    {.optimise = options_.optimise, .threads = options_.threads}));
  }

  static double gflops(const Graph& graph, double ms) {
    const double macs = static_cast<double>(totals(graph).macs * graph.batch());
    return ms > 0 ? 2 * macs / ms / 1e6 : 0;
  }

  // Of a layer's graph, the last node but one is the layer.
  SelftestRow checked(std::string name, const Graph& graph, double tolerance, bool layer) const {
    const Tensor input = made_input(graph.shape(graph.input_id()));
    WeightStore weights = seeded_weights(graph);
    Session expected = session(graph, weights.clone(), *reference_);
    Session found = session(graph, std::move(weights), *backend_);
    SelftestRow row{.name = std::move(name), .tolerance = tolerance};
    row.reference_ms = ms_of([&] { expected.run(input.view()); });
    if (layer) {
      row.implementation = found.program().kernel(found.program().graph().nodes().size() - 2).implementation();
    }
    // Its first runs may be other than those that come after: all are looked at.
    for (int run = 0; run < 3; ++run) {
      const double error = relative_error(found.run(input.view()).values(), expected.run(input.view()).values());
      if (!(error <= row.error)) row.error = error;
    }
    row.ms = median_ms(found, input.view(), kRuns);
    row.gflops = gflops(graph, row.ms);
    return row;
  }

  SelftestRow timed(const char* name, std::int64_t batch) const {
    const Graph graph = build_graph(make_config(name), batch);
    Session found = session(graph, seeded_weights(graph), *backend_);
    const Tensor input = made_input(graph.shape(graph.input_id()));
    SelftestRow row{.name = fmt::format("{}, batch {}", name, batch)};
    row.ms = median_ms(found, input.view(), kRuns);
    row.gflops = gflops(graph, row.ms);
    return row;
  }

  const RunOptions& options_;
  const std::function<void(const SelftestRow&)>& done_;
  SelftestTolerance tolerance_;
  std::unique_ptr<Backend> backend_, reference_;
  SelftestResult result_;
};

std::string share_passed(const std::vector<SelftestRow>& rows) {
  return fmt::format("{}/{}", std::ranges::count_if(rows, &SelftestRow::passed), rows.size());
}

const SelftestRow& worst(const std::vector<SelftestRow>& rows) {
  return *std::ranges::max_element(
      rows, {}, [](const SelftestRow& row) { return std::isfinite(row.error) ? row.error : HUGE_VAL; });
}

}  // namespace

bool SelftestResult::passed() const {
  return std::ranges::all_of(layers, &SelftestRow::passed) && std::ranges::all_of(models, &SelftestRow::passed);
}

// Half a step of the type for each factor and each value that is kept, times what the worst of some thousands of values
// and the depth of a model make of it.
SelftestTolerance selftest_tolerance(const std::string& dtype) {
  if (dtype == "f32") return {.layer = 1e-4, .model = 5e-4};
  if (dtype == "tf32" || dtype == "f16") return {.layer = 1e-2, .model = 5e-2};
  if (dtype == "bf16") return {.layer = 8e-2, .model = 4e-1};
  throw UsageError("selftest checks f32, tf32, f16 and bf16, not " + dtype);
}

SelftestResult run_selftest(const RunOptions& options, bool full, const std::function<void(const SelftestRow&)>& done) {
  Selftest test(options, done);
  test.layers();
  test.models();
  if (full) test.speeds();
  return test.result();
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
