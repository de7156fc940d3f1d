#!/bin/sh
# Formats the C++ sources with clang-format; --check only says which are not formatted, and fails.
set -eu
cd "$(dirname "$0")/.."
files=$(find core layers engine cpu device cuda models weights vision synth pages evaluation scale tools tests bench -name '*.h' -o -name '*.cpp' \
  -o -name '*.cu')
if [ "${1:-}" = --check ]; then
  # shellcheck disable=SC2086
  clang-format --dry-run --Werror $files
else
  # shellcheck disable=SC2086
  clang-format -i $files
fi
