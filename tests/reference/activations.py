"""What the modules of a PyTorch model give, under tessera's names and in its layouts, and the file that holds it.

docs/model-format.md has the format ("Reference file and dump").
"""
import json
import os
import re

import h5py
import numpy as np
import torch


def module_outputs(model, x: torch.Tensor, shown=lambda name, module: True) -> tuple:
    """The model's output, and those of its modules by their names, in the order in which they end."""
    kept = {}

    def hook(name):
        def keep(module, inputs, output):
            if isinstance(output, torch.Tensor):
                kept[name] = output.detach().clone()  # the next layer may work in place

        return keep

    handles = [module.register_forward_hook(hook(name)) for name, module in model.named_modules() if shown(name, module)]
    with torch.no_grad():
        output = model(x)
    for handle in handles:
        handle.remove()
    return output, kept


def timm_activations(model, x: torch.Tensor) -> tuple:
    nothing = (torch.nn.Identity, torch.nn.Dropout)

    def shown(name, module):
        # timm's BatchNormAct2d gives what follows its activation, `bn1.act`; tessera's `bn1` is the norm alone.
        act = getattr(module, "act", None)
        fused = hasattr(module, "running_mean") and not isinstance(act, (torch.nn.Identity, type(None)))
        return name and name != "blocks" and not isinstance(module, nothing) and not fused

    return module_outputs(model, x, shown)


# transformers' name of a module -> timm's. The first pattern that fits the whole name is taken.
HF_NAMES = [
    (r"(?:vit|dinov2\w*)\.embeddings\.patch_embeddings\.projection", "patch_embed.proj"),
    (r"(?:vit|dinov2\w*)\.layernorm", "norm"),
    (r"(?:vit\.layers|dinov2\w*\.encoder\.layer)\.(\d+)(.*)", r"blocks.\1\2"),
    (r"resnet\.embedder\.embedder\.convolution", "conv1"),
    (r"resnet\.embedder\.embedder\.normalization", "bn1"),
    (r"resnet\.embedder\.embedder\.activation", "act1"),
    (r"resnet\.embedder\.pooler", "maxpool"),
    (r"resnet\.encoder\.stages\.(\d+)(.*)", lambda m: f"layer{int(m[1]) + 1}{m[2]}"),
    (r"classifier\.1", "fc"),
    (r"classifier", "head"),
]
# Within a block of a transformer; what is not here has no counterpart.
HF_BLOCK = {
    "": "",
    ".layernorm_before": ".norm1", ".norm1": ".norm1",
    ".attention.q_proj": ".attn.q", ".attention.k_proj": ".attn.k", ".attention.v_proj": ".attn.v",
    ".attention.o_proj": ".attn.proj",
    ".layer_scale1": ".ls1", ".layer_scale2": ".ls2",
    ".layernorm_after": ".norm2", ".norm2": ".norm2",
    ".mlp.fc1": ".mlp.fc1", ".mlp.activation_fn": ".mlp.act", ".mlp.fc2": ".mlp.fc2",
}


def hugging_face_block(name: str) -> str:
    """blocks.3.attention.q_proj -> blocks.3.attn.q; layer1.layers.0.layer.2.convolution -> layer1.0.conv3"""
    if block := re.fullmatch(r"(blocks\.\d+)(.*)", name):
        return block[1] + HF_BLOCK[block[2]] if block[2] in HF_BLOCK else ""
    if stage := re.fullmatch(r"(layer\d+)(?:\.layers\.(\d+))?(.*)", name):
        place = stage[1] + ("" if stage[2] is None else f".{stage[2]}")
        if stage[3] in ("", ".activation"):
            return place + ("" if stage[3] == "" else ".act3")
        kinds = {"convolution": "conv", "normalization": "bn", "activation": "act"}
        if layer := re.fullmatch(r"\.layer\.(\d+)\.(\w+)", stage[3]):
            return f"{place}.{kinds[layer[2]]}{int(layer[1]) + 1}"
        shortcut = {".shortcut.convolution": ".downsample.0", ".shortcut.normalization": ".downsample.1"}
        return place + shortcut[stage[3]] if stage[3] in shortcut else ""
    return name


def hugging_face_names(found: dict) -> dict:
    """The outputs of a transformers model under timm's names; q, k and v as one."""
    kept = {}
    for name, value in found.items():
        for pattern, to in HF_NAMES:
            if match := re.fullmatch(pattern, name):
                timm_name = hugging_face_block(match.expand(to) if isinstance(to, str) else to(match))
                break
        else:
            continue
        if not timm_name:
            continue
        kept[timm_name] = value
        if timm_name.endswith(".attn.v"):
            parts = [kept.pop(timm_name[:-1] + part) for part in "qkv"]
            kept[timm_name[:-1] + "qkv"] = torch.cat(parts, dim=-1)
    return kept


def tessera_layout(value: torch.Tensor) -> np.ndarray:
    return (value.permute(0, 2, 3, 1) if value.ndim == 4 else value).contiguous().numpy()


# Modules whose output has another shape, or which do nothing at inference.
SKIP = ("global_pool", "drop_path")
LAYOUTS = {4: "NHWC", 3: "NTC", 2: "NC"}


def usable(kept: dict) -> dict:
    return {name: value for name, value in kept.items()
            if not any(part in name for part in SKIP) and value.ndim in LAYOUTS}


def write(path: str, model: str, x: torch.Tensor, output: torch.Tensor, kept: dict, samples: int | None) -> None:
    """`samples` values of each activation in float64, or, with None, all of them in float32."""
    rng = np.random.default_rng(1)
    temporary = path + ".tmp"
    with h5py.File(temporary, "w") as file:
        entries = []
        for name, value in kept.items():
            values = tessera_layout(value)
            entry = {"path": name, "shape": list(values.shape), "layout": LAYOUTS[values.ndim], "key": name}
            sampled = samples is not None and values.size > samples
            entry["sampled"] = sampled
            if sampled:
                indices = np.sort(rng.choice(values.size, samples, replace=False)).astype("<i8")
                file[f"values/{name}"] = values.reshape(-1)[indices].astype("<f8")
                file[f"indices/{name}"] = indices
            else:
                entry["type"] = "f64" if samples is not None else "f32"
                file[f"values/{name}"] = values.astype("<f8" if samples is not None else "<f4")
                file[f"values/{name}"].attrs.update({"path": name, "layout": LAYOUTS[values.ndim]})
            entries.append(entry)
        pixels = x.permute(0, 2, 3, 1).numpy().astype("<f4")
        file.create_dataset("input", data=pixels, compression="gzip", shuffle=True)
        file["output"] = output.numpy().astype("<f8")
        index = {"model": model, "input": list(pixels.shape), "output": list(output.shape), "activations": entries}
        file["index"] = np.frombuffer(json.dumps(index).encode(), dtype=np.uint8)
    os.replace(temporary, path)
    print(f"{path}: {len(entries)} activations, output {list(output.shape)}, {os.path.getsize(path)} bytes")
