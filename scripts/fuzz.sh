#!/bin/sh
# Fuzzes every reader of untrusted input: model files, their cards, safetensors, configurations, pictures, lists, tables of predictions, logs of runs.
#
#   scripts/fuzz.sh [SECONDS] [TARGET]...   each target for so long (default 30), as many at a time as there are cores
#
# What was found stays in build/fuzz/findings; `build/asan/tests/fuzz/TARGET_fuzz FILE` shows it again. What a run
# learns (build/fuzz/corpus) the next one begins with.
set -eu
cd "$(dirname "$0")/.."
seconds=${1:-30}
[ $# -eq 0 ] || shift
targets=${*:-config dataset model_card model_file picture predictions run_log safetensors}
corpus=build/fuzz/corpus
data=tests/data

scripts/setup.sh test
cmake --preset asan >/dev/null
# shellcheck disable=SC2046,SC2086
cmake --build --preset asan -j "$(nproc)" --target $(printf '%s_fuzz ' $targets)

mkdir -p build/fuzz/findings
for target in config dataset model_card model_file picture predictions run_log safetensors; do mkdir -p "$corpus/$target"; done
cp tests/fuzz/seeds/config/* "$corpus/config"
cp tests/fuzz/seeds/dataset/* "$corpus/dataset"
cp tests/fuzz/seeds/predictions/* "$corpus/predictions"
cp tests/fuzz/seeds/run_log/* "$corpus/run_log"
cp tests/fuzz/seeds/model_card/* "$corpus/model_card"
cp $data/vision/*.jpg $data/vision/*.png "$corpus/picture"
cp $data/weights/h5py*.h5 "$corpus/model_file"
cp tests/fuzz/seeds/model_file/* "$corpus/model_file"
for config in $data/weights/*/config.json; do
  folder=$(dirname "$config")
  cp "$config" "$corpus/config/$(basename "$folder").json"
  cp "$folder/model.safetensors" "$corpus/safetensors/$(basename "$folder")"
done

# shellcheck disable=SC2086,SC2016
printf '%s\n' $targets | SECONDS_EACH=$seconds xargs -P "$(nproc)" -I TARGET sh -c '
  log=build/fuzz/TARGET.log
  if build/asan/tests/fuzz/TARGET_fuzz -max_total_time="$SECONDS_EACH" -timeout=20 -rss_limit_mb=2048 -max_len=131072 \
      -artifact_prefix=build/fuzz/findings/TARGET- build/fuzz/corpus/TARGET >"$log" 2>&1; then
    echo "fuzz: TARGET: $(grep "^Done" "$log")"
  else
    tail -n 40 "$log"
    echo "fuzz: TARGET: found a fault; its input is in build/fuzz/findings" >&2
    exit 1
  fi'
