#!/usr/bin/env bash
# BF16 and FP32 draw the same mask of the bundled samples: IoU 0.99 at least.
#   precisions.sh SOURCE BUILD OUT
set -euo pipefail
samples=$1/resources/demo build=$2 out=$3
rm -rf "$out" && mkdir -p "$out"

# segment PRECISION VOLUME PROMPTS NAME
segment() {
    "$build/bin/PromptSeg" --precision "$1" --prompts "$3" "$2" "$out/$4-$1.seg.nrrd" >"$out/text"
}

same() {
    local code=0
    segment bf16 "$1" "$2" "$3" 2>"$out/errors" || code=$?
    if [ $code = 5 ]; then
        cat "$out/errors"
        exit 77
    fi
    [ $code = 0 ] || { cat "$out/errors"; exit 1; }
    segment fp32 "$1" "$2" "$3"
    "$build/bin/PromptSegEvaluate" --reference "$out/$3-fp32.seg.nrrd" \
        --prediction "$out/$3-bf16.seg.nrrd" --csv "$out/$3.csv" >/dev/null
    awk -F, -v name="$3" '
        NR == 1 { for (i = 1; i <= NF; i++) column[$i] = i }
        NR == 2 { found = 1; ok = $column["iou"] >= 0.99; printf "%s: IoU %s\n", name, $column["iou"] }
        END { exit !(found && ok) }' "$out/$3.csv"
}
for prompts in prompts corrected; do
    same "$samples/brain1/image.nrrd" "$samples/brain1/$prompts.mrk.json" "tumour-$prompts"
    same "$samples/ct-3slice/dicom" "$samples/ct-3slice/$prompts.mrk.json" "liver-$prompts"
done
