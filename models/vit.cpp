#include "models/vit.h"

#include <cmath>

#include "core/error.h"
#include "models/modules.h"

namespace tessera {

namespace {

struct Vit {
  const VitParameters& parameters;

  float epsilon() const { return static_cast<float>(parameters.norm_eps); }
  std::int64_t prefix_tokens() const { return 1 + parameters.registers; }

  // [N, H, W, 3] -> [N, T, D]: patches, class and register tokens, positions (eq. 1).
  Value embed(const Scope& s, Value x) const {
    x = emit(s / "patch_embed" / "proj", PatchEmbed{.patch = parameters.patch, .width = parameters.dim}, x);
    output_of(s / "patch_embed", x);
    const TokenEmbed tokens{.class_token = true,
                            .registers = parameters.registers,
                            .position_covers_class = parameters.embed_class,
                            .stored_grid = parameters.pos_grid,
                            .grid = parameters.image_size / parameters.patch,
                            .antialias = parameters.interpolate_antialias};
    x = s.graph.emit((s / "pos_embed").path, s.path, tokens, {x});
    return dropout(s / "pos_drop", x);
  }

  // Multi-head self-attention: one product for q, k and v.  [N, T, D] -> [N, T, D]
  Value attention(const Scope& s, Value x) const {
    Value y = linear(s / "qkv", x, 3 * parameters.dim, parameters.qkv_bias);
    y = emit(s / "sdpa", Attention{.heads = parameters.heads}, y);
    return output_of(s, linear(s / "proj", y, parameters.dim));
  }

  Value mlp(const Scope& s, Value x) const {
    const auto hidden = std::llround(static_cast<double>(parameters.dim) * parameters.mlp_ratio);
    Value y = linear(s / "fc1", x, hidden);
    y = activation(s / "act", y, ActivationKind::kGelu);
    return output_of(s, linear(s / "fc2", y, parameters.dim));
  }

  Value scaled(const Scope& s, Value x) const { return parameters.layer_scale ? layer_scale(s, x) : x; }

  // eq. 2 and 3.  [N, T, D] -> [N, T, D]
  Value block(const Scope& s, Value x) const {
    Value y = attention(s / "attn", layer_norm(s / "norm1", x, epsilon()));
    x = add(s / "add1", x, scaled(s / "ls1", y));
    y = mlp(s / "mlp", layer_norm(s / "norm2", x, epsilon()));
    x = add(s / "add2", x, scaled(s / "ls2", y));
    return output_of(s, x);
  }

  // eq. 4, timm's average pooling, or the class token beside the patches' mean (Dinov2ForImageClassification).
  Value pool(const Scope& s, Value x) const {
    const TokenPool mean{.kind = TokenPoolKind::kMean, .skip = prefix_tokens()};
    if (parameters.pool == "avg") return layer_norm(s / "fc_norm", emit(s / "pool", mean, x), epsilon());
    x = layer_norm(s / "norm", x, epsilon());
    Value class_token = emit(s / "pool", TokenPool{.kind = TokenPoolKind::kFirst}, x);
    if (parameters.head != "linear_cls_mean") return class_token;
    return concat(s / "cls_mean", class_token, emit(s / "patch_mean", mean, x));
  }
};

void check(const VitParameters& p) {
  const auto refuse = [](const std::string& what) { throw UsageError("vit: " + what); };
  if (p.patch < 1 || p.image_size < 1 || p.image_size % p.patch != 0) {
    refuse("image_size " + std::to_string(p.image_size) + " is not a multiple of patch " + std::to_string(p.patch));
  }
  if (p.dim < 1 || p.heads < 1 || p.dim % p.heads != 0) {
    refuse("dim " + std::to_string(p.dim) + " is not a multiple of heads " + std::to_string(p.heads));
  }
  if (p.depth < 1 || p.registers < 0 || p.pos_grid < 1 || !(p.mlp_ratio > 0)) {
    refuse("depth, pos_grid and mlp_ratio must be positive and registers not negative");
  }
  if (p.pool != "token" && p.pool != "avg") refuse("pool is 'token' or 'avg', not '" + p.pool + "'");
  if (p.head != "linear" && p.head != "linear_cls_mean" && p.head != "none") {
    refuse("head is 'linear', 'linear_cls_mean' or 'none', not '" + p.head + "'");
  }
  if (p.head == "linear_cls_mean" && p.pool != "token") refuse("head 'linear_cls_mean' goes with pool 'token'");
}

}  // namespace

Graph build_vit(const VitParameters& parameters, std::int64_t max_batch) {
  check(parameters);
  const Vit net{parameters};
  Graph graph;
  const Scope s{graph, ""};
  Value x = graph.input({max_batch, parameters.image_size, parameters.image_size, 3});
  x = net.embed(s, x);
  for (int i = 0; i < parameters.depth; ++i) x = net.block(s / "blocks" / i, x);
  x = net.pool(s, x);
  if (parameters.head != "none" && parameters.classes > 0) {
    x = linear(s / "head", dropout(s / "head_drop", x), parameters.classes);
  }
  graph.set_output(x);
  return graph;
}

}  // namespace tessera
