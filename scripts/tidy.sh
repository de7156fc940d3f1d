#!/bin/sh
# Runs clang-tidy on sources.
#
#   scripts/tidy.sh            those that the last commit, or what is not committed yet, changed
#   scripts/tidy.sh COMMIT     those that differ from COMMIT
#   scripts/tidy.sh all        all of them: some 40 minutes on two cores
#
# TIDY_AT_MOST: so many of them, the largest changes first (default: no limit); how many are left out is said.
set -eu
cd "$(dirname "$0")/.."
base=${1:-HEAD~1}
folders="core layers engine cpu device cuda models weights vision synth pages evaluation scale tools tests bench"
if [ "$base" = all ]; then
  # shellcheck disable=SC2086
  files=$(find $folders -name '*.cpp')
elif ! git rev-parse -q --verify "$base^{commit}" >/dev/null; then
  echo "tidy: there is no commit $base here to compare with (a clone of depth 1?)"
  exit 0
else
  # shellcheck disable=SC2086
  files=$(git diff --numstat --diff-filter=d "$base" -- $folders | awk '$3 ~ /\.cpp$/ {print $1 + $2, $3}' | sort -rn | cut -d' ' -f2)
fi
[ -n "$files" ] || { echo "tidy: no sources differ from $base"; exit 0; }

# How each is compiled; clang reads no headers that GCC precompiled. Fuzzers and what needs CUDA's headers are compiled
# only where those are, and what is not compiled is not looked at.
cmake --preset release -B build/tidy -DCMAKE_EXPORT_COMPILE_COMMANDS=ON -DTESSERA_PRECOMPILE=OFF -DTESSERA_CUDA=OFF >/dev/null
cmake --build build/tidy --target tessera_build_commit >/dev/null
compiled=""
for file in $files; do
  [ "$file" != models/timm_table.cpp ] || continue  # its rows keep the analyser for minutes
  if grep -q "\"file\": \"$PWD/$file\"" build/tidy/compile_commands.json; then compiled="$compiled $file"; fi
done
# shellcheck disable=SC2086
set -- $compiled
found=$#
[ $found -gt 0 ] || { echo "tidy: no compiled sources differ from $base"; exit 0; }
most=${TIDY_AT_MOST:-$found}
printf '%s\n' "$@" | head -n "$most" | xargs -P "$(nproc)" -n 4 clang-tidy -p build/tidy --quiet
echo "tidy: no remarks on $((found < most ? found : most)) of $found sources"
