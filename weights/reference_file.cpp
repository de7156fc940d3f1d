#include "weights/reference_file.h"

#include <nlohmann/json.hpp>

#include "core/error.h"
#include "core/json.h"
#include "weights/hdf5.h"

namespace tessera {

namespace {

using Json = nlohmann::json;

constexpr std::int64_t kMostIndexBytes = 16 << 20;
constexpr std::int64_t kMostValues = std::int64_t{1} << 28;  // of one activation, and of all together

Shape shape_from_json(const Json& json) {
  const auto dimensions = json.get<std::vector<std::int64_t>>();
  std::int64_t count = 1;
  for (const std::int64_t length : dimensions) {
    if (length < 1 || __builtin_mul_overflow(count, length, &count) || count > kMostValues) {
      throw ModelFileError("an impossible shape " + json.dump());
    }
  }
  if (dimensions.size() > Shape::kMaxRank) throw ModelFileError("too many dimensions in " + json.dump());
  return Shape(dimensions);
}

Json to_json(const Shape& shape) {
  return std::vector<std::int64_t>(shape.dimensions().begin(), shape.dimensions().end());
}

ReferenceActivation read_activation(const Hdf5Reader& file, const Json& entry) {
  ReferenceActivation activation;
  activation.path = entry.at("path").get<std::string>();
  activation.shape = shape_from_json(entry.at("shape"));
  const std::int64_t count = activation.shape.count();
  const std::string key = entry.at("key").get<std::string>();
  if (key.find('/') != std::string::npos || key.empty()) throw ModelFileError("a bad key '" + key + "'");
  const Hdf5Dataset values = file.locate_vector("/values/" + key, Hdf5Type::kFloat64, count);
  activation.values.resize(static_cast<std::size_t>(values.shape[0]));
  file.read(values, activation.values.data());
  if (entry.value("sampled", false)) {
    activation.indices.resize(activation.values.size());
    file.read(file.locate("/indices/" + key, Hdf5Type::kInt64, values.shape), activation.indices.data());
    for (const std::int64_t index : activation.indices) {
      if (index < 0 || index >= count) throw ModelFileError(activation.path + ": a sample lies outside the activation");
    }
  } else if (values.shape[0] != count) {
    throw ModelFileError(activation.path + ": " + std::to_string(values.shape[0]) + " values for " +
                         to_string(activation.shape));
  }
  return activation;
}

}  // namespace

ReferenceFile read_reference_file(const std::filesystem::path& path) {
  const Hdf5Reader file(path);
  const Json index = parse_json(file.read_text("/index", kMostIndexBytes));
  try {
    ReferenceFile reference;
    reference.model = index.at("model").get<std::string>();
    const Hdf5Dataset input = file.locate("/input", Hdf5Type::kFloat32, shape_from_json(index.at("input")));
    reference.input = Tensor(input.shape);
    file.read(input, reference.input.data());
    const Hdf5Dataset output = file.locate("/output", Hdf5Type::kFloat64, shape_from_json(index.at("output")));
    reference.output_shape = output.shape;
    reference.output.resize(static_cast<std::size_t>(output.shape.count()));
    file.read(output, reference.output.data());
    std::size_t values = 0;
    for (const Json& entry : index.at("activations")) {
      reference.activations.push_back(read_activation(file, entry));
      values += reference.activations.back().values.size();
      if (values > static_cast<std::size_t>(kMostValues)) throw ModelFileError("has too many values");
    }
    return reference;
  } catch (const Json::exception& error) {
    throw ModelFileError(path.string() + ": its index is damaged (" + error.what() + ")");
  } catch (const ModelFileError& error) {
    throw ModelFileError(path.string() + ": " + error.what());
  }
}

void write_reference_file(const std::filesystem::path& path, const ReferenceFile& reference) {
  Hdf5Writer file(path);
  Json activations = Json::array();
  for (std::size_t i = 0; i < reference.activations.size(); ++i) {
    const ReferenceActivation& activation = reference.activations[i];
    const std::string key = std::to_string(i);
    const auto count = static_cast<std::int64_t>(activation.values.size());
    file.write("/values/" + key, Hdf5Type::kFloat64, {count}, activation.values.data());
    if (!activation.indices.empty()) {
      file.write("/indices/" + key, Hdf5Type::kInt64, {count}, activation.indices.data());
    }
    activations.push_back({{"path", activation.path},
                           {"shape", to_json(activation.shape)},
                           {"key", key},
                           {"sampled", !activation.indices.empty()}});
  }
  file.write("/input", Hdf5Type::kFloat32, reference.input.shape(), reference.input.data());
  file.write("/output", Hdf5Type::kFloat64, reference.output_shape, reference.output.data());
  const Json index{{"model", reference.model},
                   {"input", to_json(reference.input.shape())},
                   {"output", to_json(reference.output_shape)},
                   {"activations", activations}};
  file.write_text("/index", index.dump(1));
  file.commit();
}

}  // namespace tessera
