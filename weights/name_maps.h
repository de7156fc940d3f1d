#pragma once
// State-dict names of other libraries -> timm's, which tessera uses everywhere.
//
//   timm                        as they are
//   Hugging Face ViT, Dinov2    vit.encoder.layer.0.attention.attention.query.weight (the hub's files) and
//   (with or without registers) vit.layers.0.attention.q_proj.weight (transformers 5's modules)
//   Hugging Face ResNet         resnet.encoder.stages.0.layers.0.layer.0.convolution.weight
//   torchvision's ViT           encoder.layers.encoder_layer_0.self_attention.in_proj_weight
//   DINOv2 with registers as its authors wrote it (register_tokens), and torchvision's ResNets: timm's otherwise
// Queries, keys and values become one blocks.N.attn.qkv. Buffers that inference does not need, and the decoder of a
// masked autoencoder, are dropped.

#include <functional>
#include <string>

#include "engine/weight_store.h"

namespace tessera {

enum class NamingScheme { kTimm, kHfVit, kHfDinov2, kHfResNet, kTorchvisionVit, kDinov2Registers };

struct RenamedWeights {
  WeightStore weights;
  NamingScheme scheme = NamingScheme::kTimm;
};

// Consumes `weights`; calls `note` with the parts that were left out. Throws ModelFileError listing q, k or v tensors
// that lack their partners.
RenamedWeights rename_to_timm(WeightStore weights, const std::function<void(const std::string&)>& note = {});

}  // namespace tessera
