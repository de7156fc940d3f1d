#!/bin/sh
# Installs what tessera needs on Debian 12, as root or with sudo: `scripts/setup.sh build` to build and run,
# `scripts/setup.sh test` for the tests, fuzzers, formatter and benchmarks as well. What is there already is left alone.
set -eu

build="g++ cmake ninja-build libeigen3-dev libhdf5-dev libstb-dev libjpeg62-turbo-dev libpng-dev libtiff-dev libwebp-dev libcli11-dev nlohmann-json3-dev
       libfmt-dev libarchive-dev libcairo2-dev fonts-dejavu-core pkgconf libcsv-dev liblbfgs-dev libhwy-dev libssl-dev zlib1g-dev
       libopenmpi-dev openmpi-bin python3 python3-venv"
test="ccache libgtest-dev libbenchmark-dev clang-format clang-tidy clang libclang-rt-dev git python3-numpy chromium iproute2"

case "${1:-build}" in
  build) wanted=$build ;;
  test) wanted="$build $test" ;;
  *) echo "usage: scripts/setup.sh build|test" >&2; exit 2 ;;
esac

missing=""
for package in $wanted; do
  dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q "install ok installed" || missing="$missing $package"
done
if [ -z "$missing" ]; then
  echo "setup: all packages are there"
  exit 0
fi
echo "setup: installing$missing"
if [ "$(id -u)" -eq 0 ]; then
  as_root=""
elif command -v sudo >/dev/null; then
  as_root="sudo"
else
  echo "setup: the packages above are missing, and neither are you root nor is there sudo" >&2
  exit 5
fi
$as_root apt-get update -q
# shellcheck disable=SC2086
$as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends $missing
