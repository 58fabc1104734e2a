"""PromptSegBatch after every kind of end: killed at random moments, on a full disk; and its memory,
which does not grow with the number of rows. With PROMPTSEG_KILLS=n it is killed n times, and that is
all."""
import os
import random
import shutil
import subprocess
import time

from batch import CASES, Batch
from chain import Chain, require, run

KILLS = int(os.environ.get("PROMPTSEG_KILLS", 12))


def done_rows(b, output):
    """Ids of finished rows, each as often as it was finished."""
    if not os.path.isdir(b.chain.path(output, "promptseg")):
        return []
    return sorted(line["id"] for line in b.lines(output) if line["state"] == "done")


def whole(b, output, wanted):
    require(b.files(output) == wanted, f"{output}: other files than undisturbed")
    ids = done_rows(b, output)
    require(ids == sorted(r["id"] for r in b.rows), f"{output}: done twice or lost: {ids}")
    left = [name for _, _, names in os.walk(b.chain.path(output)) for name in names
            if ".partial" in name or name.startswith(".sgio")]
    require(not left, f"{output}: left behind: {left}")


def kill_once(b, output, after):
    process = subprocess.Popen(b.command(b.manifest, output), stdout=subprocess.DEVNULL,
                               stderr=subprocess.PIPE)
    try:
        process.wait(after)
    except subprocess.TimeoutExpired:
        process.kill()
    errors = process.communicate()[1]
    require(process.returncode in (0, -9), f"{output}: {process.returncode} {errors}")
    return process.returncode == -9


def killed(b, wanted):
    """kill -9 at random moments of the work: nothing half, nothing lost, no finished row done again.
    A batch that is done makes room for the next one."""
    random.seed(11)
    start = time.monotonic()
    b.run(b.manifest, "timed")
    took = time.monotonic() - start
    kills, rounds = 0, 0
    while kills < KILLS:
        output = f"killed-{rounds}"
        kills += kill_once(b, output, random.uniform(0.02, 0.6) * took)
        for name, content in b.files(output).items():
            require(content == wanted[name], f"half a file: {output}/{name}")
        ids = done_rows(b, output)
        require(len(ids) == len(set(ids)), f"{output}: done twice: {ids}")
        if len(ids) == CASES or kills == KILLS:
            b.run(b.manifest, output)
            whole(b, output, wanted)
            shutil.rmtree(b.chain.path(output))
            rounds += 1
    print(f"killed {kills} times in {rounds} batches of {CASES} rows")


def full_disk(b, wanted):
    """Rows that do not fit fail and say why; with room again the same command does them alone."""
    disk, after = b.chain.path("disk"), b.chain.path("after")
    os.makedirs(disk)
    mount = f"mount -t tmpfs -o size=%s none '{disk}'"
    enter = ["unshare", "-m"] if os.geteuid() == 0 else ["unshare", "-rm"]
    if not shutil.which("unshare") or subprocess.run(
            enter + ["sh", "-c", mount % "96k"], capture_output=True, check=False).returncode != 0:
        Chain.unread.append("full disk: no small file system can be mounted here")
        return
    script = (f"{mount % '96k'}; \"$@\"; echo \"code $?\"; cp -r '{disk}/out' '{after}-full'; "
              f"mount -o remount,size=8m '{disk}'; \"$@\"; echo \"code $?\"; "
              f"cp -r '{disk}/out' '{after}'")
    done = subprocess.run(enter + ["sh", "-c", script, "sh"] + b.command(b.manifest, "disk/out"),
                          capture_output=True, text=True, check=False)
    codes = [line for line in done.stdout.splitlines() if line.startswith("code ")]
    shown = f"{done.stdout}\n{done.stderr}"
    require(codes in (["code 6", "code 0"], ["code 7", "code 0"]), f"{codes}: {shown}")
    require("No space left" in shown, f"a full disk is not named: {shown}")
    before = b.files("after-full")
    require(0 < len(before) < CASES, f"{len(before)} rows fit: nothing is tested")
    for name, content in before.items():
        require(content == wanted[name], f"half a file on a full disk: {name}")
    whole(b, "after", wanted)
    print(f"{len(before)} of {CASES} rows fit on the disk, the others followed")


def peak(b, count, environment=None):
    """Peak resident bytes of a batch of `count` rows that must succeed: of a shard, which makes no
    contact sheet (a page of that takes up to 25 MiB, 400 rows, and never more)."""
    rows = [dict(b.rows[n % CASES], id=f"row {n}") for n in range(2 * count)]
    manifest, output = b.write(f"rows-{count}.csv", rows), f"rows-{count}"
    process = subprocess.Popen(b.command(manifest, output, "--shard", "1/2"),
                               stdout=subprocess.DEVNULL,
                               env=dict(os.environ, **(environment or {})))
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    require(process.returncode == 0, f"{output}: exit code {process.returncode}")
    return usage.ru_maxrss * 1024


def memory(b):
    """Nothing is kept of a row, and no freed working memory of 9 MiB beside the one in use. glibc
    would keep it in its heaps or not, as threads happen to meet; here it is told to keep all."""
    keeping = {"GLIBC_TUNABLES": "glibc.malloc.mmap_threshold=33554432:"
                                 "glibc.malloc.trim_threshold=1000000000"}
    one, few, many = peak(b, 1), peak(b, 8, keeping), peak(b, 104, keeping)
    shown = ", ".join(f"{size / (1 << 20):.1f} MiB" for size in (one, few, many))
    print(f"1, 8 and 104 rows: {shown}")
    require(few - one < 3 << 20, f"freed memory is kept: {shown}")
    require(many - few < 3 << 19, f"memory grows with the rows: {shown}")


def main():
    chain = Chain()
    b = Batch(chain)
    b.run(b.manifest, "wanted")
    wanted = b.files("wanted")
    require(len(wanted) == CASES, f"{len(wanted)} segmentations")
    if "PROMPTSEG_KILLS" not in os.environ:
        full_disk(b, wanted)
        memory(b)
    killed(b, wanted)


if __name__ == "__main__":
    run(main)
