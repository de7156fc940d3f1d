#include "tests/layers/case_file.h"

#include <nlohmann/json.hpp>

#include "weights/hdf5.h"

namespace tessera {

namespace {

using Json = nlohmann::json;

Size2 size2(const Json& json) { return {json.at(0).get<std::int64_t>(), json.at(1).get<std::int64_t>()}; }

ActivationKind activation_of(const Json& a) { return activation_from_string(a.at("activation").get<std::string>()); }

Layer make_layer(const std::string& kind, const Json& a) {
  if (kind == "Conv2d") {
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
  if (kind == "Linear") {
    return Linear{.out_features = a.at("out_features"), .bias = a.at("bias"), .residual = a.at("residual"),
                  .activation = activation_of(a), .folded_layer_scale = a.at("folded_layer_scale")};
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
    return TokenPool{.kind = a.at("kind") == "first" ? TokenPoolKind::kFirst : TokenPoolKind::kMean, .skip = a.at("skip")};
  }
  if (kind == "Pool2d") {
    return Pool2d{.kind = a.at("kind") == "max" ? PoolKind::kMax : PoolKind::kAverage, .kernel = size2(a.at("kernel")),
                  .stride = size2(a.at("stride")), .padding = size2(a.at("padding")), .ceil_mode = a.at("ceil_mode"),
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

Tensor read_tensor(const Hdf5Reader& file, const std::string& path, const Shape& shape) {
  Tensor tensor(shape);
  file.read(file.locate(path, Hdf5Type::kFloat32, shape), tensor.data());
  return tensor;
}

std::int64_t reduction_of(const LayerCase& entry) {
  const std::vector<Shape> in{entry.inputs[0].shape()};
  const std::int64_t macs = layer_macs(entry.layer, in, entry.output_shape);
  return std::max<std::int64_t>(1, macs / std::max<std::int64_t>(1, entry.output_shape.count()));
}

LayerCase read_case(const Hdf5Reader& file, const Json& entry, std::size_t number) {
  LayerCase result;
  result.name = entry.at("name");
  const std::string key = std::to_string(number);
  for (std::size_t j = 0; j < entry.at("inputs").size(); ++j) {
    const std::string path = "/inputs/" + key + "_" + std::to_string(j);
    result.inputs.push_back(read_tensor(file, path, shape_of(entry.at("inputs")[j])));
  }
  for (std::size_t j = 0; j < entry.at("weights").size(); ++j) {
    const Json& weight = entry.at("weights")[j];
    result.weight_specs.push_back({weight.at("name"), shape_of(weight.at("shape"))});
    result.weights.push_back(
        read_tensor(file, "/weights/" + key + "_" + std::to_string(j), result.weight_specs.back().shape));
  }
  result.output_shape = shape_of(entry.at("output"));
  result.output.resize(static_cast<std::size_t>(result.output_shape.count()));
  file.read(file.locate("/outputs/" + key, Hdf5Type::kFloat64, result.output_shape), result.output.data());
  return result;
}

struct Cases {
  std::vector<LayerCase> single;
  LayerCase squeeze_excite;
};

Cases read_cases() {
  const Hdf5Reader file(TESSERA_TEST_DATA "/layers/cases.h5");
  const Json index = Json::parse(file.read_text("/index", 1 << 20));
  Cases cases;
  for (std::size_t i = 0; i < index.size(); ++i) {
    LayerCase entry = read_case(file, index[i], i);
    if (index[i].at("layer") == "SqueezeExcite") {
      cases.squeeze_excite = std::move(entry);
      continue;
    }
    entry.layer = make_layer(index[i].at("layer"), index[i].at("attributes"));
    entry.reduction = reduction_of(entry);
    cases.single.push_back(std::move(entry));
  }
  return cases;
}

}  // namespace

const std::vector<LayerCase>& layer_cases() {
  static const Cases cases = read_cases();
  return cases.single;
}

LayerCase squeeze_excite_case() { return read_cases().squeeze_excite; }

}  // namespace tessera
