"""Makes a throw-away Python environment with readers that are not ours.

usage: prepare_readers.py ENVIRONMENT           makes it, within a time budget; never fails
       prepare_readers.py --check ENVIRONMENT   says what is absent and why

ENVIRONMENT/status.txt holds one line: what is absent and why, or that all is there. --check fails if
something is absent where it must not be: in CI (CI is set), or with PROMPTSEG_READERS=required.
Elsewhere it counts as skipped (77), as do the chains that nobody read back.
"""
import os
import subprocess
import sys
import time

PACKAGES = {"nibabel": "nibabel", "pydicom": "pydicom", "nrrd": "pynrrd", "slicerio": "slicerio",
            "SimpleITK": "SimpleITK", "highdicom": "highdicom", "dcmqi": "dcmqi", "PIL": "pillow", "scipy": "scipy",
            # decoders for pydicom
            "pylibjpeg": "pylibjpeg", "libjpeg": "pylibjpeg-libjpeg",
            "openjpeg": "pylibjpeg-openjpeg", "rle": "pylibjpeg-rle"}
BUDGET_SECONDS = float(os.environ.get("PROMPTSEG_READERS_BUDGET", 150))  # below the test's limit


class Failed(Exception):
    pass


def call(command, deadline):
    """Output of a command that ends before the deadline; what is wrong otherwise."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False,
                              stdin=subprocess.DEVNULL,
                              timeout=max(deadline - time.monotonic(), 0.1))
    except subprocess.TimeoutExpired:
        raise Failed(f"no answer within {BUDGET_SECONDS:.0f} s") from None
    except OSError as error:
        raise Failed(str(error)) from None
    if done.returncode != 0:
        lines = (done.stderr.strip() or done.stdout.strip()).splitlines()
        raise Failed(lines[-1] if lines else f"exit code {done.returncode}")
    return done.stdout


def missing(python, deadline):
    script = "\n".join(f"try:\n import {m}\nexcept Exception:\n print('{m}')" for m in PACKAGES)
    return [PACKAGES[m] for m in call([python, "-c", script], deadline).split()]


def prepare(environment):
    """One line: what is absent and why; empty if all is there."""
    deadline = time.monotonic() + BUDGET_SECONDS
    python = os.path.join(environment, "bin", "python")
    try:
        if not os.path.exists(python):
            call([sys.executable, "-m", "venv", "--system-site-packages", environment], deadline)
        wanted = missing(python, deadline)
    except Failed as error:
        return f"all: no environment can be made (python3-venv): {error}"
    if not wanted:
        return ""
    why = ""
    try:
        call([python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check",
              "--timeout", "15", "--retries", "1", "--prefer-binary", *wanted], deadline)
    except Failed as error:
        why = f": pip: {error}"
    try:
        wanted = missing(python, time.monotonic() + 20)
    except Failed as error:
        why = f": {error}"
    return ", ".join(wanted) + why if wanted else ""


def main():
    check, environment = sys.argv[1] == "--check", sys.argv[-1]
    path = os.path.join(environment, "status.txt")
    if not check:
        absent = prepare(environment)
        text = f"absent readers: {absent}" if absent else "all readers are there"
        os.makedirs(environment, exist_ok=True)
        with open(path, "w", encoding="utf-8") as stream:
            stream.write(text + "\n")
        print(text)
        return 0
    with open(path, encoding="utf-8") as stream:
        text = stream.read().strip()
    print(text)
    if text == "all readers are there":
        return 0
    required = os.environ.get("CI") or os.environ.get("PROMPTSEG_READERS") == "required"
    return 1 if required else 77


if __name__ == "__main__":
    sys.exit(main())
