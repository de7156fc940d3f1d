#!/bin/sh
# Fuzzes every reader of untrusted input, a libFuzzer target each: tests/fuzz/TARGET_fuzz.cpp.
#
#   scripts/fuzz.sh [SECONDS] [TARGET]...   each target for so long (default 30), as many at a time as there are cores
#   scripts/fuzz.sh 0                       only looks whether every target reads its seeds
#
# Seeds are in tests/fuzz/seeds/TARGET. First each is handed to its target, which must read it: a target that refuses
# all it gets finds nothing. What was found stays in build/fuzz/asan/findings; `build/asan/tests/fuzz/TARGET_fuzz FILE`
# shows it again. What a run learns (build/fuzz/asan/corpus) the next one begins with.
#
# FUZZ_PRESET: the preset to build (asan); its folders are build/PRESET and build/fuzz/PRESET. See scripts/fuzz_hdf5.sh.
set -eu
cd "$(dirname "$0")/.."
seconds=${1:-30}
[ $# -eq 0 ] || shift
all=$(for source in tests/fuzz/*_fuzz.cpp; do basename "$source" _fuzz.cpp; done)
targets=${*:-$all}
preset=${FUZZ_PRESET:-asan}
out=build/fuzz/$preset
corpus=$out/corpus
seeds=$out/seeds
data=tests/data

scripts/setup.sh test
cmake --preset "$preset" >/dev/null
# shellcheck disable=SC2046,SC2086
cmake --build --preset "$preset" -j "$(nproc)" --target $(printf '%s_fuzz ' $targets)

mkdir -p "$out/findings"
rm -rf "$seeds"
for target in $all; do
  mkdir -p "$corpus/$target" "$seeds/$target"
  [ ! -d "tests/fuzz/seeds/$target" ] || cp tests/fuzz/seeds/"$target"/* "$seeds/$target"
done
# Files of the tests that are seeds as well.
cp $data/vision/*.jpg $data/vision/*.png "$seeds/picture"
cp $data/formats/*.[!j]* "$seeds/picture"
rm "$seeds"/picture/fault_* "$seeds"/picture/refused_*
cp $data/weights/h5py*.h5 "$seeds/model_file"
for config in $data/weights/*/config.json; do
  folder=$(dirname "$config")
  cp "$folder/model.safetensors" "$seeds/safetensors/$(basename "$folder")"
  cp "$folder/expected.h5" "$seeds/activation_file/$(basename "$folder").h5"
done
cp $data/models/shapes_vit.h5 "$seeds/activation_file"
cp $data/weights/hf_vit_hub/config.json "$seeds/config/hf_vit_hub.json"

export UBSAN_OPTIONS=print_stacktrace=1
for target in $targets; do
  if ! TESSERA_FUZZ_SEEDS=1 "build/$preset/tests/fuzz/${target}_fuzz" "$seeds/$target"/* >"$out/$target.seeds.log" 2>&1; then
    tail -n 40 "$out/$target.seeds.log"
    echo "fuzz: $target: does not read its seeds" >&2
    exit 1
  fi
  echo "fuzz: $target: reads its $(find "$seeds/$target" -type f | wc -l) seeds"
done
[ "$seconds" != 0 ] || exit 0

# shellcheck disable=SC2086,SC2016
printf '%s\n' $targets | PRESET=$preset OUT=$out SECONDS_EACH=$seconds xargs -P "$(nproc)" -I TARGET sh -c '
  log=$OUT/TARGET.log
  if "build/$PRESET/tests/fuzz/TARGET_fuzz" -max_total_time="$SECONDS_EACH" -timeout=20 -rss_limit_mb=2048 -max_len=131072 \
      -artifact_prefix="$OUT/findings/TARGET-" "$OUT/corpus/TARGET" "$OUT/seeds/TARGET" >"$log" 2>&1; then
    echo "fuzz: TARGET: $(grep "^Done" "$log")"
  else
    tail -n 40 "$log"
    echo "fuzz: TARGET: found a fault; its input is in $OUT/findings" >&2
    exit 1
  fi'
