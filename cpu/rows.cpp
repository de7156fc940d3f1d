// Layers that work on rows of values: norms, softmax, activations, pooling.
#include <algorithm>
#include <array>
#include <vector>

#include "cpu/gemm.h"
#include "cpu/implementations.h"

namespace tessera::cpu {

namespace {

constexpr std::int64_t kRowsPerTask = 16;
constexpr std::int64_t kBlock = 16384;  // values of an element-wise task

// Calls body(row, thread) for all rows, some at a time.
template <class Body>
void for_each_row(ThreadPool& threads, std::int64_t rows, const Body& body) {
  threads.for_each(ceil_div(rows, kRowsPerTask), [&](std::int64_t task, int thread) {
    const std::int64_t end = std::min(rows, (task + 1) * kRowsPerTask);
    for (std::int64_t row = task * kRowsPerTask; row < end; ++row) body(row, thread);
  });
}

class LayerNormKernel final : public TableKernel {
 public:
  LayerNormKernel(const KernelTable& table, const LayerNorm& layer, const NodeRequest& request, Weights weights)
      : TableKernel(table, "layer_norm"),
        width_(request.out_type.dtype == DType::kF32 ? 0 : request.out[-1]),
        threads_(request.threads),
        epsilon_(layer.epsilon),
        weight_(std::move(weights[0])),
        bias_(std::move(weights[1])) {}

  std::size_t weight_bytes() const noexcept override { return 2 * weight_.values().size_bytes(); }
  // Rows that are kept in another type are made here first.
  std::int64_t scratch() const noexcept override { return threads_ * width_; }
  void run(const KernelArguments& arguments) const override {
    const std::int64_t count = arguments.inputs[0].shape()[-1];
    const float* x = arguments.inputs[0].f32().data();
    const ValueView& y = arguments.output;
    for_each_row(arguments.threads, y.count() / count, [&](std::int64_t row, int thread) {
      std::byte* to = y.at(row * count);
      float* values = width_ == 0 ? reinterpret_cast<float*>(to) : arguments.scratch.data() + thread * width_;
      table_.layer_norm(x + row * count, weight_.data(), bias_.data(), epsilon_, values, count);
      if (width_ != 0) table_.encode(values, to, y.type(), count);
    });
  }

 private:
  std::int64_t width_;  // of a row, when it is not float32
  int threads_;
  float epsilon_;
  Tensor weight_, bias_;
};

class SoftmaxKernel final : public TableKernel {
 public:
  explicit SoftmaxKernel(const KernelTable& table) : TableKernel(table, "softmax") {}
  void run(const KernelArguments& arguments) const override {
    const std::int64_t count = arguments.output.shape()[-1];
    const float* x = arguments.inputs[0].f32().data();
    const View output = arguments.output.f32();
    for_each_row(arguments.threads, output.count() / count, [&](std::int64_t row, int) {
      float* y = output.data() + row * count;
      if (y != x + row * count) std::copy_n(x + row * count, count, y);
      float factor = 0;
      table_.softmax_numerators({.x = y, .rows = 1, .count = count, .factors = &factor});
      table_.multiply_row(y, factor, count);
    });
  }
};

class ActivationKernel final : public TableKernel {
 public:
  ActivationKernel(const KernelTable& table, ActivationKind kind) : TableKernel(table, to_string(kind)), kind_(kind) {}
  void run(const KernelArguments& arguments) const override {
    const float* x = arguments.inputs[0].f32().data();
    float* y = arguments.output.f32().data();
    const std::int64_t count = arguments.output.count();
    arguments.threads.for_each(ceil_div(count, kBlock), [&](std::int64_t block, int) {
      const std::int64_t begin = block * kBlock, length = std::min(kBlock, count - begin);
      if (x != y) std::copy_n(x + begin, length, y + begin);
      table_.activate(kind_, y + begin, 1, length, length);
    });
  }

 private:
  ActivationKind kind_;
};

class MaxPoolKernel final : public TableKernel {
 public:
  MaxPoolKernel(const KernelTable& table, const Pool2d& layer, const NodeRequest& request)
      : TableKernel(table, "max_pool"),
        layer_(layer),
        height_(request.in[0][1]),
        width_(request.in[0][2]),
        channels_(request.in[0][3]),
        out_height_(request.out[1]),
        out_width_(request.out[2]) {}

  void run(const KernelArguments& arguments) const override {
    arguments.threads.for_each(arguments.output.shape()[0] * out_height_, [&](std::int64_t row, int) {
      const std::int64_t picture = row / out_height_ * height_ * width_ * channels_;
      for (std::int64_t ox = 0; ox < out_width_; ++ox) {
        run_pixel(arguments, picture, row % out_height_, ox, (row * out_width_ + ox) * channels_);
      }
    });
  }

 private:
  // `picture` and `y`: where it begins among the values of the input, and of the output.
  void run_pixel(const KernelArguments& arguments, std::int64_t picture, std::int64_t oy, std::int64_t ox,
                 std::int64_t y) const {
    const ConstValueView& x = arguments.inputs[0];
    std::array<const std::byte*, kMostTaps> pixels;  // NOLINT(cppcoreguidelines-pro-type-member-init): filled below
    std::int64_t count = 0;
    const std::int64_t top = oy * layer_.stride.height - layer_.padding.height;
    const std::int64_t left = ox * layer_.stride.width - layer_.padding.width;
    for (std::int64_t iy = std::max<std::int64_t>(0, top); iy < std::min(height_, top + layer_.kernel.height); ++iy) {
      for (std::int64_t ix = std::max<std::int64_t>(0, left); ix < std::min(width_, left + layer_.kernel.width); ++ix) {
        pixels[static_cast<std::size_t>(count++)] = x.at(picture + (iy * width_ + ix) * channels_);
      }
    }
    table_.max_rows(pixels.data(), x.type(), count, arguments.output.at(y), arguments.output.type(), channels_);
  }

  Pool2d layer_;
  std::int64_t height_, width_, channels_, out_height_, out_width_;
};

class GlobalAveragePoolKernel final : public TableKernel {
 public:
  explicit GlobalAveragePoolKernel(const KernelTable& table) : TableKernel(table, "average") {}
  void run(const KernelArguments& arguments) const override {
    const Shape& in = arguments.inputs[0].shape();
    const std::int64_t pixels = in[1] * in[2], channels = in[3];
    // A part of the channels of one picture at a time.
    const std::int64_t parts = ceil_div(channels, kChannels);
    arguments.threads.for_each(in[0] * parts, [&](std::int64_t task, int) {
      const std::int64_t picture = task / parts, first = task % parts * kChannels;
      const ConstValueView& x = arguments.inputs[0];
      table_.sum_rows(x.at(picture * pixels * channels + first), x.type(), pixels, channels,
                      1.0F / static_cast<float>(pixels), arguments.output.f32().data() + picture * channels + first,
                      std::min(kChannels, channels - first));
    });
  }

 private:
  static constexpr std::int64_t kChannels = 256;
};

}  // namespace

std::unique_ptr<Kernel> make_layer_norm(const KernelTable& table, const LayerNorm& layer, const NodeRequest& request,
                                        Weights weights) {
  return std::make_unique<LayerNormKernel>(table, layer, request, std::move(weights));
}
std::unique_ptr<Kernel> make_softmax(const KernelTable& table) { return std::make_unique<SoftmaxKernel>(table); }
std::unique_ptr<Kernel> make_activation(const KernelTable& table, const Activation& layer) {
  return std::make_unique<ActivationKernel>(table, layer.kind);
}
bool can_max_pool(const Pool2d& layer) {
  // Every window then has a pixel: padding is less than the kernel.
  return layer.kind == PoolKind::kMax && layer.kernel.height * layer.kernel.width <= kMostTaps;
}
std::unique_ptr<Kernel> make_max_pool(const KernelTable& table, const Pool2d& layer, const NodeRequest& request) {
  return std::make_unique<MaxPoolKernel>(table, layer, request);
}
std::unique_ptr<Kernel> make_global_average_pool(const KernelTable& table) {
  return std::make_unique<GlobalAveragePoolKernel>(table);
}

}  // namespace tessera::cpu
