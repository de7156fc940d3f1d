#!/usr/bin/env python3
"""Makes more of tests/data/weights: files of tiny networks as other programs write them.

    python weights_files.py ../data/weights

hf_vit_model, hf_dinov2_model   transformers' models without a head, and the class token they give (expected.h5)
hf_resnet_names.json            names of Hugging Face's ResNets paired with timm's; that the pairs mean the same is checked
                                here by the logits of both libraries with the same seeded weights
h5py.h5, h5py_v110.h5           a model file made with h5py and NumPy alone, as docs/model-format.md says, in two formats
h5py_chunks.h5                  the same with every tensor in several chunks, of all three kinds that the newer format has
                                for tensors of fixed shape
state_dict.pth, legacy.pth, hostile.pth    PyTorch's two containers, and a pickle that would run code
timm_vit.pth                    the tensors of timm_vit, which name_maps.py makes before
"""
import hashlib
import json
import os
import pickle
import sys
import zipfile

import h5py
import numpy as np
import timm
import torch
from safetensors.torch import load_file
from timm.models.vision_transformer import VisionTransformer
from transformers import Dinov2Config, Dinov2Model, ResNetConfig, ResNetForImageClassification, ViTConfig, ViTModel

from activations import write
from make_reference import pictures
from name_maps import randomised
from seeded import seed_model

DIM, HEADS, CLASSES, SEED = 8, 2, 3, 5


def headless(out: str) -> None:
    small = {"hidden_size": DIM, "num_hidden_layers": 2, "num_attention_heads": HEADS}
    models = {"hf_vit_model": (ViTModel, ViTConfig(**small, intermediate_size=24, image_size=32, patch_size=16), 32),
              "hf_dinov2_model": (Dinov2Model, Dinov2Config(**small, image_size=28, patch_size=14), 28)}
    for name, (kind, config, size) in models.items():
        model = randomised(kind(config))
        folder = os.path.join(out, name)
        model.save_pretrained(folder)
        x = torch.from_numpy(pictures(size, 2)).permute(0, 3, 1, 2)
        with torch.no_grad():
            output = model.double()(x.double()).last_hidden_state[:, 0]
        write(os.path.join(folder, "expected.h5"), name, x, output, {}, 1)


def paired_names(theirs: list, ours: list) -> dict:
    """Both list a block's modules in order, but for the shortcut, which comes first there and last here."""
    blocks = []
    for name in theirs:
        parts = name.split(".")
        block = parts[:6] if "stages" in parts else parts[:2]
        if not blocks or blocks[-1][0] != block:
            blocks.append((block, []))
        blocks[-1][1].append(name)
    ordered = [name for _, names in blocks for name in sorted(names, key=lambda n: ".shortcut." in n)]
    assert len(ordered) == len(ours)
    return dict(zip(ordered, ours))


def hf_resnet_names(out: str) -> None:
    pairs = {}
    picture = torch.from_numpy(pictures(64, 2)).permute(0, 3, 1, 2)
    for name, layer_type, depths, widths in (("resnet18", "basic", [2, 2, 2, 2], [64, 128, 256, 512]),
                                             ("resnet50", "bottleneck", [3, 4, 6, 3], [256, 512, 1024, 2048])):
        reference = timm.create_model(name).eval()
        seed_model(reference, SEED)
        model = ResNetForImageClassification(ResNetConfig(embedding_size=64, hidden_sizes=widths, depths=depths,
                                                          layer_type=layer_type, num_labels=1000)).eval()
        state = reference.state_dict()
        pairs[name] = paired_names(list(model.state_dict()), list(state))
        model.load_state_dict({theirs: state[ours] for theirs, ours in pairs[name].items()})
        with torch.no_grad():
            torch.testing.assert_close(model(picture).logits, reference(picture), rtol=1e-4, atol=1e-3)
    with open(os.path.join(out, "hf_resnet_names.json"), "w", encoding="utf-8") as file:
        json.dump(pairs, file, indent=0)


def in_chunks(index: int, shape: tuple) -> dict:
    """An array of packed chunks, an array of plain ones, and plain ones that lie one after the other."""
    early = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    early.set_alloc_time(h5py.h5d.ALLOC_TIME_EARLY)
    kind = ({"compression": "gzip"}, {}, {"dcpl": early})[index % 3]
    return {"chunks": tuple((length + 1) // 2 for length in shape), **kind}


def h5py_model(out: str) -> None:
    model = VisionTransformer(img_size=32, patch_size=16, embed_dim=DIM, depth=1, num_heads=HEADS, num_classes=CLASSES)
    seed_model(model, SEED)
    state = {name: value.detach().numpy() for name, value in model.state_dict().items()}
    card = {"format": "tessera-model", "version": 1, "name": "made with h5py", "architecture": "vit_tiny_patch16_224",
            "parameters": {"image_size": 32, "dim": DIM, "depth": 1, "heads": HEADS, "classes": CLASSES, "pos_grid": 2},
            "preprocess": {"flavour": "timm", "resize_mode": "shortest_edge", "resize": 35, "crop": 32,
                           "filter": "bicubic", "mean": [0.5, 0.5, 0.5], "std": [0.5, 0.5, 0.5]},
            "labels": ["cat", "dog", "crane"],
            "source": {"origin": "weights_files.py", "licence": "", "sha256": "", "notes": ""}}
    text = json.dumps(card).encode()
    manifest = {"card": hashlib.sha256(text).hexdigest(),
                "tensors": {name: hashlib.sha256(value.tobytes()).hexdigest() for name, value in state.items()}}
    for name, version in (("h5py.h5", "earliest"), ("h5py_v110.h5", "v110"), ("h5py_chunks.h5", "v110")):
        with h5py.File(os.path.join(out, name), "w", libver=(version, "v110")) as file:
            file["card"] = np.frombuffer(text, dtype=np.uint8)
            file["manifest"] = np.frombuffer(json.dumps(manifest).encode(), dtype=np.uint8)
            for index, (tensor, value) in enumerate(state.items()):
                packing = {"compression": "gzip", "shuffle": True, "fletcher32": index % 4 == 1} if index % 2 else {}
                if name == "h5py_chunks.h5":
                    packing = in_chunks(index, value.shape)
                file.create_dataset(f"weights/{tensor}", data=value, dtype="<f4", **packing)


class RunsCode:
    def __reduce__(self):
        return (os.system, ("exit 1",))


def pth_files(out: str) -> None:
    state = {"a.weight": torch.arange(12.0).reshape(3, 4), "a.bias": torch.tensor([1.5, -2.0], dtype=torch.float64),
             "transposed": torch.arange(6.0).reshape(2, 3).T, "half": torch.tensor([0.5, 65504.0], dtype=torch.float16),
             "brain": torch.tensor([1.0, -3.0], dtype=torch.bfloat16), "count": torch.tensor(7),
             "slice": torch.arange(10.0)[3:6], "parameter": torch.nn.Parameter(torch.tensor([2.5]))}
    torch.save({"state_dict": state, "epoch": 3}, os.path.join(out, "state_dict.pth"))
    torch.save(state, os.path.join(out, "legacy.pth"), _use_new_zipfile_serialization=False)
    with zipfile.ZipFile(os.path.join(out, "hostile.pth"), "w") as archive:
        archive.writestr(zipfile.ZipInfo("hostile/data.pkl"), pickle.dumps({"a.weight": RunsCode()}, protocol=2))
    torch.save(load_file(os.path.join(out, "timm_vit", "model.safetensors")), os.path.join(out, "timm_vit.pth"))


def main() -> None:
    out = sys.argv[1]
    os.makedirs(out, exist_ok=True)
    torch.manual_seed(0)
    for make in (headless, hf_resnet_names, h5py_model, pth_files):
        make(out)


if __name__ == "__main__":
    main()
