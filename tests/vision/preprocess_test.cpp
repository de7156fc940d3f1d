// Preprocessing against timm, transformers and torchvision: the 8-bit stage by hash, the floats bit for bit.
// Expected values: tests/reference/vision.py.

#include "vision/preprocess.h"

#include <gtest/gtest.h>

#include <map>
#include <nlohmann/json.hpp>
#include <tuple>

#include "core/error.h"
#include "tests/vision/support.h"

namespace tessera {
namespace {

using Json = nlohmann::json;
using fixtures::digest;
using fixtures::expected;
using fixtures::formula_picture;

TEST(Preprocess, EqualsTimmAndHuggingFace) {
  ASSERT_GE(expected().at("transforms").size(), 9U * 7U);
  std::map<int, int> differing;  // between the releases of Pillow
  for (const Json& entry : expected().at("transforms")) {
    if (entry.at("releases").size() == 1) ++differing[entry.at("releases")[0]];
    for (const int release : entry.at("releases")) {
      Json card = entry.at("preprocess");
      card["pillow"] = release;
      const Preprocess preprocess = preprocess_from_json(card);
      const Image picture = formula_picture(entry.at("from")[0], entry.at("from")[1]);
      const std::string what = entry.at("name").get<std::string>() + " from " + entry.at("from").dump();
      const Image bytes = resize_and_crop(picture, preprocess);
      EXPECT_EQ(digest(bytes.pixels), entry.at("sha256").get<std::string>()) << what;
      Tensor values(Shape{1, entry.at("shape")[0], entry.at("shape")[1], 3});
      preprocess_image(picture, preprocess, values.view());
      for (std::size_t i = 0; i < entry.at("indices").size(); ++i) {
        const float reference = entry.at("values")[i];
        ASSERT_EQ(values.values()[entry.at("indices")[i].get<std::size_t>()], reference) << what;
      }
    }
  }
  EXPECT_GT(differing[12], 5);
  EXPECT_EQ(differing[12], differing[13]);
}

TEST(Preprocess, KeepsTheCropsShareAtAnotherSize) {
  const Preprocess half = Preprocess::timm(448, 0.875, Filter::kBicubic, {}, {1, 1, 1}).at_size(224);
  EXPECT_EQ(half.resize, 256);
  EXPECT_EQ(half.crop, 224);
  // timm's floor(size / crop_pct), which is not the proportion of what was rounded for the first size.
  for (const auto& [crop_pct, size, resize] : {std::tuple{0.9, 384, 426},
                                               {0.95, 288, 303},
                                               {0.965, 384, 397},
                                               {0.935, 256, 273},
                                               {1.0, 384, 384},
                                               {0.875, 240, 274}}) {
    const Preprocess made = Preprocess::timm(224, crop_pct, Filter::kBicubic, {}, {1, 1, 1});
    EXPECT_EQ(made.at_size(size).resize, resize) << crop_pct;
    EXPECT_EQ(preprocess_from_json(to_json(made)).at_size(size).resize, resize) << crop_pct;
  }
  Preprocess without = Preprocess::timm(224, 0.9, Filter::kBicubic, {}, {1, 1, 1});
  without.crop_fraction = 0;  // as in files that do not have it
  EXPECT_EQ(without.at_size(384).resize, 426);
  const Preprocess squash = Preprocess::hf_squash(224, Filter::kBilinear, {}, {1, 1, 1}).at_size(384);
  EXPECT_EQ(squash.resize, 384);
  EXPECT_EQ(squash.crop, 0);
}

TEST(Preprocess, KeepsItselfInJson) {
  const Preprocess made = Preprocess::timm(224, 0.95, Filter::kBicubic, {0.1F, 0.2F, 0.3F}, {0.4F, 0.5F, 0.6F});
  EXPECT_EQ(made.resize, 235);
  EXPECT_EQ(preprocess_from_json(to_json(made)), made);
  EXPECT_EQ(describe(made), "timm: shortest edge 235 bicubic, crop 224, mean 0.1 0.2 0.3, std 0.4 0.5 0.6");
}

TEST(Preprocess, HasTwoSides) {
  const Preprocess made = Preprocess::timm(224, 0.95, Filter::kBicubic, {}, {1, 1, 1}).at_size({96, 160});
  EXPECT_EQ(made.crop, Sides(96, 160));
  EXPECT_EQ(made.resize, Sides(101, 168));  // each side over crop_pct, as timm's
  EXPECT_EQ(made.output_size(), Sides(96, 160));
  EXPECT_EQ(to_json(made).at("crop"), Json({96, 160}));
  EXPECT_EQ(preprocess_from_json(to_json(made)), made);
  EXPECT_EQ(describe(made).find("timm: cover 101x168 bicubic, crop 96x160,"), 0U) << describe(made);
  EXPECT_EQ(made.at_size(224).resize, 235);
  // The smallest picture that covers both sides, rounded: the height decides, then the width.
  for (const auto& [width, height] : {std::pair{500, 100}, {100, 500}, {333, 200}}) {
    const Image result = resize_and_crop(formula_picture(width, height), made);
    EXPECT_EQ(result.width, 160);
    EXPECT_EQ(result.height, 96);
  }
  Json wrong = to_json(made);
  for (const Json& side : {Json::array({96}), Json::array({96, 160, 3}), Json::array({96, 0}), Json("96x160")}) {
    wrong["crop"] = side;
    EXPECT_THROW(preprocess_from_json(wrong), UsageError) << side;
  }
}

TEST(Sides, AreANumberOrHeightAndWidth) {
  EXPECT_EQ(sides_from_string("224"), Sides(224));
  EXPECT_EQ(sides_from_string("96x160"), Sides(96, 160));
  EXPECT_EQ(to_string(Sides(96, 160)), "96x160");
  EXPECT_EQ(to_string(Sides(224)), "224");
  EXPECT_EQ(picture_sides(Shape{2, 96, 160, 3}), Sides(96, 160));
  EXPECT_THROW(picture_sides(Shape{96, 160}), InputError);
  for (const char* wrong : {"", "0", "-1", "96x", "x96", "96x0", "96x160x3", "96 x 160", "16385", "1e3"}) {
    EXPECT_THROW(sides_from_string(wrong), UsageError) << wrong;
  }
}

TEST(Preprocess, FollowsTheCurrentPillowWhereItsCardDoesNotSay) {
  Json card = to_json(Preprocess{});
  EXPECT_EQ(card.at("pillow"), 13);
  card.erase("pillow");
  EXPECT_EQ(preprocess_from_json(card).pillow, 13);
  card["pillow"] = 12;
  EXPECT_EQ(describe(preprocess_from_json(card)).find("timm: shortest edge 256 bicubic (Pillow 12), crop 224"), 0U);
}

TEST(Preprocess, RefusesImpossibleJson) {
  const Json good = to_json(Preprocess{});
  const auto with = [&](const std::string& key, const Json& value) {
    Json json = good;
    json[key] = value;
    return json;
  };
  EXPECT_NO_THROW(preprocess_from_json(good));
  for (const Json& bad : {with("flavour", "keras"), with("filter", "nearest"), with("resize", 0), with("crop", -1),
                          with("crop", 1 << 20), with("mean", Json::array({1})), with("std", Json::array({0, 1, 1})),
                          with("resize", "large"), with("resize_mode", "stretch"), with("crop", 0), Json::array(),
                          with("pillow", 11), with("pillow", 14), with("pillow", "13"), with("crop_pct", -1)}) {
    EXPECT_THROW(preprocess_from_json(bad), UsageError) << bad;
  }
}

TEST(Preprocess, TakesThinPicturesOrSaysWhyNot) {
  const Preprocess squash = Preprocess::hf_squash(224, Filter::kBilinear, {0.5F, 0.5F, 0.5F}, {0.5F, 0.5F, 0.5F});
  for (const auto& [width, height] : {std::pair{1, 1}, {1, 5000}, {5000, 1}}) {
    const Image picture = formula_picture(width, height);
    EXPECT_EQ(resize_and_crop(picture, squash).width, 224);
    EXPECT_EQ(resize_and_crop(picture, Preprocess{}).height, 224);
  }
  try {
    resize_and_crop(formula_picture(1, 65000), Preprocess{});
    ADD_FAILURE() << "a picture of 1x65000 was resized to 256x16640000";
  } catch (const InputError& error) {
    EXPECT_NE(std::string(error.what()).find("too narrow"), std::string::npos) << error.what();
  }
}

TEST(Preprocess, RefusesAnOutputOfAnotherSize) {
  Tensor wrong(Shape{1, 224, 223, 3});
  EXPECT_THROW(preprocess_image(formula_picture(9, 9), Preprocess{}, wrong.view()), InternalError);
  EXPECT_THROW(resize_and_crop(Image{}, Preprocess{}), InternalError);
}

}  // namespace
}  // namespace tessera
