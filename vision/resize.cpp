#include "vision/resize.h"

#include <fmt/format.h>

#include <array>
#include <string>
#include <utility>

#include "core/error.h"
#include "vision/resample.h"

namespace tessera {

namespace {

constexpr std::array<std::pair<Filter, std::string_view>, 4> kNames{{{Filter::kBox, "box"},
                                                                     {Filter::kBilinear, "bilinear"},
                                                                     {Filter::kBicubic, "bicubic"},
                                                                     {Filter::kLanczos, "lanczos"}}};

Image part_of(const Image& image, const Region& region) {
  Image part{region.width, region.height, {}};
  part.pixels.reserve(part.stride() * static_cast<std::size_t>(part.height));
  for (int y = region.top; y < region.top + region.height; ++y) {
    const std::uint8_t* from = image.row(y) + std::size_t{3} * static_cast<std::size_t>(region.left);
    part.pixels.insert(part.pixels.end(), from, from + part.stride());
  }
  return part;
}

void check_sizes(const Image& image, PictureSize size, const Region& region) {
  if (image.width < 1 || image.height < 1 || region.left < 0 || region.top < 0 || region.width < 1 ||
      region.height < 1 || region.left > size.width - region.width || region.top > size.height - region.height) {
    throw InternalError(fmt::format("resize of {}x{} to {}x{}, of which {}x{} from {}, {}", image.width, image.height,
                                    size.width, size.height, region.width, region.height, region.left, region.top));
  }
}

// make_axis(from, to, offset, length) gives the weights of a part of an edge.
template <class MakeAxis>
Image resize(const Image& image, PictureSize size, const Region& region, ResizeOrder order, const MakeAxis& make_axis) {
  check_sizes(image, size, region);
  const bool horizontal = size.width != image.width;
  const bool vertical = size.height != image.height;
  if (!horizontal && !vertical) return part_of(image, region);
  if (!vertical) {
    return horizontal_pass(image, make_axis(image.width, size.width, region.left, region.width), region.top,
                           region.height);
  }
  const ResampleAxis rows = make_axis(image.height, size.height, region.top, region.height);
  if (!horizontal) return vertical_pass(image, rows, 0, region.left, region.width);
  const ResampleAxis columns = make_axis(image.width, size.width, region.left, region.width);
  if (order == ResizeOrder::kVerticalFirst) {
    return horizontal_pass(vertical_pass(image, rows, 0, 0, image.width), columns, 0, region.height);
  }
  const Image wide = horizontal_pass(image, columns, rows.begin(), rows.end() - rows.begin());
  return vertical_pass(wide, rows, rows.begin(), 0, region.width);
}

// The order of passes that a release takes.
ResizeOrder order_of(const Image& image, PictureSize size, ResizeOrder order) {
  const std::int64_t less_high = std::int64_t{image.height} - size.height;
  const std::int64_t less_wide = std::int64_t{image.width} - size.width;
  switch (order) {
    case ResizeOrder::kPillow12:
      return less_high > 0 && image.height > std::int64_t{image.width} * 100 ? ResizeOrder::kVerticalFirst
                                                                             : ResizeOrder::kHorizontalFirst;
    case ResizeOrder::kPillow13:
      return less_high > 0 && less_high > less_wide * 2 ? ResizeOrder::kVerticalFirst : ResizeOrder::kHorizontalFirst;
    default:
      return order;
  }
}

}  // namespace

std::string_view to_string(Filter filter) {
  for (const auto& [known, name] : kNames) {
    if (known == filter) return name;
  }
  throw InternalError("unnamed filter");
}

Filter filter_from_string(std::string_view name) {
  for (const auto& [filter, known] : kNames) {
    if (known == name) return filter;
  }
  throw UsageError("unknown filter '" + std::string(name) + "'; known: box, bilinear, bicubic, lanczos");
}

Image resize_pillow_region(const Image& image, PictureSize size, Filter filter, const Region& region,
                           ResizeOrder order) {
  order = order_of(image, size, order);
  return resize(image, size, region, order, [&](int from, int to, int offset, int length) {
    return pillow_axis(from, to, filter, offset, length);
  });
}

Image resize_pillow(const Image& image, int width, int height, Filter filter, ResizeOrder order) {
  return resize_pillow_region(image, {width, height}, filter, {0, 0, width, height}, order);
}

Image resize_torchvision_region(const Image& image, PictureSize size, Filter filter, const Region& region) {
  if (filter != Filter::kBilinear && filter != Filter::kBicubic) {
    throw UsageError("torchvision's resize is bilinear or bicubic, not " + std::string(to_string(filter)));
  }
  return resize(image, size, region, ResizeOrder::kHorizontalFirst, [&](int from, int to, int offset, int length) {
    return torchvision_axis(from, to, filter, offset, length);
  });
}

Image resize_torchvision(const Image& image, int width, int height, Filter filter) {
  return resize_torchvision_region(image, {width, height}, filter, {0, 0, width, height});
}

}  // namespace tessera
