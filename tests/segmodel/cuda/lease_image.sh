#!/usr/bin/env bash
# usage: lease_image.sh FOLDER [LIMIT]   both calls of a lease, `./dev gpu lease` and `./dev gpu rest`, on
# a machine image that has CMake, compilers and CUDA only: Debian 12 of debootstrap in FOLDER/image, the
# tracked tree in it, this machine's toolkit mounted read-only. LIMIT: seconds for each call (540). A second
# run goes on in FOLDER/image/promptseg, with the script of today.
#
# Everything is real but the card. nvidia-smi names one; after the build, the module that nvcc made gives
# its place to the same sources compiled for the host (emulation/), so that tests run as on a device, those
# of whole networks too slowly for their time, as a kernel that hangs would; benchmarks run on the CPU
# with the bundled model. Root's, for chroot; leaves nothing mounted. Prints what each call took.
set -euo pipefail
cd "$(dirname "$0")/../../.."
[ $# -gt 0 ] || { sed -n '2,4s/^# //p' "$0" && exit 1; }
mkdir -p "$1"
image=$(cd "$1" && pwd)/image limit=${2:-540}
toolkit=$(dirname "$(dirname "$(readlink -f "$(PATH=$PATH:/usr/local/cuda/bin command -v nvcc)")")")
script=tests/segmodel/cuda/gpu.sh

inside() { # COMMAND ...: in the image, its mounts gone with it
    IMAGE=$image TOOLKIT=$toolkit unshare --mount bash -c '
        mount --bind "$TOOLKIT" "$IMAGE/usr/local/cuda" && mount -o remount,bind,ro "$IMAGE/usr/local/cuda"
        mount -t proc proc "$IMAGE/proc" && mount -t tmpfs tmpfs "$IMAGE/tmp"
        exec chroot "$IMAGE" /usr/bin/env -i PATH=/stub:/usr/bin:/bin HOME=/root "$@"' - "$@"
}

program() { # NAME, its text from standard input
    { echo '#!/bin/bash' && cat; } >"$image/stub/$1"
    chmod +x "$image/stub/$1"
}

if [ ! -e "$image/ready" ]; then
    rm -rf "$image"
    debootstrap --variant=minbase --include=cmake,gcc,g++,make bookworm "$image" >"$1/debootstrap.log"
    touch "$image/ready"
fi
mkdir -p "$image/usr/local/cuda" "$image/stub"
if [ ! -e "$image/promptseg" ]; then
    mkdir "$image/promptseg"
    git archive HEAD | tar -x -C "$image/promptseg"
fi
cp "$script" "$image/promptseg/$script"

program nvidia-smi <<'TXT'
case $* in
-L) echo "GPU 0: an emulated card" ;;
*compute_cap*) echo 9.0 ;;
*) echo "an emulated card, 580.1, 143771 MiB" ;;
esac
TXT
program cmake <<'TXT'
/usr/bin/cmake "$@" || exit
[ "$1" = --build ] || exit 0
cmp -s /stub/segmodel "$2/segmodel" || cp "$2/segmodel" "$2/segmodel-real"
cp /stub/libsegmodel_cuda.so /stub/segmodel "$2/"
TXT
program segmodel <<'TXT'
cd "$(dirname "$0")" && real=./segmodel-real words=()
case $1 in
bench | train) ;;
*) exec $real "$@" ;;
esac
while [ $# -gt 0 ]; do
    case $1 in
    cuda) words+=(cpu) ;;
    bf16) words+=(fp32) ;;
    train) words+=(train) && [ ${#words[@]} -eq 2 ] && words+=(--precision fp32) ;;
    --variant) shift ;;
    --batch) words+=(--batch 2) && shift ;;
    */weights/*.safetensors) words+=(/promptseg/resources/models/promptseg-lite.safetensors) ;;
    512,512,300) words+=(96,96,24) ;;
    */run.cfg) sed -e 's/^steps.*/steps = 2/' -e 's/^batch.*/batch = 2/' "$1" >small.cfg && words+=(small.cfg) ;;
    *) words+=("$1") ;;
    esac
    shift
done
exec $real "${words[@]}"
TXT
program compute-sanitizer <<'TXT'
while [ "${1#--}" != "$1" ]; do [ "$1" = --error-exitcode ] || [ "$1" = --tool ] ||
    [ "$1" = --kernel-name-exclude ] && shift; shift; done
exec "$@"
TXT
program ncu <<'TXT'
while [ "${1##*/}" != segmodel ]; do shift; done
exec "$@"
TXT

# Before the first call, as a device is there before it.
if [ ! -e "$image/stub/libsegmodel_cuda.so" ]; then
    inside bash -c 'cd /promptseg/tests/segmodel/cuda && : | gcc -shared -x c - -o /usr/lib/libcuda.so.1 &&
        for f in ../../../segmodel/backend/cuda/*.cu emulation/*.cpp; do
            g++ -x c++ -std=c++17 -O2 -fPIC -ffp-contract=off -U_FORTIFY_SOURCE -DSGM_CUDA_EMULATION \
                -Iemulation -I../../../segmodel -I../../../segmodel/include -c "$f" \
                -o /tmp/$(basename "$f").o || exit; done
        g++ -shared -o /stub/libsegmodel_cuda.so /tmp/*.o'
fi

TIMEFORMAT="%0R s, of processors %0U s in programs, %0S s in the system"
for call in lease rest; do
    echo "== ./dev gpu $call, at most $limit s"
    time inside bash -c "cd /promptseg && ./dev gpu $call --limit $limit --out /out/$call" || true
    ls -l "$image/out/$call"
done
