#!/usr/bin/env bash
# resources/cluster/Snakefile under a real Snakemake (on PATH, or PROMPTSEG_SNAKEMAKE names it).
#
# usage: snakemake.sh PROGRAMS MODEL WORK       exit status 77: not run, for a reason that is printed
#
# Three shards. A row of one of them cannot run: that job fails, the others are done. With the row's
# image there, the same command does that shard alone, and collects.
set -euo pipefail
programs=$1 model=$2 work=$3
here=$(cd "$(dirname "$0")" && pwd)
snakemake=${PROMPTSEG_SNAKEMAKE:-snakemake}

skip() { echo "not run: $*"; exit 77; }
fail() { echo "FAILED: $*"; tail -n 40 "$work"/log-* 2>/dev/null || true; exit 1; }

command -v "$snakemake" >/dev/null || skip "snakemake is not installed"
rm -rf "$work" && mkdir -p "$work/a folder"
cd "$work/a folder"
python3 -B "$here/make_cases.py" . || fail "no cases"
rows=$(($(wc -l <cases.csv) - 1))
export PATH=$programs:$PATH HOME=$work XDG_CACHE_HOME=$work/cache
mv v4.nrrd later.nrrd # a row of shard 2

# run LOG: Snakemake as the Snakefile's first lines say
run() {
    "$snakemake" -s "$here/../../resources/cluster/Snakefile" -j 2 --keep-going --config \
        manifest=cases.csv output=results shards=3 threads=1 \
        "options=--model $model --variant tiny_vit_256" >"$work/$1" 2>&1
}

if run log-1; then fail "a row that cannot run is no failure"; fi
for shard in 1 3; do
    [ -e results/shard-$shard.done ] || fail "shard $shard is not done"
done
[ ! -e results/shard-2.done ] && [ ! -e results/results.csv ] || fail "a failed shard counts as done"
first=$(cat results/promptseg/status-[13]-of-3.jsonl | wc -l)
mv later.nrrd v4.nrrd
run log-2 || fail "the second run"
[ "$(cat results/promptseg/status-[13]-of-3.jsonl | wc -l)" = "$first" ] || fail "shards were done again"
done_rows=$(cut -d, -f1,2 results/results.csv | grep -c ',done$')
lines=$(cat results/promptseg/status-*.jsonl | grep -c '"state":"done"')
[ "$done_rows" = "$rows" ] && [ "$lines" = "$rows" ] || fail "$done_rows of $rows rows, $lines lines"
echo "$rows rows in 3 shards by Snakemake $("$snakemake" --version), one failed and was done again"
