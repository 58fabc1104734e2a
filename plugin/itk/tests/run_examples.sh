#!/usr/bin/env bash
# usage: run_examples.sh EXAMPLES PROGRAMS MODEL DEMO WORK ...
# Each example does what its page says, on the demo's files.
set -euo pipefail
examples=$1 programs=$2 model=$3 demo=$4 work=$5/examples
rm -rf "$work" && mkdir -p "$work"

# dice REFERENCE PREDICTION LEAST
dice() {
    "$programs/PromptSegEvaluate" --reference "$1" --prediction "$2" --csv "$work/dice.csv" >/dev/null
    awk -F, -v least="$3" 'NR == 1 { for (i = 1; i <= NF; i++) column[$i] = i }
        NR == 2 { print "Dice", $column["dice"]; exit !($column["dice"] >= least) }' "$work/dice.csv"
}

read -r liver < "$(dirname "$0")/liver_point.txt"
"$examples/SegmentDicomSeries" "$model" "$demo/ct-3slice/dicom" $liver "$work/liver.nrrd"
dice "$demo/ct-3slice/liver.nrrd" "$work/liver.nrrd" 0.8

cat >"$work/points.fcsv" <<'POINTS'
# Markups fiducial file version = 4.11
# CoordinateSystem = LPS
# columns = id,x,y,z,ow,ox,oy,oz,vis,sel,lock,label,desc,associatedNodeID
POINTS
cat "$(dirname "$0")/tumour_points.txt" >>"$work/points.fcsv"
"$examples/SegmentWithMarkups" "$model" "$demo/brain1/image.nrrd" "$work/points.fcsv" \
    "$work/tumour.nii.gz"
dice "$demo/brain1/tumour.nrrd" "$work/tumour.nii.gz" 0.5

read -r first < <(awk -F, '{ print $2, $3, $4 }' "$(dirname "$0")/tumour_points.txt")
"$examples/SegmentInPipeline" "$model" "$demo/brain1/image.nrrd" "$work/parts.nrrd" $first
[ -s "$work/parts.nrrd" ]
"$examples/SegmentInPipeline" "$work/points.fcsv" "$demo/brain1/image.nrrd" "$work/none.nrrd" $first \
    2>"$work/error" && exit 1
grep -q "points.fcsv" "$work/error"
[ ! -e "$work/none.nrrd" ]
