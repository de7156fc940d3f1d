#include "evaluation/summary/shape_bias.h"

#include <gtest/gtest.h>

#include <cmath>

#include "core/error.h"

namespace tessera {
namespace {

ComparisonRow row(const char* file, int label, int said) {
  ComparisonRow row{.sample = {.path = {}, .name = file, .folder = "", .label = label}};
  row.predictions.resize(1);
  set_best(row.predictions[0], {{said, 0.5}}, label);
  return row;
}

ComparisonResult result_of(std::vector<ComparisonRow> rows) {
  return {.header = {.models = {{.name = "a", .prefix = "a"}},
                     .labels = LabelSet::custom({"cat", "elephant", "half_disc"})},
          .rows = std::move(rows)};
}

TEST(ShapeBias, CountsDecisionsForEitherCue) {
  ComparisonResult result =
      result_of({row("cat7-elephant3.png", 0, 0), row("cat8-elephant.jpg", 0, 1), row("half_disc000012-cat.jpg", 2, 2),
                 row("elephant1-half_disc22.jpg", 1, 0), row("cat1-cat2.png", 0, 0)});  // no conflict
  result.rows.push_back({.error = "is empty"});
  const ShapeBias bias = shape_biases(result)[0];
  EXPECT_EQ(bias.shape, 2);
  EXPECT_EQ(bias.texture, 1);
  EXPECT_EQ(bias.neither, 1);
  EXPECT_DOUBLE_EQ(bias.bias, 2.0 / 3);
  EXPECT_DOUBLE_EQ(bias.interval.low, wilson_interval(2, 3).low);
}

TEST(ShapeBias, HasNoValueWithoutADecision) {
  const ComparisonResult result = result_of({row("cat7-elephant3.png", 0, 2)});
  const std::vector<ShapeBias> biases = shape_biases(result);
  EXPECT_TRUE(std::isnan(biases[0].bias));
  EXPECT_NE(shape_bias_text(result, biases).find(" - |"), std::string::npos);
}

TEST(ShapeBias, RefusesFilesOfAnotherName) {
  for (const char* name : {"cat.jpg", "cat7-dog3.png", "cat-.png", "cat-123.png", ""}) {
    EXPECT_THROW(shape_biases(result_of({row(name, 0, 0)})), InputError) << name;
  }
}

}  // namespace
}  // namespace tessera
