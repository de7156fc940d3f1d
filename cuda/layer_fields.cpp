#include "cuda/layer_fields.h"

#include <algorithm>
#include <span>
#include <string>
#include <utility>

#include "cuda/failure.h"

namespace tessera::cuda {

namespace {

std::span<const TesseraField> fields_of(const TesseraLayer& layer) {
  return {layer.fields, static_cast<std::size_t>(layer.field_count)};
}

}  // namespace

Activation activation_of(std::string_view name) {
  static constexpr std::pair<std::string_view, Activation> kNames[] = {{"none", Activation::kNone},
                                                                       {"relu", Activation::kRelu},
                                                                       {"relu6", Activation::kRelu6},
                                                                       {"silu", Activation::kSilu},
                                                                       {"hard_swish", Activation::kHardSwish},
                                                                       {"gelu", Activation::kGelu},
                                                                       {"sigmoid", Activation::kSigmoid}};
  for (const auto& [known, activation] : kNames) {
    if (known == name) return activation;
  }
  throw Failure(kUsage, "the device has no activation '" + std::string(name) + "'");
}

LayerFields::LayerFields(const TesseraLayer& layer, std::initializer_list<std::string_view> known) : layer_(layer) {
  for (const TesseraField& field : fields_of(layer)) {
    if (std::ranges::find(known, std::string_view(field.key)) != known.end()) continue;
    throw Failure(kUsage, "the device does not know '" + std::string(field.key) + "' of " + layer.name);
  }
}

std::array<std::int64_t, 2> LayerFields::pair(std::string_view key) const {
  const TesseraField& field = find(key, TESSERA_PAIR);
  return {field.integers[0], field.integers[1]};
}

const TesseraField& LayerFields::find(std::string_view key, TesseraTag tag) const {
  for (const TesseraField& field : fields_of(layer_)) {
    if (key == field.key && field.tag == tag) return field;
  }
  throw Failure(kInternal, std::string(layer_.name) + " came without its '" + std::string(key) + "'");
}

}  // namespace tessera::cuda
