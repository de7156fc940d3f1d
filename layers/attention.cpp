#include "layers/attention.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "layers/eigen.h"
#include "layers/softmax.h"

namespace tessera {

namespace {

std::int64_t windows_of(const Shape& x) { return x.rank() == 4 ? x[1] : 1; }

// The variants' part of the scores [T, T], which begin as q * k^T. `lengths`: those of T queries and T keys, inverted.
void finish_scores(const Attention& layer, const ScoreTerms& terms, std::int64_t tokens, const float* lengths,
                   float* scores) {
  for (std::int64_t i = 0; i < tokens; ++i) {
    float* row = scores + i * tokens;
    for (std::int64_t j = 0; j < tokens; ++j) {
      row[j] *= layer.cosine ? lengths[i] * lengths[tokens + j] * terms.factor : terms.factor;
      if (terms.bias != nullptr) row[j] += terms.bias[i * tokens + j];
      if (terms.mask != nullptr) row[j] += terms.mask[i * tokens + j];
      if (layer.causal && j > i) row[j] = -std::numeric_limits<float>::infinity();
    }
  }
}

}  // namespace

Lesson Attention::lesson() const {
  if (cosine) {
    return {"each head h: softmax(cos(Q_h, K_h) scale_h + bias_h) V_h", "Liu et al. 2022, arXiv:2111.09883, eq. 2"};
  }
  if (bias) {
    return {"each head h: softmax(Q_h K_hᵀ / sqrt(D) + bias_h) V_h, D = C / heads",
            "Liu et al. 2021, arXiv:2103.14030, eq. 4"};
  }
  return {"each head h: softmax(Q_h K_hᵀ / sqrt(D)) V_h, D = C / heads",
          "Vaswani et al. 2017, arXiv:1706.03762, eq. 1"};
}

Shape Attention::output_shape(Shapes in) const {
  if (in.size() != 1 || (in[0].rank() != 3 && in[0].rank() != 4)) {
    shape_error(kName, "takes one input [N, T, 3C] or [N, W, T, 3C]", in);
  }
  if (heads < 1 || in[0][-1] % (3 * heads) != 0) {
    shape_error(kName, std::to_string(heads) + " heads do not divide q, k and v", in);
  }
  Shape out = in[0];
  out[-1] /= 3;
  return out;
}

std::vector<WeightSpec> Attention::weights(Shapes in) const {
  const std::int64_t tokens = in[0][-2];
  std::vector<WeightSpec> specs;
  if (bias) specs.push_back({"bias", {heads, tokens, tokens}});
  if (mask) specs.push_back({"mask", {windows_of(in[0]), tokens, tokens}});
  if (cosine) specs.push_back({"logit_scale", {heads, 1, 1}});
  return specs;
}

std::vector<Tensor> Attention::prepare(std::vector<Tensor> weights) const {
  if (!cosine) return weights;
  const double most = std::log(100.0);
  for (float& scale : weights.back().values()) scale = static_cast<float>(std::exp(std::min(double{scale}, most)));
  return weights;
}

std::int64_t Attention::macs(Shapes in, const Shape& out) const { return 2 * out.count() * in[0][-2]; }

std::int64_t Attention::scratch(Shapes in, int threads) const {
  const std::int64_t tokens = in[0][-2];
  return threads * (tokens * tokens + (cosine ? 2 * tokens : 0));
}

ScoreTerms score_terms(const Attention& layer, std::span<const Tensor> weights, std::int64_t head_width,
                       std::int64_t tokens, std::int64_t window, std::int64_t head) {
  ScoreTerms terms{.factor = 1.0F / std::sqrt(static_cast<float>(head_width))};
  auto next = weights.begin();
  if (layer.bias) terms.bias = (next++)->data() + head * tokens * tokens;
  if (layer.mask) terms.mask = (next++)->data() + window * tokens * tokens;
  if (layer.cosine) terms.factor = next->data()[head];
  return terms;
}

float inverse_length(std::span<const float> row) {
  constexpr double kLeast = 1e-12;
  double squares = 0;
  for (const float value : row) squares += double{value} * double{value};
  return static_cast<float>(1.0 / std::max(std::sqrt(squares), kLeast));
}

void Attention::forward(const ForwardArguments& arguments) const {
  const ConstView& x = arguments.inputs[0];
  const std::int64_t tokens = x.shape()[-2];
  const std::int64_t width = x.shape()[-1] / 3;
  const std::int64_t head_width = width / heads;
  const std::int64_t windows = windows_of(x.shape());
  const bool plain = !bias && !mask && !cosine && !causal;
  arguments.threads.for_each(x.shape()[0] * windows * heads, [&](std::int64_t index, int thread) {
    const std::int64_t group = index / heads;
    const std::int64_t head = index % heads;
    const float* qkv = x.data() + group * tokens * 3 * width + head * head_width;
    const Eigen::OuterStride<> token_stride(3 * width);
    const ConstMatrixMap q(qkv, tokens, head_width, token_stride);
    const ConstMatrixMap k(qkv + width, tokens, head_width, token_stride);
    const ConstMatrixMap v(qkv + 2 * width, tokens, head_width, token_stride);
    float* memory = arguments.scratch.data() + thread * (tokens * tokens + (cosine ? 2 * tokens : 0));
    MatrixMap scores(memory, tokens, tokens, Eigen::OuterStride<>(tokens));
    scores.noalias() = q * k.transpose();
    const ScoreTerms terms = score_terms(*this, arguments.weights, head_width, tokens, group % windows, head);
    float* lengths = memory + tokens * tokens;
    for (std::int64_t i = 0; cosine && i < 2 * tokens; ++i) {
      const float* row = qkv + i / tokens * width + i % tokens * 3 * width;
      lengths[i] = inverse_length({row, static_cast<std::size_t>(head_width)});
    }
    if (plain) {
      scores *= terms.factor;
    } else {
      finish_scores(*this, terms, tokens, lengths, memory);
    }
    for (std::int64_t t = 0; t < tokens; ++t) softmax_row({memory + t * tokens, static_cast<std::size_t>(tokens)});
    MatrixMap y(arguments.output.data() + group * tokens * width + head * head_width, tokens, head_width,
                Eigen::OuterStride<>(width));
    y.noalias() = scores * v;
  });
}

}  // namespace tessera
