// Time of each layer at the shapes that real models give it, and of the whole models at batch 1, by the CPU kernels and
// by the readable layers; and of a parallel region that does nothing.
//
//   layers_bench --benchmark_filter='resnet50/.*/cpu/threads:2'
//
// Layers are taken out of the models' graphs, each distinct one once: "resnet50/layer1.0.conv1/Conv2d 64, kernel 1/x3"
// stands for three layers of that shape. Layers with multiply-adds are those of the fused graph; the others, which the
// passes remove, come from the graph as the paper draws it. Counters, each per second: GFLOP (two per multiply-add) and
// GB (inputs, weights and output, each touched once); and the GFLOP's percentage of the machine's own peak, which is
// measured before the first benchmark.

#include <benchmark/benchmark.h>
#include <fmt/format.h>

#include <cstdint>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "cpu/cpu_backend.h"
#include "cpu/roofline.h"
#include "engine/passes.h"
#include "engine/program.h"
#include "layers/layer.h"
#include "models/registry.h"
#include "weights/seeded.h"

namespace tessera {
namespace {

constexpr const char* kModels[] = {"resnet50", "vit_base_patch16_224", "efficientnet_lite0"};
constexpr const char* kDevices[] = {"cpu", "eigen"};

std::unique_ptr<Backend> make_device(std::string_view name) {
  return name == "cpu" ? make_cpu_backend() : make_eigen_backend();
}

double peak_gflops(int threads) {
  static std::map<int, double> measured;
  const auto [entry, is_new] = measured.emplace(threads, 0.0);
  if (is_new) entry->second = measure_roofline("auto", threads).gflops;
  return entry->second;
}

struct LayerAtShape {
  std::string path;  // of the first layer of this kind
  Layer layer;
  std::vector<Shape> in;
  std::vector<Shape> weights;  // as prepare() takes them
  int times = 0;               // in the model
};

// Positive, so that they also serve as variances.
Tensor random_tensor(const Shape& shape) {
  std::minstd_rand generator(1);
  std::uniform_real_distribution<float> distribution(0.01F, 1.0F);
  Tensor tensor(shape);
  for (float& value : tensor.values()) value = distribution(generator);
  return tensor;
}

std::vector<Tensor> random_tensors(const std::vector<Shape>& shapes) {
  std::vector<Tensor> tensors;
  for (const Shape& shape : shapes) tensors.push_back(random_tensor(shape));
  return tensors;
}

std::int64_t bytes_of(std::span<const Tensor> tensors) {
  std::int64_t bytes = 0;
  for (const Tensor& tensor : tensors) bytes += tensor.shape().count() * static_cast<std::int64_t>(sizeof(float));
  return bytes;
}

void add_counters(benchmark::State& state, std::int64_t macs, std::int64_t bytes, int threads) {
  using benchmark::Counter;
  const auto rate = [](std::int64_t amount) {
    return Counter(static_cast<double>(amount) * 1e-9, Counter::kIsIterationInvariantRate);
  };
  if (macs > 0) {
    state.counters["GFLOP"] = rate(2 * macs);
    state.counters["peak%"] =
        Counter(static_cast<double>(2 * macs) * 1e-9 / peak_gflops(threads) * 100, Counter::kIsIterationInvariantRate);
  }
  if (bytes > 0) state.counters["GB"] = rate(bytes);
}

void run_layer(benchmark::State& state, const LayerAtShape& entry, const char* device, int threads) {
  const Shape out = layer_output_shape(entry.layer, entry.in);
  const std::vector<Tensor> inputs = random_tensors(entry.in);
  const std::vector<ValueType> types(inputs.size());
  Node node;
  node.layer = entry.layer;
  const auto kernel =
      make_device(device)->prepare({node, entry.in, out, types, {}, threads}, random_tensors(entry.weights));
  Tensor output(out);
  Tensor scratch(Shape{kernel->scratch()});
  ThreadPool pool(threads);
  std::vector<ConstValueView> views;
  for (const Tensor& input : inputs) views.emplace_back(input.view());
  for (auto _ : state) {
    kernel->run({views, ValueView(output.view()), scratch.values(), pool});
    benchmark::DoNotOptimize(output.data());
    benchmark::ClobberMemory();
  }
  const std::int64_t moved =
      bytes_of(inputs) + static_cast<std::int64_t>(kernel->weight_bytes()) + bytes_of({&output, 1});
  add_counters(state, layer_macs(entry.layer, entry.in, out), moved, threads);
  state.SetLabel(std::string(kernel->implementation()));
}

void run_model(benchmark::State& state, const char* name, const char* device, int threads) {
  LoadedModel model = seeded_model(make_config(name), 1, threads);
  const auto program = Program::compile(build_graph(model.card.config), std::move(model.weights), *make_device(device),
                                        {.threads = threads});
  Session session(program);
  const Tensor input = random_tensor(program->graph().shape(program->graph().input_id()));
  for (auto _ : state) benchmark::DoNotOptimize(session.run(input.view()).data());
  add_counters(state, totals(program->graph()).macs, 0, threads);
}

// What it costs to start all threads of a pool on something and to wait for them.
void run_region(benchmark::State& state) {
  const auto threads = static_cast<int>(state.range(0));
  ThreadPool pool(threads);
  for (auto _ : state) {
    pool.for_each(threads, [](std::int64_t index, int) { benchmark::DoNotOptimize(index); });
  }
}
BENCHMARK(run_region)
    ->Name("thread_pool/region/threads")
    ->DenseRange(1, 4)
    ->UseRealTime()
    ->Unit(benchmark::kMicrosecond);

// The distinct layers of a graph, those with multiply-adds or those without.
void collect(const Graph& graph, bool with_macs, std::map<std::string, LayerAtShape>& distinct) {
  for (const Node& node : graph.nodes()) {
    const std::vector<Shape> in = graph.input_shapes(node);
    if ((layer_macs(node.layer, in, graph.shape(node.output)) > 0) != with_macs) continue;
    std::string key = fmt::format("{} {}", layer_name(node.layer), layer_attributes(node.layer));
    for (const Shape& shape : in) key += to_string(shape);
    LayerAtShape& entry = distinct[key];
    if (entry.times++ > 0) continue;
    entry.path = node.path;
    entry.layer = node.layer;
    entry.in = in;
    for (const WeightSpec& spec : node.weights) entry.weights.push_back(spec.shape);
  }
}

void register_model(const char* model) {
  const Graph drawn = build_graph(make_config(model));
  Graph fused = build_graph(make_config(model));
  run_passes(fused, {});
  std::map<std::string, LayerAtShape> distinct;
  collect(fused, true, distinct);
  collect(drawn, false, distinct);
  for (const char* device : kDevices) {
    for (const int threads : {1, 2}) {
      const std::string end = fmt::format("{}/threads:{}", device, threads);
      for (const auto& [key, entry] : distinct) {
        const std::string name = fmt::format("{}/{}/{} {}/x{}/{}", model, entry.path, layer_name(entry.layer),
                                             layer_attributes(entry.layer), entry.times, end);
        benchmark::RegisterBenchmark(name.c_str(), run_layer, entry, device, threads)
            ->UseRealTime()
            ->Unit(benchmark::kMillisecond);
      }
      benchmark::RegisterBenchmark(fmt::format("{}/whole/{}", model, end).c_str(), run_model, model, device, threads)
          ->UseRealTime()
          ->Unit(benchmark::kMillisecond);
    }
  }
}

}  // namespace
}  // namespace tessera

int main(int argc, char** argv) {
  for (const char* model : tessera::kModels) tessera::register_model(model);
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 2;
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}
