#include "vision/picture_sample.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <utility>

#include "core/error.h"
#include "core/nearest.h"
#include "core/random.h"

namespace tessera {

namespace {

// Fisher and Yates.
template <class Value>
void shuffle(std::vector<Value>& values, Random& random) {
  for (std::size_t left = values.size(); left > 1; --left) {
    std::swap(values[left - 1], values[static_cast<std::size_t>(random.below(static_cast<int>(left)))]);
  }
}

// The pictures of each class, in random order.
std::vector<std::vector<std::size_t>> shuffled_classes(std::span<const int> labels, Random& random) {
  std::map<int, std::vector<std::size_t>> by_class;
  for (std::size_t i = 0; i < labels.size(); ++i) by_class[labels[i]].push_back(i);
  std::vector<std::vector<std::size_t>> classes;
  for (auto& [label, pictures] : by_class) {
    shuffle(pictures, random);
    classes.push_back(std::move(pictures));
  }
  return classes;
}

}  // namespace

std::string_view to_string(LimitOrder order) { return order == LimitOrder::kSpread ? "spread" : "first"; }

LimitOrder limit_order_from_string(std::string_view name) {
  for (const LimitOrder order : {LimitOrder::kSpread, LimitOrder::kFirst}) {
    if (name == to_string(order)) return order;
  }
  throw UsageError(unknown_word("order", name, std::vector<std::string>{"spread", "first"}));
}

// Systematic sampling: the classes are laid end to end, and every k-th picture of that line is taken.
std::vector<std::size_t> draw_spread(std::span<const int> labels, std::size_t count, std::uint64_t seed) {
  count = std::min(count, labels.size());
  Random random(seed);
  std::vector<std::vector<std::size_t>> classes = shuffled_classes(labels, random);
  shuffle(classes, random);  // so that the pictures left over by rounding go to no class by its place
  std::vector<std::size_t> line;
  line.reserve(labels.size());
  for (const std::vector<std::size_t>& pictures : classes) line.insert(line.end(), pictures.begin(), pictures.end());
  const auto start = static_cast<std::size_t>(random.below(static_cast<int>(line.size())));
  std::vector<std::size_t> taken;
  taken.reserve(count);
  for (std::size_t i = 0; i < count; ++i) taken.push_back(line[(i * line.size() + start) / count]);
  std::ranges::sort(taken);
  return taken;
}

std::vector<std::size_t> draw_per_class(std::span<const int> labels, std::size_t most, std::uint64_t seed) {
  Random random(seed);
  std::vector<std::size_t> taken;
  for (const std::vector<std::size_t>& pictures : shuffled_classes(labels, random)) {
    const auto end = pictures.begin() + static_cast<std::ptrdiff_t>(std::min(most, pictures.size()));
    taken.insert(taken.end(), pictures.begin(), end);
  }
  std::ranges::sort(taken);
  return taken;
}

std::string to_text(const PictureSample& sample) {
  if (sample.all()) return "";
  if (sample.order == LimitOrder::kFirst) {
    return fmt::format("the first {} of {} pictures, of {} of {} classes", sample.taken, sample.of, sample.classes,
                       sample.of_classes);
  }
  return fmt::format("{} of {} pictures, drawn over {} of {} classes (seed {})", sample.taken, sample.of,
                     sample.classes, sample.of_classes, sample.seed);
}

nlohmann::json to_json(const PictureSample& sample) {
  if (sample.all()) return nullptr;
  return {{"pictures", sample.taken},         {"of", sample.of},
          {"classes", sample.classes},        {"of_classes", sample.of_classes},
          {"order", to_string(sample.order)}, {"seed", sample.seed}};
}

PictureSample picture_sample_from_json(const nlohmann::json& json) {
  if (json.is_null()) return {};
  try {
    return {.taken = json.at("pictures").get<std::int64_t>(),
            .of = json.at("of").get<std::int64_t>(),
            .classes = json.at("classes").get<std::int64_t>(),
            .of_classes = json.at("of_classes").get<std::int64_t>(),
            .order = limit_order_from_string(json.at("order").get<std::string>()),
            .seed = json.at("seed").get<std::uint64_t>()};
  } catch (const nlohmann::json::exception&) {
    throw InputError("sample: expected pictures, of, classes, of_classes, order and seed");
  }
}

}  // namespace tessera
