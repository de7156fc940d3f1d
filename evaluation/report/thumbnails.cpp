#include "evaluation/report/thumbnails.h"

#include <algorithm>
#include <cmath>
#include <new>

#include "core/error.h"
#include "pages/page.h"
#include "vision/decode.h"
#include "vision/jpeg_encode.h"
#include "vision/resize.h"

namespace tessera {

namespace {

constexpr int kSide = 160, kQuality = 72;

std::string key_of(const Sample& sample) { return sample.folder + "/" + sample.name; }

Image shrunk(const Image& image) {
  const double factor = static_cast<double>(kSide) / std::max(image.width, image.height);
  if (factor >= 1) return image;
  const auto side = [factor](int length) { return std::max(1, static_cast<int>(std::lround(length * factor))); };
  return resize_pillow(image, side(image.width), side(image.height), Filter::kBilinear);
}

}  // namespace

Thumbnails::Thumbnails(std::span<const Sample> pictures) {
  for (const Sample& sample : pictures) {
    by_path_.emplace(key_of(sample), &sample);
    const auto [at, first] = by_name_.emplace(sample.name, &sample);
    if (!first) at->second = nullptr;
  }
}

const Sample* Thumbnails::find(const Sample& sample) const {
  if (!sample.path.empty()) return &sample;
  if (const auto at = by_path_.find(key_of(sample)); at != by_path_.end()) return at->second;
  const auto at = by_name_.find(sample.name);
  return at == by_name_.end() ? nullptr : at->second;
}

std::string Thumbnails::uri(const Sample& sample) const {
  const Sample* const picture = find(sample);
  if (picture == nullptr) return "";
  try {
    const Image image = decode(read_picture(*picture), where(*picture), {.lenient = true});
    return data_uri("image/jpeg", encode_jpeg(shrunk(image), kQuality));
  } catch (const InputError&) {
    return "";  // moved, replaced or damaged since: the page shows the names
  } catch (const ResourceError&) {
    return "";  // and where there is no memory for the picture: the run's results must still be written
  } catch (const std::bad_alloc&) {
    return "";
  }
}

}  // namespace tessera
