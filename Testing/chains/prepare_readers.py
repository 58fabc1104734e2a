"""Makes a throw-away Python environment with readers that are not ours.

usage: prepare_readers.py ENVIRONMENT
One line says what is absent; that is no failure: the chains then read with what there is.
"""
import os
import subprocess
import sys

PACKAGES = {"nibabel": "nibabel", "pydicom": "pydicom", "nrrd": "pynrrd", "slicerio": "slicerio",
            "SimpleITK": "SimpleITK"}


def missing(python):
    script = "\n".join(f"try:\n import {m}\nexcept Exception:\n print('{m}')" for m in PACKAGES)
    done = subprocess.run([python, "-c", script], capture_output=True, text=True, check=False)
    return [PACKAGES[m] for m in done.stdout.split()] if done.returncode == 0 else list(
        PACKAGES.values())


def main(environment):
    python = os.path.join(environment, "bin", "python")
    if not os.path.exists(python):
        made = subprocess.run([sys.executable, "-m", "venv", "--system-site-packages", environment],
                              capture_output=True, text=True, check=False)
        if made.returncode != 0:
            print("absent: no environment can be made (python3-venv), so no independent readers")
            return
    wanted = missing(python)
    if wanted:
        command = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check",
                   "--timeout", "20", "--retries", "1", "--prefer-binary"]
        try:
            subprocess.run(command + wanted, capture_output=True, timeout=240, check=False)
        except subprocess.TimeoutExpired:
            pass
    wanted = missing(python)
    print("absent: " + ", ".join(wanted) if wanted else "all readers are there")


if __name__ == "__main__":
    main(sys.argv[1])
