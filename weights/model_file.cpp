#include "weights/model_file.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <span>
#include <utility>

#include "core/clock.h"
#include "core/error.h"
#include "core/json.h"
#include "core/thread_pool.h"
#include "weights/hdf5.h"
#include "weights/sha256.h"

namespace tessera {

namespace {

using Json = nlohmann::json;

constexpr std::string_view kFormat = "tessera-model";
constexpr int kVersion = 1;
constexpr std::int64_t kMostCardBytes = 4 << 20;
constexpr std::int64_t kMostManifestBytes = 16 << 20;

constexpr const char* kWeights = "/weights";

std::string weight_path(const std::string& name) { return std::string(kWeights) + "/" + name; }

Json calibration_to_json(const Calibration& calibration) {
  Json json{{"pictures", calibration.pictures}, {"method", calibration.method}, {"ranges", ranges_json(calibration)}};
  if (!calibration.pictures_sha256.empty()) json["pictures_sha256"] = calibration.pictures_sha256;
  return json;
}

Json card_to_json(const ModelCard& card) {
  Json json = {{"format", kFormat},
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
  if (!card.follows.empty()) json["follows"] = card.follows;
  if (!card.calibration.ranges.empty()) json["calibration"] = calibration_to_json(card.calibration);
  return json;
}

Json parse(const std::string& text, const std::string& what) {
  Json json = parse_json(text);
  if (!json.is_object())
    throw ModelFileError(what + " is not a JSON object, nests too deeply or holds an impossible number");
  return json;
}

// Index of the first control character, C0 or (in UTF-8) C1, or npos.
std::size_t control_character(std::string_view text) {
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    if (byte < 0x20 || byte == 0x7f) return i;
    if (byte == 0xc2 && i + 1 < text.size() && static_cast<unsigned char>(text[i + 1]) < 0xa0) return i;
  }
  return std::string_view::npos;
}

// A text that is shown to the user must hold no control characters, which could steer a terminal.
std::string plain_text(std::string text, const std::string& what) {
  constexpr std::size_t kLongest = 4096;
  if (const std::size_t at = control_character(text); at != std::string::npos) {
    throw ModelFileError(fmt::format("its {} is not plain text: a control character (0x{:02x}) after {} bytes", what,
                                     static_cast<unsigned char>(text[at]), at));
  }
  if (text.size() > kLongest) {
    throw ModelFileError(fmt::format("its {} is too long: {} bytes, at most {}", what, text.size(), kLongest));
  }
  return text;
}

// Numbers are bounded before a graph is built of them, so that a few bytes cannot ask for a graph of any size.
void check_sizes(const Json& parameters) {
  constexpr double kMostWidth = 1e6;
  constexpr double kMostBlocks = 1000;
  for (const auto& [key, value] : parameters.items()) {
    for (const Json& number : value.is_array() ? value : Json::array({value})) {
      const double most = key.starts_with("depth") ? kMostBlocks : kMostWidth;
      if (number.is_number() && !(std::abs(number.get<double>()) <= most)) {
        throw ModelFileError(fmt::format("the parameter {} is {}; at most {} is read", key, number.dump(), most));
      }
    }
  }
}

Calibration calibration_from_json(const Json& json) {
  Calibration calibration;
  calibration.pictures = json.at("pictures").get<std::int64_t>();
  calibration.method = plain_text(json.at("method").get<std::string>(), "calibration method");
  calibration.pictures_sha256 = plain_text(json.value("pictures_sha256", ""), "calibration pictures_sha256");
  for (const auto& [name, pair] : json.at("ranges").items()) {
    const ValueRange range{pair.at(0).get<float>(), pair.at(1).get<float>()};
    if (!std::isfinite(range.low) || !std::isfinite(range.high) || range.low > range.high) {
      throw ModelFileError(fmt::format("the calibrated range of {} is {}", name, pair.dump()));
    }
    calibration.ranges[name] = range;
  }
  return calibration;
}

ModelCard card_from_json(const Json& json) {
  if (json.value("format", "") != kFormat) throw ModelFileError("its card does not say \"format\": \"tessera-model\"");
  const int version = json.value("version", 0);
  if (version != kVersion) {
    throw ModelFileError(fmt::format("format version {}; this tessera reads version {}", version, kVersion));
  }
  ModelCard card;
  card.name = plain_text(json.at("name").get<std::string>(), "name");
  check_sizes(json.at("parameters"));
  card.config = make_config(json.at("architecture").get<std::string>(), json.at("parameters"));
  card.preprocess = preprocess_from_json(json.at("preprocess"));
  card.labels = label_set_from_json(json.at("labels"));
  for (std::size_t i = 0; i < card.labels.size(); ++i) {
    plain_text(card.labels.name(static_cast<int>(i)), "label of class " + std::to_string(i));
  }
  card.follows = plain_text(json.value("follows", ""), "field 'follows'");
  const Json& source = json.at("source");
  card.source = {plain_text(source.value("origin", ""), "origin"), plain_text(source.value("licence", ""), "licence"),
                 plain_text(source.value("sha256", ""), "source"), plain_text(source.value("notes", ""), "notes")};
  if (json.contains("calibration")) card.calibration = calibration_from_json(json.at("calibration"));
  const std::int64_t classes = class_count(card.config);
  if (card.labels.size() != 0 && static_cast<std::int64_t>(card.labels.size()) != classes) {
    throw ModelFileError(fmt::format("{} labels for {} classes", card.labels.size(), classes));
  }
  return card;
}

// The card as it is written. Refuses a card that reading would refuse, so that whatever is written can be read.
std::string card_text(const ModelCard& card, const std::filesystem::path& path) {
  try {
    const std::string text = card_to_json(card).dump(1);
    if (static_cast<std::int64_t>(text.size()) > kMostCardBytes) throw ModelFileError("its card is over 4 MB");
    card_from_json(parse(text, "its card"));
    return text;
  } catch (const Json::exception&) {
    throw ModelFileError(path.string() + ": its name, labels or source are not UTF-8");
  } catch (const Error& error) {
    throw ModelFileError(path.string() + ": " + error.what());
  }
}

using Digests = std::map<std::string, std::string, std::less<>>;  // SHA-256 by tensor

// Identifies the weights; does not depend on how the manifest is written or on what the card says.
std::string digest_of(const Digests& digests) {
  std::string lines;
  for (const auto& [name, digest] : digests) lines += name + " " + digest + "\n";
  return sha256(std::as_bytes(std::span(lines)));
}

struct Opened {
  std::unique_ptr<Hdf5Reader> file;
  ModelCard card;
  std::vector<WeightSpec> expected;
  Digests digests;
};

Opened open_checked(const std::filesystem::path& path) {
  Opened opened{.file = std::make_unique<Hdf5Reader>(path), .card = {}, .expected = {}, .digests = {}};
  const std::string manifest_text = opened.file->read_text("/manifest", kMostManifestBytes);
  const std::string card_text = opened.file->read_text("/card", kMostCardBytes);
  try {
    const Json manifest = parse(manifest_text, "its manifest");
    if (manifest.at("card").get<std::string>() != sha256(std::as_bytes(std::span(card_text)))) {
      throw ModelFileError("wrong SHA-256 of its card: it was changed or damaged");
    }
    for (const auto& [name, digest] : manifest.at("tensors").items()) opened.digests[name] = digest.get<std::string>();
    opened.card = card_from_json(parse(card_text, "its card"));
    opened.card.sha256 = digest_of(opened.digests);
    opened.expected = build_graph(opened.card.config).weight_specs();
    return opened;
  } catch (const ResourceError&) {
    throw;
  } catch (const Error& error) {
    throw ModelFileError(path.string() + ": " + error.what());
  } catch (const Json::exception& error) {
    throw ModelFileError(path.string() + ": its card or manifest is damaged (" + error.what() + ")");
  }
}

using Faults = std::vector<std::string>;

// Tensors in the file or its manifest that the graph does not need. Names in the file are read only when there are more
// or fewer than there should be.
Faults unexpected_tensors(const Opened& opened, bool complete) {
  constexpr std::uint64_t kMostListed = 1000;
  std::set<std::string, std::less<>> expected, unexpected;
  for (const WeightSpec& spec : opened.expected) expected.insert(spec.name);
  for (const auto& [name, digest] : opened.digests) {
    if (!expected.contains(name)) unexpected.insert(name);
  }
  Faults faults;
  try {
    Hdf5Links links = opened.file->links(kWeights, 0);
    if (complete && links.count == expected.size() && unexpected.empty()) return {};
    links = opened.file->links(kWeights, kMostListed);
    for (const std::string& name : links.names) {
      if (!expected.contains(name)) unexpected.insert(name);
    }
    if (links.count > expected.size() && links.count > links.names.size()) {
      faults.push_back(
          fmt::format("{} holds {} tensors, the architecture has {}", kWeights, links.count, expected.size()));
    }
  } catch (const ModelFileError& error) {
    faults.push_back(std::string(kWeights) + ": " + error.what());
  }
  for (const std::string& name : unexpected) faults.push_back("unexpected: " + name);
  return faults;
}

// A tensor of the file, or why it cannot be read.
struct Found {
  Tensor tensor;
  std::string fault;
};

// The tensors of a model file, each read when it is taken.
class FileWeights final : public WeightSource {
 public:
  FileWeights(const std::filesystem::path& path, bool verify);
  const ModelCard& card() const noexcept { return opened_.card; }
  Tensor take(const WeightSpec& spec) override;
  WeightStore take_all(ThreadPool& threads) const;

 private:
  struct Place {
    std::optional<Hdf5Dataset> dataset;
    std::string fault;  // why it cannot be read
  };

  void locate_tensors();
  Found read(std::size_t index, Tensor tensor) const;
  // Called when one tensor is bad: checks the others too and throws one error that names all bad ones.
  void refuse(const std::string& fault) const;
  void throw_faults(const Faults& faults) const;

  std::string path_;
  bool verify_;
  Opened opened_;
  std::vector<Place> places_;                                // by index of opened_.expected
  std::map<std::string, std::size_t, std::less<>> indices_;  // by name
  Faults unexpected_;
  std::shared_ptr<MemoryPool> pool_ = MemoryPool::make();
};

FileWeights::FileWeights(const std::filesystem::path& path, bool verify)
    : path_(path.string()), verify_(verify), opened_(open_checked(path)), places_(opened_.expected.size()) {
  locate_tensors();
  const auto bad = std::ranges::find_if(places_, [](const Place& place) { return !place.fault.empty(); });
  unexpected_ = unexpected_tensors(opened_, bad == places_.end());
  if (bad != places_.end()) refuse(bad->fault);
  if (!unexpected_.empty()) refuse(unexpected_.front());
}

void FileWeights::locate_tensors() {
  double bytes = 0;
  for (std::size_t i = 0; i < places_.size(); ++i) {
    const WeightSpec& spec = opened_.expected[i];
    indices_[spec.name] = i;
    try {
      places_[i].dataset = opened_.file->locate(weight_path(spec.name), Hdf5Type::kFloat32, spec.shape);
      bytes += static_cast<double>(spec.shape.count()) * sizeof(float);
      if (!opened_.digests.contains(spec.name)) places_[i].fault = "not in the manifest: " + spec.name;
    } catch (const ModelFileError& error) {
      places_[i].fault = spec.name + " " + to_string(spec.shape) + ": " + error.what();
    }
  }
  constexpr double kMostExpansion = 100;  // trained weights pack less than two to one
  if (bytes > kMostExpansion * static_cast<double>(opened_.file->file_bytes())) {
    throw ModelFileError(fmt::format("{}: {:.0f} bytes of weights in a file of {}: no trained weights pack so well",
                                     path_, bytes, opened_.file->file_bytes()));
  }
}

// Into `tensor`, which has its shape.
Found FileWeights::read(std::size_t index, Tensor tensor) const {
  Found found{.tensor = std::move(tensor), .fault = places_[index].fault};
  if (!found.fault.empty()) return found;
  const WeightSpec& spec = opened_.expected[index];
  try {
    opened_.file->read(*places_[index].dataset, found.tensor.data());
  } catch (const ModelFileError& error) {
    found.fault = spec.name + ": " + error.what();
    return found;
  }
  if (verify_ && sha256(std::as_bytes(found.tensor.values())) != opened_.digests.at(spec.name)) {
    found.fault = "wrong SHA-256: " + spec.name + ": the data was changed or damaged";
  } else {
    found.fault = value_fault(spec.name, found.tensor);
  }
  return found;
}

Tensor FileWeights::take(const WeightSpec& spec) {
  const auto index = indices_.find(spec.name);
  if (index == indices_.end()) throw ModelFileError(path_ + ": the tensor '" + spec.name + "' is missing");
  Found found = read(index->second, Tensor(opened_.expected[index->second].shape, *pool_));
  if (!found.fault.empty()) refuse(found.fault);
  return std::move(found.tensor);
}

WeightStore FileWeights::take_all(ThreadPool& threads) const {
  std::vector<Found> found(places_.size());
  threads.for_each(static_cast<std::int64_t>(found.size()), [&](std::int64_t index, int) {
    const auto i = static_cast<std::size_t>(index);
    found[i] = read(i, Tensor(opened_.expected[i].shape));
  });
  Faults faults;
  WeightStore weights;
  for (std::size_t i = 0; i < found.size(); ++i) {
    if (!found[i].fault.empty()) faults.push_back(std::move(found[i].fault));
    weights.put(opened_.expected[i].name, std::move(found[i].tensor));
  }
  throw_faults(faults);
  return weights;
}

void FileWeights::refuse(const std::string& fault) const {
  Faults faults;
  for (std::size_t i = 0; i < places_.size(); ++i) {
    if (Found found = read(i, Tensor(opened_.expected[i].shape, *pool_)); !found.fault.empty())
      faults.push_back(std::move(found.fault));
  }
  faults.insert(faults.end(), unexpected_.begin(), unexpected_.end());
  if (faults.empty()) faults.push_back(fault);
  throw_faults(faults);
}

void FileWeights::throw_faults(const Faults& faults) const {
  throw_weight_faults(faults, path_ + " (" + opened_.card.config.architecture + ")");
}

}  // namespace

Json ranges_json(const Calibration& calibration) {
  Json ranges = Json::object();
  for (const auto& [name, range] : calibration.ranges) ranges[name] = {range.low, range.high};
  return ranges;
}

std::string ranges_sha256(const Calibration& calibration) {
  const std::string text = ranges_json(calibration).dump();
  return sha256(std::as_bytes(std::span(text)));
}

ModelCard read_model_card(const std::filesystem::path& path) { return open_checked(path).card; }

LoadedModel load_model_file(const std::filesystem::path& path, const LoadOptions& options) {
  const auto start = std::chrono::steady_clock::now();
  ThreadPool threads(options.threads);
  const FileWeights file(path, options.verify);
  LoadedModel model{.card = file.card(), .weights = file.take_all(threads)};
  model.load_ms = ms_since(start);
  return model;
}

OpenedModel open_model_file(const std::filesystem::path& path, bool verify) {
  const auto start = std::chrono::steady_clock::now();
  auto file = std::make_unique<FileWeights>(path, verify);
  const ModelCard card = file->card();
  return {.card = card, .weights = std::move(file), .open_ms = ms_since(start)};
}

ModelCard save_model_file(const std::filesystem::path& path, const ModelCard& card, const WeightStore& weights,
                          int threads) {
  const std::vector<WeightSpec> specs = build_graph(card.config).weight_specs();
  check_weights(weights, specs, card.name);
  const std::string text = card_text(card, path);
  std::vector<std::string> found(specs.size());
  ThreadPool pool(threads);
  pool.for_each(static_cast<std::int64_t>(specs.size()), [&](std::int64_t index, int) {
    const auto i = static_cast<std::size_t>(index);
    found[i] = sha256(std::as_bytes(weights.at(specs[i].name).values()));
  });
  Digests digests;
  for (std::size_t i = 0; i < specs.size(); ++i) digests[specs[i].name] = std::move(found[i]);
  const Json manifest{{"card", sha256(std::as_bytes(std::span(text)))}, {"tensors", digests}};

  Hdf5Writer file(path);
  file.write_text("/card", text);
  file.write_text("/manifest", manifest.dump(1));
  for (const WeightSpec& spec : specs) {
    file.write(weight_path(spec.name), Hdf5Type::kFloat32, spec.shape, weights.at(spec.name).data());
  }
  file.commit();
  ModelCard saved = card;
  saved.sha256 = digest_of(digests);
  return saved;
}

}  // namespace tessera
