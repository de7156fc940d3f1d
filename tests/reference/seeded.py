"""Seeded weights in NumPy, bit for bit what weights/seeded.cpp makes. docs/seeded-weights.md has the definition."""
import math

import numpy as np

GOLDEN = 0x9E3779B97F4A7C15
MASK = (1 << 64) - 1


def fnv1a(text: str) -> int:
    value = 14695981039346656037
    for byte in text.encode():
        value = ((value ^ byte) * 1099511628211) & MASK
    return value


def value_range(name: str, shape: tuple, shapes: dict) -> tuple:
    leaf = name.rsplit(".", 1)[-1]
    if leaf == "running_mean":
        return -0.2, 0.2
    if leaf == "running_var":
        return 0.8, 1.2
    if leaf == "gamma":
        return 0.5, 1.0
    if leaf == "weight" and len(shape) == 1:
        return 0.8, 1.2
    if leaf == "weight":
        bound = math.sqrt(3.0 / math.prod(shape[1:]))
        return -bound, bound
    if leaf == "bias":
        sibling = shapes.get(name[: -len("bias")] + "weight")
        return (-0.2, 0.2) if sibling is not None and len(sibling) == 1 else (-0.1, 0.1)
    return -0.2, 0.2


def seeded_tensor(name: str, shape: tuple, shapes: dict, seed: int) -> np.ndarray:
    low, high = value_range(name, shape, shapes)
    start = np.uint64((seed * GOLDEN + fnv1a(name)) & MASK)
    with np.errstate(over="ignore"):
        z = start + (np.arange(math.prod(shape), dtype=np.uint64) + np.uint64(1)) * np.uint64(GOLDEN)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        z = z ^ (z >> np.uint64(31))
    uniform = (z >> np.uint64(40)).astype(np.float64) / 2.0**24
    return (low + (high - low) * uniform).astype(np.float32).reshape(shape)


def seed_model(model, seed: int) -> None:
    """Gives every floating tensor of a torch module's state dict its seeded values."""
    import torch

    state = model.state_dict()
    shapes = {name: tuple(tensor.shape) for name, tensor in state.items()}
    for name, tensor in state.items():
        if tensor.is_floating_point():
            values = seeded_tensor(name, shapes[name], shapes, seed)
            tensor.copy_(torch.from_numpy(values).to(tensor.dtype))


def hugging_face_state(timm_state: dict, prefix: str = "vit.") -> dict:
    """A timm ViT's tensors under the names of a Hugging Face ViTForImageClassification (transformers 5 modules)."""
    out = {
        prefix + "embeddings.cls_token": timm_state["cls_token"],
        prefix + "embeddings.position_embeddings": timm_state["pos_embed"],
        "classifier.weight": timm_state["head.weight"],
        "classifier.bias": timm_state["head.bias"],
    }
    for kind in ("weight", "bias"):
        out[prefix + "embeddings.patch_embeddings.projection." + kind] = timm_state["patch_embed.proj." + kind]
        out[prefix + "layernorm." + kind] = timm_state["norm." + kind]
    block = 0
    while f"blocks.{block}.norm1.weight" in timm_state:
        source, target = f"blocks.{block}.", f"{prefix}layers.{block}."
        for kind in ("weight", "bias"):
            q, k, v = timm_state[source + "attn.qkv." + kind].chunk(3)
            out[target + "attention.q_proj." + kind] = q
            out[target + "attention.k_proj." + kind] = k
            out[target + "attention.v_proj." + kind] = v
            out[target + "attention.o_proj." + kind] = timm_state[source + "attn.proj." + kind]
            out[target + "layernorm_before." + kind] = timm_state[source + "norm1." + kind]
            out[target + "layernorm_after." + kind] = timm_state[source + "norm2." + kind]
            out[target + "mlp.fc1." + kind] = timm_state[source + "mlp.fc1." + kind]
            out[target + "mlp.fc2." + kind] = timm_state[source + "mlp.fc2." + kind]
        block += 1
    return out
