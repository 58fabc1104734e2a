#!/bin/sh
# large.sh BUILD: the goldens of SAM ViT-L and ViT-H with the programs of a build folder. Outside
# CI: 1.2 and 2.5 GB of weights are made in the build folder and removed again, and several GB of
# memory are needed.
set -eu
build=${1:?usage: large.sh BUILD}
here=$(cd "$(dirname "$0")" && pwd)
failed=0
tests=$(dirname "$(find "$build" -name golden_test -type f | head -n 1)")
for variant in sam_vit_l sam_vit_h; do
    weights=$tests/$variant.safetensors
    trap 'rm -f "$weights"' EXIT
    "$tests/make_hash_model" "$here/../goldens/manifests/$variant.txt" "$weights"
    for precision in fp32 bf16; do
        code=0
        "$tests/golden_test" $variant "$weights" "$here/../goldens/$variant" $precision || code=$?
        [ $code -eq 0 ] || [ $code -eq 77 ] || failed=1
    done
    rm -f "$weights"
done
exit $failed
