#!/usr/bin/env python3
"""How time grows with the work: batch, threads, size of the picture, depth and width of a ViT. Prints Markdown tables.

    bench/growth.py [--tessera build/release/tools/tessera] [--runs 3]

Each cell is one `tessera profile`: the sum of the layers' median times after three runs to warm up. The last columns
place the model on the roofline: operations for each byte that its layers touch (inputs, weights and outputs once), and
its share of the machine's own peak.
"""

import argparse
import json
import pathlib
import subprocess

ROOT = pathlib.Path(__file__).resolve().parent.parent
BATCHES = (1, 2, 4, 8, 16, 32, 64)
PEAKS = {}  # by threads: the highest that was measured so far, as a busy machine only ever measures too little


def profile(arguments, model, batch=1, threads=2, size=None):
    command = [arguments.tessera, "profile", f"seeded:{model}@7", "--batch", batch, "--threads", threads, "--runs",
               arguments.runs, "--json"]
    if size:
        command += ["--image-size", size]
    found = json.loads(subprocess.run([str(part) for part in command], check=True, capture_output=True).stdout)
    ms = found["sum_of_medians_us"] / 1e3
    flop = sum(2 * layer["macs"] for layer in found["layers"])
    moved = sum(layer["bytes"] for layer in found["layers"])
    PEAKS[threads] = max(found["roofline"]["gflops"], PEAKS.get(threads, 0))
    return {"ms": ms, "ms_image": ms / batch, "images_s": batch / ms * 1e3, "gflops": flop / ms / 1e6,
            "of_peak": flop / ms / 1e6 / PEAKS[threads] * 100, "intensity": flop / moved}


def table(head, rows):
    print("| " + " | ".join(head) + " |\n|" + "---|" * len(head))
    for row in rows:
        print("| " + " | ".join(str(cell) for cell in row) + " |", flush=True)
    print()


def row(cell):
    return [f"{cell['ms_image']:.1f}", f"{cell['images_s']:.1f}", f"{cell['gflops']:.0f}", f"{cell['of_peak']:.0f} %",
            f"{cell['intensity']:.0f}"]


MEASURES = ["ms / image", "images / s", "GFLOP/s", "of peak", "FLOP / byte"]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tessera", default=str(ROOT / "build/release/tools/tessera"))
    parser.add_argument("--runs", type=int, default=3)
    arguments = parser.parse_args()
    rows = []
    for model, most in (("resnet50", 64), ("vit_base_patch16_224", 16), ("efficientnet_lite0", 64)):
        for threads in (1, 2):
            rows += [[model, threads, batch, *row(profile(arguments, model, batch, threads))]
                     for batch in BATCHES if batch <= most and (threads == 2 or batch in (1, 8))]
    table(["model", "threads", "batch", *MEASURES], rows)
    rows = [[model, size, *row(profile(arguments, model, size=size))]
            for model in ("resnet50", "vit_base_patch16_224", "efficientnet_lite0") for size in (160, 224, 288, 384)]
    table(["model (batch 1, 2 threads)", "size", *MEASURES], rows)
    rows = [[model, *row(profile(arguments, model))]
            for model in (f"vit_{size}_patch16_224" for size in ("tiny", "small", "base", "large"))]
    table(["model (batch 1, 2 threads)", *MEASURES], rows)


if __name__ == "__main__":
    main()
