#!/usr/bin/env bash
# ./dev --help is true: every command it lists exists and every command there is is listed; what each
# would run is there (DEV_DRY_RUN), presets included.   verbs.sh SOURCE
set -euo pipefail
cd "$1"
failed=0
complain() {
    echo "FAILED: $1"
    failed=1
}

listed=$(./dev --help | sed -n 's/^  \([a-z][a-z-]*\) .*/\1/p' | sort)
known=$(sed -n '/^case \$command in/,/^esac/s/^\([a-z][a-z-]*\)).*/\1/p' dev | sort)
[ -n "$listed" ] || complain "--help lists no command"
[ "$listed" = "$known" ] || complain "--help lists $(echo $listed); there are $(echo $known)"

presets=$(cmake --list-presets=all 2>/dev/null)
for verb in $known "study boxes" "quality sequence" "sanitize plugins" "test quick" "test long" "test slicer" "test rest" "test all"; do
    # what only says what it would do is done at once, whatever builds there are
    if ! text=$(DEV_DRY_RUN=1 timeout 20 ./dev $verb 2>&1); then
        complain "./dev $verb: $text"
        continue
    fi
    echo "== $verb"
    cut -c1-100 <<<"$text"
    [ -n "$text" ] || complain "./dev $verb runs nothing"
    for preset in $(sed -n 's/.*--preset \([a-z-]*\).*/\1/p' <<<"$text"); do
        grep -q "\"$preset\"" <<<"$presets" || complain "./dev $verb: no preset $preset"
    done
done

code=0
said=$(./dev bulid 2>&1) || code=$?
[ $code = 1 ] && [[ $said == *"'bulid'"*--help* ]] || complain "an unknown command: $code, $said"

# Help of what the commands hand on to.
for script in Testing/bench/run tests/segmodel/cuda/gpu.sh Testing/quality/studies/run; do
    "$script" --help | grep -q . || complain "$script --help"
done

# Every fuzz target has a corpus, which a test replays.
for target in tests/fuzz/fuzz_*.c; do
    name=$(basename "${target#*fuzz_}" .c)
    name=${name#fuzz_}
    [ -n "$(ls "tests/fuzz/corpus/$name" 2>/dev/null)" ] || complain "$target has no corpus"
done
exit $failed
