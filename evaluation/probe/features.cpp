#include "evaluation/probe/features.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <nlohmann/json.hpp>
#include <set>
#include <span>

#include "core/clock.h"
#include "core/error.h"
#include "core/json.h"
#include "vision/picture_queue.h"
#include "weights/hdf5.h"
#include "weights/sha256.h"

namespace tessera {

namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;

constexpr std::string_view kFormat = "tessera-features";
constexpr int kVersion = 1;
constexpr std::int64_t kMostIndexBytes = 64 << 20;

// The rows of a batch that could be read go into the set, the others into its list of failures.
void add_rows(const PreparedBatch& batch, ConstView output, const std::string& model, FeatureSet& features) {
  for (std::size_t i = 0; i < batch.pictures.size(); ++i) {
    const PreparedPicture& picture = batch.pictures[i];
    if (!picture.error.empty()) {
      features.failed.push_back({picture.number, picture.error});
      continue;
    }
    const std::span<const float> values = output.slice(static_cast<std::int64_t>(i)).values();
    if (!std::ranges::all_of(values, [](float value) { return std::isfinite(value); })) {
      throw CheckError(model + " gives features that are not finite for " + where(picture.sample));
    }
    features.values.insert(features.values.end(), values.begin(), values.end());
    features.labels.push_back(picture.sample.label);
    features.numbers.push_back(picture.number);
  }
}

std::string digest_of(const FeatureSet& features) { return sha256(std::as_bytes(std::span(features.values))); }

// "dtype is f32 there and bf16 here; ..."
std::string differences(const Json& there, const Json& here) {
  std::string text;
  const auto short_text = [](const Json& json, const std::string& name) {
    return json.contains(name) ? json.at(name).dump().substr(0, 100) : std::string("nothing");
  };
  Json names = here;
  if (there.is_object()) names.update(there);
  for (const auto& [name, value] : names.items()) {
    const std::string a = short_text(there, name), b = short_text(here, name);
    const bool same = there.contains(name) && here.contains(name) && there.at(name) == here.at(name);
    if (!same) text += fmt::format("{}{} is {} there and {} here", text.empty() ? "" : "; ", name, a, b);
  }
  return text;
}

// The rows' labels come from the data set, whose hash is part of the key; the file's copy is for other readers.
FeatureSet set_from(const Hdf5Reader& file, const Json& index, const Dataset& dataset) {
  FeatureSet features{.width = index.at("width").get<std::int64_t>()};
  std::set<std::int64_t> without_row;
  for (const Json& failed : index.at("failed")) {
    features.failed.push_back({failed.at("number").get<std::int64_t>(), failed.at("error").get<std::string>()});
    without_row.insert(features.failed.back().number);
  }
  const auto pictures = static_cast<std::int64_t>(dataset.samples.size());
  const std::int64_t rows = pictures - static_cast<std::int64_t>(features.failed.size());
  if (features.width < 1 || rows < 0) throw ModelFileError("its index does not fit the data set");
  const Hdf5Dataset values = file.locate("/features", Hdf5Type::kFloat32, {rows, features.width});
  features.values.resize(static_cast<std::size_t>(rows * features.width));
  file.read(values, features.values.data());
  if (digest_of(features) != index.at("sha256").get<std::string>()) throw ModelFileError("its features are damaged");
  for (std::int64_t number = 0; number < pictures; ++number) {
    if (without_row.contains(number)) continue;
    features.numbers.push_back(number);
    features.labels.push_back(dataset.samples[static_cast<std::size_t>(number)].label);
  }
  if (static_cast<std::int64_t>(features.numbers.size()) != rows) throw ModelFileError("its list of failures is wrong");
  return features;
}

}  // namespace

std::optional<FeatureSet> extract_features(std::unique_ptr<Classifier> model, const Dataset& dataset,
                                           const ExtractionOptions& options, const std::atomic<bool>& stop,
                                           const std::function<void(const ExtractionProgress&)>& progress) {
  Classifier& classifier = *model;
  const std::size_t total = dataset.samples.size();
  FeatureSet features{.width = classifier.outputs()};
  features.values.reserve(total * static_cast<std::size_t>(features.width));
  AllPictures all(static_cast<std::int64_t>(total));
  PictureQueue queue({classifier.card().preprocess}, dataset.samples,
                     {.batch = options.batch, .workers = options.workers, .decode = options.decode}, all);
  const auto start = Clock::now();
  std::size_t done = 0;
  while (const PreparedBatch* batch = queue.next()) {
    const auto count = static_cast<std::int64_t>(batch->pictures.size());
    const ConstView output = classifier.run(ConstView(batch->inputs.front().data(), classifier.input_shape(count)));
    add_rows(*batch, output, classifier.card().name, features);
    done += batch->pictures.size();
    progress({.done = done,
              .total = total,
              .failed = features.failed.size(),
              .seconds = std::chrono::duration<double>(Clock::now() - start).count()});
    if (stop) return std::nullopt;
  }
  return features;
}

std::string picture_list_hash(const Dataset& dataset) {
  std::string text;
  for (const Sample& sample : dataset.samples) {
    struct stat status {};
    ::stat(sample.path.c_str(), &status);  // what cannot be looked at stays zero; reading it will say why
    const std::int64_t size = sample.size < 0 ? status.st_size : sample.size;
    text += fmt::format("{}/{}\t{}\t{}@{}\t{}.{}\n", sample.folder, sample.name, sample.label, size, sample.offset,
                        status.st_mtim.tv_sec, status.st_mtim.tv_nsec);
  }
  return sha256(std::as_bytes(std::span(text)));
}

void write_features(const fs::path& path, const FeatureSet& features, const FeatureKey& key, const Dataset& dataset) {
  Json failed = Json::array();
  for (const FailedPicture& picture : features.failed) {
    failed.push_back({{"number", picture.number}, {"error", picture.error}});
  }
  std::string names;
  for (const std::int64_t number : features.numbers) {
    const Sample& sample = dataset.samples[static_cast<std::size_t>(number)];
    names += (sample.folder.empty() ? "" : sample.folder + "/") + sample.name + "\n";
  }
  const std::vector<std::int64_t> labels(features.labels.begin(), features.labels.end());
  const auto rows = static_cast<std::int64_t>(labels.size());
  const Json index{{"format", kFormat},       {"version", kVersion}, {"key", key},
                   {"width", features.width}, {"failed", failed},    {"sha256", digest_of(features)}};
  Hdf5Writer file(path);
  file.write_text("/index", index.dump(1, ' ', false, Json::error_handler_t::replace));
  file.write("/features", Hdf5Type::kFloat32, {rows, features.width}, features.values.data());
  file.write("/labels", Hdf5Type::kInt64, {rows}, labels.data());
  file.write_text("/pictures", names);
  file.commit();
}

CachedFeatures read_features(const fs::path& path, const FeatureKey& key, const Dataset& dataset) {
  try {
    const Hdf5Reader file(path);
    const Json index = parse_json(file.read_text("/index", kMostIndexBytes));
    if (!index.is_object() || index.value("format", "") != kFormat) {
      return {.features = {}, .refusal = "is no file of features"};
    }
    if (index.value("version", 0) != kVersion) return {.features = {}, .refusal = "is of another version"};
    // Compared as text is read back, so that numbers are of the same kind on both sides.
    const std::string differ = differences(index.at("key"), parse_json(key.dump()));
    if (!differ.empty()) return {.features = {}, .refusal = differ};
    return {.features = set_from(file, index, dataset), .refusal = ""};
  } catch (const ModelFileError& error) {
    return {.features = {}, .refusal = error.what()};
  } catch (const Json::exception& error) {
    return {.features = {}, .refusal = std::string("its index is damaged (") + error.what() + ")"};
  }
}

}  // namespace tessera
