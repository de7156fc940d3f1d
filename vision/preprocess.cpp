#include "vision/preprocess.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <nlohmann/json.hpp>
#include <utility>

#include "core/error.h"
#include "core/nearest.h"

namespace tessera {

namespace {

constexpr std::array<std::pair<PreprocessFlavour, std::string_view>, 3> kFlavours{
    {{PreprocessFlavour::kTimm, "timm"}, {PreprocessFlavour::kHf, "hf"}, {PreprocessFlavour::kHfFast, "hf-fast"}}};
constexpr std::array<std::pair<ResizeMode, std::string_view>, 3> kModes{
    {{ResizeMode::kNone, "none"}, {ResizeMode::kShortestEdge, "shortest_edge"}, {ResizeMode::kSquash, "squash"}}};

template <class Pairs, class Value>
std::string_view name_of(const Pairs& pairs, Value value) {
  return std::ranges::find(pairs, value, [](const auto& pair) { return pair.first; })->second;
}

template <class Pairs>
auto value_of(const Pairs& pairs, std::string_view name, std::string_view what) {
  const auto found = std::ranges::find(pairs, name, [](const auto& pair) { return pair.second; });
  if (found != pairs.end()) return found->first;
  std::vector<std::string> known;
  for (const auto& pair : pairs) known.emplace_back(pair.second);
  throw UsageError(unknown_word(what, name, known));
}

// A number, or [height, width].
Sides sides_from_json(const nlohmann::json& json) {
  if (!json.is_array()) return json.get<int>();
  if (json.size() != 2) throw UsageError("preprocessing: a size is a number or [height, width], not " + json.dump());
  return {json.at(0).get<int>(), json.at(1).get<int>()};
}

bool lies_within(Sides sides, int least) {
  return std::min(sides.height, sides.width) >= least && std::max(sides.height, sides.width) <= kLargestSide;
}

// What a centre crop does to one edge of the resized picture.
struct EdgeCrop {
  int offset = 0, length = 0;  // the part that is kept
  int before = 0;              // black pixels in front of it, where the picture is smaller than the crop
};

// torchvision puts the odd black pixel behind and rounds the offset half to even; the Pillow-based Hugging Face
// processor puts it in front and truncates; the fast one pads like torchvision and truncates.
EdgeCrop edge_crop(int length, int crop, PreprocessFlavour flavour) {
  if (crop == 0) return {0, length, 0};
  if (length < crop) return {0, length, (crop - length + (flavour == PreprocessFlavour::kHf ? 1 : 0)) / 2};
  const int room = length - crop;
  const int offset = flavour == PreprocessFlavour::kTimm ? static_cast<int>(std::nearbyint(room / 2.0)) : room / 2;
  return {offset, crop, 0};
}

Image padded(const Image& image, Sides size, int top, int left) {
  Image out{size.width, size.height, {}};
  out.pixels.resize(out.stride() * static_cast<std::size_t>(size.height));
  for (int y = 0; y < image.height; ++y) {
    std::copy_n(image.row(y), image.stride(), out.row(top + y) + static_cast<std::size_t>(left) * 3);
  }
  return out;
}

[[noreturn]] void refuse_narrow(const Image& image, Sides resize) {
  throw InputError(fmt::format("a picture of {}x{} is too narrow to be resized to {} pixels on its shorter edge",
                               image.width, image.height, to_string(resize)));
}

constexpr double kLongestEdge = 2'000'000;

// timm's ResizeKeepRatio: as small as covers both sides.
PictureSize covering_size(const Image& image, Sides resize) {
  const double ratio =
      std::min(static_cast<double>(image.height) / resize.height, static_cast<double>(image.width) / resize.width);
  const double height = std::nearbyint(image.height / ratio), width = std::nearbyint(image.width / ratio);
  if (height > kLongestEdge || width > kLongestEdge) refuse_narrow(image, resize);
  return {static_cast<int>(width), static_cast<int>(height)};
}

PictureSize resized_size(const Image& image, const Preprocess& preprocess) {
  const Sides resize = preprocess.resize;
  if (preprocess.resize_mode == ResizeMode::kNone) return {image.width, image.height};
  if (preprocess.resize_mode == ResizeMode::kSquash) return {resize.width, resize.height};
  if (!resize.square()) return covering_size(image, resize);
  const auto [shorter, longer] = std::minmax(image.width, image.height);
  const auto scaled = static_cast<std::int64_t>(resize.height) * longer / shorter;
  if (static_cast<double>(scaled) > kLongestEdge) refuse_narrow(image, resize);
  PictureSize size{resize.width, resize.height};
  (image.width >= image.height ? size.width : size.height) = static_cast<int>(scaled);
  return size;
}

Sides over(Sides size, double fraction) {
  return {static_cast<int>(std::floor(size.height / fraction)), static_cast<int>(std::floor(size.width / fraction))};
}

// The crop_pct from which a crop and a resize follow: the largest of the shortest decimals for which floor(crop /
// crop_pct) is `resize`; 0 where no decimal of three digits fits.
double shortest_fraction(int crop, int resize) {
  for (const int digits : {10, 100, 1000}) {
    const double largest = std::floor(static_cast<double>(crop) / resize * digits + 1e-9) / digits;
    if (largest > 0 && static_cast<int>(std::floor(crop / largest)) == resize) return largest;
  }
  return 0;
}

// The result for each of the 256 values of a channel, computed as the reference does, in float32.
std::array<float, 256> value_table(const Preprocess& preprocess, std::size_t channel) {
  const float mean = preprocess.mean[channel];
  const float std = preprocess.std[channel];
  std::array<float, 256> table{};
  for (std::size_t value = 0; value < table.size(); ++value) {
    const auto x = static_cast<float>(value);
    switch (preprocess.flavour) {
      case PreprocessFlavour::kTimm:
        table[value] = (x / 255.0F - mean) / std;
        break;
      case PreprocessFlavour::kHf:
        table[value] = (static_cast<float>(static_cast<double>(value) * (1.0 / 255.0)) - mean) / std;
        break;
      case PreprocessFlavour::kHfFast:
        table[value] = (x - mean * 255.0F) / (std * 255.0F);
        break;
    }
  }
  return table;
}

}  // namespace

std::string_view to_string(PreprocessFlavour flavour) { return name_of(kFlavours, flavour); }

PreprocessFlavour flavour_from_string(std::string_view name) { return value_of(kFlavours, name, "preprocessing"); }

std::string to_string(Sides sides) {
  return sides.square() ? std::to_string(sides.height) : fmt::format("{}x{}", sides.height, sides.width);
}

Sides sides_from_string(std::string_view text, int most) {
  const auto number = [&](std::string_view digits) {
    int value = 0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
    if (error != std::errc() || end != digits.data() + digits.size() || value < 1 || value > most) {
      throw UsageError(fmt::format("'{}': expected a side in pixels, or HEIGHTxWIDTH, each in 1 to {}", text, most));
    }
    return value;
  };
  const std::size_t cross = text.find('x');
  if (cross == std::string_view::npos) return number(text);
  return {number(text.substr(0, cross)), number(text.substr(cross + 1))};
}

nlohmann::json sides_to_json(Sides sides) {
  return sides.square() ? nlohmann::json(sides.height) : nlohmann::json{sides.height, sides.width};
}

Sides picture_sides(const Shape& pictures) {
  if (pictures.rank() != 4) throw InputError("expected pictures [N, H, W, 3], not " + to_string(pictures));
  return {static_cast<int>(pictures[1]), static_cast<int>(pictures[2])};
}

Preprocess Preprocess::timm(Sides size, double crop_fraction, Filter filter, std::array<float, 3> mean,
                            std::array<float, 3> std) {
  return {.flavour = PreprocessFlavour::kTimm,
          .resize_mode = ResizeMode::kShortestEdge,
          .resize = over(size, crop_fraction),
          .crop = size,
          .filter = filter,
          .crop_fraction = crop_fraction,
          .mean = mean,
          .std = std};
}

Preprocess Preprocess::hf_squash(Sides size, Filter filter, std::array<float, 3> mean, std::array<float, 3> std,
                                 PreprocessFlavour flavour) {
  return {.flavour = flavour,
          .resize_mode = ResizeMode::kSquash,
          .resize = size,
          .crop = 0,
          .filter = filter,
          .mean = mean,
          .std = std};
}

Sides Preprocess::output_size() const {
  if (crop.height > 0) return crop;
  if (resize_mode == ResizeMode::kSquash) return resize;
  throw UsageError("preprocessing without crop or squash gives pictures of differing sizes");
}

Preprocess Preprocess::at_size(Sides size) const {
  const Sides now = output_size();
  Preprocess scaled = *this;
  // If `resize` was changed after it was computed from the fraction, the fraction no longer applies.
  const bool known = crop_fraction > 0 && over(now, crop_fraction) == resize;
  double fraction = known ? crop_fraction : 0;
  if (!known && crop.height > 0 && flavour == PreprocessFlavour::kTimm) {
    fraction = shortest_fraction(crop.height, resize.height);
  }
  const auto edge = [&](int resized, int from, int to) {
    return static_cast<int>(std::floor(fraction > 0 ? to / fraction : static_cast<double>(resized) * to / from));
  };
  scaled.resize = {edge(resize.height, now.height, size.height), edge(resize.width, now.width, size.width)};
  if (crop.height > 0) scaled.crop = size;
  return scaled;
}

void check_pillow(int release) {
  if (release >= kOldestPillow && release <= kNewestPillow) return;
  throw UsageError(
      fmt::format("Pillow {}: the releases that can be followed are {} and {}", release, kOldestPillow, kNewestPillow));
}

std::string describe(const Preprocess& p) {
  std::string text = std::string(to_string(p.flavour)) + ":";
  const bool older = p.pillow != kNewestPillow && p.flavour != PreprocessFlavour::kHfFast;
  const std::string filter = std::string(to_string(p.filter)) + (older ? fmt::format(" (Pillow {})", p.pillow) : "");
  if (p.resize_mode == ResizeMode::kShortestEdge) {
    text += fmt::format(" {} {} {},", p.resize.square() ? "shortest edge" : "cover", to_string(p.resize), filter);
  }
  if (p.resize_mode == ResizeMode::kSquash) {
    text += fmt::format(" squash to {}x{} {},", p.resize.height, p.resize.width, filter);
  }
  if (p.crop.height > 0) text += fmt::format(" crop {},", to_string(p.crop));
  return text + fmt::format(" mean {:.4g} {:.4g} {:.4g}, std {:.4g} {:.4g} {:.4g}", p.mean[0], p.mean[1], p.mean[2],
                            p.std[0], p.std[1], p.std[2]);
}

nlohmann::json to_json(const Preprocess& preprocess) {
  nlohmann::json json{{"flavour", to_string(preprocess.flavour)},
                      {"resize_mode", name_of(kModes, preprocess.resize_mode)},
                      {"resize", sides_to_json(preprocess.resize)},
                      {"crop", sides_to_json(preprocess.crop)},
                      {"filter", to_string(preprocess.filter)},
                      {"pillow", preprocess.pillow},
                      {"mean", preprocess.mean},
                      {"std", preprocess.std}};
  if (preprocess.crop_fraction > 0) json["crop_pct"] = preprocess.crop_fraction;
  return json;
}

Preprocess preprocess_from_json(const nlohmann::json& json) {
  Preprocess p;
  try {
    p.flavour = flavour_from_string(json.at("flavour").get<std::string>());
    p.resize_mode = value_of(kModes, json.at("resize_mode").get<std::string>(), "resize_mode");
    p.resize = sides_from_json(json.at("resize"));
    p.crop = sides_from_json(json.at("crop"));
    p.filter = filter_from_string(json.at("filter").get<std::string>());
    p.pillow = json.value("pillow", kNewestPillow);
    p.crop_fraction = json.value("crop_pct", 0.0);
    p.mean = json.at("mean").get<std::array<float, 3>>();
    p.std = json.at("std").get<std::array<float, 3>>();
  } catch (const nlohmann::json::exception& error) {
    throw UsageError(std::string("preprocessing: ") + error.what());
  }
  if (!lies_within(p.resize, 1) || !lies_within(p.crop, p.crop == Sides(0) ? 0 : 1)) {
    throw UsageError(fmt::format("preprocessing: resize {} and crop {} must lie in 1 to {}", to_string(p.resize),
                                 to_string(p.crop), kLargestSide));
  }
  check_pillow(p.pillow);
  if (!(p.crop_fraction >= 0 && p.crop_fraction <= kLargestSide)) {
    throw UsageError(fmt::format("preprocessing: crop_pct {} is impossible", p.crop_fraction));
  }
  for (std::size_t channel = 0; channel < 3; ++channel) {
    constexpr float kLeast = 1e-6F, kMost = 1e6F;  // a pixel's share of white divided by less or more is no picture
    if (!(std::abs(p.mean[channel]) <= kMost && p.std[channel] >= kLeast && p.std[channel] <= kMost)) {
      throw UsageError(fmt::format("preprocessing: mean {} and std {} of channel {} cannot be: pixels lie in 0 to 1",
                                   p.mean[channel], p.std[channel], channel));
    }
  }
  p.output_size();
  return p;
}

Image resize_and_crop(const Image& image, const Preprocess& preprocess) {
  if (image.width < 1 || image.height < 1) throw InternalError("an empty picture cannot be preprocessed");
  const PictureSize size = resized_size(image, preprocess);
  const EdgeCrop columns = edge_crop(size.width, preprocess.crop.width, preprocess.flavour);
  const EdgeCrop rows = edge_crop(size.height, preprocess.crop.height, preprocess.flavour);
  const Region kept{columns.offset, rows.offset, columns.length, rows.length};
  Image result = preprocess.flavour == PreprocessFlavour::kHfFast
                     ? resize_torchvision_region(image, size, preprocess.filter, kept)
                     : resize_pillow_region(image, size, preprocess.filter, kept,
                                            preprocess.pillow == 12 ? ResizeOrder::kPillow12 : ResizeOrder::kPillow13);
  const Sides crop = preprocess.crop;
  if (crop.height == 0 || (result.width == crop.width && result.height == crop.height)) return result;
  return padded(result, crop, rows.before, columns.before);
}

void normalise(const Image& image, const Preprocess& preprocess, View output) {
  if (output.shape() != Shape{1, image.height, image.width, 3}) {
    throw InternalError(
        fmt::format("a picture of {}x{} does not fit into {}", image.width, image.height, to_string(output.shape())));
  }
  const std::array<std::array<float, 256>, 3> tables{value_table(preprocess, 0), value_table(preprocess, 1),
                                                     value_table(preprocess, 2)};
  float* to = output.data();
  for (std::size_t i = 0; i < image.pixels.size(); i += 3) {
    for (std::size_t channel = 0; channel < 3; ++channel) *to++ = tables[channel][image.pixels[i + channel]];
  }
}

void preprocess_image(const Image& image, const Preprocess& preprocess, View output) {
  normalise(resize_and_crop(image, preprocess), preprocess, output);
}

}  // namespace tessera
