#!/bin/sh
# large.sh BUILD [VARIANT...]: goldens with the programs of a build folder; without names those of SAM
# ViT-L and ViT-H. Outside CI: their weights of 1.2 and 2.5 GB are made in the build folder and
# removed again, and several GB of memory are needed.
set -eu
build=${1:?usage: large.sh BUILD [VARIANT...]}
shift
[ $# -gt 0 ] || set -- sam_vit_l sam_vit_h
goldens=$(cd "$(dirname "$0")/../goldens" && pwd)

program() {
    found=$(find "$build" -name "$1" -type f | head -n 1)
    [ -n "$found" ] || { echo "large.sh: no $1 in $build; ./dev build makes it" >&2 && exit 1; }
    echo "$found"
}
maker=$(program make_hash_model)
tester=$(program golden_test)

failed=0
weights=$build/large-goldens.safetensors
trap 'rm -f "$weights"' EXIT
for variant in "$@"; do
    "$maker" "$goldens/manifests/$variant.txt" "$weights"
    for precision in fp32 bf16; do
        code=0
        echo "== $variant $precision"
        "$tester" "$variant" "$weights" "$goldens/$variant" "$precision" || code=$?
        [ $code -eq 0 ] || [ $code -eq 77 ] || failed=1
    done
done
exit $failed
