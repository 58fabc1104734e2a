"""Makes and uses the Python environments of the tests with 3D Slicer's code.

usage: prepare_environment.py ENVIRONMENT REQUIREMENTS     installs what is missing (1 GB, 2 minutes)
       prepare_environment.py --run ENVIRONMENT ARGS...    runs its Python with ARGS

Where the packages cannot be had, both say so and count as skipped (77); in CI (CI is set) they fail.
"""
import hashlib
import os
import subprocess
import sys

LIMIT_SECONDS = 800  # below the test's


def skipped(why):
    print(why)
    return 1 if os.environ.get("CI") else 77


def stamp_of(requirements):
    with open(requirements, "rb") as stream:
        return hashlib.sha256(stream.read() + sys.version.encode()).hexdigest()


def prepare(environment, requirements):
    ready, python = os.path.join(environment, "ready"), os.path.join(environment, "bin", "python")
    stamp = stamp_of(requirements)
    if os.path.exists(ready) and open(ready, encoding="ascii").read() == stamp:
        print("all packages are there")
        return 0
    if os.path.exists(ready):
        os.remove(ready)
    try:
        if not os.path.exists(python):
            subprocess.run([sys.executable, "-m", "venv", environment], check=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check",
                        "--timeout", "30", "--retries", "1", "--prefer-binary", "-r", requirements],
                       check=True, stdin=subprocess.DEVNULL, timeout=LIMIT_SECONDS)
    except (OSError, subprocess.SubprocessError) as error:
        return skipped(f"{requirements} cannot be installed: {error}")
    with open(ready, "w", encoding="ascii") as stream:
        stream.write(stamp)
    return 0


def run(environment, arguments):
    python = os.path.join(environment, "bin", "python")
    if not os.path.exists(os.path.join(environment, "ready")):
        return skipped(f"{environment} is not there")
    done = subprocess.run([python, *arguments], check=False)
    return 1 if done.returncode == 5 else done.returncode  # pytest's 5: no test was found


if __name__ == "__main__":
    if sys.argv[1] == "--run":
        sys.exit(run(sys.argv[2], sys.argv[3:]))
    sys.exit(prepare(sys.argv[1], sys.argv[2]))
