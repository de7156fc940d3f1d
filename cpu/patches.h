#pragma once
// Which pixels the patch of an output pixel is made of: the rows of A of a convolution. Private to cpu/.

#include <algorithm>
#include <cstdint>

#include "core/thread_pool.h"
#include "layers/conv2d.h"

namespace tessera::cpu {

// Convolution without groups. Thread-safe.
class Patches {
 public:
  Patches(const Conv2d& layer, const Shape& in, const Shape& out)
      : layer_(layer),
        pad_(layer.leading_padding(in)),
        height_in_(in[1]),
        width_in_(in[2]),
        height_out_(out[1]),
        width_out_(out[2]) {}

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
    const std::int64_t picture_step = height_in_ * width_in_ * step;
    std::int64_t ox = row % width_out_, oy = row / width_out_ % height_out_;
    const Element* picture = x + row / (height_out_ * width_out_) * picture_step;
    for (std::int64_t r = 0; r < rows; ++r) {
      patch(picture, step, zeros, oy, ox, rows, pointers + r);
      if (++ox < width_out_) continue;
      ox = 0;
      if (++oy < height_out_) continue;
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
    if (iy >= 0 && left >= 0 && iy + (layer_.kernel.height - 1) * layer_.dilation.height < height_in_ &&
        left + (layer_.kernel.width - 1) * layer_.dilation.width < width_in_) {  // most of them
      const Element* line = picture + (iy * width_in_ + left) * step;
      const std::int64_t across = layer_.dilation.width * step, down = layer_.dilation.height * width_in_ * step;
      for (std::int64_t ky = 0; ky < layer_.kernel.height; ++ky, line += down) {
        const Element* pixel = line;
        for (std::int64_t kx = 0; kx < layer_.kernel.width; ++kx, pixel += across, pointers += distance) {
          *pointers = pixel;
        }
      }
      return;
    }
    for (std::int64_t ky = 0; ky < layer_.kernel.height; ++ky, iy += layer_.dilation.height) {
      const bool row_inside = iy >= 0 && iy < height_in_;
      std::int64_t ix = left;
      for (std::int64_t kx = 0; kx < layer_.kernel.width; ++kx, ix += layer_.dilation.width, pointers += distance) {
        const bool inside = row_inside && ix >= 0 && ix < width_in_;
        *pointers = inside ? picture + (iy * width_in_ + ix) * step : zeros;
      }
    }
  }

  Conv2d layer_;
  Size2 pad_;
  std::int64_t height_in_, width_in_, height_out_, width_out_;
};

// A picture with few channels (that of the first layer) is copied with its padding around it: a patch is then one whole
// line for each row of the kernel.
class PaddedLines {
 public:
  // `pixel`: elements of a pixel of the copy.
  PaddedLines(const Conv2d& layer, const Shape& in, const Shape& out, std::int64_t pixel)
      : layer_(layer),
        pad_(layer.leading_padding(in)),
        height_in_(in[1]),
        width_in_(in[2]),
        width_out_(out[2]),
        pixel_(pixel),
        height_((out[1] - 1) * layer.stride.height + (layer.kernel.height - 1) * layer.dilation.height + 1),
        line_(((out[2] - 1) * layer.stride.width + layer.kernel.width) * pixel) {}

  // Whether the layer is to be read so; only then is the rest of use.
  static bool suit(const Conv2d& layer, std::int64_t channels) {
    constexpr std::int64_t kFewChannels = 8;
    return channels <= kFewChannels && layer.kernel.width > 1 && layer.dilation.width == 1;
  }

  std::int64_t taps() const { return layer_.kernel.height; }
  std::int64_t count() const { return height_ * line_; }  // elements of the copy

  // Fills the copy at `to`: `zero` outside the picture; put(line, pixels, at) writes the first pixels of one of its
  // lines.
  template <class Element, class Put>
  void copy(Element* to, Element zero, ThreadPool& threads, const Put& put) const {
    const std::int64_t before = std::min(pad_.width * pixel_, line_);
    const std::int64_t inside = std::clamp<std::int64_t>(line_ - before, 0, width_in_ * pixel_);
    threads.for_each(height_, [&](std::int64_t y, int) {
      const std::int64_t iy = y - pad_.height;
      Element* at = to + y * line_;
      if (iy < 0 || iy >= height_in_) {
        std::fill_n(at, line_, zero);
        return;
      }
      at = std::fill_n(at, before, zero);
      put(iy, inside / pixel_, at);
      std::fill_n(at + inside, line_ - before - inside, zero);
    });
  }

  // pointers[tap * rows + r] for output pixels [row, row + rows) of the picture whose copy `padded` is.
  template <class Element>
  void point(const Element* padded, std::int64_t row, std::int64_t rows, const Element** pointers) const {
    std::int64_t oy = row / width_out_, ox = row % width_out_;
    for (std::int64_t r = 0; r < rows; ++r) {
      const Element* line = padded + oy * layer_.stride.height * line_ + ox * layer_.stride.width * pixel_;
      for (std::int64_t ky = 0; ky < layer_.kernel.height; ++ky, line += layer_.dilation.height * line_) {
        pointers[ky * rows + r] = line;
      }
      if (++ox < width_out_) continue;
      ox = 0;
      ++oy;
    }
  }

 private:
  Conv2d layer_;
  Size2 pad_;
  std::int64_t height_in_, width_in_, width_out_;
  std::int64_t pixel_, height_, line_;  // of the copy; elements of a pixel and of a line
};

}  // namespace tessera::cpu
