#include "tests/layers/case_file.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <span>
#include <utility>

#include "core/error.h"
#include "layers/layer_json.h"
#include "weights/hdf5.h"

namespace tessera {

namespace {

using Json = nlohmann::json;

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
  // Cosines times up to 100: their rounding errors, so many times over, become factors of the weights.
  const auto* const attention = std::get_if<Attention>(&entry.layer);
  const std::int64_t widened = attention != nullptr && attention->cosine ? 256 : 1;
  return widened * std::max<std::int64_t>(1, layer_macs(entry.layer, in, out) / std::max<std::int64_t>(1, out.count()));
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
      cases.squeeze_excite.push_back(
          {std::move(entry), attributes.at("reduced"),
           from_string<ActivationKind>("activation", attributes.at("inner").get<std::string>())});
      continue;
    }
    entry.layer = layer_from_json(json.at("layer").get<std::string>(), attributes);
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
