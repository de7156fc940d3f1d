#include "weights/config_labels.h"

#include <algorithm>
#include <charconv>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <vector>

#include "core/error.h"
#include "core/file.h"
#include "core/text.h"

namespace tessera {

namespace {

using Json = nlohmann::json;
using Names = std::vector<std::string>;

constexpr std::int64_t kImageNetClasses = 1000;
constexpr const char* kWayOut = "; mend the file, or give --labels FILE (a name a line), imagenet-1k or none";

[[noreturn]] void refuse(const std::string& what) { throw ModelFileError(what + kWayOut); }

std::string text_of(const Json& name, const std::string& where) {
  if (!name.is_string()) refuse(where + " is " + name.dump() + ", not a name");
  return name.get<std::string>();
}

int number_of(const std::string& text) {
  int number = -1;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc() && end == text.data() + text.size() ? number : -1;
}

// A list in the order of the classes, or an object that maps class numbers to names, in any order.
Names names_of(const Json& json, const std::string& key, std::int64_t classes) {
  if (!json.is_object() && !json.is_array()) refuse("config.json's " + key + " is neither a list nor an object");
  if (static_cast<std::int64_t>(json.size()) != classes) {
    refuse("config.json's " + key + " has " + std::to_string(json.size()) + " names for " + std::to_string(classes) +
           " classes");
  }
  Names names(json.size());
  if (json.is_array()) {
    for (std::size_t i = 0; i < json.size(); ++i) names[i] = text_of(json[i], key + "[" + std::to_string(i) + "]");
    return names;
  }
  std::vector<bool> named(names.size());
  for (const auto& [id, name] : json.items()) {
    const int number = number_of(id);
    if (number < 0 || number >= classes || named[static_cast<std::size_t>(number)]) {
      refuse("config.json's " + key + " has a class '" + id + "'; there are classes 0 to " +
             std::to_string(classes - 1));
    }
    named[static_cast<std::size_t>(number)] = true;
    names[static_cast<std::size_t>(number)] = text_of(name, key + " of class " + id);
  }
  return names;
}

void check(const Names& names, const std::string& key) {
  std::map<std::string, std::size_t> seen;
  for (std::size_t i = 0; i < names.size(); ++i) {
    const std::string where = key + ": the name of class " + std::to_string(i);
    const bool control =
        std::ranges::any_of(names[i], [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; });
    if (names[i].empty()) refuse(where + " is empty");
    if (control) refuse(where + " holds a line's end or another control character");
    if (const auto [place, fresh] = seen.emplace(names[i], i); !fresh) {
      refuse(key + ": classes " + std::to_string(place->second) + " and " + std::to_string(i) + " are both '" +
             names[i] + "'");
    }
  }
}

// "tench, Tinca tinca" -> "tench", in small letters.
std::string first_synonym(std::string_view label) { return lower_case(label.substr(0, label.find(','))); }

// ImageNet's thousand classes in their order, by wnid or by name; a few names are spelled in several ways.
bool is_imagenet(const Names& names) {
  const auto classes = imagenet_classes();
  if (names.size() != classes.size()) return false;
  constexpr std::size_t kMostOtherSpellings = 10;
  std::map<std::string, std::size_t> places;
  for (std::size_t i = 0; i < classes.size(); ++i) places.emplace(first_synonym(classes[i].label), i);
  std::size_t others = 0;
  for (std::size_t i = 0; i < names.size(); ++i) {
    const std::string name = first_synonym(names[i]);
    if (names[i] == classes[i].wnid || name == first_synonym(classes[i].label)) continue;
    if (places.contains(name) || imagenet_index(names[i]) >= 0) return false;  // it names another ImageNet class
    if (++others > kMostOtherSpellings) return false;
  }
  return true;
}

// timm's descriptions of its names: "n01440764" -> "tench, Tinca tinca".
void describe(Names& names, const Json& descriptions) {
  if (!descriptions.is_object()) return;
  Names described;
  for (const std::string& name : names) {
    const auto found = descriptions.find(name);
    described.push_back(found != descriptions.end() && found->is_string() ? found->get<std::string>() : name);
  }
  std::map<std::string, int> times;
  for (const std::string& name : described) ++times[name];
  // Two names may share a description ("crane"); then the names stay.
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (times[described[i]] == 1) names[i] = described[i];
  }
}

LabelSet labels_of_file(const std::string& path, std::int64_t classes) {
  constexpr std::uintmax_t kMostBytes = 16 << 20;
  std::string text = read_file(path, kMostBytes);
  std::erase(text, '\r');
  Names names;
  for (std::size_t begin = 0, end = 0; begin < text.size(); begin = end + 1) {
    end = std::min(text.find('\n', begin), text.size());
    names.push_back(text.substr(begin, end - begin));
  }
  if (static_cast<std::int64_t>(names.size()) != classes) {
    throw UsageError("--labels " + path + ": " + std::to_string(names.size()) + " names for " +
                     std::to_string(classes) + " classes");
  }
  check(names, path);
  return LabelSet::custom(std::move(names));
}

std::optional<Names> said_names(const Json& config, std::int64_t classes, std::string& key) {
  const Json nested = config.value("pretrained_cfg", Json::object());
  const Json& cfg = nested.is_object() ? nested : config;
  for (const Json* place : {&config, &cfg}) {
    for (const char* name : {"label_names", "labels", "id2label"}) {
      const auto found = place->find(name);
      if (found == place->end() || !found->is_structured() || found->empty()) continue;
      key = name;
      // transformers writes two placeholders where nobody has named the classes.
      std::size_t placeholders = 0;
      for (const auto& [id, value] : found->items())
        placeholders += value.is_string() && value.get<std::string>().starts_with("LABEL_") ? 1U : 0U;
      if (placeholders == found->size()) return std::nullopt;
      Names names = names_of(*found, key, classes);
      if (key != "id2label" && !is_imagenet(names)) {
        describe(names, place->value("label_descriptions", Json()));
      }
      return names;
    }
  }
  return std::nullopt;
}

}  // namespace

LabelSet labels_of(const Json& config, std::int64_t classes, const std::string& asked,
                   const std::function<void(const std::string&)>& note) {
  if (classes == 0 && !asked.empty() && asked != "none") throw UsageError("--labels: the model has no classes");
  if (classes == 0 || asked == "none") return {};
  if (asked == "imagenet-1k") {
    if (classes != kImageNetClasses)
      throw UsageError("--labels imagenet-1k: the model has " + std::to_string(classes) + " classes");
    return LabelSet::imagenet_1k();
  }
  if (!asked.empty()) return labels_of_file(asked, classes);
  std::string key;
  if (std::optional<Names> names = said_names(config, classes, key)) {
    if (is_imagenet(*names)) return LabelSet::imagenet_1k();
    check(*names, "config.json's " + key);
    return LabelSet::custom(std::move(*names));
  }
  if (classes != kImageNetClasses || key == "id2label") {
    note("its classes have no names: config.json has none; --labels FILE gives them");
    return {};
  }
  note("1000 classes without names are taken for ImageNet's, as timm does; --labels says otherwise");
  return LabelSet::imagenet_1k();
}

}  // namespace tessera
