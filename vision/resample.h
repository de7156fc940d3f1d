#pragma once
// The two passes of an antialiased resize, and their weights. Private to vision/; resize.h is the interface.

#include <cstdint>
#include <vector>

#include "vision/image.h"
#include "vision/resize.h"

namespace tessera {

// For each output position: the input positions [first, first + count) that it sums, and their fixed-point weights.
struct ResampleAxis {
  std::vector<int> first, count;
  std::vector<std::int32_t> weights;  // `stride` for each output position, zeros behind the used ones
  int stride = 0;                     // even
  int bits = 0;                       // of the fixed point

  int size() const { return static_cast<int>(first.size()); }
  int begin() const { return first.front(); }  // of the input that is read; positions grow with the output
  int end() const { return first.back() + count.back(); }
  const std::int32_t* at(int output) const {
    return weights.data() + static_cast<std::size_t>(output) * static_cast<std::size_t>(stride);
  }
};

// Weights of the outputs [offset, offset + length) of an edge of `from` pixels resized to `to`. All positive.
ResampleAxis pillow_axis(int from, int to, Filter filter, int offset, int length);
// torchvision's fixed point depends on all outputs, so a part costs as much as the whole.
ResampleAxis torchvision_axis(int from, int to, Filter filter, int offset, int length);

// Resizes rows [first_row, first_row + rows) of `in` to a width of axis.size().
Image horizontal_pass(const Image& in, const ResampleAxis& axis, int first_row, int rows);

// Resizes columns [first_column, first_column + columns) of `in` to a height of axis.size(). Row 0 of `in` is row
// `first_row` of the picture for which the axis was made.
Image vertical_pass(const Image& in, const ResampleAxis& axis, int first_row, int first_column, int columns);

}  // namespace tessera
