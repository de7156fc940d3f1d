#pragma once
// Max and average pooling over windows of pixels, as torch.nn.MaxPool2d and AvgPool2d.
//
// x [N, H, W, C] -> y [N, OH, OW, C], OH = (H + 2 * padding - kernel) / stride + 1 (rounded up with ceil_mode, but no
// window starts in the padding behind the picture). Padding is minus infinity for max; zeros for average, counted in
// the divisor when count_include_pad.

#include "layers/layer_interface.h"

namespace tessera {

enum class PoolKind { kMax, kAverage };
constexpr auto enum_names(PoolKind) { return std::to_array<std::string_view>({"max", "average"}); }

struct Pool2d {
  static constexpr std::string_view kName = "Pool2d";
  PoolKind kind = PoolKind::kMax;
  Size2 kernel = 2;
  Size2 stride = 2;
  Size2 padding = 0;
  bool ceil_mode = false;
  bool count_include_pad = true;

  static void fields(auto& self, auto&& visit) {
    visit(said("kind", "{}"), self.kind);
    visit(said("kernel", "kernel {}"), self.kernel);
    visit(said("stride", "stride {}"), self.stride);
    visit(said_unless_usual("padding", "padding {}"), self.padding);
    visit(unsaid("ceil_mode"), self.ceil_mode);
    visit(unsaid("count_include_pad"), self.count_include_pad);
  }
  bool operator==(const Pool2d&) const = default;

  Lesson lesson() const;
  Shape output_shape(Shapes in) const;
  std::int64_t reduction(Shapes) const { return kind == PoolKind::kMax ? 1 : kernel.height * kernel.width; }
  void forward(const ForwardArguments& arguments) const;
  static Examples<Pool2d> examples();
  static Example<Pool2d> drawn(Draw& draw);
};

}  // namespace tessera
