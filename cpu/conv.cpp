// Convolution as a matrix product that gathers nothing: a row of A is the patch of one output pixel, in as many parts
// as the kernel has taps, and each part is a pointer to the channels of one pixel of the picture (or to zeros,
// outside). This is the indirect convolution of Dukhan 2019, arXiv:1907.02129, with the pointers made for one tile at a
// time.
//
// Where a picture has few channels (the first layer), a part is a whole line of taps instead (PaddedLines).
#include <algorithm>

#include "cpu/gemm.h"
#include "cpu/implementations.h"
#include "cpu/patches.h"

namespace tessera::cpu {

namespace {

class ConvKernel final : public TableKernel {
 public:
  ConvKernel(const KernelTable& table, const Conv2d& layer, const NodeRequest& request, Weights weights)
      : TableKernel(table, layer.kernel == Size2(1) ? "gemm" : "indirect"),
        layer_(layer),
        by_lines_(PaddedLines::suit(layer, request.in[0][3])),
        patches_(layer, request.in[0], request.out),
        lines_(layer, request.in[0], request.out, request.in[0][3]),
        in_(request.in[0]),
        out_(request.out),
        epilogue_(make_epilogue(layer.activation)),
        zeros_(Tensor::zeros(Shape{request.in[0][3]})) {
    constexpr std::int64_t kBytes = sizeof(float);
    const std::int64_t k = weights[0].shape().count() / layer.out_channels;
    weight_ = PackedMatrix(table, weights[0].data(), layer.out_channels, k, k,
                           layer.bias ? std::as_const(weights[1]).values() : std::span<const float>());
    const std::int64_t rows = out_[0] * out_[1] * out_[2], row_bytes = layer.stride.width * request.in[0][3] * kBytes;
    if (!by_lines_ && lines_pay(rows, layer.out_channels, k, row_bytes)) {
      row_lines_ = line_floats(table, rows, layer.out_channels, k, request.threads);
    }
  }

  std::int64_t scratch() const noexcept override { return by_lines_ ? lines_.count() : row_lines_; }
  std::size_t weight_bytes() const noexcept override { return weight_.bytes(); }

  void run(const KernelArguments& arguments) const override {
    const ConstView x = arguments.inputs[0].f32();
    const View y = arguments.output.f32();
    const float* residual = layer_.residual ? arguments.inputs[1].f32().data() : nullptr;
    if (!by_lines_) {
      float* lines = row_lines_ == 0 ? nullptr : arguments.scratch.data();
      multiply(
          product(x.shape()[0] * out_[1] * out_[2], patches_.taps(), residual, y.data(), lines),
          [&](std::int64_t row, std::int64_t rows, const float** pointers) {
            patches_.point(x.data(), x.shape()[3], zeros_.data(), row, rows, pointers);
          },
          arguments.threads);
      return;
    }
    for (std::int64_t n = 0; n < x.shape()[0]; ++n) {
      const View picture = y.slice(n);
      const float* added = residual == nullptr ? nullptr : residual + n * picture.count();
      run_lines(x.slice(n).data(), added, picture.data(), arguments);
    }
  }

 private:
  Product product(std::int64_t rows, std::int64_t taps, const float* residual, float* y, float* lines) const {
    return {.table = table_,
            .b = weight_,
            .rows = rows,
            .taps = taps,
            .c = y,
            .stride = layer_.out_channels,
            .residual = residual,
            .epilogue = epilogue_,
            .lines = lines};
  }

  void run_lines(const float* picture, const float* residual, float* y, const KernelArguments& arguments) const {
    float* padded = arguments.scratch.data();
    lines_.copy(padded, 0.0F, arguments.threads, [&](std::int64_t line, std::int64_t pixels, float* to) {
      std::copy_n(picture + line * in_[2] * in_[3], pixels * in_[3], to);
    });
    multiply(
        product(out_[1] * out_[2], lines_.taps(), residual, y, nullptr),
        [&](std::int64_t row, std::int64_t rows, const float** pointers) { lines_.point(padded, row, rows, pointers); },
        arguments.threads);
  }

  Conv2d layer_;
  bool by_lines_;
  Patches patches_;
  PaddedLines lines_;
  Shape in_, out_;
  Epilogue epilogue_;
  Tensor zeros_;  // a pixel of padding
  PackedMatrix weight_;
  std::int64_t row_lines_ = 0;  // floats of scratch for them
};

}  // namespace

bool can_conv(const Conv2d& layer, const Shape& in) {
  const std::int64_t taps = layer.kernel.height * (PaddedLines::suit(layer, in[3]) ? 1 : layer.kernel.width);
  return layer.groups == 1 && taps <= kMostTaps;
}

std::unique_ptr<Kernel> make_conv(const KernelTable& table, const Conv2d& layer, const NodeRequest& request,
                                  Weights weights) {
  return std::make_unique<ConvKernel>(table, layer, request, std::move(weights));
}

}  // namespace tessera::cpu
