#!/usr/bin/env bash
# The demo, as a user runs it: both masks fit the references, both pictures are there, and nothing
# goes to standard error.   dice.sh SOURCE BUILD OUT
set -euo pipefail
source=$1 build=$2 out=$3
rm -rf "$out" && mkdir -p "$out"
"$source/resources/demo/run" "$build" "$out" >"$out/text" 2>"$out/errors"
cat "$out/text"
[ ! -s "$out/errors" ] || { cat "$out/errors"; exit 1; }

# The README's figures: "prints the Dice coefficients ... : 0.77 and 0.93".
read -r tumour liver < <(tr '\n' ' ' <"$source/README.md" |
    sed -n 's/.*prints the Dice coefficients[^.:]*: \(0[.][0-9]*\) and \(0[.][0-9]*\).*/\1 \2/p') || true
[ -n "${liver:-}" ] || { echo "README.md does not say what Dice the demo reaches"; exit 1; }

# as_said NAME DICE: what the README promises, to 0.015: half of it is the rounding of the
# README's figure, and FP32 and BF16 are 0.001 apart.
as_said() {
    [ -s "$out/$1.png" ] || { echo "no picture of the $1"; exit 1; }
    awk -F, -v name="$1" -v least="$2" '
        NR == 1 { for (i = 1; i <= NF; i++) column[$i] = i }
        NR == 2 { found = 1; off = $column["dice"] - least; ok = off < 0.015 && off > -0.015
                  printf "%s: Dice %s, wanted %s\n", name, $column["dice"], least }
        END { exit !(found && ok) }' "$out/$1.csv"
}
as_said tumour "$tumour"
as_said liver "$liver"
