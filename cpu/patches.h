#pragma once
// Which pixels the patch of an output pixel is made of: the rows of A of a convolution. Private to cpu/.

#include <algorithm>
#include <cstdint>

#include "layers/conv2d.h"

namespace tessera::cpu {

// Convolution without groups. Thread-safe.
class Patches {
 public:
  Patches(const Conv2d& layer, const Shape& in, const Shape& out)
      : layer_(layer), pad_(layer.leading_padding(in)), in_(in), out_(out) {}

  std::int64_t taps() const { return layer_.kernel.height * layer_.kernel.width; }

  // pointers[tap * rows + r] for output pixels [row, row + rows) of the batch at `x`. A pixel is `step` elements long;
  // outside the picture it is `zeros`.
  template <class Element>
  void point(const Element* x, std::int64_t step, const Element* zeros, std::int64_t row, std::int64_t rows,
             const Element** pointers) const {
    const bool dense = taps() == 1 && layer_.stride == Size2(1) && pad_ == Size2(0);
    if (dense) {
      for (std::int64_t r = 0; r < rows; ++r) pointers[r] = x + (row + r) * step;
      return;
    }
    const std::int64_t picture_step = in_[1] * in_[2] * step;
    std::int64_t ox = row % out_[2], oy = row / out_[2] % out_[1];
    const Element* picture = x + row / (out_[1] * out_[2]) * picture_step;
    for (std::int64_t r = 0; r < rows; ++r) {
      patch(picture, step, zeros, oy, ox, rows, pointers + r);
      if (++ox < out_[2]) continue;
      ox = 0;
      if (++oy < out_[1]) continue;
      oy = 0;
      picture += picture_step;
    }
  }

 private:
  // pointers[tap * distance] for each tap of one output pixel.
  template <class Element>
  void patch(const Element* picture, std::int64_t step, const Element* zeros, std::int64_t oy, std::int64_t ox,
             std::int64_t distance, const Element** pointers) const {
    const std::int64_t left = ox * layer_.stride.width - pad_.width;
    std::int64_t iy = oy * layer_.stride.height - pad_.height;
    for (std::int64_t ky = 0; ky < layer_.kernel.height; ++ky, iy += layer_.dilation.height) {
      const bool row_inside = iy >= 0 && iy < in_[1];
      std::int64_t ix = left;
      for (std::int64_t kx = 0; kx < layer_.kernel.width; ++kx, ix += layer_.dilation.width, pointers += distance) {
        const bool inside = row_inside && ix >= 0 && ix < in_[2];
        *pointers = inside ? picture + (iy * in_[2] + ix) * step : zeros;
      }
    }
  }

  Conv2d layer_;
  Size2 pad_;
  Shape in_, out_;
};

// A picture with few channels (that of the first layer) is copied with its padding around it: a patch is then one whole
// line for each row of the kernel. Thread-safe.
class PaddedLines {
 public:
  PaddedLines(const Conv2d& layer, const Shape& in, const Shape& out)
      : layer_(layer),
        pad_(layer.leading_padding(in)),
        in_(in),
        out_(out),
        height_((out[1] - 1) * layer.stride.height + (layer.kernel.height - 1) * layer.dilation.height + 1),
        line_(((out[2] - 1) * layer.stride.width + layer.kernel.width) * in[3]),
        before_(std::min(pad_.width * in[3], line_)),
        inside_(std::clamp<std::int64_t>(line_ - before_, 0, in[2] * in[3])) {}

  // Whether the layer is to be read so; only then is the rest of use.
  static bool suit(const Conv2d& layer, std::int64_t channels) {
    constexpr std::int64_t kFewChannels = 8;
    return channels <= kFewChannels && layer.kernel.width > 1 && layer.dilation.width == 1;
  }

  std::int64_t taps() const { return layer_.kernel.height; }
  std::int64_t height() const { return height_; }
  std::int64_t line() const { return line_; }  // values
  std::int64_t count() const { return height_ * line_; }

  // Copies line `y` of the padded picture: fill(n) for n values of padding, copy(from, n) for n values of the picture.
  template <class Fill, class Copy>
  void make_line(const float* picture, std::int64_t y, const Fill& fill, const Copy& copy) const {
    const std::int64_t iy = y - pad_.height;
    if (iy < 0 || iy >= in_[1]) {
      fill(line_);
      return;
    }
    fill(before_);
    copy(picture + iy * in_[2] * in_[3], inside_);
    fill(line_ - before_ - inside_);
  }

  // pointers[tap * rows + r] for output pixels [row, row + rows) of one picture; a value is `step` elements long.
  template <class Element>
  void point(const Element* padded, std::int64_t step, std::int64_t row, std::int64_t rows,
             const Element** pointers) const {
    for (std::int64_t r = 0; r < rows; ++r) {
      const std::int64_t oy = (row + r) / out_[2], ox = (row + r) % out_[2];
      const std::int64_t first = oy * layer_.stride.height * line_ + ox * layer_.stride.width * in_[3];
      for (std::int64_t ky = 0; ky < layer_.kernel.height; ++ky) {
        pointers[ky * rows + r] = padded + (first + ky * layer_.dilation.height * line_) * step;
      }
    }
  }

 private:
  Conv2d layer_;
  Size2 pad_;
  Shape in_, out_;
  std::int64_t height_, line_;     // of the copy
  std::int64_t before_, inside_;   // values of a line: padding, then picture
};

}  // namespace tessera::cpu
