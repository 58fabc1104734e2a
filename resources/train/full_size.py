#!/usr/bin/env python3
"""Every preset of the papers at full size: some updates, what a picture costs and how much memory.

    resources/train/full_size.py SHARED [--bin build/release/bin] [--out build/full_size] [NAME ...]

SHARED holds corpus/ as default_manifest.csv names it. The network is the preset's, of its size, with
what it trains, its loss and its optimiser; its weights begun at random (their values change neither time nor
memory). Batch 1 and one pass per update, so that a large network fits a small machine; `--batch 0`
leaves both as the preset has them.

Seconds are of the processor, all threads together, from the first update's end to the last one's:
neither start nor saving is in them. Memory is the most that was resident until the last update, and
until the end, saving included. Trained files are removed. table.csv and table.md are written anew
after every preset, and keep those of earlier calls.
"""
import argparse
import csv
import os
import re
import subprocess
import sys
import tempfile

sys.dont_write_bytecode = True
import small_runs  # noqa: E402

# name of the preset: data set, pictures of it in the pack. SurgicalSAM's encoder sees every picture
# of the pack once, whatever the number of updates.
RUNS = {
    "samus": ("bus_uc", 8), "samed": ("chd68_ct", 8), "unet": ("kvasir_seg", 8),
    "surgicalsam": ("chd68_ct", 2), "msa_2023": ("kvasir_seg", 8), "msa": ("kvasir_seg", 8),
    "samihs": ("ct_ich", 8), "medsam": ("kvasir_seg", 8), "sam": ("kvasir_seg", 8),
    "autosam": ("kvasir_seg", 8),
}
COLUMNS = ["preset", "batch x passes", "updates", "pictures", "s of processor per picture",
           "s before first update", "GiB while training", "GiB at most", "first loss", "last loss"]


def settings(name, options, features):
    own = (f"init =\nsteps = {options.steps}\nreport_every = 1\nvalidate_every = 0\nsave_every = 0\n"
           "validate_objects = 0\n")
    if options.batch:
        own += f"batch = {options.batch}\naccumulate = 1\n"
    text = small_runs.settings_of(name, own)
    return re.sub(r"features = .*", f"features = {features}", text)


def value_of(text, key, default):
    found = re.search(rf"^{key} *= *(\d+)", text, re.M)
    return int(found.group(1)) if found else default


def run(command):
    """What was said, and the most memory in GiB, what follows the last update included."""
    with tempfile.TemporaryFile("w+") as said:
        child = subprocess.Popen(command, stdout=said, stderr=subprocess.STDOUT)
        _, status, used = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
        said.seek(0)
        text = said.read()
    if child.returncode:
        sys.exit(f"{' '.join(command)}\n{text}")
    return text, used.ru_maxrss / 2**20


def pack(name, options, folder):
    dataset, pictures = RUNS[name]
    rows = [r for r in small_runs.rows_of(dataset) if r["split"] == "train"][:pictures]
    with open(os.path.join(folder, "manifest.csv"), "w", encoding="utf-8", newline="") as stream:
        table = csv.DictWriter(stream, list(rows[0]))
        table.writeheader()
        table.writerows(rows)
    path = os.path.join(folder, "train.pack")
    small_runs.call([os.path.join(options.bin, "PromptSegPack"), os.path.join(folder, "manifest.csv"),
                     path, "--root", options.shared])
    return path


def train(name, options, folder):
    """A line of the table."""
    config, out = os.path.join(folder, "settings.cfg"), os.path.join(folder, "out")
    features = os.path.join(folder, "features.safetensors")
    data = pack(name, options, folder)
    text = settings(name, options, features)
    with open(config, "w", encoding="utf-8") as stream:
        stream.write(text)
    command = [os.path.join(options.bin, "segmodel"), "train", config, "--data", data, "--out", out]
    if options.threads:
        command += ["--threads", str(options.threads)]
    small_runs.call(["rm", "-rf", out, features])
    said, most = run(command)
    seen = [(float(seconds), float(memory), loss) for loss, seconds, memory in re.findall(
        r"^step \d+, loss (\S+),.*processor (\S+) s, memory (\S+) GiB", said, re.M)]
    small_runs.call(["rm", "-rf", out, features])
    batch = value_of(text, "batch", 8) + value_of(text, "bank", 0)
    passes = value_of(text, "accumulate", 1)
    pictures = len(seen) * batch * passes
    each = (seen[-1][0] - seen[0][0]) / max(1, pictures - batch * passes)
    return [name, f"{batch} x {passes}", len(seen), pictures, f"{each:.1f}",
            f"{seen[0][0] - each * batch * passes:.0f}", f"{seen[-1][1]:.1f}", f"{most:.1f}",
            seen[0][2], seen[-1][2]]


def earlier(path):
    """Lines of former calls by their preset."""
    if not os.path.exists(path):
        return {}
    with open(path, encoding="utf-8", newline="") as stream:
        return {line[0]: line for line in list(csv.reader(stream))[1:]}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("shared")
    parser.add_argument("--bin", default="build/release/bin")
    parser.add_argument("--out", default="build/full_size")
    parser.add_argument("--steps", type=int, default=20, help="updates (20)")
    parser.add_argument("--batch", type=int, default=1, help="pictures per update (1); 0: the preset's")
    parser.add_argument("--threads", type=int, default=0, help="default: one per core")
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(RUNS))
    options = parser.parse_intermixed_args()
    unknown = [n for n in options.names if n not in RUNS]
    if unknown:
        parser.error(f"no preset {unknown[0]}; there are {', '.join(RUNS)}")
    if options.steps < 2:
        parser.error("--steps: at least 2, the first one is not timed")
    table = os.path.join(options.out, "table")
    lines = earlier(table + ".csv")
    for name in options.names or RUNS:
        folder = os.path.join(options.out, name)
        os.makedirs(folder, exist_ok=True)
        lines[name] = train(name, options, folder)
        print(", ".join(f"{c} {v}" for c, v in zip(COLUMNS, lines[name])))
        sys.stdout.flush()
        small_runs.write_table(table, [COLUMNS] + [lines[n] for n in RUNS if n in lines])


if __name__ == "__main__":
    main()
