// Linear layers and convolutions by AMX, in float32, bfloat16 and int8. Values of another type are converted when their
// rows are put into tiles.
//
// A convolution copies its picture once, not its patches: padded, split into parts, and in the order in which tiles are
// loaded. The rows of a tile are then pixels beside each other, and each place of the kernel is the same pixels from
// another address. Of the first convolution, with its three channels, a whole line of the kernel is one address.
#include <algorithm>

#include "cpu/amx_gemm.h"
#include "cpu/implementations.h"
#include "cpu/patches.h"

namespace tessera::cpu {

namespace {

std::string_view set_of(DType operand) {
  switch (operand) {
    case DType::kU8:
      return "int8_amx";
    case DType::kBf16:
      return "bf16_amx";
    default:
      return "f32_amx";
  }
}

ValueType operand_of(DType dtype, const ValueType& stored) {
  return dtype == DType::kU8 ? ValueType{DType::kU8, stored.scale, stored.zero} : ValueType{.dtype = dtype};
}

class AmxKernel : public TableKernel {
 public:
  std::size_t weight_bytes() const noexcept final { return matrix_.bytes(); }

 protected:
  // K of the weights is in `taps` parts.
  AmxKernel(const KernelTable& table, std::string_view algorithm, DType operand, const NodeRequest& request,
            ActivationKind activation, const Weights& weights, std::int64_t taps)
      : TableKernel(table, algorithm, set_of(operand)),
        matrix_(table, operand_of(operand, request.in_types[0]), weights[0].data(), weights[0].shape()[0],
                weights[0].shape().count() / weights[0].shape()[0], taps,
                weights.size() > 1 ? weights[1].values() : std::span<const float>()),
        epilogue_(make_epilogue(activation)) {}

  AmxProduct product(const ValueView& y, const ConstValueView* residual) const {
    return {.table = table_,
            .b = matrix_,
            .rows = y.count() / matrix_.n(),
            .y = y,
            .residual = residual,
            .epilogue = epilogue_};
  }
  AmxProduct product(const KernelArguments& arguments) const {
    return product(arguments.output, arguments.inputs.size() > 1 ? &arguments.inputs[1] : nullptr);
  }

  AmxMatrix matrix_;

 private:
  Epilogue epilogue_;
};

// Linear layers and 1x1 convolutions of stride 1: rows that follow each other.
class AmxDense final : public AmxKernel {
 public:
  AmxDense(const KernelTable& table, DType operand, const NodeRequest& request, ActivationKind activation,
           const Weights& weights)
      : AmxKernel(table, "gemm", operand, request, activation, weights, 1),
        in_place_(operand != DType::kF32 && request.in_types[0].dtype == operand &&
                  matrix_.k() % matrix_.step_values() == 0),
        scratch_(in_place_ ? 0 : amx_floats(matrix_, request.out.count() / matrix_.n(), request.threads)) {}

  std::int64_t scratch() const noexcept override { return scratch_; }

  void run(const KernelArguments& arguments) const override {
    const ConstValueView& x = arguments.inputs[0];
    const std::int64_t row_bytes = matrix_.k() * bytes_of(x.type().dtype);
    const AmxProduct all = product(arguments);
    const auto locate = [&](std::int64_t, std::int64_t row, const std::byte** to) {
      *to = x.bytes() + row * row_bytes;
    };
    const auto point = [&](std::int64_t row, std::int64_t rows, const std::byte** pointers) {
      for (std::int64_t r = 0; r < rows; ++r) pointers[r] = x.bytes() + (row + r) * row_bytes;
    };
    if (in_place_) {
      multiply(all, {.line_rows = all.rows, .row_bytes = row_bytes, .step_bytes = kAmxStep, .locate = locate},
               arguments.threads);
    } else {
      multiply(all, {.type = x.type(), .pointers = point, .scratch = arguments.scratch.data()}, arguments.threads);
    }
  }

 private:
  bool in_place_;
  std::int64_t scratch_;
};

// Convolutions whose patches are copied.
class AmxPatches final : public AmxKernel {
 public:
  AmxPatches(const KernelTable& table, DType operand, const Conv2d& layer, const NodeRequest& request,
             const Weights& weights)
      : AmxKernel(table, layer.kernel == Size2(1) ? "gemm" : "gathered", operand, request, layer.activation, weights,
                  1),
        patches_(layer, request.in[0], request.out),
        padding_(padding_pixel(request.in_types[0], request.in[0][3])),
        scratch_(amx_floats(matrix_, request.out.count() / matrix_.n(), request.threads)) {}

  std::int64_t scratch() const noexcept override { return scratch_; }

  void run(const KernelArguments& arguments) const override {
    const ConstValueView& x = arguments.inputs[0];
    const std::int64_t pixel_bytes = x.shape()[3] * bytes_of(x.type().dtype);
    const auto point = [&](std::int64_t row, std::int64_t rows, const std::byte** pointers) {
      patches_.point(x.bytes(), pixel_bytes, padding_.data(), row, rows, pointers);
    };
    multiply(product(arguments),
             {.type = x.type(), .taps = patches_.taps(), .pointers = point, .scratch = arguments.scratch.data()},
             arguments.threads);
  }

 private:
  Patches patches_;
  std::vector<std::byte> padding_;
  std::int64_t scratch_;
};

// Convolutions whose picture is copied, once, with its padding around it and as tiles are loaded: the rows of a tile
// are then pixels beside each other, at each place of the kernel.
class AmxPictures final : public AmxKernel {
 public:
  AmxPictures(const KernelTable& table, DType operand, const Conv2d& layer, const NodeRequest& request,
              const Weights& weights)
      : AmxKernel(table, "indirect", operand, request, layer.activation, weights, taps_of(layer, request.in[0])),
        layer_(layer),
        pad_(layer.leading_padding(request.in[0])),
        in_(request.in[0]),
        out_(request.out),
        few_channels_(has_few_channels(layer, in_)),
        height_((out_[1] - 1) * layer.stride.height + (layer.kernel.height - 1) * layer.dilation.height + 1),
        width_((out_[2] - 1) * layer.stride.width + (layer.kernel.width - 1) * layer.dilation.width + 1) {
    if (few_channels_) return;
    padding_.resize(static_cast<std::size_t>(pixel_bytes()));
    const std::vector<std::byte> pixel = padding_pixel(request.in_types[0], in_[3]);
    put_pixels(pixel.data(), request.in_types[0], 1, padding_.data());
  }

  static bool suit(const Conv2d& layer, DType operand, const NodeRequest& request) {
    constexpr std::int64_t kShortestLine = 5;  // of tiles that are high enough
    if (has_few_channels(layer, request.in[0])) return operand != DType::kU8;
    return taps_of(layer, request.in[0]) > 1 && request.out[2] >= kShortestLine;
  }

  std::int64_t scratch() const noexcept override { return group(in_[0]) * picture_bytes() / kFloat; }

  void run(const KernelArguments& arguments) const override {
    const std::int64_t pictures = arguments.inputs[0].shape()[0];
    for (std::int64_t first = 0; first < pictures; first += group(pictures)) {
      run_group(arguments, first, std::min(group(pictures), pictures - first));
    }
  }

 private:
  static constexpr std::int64_t kFloat = sizeof(float);

  static bool has_few_channels(const Conv2d& layer, const Shape& in) { return PaddedLines::suit(layer, in[3]); }
  // Of few channels, all pixels below a row of the kernel are one tap.
  static std::int64_t taps_of(const Conv2d& layer, const Shape& in) {
    return layer.kernel.height * (has_few_channels(layer, in) ? 1 : layer.kernel.width);
  }

  std::int64_t pixel_bytes() const { return matrix_.tap_steps() * matrix_.step_bytes(); }
  // Of a line of the copy: pixels in steps; or, of few channels, values as they are and room for a step behind them,
  // each part in a picture of its own.
  std::int64_t line_bytes() const {
    if (!few_channels_) return width_ * pixel_bytes();
    return (ceil_div(width_ * in_[3] * kHalf, kAmxStep) + 1) * kAmxStep;
  }
  static constexpr std::int64_t kHalf = 2;  // bytes of bfloat16
  std::int64_t part_bytes() const { return height_ * line_bytes(); }
  std::int64_t picture_bytes() const { return (few_channels_ ? matrix_.parts() : 1) * height_ * line_bytes(); }

  // Pictures that are copied and multiplied at once: as many rows as make reading the weights the smaller part, but no
  // more, so that what is copied stays in the caches.
  std::int64_t group(std::int64_t pictures) const {
    constexpr std::int64_t kRows = 784;
    return std::clamp<std::int64_t>(kRows / (out_[1] * out_[2]), 1, pictures);
  }

  void run_group(const KernelArguments& arguments, std::int64_t first, std::int64_t count) const {
    auto* const copy = reinterpret_cast<std::byte*>(arguments.scratch.data());
    const ConstValueView& x = arguments.inputs[0];
    arguments.threads.for_each(count * height_, [&](std::int64_t index, int) {
      const std::int64_t picture = index / height_, y = index % height_;
      std::byte* to = copy + picture * picture_bytes() + y * line_bytes();
      if (few_channels_) {
        copy_values(x, first + picture, y, to);
      } else {
        copy_pixels(x, first + picture, y, to);
      }
    });
    const std::int64_t at = first * out_[1] * out_[2] * out_[3];
    const Shape shape{count, out_[1], out_[2], out_[3]};
    const ValueView y(arguments.output.at(at), arguments.output.type(), shape);
    const bool adds = arguments.inputs.size() > 1;
    const ConstValueView residual =
        adds ? ConstValueView(arguments.inputs[1].at(at), arguments.inputs[1].type(), shape) : ConstValueView(y);
    const std::int64_t step = few_channels_ ? in_[3] * kHalf : pixel_bytes();
    const auto locate = [&](std::int64_t line, std::int64_t row, const std::byte** to) {
      place(copy + line / out_[1] * picture_bytes(), line % out_[1], row, step, to);
    };
    multiply(product(y, adds ? &residual : nullptr),
             {.line_rows = out_[2],
              .row_bytes = layer_.stride.width * step,
              .part_bytes = few_channels_ ? part_bytes() : kAmxStep,
              .step_bytes = few_channels_ ? kAmxStep : matrix_.step_bytes(),
              .locate = locate},
             arguments.threads);
  }

  void place(const std::byte* picture, std::int64_t oy, std::int64_t ox, std::int64_t step,
             const std::byte** to) const {
    const std::byte* line = picture + oy * layer_.stride.height * line_bytes() + ox * layer_.stride.width * step;
    for (std::int64_t ky = 0; ky < layer_.kernel.height; ++ky, line += layer_.dilation.height * line_bytes()) {
      if (few_channels_) {
        *to = line;
        to += 2;
        continue;
      }
      const std::byte* pixel = line;
      for (std::int64_t kx = 0; kx < layer_.kernel.width; ++kx, pixel += layer_.dilation.width * step, to += 2) {
        *to = pixel;
      }
    }
  }

  // What of a line of the copy is inside the picture: pixels [begin, end); the first is pixel `from` of the picture.
  struct Inside {
    std::int64_t begin, end, from;
  };
  Inside inside(std::int64_t y) const {
    const std::int64_t iy = y - pad_.height;
    if (iy < 0 || iy >= in_[1]) return {width_, width_, 0};
    const std::int64_t begin = std::clamp<std::int64_t>(pad_.width, 0, width_);
    return {begin, std::clamp(in_[2] + pad_.width, begin, width_), begin - pad_.width};
  }

  void put_pixels(const std::byte* from, const ValueType& stored, std::int64_t count, std::byte* to) const {
    const std::int64_t channels = in_[3];
    const bool whole = channels % matrix_.step_values() == 0;
    const std::int64_t length = whole ? count * channels : channels;
    for (std::int64_t i = 0; i < (whole ? 1 : count); ++i) {
      put_values(table_, from + i * channels * bytes_of(stored.dtype), stored, matrix_, length,
                 {to + i * pixel_bytes(), matrix_.step_bytes(), kAmxStep});
    }
  }

  void copy_pixels(const ConstValueView& x, std::int64_t picture, std::int64_t y, std::byte* to) const {
    const Inside in = inside(y);
    for (std::int64_t pixel = 0; pixel < width_; ++pixel) {
      if (pixel == in.begin) pixel = in.end;
      if (pixel < width_) std::ranges::copy(padding_, to + pixel * pixel_bytes());
    }
    if (in.begin == in.end) return;
    const std::byte* from = x.at(((picture * in_[1] + y - pad_.height) * in_[2] + in.from) * in_[3]);
    put_pixels(from, x.type(), in.end - in.begin, to + in.begin * pixel_bytes());
  }

  // Of few channels: dense values, each part in a picture of its own.
  void copy_values(const ConstValueView& x, std::int64_t picture, std::int64_t y, std::byte* to) const {
    const Inside in = inside(y);
    const std::int64_t count = (in.end - in.begin) * in_[3], begin = in.begin == in.end ? 0 : in.begin * in_[3] * kHalf;
    const std::int64_t end = begin + count * kHalf;
    for (std::int64_t part = 0; part < matrix_.parts(); ++part) {
      std::byte* line = to + part * part_bytes();
      std::fill(line, line + begin, std::byte{0});
      std::fill(line + end, line + line_bytes(), std::byte{0});
    }
    if (count == 0) return;
    const std::byte* from = x.at(((picture * in_[1] + y - pad_.height) * in_[2] + in.from) * in_[3]);
    put_values(table_, from, x.type(), matrix_, count, {to + begin, kAmxStep, part_bytes()});
  }

  Conv2d layer_;
  Size2 pad_;
  Shape in_, out_;  // at the largest batch
  bool few_channels_;
  std::int64_t height_, width_;     // of the copy of a picture
  std::vector<std::byte> padding_;  // a pixel of it
};

}  // namespace

std::unique_ptr<Kernel> make_amx_linear(const KernelTable& table, DType operand, const Linear& layer,
                                        const NodeRequest& request, const Weights& weights) {
  return std::make_unique<AmxDense>(table, operand, request, layer.activation, weights);
}

std::unique_ptr<Kernel> make_amx_conv(const KernelTable& table, DType operand, const Conv2d& layer,
                                      const NodeRequest& request, const Weights& weights) {
  const Shape& in = request.in[0];
  if (layer.kernel == Size2(1) && layer.stride == Size2(1) && in[1] == request.out[1] && in[2] == request.out[2]) {
    return std::make_unique<AmxDense>(table, operand, request, layer.activation, weights);
  }
  if (AmxPictures::suit(layer, operand, request)) {
    return std::make_unique<AmxPictures>(table, operand, layer, request, weights);
  }
  return std::make_unique<AmxPatches>(table, operand, layer, request, weights);
}

}  // namespace tessera::cpu
