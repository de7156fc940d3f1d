#!/usr/bin/env python3
"""Makes tests/data/weights: tiny models as timm and transformers write them, and the logits that they give.

    python name_maps.py -o ../data/weights

Each folder has model.safetensors and config.json as on the Hugging Face hub; expected.h5 beside them is a reference file.
`modules` holds the names of transformers 5's modules instead of the hub's.
"""
import argparse
import json
import os
import shutil

import timm
import torch
from safetensors.torch import save_file
from transformers import (Dinov2Config, Dinov2ForImageClassification, Dinov2WithRegistersConfig,
                          Dinov2WithRegistersForImageClassification, ViTConfig, ViTForImageClassification)

from activations import write
from make_reference import pictures

SMALL = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "num_labels": 5}


def randomised(model):
    generator = torch.Generator().manual_seed(11)
    for tensor in list(model.parameters()) + list(model.buffers()):
        if tensor.is_floating_point():
            noise = torch.randn(tensor.shape, generator=generator) * 0.2
            tensor.data.copy_(noise.abs() + 0.5 if tensor.ndim == 1 and tensor.min() > 0 else noise)
    return model.eval()


def reference(folder, name, model, size):
    x = torch.from_numpy(pictures(size, 2)).permute(0, 3, 1, 2)
    with torch.no_grad():
        output = model.double()(x.double())
    write(os.path.join(folder, "expected.h5"), name, x, getattr(output, "logits", output), {}, 1)


def write_processor(folder, size):
    with open(os.path.join(folder, "preprocessor_config.json"), "w", encoding="utf-8") as file:
        json.dump({"image_processor_type": "ViTImageProcessor", "size": {"height": size, "width": size}, "resample": 2,
                   "image_mean": [0.5] * 3, "image_std": [0.5] * 3}, file)
        file.write("\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-o", "--output", required=True)
    root = parser.parse_args().output
    hugging_face = {
        "hf_vit": (ViTForImageClassification, ViTConfig(**SMALL, intermediate_size=48, image_size=32, patch_size=8)),
        "hf_dinov2": (Dinov2ForImageClassification, Dinov2Config(**SMALL, image_size=28, patch_size=14)),
        "hf_dinov2_registers": (Dinov2WithRegistersForImageClassification,
                                Dinov2WithRegistersConfig(**SMALL, image_size=28, patch_size=14)),
    }
    for name, (kind, config) in hugging_face.items():
        model = randomised(kind(config))
        for spelling in ("hub", "modules"):
            folder = os.path.join(root, f"{name}_{spelling}")
            shutil.rmtree(folder, ignore_errors=True)
            model.float().save_pretrained(folder)
            if spelling == "modules":
                save_file({key: value.contiguous() for key, value in model.state_dict().items()},
                          os.path.join(folder, "model.safetensors"))
            write_processor(folder, config.image_size)
            reference(folder, name, model, config.image_size)
    extra = {"img_size": 32, "patch_size": 16, "embed_dim": 16, "depth": 2, "num_heads": 2, "num_classes": 5}
    folder = os.path.join(root, "timm_vit")
    os.makedirs(folder, exist_ok=True)
    architecture = "vit_tiny_patch16_224"
    model = randomised(timm.create_model(architecture, **extra))
    save_file({key: value.half().contiguous() for key, value in model.state_dict().items()},
              os.path.join(folder, "model.safetensors"))
    model.load_state_dict({key: value.half().float() for key, value in model.state_dict().items()})
    with open(os.path.join(folder, "config.json"), "w", encoding="utf-8") as file:
        json.dump({"architecture": architecture, "num_classes": 5,
                   "model_args": {"img_size": 32, "patch_size": 16, "embed_dim": 16, "depth": 2, "num_heads": 2},
                   "pretrained_cfg": {"input_size": [3, 32, 32], "crop_pct": 0.9, "interpolation": "bicubic",
                                      "mean": [0.5, 0.5, 0.5], "std": [0.5, 0.5, 0.5]}}, file)
    reference(folder, "timm_vit", model, 32)


if __name__ == "__main__":
    main()
