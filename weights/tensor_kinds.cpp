#include "weights/tensor_kinds.h"

#include <string>
#include <string_view>
#include <utility>

#include "core/error.h"

namespace tessera {

namespace {

[[noreturn]] void refuse(const std::string& name, const Tensor& tensor, const std::string& kind) {
  throw ModelFileError("'" + name + "' " + to_string(tensor.shape()) + " belongs to a network with " + kind +
                       ", which tessera does not have");
}

// A part of a tensor's name, and the feature that a network with such tensors has.
constexpr std::pair<std::string_view, const char*> kParts[] = {
    {"dist_token", "a distillation token and two heads (DeiT, distilled)"},
    {"norm_pre.", "a norm before the blocks (CLIP)"},
    {"attn_pool.", "an attention pool"},
    {".q_norm.", "norms of queries and keys"},
    {".fc1_g.", "gated MLPs"},
    {".mlp.w12.", "gated MLPs (DINOv2 giant)"},
    {".attn.q_bias", "relative positions (BEiT)"},
    {"relative_position_bias_table", "relative positions"},
    {".se.", "squeeze-and-excitation"},
    {".attn.norm.", "norms within attention"},
    {"layer1.0.convs.", "splits (Res2Net)"},
};

void refuse_parts(const WeightStore& weights) {
  for (const auto& [name, tensor] : weights.tensors()) {
    for (const auto& [part, kind] : kParts) {
      if (name.find(part) != std::string::npos) refuse(name, tensor, kind);
    }
  }
}

// Kernel sizes that ResNets do not have; only tensors of four dimensions are checked.
void refuse_convolutions(const WeightStore& weights) {
  const auto look = [&](const std::string& name, const auto& look_at) {
    if (!weights.contains(name)) return;
    const Tensor& tensor = weights.at(name);
    if (tensor.shape().rank() == 4) look_at(tensor);
  };
  look("conv1.0.weight", [](const Tensor& t) { refuse("conv1.0.weight", t, "a deep stem (ResNet-C, -D, -S, -T)"); });
  for (const char* stem : {"conv1.weight", "patch_embed.proj.weight"}) {
    look(stem, [&](const Tensor& t) {
      if (t.shape()[1] != 3) refuse(stem, t, "pictures of " + std::to_string(t.shape()[1]) + " channels");
    });
  }
  look("layer2.0.downsample.1.weight", [](const Tensor& t) {
    refuse("layer2.0.downsample.1.weight", t, "average pooling in its shortcuts (ResNet-D)");
  });
  look("layer1.0.conv2.weight", [&](const Tensor& t) {
    if (t.shape()[1] != t.shape()[0]) refuse("layer1.0.conv2.weight", t, "grouped convolutions (ResNeXt)");
  });
  look("layer1.0.conv3.weight", [&](const Tensor& t) {
    if (t.shape()[0] != 4 * t.shape()[1]) refuse("layer1.0.conv3.weight", t, "wide bottlenecks");
  });
}

}  // namespace

void refuse_unsupported_tensors(const WeightStore& weights) {
  refuse_parts(weights);
  refuse_convolutions(weights);
  if (weights.contains("patch_embed.proj.weight") && weights.contains("blocks.0.norm1.weight")) {
    const char* missing = !weights.contains("cls_token")   ? "no class token"
                          : !weights.contains("pos_embed") ? "no learned positions"
                                                           : nullptr;
    if (missing != nullptr) refuse("patch_embed.proj.weight", weights.at("patch_embed.proj.weight"), missing);
  }
}

}  // namespace tessera
