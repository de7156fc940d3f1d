#pragma once
// Chooses some pictures that stand for all of them (`--limit`). The first pictures of a folder are pictures of a few
// classes and say nothing about the others.

#include <cstddef>
#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace tessera {

enum class LimitOrder {
  kSpread,  // drawn over all classes
  kFirst,   // in their order, which is one class after the other
};
std::string_view to_string(LimitOrder order);
// "spread" or "first". Throws UsageError.
LimitOrder limit_order_from_string(std::string_view name);

// Each function below takes the classes of the pictures and returns the numbers of those that are taken, in ascending
// order. It computes with integers alone: the same labels and seed give the same pictures on every machine, in every
// shard and sitting.

// Takes `count` pictures. Each picture is as likely as any other, and each class has its share of the count, rounded up
// or down: from 1000 classes of 50 pictures, 2000 are two of each.
std::vector<std::size_t> draw_spread(std::span<const int> labels, std::size_t count, std::uint64_t seed);
// Takes at most `most` pictures of each class.
std::vector<std::size_t> draw_per_class(std::span<const int> labels, std::size_t most, std::uint64_t seed);

// Which pictures of a data set were taken, for the reader of the results.
struct PictureSample {
  std::int64_t taken = 0, of = 0;  // pictures; both 0: all were taken
  std::int64_t classes = 0, of_classes = 0;
  LimitOrder order = LimitOrder::kSpread;
  std::uint64_t seed = 0;  // of the order spread

  bool all() const noexcept { return of == 0; }
};
// "2000 of 50000 pictures, drawn over 1000 of 1000 classes (seed 1)"; "" for all.
std::string to_text(const PictureSample& sample);
// Null for all. The latter throws InputError.
nlohmann::json to_json(const PictureSample& sample);
PictureSample picture_sample_from_json(const nlohmann::json& json);

}  // namespace tessera
