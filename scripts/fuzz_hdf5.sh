#!/bin/sh
# Fuzzes what opens HDF5 files with a libhdf5 that AddressSanitizer watches as well: reads outside memory within the
# library are seen, which scripts/fuzz.sh (with Debian's library) does not see, and its branches guide the fuzzer.
#
#   scripts/fuzz_hdf5.sh [SECONDS] [TARGET]...   each target for so long (default 600: ten minutes, before a release)
#   scripts/fuzz_hdf5.sh 0                       only builds, and looks whether every target reads its seeds
#
# The library is Debian's source of the version that is installed, fetched with apt and built with clang into
# build/hdf5-asan, once; apt's own settings and lists are left as they are. It is changed in one thing: checksums of the
# newer format are not compared, as whoever makes a hostile file computes them. What was found stays in
# build/fuzz/asan-hdf5/findings; `build/asan-hdf5/tests/fuzz/TARGET_fuzz FILE` shows it again.
set -eu
cd "$(dirname "$0")/.."
seconds=${1:-600}
[ $# -eq 0 ] || shift
[ $# -gt 0 ] || set -- hdf5 model_file activation_file inspect features

scripts/setup.sh test
if ! command -v dpkg-source >/dev/null; then
  echo "fuzz_hdf5: dpkg-source is missing: apt-get install dpkg-dev" >&2
  exit 5
fi
version=$(dpkg-query -W -f='${source:Version}' libhdf5-dev)
folder=$PWD/build/hdf5-asan
checks=address,bounds,integer-divide-by-zero,null

# apt with lists of its own, of the sources beside the packages that the system's apt knows.
apt_here() {
  apt-get -q -o Dir::Etc::sourcelist="$folder/apt/sources.list" -o Dir::Etc::sourceparts=- \
    -o Dir::State::lists="$folder/apt/lists" -o Dir::Cache="$folder/apt/cache" -o APT::Sandbox::User="$(id -un)" "$@"
}

if [ "$(cat "$folder/version" 2>/dev/null)" != "$version" ]; then
  rm -rf "$folder"
  mkdir -p "$folder/apt/lists/partial" "$folder/apt/cache/archives/partial" "$folder/objects"
  apt-get indextargets --format 'deb-src $(REPO_URI) $(RELEASE) $(COMPONENT)' 'Created-By: Packages' 'Origin: Debian' |
    sort -u >"$folder/apt/sources.list"
  if [ ! -s "$folder/apt/sources.list" ]; then
    echo "fuzz_hdf5: apt knows no archive of Debian's: apt-get update" >&2
    exit 5
  fi
  apt_here update
  (cd "$folder" && apt_here source --download-only "hdf5=$version")
  dpkg-source -x "$folder"/hdf5_*.dsc "$folder/source"

  compared="if (stored_chksum != computed_chksum)"
  # shellcheck disable=SC2046
  sed -i "s/$compared/if (0)/" $(grep -lF "$compared" "$folder"/source/src/*.c)
  # For the library only: what CMake finds out about the compiler is found out without them.
  cat >"$folder/sanitizers.cmake" <<END
add_compile_options(-w -fsanitize=$checks,fuzzer-no-link -fno-sanitize-recover=all)
add_link_options(-fsanitize=$checks)
END
  launcher=$(command -v ccache || true)
  # "Memory checker": every block is of its own, none taken from a list of used ones. From within the folder, where
  # the library's own checks expect to be run.
  (cd "$folder/objects" &&
    cmake -G Ninja ../source -DCMAKE_PROJECT_INCLUDE="$folder/sanitizers.cmake" -DCMAKE_INSTALL_PREFIX="$folder/installed" \
      -DCMAKE_C_COMPILER=clang -DCMAKE_C_COMPILER_LAUNCHER="$launcher" -DCMAKE_BUILD_TYPE=Release \
      -DCMAKE_C_FLAGS_RELEASE="-O1 -g1 -DNDEBUG" -DHDF5_ENABLE_USING_MEMCHECKER=ON -DHDF5_ENABLE_Z_LIB_SUPPORT=ON \
      -DBUILD_SHARED_LIBS=OFF -DBUILD_TESTING=OFF -DHDF5_BUILD_TOOLS=OFF -DHDF5_BUILD_UTILS=OFF -DHDF5_BUILD_EXAMPLES=OFF \
      -DHDF5_BUILD_HL_LIB=OFF -DHDF5_BUILD_CPP_LIB=OFF >configure.log 2>&1) ||
    { tail -n 20 "$folder/objects/configure.log"; exit 1; }
  cmake --build "$folder/objects" -j "$(nproc)" --target install >"$folder/objects/build.log" 2>&1 ||
    { tail -n 40 "$folder/objects/build.log"; exit 1; }
  echo "$version" >"$folder/version"
fi

echo "fuzz_hdf5: libhdf5 $version with -fsanitize=$checks"
FUZZ_PRESET=asan-hdf5 scripts/fuzz.sh "$seconds" "$@"
