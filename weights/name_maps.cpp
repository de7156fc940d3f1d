#include "weights/name_maps.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <map>
#include <utility>
#include <vector>

#include "core/error.h"

namespace tessera {

namespace {

using Rule = std::pair<std::string_view, std::string_view>;

constexpr std::array<std::string_view, 4> kHfPrefixes{"vit.", "dinov2.", "dinov2_with_registers.", "resnet."};

// Rules for names outside the blocks. An empty name drops the tensor.
constexpr std::array<Rule, 8> kOuterRules{{
    {"embeddings.cls_token", "cls_token"},
    {"embeddings.position_embeddings", "pos_embed"},
    {"embeddings.register_tokens", "reg_token"},
    {"embeddings.patch_embeddings.projection.", "patch_embed.proj."},
    {"embeddings.mask_token", ""},
    {"layernorm.", "norm."},
    {"classifier.", "head."},
    {"pooler.", ""},
}};

// Within "encoder.layer.N." or "layers.N.".
constexpr std::array<Rule, 20> kBlockRules{{
    {"attention.attention.query.", "attn.q."},
    {"attention.attention.key.", "attn.k."},
    {"attention.attention.value.", "attn.v."},
    {"attention.output.dense.", "attn.proj."},
    {"attention.q_proj.", "attn.q."},
    {"attention.k_proj.", "attn.k."},
    {"attention.v_proj.", "attn.v."},
    {"attention.o_proj.", "attn.proj."},
    {"intermediate.dense.", "mlp.fc1."},
    {"output.dense.", "mlp.fc2."},
    {"layernorm_before.", "norm1."},
    {"layernorm_after.", "norm2."},
    {"layer_scale1.lambda1", "ls1.gamma"},
    {"layer_scale2.lambda1", "ls2.gamma"},
    {"norm1.", "norm1."},
    {"norm2.", "norm2."},
    {"mlp.fc1.", "mlp.fc1."},
    {"mlp.fc2.", "mlp.fc2."},
    {"mlp.up_proj.", "mlp.fc1."},
    {"mlp.down_proj.", "mlp.fc2."},
}};

// A Hugging Face ResNet outside its stages, and the shortcut of a block.
constexpr std::array<Rule, 3> kResNetOuterRules{{
    {"embedder.embedder.convolution.", "conv1."},
    {"embedder.embedder.normalization.", "bn1."},
    {"classifier.1.", "fc."},
}};
constexpr std::array<Rule, 2> kResNetShortcutRules{{
    {"shortcut.convolution.", "downsample.0."},
    {"shortcut.normalization.", "downsample.1."},
}};

// torchvision's ViT, outside its blocks and within "encoder.layers.encoder_layer_N.".
constexpr std::array<Rule, 5> kTorchvisionOuterRules{{
    {"class_token", "cls_token"},
    {"conv_proj.", "patch_embed.proj."},
    {"encoder.pos_embedding", "pos_embed"},
    {"encoder.ln.", "norm."},
    {"heads.head.", "head."},
}};
constexpr std::array<Rule, 9> kTorchvisionBlockRules{{
    {"ln_1.", "norm1."},
    {"ln_2.", "norm2."},
    {"self_attention.in_proj_weight", "attn.qkv.weight"},
    {"self_attention.in_proj_bias", "attn.qkv.bias"},
    {"self_attention.out_proj.", "attn.proj."},
    {"mlp.0.", "mlp.fc1."},
    {"mlp.3.", "mlp.fc2."},
    {"mlp.linear_1.", "mlp.fc1."},
    {"mlp.linear_2.", "mlp.fc2."},
}};

// Replaces the rule's prefix; false when no rule fits.
template <std::size_t Count>
bool apply(const std::array<Rule, Count>& rules, std::string_view name, std::string& renamed) {
  for (const auto& [from, to] : rules) {
    if (!name.starts_with(from)) continue;
    renamed = to.empty() ? "" : std::string(to) + std::string(name.substr(from.size()));
    return true;
  }
  return false;
}

std::string_view without_prefix(std::string_view name) {
  for (const std::string_view prefix : kHfPrefixes) {
    if (name.starts_with(prefix)) return name.substr(prefix.size());
  }
  return name;
}

// Takes the number and `after` off the beginning of `name`; returns the number, or -1 where there is none.
int take_number(std::string_view& name, std::string_view after) {
  int number = -1;
  const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), number);
  if (error != std::errc()) return -1;
  name.remove_prefix(static_cast<std::size_t>(end - name.data()));
  if (!name.starts_with(after)) return -1;
  name.remove_prefix(after.size());
  return number;
}

// "stages.1.layers.0.layer.2.convolution.weight" -> "layer2.0.conv3.weight". Hugging Face calls the blocks of a stage
// `layers` and the parts of a block `layer`.
std::string from_hugging_face_resnet(std::string_view name) {
  const std::string whole(name);
  name = without_prefix(name);
  std::string block;
  if (constexpr std::string_view kStages = "encoder.stages."; name.starts_with(kStages)) {
    name.remove_prefix(kStages.size());
    const int stage = take_number(name, ".layers.");
    const int index = take_number(name, ".");
    if (stage < 0 || index < 0) return whole;
    block = "layer" + std::to_string(stage + 1) + "." + std::to_string(index) + ".";
  }
  std::string renamed;
  if (!block.empty() && name.starts_with("layer.")) {
    name.remove_prefix(std::string_view("layer.").size());
    const int place = take_number(name, ".");
    if (place < 0) return whole;
    const std::string number = std::to_string(place + 1) + ".";
    const std::array<Rule, 2> rules{{{"convolution.", "conv"}, {"normalization.", "bn"}}};
    for (const auto& [from, to] : rules) {
      if (name.starts_with(from)) return block + std::string(to) + number + std::string(name.substr(from.size()));
    }
    return whole;
  }
  const bool known =
      block.empty() ? apply(kResNetOuterRules, name, renamed) : apply(kResNetShortcutRules, name, renamed);
  return known ? block + renamed : whole;
}

// timm's name for a Hugging Face name; "" for a tensor that is dropped; the name itself when it is unknown (the check
// against the graph then lists it as unexpected).
std::string from_hugging_face(std::string_view name) {
  const std::string_view whole = name;
  name = without_prefix(name);
  std::string renamed;
  for (const std::string_view blocks : {std::string_view("encoder.layer."), std::string_view("layers.")}) {
    if (!name.starts_with(blocks)) continue;
    const std::string_view rest = name.substr(blocks.size());
    const std::size_t dot = rest.find('.');
    if (dot == std::string_view::npos || !apply(kBlockRules, rest.substr(dot + 1), renamed)) return std::string(whole);
    return "blocks." + std::string(rest.substr(0, dot)) + "." + renamed;
  }
  return apply(kOuterRules, name, renamed) ? renamed : std::string(whole);
}

std::string from_torchvision_vit(std::string_view name) {
  const std::string whole(name);
  std::string renamed;
  constexpr std::string_view kBlocks = "encoder.layers.encoder_layer_";
  if (!name.starts_with(kBlocks)) return apply(kTorchvisionOuterRules, name, renamed) ? renamed : whole;
  name.remove_prefix(kBlocks.size());
  const int block = take_number(name, ".");
  if (block < 0 || !apply(kTorchvisionBlockRules, name, renamed)) return whole;
  return "blocks." + std::to_string(block) + "." + renamed;
}

// Names in timm's files, or in files of a method that uses timm's names.
std::string from_timm(const std::string& name) {
  if (name == "mask_token" || name.starts_with("decoder_")) return "";
  for (const auto& [from, to] : {std::pair<std::string_view, std::string_view>{".gamma_1", ".ls1.gamma"},
                                 std::pair<std::string_view, std::string_view>{".gamma_2", ".ls2.gamma"}}) {
    if (name.ends_with(from)) return name.substr(0, name.size() - from.size()) + std::string(to);
  }
  return name == "register_tokens" ? "reg_token" : name;
}

// q, k and v of one block, one below the other.
Tensor stack(const std::array<Tensor, 3>& parts, const std::string& name) {
  if (parts[0].empty() || parts[1].empty() || parts[2].empty() || parts[0].shape() != parts[1].shape() ||
      parts[0].shape() != parts[2].shape() || parts[0].shape().rank() < 1) {
    throw ModelFileError(name + ": query, key and value must all be there, in the same shape");
  }
  Shape shape = parts[0].shape();
  shape[0] *= 3;
  Tensor stacked(shape);
  float* to = stacked.data();
  for (const Tensor& part : parts) to = std::ranges::copy(part.values(), to).out;
  return stacked;
}

// A Dinov2 with registers: Hugging Face adds position 0 to the class token; in timm's weights the class token contains
// it.
void move_class_position(WeightStore& weights) {
  Tensor class_token = weights.take("cls_token");
  const Tensor positions = weights.take("pos_embed");
  const std::int64_t width = class_token.shape()[-1];
  if (positions.shape().rank() != 3 || positions.shape()[2] != width || positions.shape()[1] < 2) {
    throw ModelFileError("pos_embed: expected [1, 1 + patches, " + std::to_string(width) + "], found " +
                         to_string(positions.shape()));
  }
  for (std::int64_t d = 0; d < width; ++d) class_token.data()[d] += positions.data()[d];
  const auto rest = positions.values().subspan(static_cast<std::size_t>(width));
  weights.put("cls_token", std::move(class_token));
  weights.put("pos_embed", Tensor::from(rest, {1, positions.shape()[1] - 1, width}));
}

NamingScheme scheme_of(const WeightStore& weights) {
  bool scaled = false, hugging_face = false, resnet = false;
  if (weights.contains("conv_proj.weight")) return NamingScheme::kTorchvisionVit;
  if (weights.contains("register_tokens")) return NamingScheme::kDinov2Registers;
  for (const auto& [name, tensor] : weights.tensors()) {
    resnet |= name.ends_with("embedder.embedder.convolution.weight");
    scaled |= name.find("layer_scale1") != std::string::npos;
    hugging_face |= name.find("embeddings.patch_embeddings.projection") != std::string::npos;
  }
  if (resnet) return NamingScheme::kHfResNet;
  if (!hugging_face) return NamingScheme::kTimm;
  return scaled ? NamingScheme::kHfDinov2 : NamingScheme::kHfVit;
}

std::vector<std::string> names_of(const WeightStore& weights) {
  std::vector<std::string> names;
  for (const auto& [name, tensor] : weights.tensors()) names.push_back(name);
  return names;
}

// "" for a tensor that is dropped.
std::string renamed_tensor(const std::string& name, NamingScheme scheme) {
  if (name.ends_with("num_batches_tracked")) return "";
  switch (scheme) {
    case NamingScheme::kTimm:
    case NamingScheme::kDinov2Registers:
      return from_timm(name);
    case NamingScheme::kTorchvisionVit:
      return from_torchvision_vit(name);
    case NamingScheme::kHfResNet:
      return from_hugging_face_resnet(name);
    case NamingScheme::kHfVit:
    case NamingScheme::kHfDinov2:
      return from_hugging_face(name);
  }
  throw InternalError("unknown naming scheme");
}

}  // namespace

RenamedWeights rename_to_timm(WeightStore weights, const std::function<void(const std::string&)>& note) {
  const bool decoder = weights.contains("decoder_embed.weight");
  if (decoder && note) note("without the decoder of the masked autoencoder: the model's output is features");
  RenamedWeights renamed{.weights = {}, .scheme = scheme_of(weights)};
  std::map<std::string, std::array<Tensor, 3>> stacks;  // by the name of the stacked tensor
  for (const std::string& name : names_of(weights)) {
    Tensor tensor = weights.take(name);
    const std::string to = renamed_tensor(name, renamed.scheme);
    if (to.empty()) continue;
    if (renamed.weights.contains(to)) throw ModelFileError(name + ": a second tensor for " + to);
    const std::size_t attention = to.find(".attn.");
    const std::size_t part = attention == std::string::npos ? 3 : std::string_view("qkv").find(to[attention + 6]);
    if (renamed.scheme != NamingScheme::kTimm && part < 3 && to[attention + 7] == '.') {
      Tensor& place = stacks[to.substr(0, attention) + ".attn.qkv" + to.substr(attention + 7)][part];
      if (!place.empty()) throw ModelFileError(name + ": a second tensor for " + to);
      place = std::move(tensor);
    } else {
      renamed.weights.put(to, std::move(tensor));
    }
  }
  for (const auto& [name, parts] : stacks) renamed.weights.put(name, stack(parts, name));
  if (renamed.scheme != NamingScheme::kTimm && renamed.weights.contains("reg_token")) {
    move_class_position(renamed.weights);
  }
  return renamed;
}

}  // namespace tessera
