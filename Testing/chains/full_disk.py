"""A full disk: exit code 6, one message, no output file, the old one untouched."""
import os
import re
import shutil
import subprocess

from chain import BRAIN, TUMOUR_BOX, Chain, numbers, require, skip


def main():
    chain = Chain()
    disk = chain.path("disk")
    os.makedirs(disk)
    # A file system of its own, gone with the process: as root, or in a user namespace.
    mount = f"mount -t tmpfs -o size=8k none '{disk}'"
    enter = ["unshare", "-m"] if os.geteuid() == 0 else ["unshare", "-rm"]
    if not shutil.which("unshare") or subprocess.run(
            enter + ["sh", "-c", mount], capture_output=True, check=False).returncode != 0:
        skip("no small file system can be mounted here")
    for option, name in ((None, "out.nrrd"), ("--report", "out.json"), ("--picture", "out.png")):
        target = os.path.join(disk, name)
        command = chain.command("--roi", numbers(TUMOUR_BOX))
        command += [option, target] if option else []
        command += [BRAIN, chain.path("other.nrrd") if option else target]
        # One page is taken by the old output, the other one by a file that fills the disk.
        script = (f"{mount}; echo old > '{target}'; head -c 4096 /dev/zero > '{disk}/fill'; "
                  '"$@"; code=$?; [ "$(cat \'' + target + '\')" = old ] || echo changed >&2; '
                  f"[ $(ls -A '{disk}' | wc -l) = 2 ] || echo left >&2; exit $code")
        done = subprocess.run(enter + ["sh", "-c", script, "sh"] + command, capture_output=True,
                              text=True, check=False)
        require(done.returncode == 6, f"{name}: exit code {done.returncode}\n{done.stderr}")
        wanted = r"PromptSeg: [^\n]*" + re.escape(name) + r"[^\n]*No space left[^\n]*\n"
        require(re.fullmatch(wanted, done.stderr), f"{name}: standard error is\n{done.stderr}")
        print(done.stderr, end="")
    require(not os.path.exists(chain.path("other.nrrd")),
            "a segmentation was written although the run failed")


if __name__ == "__main__":
    main()
