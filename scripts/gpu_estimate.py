#!/usr/bin/env python3
"""What a GPU could do at most, from published peaks: no measurement.

    scripts/gpu_estimate.py [build/release/tools/tessera]

For each layer as it is fused, the larger of the time that its multiply-adds take at the peak of the arithmetic and the
time that its bytes (inputs, weights and output once each) take at the bandwidth of the memory; their sum for the model.
Launches, caches and what kernels really reach are left out: a real run takes longer, often two to three times.
"""

import json
import subprocess
import sys

# NVIDIA's data sheets: TFLOP/s of float32, TF32 and float16 (dense, float32 sums), and GB/s.
DEVICES = {
    "T4": {"f32": 8.1, "f16": 65, "memory": 320},
    "A100 40GB": {"f32": 19.5, "tf32": 156, "f16": 312, "memory": 1555},
    "H100 SXM": {"f32": 67, "tf32": 494, "f16": 989, "memory": 3350},
}
MODELS = ["resnet50", "vit_base_patch16_224", "efficientnet_lite0", "vit_small_patch14_dinov2"]


def layers(tessera, model, batch):
    """Multiply-adds and float32 bytes of each layer."""
    command = [tessera, "profile", f"seeded:{model}@7", "--device", "cpu", "--batch", str(batch), "--runs", "1", "--json"]
    output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return [(layer["macs"], layer["bytes"]) for layer in json.loads(output)["layers"]]


def main():
    tessera = sys.argv[1] if len(sys.argv) > 1 else "build/release/tools/tessera"
    print(f"{'Model':<26}{'Device':<12}{'dtype':<6}{'ms, batch 1':>12}{'ms, batch 32':>14}{'images/s':>10}"
          f"{'compute':>9}")
    for model in MODELS:
        one, two = layers(tessera, model, 1), layers(tessera, model, 2)
        for device, peaks in DEVICES.items():
            for dtype in ("f32", "tf32", "f16"):
                if dtype not in peaks:
                    continue
                width = 0.5 if dtype == "f16" else 1.0
                times = {}
                for batch in (1, 32):
                    total = computing = 0.0
                    for (macs, first), (_, second) in zip(one, two):
                        weights = 2 * first - second  # what does not grow with the batch
                        data = (weights + batch * (first - weights)) * width
                        arithmetic = 2 * macs * batch / (peaks[dtype] * 1e12)
                        memory = data / (peaks["memory"] * 1e9)
                        total += max(arithmetic, memory)
                        computing += arithmetic if arithmetic > memory else 0
                    times[batch] = (total, computing / total)
                print(f"{model:<26}{device:<12}{dtype:<6}{times[1][0] * 1e3:>12.2f}{times[32][0] * 1e3:>14.2f}"
                      f"{32 / times[32][0]:>10.0f}{times[32][1] * 100:>7.0f} %")


if __name__ == "__main__":
    main()
