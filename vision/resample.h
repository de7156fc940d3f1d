#pragma once
// The two passes of an antialiased resize, and their weights. Internal to vision; resize.h is the face.

#include <cstdint>
#include <vector>

#include "vision/image.h"
#include "vision/resize.h"

namespace tessera {

// For each output position the input positions that it sums: [first, first + count), and their fixed-point weights.
struct ResampleAxis {
  std::vector<int> first, count;
  std::vector<std::int32_t> weights;  // `stride` for each output position, zeros behind the used ones
  int stride = 0;                     // even
  int bits = 0;                       // of the fixed point

  int size() const { return static_cast<int>(first.size()); }
  int begin() const { return first.front(); }  // of the input that is read; positions grow with the output's
  int end() const { return first.back() + count.back(); }
  const std::int32_t* at(int output) const {
    return weights.data() + static_cast<std::size_t>(output) * static_cast<std::size_t>(stride);
  }
};

// Weights of the outputs [offset, offset + length) of an edge of `from` pixels resized to `to`. All positive.
ResampleAxis pillow_axis(int from, int to, Filter filter, int offset, int length);
// The fixed point of torchvision depends on all outputs, so that a part costs as much as the whole.
ResampleAxis torchvision_axis(int from, int to, Filter filter, int offset, int length);

// Rows [first_row, first_row + rows) of `in`, made axis.size() wide.
Image horizontal_pass(const Image& in, const ResampleAxis& axis, int first_row, int rows);

// Columns [first_column, first_column + columns) of `in`, made axis.size() high. Row 0 of `in` is row `first_row` of
// the picture that the axis speaks of.
Image vertical_pass(const Image& in, const ResampleAxis& axis, int first_row, int first_column, int columns);

}  // namespace tessera
