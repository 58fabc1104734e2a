#!/usr/bin/env bash
# Checks the CUDA backend on this machine: builds segmodel alone, runs its tests on the GPU, the
# kernels under compute-sanitizer, and the benchmarks; prints one table. Wants CUDA, CMake and a C
# compiler. Without a GPU it builds, runs what needs none, and says what was left out.
#
#   gpu.sh [build folder]        default: build/gpu in the project's folder
set -uo pipefail
root=$(cd "$(dirname "$0")/../../.." && pwd)
build=${1:-$root/build/gpu}
mkdir -p "$build" || exit 1
log=$build/gpu.log
: >"$log"
rows=()
failed=0

row() { rows+=("$(printf '%-52s %-10s %s' "$1" "$2" "$3")"); }

# check NAME COMMAND...: one row; the output goes to the log, and its last line, if short, to the
# table.
check() {
    local name=$1 start=$SECONDS code
    shift
    echo "== $name" | tee -a "$log"
    "$@" >"$build/gpu.out" 2>&1
    code=$?
    cat "$build/gpu.out" >>"$log"
    case $code in
    0)
        local note=
        grep -q '\*\*\*Skipped' "$build/gpu.out" && note=", with tests left out: see $log"
        row "$name" ok "$((SECONDS - start)) s$note"
        ;;
    77) row "$name" left-out "$(tail -n 1 "$build/gpu.out" | cut -c1-90)" ;;
    *)
        row "$name" FAILED "see $log"
        tail -n 15 "$build/gpu.out"
        failed=1
        ;;
    esac
    return $code
}

finish() {
    echo
    printf '%s\n' "${rows[@]}"
    exit $failed
}

generator=()
command -v ninja >/dev/null && generator=(-G Ninja)
check "configure" cmake -S "$root/segmodel" -B "$build" "${generator[@]}" \
    -DCMAKE_BUILD_TYPE=Release -DSEGMODEL_CUDA=ON -DBUILD_TESTING=ON || finish
check "build" cmake --build "$build" -j "$(nproc)" || finish

check "kernels on the host (emulated)" ctest --test-dir "$build" -R '^cuda\.(emulated|loader)' \
    --output-on-failure
if ! "$build/segmodel" devices --device cuda >"$build/gpu.out" 2>&1; then
    row "tests, sanitizer and benchmarks on a GPU" left-out \
        "$(tail -n 1 "$build/gpu.out" | sed 's/^[a-z]*:* *//')"
    finish
fi
row "device" "" "$(grep '^cuda' "$build/gpu.out" | cut -c8-)"
command -v nvidia-smi >/dev/null && row "driver" "" \
    "$(nvidia-smi --query-gpu=name,driver_version,memory.total --format=csv,noheader | head -n 1)"

# Tests on the GPU, one row each.
while read -r name; do
    check "$name" ctest --test-dir "$build" -R "^${name//./\\.}\$" --output-on-failure
done < <(ctest --test-dir "$build" -N -L gpu | sed -n 's/^ *Test *#[0-9]*: //p')

# Every own kernel runs in these programs. cuBLAS's are left to NVIDIA.
sanitizer=$(command -v compute-sanitizer || ls /usr/local/cuda/bin/compute-sanitizer 2>/dev/null)
if [ -n "$sanitizer" ]; then
    for tool in memcheck racecheck initcheck; do
        for program in "op/op_test forward cuda" "op/op_test bf16 cuda" \
            "op/op_test gradient cuda" "cuda/cuda_loss_test"; do
            # shellcheck disable=SC2086
            LD_LIBRARY_PATH=$build check "$tool ${program#*/}" "$sanitizer" --tool $tool \
                --error-exitcode 3 --kernel-name-exclude "regex:(cublas|cutlass|gemm|gemv|splitK)" \
                "$build/tests/"$program
        done
    done
else
    row "compute-sanitizer" left-out "not installed"
fi

# Random weights are as fast as trained ones.
for variant in sam_vit_b mobile_sam; do
    weights=$build/tests/golden/$variant.safetensors
    for precision in bf16 fp32; do
        [ -f "$weights" ] || continue
        if check "bench $variant $precision" "$build/segmodel" bench "$weights" --variant \
            "${variant/sam_vit_b/sam}" --device cuda --precision $precision; then
            while read -r text; do row "    $text" "" ""; done <"$build/gpu.out"
        fi
    done
done
finish
