#!/usr/bin/env bash
# Rehearses `./dev gpu lease` and `./dev gpu rest` on programs that answer as those of a machine with
# a GPU would, so that no minute of a real one is lost to the script: one kind of test hangs, and
# benchmarks run all the same, within the limit, with three files to take along. Then the second
# call: a race check hangs, a memory check finds something, and what had passed is not run again. No
# GPU: it says why and stops.
#
#   gpu_script.sh GPU.SH WORK_FOLDER
set -euo pipefail
script=$(realpath "$1")
rm -rf "$2" && mkdir -p "$2/bin" && cd "$2"
export PATH=$PWD/bin:$PATH

program() { # NAME, its text from standard input
    { echo '#!/bin/bash' && cat; } >"bin/$1"
    chmod +x "bin/$1"
}

program nvidia-smi <<'TXT'
[ -e no_gpu ] && echo "NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver" && exit 9
case $* in
-L) echo "GPU 0: a card" ;;
*compute_cap*) echo 9.0 ;;
*) echo "a card, 580.1, 143771 MiB" ;;
esac
TXT
program cmake <<'TXT'
echo "cmake $*" >>calls
case $1 in
-S)
    mkdir -p "$4/tests/golden"
    printf 'add_test([=[cuda.mma]=] "%s/tests/mma_test")\n' "$4" >"$4/tests/CTestTestfile.cmake"
    for name in segmodel tests/make_hash_model tests/golden_test; do
        printf '#!/bin/bash\necho "$(basename $0) $*" >>calls\n[ "$1" = devices ] && echo "cuda  a card"\n[ "$(basename $0)" = make_hash_model ] && : >"$2"\nexit 0\n' >"$4/$name"
        chmod +x "$4/$name"
    done
    ;;
esac
TXT
# cuda.session hangs; whoever starts it is not told.
program ctest <<'TXT'
echo "ctest $*" >>calls
case $* in
*session*) sleep 600 ;;
*op*) echo ' 1/2 Test #1: cuda.mma ....................   Passed    0.21 sec' &&
    echo ' 2/2 Test #2: cuda.op.forward .............   Passed    3.10 sec' ;;
*golden*) echo ' 1/1 Test #9: cuda.golden.sam .............   Passed    1.00 sec' ;;
esac
TXT
program ncu <<'TXT'
echo "ncu $*" >>calls
echo "flash_kernel  Compute (SM) Throughput  61 %"
TXT

fail() {
    echo "$*"
    cat page.txt calls 2>/dev/null
    exit 1
}

start=$SECONDS
bash "$script" lease --limit 45 --build build --out out >page.txt 2>&1 || true
took=$((SECONDS - start))
[ $took -le 45 ] || fail "it took $took s of 45"
grep -qE '^cuda.op.forward +ok' page.txt || fail "ops are not told"
grep -qE '^GPU-losses-sessions-training +unfinished' page.txt || fail "a test that hangs is not told"
grep -qE '^bench sam_vit_b +ok' page.txt || fail "no benchmark"
grep -qE '^ncu' page.txt || fail "no kernels"
[ "$(ls out | tr '\n' ' ')" = 'gpu.log page.md profiles.txt ' ] || fail "files: $(ls out)"
grep -n ctest calls | head -n 1 | grep -q 'mma|op' || fail "ops are not first"
grep -q 'ncu --kernel-name' calls || fail "ncu is not asked for kernels"

program compute-sanitizer <<'TXT'
echo "compute-sanitizer $*" >>../../calls
case $* in
*racecheck*gradient16*) sleep 600 ;;
*memcheck*loss*) echo "========= Invalid __global__ read of size 4 bytes" && exit 3 ;;
esac
exit 0
TXT
rm calls
start=$SECONDS
bash "$script" rest --limit 100 --build build --out out >page.txt 2>&1 && fail "a finding is success"
second=$((SECONDS - start))
[ $second -le 100 ] || fail "the second call took $second s of 100"
grep -q 'cmake' calls && fail "it builds again"
grep -qE '^memcheck op_test forward +ok' page.txt || fail "no memory check"
grep -qE '^memcheck cuda_loss_test +FAILED +exit 3, 1 findings' page.txt || fail "no finding"
grep -qE '^racecheck op_test gradient16 +unfinished' page.txt || fail "a check that hangs is not told"
grep -q 'initcheck' calls && fail "initcheck takes the time of the others"
grep -qE 'ctest .* -E .*cuda.op.forward' calls || fail "what passed is run again"
grep -qE 'ctest .* -E .*cuda.session' calls && fail "what hung is not run again"
grep -qE '^tests-that-are-left +ok' page.txt || fail "no tests"
grep -qE '^bench mobile_sam +ok' page.txt || fail "no benchmark in the second call"
[ "$(ls out | tr '\n' ' ')" = 'gpu.log page.md profiles.txt ' ] || fail "files: $(ls out)"

touch no_gpu && rm calls
start=$SECONDS
bash "$script" lease --build build2 --out out2 >page.txt 2>&1 && fail "no GPU is success"
[ $((SECONDS - start)) -le 5 ] || fail "it goes on without a GPU"
grep -q "couldn't communicate" page.txt || fail "it does not say why"
[ ! -e calls ] || fail "it builds without a GPU"
echo "rehearsed calls took $took s of 45 and $second s of 100"
