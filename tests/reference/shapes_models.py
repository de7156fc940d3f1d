#!/usr/bin/env python3
"""Writes the reference file of a model that weights/train/train_shapes.py trained: PyTorch in float64, layer by layer.

    python shapes_models.py resnet shapes-resnet/ -o ../data/models/shapes_resnet.h5
    python shapes_models.py vit shapes-vit/ -o ../data/models/shapes_vit.h5
"""
import argparse
import pathlib
import sys

import torch
from make_reference import pictures, timm_activations, usable, write
from safetensors.torch import load_file

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "weights" / "train"))
from train_shapes import MODELS, SIDE  # noqa: E402


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", choices=sorted(MODELS))
    parser.add_argument("trained", type=pathlib.Path, help="the folder that train_shapes.py wrote")
    parser.add_argument("-o", "--output", required=True)
    options = parser.parse_args()
    state = load_file(options.trained / "model.safetensors")
    classes = state["fc.weight" if options.model == "resnet" else "head.weight"].shape[0]
    model = MODELS[options.model][0](classes)
    missing = set(model.state_dict()) - set(state)
    assert all(name.endswith("num_batches_tracked") for name in missing), missing
    model.load_state_dict(state, strict=False)
    model = model.double().eval()
    x = torch.from_numpy(pictures(SIDE, 2)).permute(0, 3, 1, 2)
    output, kept = timm_activations(model, x.double())
    write(options.output, options.model + " of the shapes (PyTorch)", x, output, usable(kept), 48)


if __name__ == "__main__":
    main()
