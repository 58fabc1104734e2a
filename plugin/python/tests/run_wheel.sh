#!/usr/bin/env bash
# usage: run_wheel.sh PYTHON LIBRARY PROGRAM WORK
# Builds the wheel around the library of this build, looks at it as an index would, installs it
# offline into a fresh environment and runs the package's tests there. 77: no Python packages to be
# had (not in CI).
set -euo pipefail
python=$1 library=$2 program=$3 work=$4
here=$(cd "$(dirname "$0")/.." && pwd)
mkdir -p "$work"

. "$here/tests/environment.sh"

rm -rf "$work/raw" "$work/wheel" "$work/fresh"
PATH="$tool:$PATH" "$tool/pip" wheel --quiet --disable-pip-version-check --no-deps \
    --no-build-isolation --wheel-dir "$work/raw" --config-settings build-dir="$work/build" \
    --config-settings cmake.define.PROMPTSEG_LIBRARY="$library" "$here"
PATH="$tool:$PATH" "$tool/auditwheel" repair --plat auto --wheel-dir "$work/wheel" "$work"/raw/*.whl \
    >"$work/auditwheel.log" 2>&1 || { cat "$work/auditwheel.log" && exit 1; }
wheel=$(echo "$work"/wheel/*.whl)
size=$(stat -c %s "$wheel")
echo "$(basename "$wheel"): $size bytes"
case $(basename "$wheel") in
promptseg-*-py3-none-*manylinux*.whl) ;;
*) echo "the wheel's name does not fit any Python 3 on any Linux" && exit 1 ;;
esac
[ "$size" -lt 10000000 ]

# numpy and what the tests need are seen through the other environment; promptseg is not there.
"$python" -m venv --without-pip "$work/fresh"
site=$("$work/fresh/bin/python" -c "import sysconfig; print(sysconfig.get_path('purelib'))")
other=$("$tool/python" -c "import sysconfig; print(sysconfig.get_path('purelib'))")
echo "$other" >"$site/tools.pth"
# Processor seconds, so that other programs' time is not counted.
TIMEFORMAT='%U %S'
seconds=$({ time "$tool/pip" --python "$work/fresh/bin/python" install --quiet \
    --disable-pip-version-check --no-index --no-deps "$wheel" >&2; } 2>&1 | tail -n 1)
echo "installed offline: $seconds s (user, system)"
awk '{ exit !($1 + $2 < 5) }' <<<"$seconds"
cd "$work"
PROMPTSEG_PROGRAM="$program" PROMPTSEG_DEMO="$here/../../resources/demo" \
    "$work/fresh/bin/python" -m pytest -q -p no:cacheprovider "$here/tests" ${PYTEST_ARGS:-}
