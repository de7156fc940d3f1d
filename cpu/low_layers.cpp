// Linear layers and convolutions in low precision. What comes in another type is turned into the one that is multiplied
// first; what goes out is stored in the type that its readers want.
#include <algorithm>
#include <array>
#include <cstring>

#include "cpu/implementations.h"
#include "cpu/low_gemm.h"
#include "cpu/patches.h"

namespace tessera::cpu {

namespace {

constexpr std::int64_t kBlock = 4096;  // values that are turned at a time

std::int64_t floats_for(std::int64_t bytes) {
  constexpr std::int64_t kLine = 64;
  return ceil_div(bytes, kLine) * kLine / static_cast<std::int64_t>(sizeof(float));
}

// The type of A: that of the values as they are stored, if it is multiplied as it is.
ValueType operand_type(DType dtype, const ValueType& stored) {
  return dtype == DType::kU8 ? ValueType{DType::kU8, stored.scale, stored.zero} : ValueType{.dtype = dtype};
}

class LowKernel : public TableKernel {
 public:
  std::int64_t scratch() const noexcept final { return operand_floats_ + copies_floats_; }
  std::size_t weight_bytes() const noexcept final { return matrix_.bytes(); }

 protected:
  LowKernel(const KernelTable& table, std::string_view algorithm, DType dtype, const NodeRequest& request,
            ActivationKind activation)
      : TableKernel(table, algorithm, dtype == DType::kU8 ? table.int8.name : table.bf16.name),
        type_(operand_type(dtype, request.in_types[0])),
        epilogue_(make_epilogue(activation)) {}

  // `operands`: values of A that are made in scratch memory, 0 where the input is multiplied as it lies.
  void set_weights(const Weights& weights, std::int64_t n, std::int64_t taps, std::int64_t row_values,
                   std::int64_t operands, int threads) {
    const std::int64_t k = weights[0].shape().count() / n;
    matrix_ = LowMatrix(table_, type_, weights[0].data(), n, k,
                        weights.size() > 1 ? weights[1].values() : std::span<const float>());
    operand_floats_ = floats_for(operands * bytes_of(type_.dtype));
    if (must_copy_rows(matrix_, taps, row_values * bytes_of(type_.dtype))) {
      copies_floats_ = floats_for(threads * row_copy_bytes(table_, matrix_));
    }
  }

  bool stored_as_operand(const ValueType& stored) const { return stored.dtype == type_.dtype; }

  // The input in the type of A: where it is, or turned into it.
  const std::byte* operand(const KernelArguments& arguments) const {
    const ConstValueView& x = arguments.inputs[0];
    if (stored_as_operand(x.type())) return x.bytes();
    auto* to = reinterpret_cast<std::byte*>(arguments.scratch.data());
    arguments.threads.for_each(ceil_div(x.count(), kBlock), [&](std::int64_t block, int) {
      const std::int64_t at = block * kBlock;
      turn(x.at(at), x.type(), to + at * bytes_of(type_.dtype), std::min(kBlock, x.count() - at));
    });
    return to;
  }
  // Any stored type to that of A.
  void turn(const std::byte* from, const ValueType& stored, std::byte* to, std::int64_t count) const {
    if (stored.dtype == DType::kF32) {
      table_.encode(reinterpret_cast<const float*>(from), to, type_, count);
      return;
    }
    constexpr std::int64_t kPart = 256;
    std::array<float, kPart> values;  // NOLINT(cppcoreguidelines-pro-type-member-init): filled below
    for (std::int64_t at = 0; at < count; at += kPart) {
      const std::int64_t part = std::min(kPart, count - at);
      table_.decode(from + at * bytes_of(stored.dtype), stored, values.data(), part);
      table_.encode(values.data(), to + at * bytes_of(type_.dtype), type_, part);
    }
  }

  LowProduct product(const KernelArguments& arguments, std::int64_t taps) const {
    auto* copies = reinterpret_cast<std::byte*>(arguments.scratch.data() + operand_floats_);
    return {.table = table_,
            .b = matrix_,
            .x = type_.dtype,
            .rows = arguments.output.count() / matrix_.n(),
            .taps = taps,
            .y = arguments.output,
            .residual = arguments.inputs.size() > 1 ? &arguments.inputs[1] : nullptr,
            .epilogue = epilogue_,
            .row_copies = copies_floats_ == 0 ? nullptr : copies};
  }

  ValueType type_;  // of A
  LowMatrix matrix_;

 private:
  Epilogue epilogue_;
  std::int64_t operand_floats_ = 0, copies_floats_ = 0;
};

class LowLinear final : public LowKernel {
 public:
  LowLinear(const KernelTable& table, DType dtype, const Linear& layer, const NodeRequest& request,
            const Weights& weights)
      : LowKernel(table, "gemm", dtype, request, layer.activation) {
    const std::int64_t operands = stored_as_operand(request.in_types[0]) ? 0 : request.in[0].count();
    set_weights(weights, layer.out_features, 1, request.in[0][-1], operands, request.threads);
  }

  void run(const KernelArguments& arguments) const override {
    const std::byte* x = operand(arguments);
    const std::int64_t row_bytes = matrix_.k() * bytes_of(type_.dtype);
    multiply(
        product(arguments, 1),
        [&](std::int64_t row, std::int64_t rows, const std::byte** pointers) {
          for (std::int64_t r = 0; r < rows; ++r) pointers[r] = x + (row + r) * row_bytes;
        },
        arguments.threads);
  }
};

class LowConv final : public LowKernel {
 public:
  LowConv(const KernelTable& table, DType dtype, const Conv2d& layer, const NodeRequest& request,
          const Weights& weights)
      : LowKernel(table, layer.kernel == Size2(1) ? "gemm" : "indirect", dtype, request, layer.activation),
        patches_(layer, request.in[0], request.out),
        pixel_bytes_(request.in[0][3] * bytes_of(type_.dtype)),
        padding_(padding_pixel(type_, request.in[0][3])) {
    const std::int64_t operands = stored_as_operand(request.in_types[0]) ? 0 : request.in[0].count();
    set_weights(weights, layer.out_channels, patches_.taps(), layer.stride.width * request.in[0][3], operands,
                request.threads);
  }

  void run(const KernelArguments& arguments) const override {
    const std::byte* x = operand(arguments);
    multiply(
        product(arguments, patches_.taps()),
        [&](std::int64_t row, std::int64_t rows, const std::byte** pointers) {
          patches_.point<std::byte>(x, pixel_bytes_, padding_.data(), row, rows, pointers);
        },
        arguments.threads);
  }

 private:
  Patches patches_;
  std::int64_t pixel_bytes_;
  std::vector<std::byte> padding_;
};

// Convolutions of few channels: the picture is copied with its padding, its pixels filled up to whole groups, so that a
// row of the kernel is one tap.
class LowLines final : public LowKernel {
 public:
  LowLines(const KernelTable& table, DType dtype, const Conv2d& layer, const NodeRequest& request,
           const Weights& weights)
      : LowKernel(table, "indirect", dtype, request, layer.activation),
        in_(request.in[0]),
        out_(request.out),
        pixel_(ceil_div(in_[3], kGroup) * kGroup),
        lines_(layer, in_, out_, pixel_ * bytes_of(type_.dtype)) {
    Weights filled;
    filled.push_back(filled_up(weights[0], layer.out_channels));
    if (weights.size() > 1) filled.push_back(weights[1].clone());
    set_weights(filled, layer.out_channels, lines_.taps(), layer.stride.width * pixel_,
                lines_.count() / bytes_of(type_.dtype), request.threads);
  }

  void run(const KernelArguments& arguments) const override {
    const ConstValueView& x = arguments.inputs[0];
    auto* const copy = reinterpret_cast<std::byte*>(arguments.scratch.data());
    const auto point = [&](std::int64_t row, std::int64_t rows, const std::byte** pointers) {
      lines_.point<std::byte>(copy, row, rows, pointers);
    };
    const Shape shape{1, out_[1], out_[2], out_[3]};
    const std::byte padding = padding_pixel(type_, 1)[0];
    for (std::int64_t picture = 0; picture < x.shape()[0]; ++picture) {
      lines_.copy(copy, padding, arguments.threads, [&](std::int64_t line, std::int64_t pixels, std::byte* to) {
        put_line(x, (picture * in_[1] + line) * in_[2], pixels, to);
      });
      const auto slice = [&](auto view) {
        return decltype(view)(view.at(picture * shape.count()), view.type(), shape);
      };
      LowProduct lines = product(arguments, lines_.taps());
      lines.rows = out_[1] * out_[2];
      lines.y = slice(arguments.output);
      const ConstValueView added = slice(arguments.inputs.back());
      if (lines.residual != nullptr) lines.residual = &added;
      multiply(lines, point, arguments.threads);
    }
  }

 private:
  static constexpr std::int64_t kGroup = 4;       // values, of which every tile's groups are a part
  static constexpr std::int64_t kMostPixel = 16;  // bytes: PaddedLines takes up to eight channels

  // [N, taps, C] with zeros up to [N, taps, pixel_].
  Tensor filled_up(const Tensor& weight, std::int64_t n) const {
    const std::int64_t pixels = weight.shape().count() / in_[3];
    Tensor filled = Tensor::zeros({n, pixels / n * pixel_});
    for (std::int64_t p = 0; p < pixels; ++p) {
      std::copy_n(weight.data() + p * in_[3], in_[3], filled.data() + p * pixel_);
    }
    return filled;
  }

  // Pixels from `pixel` of the batch on, in the type of A, each filled up with zeros.
  void put_line(const ConstValueView& x, std::int64_t pixel, std::int64_t pixels, std::byte* to) const {
    constexpr std::int64_t kPart = 64;
    alignas(64) std::array<std::byte, static_cast<std::size_t>((kPart + 1) * kMostPixel)> dense{};
    const std::int64_t bytes = in_[3] * bytes_of(type_.dtype), step = pixel_ * bytes_of(type_.dtype);
    for (std::int64_t at = 0; at < pixels; at += kPart, to += kPart * step) {
      const std::int64_t count = std::min(kPart, pixels - at);
      turn(x.at((pixel + at) * in_[3]), x.type(), dense.data(), count * in_[3]);
      if (step == 4) spread<std::uint32_t>(dense.data(), bytes, count, to);
      if (step == 8) spread<std::uint64_t>(dense.data(), bytes, count, to);
      if (step == kMostPixel) spread<unsigned __int128>(dense.data(), bytes, count, to);
    }
  }
  // Pixels of `bytes` to words, of which the rest is 0. Reads a word from each.
  template <class Word>
  static void spread(const std::byte* from, std::int64_t bytes, std::int64_t pixels, std::byte* to) {
    const Word mask = ~Word{0} >> (8 * (static_cast<std::int64_t>(sizeof(Word)) - bytes));
    for (std::int64_t p = 0; p < pixels; ++p, from += bytes, to += sizeof(Word)) {
      Word word;
      std::memcpy(&word, from, sizeof(word));
      word &= mask;
      std::memcpy(to, &word, sizeof(word));
    }
  }

  Shape in_, out_;
  std::int64_t pixel_;  // values of one in the copy
  PaddedLines lines_;   // in bytes
};

}  // namespace

std::unique_ptr<Kernel> make_low_linear(const KernelTable& table, DType dtype, const Linear& layer,
                                        const NodeRequest& request, const Weights& weights) {
  return std::make_unique<LowLinear>(table, dtype, layer, request, weights);
}

std::unique_ptr<Kernel> make_low_conv(const KernelTable& table, DType dtype, const Conv2d& layer,
                                      const NodeRequest& request, const Weights& weights) {
  if (PaddedLines::suit(layer, request.in[0][3])) {
    return std::make_unique<LowLines>(table, dtype, layer, request, weights);
  }
  return std::make_unique<LowConv>(table, dtype, layer, request, weights);
}

}  // namespace tessera::cpu
