#include "evaluation/check/dump.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "core/file.h"
#include "core/npy.h"
#include "weights/activation_file.h"

namespace tessera {

namespace {

std::vector<std::int64_t> dimensions(const Shape& shape) {
  return {shape.dimensions().begin(), shape.dimensions().end()};
}

// As a file's name: no path of a layer may lead out of the folder.
std::string file_name(std::size_t number, std::string path) {
  std::ranges::replace(path, '/', '_');
  return fmt::format("{:03}_{}.npy", number, path);
}

}  // namespace

std::vector<TappedValue> write_dump(const std::filesystem::path& path, Classifier& classifier, ConstView input,
                                    const nlohmann::json& settings) {
  ActivationWriter file(path, classifier.card().name, settings);
  const ConstView output = classifier.run(input);
  const std::vector<TappedValue> values = tapped_values(classifier.program());
  for (const TappedValue& value : values) {
    file.add(value.path, value.layer, classifier.session().tap(value.path).view());
  }
  file.commit(input, output.shape(), {output.values().begin(), output.values().end()});
  return values;
}

std::vector<TappedValue> write_npy_dump(const std::filesystem::path& folder, Classifier& classifier, ConstView input,
                                        const nlohmann::json& settings) {
  make_folder(folder);
  const ConstView output = classifier.run(input);
  const std::vector<TappedValue> values = tapped_values(classifier.program());
  nlohmann::json index{{"model", classifier.card().name},
                       {"settings", settings},
                       {"input", "input.npy"},
                       {"output", "output.npy"},
                       {"activations", nlohmann::json::array()}};
  for (const TappedValue& value : values) {
    const Tensor tensor = classifier.session().tap(value.path);
    const std::string name = file_name(index["activations"].size(), value.path);
    write_npy(folder / name, tensor.view());
    index["activations"].push_back({{"path", value.path},
                                    {"file", name},
                                    {"shape", dimensions(tensor.shape())},
                                    {"layout", layout_of(tensor.shape())},
                                    {"layer", value.layer}});
  }
  write_npy(folder / "input.npy", input);
  write_npy(folder / "output.npy", output);
  write_file(folder / "index.json", index.dump(2) + "\n");
  return values;
}

}  // namespace tessera
