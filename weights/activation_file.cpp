#include "weights/activation_file.h"

#include <algorithm>
#include <array>
#include <utility>

#include "core/error.h"
#include "core/json.h"

namespace tessera {

namespace {

using Json = nlohmann::json;

constexpr std::int64_t kMostIndexBytes = 16 << 20;
constexpr std::int64_t kMostValues = std::int64_t{1} << 28;  // of one activation, and of all that are read at once

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

ActivationEntry entry_from_json(const Json& json) {
  ActivationEntry entry{.path = json.at("path").get<std::string>(),
                        .shape = shape_from_json(json.at("shape")),
                        .layer = json.value("layer", ""),
                        .key = json.at("key").get<std::string>(),
                        .sampled = json.value("sampled", false)};
  if (entry.key.find('/') != std::string::npos || entry.key.empty()) {
    throw ModelFileError("a bad key '" + entry.key + "'");
  }
  if (!json.contains("type")) return entry;
  const std::string type = json.at("type").get<std::string>();
  if (type != "f32" && type != "f64") throw ModelFileError(entry.path + ": unknown type '" + type + "'");
  entry.type = type == "f32" ? Hdf5Type::kFloat32 : Hdf5Type::kFloat64;
  return entry;
}

// The values of an activation that are all there, in its own shape.
std::vector<double> read_whole(const Hdf5Reader& file, const ActivationEntry& entry) {
  const Hdf5Dataset dataset = file.locate("/values/" + entry.key, *entry.type, entry.shape);
  std::vector<double> values(static_cast<std::size_t>(entry.shape.count()));
  if (dataset.type == Hdf5Type::kFloat64) {
    file.read(dataset, values.data());
  } else {
    std::vector<float> narrow(values.size());
    file.read(dataset, narrow.data());
    std::ranges::copy(narrow, values.begin());
  }
  return values;
}

StoredActivation read_activation(const Hdf5Reader& file, const ActivationEntry& entry) {
  StoredActivation activation{.path = entry.path, .shape = entry.shape, .indices = {}, .values = {}};
  const std::int64_t count = entry.shape.count();
  if (!entry.sampled && entry.type) {
    activation.values = read_whole(file, entry);
    return activation;
  }
  const Hdf5Dataset values = file.locate_vector("/values/" + entry.key, Hdf5Type::kFloat64, count);
  activation.values.resize(static_cast<std::size_t>(values.shape[0]));
  file.read(values, activation.values.data());
  if (entry.sampled) {
    activation.indices.resize(activation.values.size());
    file.read(file.locate("/indices/" + entry.key, Hdf5Type::kInt64, values.shape), activation.indices.data());
    for (const std::int64_t index : activation.indices) {
      if (index < 0 || index >= count) throw ModelFileError("a sample lies outside the activation");
    }
  } else if (values.shape[0] != count) {
    throw ModelFileError(std::to_string(values.shape[0]) + " values for " + to_string(entry.shape));
  }
  return activation;
}

// Runs `read`, and puts the file's name before the message of what it throws.
template <class Read>
auto naming(const std::string& file, const Read& read) {
  try {
    return read();
  } catch (const Json::exception& error) {
    throw ModelFileError(file + ": its index is damaged (" + error.what() + ")");
  } catch (const ModelFileError& error) {
    throw ModelFileError(file + ": " + error.what());
  }
}

}  // namespace

std::string_view layout_of(const Shape& shape) {
  constexpr std::array<std::string_view, 3> kLayouts{"NC", "NTC", "NHWC"};
  return shape.rank() < 2 || shape.rank() > 4 ? "" : kLayouts[static_cast<std::size_t>(shape.rank() - 2)];
}

ActivationReader::ActivationReader(const std::filesystem::path& path) : file_(path) {
  const Json index = parse_json(file_.read_text("/index", kMostIndexBytes));
  naming(file(), [&] {
    model_ = index.at("model").get<std::string>();
    input_shape_ = shape_from_json(index.at("input"));
    output_shape_ = shape_from_json(index.at("output"));
    for (const Json& entry : index.at("activations")) entries_.push_back(entry_from_json(entry));
  });
}

Tensor ActivationReader::input() const {
  return naming(file(), [&] {
    const Hdf5Dataset dataset = file_.locate("/input", Hdf5Type::kFloat32, input_shape_);
    Tensor input(input_shape_);
    file_.read(dataset, input.data());
    return input;
  });
}

std::vector<double> ActivationReader::output() const {
  return naming(file(), [&] {
    const Hdf5Dataset dataset = file_.locate("/output", Hdf5Type::kFloat64, output_shape_);
    std::vector<double> output(static_cast<std::size_t>(output_shape_.count()));
    file_.read(dataset, output.data());
    return output;
  });
}

StoredActivation ActivationReader::read(const ActivationEntry& entry) const {
  return naming(file() + ": " + entry.path, [&] { return read_activation(file_, entry); });
}

ActivationWriter::ActivationWriter(const std::filesystem::path& path, std::string model, Json settings) : file_(path) {
  index_ = {{"model", std::move(model)}, {"activations", Json::array()}};
  if (!settings.is_null()) index_["settings"] = std::move(settings);
}

// The path itself where HDF5 accepts it as the name of one dataset, so that h5py finds "/values/layer1.0.conv1";
// otherwise a number.
std::string ActivationWriter::next_key(const std::string& path) const {
  const bool plain = !path.empty() && path != "." && path.find('/') == std::string::npos;
  return plain ? path : std::to_string(index_.at("activations").size());
}

void ActivationWriter::add(const std::string& path, std::string_view layer, ConstView values) {
  const std::string key = next_key(path), dataset = "/values/" + key;
  file_.write(dataset, Hdf5Type::kFloat32, values.shape(), values.data());
  file_.write_attribute(dataset, "path", path);
  file_.write_attribute(dataset, "layout", std::string(layout_of(values.shape())));
  if (!layer.empty()) file_.write_attribute(dataset, "layer", std::string(layer));
  Json entry{{"path", path},
             {"shape", to_json(values.shape())},
             {"layout", layout_of(values.shape())},
             {"key", key},
             {"sampled", false},
             {"type", "f32"}};
  if (!layer.empty()) entry["layer"] = layer;
  index_["activations"].push_back(std::move(entry));
}

void ActivationWriter::add(const StoredActivation& activation) {
  const std::string key = next_key(activation.path);
  const bool sampled = !activation.indices.empty();
  const Shape count{static_cast<std::int64_t>(activation.values.size())};
  file_.write("/values/" + key, Hdf5Type::kFloat64, sampled ? count : activation.shape, activation.values.data());
  if (sampled) file_.write("/indices/" + key, Hdf5Type::kInt64, count, activation.indices.data());
  index_["activations"].push_back({{"path", activation.path},
                                   {"shape", to_json(activation.shape)},
                                   {"layout", layout_of(activation.shape)},
                                   {"key", key},
                                   {"sampled", sampled},
                                   {"type", "f64"}});
}

void ActivationWriter::commit(ConstView input, const Shape& output_shape, const std::vector<double>& output) {
  file_.write("/input", Hdf5Type::kFloat32, input.shape(), input.data());
  file_.write_attribute("/input", "layout", std::string(layout_of(input.shape())));
  file_.write("/output", Hdf5Type::kFloat64, output_shape, output.data());
  index_["input"] = to_json(input.shape());
  index_["output"] = to_json(output_shape);
  file_.write_text("/index", index_.dump(1));
  file_.commit();
}

ActivationFile read_activation_file(const std::filesystem::path& path) {
  const ActivationReader reader(path);
  ActivationFile reference{.model = reader.model(),
                           .input = reader.input(),
                           .output_shape = reader.output_shape(),
                           .output = reader.output(),
                           .activations = {}};
  std::size_t values = 0;
  for (const ActivationEntry& entry : reader.activations()) {
    reference.activations.push_back(reader.read(entry));
    values += reference.activations.back().values.size();
    if (values > static_cast<std::size_t>(kMostValues)) throw ModelFileError(reader.file() + ": has too many values");
  }
  return reference;
}

void write_activation_file(const std::filesystem::path& path, const ActivationFile& reference) {
  ActivationWriter file(path, reference.model);
  for (const StoredActivation& activation : reference.activations) file.add(activation);
  file.commit(reference.input.view(), reference.output_shape, reference.output);
}

}  // namespace tessera
