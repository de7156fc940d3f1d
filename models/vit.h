#pragma once
// Vision Transformer (Dosovitskiy et al. 2020, arXiv:2010.11929) and the DINOv2 architecture (Oquab et al. 2023,
// arXiv:2304.07193: layer scale, patches of 14; registers: Darcet et al. 2023, arXiv:2309.16588).
// Names as timm's; Hugging Face's models are the same graph with another epsilon and other state-dict names.

#include <cstdint>
#include <string>

#include "engine/graph.h"

namespace tessera {

struct VitParameters {
  std::int64_t image_size = 224;
  std::int64_t patch = 16;
  std::int64_t dim = 768;
  std::int64_t depth = 12;
  std::int64_t heads = 12;
  double mlp_ratio = 4;
  std::int64_t classes = 1000;  // of the head
  double norm_eps = 1e-6;       // timm 1e-6, Hugging Face's ViT 1e-12
  std::string pool = "token";   // "token": class token; "avg": mean of the patch tokens, normalised after
  bool layer_scale = false;
  std::int64_t registers = 0;
  bool embed_class = true;            // position embeddings cover the class token
  std::int64_t pos_grid = 14;         // rows (and columns) of patches that the stored positions were trained for
  bool interpolate_antialias = true;  // how positions are resized for another image size: timm true, HF false
  std::string head = "linear";        // "linear"; "linear_cls_mean": on class token and patch mean; "none"
  bool qkv_bias = true;
};

// Throws UsageError for parameters that make no network.
Graph build_vit(const VitParameters& parameters, std::int64_t max_batch);

}  // namespace tessera
