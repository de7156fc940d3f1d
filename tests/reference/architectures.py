"""Parameters and multiply-adds of every architecture of `tessera models`, counted on timm's modules: the figures of
models/registry.cpp, and tests/data/models/architectures.csv, with which tests/models/registry_test.cpp compares them.

    pip install timm && python architectures.py -o ../data/models/architectures.csv

Multiply-adds are counted as fvcore counts them, but for norms, which are left out: an output's elements times what is
multiplied for each, in convolutions, linear layers and the two products of attention. Nothing is computed: tensors are on
PyTorch's meta device. fvcore_counts.py has fvcore's own counts of some.
"""
import argparse
import csv

import timm
import timm.layers
import torch
from timm.models.vision_transformer import Attention, VisionTransformer

NAMES = [
    "resnet18", "resnet34", "resnet50", "resnet101", "resnet152",
    "vit_tiny_patch16_224", "vit_tiny_patch32_224", "vit_small_patch16_224", "vit_small_patch32_224",
    "vit_base_patch16_224", "vit_base_patch32_224", "vit_large_patch16_224", "vit_large_patch32_224",
    "vit_small_patch14_dinov2", "vit_base_patch14_dinov2", "vit_large_patch14_dinov2",
    "vit_small_patch14_reg4_dinov2", "vit_base_patch14_reg4_dinov2", "vit_large_patch14_reg4_dinov2",
    "efficientnet_lite0", "tf_efficientnet_lite0",
]


def create(name: str, **extra) -> torch.nn.Module:
    """timm's model, a classifier of 1000 where tessera's is; timm has no ViT-Ti/32, which is its ViT-Ti with such patches."""
    if "dinov2" not in name:
        extra = {"num_classes": 1000, **extra}
    if name == "vit_tiny_patch32_224":
        return VisionTransformer(patch_size=32, **{"embed_dim": 192, "depth": 12, "num_heads": 3, **extra})
    return timm.create_model(name, **extra)


def multiply_adds(model: torch.nn.Module, size: int) -> int:
    counted = 0

    def convolution(module, inputs, output):
        nonlocal counted
        kernel = module.weight
        counted += output.numel() * kernel[0].numel()

    def linear(module, inputs, output):
        nonlocal counted
        counted += output.numel() * module.in_features

    def attention(module, inputs, output):
        nonlocal counted
        batch, tokens, dim = inputs[0].shape
        counted += 2 * batch * tokens * tokens * dim  # queries by keys, weights by values, over all heads

    for module in model.modules():
        if isinstance(module, torch.nn.Conv2d):
            module.register_forward_hook(convolution)
        elif isinstance(module, torch.nn.Linear):
            module.register_forward_hook(linear)
        elif isinstance(module, Attention):
            module.register_forward_hook(attention)
    with torch.no_grad():
        model(torch.zeros(1, 3, size, size, device="meta"))
    return counted


def input_size(model: torch.nn.Module) -> int:
    return model.default_cfg.get("input_size", (3, 224, 224))[-1] if hasattr(model, "default_cfg") else 224


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-o", "--output", required=True)
    options = parser.parse_args()
    with open(options.output, "w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file, lineterminator="\n")
        rows.writerow(["architecture", "parameters", "multiply_adds"])
        for name in NAMES:
            with torch.device("meta"):
                model = create(name).eval()
            parameters = sum(parameter.numel() for parameter in model.parameters())
            rows.writerow([name, parameters, multiply_adds(model, input_size(model))])


if __name__ == "__main__":
    main()
