"""Models of timm as tessera counts them: how one is made, and its multiply-adds.

Multiply-adds are counted as fvcore counts them, but for norms, which are left out: an output's elements times what is
multiplied for each, in convolutions, linear layers and the two products of attention. Nothing is computed: tensors are on
PyTorch's meta device. fvcore_counts.py has fvcore's own counts of some.
"""
import timm
import timm.layers
import torch
from timm.models.vision_transformer import Attention, VisionTransformer

# Architectures that timm does not have: its class, and the arguments.
EXTRA = {"vit_tiny_patch32_224": ("VisionTransformer", {"patch_size": 32, "embed_dim": 192, "depth": 12, "num_heads": 3})}

# timm has only weights of them whose output is features; here they are classifiers.
CLASSIFIERS = ("vit_large_patch32_224",)


def create(name: str, **extra) -> torch.nn.Module:
    if name in CLASSIFIERS:
        extra = {"num_classes": 1000, **extra}
    if name in EXTRA:
        kind, arguments = EXTRA[name]
        return globals()[kind](**{**arguments, **extra})
    return timm.create_model(name, **extra)


def multiply_adds(model: torch.nn.Module, size: tuple) -> int:
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
        model(torch.zeros(1, 3, *size, device="meta"))
    return counted


def input_size(model: torch.nn.Module) -> tuple:
    """Height and width of the pictures that its own configuration has."""
    return tuple(model.default_cfg.get("input_size", (3, 224, 224))[1:]) if hasattr(model, "default_cfg") else (224, 224)
