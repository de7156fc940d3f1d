#include "evaluation/summary/shape_bias.h"

#include <fmt/format.h>

#include <cmath>
#include <limits>
#include <map>
#include <nlohmann/json.hpp>
#include <string_view>

#include "core/error.h"
#include "vision/class_names.h"

namespace tessera {

namespace {

// "elephant" of "cat7-elephant3.png"; "" for a name of another form.
std::string texture_name_of(std::string_view file) {
  const std::size_t dash = file.find('-');
  if (dash == std::string_view::npos) return "";
  std::string_view name = file.substr(dash + 1);
  name = name.substr(0, name.rfind('.'));
  const std::size_t last = name.find_last_not_of("0123456789");
  return last == std::string_view::npos ? "" : std::string(name.substr(0, last + 1));
}

class Textures {
 public:
  explicit Textures(const LabelSet& labels) : names_(names_of(labels), static_cast<int>(labels.size())) {}

  int operator()(const std::string& file) {
    const std::string name = texture_name_of(file);
    const auto known = known_.find(name);
    return known == known_.end() ? known_[name] = find(file, name) : known->second;
  }

 private:
  int find(const std::string& file, const std::string& name) const {
    const std::vector<int> found = name.empty() ? std::vector<int>() : names_.find(name);
    if (found.size() == 1) return found.front();
    std::string fault = "there is no class '" + name + "'" + names_.suggestion(name);
    if (name.empty()) fault = "this is no such name";
    if (found.size() > 1)
      fault = "'" + name + "' may be class " + names_.describe(found[0]) + " or class " + names_.describe(found[1]);
    throw InputError(fmt::format("{}: a cue conflict's file is named SHAPE1-TEXTURE2.jpg by classes of the models; {}",
                                 file, fault));
  }

  ClassNames names_;
  std::map<std::string, int> known_;
};

void finish(ShapeBias& bias) {
  const std::int64_t either = bias.shape + bias.texture;
  bias.bias = either > 0 ? static_cast<double>(bias.shape) / static_cast<double>(either)
                         : std::numeric_limits<double>::quiet_NaN();
  bias.interval = wilson_interval(bias.shape, either);
}

}  // namespace

std::vector<ShapeBias> shape_biases(const ComparisonResult& result) {
  Textures texture_of(result.header.labels);
  std::vector<ShapeBias> biases(result.header.models.size());
  for (const ComparisonRow& row : result.rows) {
    if (!row.error.empty()) continue;
    const int texture = texture_of(row.sample.name);
    if (texture == row.sample.label) continue;
    for (std::size_t m = 0; m < biases.size(); ++m) {
      const int said = row.predictions[m].index;
      ++(said == row.sample.label ? biases[m].shape : said == texture ? biases[m].texture : biases[m].neither);
    }
  }
  for (ShapeBias& bias : biases) finish(bias);
  return biases;
}

std::string shape_bias_text(const ComparisonResult& result, const std::vector<ShapeBias>& biases) {
  constexpr double kPercent = 100;
  std::string text = "\nShape of one class, texture of another: which one the prediction goes by\n";
  text += fmt::format("{:<40} | {:>7} | {:>7} | {:>7} | {:>10} | {}\n", "Model", "shape", "texture", "neither",
                      "shape bias", "95 % interval");
  for (std::size_t m = 0; m < biases.size(); ++m) {
    const ShapeBias& b = biases[m];
    text += fmt::format("{:<40} | {:>7} | {:>7} | {:>7} | {:>10} | {:.1f} to {:.1f} %\n", result.header.models[m].name,
                        b.shape, b.texture, b.neither,
                        std::isnan(b.bias) ? "-" : fmt::format("{:.1f} %", b.bias * kPercent),
                        b.interval.low * kPercent, b.interval.high * kPercent);
  }
  return text;
}

nlohmann::json shape_bias_json(const ComparisonResult& result, const std::vector<ShapeBias>& biases) {
  nlohmann::json json = nlohmann::json::array();
  for (std::size_t m = 0; m < biases.size(); ++m) {
    const ShapeBias& b = biases[m];
    json.push_back({{"model", result.header.models[m].name},
                    {"shape", b.shape},
                    {"texture", b.texture},
                    {"neither", b.neither},
                    {"shape_bias", std::isnan(b.bias) ? nlohmann::json() : nlohmann::json(b.bias)},
                    {"shape_bias_interval", {b.interval.low, b.interval.high}}});
  }
  return json;
}

}  // namespace tessera
