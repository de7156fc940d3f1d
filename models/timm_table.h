#pragma once
// timm's architectures and its published weights, as tests/reference/timm_table.py wrote them down (Apache-2.0).

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "vision/preprocess.h"

namespace tessera {

inline constexpr const char* kTimmVersion = "timm 1.0.31";

// Top-1 and top-5 in percent on ImageNet's whole validation set, as timm publishes it for a size of picture.
struct PublishedResult {
  int image_size = 0;  // 0: none
  double top1 = 0, top5 = 0;
};

// Weights that timm has, or the configuration of an architecture that has none.
struct TimmWeights {
  std::string_view name;     // "resnet50.a1_in1k"
  std::string_view hub;      // "timm/resnet50.a1_in1k"; "" where the hub has none
  std::string_view licence;  // "apache-2.0"
  int classes = 0;           // 0: features
  Sides input;
  double crop_pct = 0;
  std::string_view crop_mode, interpolation;
  int colours = 0;   // index of the mean and the deviation
  Sides test_input;  // at which timm tests them; 0 where that is not another size
  double test_crop_pct = 0;
  std::array<PublishedResult, 2> results;

  std::string_view architecture() const { return name.substr(0, name.find('.')); }
};

// An architecture of timm's, whether tessera builds it or not.
struct TimmArchitecture {
  std::string_view name;        // "resnet50"
  std::string_view class_name;  // timm's: "ResNet"; "" where it is made in another way
  int classes = 0;
  std::int64_t parameters = 0;
  std::int64_t macs = 0;       // multiply-adds, counted; 0 where they were not
  double published_gmacs = 0;  // as timm's benchmark has them, 10^9; 0 where it has not
  std::uint64_t tensors = 0;   // digest of names and shapes
  std::string_view arguments;  // of the class's constructor, JSON
};

// By name.
std::span<const TimmArchitecture> timm_architectures();
// By architecture; the default of each comes first.
std::span<const TimmWeights> timm_weights();

// Null where there is none.
const TimmArchitecture* find_timm_architecture(std::string_view name);
// The default weights of an architecture.
const TimmWeights* default_timm_weights(std::string_view architecture);
// By a name as models have it: "timm/resnet50.a1_in1k", "resnet50.a1_in1k", "hf-hub:timm/resnet50.a1_in1k". Only names
// with a tag are found: an architecture alone says nothing of its weights.
const TimmWeights* find_timm_weights(std::string_view name);

// The accuracy in percent that timm publishes of some weights on pictures of a size.
struct PublishedAccuracy {
  std::string weights;  // "resnet50.a1_in1k"
  int image_size = 0;
  double top1 = 0, top5 = 0;
};
// By a model's name, as find_timm_weights(); nothing where timm has no result for pictures of that size.
std::optional<PublishedAccuracy> published_accuracy(std::string_view name, Sides pictures);

// timm's evaluation transform for its own size, and for that at which it tests.
Preprocess preprocess_of(const TimmWeights& weights);
Preprocess test_preprocess_of(const TimmWeights& weights);
// `preprocess` at the size and with the crop with which timm prepares pictures of these weights when it trains them
// ("train"), or tests them ("test"). Throws UsageError for another word.
Preprocess at_timms_size(const Preprocess& preprocess, const TimmWeights& weights, std::string_view when);

}  // namespace tessera
