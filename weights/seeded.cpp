#include "weights/seeded.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <string>
#include <utility>

#include "core/thread_pool.h"

namespace tessera {

namespace {

constexpr std::uint64_t kGolden = 0x9E3779B97F4A7C15ULL;

std::uint64_t fnv1a(std::string_view text) {
  std::uint64_t hash = 14695981039346656037ULL;
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211ULL;
  return hash;
}

// splitmix64's finaliser (Steele et al. 2014, doi:10.1145/2660193.2660195).
std::uint64_t mix(std::uint64_t z) {
  z = (z ^ (z >> 30U)) * 0xBF58476D1CE4E5B9ULL;
  z = (z ^ (z >> 27U)) * 0x94D049BB133111EBULL;
  return z ^ (z >> 31U);
}

class SeededWeights final : public WeightSource {
 public:
  explicit SeededWeights(std::uint64_t seed) : seed_(seed) {}
  Tensor take(const WeightSpec& spec) override { return seeded_tensor(spec, seed_); }

 private:
  std::uint64_t seed_;
};

}  // namespace

Tensor seeded_tensor(const WeightSpec& spec, std::uint64_t seed) {
  const SeededRange range = spec.seeded;
  const double width = range.high - range.low;
  const std::uint64_t start = seed * kGolden + fnv1a(spec.name);
  Tensor tensor(spec.shape);
  std::uint64_t index = 0;
  for (float& value : tensor.values()) {
    const std::uint64_t bits = mix(start + ++index * kGolden) >> 40U;
    value = static_cast<float>(range.low + width * (static_cast<double>(static_cast<std::int64_t>(bits)) / 16777216.0));
  }
  return tensor;
}

OpenedModel open_seeded(const ModelConfig& config, std::uint64_t seed) {
  return {.card = seeded_card(config, seed), .weights = std::make_unique<SeededWeights>(seed)};
}

ModelCard seeded_card(const ModelConfig& config, std::uint64_t seed) {
  constexpr std::int64_t kImageNetClasses = 1000;
  ModelCard card;
  card.name = "seeded:" + config.architecture + "@" + std::to_string(seed);
  card.config = config;
  card.preprocess = find_architecture(config.architecture).preprocess;
  if (class_count(config) == kImageNetClasses) card.labels = LabelSet::imagenet_1k();
  card.source = {kSeededOrigin, "", "", "generated values, not trained: predictions mean nothing"};
  card.sha256 = card.name;
  return card;
}

LoadedModel seeded_model(const ModelConfig& config, std::uint64_t seed, int threads) {
  const auto start = std::chrono::steady_clock::now();
  const std::vector<WeightSpec> specs = build_graph(config).weight_specs();
  std::vector<Tensor> tensors(specs.size());
  ThreadPool pool(threads);
  pool.for_each(static_cast<std::int64_t>(specs.size()), [&](std::int64_t index, int) {
    const auto i = static_cast<std::size_t>(index);
    tensors[i] = seeded_tensor(specs[i], seed);
  });
  LoadedModel model;
  model.card = seeded_card(config, seed);
  for (std::size_t i = 0; i < specs.size(); ++i) model.weights.put(specs[i].name, std::move(tensors[i]));
  model.load_ms = std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count();
  return model;
}

}  // namespace tessera
