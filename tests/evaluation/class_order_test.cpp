// Models of the same classes in another order: each class is one class in all that is made of them.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <numeric>

#include "core/random.h"
#include "evaluation/compare/comparison.h"
#include "vision/class_lists.h"
#include "weights/head.h"
#include "weights/model_source.h"

namespace tessera {
namespace {

constexpr std::int64_t kClasses = 7;

// The same network; its classes, and the rows of its head, in the order of `order`.
std::unique_ptr<Classifier> classifier(const std::vector<int>& order) {
  LoadedModel model = load_model("seeded:vit_tiny_patch16_224@1", {.image_size = 32});
  remove_head(model);
  const std::int64_t width = feature_width(model.card.config);
  std::vector<float> weight, bias;
  std::vector<std::string> names;
  for (const int of_class : order) {
    Random random(static_cast<std::uint64_t>(of_class));
    for (std::int64_t i = 0; i < width; ++i) weight.push_back(random.between(-0.1F, 0.1F));
    bias.push_back(random.between(-0.1F, 0.1F));
    names.push_back(std::string(1, static_cast<char>('a' + of_class)));
  }
  put_head(model, weight, bias, LabelSet::custom(names));
  return std::make_unique<Classifier>(std::move(model), RunOptions{.device = "eigen"});
}

class Rows final : public Work {
 public:
  explicit Rows(std::size_t pictures) : left_(static_cast<std::int64_t>(pictures)) {}
  void begin(double /*alone*/) override {}
  std::vector<std::int64_t> next(std::size_t most) override { return left_.next(most); }
  void take(std::span<const ComparisonRow> rows) override { all.insert(all.end(), rows.begin(), rows.end()); }
  bool stopped() const override { return false; }

  std::vector<ComparisonRow> all;

 private:
  AllPictures left_;
};

TEST(ClassOrder, OfAModelChangesNoPredictionAndNoMean) {
  std::vector<int> order(kClasses);
  std::iota(order.begin(), order.end(), 0);
  std::vector<std::unique_ptr<Classifier>> models;
  models.push_back(classifier(order));
  std::rotate(order.begin(), order.begin() + 3, order.end());
  std::swap(order[0], order[1]);
  models.push_back(classifier(order));

  std::vector<ClassList> lists;
  for (const auto& model : models) {
    lists.push_back({.model = "a model", .labels = model->card().labels, .classes = kClasses});
  }
  const Dataset pictures{
      .samples = list_pictures(std::filesystem::path(TESSERA_TEST_DATA) / "vision"), .notes = {}, .sample = {}};
  Rows rows(pictures.samples.size());
  compare_models(models, pictures, {.warmup = 0, .places = common_classes(lists).places}, rows);
  int compared = 0;
  for (const ComparisonRow& row : rows.all) {
    if (!row.error.empty()) continue;
    ++compared;
    const Prediction &first = row.predictions[0], &second = row.predictions[1];
    ASSERT_EQ(first.best.size(), second.best.size());
    for (std::size_t i = 0; i < first.best.size(); ++i) {
      EXPECT_EQ(first.best[i].index, second.best[i].index) << row.sample.name;
      EXPECT_NEAR(first.best[i].probability, second.best[i].probability, 1e-6);
      EXPECT_EQ(row.average[i].index, first.best[i].index);
      EXPECT_NEAR(row.average[i].probability, first.best[i].probability, 1e-6);
    }
  }
  EXPECT_GT(compared, 5);
}

}  // namespace
}  // namespace tessera
