#!/usr/bin/env bash
# usage: run_sanitized.sh PYTHON LIBRARY PROGRAM WORK RUNTIME
# The package's tests with a library and programs under ASan and UBSan. The interpreter is not: it
# loads the sanitizer's RUNTIME first. Leaks are not looked for, an interpreter keeps its own; nor is
# there a wheel, which must not need such a library.
set -euo pipefail
python=$1 library=$2 program=$3 work=$4 runtime=$5
here=$(cd "$(dirname "$0")/.." && pwd)
mkdir -p "$work"
. "$here/tests/environment.sh"

package="$work/package/promptseg"
rm -rf "$work/package" && mkdir -p "$package/models"
cp "$here"/promptseg/*.py "$package"
cp "$here/../../LICENSE" "$package"
cp "$here/../../resources/models/promptseg-lite.safetensors" "$here/../../resources/models/README.md" \
    "$package/models"
cd "$work"
PYTHONPATH="$work/package" PROMPTSEG_LIBRARY="$library" PROMPTSEG_PROGRAM="$program" \
    PROMPTSEG_DEMO="$here/../../resources/demo" PROMPTSEG_SANITIZED=1 PYTHONMALLOC=malloc \
    ASAN_OPTIONS=detect_leaks=0:allocator_may_return_null=1 UBSAN_OPTIONS=print_stacktrace=1 \
    LD_PRELOAD="$runtime" \
    "$tool/python" -m pytest -q -p no:cacheprovider "$here/tests" ${PYTEST_ARGS:-}
