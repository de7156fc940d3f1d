// Convolution as a matrix product that gathers nothing: a row of A is the patch of one output pixel, in as many parts
// as the kernel has taps, and each part is a pointer to the channels of one pixel of the picture (or to zeros, outside).
// This is the indirect convolution of Dukhan 2019, arXiv:1907.02129, with the pointers made for one tile at a time.
//
// Where a picture has few channels (the first layer), a part is a whole line of taps instead: the picture is copied
// once with its padding around it, and lines are then whole everywhere.
#include <algorithm>

#include "cpu/gemm.h"
#include "cpu/implementations.h"

namespace tessera::cpu {

namespace {

constexpr std::int64_t kFewChannels = 8;

bool reads_lines(const Conv2d& layer, std::int64_t channels) {
  return channels <= kFewChannels && layer.kernel.width > 1 && layer.dilation.width == 1;
}

class ConvKernel final : public TableKernel {
 public:
  ConvKernel(const KernelTable& table, const Conv2d& layer, const Shape& in, const Shape& out, Weights weights,
             int threads)
      : TableKernel(table, layer.kernel == Size2(1) ? "gemm" : "indirect"),
        layer_(layer),
        lines_(reads_lines(layer, in[3])),
        pad_(layer.leading_padding(in)),
        out_(out),
        padded_{(out_[1] - 1) * layer.stride.height + (layer.kernel.height - 1) * layer.dilation.height + 1,
                (out_[2] - 1) * layer.stride.width + layer.kernel.width},
        epilogue_(make_epilogue(layer.activation)),
        zeros_(Tensor::zeros(Shape{in[3]})) {
    const std::int64_t k = weights[0].shape().count() / layer.out_channels;
    weight_ = PackedMatrix(table, weights[0].data(), layer.out_channels, k, k,
                           layer.bias ? std::as_const(weights[1]).values() : std::span<const float>());
    if (!lines_ && rows_collide(layer.stride.width * in[3])) row_copies_ = threads * row_copy_floats(table);
  }

  std::int64_t scratch() const noexcept override {
    return lines_ ? padded_.height * padded_.width * zeros_.shape()[0] : row_copies_;
  }
  std::size_t weight_bytes() const noexcept override { return weight_.bytes(); }

  void run(const KernelArguments& arguments) const override {
    const ConstView& x = arguments.inputs[0];
    const float* residual = layer_.residual ? arguments.inputs[1].data() : nullptr;
    if (!lines_) {
      run_rows(arguments, residual);
      return;
    }
    for (std::int64_t n = 0; n < x.shape()[0]; ++n) {
      pad(x.slice(n), arguments.scratch.data(), arguments.threads);
      const View y = arguments.output.slice(n);
      run_lines(arguments.scratch.data(), residual == nullptr ? nullptr : residual + n * y.count(), y.data(),
                arguments.threads);
    }
  }

 private:
  Product product(std::int64_t rows, std::int64_t taps, const float* residual, float* y, float* row_copies) const {
    return {.table = table_,
            .b = weight_,
            .rows = rows,
            .taps = taps,
            .c = y,
            .stride = layer_.out_channels,
            .residual = residual,
            .epilogue = epilogue_,
            .row_copies = row_copies};
  }

  void run_rows(const KernelArguments& arguments, const float* residual) const {
    const float* x = arguments.inputs[0].data();
    const Shape& in = arguments.inputs[0].shape();
    float* row_copies = row_copies_ == 0 ? nullptr : arguments.scratch.data();
    const std::int64_t taps = layer_.kernel.height * layer_.kernel.width;
    const bool dense = taps == 1 && layer_.stride == Size2(1) && pad_ == Size2(0);
    multiply(
        product(in[0] * out_[1] * out_[2], taps, residual, arguments.output.data(), row_copies),
        [&](std::int64_t row, std::int64_t rows, const float** pointers) {
          if (dense) {
            for (std::int64_t r = 0; r < rows; ++r) pointers[r] = x + (row + r) * in[3];
            return;
          }
          std::int64_t ox = row % out_[2], oy = row / out_[2] % out_[1];
          const float* picture = x + row / (out_[1] * out_[2]) * in[1] * in[2] * in[3];
          for (std::int64_t r = 0; r < rows; ++r) {
            patch(picture, in, oy, ox, rows, pointers + r);
            if (++ox < out_[2]) continue;
            ox = 0;
            if (++oy < out_[1]) continue;
            oy = 0;
            picture += in[1] * in[2] * in[3];
          }
        },
        arguments.threads);
  }

  // pointers[tap * step] for each tap of one output pixel.
  void patch(const float* picture, const Shape& in, std::int64_t oy, std::int64_t ox, std::int64_t step,
             const float** pointers) const {
    const std::int64_t left = ox * layer_.stride.width - pad_.width;
    std::int64_t iy = oy * layer_.stride.height - pad_.height;
    for (std::int64_t ky = 0; ky < layer_.kernel.height; ++ky, iy += layer_.dilation.height) {
      const bool row_inside = iy >= 0 && iy < in[1];
      std::int64_t ix = left;
      for (std::int64_t kx = 0; kx < layer_.kernel.width; ++kx, ix += layer_.dilation.width, pointers += step) {
        const bool inside = row_inside && ix >= 0 && ix < in[2];
        *pointers = inside ? picture + (iy * in[2] + ix) * in[3] : zeros_.data();
      }
    }
  }

  // The part of the picture that outputs look at, with its padding.
  void pad(ConstView picture, float* to, ThreadPool& threads) const {
    const Shape& in = picture.shape();
    const std::int64_t line = padded_.width * in[3];
    const std::int64_t before = std::min(pad_.width * in[3], line);
    const std::int64_t inside = std::clamp<std::int64_t>(line - before, 0, in[2] * in[3]);
    threads.for_each(padded_.height, [&](std::int64_t y, int) {
      const std::int64_t iy = y - pad_.height;
      float* at = to + y * line;
      if (iy < 0 || iy >= in[1]) {
        std::fill_n(at, line, 0.0F);
        return;
      }
      at = std::fill_n(at, before, 0.0F);
      at = std::copy_n(picture.data() + iy * in[2] * in[3], inside, at);
      std::fill_n(at, line - before - inside, 0.0F);
    });
  }

  void run_lines(const float* padded, const float* residual, float* y, ThreadPool& threads) const {
    const std::int64_t channels = zeros_.shape()[0];
    const std::int64_t line = padded_.width * channels;
    multiply(
        product(out_[1] * out_[2], layer_.kernel.height, residual, y, nullptr),
        [&](std::int64_t row, std::int64_t rows, const float** pointers) {
          for (std::int64_t r = 0; r < rows; ++r) {
            const std::int64_t oy = (row + r) / out_[2], ox = (row + r) % out_[2];
            const float* at = padded + oy * layer_.stride.height * line + ox * layer_.stride.width * channels;
            for (std::int64_t ky = 0; ky < layer_.kernel.height; ++ky) {
              pointers[ky * rows + r] = at + ky * layer_.dilation.height * line;
            }
          }
        },
        threads);
  }

  Conv2d layer_;
  bool lines_;
  Size2 pad_;
  Shape out_;
  Size2 padded_;  // of the copy
  Epilogue epilogue_;
  Tensor zeros_;  // a pixel of padding
  PackedMatrix weight_;
  std::int64_t row_copies_ = 0;  // floats of scratch for them
};

}  // namespace

bool can_conv(const Conv2d& layer, const Shape& in) {
  const std::int64_t taps = layer.kernel.height * (reads_lines(layer, in[3]) ? 1 : layer.kernel.width);
  return layer.groups == 1 && taps <= kMostTaps;
}

std::unique_ptr<Kernel> make_conv(const KernelTable& table, const Conv2d& layer, const Shape& in, const Shape& out,
                                  Weights weights, int threads) {
  return std::make_unique<ConvKernel>(table, layer, in, out, std::move(weights), threads);
}

}  // namespace tessera::cpu
