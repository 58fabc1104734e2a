#!/usr/bin/env bash
# Rehearses `./dev gpu lease` and `./dev gpu rest` on programs that answer as those of a machine with
# a GPU would, so that no minute of a real one is lost to the script: one kind of test hangs, so does a
# profile, and the other benchmarks run all the same, within the limit, with three files to take along.
# Then the second call: a race check hangs, a memory check finds something, and what had passed is not
# run again. No GPU, a driver that does not answer, one that is too old: it says why and stops.
#
#   gpu_script.sh GPU.SH WORK_FOLDER
set -euo pipefail
script=$(realpath "$1")
rm -rf "$2" && mkdir -p "$2/bin" && cd "$2"
# What only looks like a program of a build does not stay within one: others search it by name.
trap 'rm -rf build build2' EXIT
export PATH=$PWD/bin:$PATH

program() { # NAME, its text from standard input
    { echo '#!/bin/bash' && cat; } >"bin/$1"
    chmod +x "bin/$1"
}

program nvidia-smi <<'TXT'
[ -e mute ] && sleep 600
[ -e no_gpu ] && echo "NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver" && exit 9
case $* in
-L) echo "GPU 0: a card" ;;
*compute_cap*) if [ -e other_card ]; then echo 8.6; else echo 9.0; fi ;;
*) echo "a card, 580.1, 143771 MiB" ;;
esac
TXT
program cmake <<'TXT'
echo "cmake $*" >>calls
case $1 in
-S)
    mkdir -p "$4/tests/golden"
    printf 'add_test([=[cuda.%s]=] "%s")\n' mma "$4/tests/mma_test" configure /usr/bin/bash \
        local_memory.norm /usr/bin/cmake >"$4/tests/CTestTestfile.cmake"
    for name in segmodel tests/make_hash_model tests/golden_test; do cp bin/built "$4/$name"; done
    ;;
--build) : >"$2/libsegmodel_cuda.so" ;;
esac
TXT
program built <<'TXT'
echo "$(basename "$0") $*" >>calls
[ "$1" = devices ] && [ -e old ] && echo "segmodel: a driver for CUDA 13 or later is wanted" && exit 5
[ "$1" = devices ] && echo "cuda  a card"
[ "$(basename "$0")" = make_hash_model ] && : >"$2"
[ "$1" = train ] && mkdir -p "$PWD/build/train/out" && : >"$PWD/build/train/out/last.safetensors"
case $* in *sam_vit_b*--profile* | *vit_h.txt*) sleep 600 ;; esac
[ "$(basename "$0")" = golden_test ] && [ "${LD_LIBRARY_PATH:-}" != "$PWD/build" ] &&
    echo "left out: no CUDA module" && exit 77
exit 0
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
bash "$script" lease --limit 150 --build build --out out >page.txt 2>&1 || true
took=$((SECONDS - start))
[ $took -le 150 ] || fail "it took $took s of 150"
grep -q 'cmake --build .*make_hash_model.* mma_test --' calls || fail "a test of the GPU's is not built"
grep -qE 'cmake --build .* (bash|cmake) ' calls && fail "programs are to be built that are none of ours"
grep -qE '^cuda.op.forward +ok' page.txt || fail "ops are not told"
grep -qE '^GPU-losses-sessions-training +unfinished' page.txt || fail "a test that hangs is not told"
grep -qE '^bench sam_vit_b +ok' page.txt || fail "no benchmark"
grep -qE '^profile sam_vit_b +unfinished' page.txt || fail "a profile that hangs is not told"
grep -qE '^bench trainer, batch 16.* ok' page.txt || fail "a profile that hangs eats the other benchmarks"
grep -qE '^ncu' page.txt || fail "no kernels"
[ "$(ls out | tr '\n' ' ')" = 'gpu.log page.md profiles.txt ' ] || fail "files: $(ls out)"
grep -n ctest calls | head -n 1 | grep -q 'mma|op' || fail "ops are not first"
grep -q 'ncu .*--kernel-name' calls || fail "ncu is not asked for kernels"
grep -q 'ncu .*--clock-control none' calls || fail "ncu sets clocks of a card that others have next"

program compute-sanitizer <<'TXT'
echo "compute-sanitizer $*" >>../../calls
case $* in
*racecheck*gradient16*) sleep 600 ;;
*memcheck*loss*) echo "========= Invalid __global__ read of size 4 bytes" && exit 3 ;;
esac
exit 0
TXT
rm calls
# ViT-H's weights take all that is left; what is stopped has ten seconds for it.
start=$SECONDS
bash "$script" rest --limit 100 --build build --out out >page.txt 2>&1 && fail "a finding is success"
second=$((SECONDS - start))
[ $second -le 112 ] || fail "the second call took $second s of 100"
grep -q 'cmake' calls && fail "it builds again"
grep -qE '^memcheck op_test forward +ok' page.txt || fail "no memory check"
grep -qE '^memcheck cuda_loss_test +FAILED +exit 3, 1 findings' page.txt || fail "no finding"
grep -qE '^racecheck op_test gradient16 +unfinished' page.txt || fail "a check that hangs is not told"
grep -q 'initcheck' calls && fail "initcheck takes the time of the others"
grep -qE 'ctest .* -E .*cuda.op.forward' calls || fail "what passed is run again"
grep -qE 'ctest .* -E .*cuda.session' calls && fail "what hung is not run again"
grep -qE '^tests-that-are-left +ok' page.txt || fail "no tests"
grep -qE '^cuda.golden.sam_vit_l.bf16 +ok' page.txt || fail "no large golden"
grep -qE '^cuda.golden.sam_vit_h +left-out' page.txt || fail "weights that take too long are not told"
grep -qE '^bench mobile_sam +ok' page.txt || fail "no benchmark in the second call"
[ "$(ls out | tr '\n' ' ')" = 'gpu.log page.md profiles.txt ' ] || fail "files: $(ls out)"

# Training takes the settings it is given, and brings the end back.
printf 'init = a.safetensors\nbatch = 32\nminutes = 5\n' >walks.cfg
: >a.pack
rm calls
bash "$script" train --config walks.cfg --pack a.pack --set minutes=7 --limit 140 --build build --out out3 >page.txt 2>&1 ||
    fail "no training"
grep -qE 'segmodel train .*--data .*--device cuda' calls || fail "nothing is trained"
for line in 'init = a.safetensors' 'batch = 32' 'minutes = 7'; do
    grep -qx "$line" build/train/run.cfg || fail "settings without '$line'"
done
[ -f out3/last.safetensors ] || fail "the end is not brought back"

# Attention by wgmma: a build of its own, timed beside the ordinary one, and only when its tests pass.
rm calls
bash "$script" wgmma --limit 120 --build build --out out4 >page.txt 2>&1 || fail "no wgmma"
grep -q 'cmake -S .* -B .*/build/wgmma .*-DSEGMODEL_CUDA_ARCHITECTURES=90a -DSEGMODEL_CUDA_WGMMA=ON' calls || fail "not built with wgmma"
grep -qE 'ctest --test-dir .*/build/wgmma .*--no-tests=error' calls || fail "wgmma is not tested, or may be by no test"
grep -qE '^cuda.op.forward +ok' page.txt || fail "ops with wgmma are not told"
for way in mma.sync wgmma; do
    grep -qE "^bench sam_vit_b, attention by $way +ok" page.txt || fail "no benchmark of $way"
done
rm calls
bash "$script" build wgmma --limit 120 --build build --out out4 >page.txt 2>&1 || fail "no build and wgmma"
grep -q 'cmake --build .*/build/wgmma ' calls || fail "an older build with wgmma is taken for this one"
touch other_card && rm calls
bash "$script" wgmma --limit 120 --build build --out out4 >page.txt 2>&1 || fail "another card is a failure"
grep -qE '^attention by wgmma +left-out +it wants a Hopper' page.txt || fail "another card is not told"
grep -q 'ctest' calls 2>/dev/null && fail "another card tries wgmma"
rm other_card

touch no_gpu && rm -f calls
start=$SECONDS
bash "$script" lease --build build2 --out out2 >page.txt 2>&1 && fail "no GPU is success"
[ $((SECONDS - start)) -le 5 ] || fail "it goes on without a GPU"
grep -q "couldn't communicate" page.txt || fail "it does not say why"
[ ! -e calls ] || fail "it builds without a GPU"

touch mute
start=$SECONDS
bash "$script" lease --build build2 --out out2 >page.txt 2>&1 && fail "a mute driver is success"
[ $((SECONDS - start)) -le 40 ] || fail "it waits for a mute driver"
grep -q "does not answer in 20 s" page.txt || fail "it does not say that the driver is mute"
[ ! -e calls ] || fail "it builds for a mute driver"

rm mute no_gpu && touch old
bash "$script" lease --build build2 --out out2 >page.txt 2>&1 && fail "a driver too old is success"
grep -q "^a GPU for segmodel *FAILED *a driver for CUDA 13" page.txt || fail "it does not say why"
grep -qE 'ctest|bench' calls && fail "it goes on with a driver too old"
echo "rehearsed calls took $took s of 150 and $second s of 100"
