#include "tests/layers/case_file.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <span>
#include <utility>

#include "core/error.h"
#include "weights/hdf5.h"

namespace tessera {

namespace {

using Json = nlohmann::json;

Size2 size2(const Json& json) { return {json.at(0).get<std::int64_t>(), json.at(1).get<std::int64_t>()}; }

ActivationKind activation_of(const Json& a) { return activation_from_string(a.at("activation").get<std::string>()); }

Conv2d make_conv2d(const Json& a) {
  Conv2d conv{.out_channels = a.at("out_channels"),
              .kernel = size2(a.at("kernel")),
              .stride = size2(a.at("stride")),
              .padding = size2(a.at("padding")),
              .padding_same = a.at("padding_same"),
              .dilation = size2(a.at("dilation")),
              .groups = a.at("groups"),
              .bias = a.at("bias"),
              .residual = a.at("residual"),
              .activation = activation_of(a)};
  if (!a.at("folded_batch_norm").is_null()) conv.folded_batch_norm = a.at("folded_batch_norm").get<float>();
  return conv;
}

Layer make_layer(const std::string& kind, const Json& a) {
  if (kind == "Conv2d") return make_conv2d(a);
  if (kind == "InvertedResidual") {
    InvertedResidual block{
        .expand = {}, .depthwise = make_conv2d(a.at("depthwise")), .project = make_conv2d(a.at("project"))};
    if (!a.at("expand").is_null()) block.expand = make_conv2d(a.at("expand"));
    return block;
  }
  if (kind == "Linear") {
    return Linear{.out_features = a.at("out_features"),
                  .bias = a.at("bias"),
                  .residual = a.at("residual"),
                  .activation = activation_of(a),
                  .folded_layer_scale = a.at("folded_layer_scale")};
  }
  if (kind == "BatchNorm") return BatchNorm{.epsilon = a.at("epsilon")};
  if (kind == "LayerNorm") return LayerNorm{.epsilon = a.at("epsilon")};
  if (kind == "Attention") return Attention{.heads = a.at("heads")};
  if (kind == "PatchEmbed") return PatchEmbed{.patch = a.at("patch"), .width = a.at("width")};
  if (kind == "TokenEmbed") {
    TokenEmbed embed;
    embed.class_token = a.at("class_token");
    embed.registers = a.at("registers");
    embed.position_covers_class = a.at("position_covers_class");
    embed.stored_grid = size2(a.at("stored_grid"));
    embed.grid = size2(a.at("grid"));
    embed.antialias = a.at("antialias");
    return embed;
  }
  if (kind == "TokenPool") {
    return TokenPool{.kind = a.at("kind") == "first" ? TokenPoolKind::kFirst : TokenPoolKind::kMean,
                     .skip = a.at("skip")};
  }
  if (kind == "Pool2d") {
    return Pool2d{.kind = a.at("kind") == "max" ? PoolKind::kMax : PoolKind::kAverage,
                  .kernel = size2(a.at("kernel")),
                  .stride = size2(a.at("stride")),
                  .padding = size2(a.at("padding")),
                  .ceil_mode = a.at("ceil_mode"),
                  .count_include_pad = a.value("count_include_pad", true)};
  }
  if (kind == "GlobalAveragePool") return GlobalAveragePool{.keep_dimensions = a.at("keep_dimensions")};
  if (kind == "Activation") return Activation{.kind = activation_from_string(a.at("kind").get<std::string>())};
  if (kind == "Softmax") return Softmax{};
  if (kind == "Add") return Add{};
  if (kind == "Multiply") return Multiply{};
  if (kind == "Concat") return Concat{};
  if (kind == "Flatten") return Flatten{};
  if (kind == "LayerScale") return LayerScale{};
  if (kind == "Dropout") return Dropout{};
  throw InternalError("no such layer in the cases: " + kind);
}

Shape shape_of(const Json& json) { return Shape(json.get<std::vector<std::int64_t>>()); }

// One of the file's flat datasets, out of which the cases take their tensors in turn.
class Values {
 public:
  Values(const Hdf5Reader& file, const std::string& name) {
    const Hdf5Dataset dataset = file.locate_vector(name, Hdf5Type::kFloat32, 1 << 22);
    values_.resize(static_cast<std::size_t>(dataset.shape.count()));
    file.read(dataset, values_.data());
  }
  Tensor take(const Shape& shape) {
    const auto count = static_cast<std::size_t>(shape.count());
    if (count > values_.size() - at_) throw InternalError("the cases' file is shorter than its index says");
    at_ += count;
    return Tensor::from(std::span(values_).subspan(at_ - count, count), shape);
  }
  bool at_end() const { return at_ == values_.size(); }

 private:
  std::vector<float> values_;
  std::size_t at_ = 0;
};

std::int64_t reduction_of(const LayerCase& entry) {
  const std::vector<Shape> in{entry.inputs[0].shape()};
  const Shape& out = entry.output.shape();
  return std::max<std::int64_t>(1, layer_macs(entry.layer, in, out) / std::max<std::int64_t>(1, out.count()));
}

struct Cases {
  std::vector<LayerCase> single;
  std::vector<SqueezeExciteCase> squeeze_excite;
};

Cases read_cases() {
  const Hdf5Reader file(TESSERA_TEST_DATA "/layers/cases.h5");
  Values inputs(file, "/inputs"), weights(file, "/weights"), outputs(file, "/outputs");
  Cases cases;
  for (const Json& json : Json::parse(file.read_text("/index", 1 << 20))) {
    LayerCase entry;
    entry.name = json.at("name");
    for (const Json& shape : json.at("inputs")) entry.inputs.push_back(inputs.take(shape_of(shape)));
    for (const Json& weight : json.at("weights")) {
      entry.weight_specs.push_back({weight.at("name"), shape_of(weight.at("shape"))});
      entry.weights.push_back(weights.take(entry.weight_specs.back().shape));
    }
    entry.output = outputs.take(shape_of(json.at("output")));
    const Json& attributes = json.at("attributes");
    if (json.at("layer") == "SqueezeExcite") {
      cases.squeeze_excite.push_back({std::move(entry), attributes.at("reduced"),
                                      activation_from_string(attributes.at("inner").get<std::string>())});
      continue;
    }
    entry.layer = make_layer(json.at("layer"), attributes);
    entry.reduction = reduction_of(entry);
    cases.single.push_back(std::move(entry));
  }
  if (!inputs.at_end() || !weights.at_end() || !outputs.at_end()) {
    throw InternalError("the cases' file is longer than its index says");
  }
  return cases;
}

const Cases& all_cases() {
  static const Cases cases = read_cases();
  return cases;
}

}  // namespace

const std::vector<LayerCase>& layer_cases() { return all_cases().single; }

const std::vector<SqueezeExciteCase>& squeeze_excite_cases() { return all_cases().squeeze_excite; }

}  // namespace tessera
