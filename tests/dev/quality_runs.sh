#!/usr/bin/env bash
# Testing/quality/run and studies/run in a tree of stand-ins: which packs they make, and when they
# keep one. Argument: the source folder.
set -euo pipefail
source=$1
tree=$(mktemp -d)
trap 'rm -rf "$tree"' EXIT

stand_in() { # NAME: writes its arguments to NAME.log, and a file where the second one says
    cat >"$tree/build/release/bin/$1" <<STAND_IN
#!/usr/bin/env bash
echo "\$@" >>"$tree/$1.log"
[ $1 = segmodel ] || echo "pack of \$1" >"\$2"
STAND_IN
    chmod +x "$tree/build/release/bin/$1"
}

complain() {
    echo "$1" >&2
    exit 1
}

expect_packs() { # COUNT WHY
    local found
    found=$(grep -c . "$tree/PromptSegPack.log" 2>/dev/null) || true
    [ "${found:-0}" = "$1" ] || complain "$2: ${found:-0} packs were made, wanted $1"
}

mkdir -p "$tree"/{build/release/bin,build/quality,Testing,resources/train,resources/models}
cp -r "$source/Testing/quality" "$tree/Testing/quality"
stand_in segmodel
stand_in PromptSegPack
touch "$tree/resources/models/m.safetensors" "$tree/build/quality/quality.md"
printf 'image,label,split,a,b\ncorpus/a.png,corpus/b.png,val,x,y\n' \
    >"$tree/resources/train/default_manifest.csv"
for root in one two; do
    mkdir -p "$tree/$root/corpus"
    touch -d 2020-01-01 "$tree/$root/corpus"/{INDEX.csv,a.png,b.png}
done

quality() {
    "$tree/Testing/quality/run" "$tree/$1" >/dev/null
}
quality one
quality one
expect_packs 1 "the same files twice"
quality two
expect_packs 2 "another ROOT"
quality one
expect_packs 3 "the first ROOT again"
echo more >"$tree/one/corpus/b.png"
quality one
expect_packs 4 "a changed label map"
echo "# another version" >>"$tree/build/release/bin/PromptSegPack"
quality one
expect_packs 5 "another program"
quality one
expect_packs 5 "the same files at last"

study=$tree/build/studies/points
mkdir -p "$study"
touch "$study/table.md"
printf 'split = all\ndata = cases.csv # mine\n' >"$tree/study.cfg"
ROOT=$tree/one "$tree/Testing/quality/studies/run" points "$tree/study.cfg" >/dev/null
expect_packs 6 "a manifest in CONFIG"
tail -1 "$tree/PromptSegPack.log" | grep -q "^cases.csv .*study.pack --root $tree/one" ||
    complain "the manifest of CONFIG was not packed: $(tail -1 "$tree/PromptSegPack.log")"
tail -1 "$tree/segmodel.log" | grep -q -- "--data [^ ]*study.pack" ||
    complain "the study does not take that pack: $(tail -1 "$tree/segmodel.log")"
printf 'split = all\ndata = my.pack\n' >"$tree/study.cfg"
ROOT=$tree/one "$tree/Testing/quality/studies/run" points "$tree/study.cfg" >/dev/null
expect_packs 6 "a pack in CONFIG"
