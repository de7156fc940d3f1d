#!/bin/sh
# What each CUDA kernel uses of a multiprocessor, as ptxas tells it, held against ceilings:
#
#   64 registers   then 1024 threads share the 65536 registers of a multiprocessor: all that Turing holds
#   no spills      registers that are kept in memory instead
#   1 KiB shared   far from what limits how many blocks run at once
#
#   scripts/check_kernels.sh [ARCHITECTURE]...   (default: sm_75 sm_90, the oldest and a common one)
#
# Ends with 77 where there is no nvcc.
set -eu
cd "$(dirname "$0")/.."
nvcc=$(command -v nvcc || command -v /usr/local/cuda/bin/nvcc || true)
if [ -z "$nvcc" ]; then
  echo "check_kernels: left out: there is no nvcc" >&2
  exit 77
fi
output=$(mktemp -d)
trap 'rm -rf "$output"' EXIT
for architecture in ${*:-sm_75 sm_90}; do
  for source in cuda/kernels/*.cu; do
    "$nvcc" -std=c++20 -I. -O3 -Werror=all-warnings -arch="$architecture" -cubin -Xptxas=-v "$source" \
      -o "$output/kernel.cubin" 2>"$output/log" || { cat "$output/log" >&2; exit 1; }
    awk -v where="$source for $architecture" '
      function number_before(word,   i) {
        for (i = 2; i <= NF; ++i) if (index($i, word) == 1) return $(i - 1) + 0
        return 0
      }
      /Compiling entry function/ { name = $6 }
      /spill stores/ { spills = $5 + $9 }
      /Used [0-9]+ registers/ {
        ++kernels
        registers = number_before("registers")
        shared = 0
        if (match($0, /[0-9]+ bytes smem/)) shared = substr($0, RSTART, RLENGTH) + 0
        if (registers > most) most = registers
        if (registers > 64 || spills > 0 || shared > 1024) {
          printf "check_kernels: %s: %s uses %d registers, %d bytes of spills, %d bytes of shared memory\n", where, name, registers, spills, shared
          bad = 1
        }
      }
      END {
        if (kernels == 0) { print "check_kernels: " where ": ptxas said nothing"; exit 1 }
        printf "check_kernels: %s: %d kernels, at most %d registers\n", where, kernels, most
        exit bad
      }' "$output/log"
  done
done
