#pragma once
// State-dict names of other libraries -> timm's, which tessera uses everywhere.
//
//   timm                        as they are
//   Hugging Face ViT, Dinov2    vit.encoder.layer.0.attention.attention.query.weight (the hub's files) and
//   (with or without registers) vit.layers.0.attention.q_proj.weight (transformers 5's modules)
//   Hugging Face ResNet         resnet.encoder.stages.0.layers.0.layer.0.convolution.weight
// Queries, keys and values become one blocks.N.attn.qkv. Buffers that inference does not need are dropped.

#include <string>

#include "engine/weight_store.h"

namespace tessera {

enum class NamingScheme { kTimm, kHfVit, kHfDinov2, kHfResNet };

struct RenamedWeights {
  WeightStore weights;
  NamingScheme scheme = NamingScheme::kTimm;
};

// Uses up `weights`. Throws ModelFileError listing q, k or v tensors that lack their partners.
RenamedWeights rename_to_timm(WeightStore weights);

}  // namespace tessera
