#pragma once
// Max, average and global average pooling over pixels, as torch.nn.MaxPool2d, AvgPool2d and AdaptiveAvgPool2d(1).
//
// x [N, H, W, C] -> y [N, OH, OW, C], OH = (H + 2 * padding - kernel) / stride + 1 (rounded up with ceil_mode, but no
// window starts in the padding behind the picture). Padding is minus infinity for max; zeros for average, counted in
// the divisor when count_include_pad.

#include "layers/face.h"

namespace tessera {

enum class PoolKind { kMax, kAverage };

struct Pool2d {
  static constexpr std::string_view kName = "Pool2d";
  PoolKind kind = PoolKind::kMax;
  Size2 kernel = 2;
  Size2 stride = 2;
  Size2 padding = 0;
  bool ceil_mode = false;
  bool count_include_pad = true;

  Lesson lesson() const;
  Shape output_shape(Shapes in) const;
  std::string attributes() const;
  void forward(const ForwardArguments& arguments) const;
};

// x [N, H, W, C] -> y [N, C] (keep_dimensions: [N, 1, 1, C]), the mean over all pixels.
struct GlobalAveragePool {
  static constexpr std::string_view kName = "GlobalAveragePool";
  bool keep_dimensions = false;

  static Lesson lesson() { return {"y[c] = mean of x[:, :, c] over all pixels", "Lin et al. 2013, arXiv:1312.4400"}; }
  Shape output_shape(Shapes in) const;
  std::int64_t norm_operations(Shapes in, const Shape&) const { return in[0].count(); }
  void forward(const ForwardArguments& arguments) const;
};

}  // namespace tessera
