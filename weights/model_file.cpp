#include "weights/model_file.h"

#include <algorithm>
#include <chrono>
#include <memory>
#include <optional>
#include <utility>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "core/error.h"
#include "core/thread_pool.h"
#include "weights/hdf5.h"

namespace tessera {

namespace {

using Json = nlohmann::json;

constexpr std::string_view kFormat = "tessera-model";
constexpr int kVersion = 1;
constexpr std::int64_t kMostCardBytes = 4 << 20;
constexpr std::int64_t kMostManifestBytes = 16 << 20;
constexpr std::size_t kMostTensors = 100'000;
constexpr int kDeepest = 16;  // nesting of JSON

std::string weight_path(const std::string& name) { return "/weights/" + name; }

double ms_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count();
}

Json card_to_json(const ModelCard& card) {
  return {{"format", kFormat},
          {"version", kVersion},
          {"name", card.name},
          {"architecture", card.config.architecture},
          {"parameters", card.config.parameters},
          {"preprocess", to_json(card.preprocess)},
          {"labels", to_json(card.labels)},
          {"source",
           {{"origin", card.source.origin},
            {"licence", card.source.licence},
            {"sha256", card.source.sha256},
            {"notes", card.source.notes}}}};
}

Json parse(const std::string& text, const std::string& what) {
  const Json::parser_callback_t shallow = [](int depth, Json::parse_event_t, Json&) {
    if (depth > kDeepest) throw ModelFileError("nested too deeply");
    return true;
  };
  Json json = Json::parse(text, shallow, false);
  if (!json.is_object()) throw ModelFileError(what + " is not a JSON object");
  return json;
}

ModelCard card_from_json(const Json& json) {
  if (json.value("format", "") != kFormat) throw ModelFileError("its card does not say \"format\": \"tessera-model\"");
  const int version = json.value("version", 0);
  if (version != kVersion) {
    throw ModelFileError(fmt::format("format version {}; this tessera reads version {}", version, kVersion));
  }
  ModelCard card;
  card.name = json.at("name").get<std::string>();
  card.config = make_config(json.at("architecture").get<std::string>(), json.at("parameters"));
  card.preprocess = preprocess_from_json(json.at("preprocess"));
  card.labels = label_set_from_json(json.at("labels"));
  const Json& source = json.at("source");
  card.source = {source.value("origin", ""), source.value("licence", ""), source.value("sha256", ""),
                 source.value("notes", "")};
  const std::int64_t classes = class_count(card.config);
  if (card.labels.size() != 0 && static_cast<std::int64_t>(card.labels.size()) != classes) {
    throw ModelFileError(fmt::format("{} labels for {} classes", card.labels.size(), classes));
  }
  return card;
}

struct Opened {
  std::unique_ptr<Hdf5Reader> file;
  ModelCard card;
  std::vector<WeightSpec> expected;
  std::map<std::string, std::string, std::less<>> digests;  // SHA-256 by tensor
};

Opened open_model_file(const std::filesystem::path& path) {
  auto file = std::make_unique<Hdf5Reader>(path);
  const std::string manifest = file->read_text("/manifest", kMostManifestBytes);
  const std::string card_text = file->read_text("/card", kMostCardBytes);
  try {
    ModelCard card = card_from_json(parse(card_text, "its card"));
    card.sha256 = sha256(std::as_bytes(std::span(manifest)));
    std::map<std::string, std::string, std::less<>> digests;
    const Json listed = parse(manifest, "its manifest");
    for (const auto& [name, digest] : listed.items()) digests[name] = digest.get<std::string>();
    std::vector<WeightSpec> expected = build_graph(card.config).weight_specs();
    return {std::move(file), std::move(card), std::move(expected), std::move(digests)};
  } catch (const Error& error) {
    throw ModelFileError(path.string() + ": " + error.what());
  } catch (const Json::exception& error) {
    throw ModelFileError(path.string() + ": its card or manifest is damaged (" + error.what() + ")");
  }
}

// Tensors that lie in the file without being asked for, by their links' names.
std::vector<std::string> unexpected_tensors(const Opened& opened) {
  std::vector<std::string> names;
  std::vector<std::string> faults;
  for (const WeightSpec& spec : opened.expected) names.push_back(spec.name);
  std::ranges::sort(names);
  for (const std::string& name : opened.file->link_names("/weights", kMostTensors)) {
    if (!std::ranges::binary_search(names, name)) faults.push_back("unexpected: " + name);
  }
  return faults;
}

// A tensor of the file, or why it cannot be had.
struct Found {
  std::optional<Hdf5Dataset> dataset;
  Tensor tensor;
  std::string fault;
};

void read_tensor(const Opened& opened, const WeightSpec& spec, bool verify, Found& found) {
  try {
    Tensor tensor(spec.shape);
    opened.file->read(*found.dataset, tensor.data());
    const auto digest = opened.digests.find(spec.name);
    if (digest == opened.digests.end()) {
      found.fault = "not in the manifest: " + spec.name;
    } else if (verify && sha256(std::as_bytes(tensor.values())) != digest->second) {
      found.fault = "wrong SHA-256: " + spec.name + ": the data was changed or damaged";
    }
    found.tensor = std::move(tensor);
  } catch (const ModelFileError& error) {
    found.fault = spec.name + ": " + error.what();
  }
}

}  // namespace

ModelCard read_model_card(const std::filesystem::path& path) { return open_model_file(path).card; }

LoadedModel load_model_file(const std::filesystem::path& path, const LoadOptions& options) {
  const auto start = std::chrono::steady_clock::now();
  const Opened opened = open_model_file(path);
  std::vector<Found> found(opened.expected.size());
  for (std::size_t i = 0; i < found.size(); ++i) {
    const WeightSpec& spec = opened.expected[i];
    try {
      found[i].dataset = opened.file->locate(weight_path(spec.name), Hdf5Type::kFloat32, spec.shape);
    } catch (const ModelFileError& error) {
      found[i].fault = spec.name + " " + to_string(spec.shape) + ": " + error.what();
    }
  }
  ThreadPool threads(options.threads);
  threads.for_each(static_cast<std::int64_t>(found.size()), [&](std::int64_t index, int) {
    Found& entry = found[static_cast<std::size_t>(index)];
    if (entry.dataset) read_tensor(opened, opened.expected[static_cast<std::size_t>(index)], options.verify, entry);
  });
  LoadedModel model;
  model.card = opened.card;
  model.read_ms = ms_since(start);
  const auto checked = std::chrono::steady_clock::now();
  std::vector<std::string> faults;
  std::vector<WeightSpec> read;
  for (std::size_t i = 0; i < found.size(); ++i) {
    if (!found[i].fault.empty()) {
      faults.push_back(found[i].fault);
      continue;
    }
    read.push_back(opened.expected[i]);
    model.weights.put(opened.expected[i].name, std::move(found[i].tensor));
  }
  for (const auto& more : {weight_faults(model.weights, read), unexpected_tensors(opened)}) {
    faults.insert(faults.end(), more.begin(), more.end());
  }
  throw_weight_faults(faults, path.string() + " (" + opened.card.config.architecture + ")");
  model.check_ms = ms_since(checked);
  return model;
}

ModelCard save_model_file(const std::filesystem::path& path, const ModelCard& card, const WeightStore& weights,
                          int threads) {
  const std::vector<WeightSpec> specs = build_graph(card.config).weight_specs();
  check_weights(weights, specs, card.name);
  std::vector<std::string> digests(specs.size());
  ThreadPool pool(threads);
  pool.for_each(static_cast<std::int64_t>(specs.size()), [&](std::int64_t index, int) {
    const auto i = static_cast<std::size_t>(index);
    digests[i] = sha256(std::as_bytes(weights.at(specs[i].name).values()));
  });
  Json manifest = Json::object();
  for (std::size_t i = 0; i < specs.size(); ++i) manifest[specs[i].name] = digests[i];
  const std::string manifest_text = manifest.dump(1);

  Hdf5Writer file(path);
  file.write_text("/card", card_to_json(card).dump(1));
  file.write_text("/manifest", manifest_text);
  for (const WeightSpec& spec : specs) {
    file.write(weight_path(spec.name), Hdf5Type::kFloat32, spec.shape, weights.at(spec.name).data());
  }
  file.commit();
  ModelCard saved = card;
  saved.sha256 = sha256(std::as_bytes(std::span(manifest_text)));
  return saved;
}

}  // namespace tessera
