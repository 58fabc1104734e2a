#!/usr/bin/env bash
# usage: run_package.sh BUILD CONSUMER WORK MODEL DEMO ...
# Installs what developers need, moves it, and builds and runs a project that only knows its place.
set -euo pipefail
build=$1 consumer=$2 work=$3 model=$4 demo=$5
rm -rf "$work" && mkdir -p "$work"
for component in segmodel_development promptseg_development; do
    cmake --install "$build" --prefix "$work/first" --component "$component" >"$work/install.log"
done
mv "$work/first" "$work/moved place"
if grep -rIl "$work/first" "$work/moved place"; then
    echo "these files know where they were installed" >&2
    exit 1
fi
# configure NAME ARGS...: a build tree of the consumer, which is told no more than ARGS.
configure() {
    local name=$1
    shift
    cmake -S "$consumer" -B "$work/$name" -DCMAKE_BUILD_TYPE=Release "$@" >"$work/configure.log" 2>&1 || {
        tail -20 "$work/configure.log" >&2
        exit 1
    }
}
prefix=-DCMAKE_PREFIX_PATH="$work/moved place"
configure cxx_only "$prefix" -DCXX_ONLY=ON
# By the folder of the package alone, installed and of a build: segmodel lies beside it.
config=$(find "$work/moved place" -name PromptSegITKConfig.cmake)
configure by_folder -DPromptSegITK_DIR="$(dirname "$config")"
configure of_build -DPromptSegITK_DIR="$build/plugin/itk"
configure build "$prefix"
cmake --build "$work/build" >"$work/build.log" 2>&1 || { tail -40 "$work/build.log" >&2 && exit 1; }
voxels=$("$work/build/consumer" "$model" "$demo/brain1/image.nrrd" 52.5 20.5 6.5)
echo "$voxels voxels"
[ "$voxels" -gt 0 ]
