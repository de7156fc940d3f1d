#include "evaluation/classifier.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <limits>
#include <numeric>

#include "core/error.h"
#include "core/nearest.h"
#include "cpu/cpu_backend.h"
#include "cpu/tuning.h"
#include "engine/passes.h"
#include "evaluation/cuda_device.h"
#include "evaluation/tuning_cache.h"
#include "weights/sha256.h"

namespace tessera {

namespace {

using Clock = std::chrono::steady_clock;

double ms_since(Clock::time_point start) {
  return std::chrono::duration<double, std::milli>(Clock::now() - start).count();
}

Graph graph_of(const ModelCard& card, std::int64_t max_batch) {
  const Sides size = picture_sides(card.config);
  if (size != card.preprocess.output_size()) {
    throw UsageError(fmt::format("{}: the model takes pictures of {}, its preprocessing gives {}", card.name,
                                 to_string(size), to_string(card.preprocess.output_size())));
  }
  return build_graph(card.config, max_batch);
}

Precision precision_from_string(const std::string& dtype) {
  if (dtype == "f32") return Precision::kF32;
  if (dtype == "bf16") return Precision::kBf16;
  if (dtype == "int8") return Precision::kInt8;
  if (dtype == "tf32" || dtype == "f16") throw UsageError("--dtype " + dtype + " needs a GPU (--device cuda)");
  throw UsageError(unknown_word("dtype", dtype, std::vector<std::string>{"f32", "bf16", "int8", "tf32", "f16"}));
}

// From black to white, after normalising.
ValueRange picture_range(const Preprocess& preprocess) {
  ValueRange range;
  for (std::size_t c = 0; c < preprocess.mean.size(); ++c) {
    range.low = std::min(range.low, (0 - preprocess.mean[c]) / preprocess.std[c]);
    range.high = std::max(range.high, (1 - preprocess.mean[c]) / preprocess.std[c]);
  }
  return range;
}

CpuOptions cpu_options(const RunOptions& options, const ModelCard& card) {
  const Precision precision = precision_from_string(options.dtype);
  if (precision == Precision::kInt8 && card.calibration.ranges.empty()) {
    throw UsageError(card.name +
                     " is not calibrated for --dtype int8; `tessera quantize MODEL --calibrate PICTURES "
                     "-o FILE.h5` measures the ranges of its activations");
  }
  return {.isa = options.isa,
          .exact = options.exact,
          .precision = precision,
          .ranges = card.calibration.ranges,
          .input_range = picture_range(card.preprocess)};
}

// From the cache, completed for the layers of this model.
KernelChoices tuned_choices(const RunOptions& options, const ModelCard& card, CpuOptions cpu) {
  cpu.choices = read_tuning_cache();
  Graph graph = graph_of(card, options.max_batch);
  const std::unique_ptr<Backend> backend = make_cpu_backend(cpu);
  if (options.optimise) {
    run_passes(graph, {});
    backend->rewrite(graph, {});
  }
  BatchPlan plan{graph.batch(), 1, options.threads};
  if (options.taps.empty()) plan = plan_batch(graph, *backend, options.threads);
  graph.set_batch(plan.at_a_time);
  KernelChoices choices = tune_kernels(graph, cpu, plan.threads);
  if (choices != cpu.choices) write_tuning_cache(choices);
  return choices;
}

}  // namespace

std::unique_ptr<Backend> make_backend(const RunOptions& options, const ModelCard& card) {
  const std::string& device = options.device;
  if (device == "auto") {
    if (std::unique_ptr<Backend> cuda = make_cuda_backend_if_there(options); cuda != nullptr) return cuda;
  }
  if (device == "auto" || device == "cpu") {
    CpuOptions cpu = cpu_options(options, card);
    if (options.tune) cpu.choices = tuned_choices(options, card, cpu);
    return make_cpu_backend(cpu);
  }
  if (device == "eigen") {
    if (options.dtype != "f32") throw UsageError("--device eigen computes in f32 only, not " + options.dtype);
    if (options.tune) throw UsageError("--tune chooses between kernels; --device eigen has one for each layer");
    return make_eigen_backend();
  }
  if (device == "cuda" || device.starts_with("cuda:")) return make_cuda_backend(options);
  throw UsageError(unknown_word("device", device, std::vector<std::string>{"auto", "cpu", "eigen", "cuda", "cuda:N"}));
}

std::string isa_in_use(const RunOptions& options, std::string_view device) {
  if (device != "cpu") return "";
  return options.isa == "auto" ? cpu_isas().front() : options.isa;
}

std::string kernels_sha256(const Program& program) {
  std::string text;
  for (std::size_t n = 0; n < program.graph().nodes().size(); ++n) {
    text += fmt::format("{} {}\n", program.graph().nodes()[n].path, program.kernel(n).implementation());
  }
  return sha256(std::as_bytes(std::span(text)));
}

Preprocess choose_preprocess(const ModelCard& card, const std::string& choice, int pillow) {
  Preprocess preprocess = card.preprocess;
  if (choice != "model") preprocess.flavour = flavour_from_string(choice);
  if (pillow != 0) {
    check_pillow(pillow);
    preprocess.pillow = pillow;
  }
  return preprocess;
}

std::string fault_of_logits(std::span<const float> logits) {
  const auto bad = std::ranges::find_if_not(logits, [](float logit) { return std::isfinite(logit); });
  if (bad == logits.end()) return "";
  const char* const name = std::isnan(*bad) ? "nan" : *bad > 0 ? "infinite" : "minus infinity";
  return fmt::format("logit {} of {} is {}", bad - logits.begin(), logits.size(), name);
}

std::vector<double> probabilities(std::span<const float> logits) {
  if (const std::string fault = fault_of_logits(logits); !fault.empty()) throw ModelFileError(fault);
  const double largest = *std::ranges::max_element(logits);
  std::vector<double> result;
  result.reserve(logits.size());
  for (const float logit : logits) result.push_back(std::exp(double{logit} - largest));
  const double sum = std::accumulate(result.begin(), result.end(), 0.0);
  for (double& value : result) value /= sum;
  return result;
}

namespace {
// What is no number comes last: sorting needs an order.
double order_of(double value) { return std::isnan(value) ? -std::numeric_limits<double>::infinity() : value; }
}  // namespace

std::vector<ClassProbability> top(std::span<const double> probabilities, std::size_t count) {
  std::vector<int> order(probabilities.size());
  std::iota(order.begin(), order.end(), 0);
  count = std::min(count, order.size());
  std::ranges::partial_sort(order, order.begin() + static_cast<std::ptrdiff_t>(count), [&](int a, int b) {
    const double pa = order_of(probabilities[static_cast<std::size_t>(a)]);
    const double pb = order_of(probabilities[static_cast<std::size_t>(b)]);
    return pa != pb ? pa > pb : a < b;
  });
  std::vector<ClassProbability> result;
  for (std::size_t i = 0; i < count; ++i) {
    result.push_back({order[i], probabilities[static_cast<std::size_t>(order[i])]});
  }
  return result;
}

Classifier::Classifier(const std::string& name, const RunOptions& options)
    : Classifier(open_model(name, {.verify = options.verify_weights,
                                   .image_size = options.image_size,
                                   .timm_size = options.timm_size}),
                 options) {}

Classifier::Classifier(LoadedModel model, const RunOptions& options)
    : Classifier(OpenedModel{.card = std::move(model.card),
                             .weights = std::make_unique<StoredWeights>(std::move(model.weights)),
                             .open_ms = model.load_ms},
                 options) {}

Classifier::Classifier(OpenedModel model, const RunOptions& options) {
  card_ = std::move(model.card);
  card_.preprocess = choose_preprocess(card_, options.preprocess, options.pillow);
  const std::unique_ptr<Backend> backend = make_backend(options, card_);
  const auto start = Clock::now();  // tuning, which is done once on a machine, is not loading
  session_ = std::make_unique<Session>(Program::compile(
      graph_of(card_, options.max_batch), *model.weights, *backend,
      {.optimise = options.optimise, .rewrite = options.rewrite, .taps = options.taps, .threads = options.threads}));
  Shape input = program().graph().shape(program().graph().input_id());
  input[0] = program().max_batch();
  input_ = Tensor::zeros(input);
  load_ms_ = ms_since(start) + model.open_ms;
}

std::int64_t Classifier::outputs() const { return program().graph().shape(program().graph().output_id())[-1]; }

Shape Classifier::input_shape(std::int64_t batch) const {
  Shape shape = input_.shape();
  shape[0] = batch;
  return shape;
}

View Classifier::input(std::int64_t batch) { return {input_.data(), input_shape(batch)}; }

void Classifier::preprocess(const Image& image, std::int64_t index) {
  preprocess_image(image, card_.preprocess, input_.view().slice(index));
}

ConstView Classifier::run(std::int64_t batch) { return session_->run(input(batch)); }

}  // namespace tessera
