// Attention: scores by one batched product, a softmax over their rows, the weighted sum by another.
//
//   scores[h] = Q_h K_h^T / sqrt(D)     [T, T], rows S >= T apart, float32 in every type
//   weights[h] = softmax(scores[h])     in the type of the values, where that is float32 in place
//   y_h = weights[h] V_h
//
// The batch of a strided product has one distance between its matrices. The heads of one picture are D apart, the
// pictures of one head T * 3C: one call a picture or one a head, whichever are fewer. Pictures go through in groups
// whose scores fit into kMostScores.

#include <algorithm>
#include <cmath>

#include "cuda/kernels.h"
#include "cuda/layer_fields.h"
#include "cuda/prepared.h"
#include "cuda/product.h"

namespace tessera::cuda {

namespace {

constexpr std::int64_t kMostScores = 256 << 20;  // bytes
constexpr std::int64_t kAlignedValues = 8;       // 16 bytes of the smallest type

// Refuses what is no plain attention over the tokens of a picture.
std::int64_t heads_of(const TesseraRequest& request) {
  const LayerFields fields(request.layer, {"heads", "bias", "mask", "cosine", "causal"});
  for (const char* variant : {"bias", "mask", "cosine", "causal"}) {
    if (fields.flag(variant)) throw Failure(kUsage, std::string("the device has no Attention with '") + variant + "'");
  }
  if (request.inputs[0].rank != 3) throw Failure(kUsage, "the device has no Attention within windows");
  return fields.integer("heads");
}

class AttentionKernel final : public TesseraKernel {
 public:
  AttentionKernel(TesseraDevice& device, const TesseraRequest& request)
      : tokens_(request.inputs[0].size[1]),
        width_(request.output.size[2]),
        heads_(heads_of(request)),
        head_width_(width_ / heads_),
        row_(round_up(tokens_, kAlignedValues)),
        type_(type_of(request.output)),
        scale_(1.0F / std::sqrt(static_cast<float>(head_width_))) {
    implementation = "cublas_attention";
    const std::int64_t scores = heads_ * tokens_ * row_;  // of a picture
    group_ = std::clamp<std::int64_t>(kMostScores / (4 * scores), 1, request.inputs[0].size[0]);
    weights_at_ = round_up(4 * scores * group_, kScratchAlignment);
    const std::int64_t weights = type_ == TESSERA_F32 ? 0 : 2 * scores * group_;
    product_at_ = weights_at_ + round_up(weights, kScratchAlignment);
    scratch_bytes = product_at_ + kProductScratch;
    make_products(device);
  }

  void run(const TesseraRun& run) const override {
    for (std::int64_t first = 0; first < run.batch; first += group_) {
      run_group(run, first, std::min(group_, run.batch - first));
    }
  }

 private:
  void make_products(TesseraDevice& device) {
    const std::int64_t bytes = bytes_of(type_);
    ProductShape scores{.m = tokens_, .n = tokens_, .k = head_width_, .a_transposed = true};
    scores.a_step = scores.b_step = 3 * width_;
    scores.d_step = row_;
    scores.type = type_;
    scores.a_alignment = scores.b_alignment = alignment_of({head_width_ * bytes, width_ * bytes}, 64);
    ProductShape values{.m = head_width_, .n = tokens_, .k = tokens_, .a_transposed = false};
    values.a_step = 3 * width_;
    values.b_step = row_;
    values.d_step = width_;
    values.type = values.d_type = type_;
    values.a_alignment = scores.a_alignment;
    values.b_alignment = 16;
    values.d_alignment = alignment_of({head_width_ * bytes}, 64);
    scores.d_alignment = 16;

    scores.a_batch = scores.b_batch = values.a_batch = values.d_batch = head_width_;
    scores.d_batch = values.b_batch = tokens_ * row_;
    by_picture_.scores = std::make_unique<Products>(device, scores);
    by_picture_.values = std::make_unique<Products>(device, values);
    scores.a_batch = scores.b_batch = values.a_batch = tokens_ * 3 * width_;
    values.d_batch = tokens_ * width_;
    scores.d_batch = values.b_batch = heads_ * tokens_ * row_;
    by_head_.scores = std::make_unique<Products>(device, scores);
    by_head_.values = std::make_unique<Products>(device, values);
  }

  // Pictures [first, first + count) of the batch.
  void run_group(const TesseraRun& run, std::int64_t first, std::int64_t count) const {
    const std::int64_t bytes = bytes_of(type_);
    const auto* const qkv = static_cast<const std::byte*>(run.inputs[0]) + first * tokens_ * 3 * width_ * bytes;
    auto* const y = static_cast<std::byte*>(run.output) + first * tokens_ * width_ * bytes;
    std::byte* const weights = type_ == TESSERA_F32 ? run.scratch : run.scratch + weights_at_;
    const bool heads_at_once = count <= heads_;
    const std::int64_t calls = heads_at_once ? count : heads_;
    const std::int64_t batch = heads_at_once ? heads_ : count;
    const Pair& pair = heads_at_once ? by_picture_ : by_head_;
    const Product& to_scores = pair.scores->with_batch(batch);
    const Product& to_values = pair.values->with_batch(batch);
    // Distances between calls, in values.
    const std::int64_t in_step = heads_at_once ? tokens_ * 3 * width_ : head_width_;
    const std::int64_t out_step = heads_at_once ? tokens_ * width_ : head_width_;
    const std::int64_t score_step = (heads_at_once ? heads_ : 1) * tokens_ * row_;
    for (std::int64_t call = 0; call < calls; ++call) {
      const std::byte* const q = qkv + call * in_step * bytes;
      to_scores.run({.a = q + width_ * bytes,
                     .b = q,
                     .d = run.scratch + call * score_step * 4,
                     .alpha = scale_,
                     .scratch = run.scratch + product_at_},
                    run.stream());
    }
    softmax(TESSERA_F32, run.scratch, row_, type_, weights, row_, count * heads_ * tokens_, tokens_, run.stream());
    for (std::int64_t call = 0; call < calls; ++call) {
      to_values.run({.a = qkv + (call * in_step + 2 * width_) * bytes,
                     .b = weights + call * score_step * bytes,
                     .d = y + call * out_step * bytes,
                     .scratch = run.scratch + product_at_},
                    run.stream());
    }
  }

  struct Pair {
    std::unique_ptr<Products> scores, values;
  };

  std::int64_t tokens_, width_, heads_, head_width_, row_;
  TesseraDType type_;
  float scale_;
  std::int64_t group_ = 1;  // pictures
  std::int64_t weights_at_ = 0, product_at_ = 0;
  Pair by_picture_, by_head_;
};

}  // namespace

Kernel make_attention(TesseraDevice& device, const TesseraRequest& request) {
  return std::make_unique<AttentionKernel>(device, request);
}

}  // namespace tessera::cuda
