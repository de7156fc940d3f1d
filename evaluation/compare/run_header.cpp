#include "evaluation/compare/run_header.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <set>

#include "core/error.h"

namespace tessera {

namespace {

using Json = nlohmann::json;

constexpr const char* kFormat = "tessera-run-log";
constexpr int kVersion = 2;  // 1 had neither sittings' machines nor pictures' contents
constexpr int kMostShards = 1'000'000;

Json to_json(const ComparedModel& model) {
  Json json{{"name", model.name},       {"prefix", model.prefix},
            {"load_ms", model.load_ms}, {"parameters", model.parameters},
            {"macs", model.macs},       {"memory_bytes", model.memory_bytes}};
  if (const auto& published = model.published) {
    json["published"] = {{"weights", published->weights},
                         {"image_size", published->image_size},
                         {"top1", published->top1},
                         {"top5", published->top5}};
  }
  return json;
}

std::optional<PublishedAccuracy> published_from_json(const Json& json) {
  if (!json.contains("published")) return std::nullopt;
  const Json& published = json.at("published");
  return PublishedAccuracy{published.at("weights").get<std::string>(), published.at("image_size").get<int>(),
                           published.at("top1").get<double>(), published.at("top5").get<double>()};
}

ComparedModel model_from_json(const Json& json) {
  const ComparedModel model{.name = json.at("name").get<std::string>(),
                            .prefix = json.at("prefix").get<std::string>(),
                            .load_ms = json.at("load_ms").get<double>(),
                            .parameters = json.at("parameters").get<std::int64_t>(),
                            .macs = json.at("macs").get<std::int64_t>(),
                            .memory_bytes = json.at("memory_bytes").get<std::int64_t>(),
                            .published = published_from_json(json)};
  if (model.load_ms < 0 || model.parameters < 0 || model.macs < 0 || model.memory_bytes < 0) {
    throw InputError("a model of its header has a negative size or time");
  }
  return model;
}

bool is_shard(const Shard& shard) {
  return shard.index >= 1 && shard.index <= shard.count && shard.count <= kMostShards;
}

// "models/0/isa: avx512 there, avx2 here" of every leaf, the first few of them.
std::string differences(const Json& there, const Json& here) {
  constexpr int kShown = 6;
  const Json leaves = here.flatten(), others = there.flatten();
  std::set<std::string> pointers;
  for (const Json& side : {leaves, others}) {
    for (const auto& leaf : side.items()) pointers.insert(leaf.key());
  }
  std::string text;
  int count = 0;
  for (const std::string& pointer : pointers) {
    const Json value = leaves.value(pointer, Json()), other = others.value(pointer, Json());
    if (pointer.empty() || other == value || ++count > kShown) continue;  // empty: of settings without any
    text +=
        fmt::format("{}{}: {} there, {} here", text.empty() ? "" : ", ", pointer.substr(1), other.dump(), value.dump());
  }
  return count > kShown ? text + fmt::format(" and {} more", count - kShown) : text;
}

}  // namespace

nlohmann::json to_json(const RunHeader& header) {
  Json models = Json::array();
  for (const ComparedModel& model : header.models) models.push_back(to_json(model));
  return {{"format", kFormat},
          {"version", kVersion},
          {"settings", header.settings},
          {"pictures", header.pictures},
          {"shard", {header.shard.index, header.shard.count}},
          {"models", models},
          {"labels", to_json(header.labels)}};
}

RunHeader header_from_json(const nlohmann::json& json) {
  constexpr std::int64_t kMostPictures = std::int64_t{1} << 31;
  constexpr std::size_t kMostModels = 10'000;
  if (!json.is_object() || json.value("format", Json()) != kFormat) throw InputError("is not the log of a run");
  if (const Json& version = json.at("version"); version != kVersion && version != 1) {
    throw InputError(
        fmt::format("is the log of another version of tessera (format {}; this one writes {}): use that one",
                    json.at("version").dump(), kVersion));
  }
  RunHeader header;
  header.settings = json.at("settings");
  if (!header.settings.is_object()) throw InputError("the settings of its header are no JSON object");
  header.pictures = json.at("pictures").get<std::int64_t>();
  if (header.pictures < 0 || header.pictures > kMostPictures) {
    throw InputError(fmt::format("its header speaks of {} pictures", header.pictures));
  }
  header.shard = {json.at("shard").at(0).get<int>(), json.at("shard").at(1).get<int>()};
  if (!is_shard(header.shard)) {
    throw InputError(fmt::format("its header speaks of shard {}/{}", header.shard.index, header.shard.count));
  }
  for (const Json& model : json.at("models")) header.models.push_back(model_from_json(model));
  if (header.models.empty() || header.models.size() > kMostModels) {
    throw InputError(fmt::format("its header speaks of {} models", header.models.size()));
  }
  const auto models = header.settings.find("models");
  if (models != header.settings.end() && models->is_array() && models->size() != header.models.size()) {
    throw InputError(
        fmt::format("its header has {} models and the settings of {}", header.models.size(), models->size()));
  }
  header.labels = label_set_from_json(json.at("labels"));
  return header;
}

bool begins_a_header(std::string_view line) {
  constexpr std::size_t kDigits = 8;
  constexpr std::string_view kStart = R"( {"format":"tessera-run-log")";
  return line.size() >= kDigits + kStart.size() && line.substr(kDigits, kStart.size()) == kStart;
}

std::string differing_settings(const RunHeader& there, const RunHeader& here) {
  std::string text = differences(there.settings, here.settings);
  const auto add = [&](const std::string& more) { text += (text.empty() ? "" : ", ") + more; };
  if (there.pictures != here.pictures) add(fmt::format("{} pictures there, {} here", there.pictures, here.pictures));
  if (there.models.size() != here.models.size()) {
    add(fmt::format("{} models there, {} here", there.models.size(), here.models.size()));
  }
  for (std::size_t i = 0; i < std::min(there.models.size(), here.models.size()); ++i) {
    const std::string &a = there.models[i].name, &b = here.models[i].name;
    if (a != b) add(fmt::format("model {} is {} there, {} here", i + 1, a, b));
  }
  if (to_json(there.labels) != to_json(here.labels)) add("the names of the classes");
  return text;
}

Shard shard_from_string(const std::string& text) {
  Shard shard;
  const char* const end = text.data() + text.size();
  const auto first = std::from_chars(text.data(), end, shard.index);
  const bool slash = first.ec == std::errc() && first.ptr != end && *first.ptr == '/';
  const auto second = slash ? std::from_chars(first.ptr + 1, end, shard.count) : first;
  if (!slash || second.ec != std::errc() || second.ptr != end || !is_shard(shard)) {
    throw UsageError("--shard '" + text + "': expected i/n with i from 1 to n, as in 2/4");
  }
  return shard;
}

}  // namespace tessera
