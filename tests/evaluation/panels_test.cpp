#include "evaluation/report/panels.h"

#include <gtest/gtest.h>

#include "evaluation/draw/canvas.h"
#include "vision/decode.h"

namespace tessera {
namespace {

// `models` models on `pictures` pictures; the times of model m are about m + 1 ms.
ComparisonResult result_of(std::size_t models, int pictures) {
  ComparisonResult result;
  for (std::size_t m = 0; m < models; ++m) {
    result.header.models.push_back({.name = "some/<model> & \"" + std::to_string(m) + "\" größe", .prefix = "m"});
  }
  for (int i = 0; i < pictures; ++i) {
    ComparisonRow row{.number = i, .sample = {.path = {}, .name = "p", .folder = "", .label = 1}};
    row.predictions.resize(models);
    for (std::size_t m = 0; m < models; ++m) {
      const int index = (i + static_cast<int>(m)) % 3 == 0 ? 0 : 1;
      set_best(row.predictions[m], {{index, 0.75}, {2, 0.1}}, 1);
      row.predictions[m].inference_ms = static_cast<double>(m) + 1 + 0.01 * (i % 10);
    }
    result.rows.push_back(row);
  }
  return result;
}

Image decoded(const ComparisonResult& result) {
  const Panels panels = draw_panels(summarise(result), result);
  EXPECT_TRUE(panels.svg.starts_with("<?xml")) << panels.svg.substr(0, 40);
  EXPECT_NE(panels.svg.find("</svg>"), std::string::npos);
  return decode(std::as_bytes(std::span(panels.png)), "panels.png");
}

// Pixels of a part of the picture that are not white.
int ink_in(const Image& image, int left, int top, int width, int height) {
  int ink = 0;
  for (int y = top; y < top + height; ++y) {
    for (int x = left; x < left + width; ++x) {
      const std::uint8_t* pixel = image.row(y) + 3 * x;
      ink += pixel[0] < 250 || pixel[1] < 250 || pixel[2] < 250 ? 1 : 0;
    }
  }
  return ink;
}

TEST(Panels, EveryPanelIsDrawnForAnyNumberOfModels) {
  for (const std::size_t models : {1U, 2U, 5U, 9U}) {
    ComparisonResult result = result_of(models, 30);
    for (ComparedModel& model : result.header.models) model.load_ms = 20;
    const Image image = decoded(result);
    ASSERT_EQ(image.width, 1600);
    ASSERT_EQ(image.height, 1000);
    for (int panel = 0; panel < 6; ++panel) {
      const int left = 20 + panel % 3 * 520, top = 80 + panel / 3 * 450;
      const bool no_pair = models == 1 && panel == 4;
      EXPECT_GT(ink_in(image, left + 20, top + 60, 480, 370), no_pair ? 100 : 4000) << models << ", panel " << panel;
    }
  }
}

TEST(Panels, AreDrawnOfNothingAndOfErrorsAlone) {
  EXPECT_EQ(decoded(result_of(2, 0)).width, 1600);
  ComparisonResult errors = result_of(2, 3);
  for (ComparisonRow& row : errors.rows) {
    row.error = "is empty";
    row.predictions.clear();
  }
  EXPECT_EQ(decoded(errors).width, 1600);
  ComparisonResult bad_name = result_of(1, 3);
  bad_name.header.models[0].name = "a\xFF\xC3";  // no UTF-8
  EXPECT_EQ(decoded(bad_name).width, 1600);
}

TEST(Panels, AreTheSameForTheSameResults) {
  const ComparisonResult result = result_of(3, 20);
  const ComparisonSummary summary = summarise(result);
  EXPECT_TRUE(draw_panels(summary, result).png == draw_panels(summary, result).png);
}

TEST(Panels, OutliersDoNotFlattenTheBoxes) {
  ComparisonResult result = result_of(1, 1000);
  const TimeBox before = time_boxes(result)[0];
  result.rows[9].predictions[0].inference_ms = 5000;
  const TimeBox with = time_boxes(result)[0];
  EXPECT_EQ(with.high, before.high);
  EXPECT_EQ(with.median, before.median);
  EXPECT_EQ(with.beyond, 1U);
  EXPECT_EQ(with.largest, 5000);
}

TEST(Panels, AxesHaveTicksThatAreReadAtAGlance) {
  const auto expect = [](double most, double step, double top, int decimals) {
    const Axis axis = axis_to(most);
    EXPECT_DOUBLE_EQ(axis.step, step) << most;
    EXPECT_NEAR(axis.top, top, 1e-9) << most;
    EXPECT_EQ(axis.decimals, decimals) << most;
  };
  expect(100, 20, 100, 0);
  expect(101, 50, 150, 0);
  expect(7.3, 2, 8, 0);
  expect(0.31, 0.1, 0.4, 1);
  expect(0.0042, 0.001, 0.005, 3);
  expect(1234, 500, 1500, 0);
  expect(0, 1, 1, 0);
}

}  // namespace
}  // namespace tessera
