#!/bin/sh
# Runs clang-tidy on the sources that differ from a commit (default: the one before this); `all` takes every source.
set -eu
cd "$(dirname "$0")/.."
base=${1:-HEAD~1}
cmake --preset release -DCMAKE_EXPORT_COMPILE_COMMANDS=ON >/dev/null
if [ "$base" = all ]; then
  files=$(find core layers engine cpu device cuda models weights vision synth pages evaluation scale tools -name '*.cpp')
else
  files=$(git diff --name-only --diff-filter=d "$base" -- '*.cpp' | grep -v '^tests/\|^bench/' || true)
fi
[ -n "$files" ] || { echo "tidy: no sources differ"; exit 0; }
echo "$files" | xargs -P "$(nproc)" -n 4 clang-tidy -p build/release --quiet
