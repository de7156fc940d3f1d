#!/usr/bin/env python3
"""Makes tests/data/layers/cases.h5: layers with attributes, inputs, weights, and PyTorch's float64 output.

    python layers.py -o ../data/layers/cases.h5

Pictures are [N, H, W, C] in the file and [N, C, H, W] for PyTorch; weights are PyTorch's own. The file has three flat
float32 datasets, inputs, weights and outputs, in which all cases' tensors follow each other, and "index", a JSON text with
names, attributes and shapes in the same order. Outputs are computed in float64 and rounded once.
"""
import argparse
import itertools
import json
import os
from types import SimpleNamespace

import h5py
import numpy as np
import torch
import torch.nn.functional as F

RNG = np.random.default_rng(20240229)
CASES = []


def values(*shape, scale=1.0, offset=0.0):
    return (RNG.standard_normal(shape) * scale + offset).astype(np.float32)


def t(array):
    return torch.from_numpy(np.asarray(array)).double()


def nchw(array):
    return t(array).permute(0, 3, 1, 2)


def nhwc(tensor):
    return tensor.permute(0, 2, 3, 1)


def case(name, layer, attributes, inputs, weights, output):
    CASES.append({"name": name, "layer": layer, "attributes": attributes, "inputs": inputs,
                  "weights": [(n, w) for n, w in weights], "output": np.ascontiguousarray(output.numpy())})


ACTIVATIONS = {
    "none": lambda x: x, "relu": F.relu, "relu6": F.relu6, "silu": F.silu, "hard_swish": F.hardswish,
    "gelu": F.gelu, "sigmoid": torch.sigmoid,
}


def pair(value):
    return list(value) if isinstance(value, (tuple, list)) else [value, value]


def conv(name, shape, out, kernel, stride=1, padding=0, dilation=1, groups=1, bias=True, same=False, residual=False,
         activation="none", norm=None):
    kernel, stride, padding, dilation = map(pair, (kernel, stride, padding, dilation))
    x = values(*shape)
    fan_in = shape[3] // groups * kernel[0] * kernel[1]
    weights = [("weight", values(out, shape[3] // groups, *kernel, scale=fan_in**-0.5))]
    if bias:
        weights.append(("bias", values(out)))
    padded, pads = nchw(x), tuple(padding)
    if same:
        need = []
        for length, k, s, d in reversed(list(zip(shape[1:3], kernel, stride, dilation))):
            total = max(0, ((length + s - 1) // s - 1) * s + d * (k - 1) + 1 - length)
            need += [total // 2, total - total // 2]
        padded, pads = F.pad(padded, need), (0, 0)
    y = F.conv2d(padded, t(weights[0][1]), t(weights[1][1]) if bias else None, tuple(stride), pads, tuple(dilation), groups)
    if norm:
        tensors = [values(out, scale=0.2, offset=1), values(out), values(out), np.abs(values(out)) + 0.5]
        y = F.batch_norm(y, t(tensors[2]), t(tensors[3]), t(tensors[0]), t(tensors[1]), False, 0, norm)
        weights += list(zip(("norm.weight", "norm.bias", "norm.running_mean", "norm.running_var"), tensors))
    inputs = [x]
    if residual:
        r = values(*nhwc(y).shape)
        inputs.append(r)
        y = y + nchw(r)
    y = ACTIVATIONS[activation](y)
    attributes = {"out_channels": out, "kernel": kernel, "stride": stride, "padding": padding, "dilation": dilation,
                  "groups": groups, "bias": bias or norm is not None, "padding_same": same, "residual": residual,
                  "activation": activation, "folded_batch_norm": norm}
    case(name, "Conv2d", attributes, inputs, weights, nhwc(y).contiguous())


def convolutions():
    conv("1x1", (2, 5, 7, 8), 12, 1)
    conv("1x1 stride 2", (2, 7, 9, 8), 6, 1, stride=2)
    conv("1x1 without bias", (1, 4, 4, 16), 16, 1, bias=False)
    conv("1x1 padded", (1, 3, 4, 5), 3, 1, padding=1)
    for kernel, stride, padding in itertools.product((3, 5, 7), (1, 2, 3), (0, 1, 3)):
        if padding < kernel:
            conv(f"{kernel}x{kernel} stride {stride} padding {padding}", (1, 13, 9, 3), 5, kernel, stride, padding)
    conv("1x3 and stride 2x1", (2, 8, 11, 4), 6, (1, 3), stride=(2, 1), padding=(0, 1))
    conv("3x1 and padding 2x1", (2, 8, 11, 4), 6, (3, 1), padding=(2, 1))
    conv("one pixel", (1, 1, 1, 4), 3, 3, padding=1)
    conv("dilation 2", (1, 12, 10, 4), 4, 3, padding=2, dilation=2)
    conv("dilation 3x2 stride 2", (1, 15, 14, 3), 4, 3, stride=2, padding=2, dilation=(3, 2))
    for size, kernel, stride in itertools.product((6, 7, 8), (3, 5), (1, 2)):
        conv(f"same {size} kernel {kernel} stride {stride}", (1, size, size + 3, 3), 4, kernel, stride, same=True)
        conv(f"same depthwise {size} kernel {kernel} stride {stride}", (1, size, size + 3, 6), 6, kernel, stride,
             groups=6, same=True)
    conv("groups 2", (2, 6, 5, 8), 12, 3, padding=1, groups=2)
    conv("groups 4 1x1", (1, 6, 5, 8), 8, 1, groups=4)
    conv("depthwise 3x3", (2, 9, 8, 20), 20, 3, padding=1, groups=20)
    conv("depthwise 5x5 stride 2", (1, 11, 13, 17), 17, 5, stride=2, padding=2, groups=17)
    conv("depthwise dilation 2", (1, 9, 9, 8), 8, 3, padding=2, dilation=2, groups=8, bias=False)
    conv("depthwise multiplier 2", (1, 6, 6, 5), 10, 3, padding=1, groups=5)
    conv("many rows", (1, 40, 33, 3), 7, 3, padding=1)
    conv("many rows 1x1", (1, 32, 33, 6), 5, 1)
    conv("many products", (1, 5, 6, 64), 8, 3, padding=1)
    conv("5x7 picture and kernel", (2, 5, 7, 3), 4, (5, 7), padding=(2, 3))
    conv("many columns", (1, 2, 3, 10), 530, 1)
    conv("stem", (1, 30, 31, 3), 16, 7, stride=2, padding=3, bias=False, norm=1e-5)
    for activation in ACTIVATIONS:
        conv(f"residual and {activation}", (1, 6, 7, 5), 9, 3, padding=1, residual=True, activation=activation)
        conv(f"depthwise {activation}", (1, 6, 7, 9), 9, 3, padding=1, groups=9, residual=True, activation=activation)
    conv("norm folded", (1, 6, 7, 5), 9, 3, padding=1, bias=False, norm=1e-3)
    conv("norm folded over a bias", (1, 6, 7, 5), 9, 3, padding=1, norm=1e-5, activation="relu")
    conv("depthwise norm folded", (1, 6, 7, 9), 9, 3, padding=1, groups=9, bias=False, norm=1e-3, activation="relu6")


def linear(name, shape, out, bias=True, residual=False, activation="none", scale=False):
    x = values(*shape)
    weights = [("weight", values(out, shape[-1], scale=shape[-1] ** -0.5))]
    if bias:
        weights.append(("bias", values(out)))
    y = F.linear(t(x), t(weights[0][1]), t(weights[1][1]) if bias else None)
    if scale:
        weights.append(("gamma", values(out)))
        y = y * t(weights[-1][1])
    inputs = [x]
    if residual:
        inputs.append(values(*y.shape))
        y = y + t(inputs[1])
    attributes = {"out_features": out, "bias": bias, "residual": residual, "activation": activation,
                  "folded_layer_scale": scale}
    case(name, "Linear", attributes, inputs, weights, ACTIVATIONS[activation](y))


def linears():
    linear("one row", (3, 13), 1000)
    linear("many products", (1, 3, 768), 10)
    linear("tokens", (2, 50, 32), 40)
    linear("without bias", (1, 7, 5), 3, bias=False)
    linear("many rows", (1, 1100, 5), 6)
    linear("wide", (1, 5, 12), 300)
    for activation in ACTIVATIONS:
        linear(f"residual and {activation}", (2, 9, 16), 24, residual=True, activation=activation)
    linear("layer scale folded", (2, 9, 16), 24, scale=True)
    linear("layer scale folded under a residual", (2, 9, 16), 24, scale=True, residual=True)


def norms():
    for shape, eps in (((2, 5, 7, 6), 1e-5), ((1, 1, 1, 33), 1e-3), ((2, 70, 3, 4), 1e-5), ((1, 3, 3, 8), 1e-12)):
        x, c = values(*shape), shape[-1]
        w = [("weight", values(c)), ("bias", values(c)), ("running_mean", values(c)), ("running_var", np.abs(values(c)) + 0.1)]
        y = F.batch_norm(nchw(x), t(w[2][1]), t(w[3][1]), t(w[0][1]), t(w[1][1]), False, 0, eps)
        case(f"batch norm {list(shape)}", "BatchNorm", {"epsilon": eps}, [x], w, nhwc(y).contiguous())
    for name, x, eps in (("tokens", values(2, 17, 48), 1e-6), ("epsilon of Hugging Face", values(1, 5, 33), 1e-12),
                         ("rows", values(3, 7), 1e-5), ("large mean", values(1, 4, 64, offset=50), 1e-6),
                         ("very large mean", values(1, 3, 768, offset=-4000), 1e-6), ("of one", values(2, 3, 1), 1e-6),
                         ("small values", values(1, 4, 64, scale=1e-3), 1e-6)):
        c = x.shape[-1]
        w = [("weight", values(c)), ("bias", values(c))]
        case("layer norm " + name, "LayerNorm", {"epsilon": eps}, [x], w, F.layer_norm(t(x), (c,), t(w[0][1]), t(w[1][1]), eps))


def attentions():
    for n, tokens, heads, width in ((1, 1, 1, 16), (2, 5, 3, 8), (1, 5, 12, 64), (1, 50, 1, 64), (1, 197, 1, 16),
                                    (1, 37, 3, 16), (1, 33, 12, 4)):
        x = values(n, tokens, 3 * heads * width)
        q, k, v = t(x).reshape(n, tokens, 3, heads, width).permute(2, 0, 3, 1, 4)
        y = F.scaled_dot_product_attention(q, k, v).transpose(1, 2).reshape(n, tokens, heads * width)
        case(f"attention {tokens} tokens {heads} heads of {width}", "Attention", {"heads": heads}, [x], [], y)


def attention_variants():
    """Bias, mask, windows, cosine and causal order, by PyTorch's own attention where it has them, else by the formula."""
    def attention(name, windows, tokens, heads, width, bias=False, mask=False, cosine=False, causal=False):
        n, c = 2, heads * width
        x = values(n, windows, tokens, 3 * c) if windows else values(n, tokens, 3 * c)
        groups = windows or 1
        q, k, v = t(x).reshape(n, groups, tokens, 3, heads, width).permute(3, 0, 1, 4, 2, 5)  # [N, W, heads, T, D]
        added, weights = torch.zeros(1, groups, heads, tokens, tokens, dtype=torch.double), []
        if bias:
            weights.append(("bias", values(heads, tokens, tokens)))
            added = added + t(weights[-1][1])
        if mask:
            apart = np.where(RNG.random((groups, tokens, tokens)) < 0.4, -100, 0).astype(np.float32)
            weights.append(("mask", apart * (1 - np.eye(tokens, dtype=np.float32))))
            added = added + t(weights[-1][1])[None, :, None]
        if causal:
            added = added + torch.full((tokens, tokens), -torch.inf, dtype=torch.double).triu(1)
        if cosine:  # Swin V2's: timm's WindowAttention of swin_transformer_v2
            weights.append(("logit_scale", values(heads, 1, 1, offset=4)))  # some beyond log(100)
            scale = t(weights[-1][1]).clamp(max=float(np.log(100))).exp()
            scores = F.normalize(q, dim=-1) @ F.normalize(k, dim=-1).transpose(-2, -1) * scale + added
            y = scores.softmax(-1) @ v
        else:
            y = F.scaled_dot_product_attention(q, k, v, attn_mask=added)
        y = y.transpose(2, 3).reshape(*x.shape[:-1], c).contiguous()
        attributes = {"heads": heads, "bias": bias, "mask": mask, "cosine": cosine, "causal": causal}
        case("attention: " + name, "Attention", attributes, [x], weights, y)

    attention("windows", 3, 5, 2, 8)
    attention("bias", 0, 7, 3, 5, bias=True)
    attention("bias of windows", 4, 9, 2, 6, bias=True)
    attention("bias and mask of shifted windows", 4, 9, 2, 6, bias=True, mask=True)
    attention("mask without windows", 0, 11, 1, 4, mask=True)
    attention("cosine", 0, 17, 3, 8, cosine=True)
    attention("cosine with bias and mask", 2, 16, 4, 8, bias=True, mask=True, cosine=True)
    attention("causal", 0, 37, 2, 16, causal=True)
    attention("all at once", 3, 21, 2, 7, bias=True, mask=True, cosine=True, causal=True)


def tokens():
    from timm.layers import resample_abs_pos_embed
    from transformers.models.dinov2.modeling_dinov2 import Dinov2Embeddings

    def resized(patches, stored, grid, antialias):
        """[1, stored, D] -> [1, grid, D] in float64, held against the library, which resizes in float32."""
        exact = F.interpolate(patches.reshape(1, *stored, -1).permute(0, 3, 1, 2), size=grid, mode="bicubic",
                              align_corners=False, antialias=antialias)
        exact = exact.permute(0, 2, 3, 1).reshape(1, -1, patches.shape[-1])
        library = exact
        if antialias:
            library = resample_abs_pos_embed(patches, list(grid), list(stored), num_prefix_tokens=0, antialias=True)
        elif stored[0] == stored[1]:  # transformers takes square grids only; it passes the size, not a scale
            module = SimpleNamespace(position_embeddings=torch.cat((patches[:, :1], patches), 1),
                                     patch_embeddings=SimpleNamespace(patch_size=(14, 14)))
            picture = torch.empty(1, 1 + grid[0] * grid[1], patches.shape[-1])
            library = Dinov2Embeddings.interpolate_pos_encoding(module, picture, grid[0] * 14, grid[1] * 14)[:, 1:]
        torch.testing.assert_close(library.double(), exact, rtol=0, atol=5e-6)
        return exact

    for patch, size, dim in ((2, (6, 8), 5), (4, (8, 8), 7), (14, (28, 14), 6), (16, (32, 48), 5)):
        x = values(2, *size, 3)
        w = [("weight", values(dim, 3, patch, patch, scale=0.1)), ("bias", values(dim))]
        y = F.conv2d(nchw(x), t(w[0][1]), t(w[1][1]), patch).flatten(2).transpose(1, 2).contiguous()
        case(f"patch embed {patch}", "PatchEmbed", {"patch": patch, "width": dim}, [x], w, y)
    for registers, prefix, stored, grid, antialias in itertools.product(
            (0, 4), ("covered", "class", "none"), ((5, 5), (4, 6)), ((5, 5), (3, 3), (8, 7)), (True, False)):
        if prefix == "none" and (stored == (5, 5) or registers == 4 and grid != (3, 3)):
            continue
        dim, covers = 5, prefix == "covered"
        x = values(2, grid[0] * grid[1], dim)
        w = [] if prefix == "none" else [("cls_token", values(1, 1, dim))]
        if registers:
            w.append(("reg_token", values(1, registers, dim)))
        w.append(("pos_embed", values(1, stored[0] * stored[1] + covers, dim)))
        tensors = {name: t(value) for name, value in w}
        positions = tensors["pos_embed"][:, int(covers):]
        if stored != grid:
            positions = resized(positions, stored, grid, antialias)
        parts = [t(x) + positions]
        if registers:
            parts.insert(0, tensors["reg_token"].expand(2, -1, -1))
        if prefix != "none":
            position = tensors["pos_embed"][:, :1] if covers else 0
            parts.insert(0, (tensors["cls_token"] + position).expand(2, -1, -1))
        attributes = {"class_token": prefix != "none", "registers": registers, "position_covers_class": covers,
                      "stored_grid": list(stored), "grid": list(grid), "antialias": antialias}
        case(f"token embed {attributes}", "TokenEmbed", attributes, [x], w, torch.cat(parts, 1))
    x = values(3, 9, 7)
    case("class token", "TokenPool", {"kind": "first", "skip": 0}, [x], [], t(x)[:, 0])
    case("mean of patches", "TokenPool", {"kind": "mean", "skip": 1}, [x], [], t(x)[:, 1:].mean(1))
    case("mean behind registers", "TokenPool", {"kind": "mean", "skip": 5}, [x], [], t(x)[:, 5:].mean(1))


def pools():
    for shape, kernel, stride, padding, ceil in (((2, 7, 9, 5), 3, 2, 1, False), ((1, 8, 8, 3), 2, 2, 0, False),
                                                 ((1, 7, 6, 4), 3, 2, 0, True), ((1, 7, 6, 4), 3, 2, 1, True),
                                                 ((1, 5, 5, 2), 5, 1, 2, False), ((1, 9, 4, 33), (3, 2), (1, 2), (1, 0), False)):
        x = values(*shape)
        attributes = {"kernel": pair(kernel), "stride": pair(stride), "padding": pair(padding), "ceil_mode": ceil}
        y = F.max_pool2d(nchw(x), kernel, stride, padding, ceil_mode=ceil)
        case(f"max pool {attributes}", "Pool2d", {**attributes, "kind": "max"}, [x], [], nhwc(y).contiguous())
        for counted in (True, False):
            y = F.avg_pool2d(nchw(x), kernel, stride, padding, ceil_mode=ceil, count_include_pad=counted)
            case(f"average pool {attributes} {counted}", "Pool2d",
                 {**attributes, "kind": "average", "count_include_pad": counted}, [x], [], nhwc(y).contiguous())
    x = values(2, 7, 5, 11)
    case("global average", "GlobalAveragePool", {"keep_dimensions": False}, [x], [], t(x).mean((1, 2)))
    case("global average kept", "GlobalAveragePool", {"keep_dimensions": True}, [x], [], t(x).mean((1, 2), keepdim=True))


def elementwise():
    extremes = np.array([0.0, -0.0, 1e-20, -1e-20, 3.0, -3.0, 6.0, 20.0, -20.0, 100.0, -100.0, 1e4, -1e4], np.float32)
    x = np.concatenate([extremes, values(301, scale=3)]).reshape(1, -1)
    for name, function in ACTIVATIONS.items():
        case("activation " + name, "Activation", {"kind": name}, [x], [], function(t(x)))
    for x in (values(2, 3, 17), values(1, 1000, scale=5), values(1, 4, 8, offset=1000), values(1, 4, 9, scale=1e4), values(1, 2, 1)):
        case(f"softmax {list(x.shape)}", "Softmax", {}, [x], [], torch.softmax(t(x), -1))
    a, b = values(2, 7, 9, 3), values(2, 7, 9, 3)
    case("add", "Add", {}, [a, b], [], t(a) + t(b))
    a, b = values(3, 11, 8), values(3, 11, 8)
    case("add tokens", "Add", {}, [a, b], [], t(a) + t(b))
    x, gate = values(2, 7, 9, 3), values(2, 1, 1, 3)
    case("multiply", "Multiply", {}, [x, gate], [], t(x) * t(gate))
    parts = [values(2, 3, 4, 5), values(2, 3, 4, 2), values(2, 3, 4, 7)]
    case("concat", "Concat", {}, parts, [], torch.cat([t(p) for p in parts], -1))
    parts = [values(3, 4), values(3, 6)]
    case("concat features", "Concat", {}, parts, [], torch.cat([t(p) for p in parts], -1))
    x = values(2, 3, 4, 5)
    case("flatten pictures", "Flatten", {}, [x], [], nchw(x).flatten(1))
    x = values(2, 3, 4)
    case("flatten tokens", "Flatten", {}, [x], [], t(x).flatten(1))
    x, gamma = values(2, 5, 7), values(7)
    case("layer scale", "LayerScale", {}, [x], [("gamma", gamma)], t(x) * t(gamma))
    case("dropout", "Dropout", {}, [x], [], t(x))


def squeeze_excite():
    from timm.layers import SqueezeExcite

    for inner, function in (("relu", torch.nn.ReLU), ("silu", torch.nn.SiLU)):
        module = SqueezeExcite(12, rd_channels=4, act_layer=function).double().eval()
        state = {name: values(*tensor.shape, scale=0.5) for name, tensor in module.state_dict().items()}
        module.load_state_dict({name: t(value) for name, value in state.items()})
        x = values(2, 5, 6, 12)
        with torch.no_grad():
            y = nhwc(module(nchw(x))).contiguous()
        case("squeeze excite " + inner, "SqueezeExcite", {"reduced": 4, "inner": inner}, [x], list(state.items()), y)


def inverted_residual(name, shape, wide, out, kernel, stride=1, same=False, expand=True, residual=False):
    """The three convolutions as cases of their own make them, joined into one."""
    first = len(CASES)
    if expand:
        conv("expand", shape, wide, 1, activation="relu6")
    wide = wide if expand else shape[3]
    between = (*shape[:3], wide)
    conv("depthwise", between, wide, kernel, stride, 0 if same else kernel // 2, groups=wide, same=same, activation="relu6")
    conv("project", (*CASES[-1]["output"].shape[:3], wide), out, 1, residual=residual)
    parts = CASES[first:]
    del CASES[first:]
    x = parts[0]["inputs"][0]
    y = nchw(x)
    for part in parts:
        a = part["attributes"]
        pads = tuple(a["padding"])
        if a["padding_same"]:
            need = []
            for length, k, s in reversed(list(zip(y.shape[2:], a["kernel"], a["stride"]))):
                total = max(0, ((length + s - 1) // s - 1) * s + k - length)
                need += [total // 2, total - total // 2]
            y = F.pad(y, need)
        y = F.conv2d(y, *[t(w) for _, w in part["weights"]], stride=tuple(a["stride"]), padding=pads, groups=a["groups"])
        if a["residual"]:
            y = y + nchw(part["inputs"][1])
        y = ACTIVATIONS[a["activation"]](y)
    attributes = {"expand": parts[0]["attributes"] if expand else None, "depthwise": parts[-2]["attributes"],
                  "project": parts[-1]["attributes"]}
    weights = [(f"{place}.{n}", w) for place, part in zip(("expand", "depthwise", "project")[-len(parts):], parts)
               for n, w in part["weights"]]
    case(name, "InvertedResidual", attributes, [x, *parts[-1]["inputs"][1:]], weights, nhwc(y).contiguous())


def inverted_residuals():
    inverted_residual("inverted residual", (2, 9, 8, 6), 20, 7, 3)
    inverted_residual("inverted residual, stride 2, same", (1, 10, 15, 5), 17, 8, 5, stride=2, same=True)
    inverted_residual("inverted residual that adds", (2, 7, 9, 8), 24, 8, 5, residual=True)
    inverted_residual("inverted residual without expansion", (1, 11, 12, 18), 18, 4, 3, expand=False)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-o", "--output", required=True)
    output = parser.parse_args().output
    for make in (convolutions, linears, norms, attentions, tokens, pools, elementwise, squeeze_excite,
                 inverted_residuals, attention_variants):
        make()
    index = [{"name": entry["name"], "layer": entry["layer"], "attributes": entry["attributes"],
              "inputs": [list(x.shape) for x in entry["inputs"]],
              "weights": [{"name": n, "shape": list(w.shape)} for n, w in entry["weights"]],
              "output": list(entry["output"].shape)} for entry in CASES]
    flat = {"inputs": [x for entry in CASES for x in entry["inputs"]],
            "weights": [w for entry in CASES for _, w in entry["weights"]],
            "outputs": [entry["output"] for entry in CASES]}
    with h5py.File(output + ".tmp", "w", libver=("earliest", "v108")) as file:
        for name, arrays in flat.items():
            file[name] = np.concatenate([np.ravel(array).astype("<f4") for array in arrays])
        text = np.frombuffer(json.dumps(index, separators=(",", ":")).encode(), np.uint8)
        file.create_dataset("index", data=text, compression="gzip")
    os.replace(output + ".tmp", output)
    print(f"{output}: {len(CASES)} cases, {os.path.getsize(output)} bytes")


main()
