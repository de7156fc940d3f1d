#include "vision/labels.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "core/error.h"

namespace tessera {
namespace {

TEST(Labels, AreTheImageNetClassesInTheOrderOfTheirWnids) {
  ASSERT_EQ(imagenet_classes().size(), 1000U);
  EXPECT_EQ(imagenet_index("n01440764"), 0);
  EXPECT_EQ(imagenet_index("n15075141"), 999);
  EXPECT_EQ(imagenet_index("n01440765"), -1);
  EXPECT_EQ(imagenet_index(""), -1);
  EXPECT_EQ(imagenet_classes()[134].label, "crane");
  EXPECT_EQ(imagenet_classes()[517].label, "crane");
  EXPECT_EQ(imagenet_classes()[0].label, "tench, Tinca tinca");
  const LabelSet labels = LabelSet::imagenet_1k();
  EXPECT_EQ(labels.wnid(999), "n15075141");
  EXPECT_EQ(labels.name(1000), "class 1000");
  EXPECT_TRUE(label_set_from_json(to_json(labels)).is_imagenet());
  EXPECT_EQ(label_set_from_json(to_json(LabelSet::custom({"a", "b"}))).name(1), "b");
  EXPECT_EQ(label_set_from_json(nullptr).size(), 0U);
  EXPECT_THROW(label_set_from_json(7), UsageError);
}

}  // namespace
}  // namespace tessera
