#!/bin/sh
# tessera selftest on the GPU of this machine; left out (77), with the reason, where there is none.
set -u
tessera=$1
dtype=$2
if ! ls /dev/nvidia[0-9]* >/dev/null 2>&1 && [ ! -e /dev/dxg ]; then
  echo "left out: this machine has no NVIDIA device (/dev/nvidia0)"
  exit 77
fi
if [ ! -e "$(dirname "$tessera")/tessera_cuda.so" ]; then
  echo "left out: the CUDA plugin was not built"
  exit 77
fi
exec "$tessera" selftest --device cuda --dtype "$dtype" --full
