#pragma once
// A small run: tiny models, small pictures, a folder for its log.

#include <gtest/gtest.h>
#include <unistd.h>

#include <array>
#include <filesystem>
#include <memory>
#include <vector>

#include "evaluation/compare/run.h"
#include "tests/temporary_folder.h"
#include "weights/seeded.h"

namespace tessera {

class SmallRun : public WithFolder {
 protected:
  static constexpr std::int64_t kBatch = 3;
  static constexpr std::int64_t kMissing = 7;  // each seventh picture is not there

  static bool is_missing(std::int64_t number) { return number % kMissing == kMissing - 1; }
  static Dataset pictures(std::int64_t count) {
    const std::filesystem::path folder = std::filesystem::path(TESSERA_TEST_DATA) / "vision";
    constexpr std::array kFiles{"png_bilevel.png", "png_palette.png", "png_one_pixel_interlaced.png"};
    Dataset dataset;
    for (std::int64_t number = 0; number < count; ++number) {
      const std::string file =
          is_missing(number) ? "none.png" : kFiles[static_cast<std::size_t>(number) % kFiles.size()];
      dataset.samples.push_back(
          {.path = folder / file, .name = std::to_string(number) + ".png", .label = static_cast<int>(number % 5)});
    }
    return dataset;
  }
  static std::vector<std::unique_ptr<Classifier>> two_models() {
    std::vector<std::unique_ptr<Classifier>> models;
    for (const std::uint64_t seed : {std::uint64_t{1}, std::uint64_t{2}}) {
      const ModelConfig config =
          make_config("vit_tiny_patch16_224",
                      {{"image_size", 32}, {"dim", 8}, {"depth", 1}, {"heads", 2}, {"classes", 5}, {"pos_grid", 2}});
      LoadedModel model = seeded_model(config, seed);
      model.card.name = "tiny" + std::to_string(seed);
      model.card.preprocess = Preprocess::timm(32, 0.9, Filter::kBilinear, {0.5F, 0.5F, 0.5F}, {0.5F, 0.5F, 0.5F});
      model.card.labels = LabelSet::custom({"a", "b", "c", "d", "e"});
      models.push_back(
          std::make_unique<Classifier>(std::move(model), RunOptions{.device = "eigen", .max_batch = kBatch}));
    }
    return models;
  }
  RunPlan plan(const std::vector<std::unique_ptr<Classifier>>& models, const Dataset& dataset,
               const std::string& name = "run") const {
    RunPlan plan;
    plan.header.settings = {{"batch", kBatch}};
    plan.header.pictures = static_cast<std::int64_t>(dataset.samples.size());
    plan.header.models = facts_of(models, std::vector<std::string>(models.size(), "seeded"));
    plan.header.labels = models.front()->card().labels;
    plan.folder = folder_ / name;
    plan.options.mode = ComparisonMode::kThroughput;
    plan.options.batch = kBatch;
    plan.options.warmup = 2;
    plan.options.workers = 2;
    return plan;
  }
  // Each picture has one row: with predictions, or with an error where it is not there.
  static void expect_all(const ComparisonResult& result, std::int64_t pictures) {
    ASSERT_EQ(result.rows.size(), static_cast<std::size_t>(pictures));
    for (std::int64_t number = 0; number < pictures; ++number) {
      const ComparisonRow& row = result.rows[static_cast<std::size_t>(number)];
      EXPECT_EQ(row.number, number);
      EXPECT_EQ(row.error.empty(), !is_missing(number)) << number << ": " << row.error;
    }
    EXPECT_FALSE(result.interrupted);
  }
  static void expect_same_predictions(const ComparisonResult& a, const ComparisonResult& b) {
    ASSERT_EQ(a.rows.size(), b.rows.size());
    for (std::size_t i = 0; i < a.rows.size(); ++i) {
      ASSERT_EQ(a.rows[i].predictions.size(), b.rows[i].predictions.size()) << i;
      for (std::size_t m = 0; m < a.rows[i].predictions.size(); ++m) {
        EXPECT_EQ(a.rows[i].predictions[m].index, b.rows[i].predictions[m].index) << i;
        EXPECT_EQ(a.rows[i].predictions[m].confidence, b.rows[i].predictions[m].confidence) << i;
      }
    }
  }
};

inline RunVoice silent() {
  return {.progress = [](const ComparisonProgress&) {}, .note = [](const std::string&) {}};
}

}  // namespace tessera
