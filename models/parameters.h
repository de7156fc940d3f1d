#pragma once
// A family's parameters: a struct that names its fields once, and is had as JSON.
//
//   struct ResNetParameters {
//     std::int64_t width = 64;
//     template <class Visitor>
//     void fields(Visitor&& visit) { visit("width", width, "channels of the stem"); }
//   };
//
// Defaults, the JSON of cards, the refusal of unknown keys and wrong types, and the list in `tessera models NAME` all
// follow from fields().

#include <nlohmann/json.hpp>
#include <string>
#include <type_traits>
#include <vector>

#include "engine/graph.h"

namespace tessera {

// 224 for a square, [height, width] otherwise.
nlohmann::json size_to_json(Size2 size);
// Throws UsageError unless it is one of both, of whole numbers from 1 on.
Size2 size_from_json(const nlohmann::json& json);

// Throws UsageError: "its parameter 'classes' cannot be used: it is "many"".
[[noreturn]] void refuse_parameter(const char* key, const nlohmann::json& value);

struct ParameterDescription {
  std::string name;
  nlohmann::json fallback;
  std::string meaning;
};

template <class Parameters>
nlohmann::json parameters_to_json(Parameters parameters) {
  nlohmann::json json = nlohmann::json::object();
  parameters.fields([&](const char* key, auto& value, const char*) {
    if constexpr (std::is_same_v<std::decay_t<decltype(value)>, Size2>) {
      json[key] = size_to_json(value);
    } else {
      json[key] = value;
    }
  });
  return json;
}

// Every field must be there: make_config() has filled in the defaults.
template <class Parameters>
Parameters parameters_from_json(const nlohmann::json& json) {
  Parameters parameters;
  parameters.fields([&](const char* key, auto& value, const char*) {
    const nlohmann::json& said = json.at(key);
    try {
      if constexpr (std::is_same_v<std::decay_t<decltype(value)>, Size2>) {
        value = size_from_json(said);
      } else {
        said.get_to(value);
      }
    } catch (const nlohmann::json::exception&) {
      refuse_parameter(key, said);
    }
  });
  return parameters;
}

template <class Parameters>
std::vector<ParameterDescription> describe_parameters() {
  std::vector<ParameterDescription> all;
  const nlohmann::json defaults = parameters_to_json(Parameters());
  Parameters().fields([&](const char* key, auto&, const char* meaning) {
    all.push_back({key, defaults.at(key), meaning});
  });
  return all;
}

// The parameters of one family, and how a graph is made of them.
struct Builder {
  nlohmann::json defaults;
  std::vector<ParameterDescription> parameters;
  Graph (*build)(const nlohmann::json& parameters, std::int64_t max_batch) = nullptr;
};

template <class Parameters, Graph (*kBuild)(const Parameters&, std::int64_t)>
Builder builder_of() {
  return {parameters_to_json(Parameters()), describe_parameters<Parameters>(),
          [](const nlohmann::json& json, std::int64_t max_batch) {
            return kBuild(parameters_from_json<Parameters>(json), max_batch);
          }};
}

}  // namespace tessera
