// Multi-head self-attention. A task is one head of one picture (or a share of its queries): keys and values are packed
// once, then a tile of queries at a time goes through scores, softmax and the product with the values, so that only one
// tile's scores exist at a time and stay in the L1 cache. What a bias, a mask, cosines or a causal order do to the
// scores is done to the tile between the two.
#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <utility>

#include "cpu/gemm.h"
#include "cpu/implementations.h"

namespace tessera::cpu {

namespace {

constexpr std::int64_t kTasksPerThread = 4;

class AttentionKernel final : public TableKernel {
 public:
  AttentionKernel(const KernelTable& table, const Attention& layer, const NodeRequest& request, Weights weights)
      : TableKernel(table, "attention"),
        layer_(layer),
        weights_(std::move(weights)),
        heads_(layer.heads),
        windows_(request.in[0].rank() == 4 ? request.in[0][1] : 1),
        tokens_(request.in[0][-2]),
        width_(request.in[0][-1] / 3),
        head_width_(width_ / heads_),
        padded_tokens_(ceil_div(tokens_, table.lanes) * table.lanes),
        keys_(PackedMatrix::packed_floats(table, padded_tokens_, head_width_)),
        values_(PackedMatrix::packed_floats(table, head_width_, tokens_)),
        queries_(table.rows * whole_lines(head_width_)),
        scores_(table.rows * whole_lines(tokens_)),
        lengths_(layer.cosine ? whole_lines(tokens_) : 0),
        scratch_(request.threads * thread_floats()),
        scale_(1.0F / std::sqrt(static_cast<float>(head_width_))) {}

  std::int64_t scratch() const noexcept override { return scratch_; }
  std::size_t weight_bytes() const noexcept override {
    std::size_t bytes = 0;
    for (const Tensor& tensor : weights_) bytes += tensor.values().size_bytes();
    return bytes;
  }

  void run(const KernelArguments& arguments) const override {
    const ConstView x = arguments.inputs[0].f32();
    const View y = arguments.output.f32();
    const std::int64_t heads = x.shape()[0] * windows_ * heads_;
    // Few heads are shared by several tasks, each with some of the queries.
    const std::int64_t wanted = arguments.threads.threads() == 1 ? 1 : kTasksPerThread * arguments.threads.threads();
    const std::int64_t shares = std::clamp<std::int64_t>(wanted / heads, 1, tokens_);
    arguments.threads.for_each(heads * shares, [&](std::int64_t task, int thread) {
      const std::int64_t head = task / shares, share = task % shares;
      float* memory = arguments.scratch.data() + thread * thread_floats();
      const std::int64_t offset = head % heads_ * head_width_, group = head / heads_;
      const Head part{.qkv = x.data() + group * tokens_ * 3 * width_ + offset,
                      .y = y.data() + group * tokens_ * width_ + offset,
                      .terms = score_terms(layer_, weights_, head_width_, tokens_, group % windows_, head % heads_)};
      run_head(part, share * tokens_ / shares, (share + 1) * tokens_ / shares, memory);
    });
  }

 private:
  // One head of one window of one picture.
  struct Head {
    const float* qkv;  // its query of token 0
    float* y;
    ScoreTerms terms;
  };

  std::int64_t thread_floats() const { return keys_ + values_ + queries_ + scores_ + lengths_; }

  // Queries [query, query_end).
  void run_head(const Head& head, std::int64_t query, std::int64_t query_end, float* memory) const {
    const float* qkv = head.qkv;
    float* y = head.y;
    float* keys = memory;
    float* values = keys + keys_;
    float* queries = values + values_;
    float* scores = queries + queries_;
    float* lengths = scores + scores_;
    pack_keys(qkv + width_, keys);
    pack_values(qkv + 2 * width_, values);
    for (std::int64_t token = 0; layer_.cosine && token < tokens_; ++token) {
      lengths[token] = length_of(qkv + width_ + token * 3 * width_);
    }
    const RowTiles tiles(query_end - query, table_.rows);
    for (std::int64_t t = 0; t < tiles.count(); ++t) {
      const std::int64_t first = query + tiles[t].first, rows = tiles[t].rows;
      const std::int64_t line = rows * kLine;
      std::array<float, kMostRows> factors{};
      for (std::int64_t r = 0; r < rows; ++r) {
        copy_to_lines(qkv + (first + r) * 3 * width_, head_width_, 0, rows, queries + r * kLine);
      }
      // The scores are left in lines: they are the rows of the second product.
      run_tile(queries, rows, head_width_, keys, padded_tokens_, {.c = scores, .stride = kLine, .line = line});
      if (!plain_) finish_scores(head, first, rows, lengths, scores);
      table_.softmax_numerators({.x = scores,
                                 .rows = rows,
                                 .stride = kLine,
                                 .count = tokens_,
                                 .line = line,
                                 .scale = plain_ ? scale_ : 1.0F,
                                 .factors = factors.data()});
      // The numerators' products are divided by their sums: fewer values than the weights.
      run_tile(scores, rows, tokens_, values, head_width_, {.c = y + first * width_, .stride = width_});
      for (std::int64_t r = 0; r < rows; ++r) {
        table_.multiply_row(y + (first + r) * width_, factors[static_cast<std::size_t>(r)], head_width_);
      }
    }
  }

  float length_of(const float* row) const { return inverse_length({row, static_cast<std::size_t>(head_width_)}); }

  // The variants' part of the scores of queries [first, first + rows), which lie in lines.
  void finish_scores(const Head& head, std::int64_t first, std::int64_t rows, const float* lengths,
                     float* scores) const {
    constexpr float kNever = -1e30F;  // finite: no difference of two of them is a NaN
    for (std::int64_t r = 0; r < rows; ++r) {
      const std::int64_t token = first + r, at = token * tokens_;
      const float length = layer_.cosine ? length_of(head.qkv + token * 3 * width_) : 1.0F;
      for (std::int64_t j = 0; j < tokens_; ++j) {
        float& score = scores[j / kLine * rows * kLine + r * kLine + j % kLine];
        score *= layer_.cosine ? length * lengths[j] * head.terms.factor : head.terms.factor;
        if (head.terms.bias != nullptr) score += head.terms.bias[at + j];
        if (head.terms.mask != nullptr) score += head.terms.mask[at + j];
        if (layer_.causal && j > token) score = kNever;
      }
    }
  }

  // `tile` says where C is.
  void run_tile(const float* lines, std::int64_t rows, std::int64_t k, const float* b, std::int64_t columns,
                TileArguments tile) const {
    static constexpr std::array<float, kMostPanel> kNoBias{};
    constexpr float kInfinity = std::numeric_limits<float>::infinity();
    tile.lines = lines;
    tile.k = k;
    tile.bias = kNoBias.data();
    tile.low = -kInfinity;
    tile.high = kInfinity;
    float* c = tile.c;
    for (std::int64_t column = 0; column < columns; column += table_.panel()) {
      tile.columns = std::min<std::int64_t>(table_.panel(), columns - column);
      tile.b = b + column * k;
      tile.c = c + column / kLine * tile.line + column % kLine;
      const auto vectors = static_cast<std::size_t>(panel_vectors(table_, tile.columns));
      table_.line_tile[vectors - 1][static_cast<std::size_t>(rows) - 1](tile);
    }
  }

  // Tokens become columns; those beyond the last are zeros, so that all vectors are full.
  void pack_keys(const float* keys, float* to) const {
    for (std::int64_t token = 0; token < tokens_; token += table_.panel()) {
      const std::int64_t columns = std::min<std::int64_t>(table_.panel(), tokens_ - token);
      const std::int64_t panel = panel_vectors(table_, columns) * table_.lanes;
      table_.pack_panel(keys + token * 3 * width_, columns, head_width_, 3 * width_, panel, to + token * head_width_);
    }
  }
  void pack_values(const float* values, float* to) const {
    for (std::int64_t column = 0; column < head_width_; column += table_.panel()) {
      const std::int64_t columns = std::min<std::int64_t>(table_.panel(), head_width_ - column);
      const std::int64_t panel = panel_vectors(table_, columns) * table_.lanes;
      for (std::int64_t token = 0; token < tokens_; ++token, to += panel) {
        std::copy_n(values + token * 3 * width_ + column, columns, to);
        std::fill(to + columns, to + panel, 0.0F);
      }
    }
  }

  Attention layer_;
  Weights weights_;  // as its prepare() leaves them
  std::int64_t heads_, windows_, tokens_, width_, head_width_, padded_tokens_;
  std::int64_t keys_, values_, queries_, scores_, lengths_;  // floats of a thread's scratch
  std::int64_t scratch_;
  float scale_;
  bool plain_ = !layer_.bias && !layer_.mask && !layer_.cosine && !layer_.causal;
};

}  // namespace

std::unique_ptr<Kernel> make_attention(const KernelTable& table, const Attention& layer, const NodeRequest& request,
                                       Weights weights) {
  return std::make_unique<AttentionKernel>(table, layer, request, std::move(weights));
}

}  // namespace tessera::cpu
