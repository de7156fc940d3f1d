#include "vision/labels.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <vector>

#include "core/error.h"
#include "vision/class_lists.h"
#include "vision/class_names.h"
#include "vision/label_classes.h"

namespace tessera {
namespace {

template <class Call>
std::string message_of(Call call) {
  try {
    call();
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

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

TEST(Labels, FindImageNetsClassesByAllTheirNames) {
  using Classes = std::vector<int>;
  EXPECT_EQ(imagenet_classes_named("n01440764"), Classes{0});
  EXPECT_EQ(imagenet_classes_named("tench, Tinca tinca"), Classes{0});
  EXPECT_EQ(imagenet_classes_named("tench"), Classes{0});
  EXPECT_EQ(imagenet_classes_named("Tinca tinca"), Classes{0});
  EXPECT_EQ(imagenet_classes_named("harp"), Classes{594});  // 593 has it among its other names
  EXPECT_EQ(imagenet_classes_named("crane"), (Classes{134, 517}));
  EXPECT_EQ(imagenet_classes_named("maillot"), (Classes{638, 639}));
  EXPECT_EQ(imagenet_classes_named("horn"), (Classes{513, 566}));
  for (const char* none : {"Tench", "", "cat", "n00000000"}) EXPECT_EQ(imagenet_classes_named(none), Classes{}) << none;
}

TEST(ClassNames, AreAModelsOwn) {
  using Classes = std::vector<int>;
  const ClassNames own({"disc", "goldfish", "disc", "n01440764", "half disc"}, 5);
  EXPECT_FALSE(own.is_imagenet());
  EXPECT_EQ(own.find("goldfish"), Classes{1});
  EXPECT_EQ(own.find("n01443537"), Classes{1});  // the wnid of the goldfish
  EXPECT_EQ(own.find("tench"), Classes{3});
  EXPECT_EQ(own.find("disc"), (Classes{0, 2}));
  EXPECT_EQ(own.find("n01484850"), Classes{});  // a class of ImageNet's that this model has not
  for (const char* near : {"half_disc", "Half Disc", "half-disc"}) {
    EXPECT_EQ(own.find(near), Classes{}) << near;
    EXPECT_EQ(own.suggestion(near), "; did you mean 'half disc'?");
  }
  const ClassNames assumed({}, 1000);
  EXPECT_TRUE(assumed.is_imagenet());
  EXPECT_EQ(assumed.find("n15075141"), Classes{999});
  EXPECT_EQ(ClassNames({}, 10).find("n01440764"), Classes{});
  // A list of the short names, as many models have it, is ImageNet's in spite of its two cranes.
  std::vector<std::string> names;
  for (const ImageNetClass& of_class : imagenet_classes()) names.emplace_back(imagenet_names(of_class).front());
  EXPECT_TRUE(ClassNames(names, 1000).is_imagenet());
  std::swap(names[0], names[1]);
  EXPECT_FALSE(ClassNames(names, 1000).is_imagenet());
}

TEST(ClassLists, AreMappedByNameOrRefused) {
  const auto list = [](std::vector<std::string> names) {
    const int classes = static_cast<int>(names.size());
    return ClassList{
        .model = "model" + names.front(), .labels = LabelSet::custom(std::move(names)), .classes = classes};
  };
  const ClassList nameless{.model = "bare", .labels = {}, .classes = 3};
  const auto common = [](std::vector<ClassList> lists) { return common_classes(lists); };

  const CommonClasses mapped = common({list({"a", "b", "c"}), list({"c", "a", "b"}), list({"a", "b", "c"})});
  EXPECT_EQ(mapped.places, (std::vector<std::vector<int>>{{}, {2, 0, 1}, {}}));
  ASSERT_EQ(mapped.notes.size(), 1U);
  EXPECT_EQ(mapped.notes[0],
            "modelc has the classes of modela in another order; they are matched by name ('c' is 2 there, 0 here), "
            "and indices are those of modela");
  const CommonClasses kin = common({list({"goldfish", "tench"}), list({"n01440764", "n01443537"})});
  EXPECT_EQ(kin.places[1], (std::vector<int>{1, 0}));

  const CommonClasses trusted = common({nameless, list({"a", "b", "c"})});
  EXPECT_EQ(trusted.labels.name(1), "b");
  EXPECT_EQ(trusted.notes.size(), 1U);
  EXPECT_TRUE(common({list({"a", "a", "b"}), list({"a", "a", "b"})}).places[1].empty());

  EXPECT_NE(message_of([&] {
              common({list({"a", "b", "c"}), list({"a", "x", "y"})});
            }).find("modela has 'x', 'y' that modela has not once; modela has 'b', 'c' that"),
            std::string::npos);
  EXPECT_NE(message_of([&] {
              common({list({"a", "b"}), list({"a", "b", "c"})});
            }).find("has 3 classes"),
            std::string::npos);
  EXPECT_NE(message_of([&] { common({list({"a", "a", "b"}), list({"b", "a", "a"})}); }), "");
  EXPECT_NE(message_of([&] { common({list({"a", "b", "c"}), list({"a", "a", "b"})}); }), "");

  // ImageNet's labels in another order: 'crane' alone does not say which, wnids do.
  std::vector<std::string> labels, wnids;
  for (const ImageNetClass& of_class : imagenet_classes()) {
    labels.emplace_back(of_class.label);
    wnids.emplace_back(of_class.wnid);
  }
  const ClassList imagenet{.model = "imagenet", .labels = LabelSet::imagenet_1k(), .classes = 1000};
  EXPECT_TRUE(common({imagenet, list(labels)}).places[1].empty());
  std::ranges::reverse(labels);
  std::ranges::reverse(wnids);
  EXPECT_EQ(common({imagenet, list(wnids)}).places[1].front(), 999);
  EXPECT_EQ(common({list(wnids), imagenet}).places[1].front(), 999);
  EXPECT_NE(message_of([&] { common({imagenet, list(labels)}); }).find("'crane'"), std::string::npos);

  // Ten of ImageNet's classes are not the thousand: what one list has beyond the other is named, and what to do.
  const ClassList ten{.model = "ten",
                      .labels = LabelSet::custom({"n01440764", "goldfish", "n01484850", "n01491361", "n01494475",
                                                  "n01496331", "n01498041", "n01514668", "n01514859", "my dog"}),
                      .classes = 10};
  for (const auto& [text, count] : {std::pair{message_of([&] {
                                                common({imagenet, ten});
                                              }),
                                              "ten has 10 classes, imagenet has 1000 ("},
                                    {message_of([&] {
                                       common({ten, imagenet});
                                     }),
                                     "imagenet has 1000 classes, ten has 10 ("}}) {
    EXPECT_TRUE(text.starts_with(count)) << text;
    EXPECT_NE(text.find(" ten has 'my dog' that imagenet has not once;"), std::string::npos) << text;
    EXPECT_NE(text.find(" imagenet has 'ostrich, Struthio camelus', "), std::string::npos) << text;
    EXPECT_NE(text.find(" 'junco, snowbird', ... (991) that ten has not once;"), std::string::npos) << text;
    EXPECT_NE(text.find("compare each with models of its own classes, or fit a head"), std::string::npos) << text;
  }
}

TEST(LabelClasses, TakeANumberForAnIndexOnlyWhereThatIsSaid) {
  using From = LabelsFrom;
  using Numbers = LabelNumbers;
  const std::set<std::string> numbers{"0", "1", "2", "10", "3", "4", "5", "6", "7", "8", "9"};
  const ClassNames sorted({numbers.begin(), numbers.end()}, 11);  // "0", "1", "10", "2", ... as folders are sorted
  const ClassNames ordered({"0", "1", "2", "3", "4", "5", "6", "7", "8", "9", "10"}, 11);
  const ClassNames named({"a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k"}, 11);
  const ClassNames nameless({}, 11);
  const auto ten = [&](const ClassNames& names, Numbers how, From from) {
    return classes_of_labels(numbers, names, how, from, "data").classes.at("10");
  };
  const auto refused = [&](const ClassNames& names, From from) {
    return message_of([&] { classes_of_labels(numbers, names, Numbers::kUnsaid, from, "data"); });
  };
  // The models' classes have these names.
  EXPECT_EQ(ten(sorted, Numbers::kUnsaid, From::kFolders), 2);
  EXPECT_NE(refused(sorted, From::kList)
                .find("'10' can be read in two ways: as a name it is class 2, '10', as an index "
                      "class 10, '9'; --label-numbers names or --label-numbers indices"),
            std::string::npos)
      << refused(sorted, From::kList);
  EXPECT_NE(refused(sorted, From::kTruth), "");
  EXPECT_EQ(ten(sorted, Numbers::kNames, From::kList), 2);
  EXPECT_EQ(ten(sorted, Numbers::kIndices, From::kList), 10);
  EXPECT_EQ(ten(sorted, Numbers::kUnsaid, From::kIndexList), 10);
  for (const From from : {From::kFolders, From::kList, From::kTruth}) {
    EXPECT_EQ(ten(ordered, Numbers::kUnsaid, from), 10);  // both readings are one
  }
  // They have other names.
  EXPECT_EQ(ten(named, Numbers::kUnsaid, From::kFolders), -1);
  EXPECT_NE(refused(named, From::kList).find("--label-numbers indices"), std::string::npos);
  EXPECT_EQ(ten(named, Numbers::kIndices, From::kFolders), 10);
  EXPECT_EQ(ten(named, Numbers::kUnsaid, From::kTruth), 10);
  // They have none: folders may be numbered, or in the order of their letters.
  EXPECT_NE(refused(nameless, From::kFolders).find("as a name it is class 2, as an index class 10"), std::string::npos)
      << refused(nameless, From::kFolders);
  EXPECT_EQ(ten(nameless, Numbers::kNames, From::kFolders), 2);
  EXPECT_EQ(ten(nameless, Numbers::kIndices, From::kFolders), 10);
  EXPECT_EQ(ten(nameless, Numbers::kUnsaid, From::kList), 10);
  const LabelClasses few = classes_of_labels({"3", "7"}, nameless, Numbers::kUnsaid, From::kFolders, "data");
  EXPECT_EQ(few.classes.at("7"), 7);
  EXPECT_EQ(few.notes.size(), 1U);  // it is said
  EXPECT_NE(message_of([&] { classes_of_labels({"11"}, nameless, Numbers::kUnsaid, From::kList, "data"); }), "");
}

}  // namespace
}  // namespace tessera
