#include "models/timm_table.h"

#include <algorithm>
#include <vector>

#include "core/error.h"
#include "core/nearest.h"

namespace tessera {

namespace {

struct Colours {
  std::array<float, 3> mean, std;
};

constexpr Colours kColours[] = {
#define TESSERA_TIMM_COLOURS
#include "models/timm_table.inc"
#undef TESSERA_TIMM_COLOURS
};

Preprocess prepared(const TimmWeights& weights, Sides size, double crop_pct) {
  const Colours& colours = kColours[static_cast<std::size_t>(weights.colours)];
  Preprocess p = Preprocess::timm(size, crop_pct, filter_from_string(weights.interpolation), colours.mean, colours.std);
  if (weights.crop_mode == "squash") p.resize_mode = ResizeMode::kSquash;
  return p;
}

}  // namespace

// Not constexpr: clang counts the letters of each text as steps, and there are more than it takes.
std::span<const TimmArchitecture> timm_architectures() {
  static const TimmArchitecture rows[] = {
#define TESSERA_TIMM_ARCHITECTURES
#include "models/timm_table.inc"
#undef TESSERA_TIMM_ARCHITECTURES
  };
  return rows;
}

std::span<const TimmWeights> timm_weights() {
  static const TimmWeights rows[] = {
#define TESSERA_TIMM_WEIGHTS
#include "models/timm_table.inc"
#undef TESSERA_TIMM_WEIGHTS
  };
  return rows;
}

const TimmArchitecture* find_timm_architecture(std::string_view name) {
  const auto rows = timm_architectures();
  const auto found = std::ranges::lower_bound(rows, name, {}, &TimmArchitecture::name);
  return found != rows.end() && found->name == name ? &*found : nullptr;
}

const TimmWeights* default_timm_weights(std::string_view architecture) {
  const auto rows = timm_weights();
  const auto found = std::ranges::lower_bound(rows, architecture, {}, &TimmWeights::architecture);
  return found != rows.end() && found->architecture() == architecture ? &*found : nullptr;
}

const TimmWeights* find_timm_weights(std::string_view name) {
  name = name.substr(name.rfind('/') == std::string_view::npos ? 0 : name.rfind('/') + 1);
  if (name.find('.') == std::string_view::npos) return nullptr;
  const auto rows = timm_weights();
  const auto found = std::ranges::find(rows, name, &TimmWeights::name);
  return found == rows.end() ? nullptr : &*found;
}

std::optional<PublishedAccuracy> published_accuracy(std::string_view name, Sides pictures) {
  const TimmWeights* weights = find_timm_weights(name);
  if (weights == nullptr || !pictures.square()) return std::nullopt;
  const auto result = std::ranges::find(weights->results, pictures.height, &PublishedResult::image_size);
  if (result == weights->results.end()) return std::nullopt;
  return PublishedAccuracy{std::string(weights->name), result->image_size, result->top1, result->top5};
}

Preprocess preprocess_of(const TimmWeights& weights) { return prepared(weights, weights.input, weights.crop_pct); }

Preprocess at_timms_size(const Preprocess& preprocess, const TimmWeights& weights, std::string_view when) {
  if (when != "train" && when != "test") {
    throw UsageError(unknown_word("--size", when, std::vector<std::string>{"train", "test"}));
  }
  const Preprocess timm = when == "test" ? test_preprocess_of(weights) : preprocess_of(weights);
  Preprocess sized = preprocess;
  sized.resize_mode = timm.resize_mode;
  sized.resize = timm.resize;
  sized.crop = timm.crop;
  sized.crop_fraction = timm.crop_fraction;
  return sized;
}

Preprocess test_preprocess_of(const TimmWeights& weights) {
  return prepared(weights, weights.test_input.height > 0 ? weights.test_input : weights.input,
                  weights.test_crop_pct > 0 ? weights.test_crop_pct : weights.crop_pct);
}

}  // namespace tessera
