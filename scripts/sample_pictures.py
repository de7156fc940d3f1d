#!/usr/bin/env python3
"""Three photographs under CC0 out of the scikit-image package: chelsea.png, coffee.png, rocket.jpg, and their labels."""
import argparse
import os
import subprocess
import sys
import zipfile

PACKAGE = "scikit-image==0.25.2"
# File and ImageNet class: Egyptian cat, espresso, missile (the nearest to a rocket).
PICTURES = {"chelsea.png": "n02124075", "coffee.png": "n07920052", "rocket.jpg": "n03773504"}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--downloads", required=True, help="folder for the package")
    parser.add_argument("--out", required=True, help="folder for the pictures")
    options = parser.parse_args()
    os.makedirs(options.downloads, exist_ok=True)
    os.makedirs(options.out, exist_ok=True)
    if not all(os.path.exists(os.path.join(options.out, name)) for name in PICTURES):
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:",
                   "--dest", options.downloads, PACKAGE]
        if subprocess.run(command, check=False).returncode != 0:
            print("sample_pictures.py: the scikit-image package could not be fetched", file=sys.stderr)
            return 5
        wheel = next(name for name in sorted(os.listdir(options.downloads)) if name.startswith("scikit_image"))
        with zipfile.ZipFile(os.path.join(options.downloads, wheel)) as archive:
            for name in PICTURES:
                with open(os.path.join(options.out, name), "wb") as file:
                    file.write(archive.read(f"skimage/data/{name}"))
    with open(os.path.join(options.out, "list.csv"), "w", encoding="utf-8") as file:
        file.write("path,label\n" + "".join(f"{name},{wnid}\n" for name, wnid in PICTURES.items()))
    print(f"{options.out}: {', '.join(PICTURES)}")
    return 0


sys.exit(main())
