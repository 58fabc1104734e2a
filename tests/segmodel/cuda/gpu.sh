#!/usr/bin/env bash
# Checks the CUDA backend on this machine, measures it, trains on it. Called by ./dev gpu.
# Wants CUDA, CMake and a C compiler; python3 with torch only for the comparison with PyTorch.
set -uo pipefail
root=$(cd "$(dirname "$0")/../../.." && pwd)

usage() {
    cat <<'TXT'
./dev gpu [PART ...] [options]      parts, in this order; without any: all but wgmma, train, rest, lease

  lease      what a GPU that is lent for minutes is asked first: build, tests and bench of sam_vit_b
             within 540 seconds, bench in any case; stops at once where no GPU answers
  rest       the call after it, 540 seconds too: memcheck and racecheck in half of them, then the
             tests that have not passed, mobile_sam's bench, ViT-L's and ViT-H's goldens
  build      segmodel alone, for the GPU of this machine (the other parts build only what is absent)
  tests      instructions and ops, losses, sessions, ten steps of training, goldens; each test has a
             time of its own, so that a kernel that hangs costs no more. ViT-L and ViT-H come last
  bench      encode at batch 1 and 8, decode, image to mask, a 512 x 512 x 300 volume, a training
             step; each result is compared with FP32 on the CPU before it is timed. A third of the
             call is kept for it. Where ncu is installed, 40 s of it on the kernels that matter
  wgmma      on Hopper: a second build with attention by wgmma, its ops and goldens, and if they
             pass the bench of ViT-B beside the ordinary build's
  rivals     the ViT encoders beside PyTorch, in turns, outputs compared first
  sanitize   memcheck, racecheck and initcheck of compute-sanitizer on the test programs
  train      settings (--config) on --pack; goes on where it stopped

  --limit N      seconds for this call (3600): what does not fit is left for the next one
  --build DIR    keeps everything between calls (build/gpu)
  --out DIR      copies the page of results, logs, and what training made to DIR
  --models LIST  of bench and rivals (sam_vit_b,mobile_sam,sam_vit_l,sam_vit_h)
  --pack FILE    of train: what PromptSegPack made, compact or not, packed by xz or not
  --config FILE  of train: its settings (resources/train/default.cfg)
  --set K=V      of train: a setting in place of the file's; repeatable, first call only

Every part leaves its rows in DIR/rows and its text in DIR/text; the page made of them is
DIR/page.md (COMMIT=... names the commit where there is no git). Without a GPU it builds everything,
runs what needs none, and says what was left out.
TXT
}

build=$root/build/gpu limit='' out='' pack='' models='' lease=''
config=$root/resources/train/default.cfg
tools=(memcheck racecheck initcheck)
parts=() settings=()
while [ $# -gt 0 ]; do
    case $1 in
    build | tests | bench | wgmma | rivals | sanitize | train) parts+=("$1") ;;
    lease) lease=1 && parts+=(build tests bench) ;;
    rest) lease=1 && parts+=(rest) && tools=(memcheck racecheck) ;;
    --limit | --build | --out | --models | --pack | --config | --set)
        if [ $# -lt 2 ]; then
            echo "gpu.sh: $1 wants a value" >&2
            exit 1
        fi
        case $1 in
        --limit) limit=$2 ;;
        --build) build=$2 ;;
        --out) out=$2 ;;
        --models) models=$2 ;;
        --pack) pack=$2 ;;
        --config) config=$2 ;;
        --set) settings+=("$2") ;;
        esac
        shift
        ;;
    -h | --help) usage && exit 0 ;;
    *) echo "gpu.sh: unknown argument '$1' (--help lists them)" >&2 && exit 1 ;;
    esac
    shift
done
[ ${#parts[@]} -gt 0 ] || parts=(build tests bench rivals sanitize)
if [ -n "$lease" ]; then
    limit=${limit:-540} models=${models:-sam_vit_b}
fi
limit=${limit:-3600} models=${models:-sam_vit_b,mobile_sam,sam_vit_l,sam_vit_h}
mkdir -p "$build/rows" "$build/text" "$build/weights" || exit 1
build=$(cd "$build" && pwd)
rows=$build/rows text=$build/text log=$build/gpu.log
goldens=$root/tests/segmodel/goldens
failed=0
: >"$log"

# ------------------------------------------------------------------------------------- rows

wanted() {
    local part
    for part in "${parts[@]}"; do [ "$part" = "$1" ] && return 0; done
    return 1
}

left() { echo $((limit - SECONDS)); }

row() { # FILE NAME RESULT NOTE
    printf '%-52s %-10s %s\n' "$2" "$3" "$4" | tee -a "$rows/$1"
    [ "$3" = FAILED ] && failed=1
}

# within SECONDS COMMAND...: what it calls has no more than these.
within() {
    local saved=$limit until=$((SECONDS + $1)) code
    shift
    if [ "$until" -lt "$limit" ]; then limit=$until; fi
    "$@"
    code=$?
    limit=$saved
    return $code
}

# check PART NAME COMMAND...: one row; the output stays in text/NAME and the log.
check() {
    local part=$1 name=$2 start=$SECONDS code output
    output=$text/$(tr -cs 'A-Za-z0-9_.\n' '-' <<<"$2")
    shift 2
    if [ "$(left)" -lt 10 ]; then
        row "$part" "$name" left-out "no time left; call again"
        return 124
    fi
    timeout -k 10 "$(left)" "$@" >"$output" 2>&1
    code=$?
    { echo "== $name" && cat "$output"; } >>"$log"
    case $code in
    0) row "$part" "$name" ok "$((SECONDS - start)) s" ;;
    77) row "$part" "$name" left-out "$(tail -n 1 "$output" | cut -c1-90)" ;;
    124 | 137) row "$part" "$name" unfinished "stopped after $((SECONDS - start)) s; call again" ;;
    *)
        row "$part" "$name" FAILED "$(tail -n 1 "$output" | cut -c1-120)"
        tail -n 15 "$output"
        ;;
    esac
    return $code
}

# The page: what every part has left so far.
page() {
    local name
    echo "# The CUDA backend on $(cat "$build/device" 2>/dev/null || echo 'no GPU')"
    echo
    echo "- date: $(date -u +'%F %H:%M UTC')"
    echo "- commit: ${COMMIT:-$(git -C "$root" describe --always --dirty --abbrev=10 2>/dev/null)}"
    echo "- driver: $(cat "$build/driver" 2>/dev/null || echo none)"
    echo "- nvcc: $(nvcc_version)"
    printf '\n## Checks\n\n```\n'
    for name in build tests sanitize rest bench wgmma rivals train; do
        [ -f "$rows/$name" ] && cat "$rows/$name"
    done
    printf '```\n'
    for name in "$text"/bench-*; do
        [ -f "$name" ] || continue
        printf '\n## %s\n\n```\n' "$(basename "$name")"
        grep -v '^$' "$name"
        printf '```\n'
    done
    [ -f "$text/rivals" ] && printf '\n## PyTorch\n\n' && cat "$text/rivals"
    return 0
}

nvcc_version() {
    local nvcc
    nvcc=$(command -v nvcc || echo /usr/local/cuda/bin/nvcc)
    "$nvcc" --version 2>/dev/null | sed -n 's/.*release \([^,]*\).*/\1/p'
}

finish() {
    page >"$build/page.md"
    echo
    for name in build tests sanitize rest bench wgmma rivals train; do
        if [ -f "$rows/$name" ]; then cat "$rows/$name"; fi
    done
    echo "$((SECONDS)) s; results in $build/page.md"
    if [ -n "$out" ]; then
        mkdir -p "$out" && cp "$build/page.md" "$log" "$out/"
        tail -n +1 "$build"/profile-*.txt >"$out/profiles.txt" 2>/dev/null
    fi
    exit $failed
}

# ------------------------------------------------------------------------------------ build

# A driver that has lost its card may not answer at all.
ask_driver() { timeout -k 5 20 nvidia-smi "$@"; }

# "90a" for Hopper, whose own instructions need the a; nothing without a GPU.
architecture() {
    local number
    number=$(ask_driver --query-gpu=compute_cap --format=csv,noheader 2>/dev/null | head -n 1 |
        tr -dc 0-9)
    [ "$number" = 90 ] && number=90a
    echo "$number"
}

# The programs of the tests that want a GPU: all that need be built where there is one. Tests that CMake
# or bash run have none.
gpu_programs() {
    find "$build/tests" -name CTestTestfile.cmake -exec grep -hE '^add_test\([^ ]*cuda' {} + |
        grep -vE 'emulated|loader' | sed -n "s|^[^\"]*\"$build/tests/\([^\"]*\)\".*|\1|p" |
        sed 's|.*/||' | sort -u
}

part_build() {
    local generator=() archs=() targets=() on=(-k) arch
    rm -f "$rows/build" "$build/libsegmodel_cuda.so"
    command -v ninja >/dev/null && generator=(-G Ninja) && on=(-k 0)
    arch=$(architecture)
    [ -n "$arch" ] && archs=("-DSEGMODEL_CUDA_ARCHITECTURES=$arch")
    check build "configure${arch:+ for sm_$arch}" cmake -S "$root/segmodel" -B "$build" \
        "${generator[@]}" "${archs[@]}" -DCMAKE_BUILD_TYPE=Release -DSEGMODEL_CUDA=ON \
        -DBUILD_TESTING=ON || finish
    if [ -n "$arch" ]; then
        mapfile -t targets < <(gpu_programs)
        targets=(--target segmodel_tool segmodel_cuda make_hash_model golden_test "${targets[@]}")
    fi
    # a test that cannot be built costs itself
    check build build cmake --build "$build" -j "$(nproc)" "${targets[@]}" -- "${on[@]}" && return
    if [ -z "$lease" ] || [ ! -x "$build/segmodel" ] || [ ! -f "$build/libsegmodel_cuda.so" ]; then finish; fi
}

# Without a GPU: the kernels run on the host, and one line says what was left out. Whoever was lent one
# hears why it does not do, and has the rest of the time.
without_gpu() {
    [ -s "$build/devices" ] || echo "segmodel devices does not answer in 60 s" >"$build/devices"
    if [ -n "$lease" ]; then
        row build "a GPU for segmodel" FAILED "$(tail -n 1 "$build/devices" | sed 's/^[a-z]*:* *//')"
        finish
    fi
    check build "kernels on the host (emulated)" ctest --test-dir "$build" -j "$(nproc)" \
        -R '^cuda\.(emulated|loader)' --output-on-failure
    row build "tests, sanitizer and benchmarks on a GPU" left-out \
        "$(tail -n 1 "$build/devices" | sed 's/^[a-z]*:* *//')"
    finish
}

# ------------------------------------------------------------------------------------ tests

# weights MODEL: a file of hash weights; as fast as trained ones. ViT-H's are 2.5 GB.
weights() {
    local file=$build/weights/$1.safetensors
    if [ ! -f "$file" ]; then
        [ "$(left)" -ge 10 ] && timeout -k 5 "$(left)" \
            "$(find "$build/tests" -name make_hash_model -type f | head -n 1)" \
            "$goldens/manifests/$1.txt" "$file.part" >>"$log" 2>&1 && mv "$file.part" "$file" || return 1
    fi
    echo "$file"
}

# The line of a test in ctest's output becomes a row.
test_rows() { # PART FILE
    local part=$1 results='Passed|Failed|Timeout|Skipped|Not Run|Exception'
    sed -nE "s/^ *[0-9]+\/[0-9]+ Test +#[0-9]+: ([^ ]+) \.* *\**($results)[^0-9]*([0-9.]*) sec.*/\1 \2 \3/p" \
        "$2" | sed 's/Not Run/Not-run/' | grep cuda | while read -r name result seconds; do
        case $result in
        Passed) row "$part" "$name" ok "$seconds s" ;;
        Skipped) row "$part" "$name" left-out "its output is in gpu.log" ;;
        *) row "$part" "$name" FAILED "$result; its output is in gpu.log" ;;
        esac
    done
}

large_goldens() { # PART
    local part=$1 model precision file
    for model in sam_vit_l sam_vit_h; do
        if ! file=$(weights "$model"); then
            row "$part" "cuda.golden.$model" left-out "no weights: no time left, or see gpu.log"
            continue
        fi
        for precision in fp32 bf16; do
            check "$part" "cuda.golden.$model.$precision" env LD_LIBRARY_PATH="$build" \
                "$(find "$build/tests" -name golden_test -type f | head -n 1)" "$model" "$file" \
                "$goldens/$model" "$precision" cuda
        done
    done
}

# stage NAME SECONDS REGEX: tests of one kind, each with a time of its own.
stage() {
    rm -f "$text/$1"
    check tests "$1" ctest --test-dir "$build" -L gpu -R "$3" -j 4 --timeout "$2" \
        --output-on-failure
    if [ -f "$text/$1" ]; then test_rows tests "$text/$1"; fi
}

stages() {
    stage GPU-ops 60 '^cuda\.(mma|op\.)'
    stage GPU-losses-sessions-training 120 '^(cuda\.(losses|session|train)|golden\.train\.)'
    stage GPU-goldens 90 '^cuda\.golden'
}

part_tests() {
    local kept=0
    rm -f "$rows/tests"
    if wanted bench; then kept=$((limit * 35 / 100)); fi
    within $(($(left) - kept)) stages
}

# ---------------------------------------------------------------------------------- sanitizer

# cuBLAS's kernels are left to NVIDIA, where the tool knows the option.
find_sanitizer() {
    local name kernels=()
    sanitizer=$(PATH=$PATH:/usr/local/cuda/bin command -v compute-sanitizer) || return 1
    for name in cublas cutlass gemm gemv splitK nvjet; do
        kernels+=(--kernel-name-exclude "kernel_substring=$name")
    done
    if timeout -k 5 60 "$sanitizer" "${kernels[@]}" "$build/segmodel" devices --device cuda >>"$log" 2>&1; then
        filter=("${kernels[@]}")
    fi
    return 0
}

# In the background, several at once: the GPU waits for the tool most of the time.
sanitize_one() { # TOOL PROGRAM MODE SECONDS
    local name="$1 ${2#*/} $3" key="$1-${2#*/}-$3" mode=() output code errors start=$SECONDS
    output=$text/sanitize-$key
    [ -n "$3" ] && mode=("$3" cuda)
    if [ -f "$state/$key" ]; then
        row sanitize "$name" ok "in an earlier call, same module"
        return
    fi
    (cd "$build/sanitize" && LD_LIBRARY_PATH=$build timeout -k 10 "$4" "$sanitizer" --tool "$1" \
        --error-exitcode 3 "${filter[@]}" "$build/tests/$2" "${mode[@]}") >"$output" 2>&1
    code=$?
    errors=$(grep -cE '^========= .*(Invalid|hazard|Uninitialized|error )' "$output")
    case $code in
    0) row sanitize "$name" ok "$((SECONDS - start)) s" && touch "$state/$key" ;;
    77) row sanitize "$name" left-out "$(tail -n 1 "$output" | cut -c1-90)" ;;
    124 | 137)
        if [ "$errors" -eq 0 ]; then
            row sanitize "$name" unfinished "nothing found in $((SECONDS - start)) s"
        else
            row sanitize "$name" FAILED "$errors findings in $((SECONDS - start)) s: $output"
        fi
        ;;
    *) row sanitize "$name" FAILED "exit $code, $errors findings: $output" ;;
    esac
}

part_sanitize() {
    local sanitizer='' filter=() tool mode program each state
    rm -f "$rows/sanitize"
    if ! find_sanitizer; then
        row sanitize compute-sanitizer left-out "not installed"
        return
    fi
    # what passed with this very module need not be done again
    state=$build/state-$(cksum <"$build/libsegmodel_cuda.so" | tr ' ' -)
    mkdir -p "$state" "$build/sanitize"
    each=$(($(left) / ${#tools[@]} - 5))
    for tool in "${tools[@]}"; do
        if [ "$each" -lt 20 ]; then
            row sanitize "$tool" left-out "no time left; call again"
            continue
        fi
        for mode in forward bf16 gradient gradient16; do
            sanitize_one "$tool" op/op_test "$mode" "$each" &
        done
        for program in cuda/cuda_loss_test cuda/mma_test cuda/cuda_train_test; do
            sanitize_one "$tool" "$program" '' "$each" &
        done
        wait
    done
    if grep -q FAILED "$rows/sanitize"; then failed=1; fi
}

# ------------------------------------------------------------------------------- what is left

# The tests whose row of an earlier call does not say ok; all of them on a fresh machine.
part_rest() {
    local passed
    rm -f "$rows/rest" "$text/tests-that-are-left"
    within $((limit * 55 / 100)) part_sanitize
    passed=$(awk '$1 ~ /^cuda\./ && $2 == "ok" { print $1 }' "$rows/tests" 2>/dev/null |
        paste -sd '|')
    within $(($(left) * 60 / 100)) check rest tests-that-are-left ctest --test-dir "$build" -L gpu \
        -E "^(${passed:-none})\$" -j 4 --timeout 90 --output-on-failure
    if [ -f "$text/tests-that-are-left" ]; then test_rows rest "$text/tests-that-are-left"; fi
    bench_model rest mobile_sam
    if [ "$(left)" -gt 60 ]; then large_goldens rest; fi
}

# --------------------------------------------------------------------------------- benchmarks

bench_model() { # PART MODEL
    local file
    if ! file=$(weights "$2"); then
        row "$1" "bench $2" FAILED "no weights: see $log"
        return
    fi
    check "$1" "bench $2" "$build/segmodel" bench "$file" --variant "$2" --device cuda
    within 40 check "$1" "profile $2" "$build/segmodel" bench "$file" --variant "$2" --device cuda \
        --precision bf16 --batch 8 --repeat 1 --profile
    cp "$text/profile-$2" "$build/profile-$2.txt" 2>/dev/null
}

# In a lease a benchmark that hangs costs half of what is left.
share() { # COMMAND...
    if [ -n "$lease" ]; then
        within $(($(left) / 2)) "$@"
    else
        "$@"
    fi
}

part_bench() {
    local model file batch
    rm -f "$rows/bench" "$text"/bench-*
    for model in ${models//,/ }; do
        share bench_model bench "$model"
    done
    file=$(weights sam_vit_b) && kernels sam_vit_b "$file"
    [ -n "$file" ] && share check bench "bench volume 512x512x300, sam_vit_b bf16" \
        "$build/segmodel" bench volume "$file" "$build/phantom.npy" "$build/labels.npy" \
        --phantom 512,512,300 --variant sam_vit_b --device cuda --precision bf16
    rm -f "$build/phantom.npy" "$build/labels.npy"
    share check bench "bench training step, batch 16" "$build/segmodel" bench train \
        "$root/resources/train/default.cfg" --device cuda
    share check bench "bench training step, batch 128" "$build/segmodel" bench train \
        "$root/resources/train/default.cfg" --device cuda --batch 128
    for batch in 16 128; do
        share whole_trainer "$batch"
    done
}

# Kernels by name: what binds each of them.
kernels() { # MODEL FILE
    local ncu
    ncu=$(PATH=$PATH:/usr/local/cuda/bin command -v ncu) || return 0
    within 40 check bench "ncu: attention, norms, elementwise" "$ncu" --clock-control none \
        --kernel-name 'regex:flash_kernel|layernorm_row|binary_kernel|permute_kernel' \
        --launch-count 12 --section SpeedOfLight --section LaunchStats --section Occupancy \
        "$build/segmodel" bench "$2" --variant "$1" --device cuda --precision bf16 --batch 8 \
        --repeat 1
    cp "$text/ncu-attention-norms-elementwise" "$build/profile-ncu.txt" 2>/dev/null
}

# Images per second of the trainer with everything: loader, optimiser, averages.
whole_trainer() { # BATCH
    local folder=$build/trainer
    rm -rf "$folder" && mkdir -p "$folder"
    make_settings "$root/resources/train/default.cfg" "$folder/run.cfg" "batch=$1" synthetic=1 minutes=0 steps=300 report_every=100 \
        validate_every=0 save_every=0 validate_objects=0
    check bench "bench trainer, batch $1, synthetic images" "$build/segmodel" train \
        "$folder/run.cfg" --out "$folder/out" --device cuda
    rm -rf "$folder"
}

# Bench of ViT-B in BF16, a batch of 8. NAME FOLDER
bench_attention() {
    local file
    file=$(weights sam_vit_b) || return 1
    within 60 check wgmma "bench sam_vit_b, attention by $1" "$2/segmodel" bench "$file" \
        --variant sam_vit_b --device cuda --precision bf16 --batch 8
}

# A second build beside the first, so that both meet the same card in the same minute.
part_wgmma() {
    local folder=$build/wgmma generator=()
    rm -f "$rows/wgmma"
    if [ "$(architecture)" != 90a ]; then
        row wgmma "attention by wgmma" left-out "it wants a Hopper"
        return
    fi
    command -v ninja >/dev/null && generator=(-G Ninja)
    if wanted build; then rm -f "$folder/libsegmodel_cuda.so"; fi # it may be of older sources
    if [ ! -f "$folder/libsegmodel_cuda.so" ]; then
        check wgmma "configure with wgmma" cmake -S "$root/segmodel" -B "$folder" "${generator[@]}" \
            -DSEGMODEL_CUDA_ARCHITECTURES=90a -DSEGMODEL_CUDA_WGMMA=ON -DCMAKE_BUILD_TYPE=Release \
            -DSEGMODEL_CUDA=ON -DBUILD_TESTING=ON &&
            check wgmma "build with wgmma" cmake --build "$folder" -j "$(nproc)" --target segmodel_tool \
                segmodel_cuda op_test golden_test make_hash_model || return
    fi
    check wgmma tests-with-wgmma ctest --test-dir "$folder" -L gpu -j 4 --timeout 60 --output-on-failure \
        --no-tests=error -R '^cuda\.(op\.(forward|bf16)|golden\.(sam|medsam|sam_vit_b.*))$' || return
    test_rows wgmma "$text/tests-with-wgmma"
    bench_attention mma.sync "$build"
    bench_attention wgmma "$folder"
}

part_rivals() {
    local model file entries=() code
    rm -f "$rows/rivals" "$text/rivals"
    if ! command -v python3 >/dev/null; then
        row rivals PyTorch left-out "no python3"
        return
    fi
    for model in ${models//,/ }; do
        [ "$model" = mobile_sam ] && continue
        file=$(weights "$model") && entries+=("$model=$file")
    done
    timeout -k 10 "$(left)" python3 "$root/Testing/bench/rivals/gpu_race.py" "$build/segmodel" \
        "$build/race" "${entries[@]}" >"$text/rivals" 2>>"$log"
    code=$?
    case $code in
    0) row rivals "PyTorch, outputs compared" ok "$(grep -c '^| sam' "$text/rivals") rows" ;;
    77) row rivals PyTorch left-out "$(tail -n 1 "$text/rivals")" ;;
    124 | 137)
        row rivals PyTorch unfinished "$(grep -c '^| sam' "$text/rivals") rows; see --models"
        ;;
    *) row rivals PyTorch FAILED "$(tail -n 1 "$log" | cut -c1-120)" ;;
    esac
}

# ----------------------------------------------------------------------------------- training

# The pack as segmodel reads it, which takes compact ones too.
unpack() {
    [ -f "$build/train/data.pack" ] && return 0
    if [ ! -f "$pack" ]; then
        echo "no pack: --pack FILE wants one (resources/train/README.md)"
        return 1
    fi
    if [ "${pack%.xz}" = "$pack" ]; then
        cp "$pack" "$build/train/data.part"
    else
        "$build/segmodel" unpack "$pack" "$build/train/data.part"
    fi && mv "$build/train/data.part" "$build/train/data.pack"
}

# Settings with other values, and as many loader threads as there are cores to spare.
make_settings() { # FROM FILE KEY=VALUE...
    local from=$1 to=$2 entry cores
    shift 2
    [ -f "$to" ] && return
    cores=$(nproc)
    sed '/^loader_threads/d' "$from" >"$to"
    echo "loader_threads = $((cores > 4 ? cores - 2 : 1))" >>"$to"
    for entry in "$@"; do
        sed -i "/^${entry%%=*} *=/d" "$to"
        echo "${entry%%=*} = ${entry#*=}" >>"$to"
    done
}

# Files to take along are at most 16 MiB: a larger model goes as F16.
bring_back() {
    local file
    [ -n "$out" ] || return 0
    mkdir -p "$out"
    for file in best.safetensors last.safetensors; do
        [ -f "$build/train/out/$file" ] || continue
        if [ "$(stat -c %s "$build/train/out/$file")" -le $((16 << 20)) ]; then
            cp "$build/train/out/$file" "$out/"
        else
            "$build/segmodel" convert "$build/train/out/$file" "$out/$file" --dtype f16 >>"$log" 2>&1
        fi
    done
    for file in log.csv curves.png; do cp "$build/train/out/$file" "$out/" 2>/dev/null; done
}

part_train() {
    local resume=() code
    rm -f "$rows/train"
    mkdir -p "$build/train"
    if ! unpack >"$build/train/unpack.txt" 2>&1; then
        row train "training" left-out "$(tail -n 1 "$build/train/unpack.txt")"
        return
    fi
    make_settings "$config" "$build/train/run.cfg" "${settings[@]}"
    if [ -f "$build/train/out/state.safetensors" ]; then
        resume=(--resume)
    else
        rm -rf "$build/train/out" # of a part that ended before it saved anything to go on with
    fi
    if [ "$(left)" -lt 90 ]; then
        row train training left-out "no time left; call again"
        return
    fi
    # asked to stop, it saves its state
    timeout -s INT -k 60 "$(($(left) - 45))" "$build/segmodel" train "$build/train/run.cfg" \
        --data "$build/train/data.pack" --out "$build/train/out" --device cuda "${resume[@]}" \
        2>&1 | tee -a "$build/train/train.txt" | grep --line-buffered -E 'validation|^segmodel'
    code=${PIPESTATUS[0]}
    case $code in
    0) row train training ok "$(tail -n 1 "$build/train/train.txt" | cut -c1-90)" ;;
    124 | 130)
        row train training unfinished \
            "$(grep '^step' "$build/train/train.txt" | tail -n 1 | cut -c1-90)"
        ;;
    *) row train training FAILED "$(tail -n 1 "$build/train/train.txt" | cut -c1-120)" ;;
    esac
    bring_back
}

# --------------------------------------------------------------------------------------- all

# Without it every minute of the build would be lost.
gpu_answers() {
    local said
    said=$(ask_driver -L 2>&1) && [ -n "$said" ] && return
    [ $? -eq 124 ] && said="does not answer in 20 s"
    row build "a GPU" FAILED "nvidia-smi: $(tail -n 1 <<<"${said:-lists none}" | cut -c1-90)"
    finish
}

[ -n "$lease" ] && gpu_answers
if wanted build || [ ! -x "$build/segmodel" ]; then part_build; fi
timeout -k 5 60 "$build/segmodel" devices --device cuda >"$build/devices" 2>&1 || without_gpu
sed -n 's/^cuda *//p' "$build/devices" >"$build/device"
ask_driver --query-gpu=name,driver_version,memory.total --format=csv,noheader 2>/dev/null |
    head -n 1 >"$build/driver"
for part in tests bench wgmma rivals sanitize rest train; do
    wanted "$part" || continue
    case $part in
    tests) part_tests ;;
    bench) part_bench ;;
    wgmma) part_wgmma ;;
    rivals) part_rivals ;;
    sanitize) part_sanitize ;;
    rest) part_rest ;;
    train) part_train ;;
    esac
done
if wanted tests && [ "$(left)" -gt 60 ]; then large_goldens tests; fi
finish
