#!/bin/sh
# Sets up a bare Debian 12 and passes every test: format, AddressSanitizer and UBSan, ThreadSanitizer, and the whole
# suite of the release build, whose summary comes last. Some 15 minutes on two cores.
#
#   scripts/test.sh           all of it
#   scripts/test.sh release   the release build alone
set -eu
cd "$(dirname "$0")/.."
jobs=$(nproc)

echo "== packages"
scripts/setup.sh test

run_sanitized() {  # preset, tests to leave out
  cmake --preset "$1" -DTESSERA_BUILD_BENCH=OFF >/dev/null
  cmake --build --preset "$1" -j "$jobs"
  ctest --preset "$1" -j "$jobs" -LE "$2" --quiet --output-on-failure
}

if [ "${1:-all}" = all ]; then
  echo "== format"
  scripts/format.sh --check
  echo "== address and undefined-behaviour sanitizers (without the full-size models)"
  run_sanitized asan "models|network"
  echo "== thread sanitizer (thread pool, engine, layers)"
  cmake --preset tsan -DTESSERA_BUILD_BENCH=OFF >/dev/null
  cmake --build --preset tsan -j "$jobs" --target core_test engine_test layers_test
  ctest --preset tsan -j "$jobs" -R "ThreadPool|Program|LayerCases" --quiet --output-on-failure
fi

echo "== release"
cmake --preset release >/dev/null
cmake --build --preset release -j "$jobs"
ctest --preset release -j "$jobs" --output-on-failure
