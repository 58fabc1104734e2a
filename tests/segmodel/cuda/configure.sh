#!/usr/bin/env bash
# Configuring segmodel beside toolkits as people have them: an nvcc of our own answers as each would.
# Nothing is compiled.
#
#   configure.sh SEGMODEL_FOLDER WORK_FOLDER
set -euo pipefail
segmodel=$(realpath "$1")
rm -rf "$2" && mkdir -p "$2" && cd "$2"
failed=0

# toolkit NAME RELEASE CODES LIBRARY...: CODES "-" is an nvcc that knows no --list-gpu-code.
toolkit() {
    local name=$1 release=$2 codes=$3 library
    shift 3
    mkdir -p "$name/bin" "$name/lib64"
    cat >"$name/bin/nvcc" <<TXT
#!/bin/sh
case \$1 in
--list-gpu-code) [ "$codes" = - ] && exit 1; printf '%s\n' $codes ;;
--version) echo "Cuda compilation tools, release $release, V$release.1" ;;
*) exit 1 ;;
esac
TXT
    chmod +x "$name/bin/nvcc"
    for library in "$@"; do : >"$name/lib64/$library"; done
}

# says NAME WANTED_CODE TEXT [OPTION...]: what configuring with that toolkit answers.
says() {
    local name=$1 wanted=$2 text=$3 code=0 root
    shift 3
    root=$PWD/$name
    cmake -S "$segmodel" -B "$name/build" -DBUILD_TESTING=OFF -DSGM_NVCC="$root/bin/nvcc" \
        -DCMAKE_LIBRARY_PATH= "$@" >"$name.txt" 2>&1 || code=$?
    if [ $((code != 0)) != "$wanted" ] || ! tr -s ' \n' ' ' <"$name.txt" | grep -qF -- "$text"; then
        echo "$name: exit $code; wanted $wanted and \"$text\", found:"
        cat "$name.txt"
        failed=1
    fi
}

all="libcublas.so libcublasLt.so libcudart_static.a"
newest="sm_75 sm_80 sm_86 sm_89 sm_90 sm_100 sm_120"
toolkit newest 13.0 "$newest" $all
says newest 0 "CUDA module for sm 75 80 90a 100 120, and PTX of 80"
toolkit old 11.3 - $all
says old 0 "CUDA left out"
grep -qF "does not list what it can make code for" old.txt || { cat old.txt && failed=1; }
says old 1 "CUDA 11.4 or later is wanted" -DSEGMODEL_CUDA=ON
toolkit eleven 11.8 "sm_75 sm_80 sm_86 sm_89 sm_90" $all
says eleven 0 "CUDA module for sm 75 80 90, and PTX of 80"
# the option's two states, as the build files have them
toolkit hopper 13.0 "$newest" $all
says hopper 0 "CUDA module for sm 90a, and PTX of 90a, attention by wgmma" -DSEGMODEL_CUDA_WGMMA=ON \
    -DSEGMODEL_CUDA_ARCHITECTURES=90a
grep -rqs -- -DSGM_CUDA_WGMMA hopper/build ||
    { echo "hopper: the option changes nothing" && failed=1; }
grep -rqs -- -DSGM_CUDA_WGMMA newest/build && echo "newest: wgmma without its option" && failed=1
says eleven 1 "SEGMODEL_CUDA_WGMMA=ON wants code for sm_90a" -DSEGMODEL_CUDA_WGMMA=ON
toolkit strange 11.9 "sm_110" $all
says strange 1 "it knows sm_110"
# the libraries' packages without their development files
toolkit versions 13.0 "$newest" libcublas.so.13 libcublasLt.so.13 libcudart.so.13
says versions 0 "CUDA module for sm 75 80 90a 100 120, and PTX of 80" -DCMAKE_FIND_USE_CMAKE_SYSTEM_PATH=OFF
grep -E '^SGM_(CUBLAS|CUBLASLT|CUDART)' versions/build/CMakeCache.txt | grep -qv "$PWD/versions" &&
    echo "versions: other libraries were found" && failed=1
exit $failed
