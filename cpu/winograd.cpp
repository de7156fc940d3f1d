// 3x3 convolutions of stride 1 by Winograd's F(4x4, 3x3): 36 multiplications for 16 outputs instead of 144. The picture
// is cut into tiles of 4x4 outputs; each tile is transformed, the 36 transformed values are 36 matrix products over
// [tiles, C] x [C, O], and the products are transformed back. The transforms of tiles are in winograd-inl.h.
//
// In float32 only: the transforms cost some digits, so `--exact` leaves it out.
#include <algorithm>
#include <array>
#include <cmath>

#include "cpu/gemm.h"
#include "cpu/implementations.h"

namespace tessera::cpu {

namespace {

// G of the points 0, +-sqrt(1/2), +-sqrt(2), infinity: row i is [1, p, p^2] over the value of the point's own
// polynomial at it, which B^T leaves out.
std::array<std::array<double, 3>, 6> filter_transform() {
  const double a = std::sqrt(0.5), b = std::sqrt(2.0);
  return {{{1, 0, 0},
           {-1 / 1.5, -a / 1.5, -0.5 / 1.5},
           {-1 / 1.5, a / 1.5, -0.5 / 1.5},
           {1.0 / 6, b / 6, 2.0 / 6},
           {1.0 / 6, -b / 6, 2.0 / 6},
           {0, 0, 1}}};
}

// Up to so many channels of a filter are transformed side by side.
constexpr std::int64_t kTogether = 16;
using Channels = std::array<double, kTogether>;

// y = g[0] * a + g[1] * b + g[2] * c
void combine(const std::array<double, 3>& g, const Channels& a, const Channels& b, const Channels& c, Channels& y) {
  for (std::size_t i = 0; i < kTogether; ++i) y[i] = g[0] * a[i] + g[1] * b[i] + g[2] * c[i];
}

// One filter [3, 3, C] -> G w G^T [36, C] in float64; the 36 rows of `to` are `stride` apart.
void transform_filter(const float* filter, std::int64_t channels, float* to, std::int64_t stride) {
  static const auto g = filter_transform();
  std::array<std::array<Channels, 3>, 3> w{};
  std::array<Channels, 3> half{};
  Channels value{};
  for (std::int64_t c = 0; c < channels; c += kTogether) {
    const std::int64_t count = std::min(kTogether, channels - c);
    for (std::size_t tap = 0; tap < 9; ++tap) {
      std::copy_n(filter + static_cast<std::int64_t>(tap) * channels + c, count, w[tap / 3][tap % 3].begin());
    }
    float* at = to + c;
    for (std::size_t i = 0; i < 6; ++i) {
      for (std::size_t x = 0; x < 3; ++x) combine(g[i], w[0][x], w[1][x], w[2][x], half[x]);
      for (std::size_t j = 0; j < 6; ++j, at += stride) {
        combine(g[j], half[0], half[1], half[2], value);
        for (std::int64_t n = 0; n < count; ++n) at[n] = static_cast<float>(value[static_cast<std::size_t>(n)]);
      }
    }
  }
}

// weight [O, 3, 3, C] -> 36 matrices [C, O], a panel of each at a time, whose transformed filters stay in the caches.
std::vector<PackedMatrix> pack_filters(const KernelTable& table, const Tensor& weight) {
  const std::int64_t outputs = weight.shape()[0], channels = weight.shape()[3], width = table.panel();
  std::vector<PackedMatrix> packed;
  packed.reserve(kWinogradProducts);
  for (int i = 0; i < kWinogradProducts; ++i) packed.emplace_back(table, outputs, channels);
  Tensor panel(Shape{kWinogradProducts, width, channels});
  for (std::int64_t first = 0; first < outputs; first += width) {
    for (std::int64_t o = first; o < std::min(outputs, first + width); ++o) {
      transform_filter(weight.data() + o * 9 * channels, channels, panel.data() + (o - first) * channels,
                       width * channels);
    }
    for (std::int64_t i = 0; i < kWinogradProducts; ++i) {
      packed[static_cast<std::size_t>(i)].pack(table, first / width, panel.data() + i * width * channels, channels);
    }
  }
  return packed;
}

// Where the transformed filters stay in cache, each thread takes blocks of tiles through all three steps, so small that
// the block's values stay in its L2 cache. Larger filters are read once for as many tiles as there are, up to a number
// whose values stay in the L3 cache, and the threads share each step.
constexpr std::int64_t kSmallFilterBytes = 3 << 20;
constexpr std::int64_t kBlockBytes = 512 << 10;
constexpr std::int64_t kFewestBlockTiles = 14;
constexpr std::int64_t kMostTiles = 256;

std::int64_t equal_parts(std::int64_t count, std::int64_t most) { return ceil_div(count, ceil_div(count, most)); }

class WinogradKernel final : public TableKernel {
 public:
  WinogradKernel(const KernelTable& table, const Conv2d& layer, const NodeRequest& request, Weights weights)
      : TableKernel(table, "winograd"),
        threads_(request.threads),
        layer_(layer),
        pad_(layer.leading_padding(request.in[0])),
        in_(request.in[0]),
        out_(request.out),
        rows_(ceil_div(out_[1], kWinogradOut)),
        columns_(ceil_div(out_[2], kWinogradOut)),
        epilogue_(make_epilogue(layer.activation)),
        padding_(padding_pixel(request.in_types[0], in_[3])),
        bias_(layer.bias ? weights[1].clone() : Tensor::zeros(Shape{out_[3]})),
        filters_(pack_filters(table, weights[0])) {}

  std::int64_t scratch() const noexcept override {
    const std::int64_t tiles = in_[0] * rows_ * columns_;
    return by_blocks() ? threads_ * floats_of(std::min(block_tiles(), tiles)) : floats_of(std::min(kMostTiles, tiles));
  }
  std::size_t weight_bytes() const noexcept override {
    std::size_t bytes = bias_.values().size_bytes();
    for (const PackedMatrix& filter : filters_) bytes += filter.bytes();
    return bytes;
  }

  void run(const KernelArguments& arguments) const override {
    const std::int64_t tiles = arguments.inputs[0].shape()[0] * rows_ * columns_;
    if (by_blocks()) {
      run_blocks(arguments, tiles);
      return;
    }
    const std::int64_t step = equal_parts(tiles, kMostTiles);
    for (std::int64_t first = 0; first < tiles; first += step) {
      run_shared(arguments, first, std::min(step, tiles - first));
    }
  }

 private:
  std::int64_t floats_of(std::int64_t tiles) const {
    return kWinogradProducts * tiles * (whole_lines(in_[3]) + out_[3]);
  }
  bool by_blocks() const {
    return kWinogradProducts * in_[3] * out_[3] * static_cast<std::int64_t>(sizeof(float)) <= kSmallFilterBytes;
  }
  std::int64_t block_tiles() const {
    return std::max(kFewestBlockTiles, kBlockBytes / (floats_of(1) * static_cast<std::int64_t>(sizeof(float))));
  }

  // Transformed values of some tiles: [36, tiles, C] in lines and [36, tiles, O].
  struct Block {
    std::int64_t first, tiles;
    float *points, *products;
  };
  Block block_at(float* memory, std::int64_t first, std::int64_t tiles) const {
    return {first, tiles, memory, memory + kWinogradProducts * tiles * whole_lines(in_[3])};
  }

  void run_blocks(const KernelArguments& arguments, std::int64_t tiles) const {
    const std::int64_t most = std::max<std::int64_t>(1, std::min(block_tiles(), tiles / arguments.threads.threads()));
    const std::int64_t workers = arguments.threads.threads();
    const std::int64_t blocks = ceil_div(ceil_div(tiles, most), workers) * workers;
    const std::int64_t floats = floats_of(std::min(block_tiles(), in_[0] * rows_ * columns_));
    arguments.threads.for_each(blocks, [&](std::int64_t index, int thread) {
      const std::int64_t first = index * tiles / blocks;
      const Block block =
          block_at(arguments.scratch.data() + thread * floats, first, (index + 1) * tiles / blocks - first);
      for (std::int64_t tile = 0; tile < block.tiles; ++tile) transform_input(arguments, block, tile);
      for (std::int64_t point = 0; point < kWinogradProducts; ++point) multiply_point(block, point);
      for (std::int64_t tile = 0; tile < block.tiles; ++tile) transform_output(arguments, block, tile);
    });
  }

  void run_shared(const KernelArguments& arguments, std::int64_t first, std::int64_t tiles) const {
    const Block block = block_at(arguments.scratch.data(), first, tiles);
    arguments.threads.for_each(tiles, [&](std::int64_t tile, int) { transform_input(arguments, block, tile); });
    arguments.threads.for_each(kWinogradProducts, [&](std::int64_t point, int) { multiply_point(block, point); });
    arguments.threads.for_each(tiles, [&](std::int64_t tile, int) { transform_output(arguments, block, tile); });
  }

  // Where tile `index` of the batch begins.
  struct Place {
    std::int64_t picture, y, x;
  };
  Place place_of(std::int64_t index) const {
    const std::int64_t in_picture = index % (rows_ * columns_);
    return {index / (rows_ * columns_), in_picture / columns_ * kWinogradOut, in_picture % columns_ * kWinogradOut};
  }

  void transform_input(const KernelArguments& arguments, const Block& block, std::int64_t tile) const {
    const Place place = place_of(block.first + tile);
    const ConstValueView& x = arguments.inputs[0];
    std::array<const std::byte*, kWinogradProducts> pixels{};
    std::size_t at = 0;
    for (std::int64_t y = place.y - pad_.height; y < place.y - pad_.height + kWinogradIn; ++y) {
      for (std::int64_t left = place.x - pad_.width; left < place.x - pad_.width + kWinogradIn; ++left) {
        const bool inside = y >= 0 && y < in_[1] && left >= 0 && left < in_[2];
        pixels[at++] = inside ? x.at(((place.picture * in_[1] + y) * in_[2] + left) * in_[3]) : padding_.data();
      }
    }
    const RowTile rows = RowTiles(block.tiles, table_.rows).with(tile);
    const std::int64_t row_floats = whole_lines(in_[3]);
    table_.winograd_input(pixels.data(), x.type(), in_[3],
                          block.points + rows.first * row_floats + (tile - rows.first) * kLine, rows.rows * kLine,
                          block.tiles * row_floats);
  }

  void multiply_point(const Block& block, std::int64_t point) const {
    const auto at = static_cast<std::size_t>(point);
    multiply_lines({.table = table_,
                    .b = filters_[at],
                    .rows = block.tiles,
                    .c = block.products + point * block.tiles * out_[3],
                    .stride = out_[3],
                    .epilogue = make_epilogue(ActivationKind::kNone),
                    .next = at + 1 < filters_.size() ? filters_[at + 1].panel(0) : nullptr},
                   block.points + point * block.tiles * whole_lines(in_[3]));
  }

  void transform_output(const KernelArguments& arguments, const Block& block, std::int64_t tile) const {
    const Place place = place_of(block.first + tile);
    const ValueView& y = arguments.output;
    const std::int64_t picture = place.picture * out_[1] * out_[2] * out_[3];
    WinogradOutput output{.products = block.products + tile * out_[3],
                          .step = block.tiles * out_[3],
                          .channels = out_[3],
                          .bias = bias_.data(),
                          .residual = layer_.residual ? arguments.inputs[1].bytes() : nullptr,
                          .residual_type = layer_.residual ? arguments.inputs[1].type() : ValueType(),
                          .y = y.bytes(),
                          .y_type = y.type(),
                          .low = epilogue_.low,
                          .high = epilogue_.high};
    for (std::int64_t row = 0; row < kWinogradOut; ++row) {
      for (std::int64_t column = 0; column < kWinogradOut; ++column) {
        const std::int64_t oy = place.y + row, ox = place.x + column;
        const bool inside = oy < out_[1] && ox < out_[2];
        const std::int64_t offset = inside ? picture + (oy * out_[2] + ox) * out_[3] : -1;
        output.offsets[static_cast<std::size_t>(row * kWinogradOut + column)] = offset;
      }
    }
    table_.winograd_output(output);
    if (epilogue_.after == ActivationKind::kNone) return;
    for (const std::int64_t offset : output.offsets) {
      if (offset >= 0) table_.activate(epilogue_.after, y.f32().data() + offset, 1, out_[3], out_[3]);
    }
  }

  int threads_;
  Conv2d layer_;
  Size2 pad_;
  Shape in_, out_;               // at the largest batch
  std::int64_t rows_, columns_;  // tiles of a picture
  Epilogue epilogue_;
  std::vector<std::byte> padding_;  // a pixel of it
  Tensor bias_;
  std::vector<PackedMatrix> filters_;  // by point
};

}  // namespace

bool can_winograd(const Conv2d& layer) {
  return layer.groups == 1 && layer.kernel == Size2(3) && layer.stride == Size2(1) && layer.dilation == Size2(1);
}

std::unique_ptr<Kernel> make_winograd(const KernelTable& table, const Conv2d& layer, const NodeRequest& request,
                                      Weights weights) {
  return std::make_unique<WinogradKernel>(table, layer, request, std::move(weights));
}

}  // namespace tessera::cpu
