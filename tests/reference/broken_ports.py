#!/usr/bin/env python3
"""Three ports with a mistake each, for docs/porting.md: weights as `tessera convert` reads them.

    python broken_ports.py OUT/
    tessera convert OUT/epsilon -o epsilon.h5      PyTorch's default epsilon in the layer norms, 1e-5 for 1e-6
    tessera convert OUT/swapped -o swapped.h5      query and key change places in block 3
    tessera convert OUT/padding --arch efficientnet_lite0 -o padding.h5    TensorFlow's weights with PyTorch's padding

The first two are of vit_tiny_patch16_224, the third is of tf_efficientnet_lite0, with the weights of
seeded:NAME@1. Needs requirements.txt.
"""
import json
import os
import sys

import timm
import torch
from safetensors.torch import save_file

from seeded import seed_model


def seeded_state(name: str) -> dict:
    model = timm.create_model(name)
    seed_model(model, 1)
    return {key: value.contiguous() for key, value in model.state_dict().items() if value.is_floating_point()}


def save(folder: str, state: dict, config: dict) -> None:
    os.makedirs(folder, exist_ok=True)
    save_file(state, os.path.join(folder, "model.safetensors"))
    with open(os.path.join(folder, "config.json"), "w", encoding="utf-8") as file:
        json.dump(config, file)


def main() -> None:
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    out = sys.argv[1]
    state = seeded_state("vit_tiny_patch16_224")
    half = {"input_size": [3, 224, 224], "crop_pct": 0.9, "interpolation": "bicubic", "mean": [0.5] * 3, "std": [0.5] * 3}
    config = {"architecture": "vit_tiny_patch16_224", "pretrained_cfg": half}
    save(os.path.join(out, "epsilon"), state, {**config, "layer_norm_eps": 1e-5})
    for kind in ("weight", "bias"):
        query, key, value = state[f"blocks.3.attn.qkv.{kind}"].chunk(3)
        state[f"blocks.3.attn.qkv.{kind}"] = torch.cat([key, query, value])
    save(os.path.join(out, "swapped"), state, config)
    save(os.path.join(out, "padding"), seeded_state("tf_efficientnet_lite0"), {"architecture": "efficientnet_lite0", "pretrained_cfg": {**half, "crop_pct": 0.875}})


if __name__ == "__main__":
    main()
