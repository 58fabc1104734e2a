"""Where the independent readers cannot be installed, or the installation hangs, preparing them ends
in time without failing, the check says why, and a chain that wants them counts as skipped."""
import os
import subprocess
import sys
import time

from chain import HERE, Chain, require



def prepare(*arguments, **settings):
    environment = {key: value for key, value in os.environ.items() if key != "CI"}
    environment.update(settings)
    start = time.monotonic()
    done = subprocess.run([sys.executable, "-B", os.path.join(HERE, "prepare_readers.py"),
                           *arguments], capture_output=True, text=True, check=False,
                          env=environment)
    return done.returncode, done.stdout, time.monotonic() - start


def environment_that_hangs(chain):
    """A folder whose python answers imports with 'absent' and hangs when it is to install."""
    folder = chain.path("hangs")
    os.makedirs(os.path.join(folder, "bin"))
    python = os.path.join(folder, "bin", "python")
    with open(python, "w", encoding="utf-8") as stream:
        stream.write("#!/bin/sh\n[ \"$1\" = -m ] && exec sleep 600\necho nibabel\n")
    os.chmod(python, 0o755)
    return folder


def main():
    chain = Chain()
    folder = environment_that_hangs(chain)
    code, said, took = prepare(folder, PROMPTSEG_READERS_BUDGET="2")
    require(code == 0, f"an installation that hangs fails the fixture: {said}")
    require(took < 30, f"it takes {took:.0f} s where 2 are allowed")
    require("nibabel" in said and "no answer within 2 s" in said, f"it does not say why: {said}")

    code, said, _ = prepare("--check", folder)
    require(code == 77 and "nibabel" in said, f"the check: exit code {code}: {said}")
    code, said, _ = prepare("--check", folder, CI="true")
    require(code == 1 and "nibabel" in said, f"the check in CI: exit code {code}: {said}")

    # A chain whose readers' Python has none of them.
    python = os.path.join(folder, "bin", "python")
    with open(python, "w", encoding="utf-8") as stream:
        stream.write(f"#!/bin/sh\nexec {sys.executable} -S \"$@\"\n")
    done = subprocess.run([sys.executable, "-B", os.path.join(HERE, "initial.py"), chain.programs,
                           chain.model, chain.path("initial"), python],
                          capture_output=True, text=True, check=False)
    require(done.returncode == 77, f"a chain that nobody read back: exit code {done.returncode}\n"
                                   f"{done.stdout}{done.stderr}")
    require("read back by nobody else: absent readers: nibabel" in done.stdout,
            f"it does not say why:\n{done.stdout}")
    print(done.stdout.splitlines()[-1])


if __name__ == "__main__":
    main()
