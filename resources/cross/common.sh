# Sourced by build and test: a compiler for other systems, and what it makes of the model library.
# Results: build/cross/TARGET, build/cross/wheels.
here=$PWD/resources/cross
root=$PWD/build/cross
all=(linux-x86_64 linux-aarch64 windows-x86_64 macos-x86_64 macos-aarch64)
compiler="ziglang==0.17.0"
tools="scikit-build-core>=0.10,<1 wheel check-wheel-contents auditwheel delvewheel delocate==0.13.0
 macholib pyelftools pefile"

# The compiler and the tools that look at what it made, in an environment of their own.
prepare() {
    if [ ! -e "$root/env/ready-4" ]; then
        rm -rf "$root/env"
        mkdir -p "$root"
        python3 -m venv "$root/env"
        if ! "$root/env/bin/pip" install --quiet --disable-pip-version-check --no-compile \
            "$compiler" $tools 2>"$root/install.log"; then
            cat "$root/install.log" >&2
            echo "cross: nothing is built: the compiler ($compiler) and the tools that look at wheels" \
                "cannot be had from the index of Python packages" >&2
            return 1
        fi
        touch "$root/env/ready-4"
    fi
    zig=$("$root/env/bin/python" -c 'import os, ziglang; print(os.path.join(os.path.dirname(ziglang.__file__), "zig"))')
    export ZIG_GLOBAL_CACHE_DIR=$root/cache ZIG_LOCAL_CACHE_DIR=$root/cache
}

# describe TARGET: sets triple, system, processor, tag, library and program.
describe() {
    processor=${1#*-} system=Linux library=libsegmodel.so program=segmodel
    case $1 in
    linux-x86_64) triple=x86_64-linux-gnu.2.17 tag=manylinux2014_x86_64 ;;
    linux-aarch64) triple=aarch64-linux-gnu.2.17 tag=manylinux2014_aarch64 ;;
    windows-x86_64)
        triple=x86_64-windows-gnu tag=win_amd64 system=Windows library=segmodel.dll
        program=segmodel.exe
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

# One program each, because CMake wants a compiler without a space. What has not changed keeps its
# date: caches of compilers look at it.
make_tools() {
    mkdir -p "$1"
    local name line
    for name in cc ar ranlib; do
        line="exec \"$zig\" $name"
        [ $name != cc ] || line+=" -target $triple"
        line=$'#!/bin/sh\n'"$line \"\$@\""
        [ "$(cat "$1/$name" 2>/dev/null)" = "$line" ] || printf '%s\n' "$line" >"$1/$name"
        chmod +x "$1/$name"
    done
}

# compile TARGET NINJA-TARGET ...   With `emulator` set, ctest runs programs through it. -g0: zig has
# debugger's tables in all it makes, five times the code, with the paths of this machine.
compile() {
    local target=$1 tree=$root/$1
    shift
    describe "$target"
    make_tools "$tree/bin"
    cmake -S segmodel -B "$tree/tree" -G Ninja -DCMAKE_BUILD_TYPE=Release -DSEGMODEL_CUDA=OFF \
        -DBUILD_TESTING=ON -DCMAKE_TOOLCHAIN_FILE="$here/toolchain.cmake" \
        -DCROSS_SYSTEM="$system" -DCROSS_PROCESSOR="$processor" -DCROSS_BIN="$tree/bin" \
        -DCMAKE_CROSSCOMPILING_EMULATOR="${emulator:-}" -DCMAKE_C_FLAGS="-Werror -g0" \
        >"$tree/configure.log" 2>&1 || { tail -30 "$tree/configure.log" && return 1; }
    cmake --build "$tree/tree" -j "$(nproc)" --target "$@" -- -k 0 >"$tree/build.log" 2>&1 ||
        { grep -E 'error|undefined' "$tree/build.log" | head -40 && return 1; }
}
