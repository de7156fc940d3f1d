#!/usr/bin/env python3
"""Times Pillow (and timm's transform) on the work of vision_bench: the first 100 pictures below a folder, one thread.

    OMP_NUM_THREADS=1 python bench/vision_pillow.py DIR [ROUNDS]

Prints the best of ROUNDS (default 5) in milliseconds of CPU time for all pictures together, to be compared with the CPU
column of vision_bench.
"""
import io
import os
import sys
import time

import timm.data
import torch
from PIL import Image


def read(folder: str) -> list:
    endings = (".jpg", ".jpeg", ".JPEG", ".png")
    paths = [os.path.join(base, name) for base, _, names in os.walk(folder) for name in names if name.endswith(endings)]
    files = []
    for path in sorted(paths)[:100]:
        with open(path, "rb") as file:
            files.append(file.read())
    return files


def best(work, rounds: int) -> float:
    times = []
    for _ in range(rounds):
        start = time.process_time()
        work()
        times.append(time.process_time() - start)
    return min(times) * 1e3


def shortest_edge(image: Image.Image, size: int, crop: int) -> Image.Image:
    width, height = image.size
    shorter, longer = min(width, height), max(width, height)
    scaled = size * longer // shorter
    image = image.resize((scaled, size) if width >= height else (size, scaled), Image.Resampling.BICUBIC)
    left, top = (image.width - crop) // 2, (image.height - crop) // 2
    return image.crop((left, top, left + crop, top + crop))


def main() -> None:
    torch.set_num_threads(1)
    files = read(sys.argv[1])
    rounds = int(sys.argv[2]) if len(sys.argv) > 2 else 5
    images = [Image.open(io.BytesIO(data)).convert("RGB") for data in files]
    transform = timm.data.create_transform((3, 224, 224), is_training=False, interpolation="bicubic", crop_pct=0.95)

    def decode(data):
        return Image.open(io.BytesIO(data)).convert("RGB")

    print(f"{len(files)} pictures")
    for name, work in (
            ("decode", lambda: [decode(data) for data in files]),
            ("resize 256x256 bilinear", lambda: [image.resize((256, 256), 2) for image in images]),
            ("resize 256x256 bicubic", lambda: [image.resize((256, 256), 3) for image in images]),
            ("decode + resize 235 + crop 224, bytes",
             lambda: [shortest_edge(decode(data), 235, 224) for data in files]),
            ("decode + timm's transform, floats", lambda: [transform(decode(data)) for data in files])):
        print(f"{name:40s} {best(work, rounds):8.1f} ms")


main()
