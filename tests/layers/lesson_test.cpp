#include <gtest/gtest.h>

#include <set>
#include <utility>

#include "layers/layer.h"

namespace tessera {
namespace {

template <std::size_t... Index>
std::vector<Layer> one_of_each(std::index_sequence<Index...>) {
  return {Layer(std::variant_alternative_t<Index, Layer>{})...};
}

TEST(Lessons, EveryLayerHasAFormulaAndASource) {
  for (const Layer& layer : one_of_each(std::make_index_sequence<std::variant_size_v<Layer>>{})) {
    const Lesson lesson = layer_lesson(layer);
    EXPECT_NE(lesson.formula, "") << layer_name(layer);
    EXPECT_FALSE(lesson.source.empty()) << layer_name(layer);
  }
}

TEST(Lessons, FollowTheKindOfALayer) {
  std::set<std::string_view> formulas;
  for (const ActivationKind kind : all_values<ActivationKind>()) {
    EXPECT_TRUE(formulas.insert(Activation{.kind = kind}.lesson().formula).second) << to_string(kind);
  }
  EXPECT_NE(Pool2d{.kind = PoolKind::kMax}.lesson().formula, Pool2d{.kind = PoolKind::kAverage}.lesson().formula);
  EXPECT_NE(TokenPool{.kind = TokenPoolKind::kFirst}.lesson().formula,
            TokenPool{.kind = TokenPoolKind::kMean}.lesson().formula);
}

}  // namespace
}  // namespace tessera
