// Inverted residual blocks, row by row: the wide rows that a row of outputs looks at lie in a ring that stays in the L2
// cache, where layer by layer each of them would be written to memory and read back (4.8 MB for EfficientNet-Lite0's
// second block, whose products are 16 deep).
//
//   x ─expand─▶ ring of KH wide rows ─depthwise─▶ one wide row ─project─▶ row of y
//
// Threads take bands of rows. At the edge between two bands KH - stride rows are expanded twice.
#include <algorithm>
#include <array>
#include <optional>

#include "cpu/amx_gemm.h"
#include "cpu/gemm.h"
#include "cpu/implementations.h"

namespace tessera::cpu {

namespace {

constexpr std::int64_t kBytes = sizeof(float);

PackedMatrix packed(const KernelTable& table, const Conv2d& conv, const Tensor& weight, const Tensor* bias) {
  const std::int64_t k = weight.shape().count() / conv.out_channels;
  return {table, weight.data(), conv.out_channels, k, k, bias == nullptr ? std::span<const float>() : bias->values()};
}

class InvertedResidualKernel final : public TableKernel {
 public:
  InvertedResidualKernel(const KernelTable& table, const InvertedResidual& layer, const NodeRequest& request,
                         const Weights& weights)
      : TableKernel(table, "rows_fused"),
        layer_(layer),
        in_(request.in[0]),
        wide_(layer.expanded_shape(in_)),
        filtered_(layer.filtered_shape(in_)),
        out_(request.out),
        pad_(layer.depthwise.leading_padding(wide_)),
        threads_(request.threads) {
    std::size_t next = 0;
    const auto take = [&](const Conv2d& conv) {
      const Tensor& weight = weights[next++];
      return std::pair(&weight, conv.bias ? &weights[next++] : nullptr);
    };
    if (layer.expand) {
      const auto [weight, bias] = take(*layer.expand);
      expand_ = packed(table, *layer.expand, *weight, bias);
    }
    const auto [filter, filter_bias] = take(layer.depthwise);
    filter_ = filter->clone();
    filter_bias_ = filter_bias == nullptr ? Tensor::zeros(Shape{wide_[3]}) : filter_bias->clone();
    const auto [weight, bias] = take(layer.project);
    project_ = packed(table, layer.project, *weight, bias);
  }

  std::int64_t scratch() const noexcept override { return threads_ * thread_floats(); }
  std::size_t weight_bytes() const noexcept override {
    return expand_.bytes() + project_.bytes() + filter_.values().size_bytes() + filter_bias_.values().size_bytes();
  }

  void run(const KernelArguments& arguments) const override {
    const std::int64_t pictures = arguments.output.shape()[0];
    // As many bands as threads, so that few rows are expanded twice; what is computed is the same for any number.
    const std::int64_t bands = std::min<std::int64_t>(arguments.threads.threads(), out_[1]);
    arguments.threads.for_each(pictures * bands, [&](std::int64_t task, int thread) {
      const std::int64_t picture = task / bands, band = task % bands;
      const std::int64_t y_at = picture * out_[1] * out_[2] * out_[3];
      run_band({.x = arguments.inputs[0].f32().data() + picture * in_[1] * in_[2] * in_[3],
                .residual = layer_.project.residual ? arguments.inputs[1].f32().data() + y_at : nullptr,
                .y = arguments.output.f32().data() + y_at,
                .ring = arguments.scratch.data() + thread * thread_floats(),
                .lines = arguments.scratch.data() + thread * thread_floats() + ring_floats() + filtered_row(),
                .row = band * out_[1] / bands,
                .row_end = (band + 1) * out_[1] / bands});
    });
  }

 private:
  // Rows of outputs of one picture.
  struct Band {
    const float* x;         // the picture
    const float* residual;  // of the picture, or null
    float* y;               // of the picture
    float* ring;   // wide rows, row iy at iy % KH, and behind them a row of what the depthwise convolution gives
    float* lines;  // for the products
    std::int64_t row, row_end;
  };

  std::int64_t kernel_height() const { return layer_.depthwise.kernel.height; }
  std::int64_t wide_row() const { return wide_[2] * wide_[3]; }
  std::int64_t ring_floats() const { return layer_.expand ? kernel_height() * wide_row() : 0; }
  std::int64_t filtered_row() const { return filtered_[2] * filtered_[3]; }
  std::int64_t thread_floats() const {
    const std::int64_t expand = layer_.expand ? line_floats(table_, wide_[2], expand_.n(), expand_.k(), 1) : 0;
    return ring_floats() + filtered_row() +
           std::max(expand, line_floats(table_, out_[2], project_.n(), project_.k(), 1));
  }
  std::int64_t first_line(std::int64_t oy) const { return oy * layer_.depthwise.stride.height - pad_.height; }

  void run_band(const Band& band) const {
    std::int64_t next = std::max<std::int64_t>(0, first_line(band.row));  // that is not expanded yet
    for (std::int64_t oy = band.row; oy < band.row_end; ++oy) {
      const std::int64_t end = std::min(wide_[1], first_line(oy) + kernel_height());
      next = std::max(next, first_line(oy));  // a stride beyond the kernel skips lines
      for (; layer_.expand && next < end; ++next) expand_row(band, next);
      filter_row(band, oy);
      project_row(band, oy);
    }
  }

  const float* wide_line(const Band& band, std::int64_t iy) const {
    if (iy < 0 || iy >= wide_[1]) return nullptr;
    return layer_.expand ? band.ring + iy % kernel_height() * wide_row() : band.x + iy * wide_row();
  }

  // All rows of a product whose rows of A follow each other from `a` on.
  void multiply_rows(Product product, float* lines, const float* a) const {
    const std::int64_t k = product.b.k();
    if (lines_pay(product.rows, product.b.n(), k, k * kBytes)) product.lines = lines;
    multiply(product, [&](std::int64_t row, std::int64_t rows, const float** pointers) {
      for (std::int64_t r = 0; r < rows; ++r) pointers[r] = a + (row + r) * k;
    });
  }

  void expand_row(const Band& band, std::int64_t iy) const {
    multiply_rows({.table = table_,
                   .b = expand_,
                   .rows = wide_[2],
                   .c = band.ring + iy % kernel_height() * wide_row(),
                   .stride = wide_[3],
                   .epilogue = make_epilogue(layer_.expand->activation)},
                  band.lines, band.x + iy * in_[2] * in_[3]);
  }

  void filter_row(const Band& band, std::int64_t oy) const {
    const Conv2d& conv = layer_.depthwise;
    const Epilogue epilogue = make_epilogue(conv.activation);
    std::array<const std::byte*, kMostTaps> lines{};
    for (std::int64_t ky = 0; ky < kernel_height(); ++ky) {
      lines[static_cast<std::size_t>(ky)] = reinterpret_cast<const std::byte*>(wide_line(band, first_line(oy) + ky));
    }
    table_.depthwise({.lines = lines.data(),
                      .filter = filter_.data(),
                      .bias = filter_bias_.data(),
                      .y = reinterpret_cast<std::byte*>(band.ring + ring_floats()),
                      .kernel_height = conv.kernel.height,
                      .kernel_width = conv.kernel.width,
                      .stride = conv.stride.width,
                      .pad = pad_.width,
                      .in_width = wide_[2],
                      .width = filtered_[2],
                      .channels = wide_[3],
                      .channel_end = wide_[3],
                      .low = epilogue.low,
                      .high = epilogue.high});
  }

  void project_row(const Band& band, std::int64_t oy) const {
    const std::int64_t at = oy * out_[2] * out_[3];
    multiply_rows({.table = table_,
                   .b = project_,
                   .rows = out_[2],
                   .c = band.y + at,
                   .stride = out_[3],
                   .residual = band.residual == nullptr ? nullptr : band.residual + at,
                   .epilogue = make_epilogue(layer_.project.activation)},
                  band.lines, band.ring + ring_floats());
  }

  InvertedResidual layer_;
  Shape in_, wide_, filtered_, out_;
  Size2 pad_;
  std::int64_t threads_;
  PackedMatrix expand_, project_;
  Tensor filter_, filter_bias_;  // [KH, KW, E], [E]
};

bool only_clamps(const Conv2d& conv) { return make_epilogue(conv.activation).after == ActivationKind::kNone; }

// That is not multiplied by AMX: the sum of a value must be the same one whether it is fused or not.
bool is_pointwise(const KernelTable& table, const Conv2d& conv, const Shape& in) {
  return conv.kernel == Size2(1) && conv.stride == Size2(1) && conv.groups == 1 &&
         conv.leading_padding(in) == Size2(0) && conv.output_shape(std::array{in})[1] == in[1] &&
         !rows_collide(in[3] * kBytes) && (table.amx == nullptr || !amx_pays(in[1] * in[2], conv.out_channels, in[3]));
}

}  // namespace

bool can_fuse(const KernelTable& table, const InvertedResidual& layer, const Shape& in) {
  const Shape wide = layer.expanded_shape(in), filtered = layer.filtered_shape(in);
  Conv2d project = layer.project;
  project.residual = false;
  const bool expands = !layer.expand || (is_pointwise(table, *layer.expand, in) && only_clamps(*layer.expand));
  return expands && can_depthwise(layer.depthwise, wide) && layer.depthwise.dilation == Size2(1) &&
         only_clamps(layer.depthwise) && is_pointwise(table, project, filtered) && only_clamps(project);
}

std::unique_ptr<Kernel> make_inverted_residual(const KernelTable& table, const InvertedResidual& layer,
                                               const NodeRequest& request, const Weights& weights) {
  return std::make_unique<InvertedResidualKernel>(table, layer, request, weights);
}

}  // namespace tessera::cpu
