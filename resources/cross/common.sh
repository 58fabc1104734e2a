#!/usr/bin/env bash
# usage: build [TARGET ...]   the model library, its program and the Python wheel for other systems
# TARGETs: linux-x86_64 linux-aarch64 windows-x86_64 macos-x86_64 macos-aarch64; none: all.
# Results: build/cross/TARGET, build/cross/wheels.
set -euo pipefail
cd "$(dirname "$0")/../.."
here=$PWD/resources/cross
root=$PWD/build/cross
all=(linux-x86_64 linux-aarch64 windows-x86_64 macos-x86_64 macos-aarch64)
tools="ziglang==0.17.0 scikit-build-core>=0.10,<1 wheel auditwheel delocate delvewheel"

# The compiler and the tools that look at wheels, in an environment of their own.
prepare() {
    if [ ! -e "$root/env/ready-1" ]; then
        rm -rf "$root/env"
        mkdir -p "$root"
        python3 -m venv "$root/env"
        "$root/env/bin/pip" install --quiet --disable-pip-version-check --no-compile $tools
        touch "$root/env/ready-1"
    fi
    zig=$("$root/env/bin/python" -c 'import os, ziglang; print(os.path.join(os.path.dirname(ziglang.__file__), "zig"))')
    export ZIG_GLOBAL_CACHE_DIR=$root/cache ZIG_LOCAL_CACHE_DIR=$root/cache
}

# describe TARGET: sets triple, system, processor, tag and library.
describe() {
    processor=${1#*-} system=Linux library=libsegmodel.so
    case $1 in
    linux-x86_64) triple=x86_64-linux-gnu.2.17 tag=manylinux2014_x86_64 ;;
    linux-aarch64) triple=aarch64-linux-gnu.2.17 tag=manylinux2014_aarch64 ;;
    windows-x86_64)
        triple=x86_64-windows-gnu tag=win_amd64 system=Windows library=segmodel.dll
        ;;
    macos-x86_64)
        triple=x86_64-macos.11.0 tag=macosx_11_0_x86_64 system=Darwin library=libsegmodel.dylib
        ;;
    macos-aarch64)
        triple=aarch64-macos.11.0 tag=macosx_11_0_arm64 system=Darwin library=libsegmodel.dylib
        ;;
    *) echo "cross: there is no target '$1': ${all[*]}" >&2 && return 1 ;;
    esac
}

# One program each, because CMake wants a compiler without a space.
make_tools() {
    mkdir -p "$1"
    local name
    for name in cc ar ranlib; do
        { echo '#!/bin/sh'
          if [ $name = cc ]; then
              echo "exec \"$zig\" cc -target $triple \"\$@\""
          else
              echo "exec \"$zig\" $name \"\$@\""
          fi
        } >"$1/$name"
        chmod +x "$1/$name"
    done
}

# compile TARGET NINJA-TARGET ...
compile() {
    local target=$1 tree=$root/$1
    shift
    describe "$target"
    make_tools "$tree/bin"
    mkdir -p "$tree"
    cmake -S segmodel -B "$tree/tree" -G Ninja -DCMAKE_BUILD_TYPE=Release -DSEGMODEL_CUDA=OFF \
        -DBUILD_TESTING=OFF -DCMAKE_TOOLCHAIN_FILE="$here/toolchain.cmake" \
        -DCROSS_SYSTEM="$system" -DCROSS_PROCESSOR="$processor" -DCROSS_BIN="$tree/bin" \
        -DCMAKE_C_FLAGS=-Werror >"$tree/configure.log" 2>&1 || { tail -30 "$tree/configure.log" && return 1; }
    cmake --build "$tree/tree" -j "$(nproc)" --target "$@" -- -k 0 >"$tree/build.log" 2>&1 ||
        { grep -E 'error|undefined' "$tree/build.log" | head -40 && return 1; }
}

# The wheel's own tool for each system says which libraries it wants; none but the system's may be.
check_wheel() {
    local size
    size=$(stat -c %s "$1")
    echo "$(basename "$1"): $size bytes"
    [ "$size" -lt 10000000 ]
    case $1 in
    *manylinux*)
        "$root/env/bin/auditwheel" show "$1" >"$root/audit.txt"
        grep -q "manylinux_2_17_" "$root/audit.txt" || { cat "$root/audit.txt" && return 1; }
        ;;
    *win_amd64*)
        "$root/env/bin/delvewheel" show "$1" >"$root/audit.txt" 2>&1
        ! grep -A9 'will be copied' "$root/audit.txt" | grep -qi '[.]dll (' || { cat "$root/audit.txt" && return 1; }
        ;;
    *macosx*)
        "$root/env/bin/delocate-listdeps" --all "$1" >"$root/audit.txt" 2>&1
        ! grep -v -E '^/usr/lib/libSystem|^$|\.whl' "$root/audit.txt" || { cat "$root/audit.txt" && return 1; }
        ;;
    esac
}

make_wheel() {
    local target=$1 raw=$root/$1/raw
    describe "$target"
    rm -rf "$raw" && mkdir -p "$root/wheels"
    rm -f "$root"/wheels/*"$tag"*
    local built
    built=$(readlink -f "$root/$target/tree/$library")
    # Without the host's own name for its compiler: nothing is compiled here.
    PATH="$root/env/bin:$PATH" "$root/env/bin/pip" wheel --quiet --disable-pip-version-check --no-deps \
        --no-build-isolation --wheel-dir "$raw" -C build-dir="$root/$target/wheel" \
        -C cmake.define.PROMPTSEG_LIBRARY="$built" plugin/python
    "$root/env/bin/python" -m wheel tags --remove --platform-tag "$tag" "$raw"/*.whl >/dev/null
    mv "$raw"/*.whl "$root/wheels/"
    check_wheel "$(echo "$root"/wheels/*"$tag"*.whl)"
}

[ $# -gt 0 ] || set -- "${all[@]}"
for target in "$@"; do describe "$target"; done
prepare
for target in "$@"; do
    echo "== $target"
    compile "$target" segmodel_shared segmodel_tool
    make_wheel "$target"
done
