#!/usr/bin/env python3
"""Every preset of the papers on a small set: a narrow network, seconds of one core, one table.

    resources/train/small_runs.py SHARED [--bin build/release/bin] [--out build/small_runs] [NAME ...]

NAME is a preset, or `ablation`: SAMUS whole and without each of its parts. SHARED holds corpus/ as
default_manifest.csv names it. What a preset says is kept, but for the network (64 pixels, three blocks
of 64 channels, begun at random), what is trained of it (everything: there is no base to keep;
SurgicalSAM keeps the encoder of SAMed's run), batch, rate and number of updates, and whatever else
`RUNS` says.

Pictures that were not trained on are asked through PromptSeg by the network as it begins and as it
ends: Dice and IoU of every picture (of every class that it has, for class maps), their means, and for
networks with classes the three IoUs of SurgicalSAM's paper. Points and boxes are those of the labels;
points by chance, the same in every run. table.csv and table.md say the same when run again.
"""
import argparse
import csv
import os
import random
import re
import struct
import subprocess
import sys
import time
import zlib

HERE = os.path.dirname(os.path.abspath(__file__))

VIT = ("protocol={} image=64 decoder_dim=64 decoder_heads=4 decoder_depth=2 decoder_mlp=256 "
       "mask_tokens={} {} embed=64 depth=3 heads=4 patch=8 window=4 pos_side=8 rel_window=7 "
       "rel_global=15 global=1,2")


def vit(family, protocol, masks=4, more=""):
    return f"{family} " + " ".join(VIT.format(protocol, masks, more).split())


US = "bus_uc ccaus"
LARGE = "bus_uc kvasir_seg"
HEART = "chd68_ct"  # seven classes
# name: preset, what it is asked with, data sets, settings instead of the preset's
RUNS = {
    "sam": ("sam", "point", LARGE,
            f"architecture = {vit('vit', 'sam')}\nbatch = 4\naccumulate = 1\nsteps = 150\n"
            "rate = 2e-3\nwarmup = 20\nobjects = class\n"),
    "medsam": ("medsam", "box", LARGE,
               f"architecture = {vit('vit', 'medsam')}\nbatch = 4\nsteps = 300\nrate = 5e-4\n"
               "box_shift = 2\n"),
    "samus": ("samus", "point", US,
              "architecture = samus protocol=samus image=64 decoder_dim=64 decoder_heads=4 "
              "decoder_depth=2 decoder_mlp=256 embed=64 depth=2 heads=4 patch=8 window=4 pos_side=16 "
              "rel_window=7 rel_global=15 global=1\nbatch = 2\nsteps = 200\naugmentation = 1\n"),
    "samihs": ("samihs", "point", "ct_ich",
               f"architecture = {vit('samihs', 'samihs')}\nbatch = 4\naccumulate = 1\nsteps = 300\n"),
    "msa_2023": ("msa_2023", "point", LARGE,
                 f"architecture = {vit('msa', 'msa_2023', more='second=0')}\nbatch = 4\nsteps = 300\n"
                 "rate = 5e-4\n"),
    "msa": ("msa", "point", LARGE,
            f"architecture = {vit('msa', 'msa', more='second=1')}\nbatch = 4\nsteps = 300\n"
            "rate = 5e-4\n"),
    "samed": ("samed", "class", HEART,
              f"architecture = {vit('samed', 'samed', 8, 'classes=7 rank=4 whole=0')}\nbatch = 8\n"
              f"steps = 300\nwarmup = 20\nrate = 2e-3\nschedule_steps = 400\n"),
    "unet": ("unet", "class", HEART,
             "architecture = unet protocol=unet image=64 mask_tokens=8 classes=7 width=8\n"
             "batch = 8\nsteps = 80\nrate = 3e-3\n"),
    "surgicalsam": ("surgicalsam", "class", HEART,
                    f"architecture = {vit('surgicalsam', 'surgicalsam', 8, 'classes=7 tokens=2')}\n"
                    f"batch = 8\nsteps = 300\nbank = 2\ntarget = low\n"),
    "autosam": ("autosam", "nothing", LARGE,
                f"architecture = {vit('autosam', 'autosam', more='small=64')}\nbatch = 8\n"
                "accumulate = 1\nsteps = 40\n"),
}
# SAMUS without its parts, as the paper's ablation trains it; not among the presets.
ABLATION = {"samus_without_" + part: RUNS["samus"][:3] + (RUNS["samus"][3] + f"without = {part}\n",)
            for part in ("cnn_branch", "cross_attention", "feature_adapters", "position_adapter")}
COMMON = "seed = 1\nreport_every = 25\nvalidate_every = 0\nsave_every = 0\nvalidate_objects = 32\n"


# ------------------------------------------------------------------------------------- the files

def paeth(a, b, c):
    p = a + b - c
    near = min((abs(p - a), 0, a), (abs(p - b), 1, b), (abs(p - c), 2, c))
    return near[2]


def unfilter(kind, line, above):
    """A row of an 8-bit grey or palette PNG."""
    out = bytearray(line)
    for x in range(len(out)):
        left, up = out[x - 1] if x else 0, above[x]
        corner = above[x - 1] if x else 0
        out[x] = (out[x] + (0, left, up, (left + up) // 2, paeth(left, up, corner))[kind]) & 255
    return out


def read_labels(path):
    """(width, height, bytes) of an index PNG of 8 bits."""
    with open(path, "rb") as stream:
        data = stream.read()
    at, packed = 8, b""
    while at < len(data):
        size, name = struct.unpack_from(">I4s", data, at)
        body = data[at + 8:at + 8 + size]
        if name == b"IHDR":
            width, height, depth, colour, _, _, interlace = struct.unpack(">IIBBBBB", body)
        if name == b"IDAT":
            packed += body
        at += 12 + size
    if depth != 8 or colour not in (0, 3) or interlace:
        sys.exit(f"{path}: wanted an index PNG of 8 bits")
    raw, rows, above = zlib.decompress(packed), [], bytearray(width)
    for y in range(height):
        start = y * (width + 1)
        above = unfilter(raw[start], raw[start + 1:start + 1 + width], above)
        rows.append(bytes(above))
    return width, height, b"".join(rows)


def read_map(path):
    """The voxels of a label map as PromptSeg writes it."""
    with open(path, "rb") as stream:
        header, data = stream.read().split(b"\n\n", 1)
    return zlib.decompress(data, 31) if b"encoding: gzip" in header else data


def call(command):
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{' '.join(command)}\n{done.stdout}{done.stderr}")
    return done.stdout


def patient(row):
    """What must not be on both sides: neighbouring slices of one body."""
    name = os.path.splitext(os.path.basename(row["image"]))[0]
    if row["dataset"] == "ccaus":
        return name.split("_slice")[0]
    return name.split("_")[0]


def rows_of(sets):
    """Of every set the last three tenths of the patients are kept aside."""
    with open(os.path.join(HERE, "default_manifest.csv"), encoding="utf-8", newline="") as stream:
        rows = [row for row in csv.DictReader(stream) if row["dataset"] in sets.split()]
    for name in sets.split():
        own = [row for row in rows if row["dataset"] == name]
        patients = sorted({patient(row) for row in own})
        aside = set(patients[len(patients) * 7 // 10:])
        for row in own:
            row["split"] = "val" if patient(row) in aside else "train"
    return rows


def settings_of(preset, own):
    """The preset's lines that the run's own do not replace, then those."""
    keys = {line.split("=")[0].strip() for line in own.splitlines()}
    with open(os.path.join(HERE, "presets", preset + ".cfg"), encoding="utf-8") as stream:
        kept = [line for line in stream if line.split("=")[0].strip() not in keys]
    own = "".join(line + "\n" for line in own.splitlines() if line.split("=", 1)[1].strip())
    return "".join(kept) + own


# ------------------------------------------------------------------------------------- the run

class Run:
    def __init__(self, name, options):
        self.name, self.options = name, options
        self.preset, self.asked, self.sets, self.own = (RUNS | ABLATION)[name]
        self.folder = os.path.join(options.out, name)
        os.makedirs(self.folder, exist_ok=True)

    def path(self, *names):
        return os.path.join(self.folder, *names)

    def program(self, name):
        return os.path.join(self.options.bin, name)

    def pack(self):
        rows = rows_of(self.sets)
        with open(self.path("manifest.csv"), "w", encoding="utf-8", newline="") as stream:
            table = csv.DictWriter(stream, list(rows[0]))
            table.writeheader()
            table.writerows(rows)
        call(["rm", "-f", self.path("features.safetensors")])  # of another call's encoder, perhaps
        call([self.program("PromptSegPack"), self.path("manifest.csv"), self.path("train.pack"),
              "--root", self.options.shared, "--maxSide", "128"])
        return [row for row in rows if row["split"] == "val"]

    def settings(self):
        keep = "" if self.preset == "surgicalsam" else "train_only =\n"
        init = self.encoder() if self.preset == "surgicalsam" else ""
        text = settings_of(self.preset, self.own + COMMON + f"init = {init}\n" + keep)
        return re.sub(r"features = .*", f"features = {self.path('features.safetensors')}", text)

    def encoder(self):
        """SurgicalSAM keeps its encoder: here that of SAMed's run, if it is there."""
        path = os.path.join(self.options.out, "samed", "after", "last.safetensors")
        return path if os.path.exists(path) else ""

    def train(self, which, more):
        out = self.path(which)
        call(["rm", "-rf", out])
        with open(self.path(which + ".cfg"), "w", encoding="utf-8") as stream:
            stream.write(settings_of_text(self.settings(), more))
        before = os.times()
        call([self.program("segmodel"), "train", self.path(which + ".cfg"), "--data",
              self.path("train.pack"), "--out", out, "--threads", "1"])
        after = os.times()
        self.seconds = after.children_user - before.children_user
        return os.path.join(out, "last.safetensors")


def settings_of_text(text, more):
    keys = {line.split("=")[0].strip() for line in more.splitlines()}
    kept = [line for line in text.splitlines() if line.split("=")[0].strip() not in keys]
    return "\n".join(kept) + "\n" + more


# -------------------------------------------------------------------------------------- asking

def prompts_of(asked, name, labels, width, value):
    places = [i for i, v in enumerate(labels) if v == value]
    if asked == "point":
        at = random.Random(f"{name}:{value}").choice(places)
        return ["--foreground", f"{at % width},{at // width},0"]
    xs, ys = [i % width for i in places], [i // width for i in places]
    x0, x1, y0, y1 = min(xs), max(xs), min(ys), max(ys)
    return ["--roi", f"{(x0 + x1) / 2},{(y0 + y1) / 2},0,{(x1 - x0 + 1) / 2},{(y1 - y0 + 1) / 2},0"]


def where(labels, value):
    """The pixels of a value (None: of any) as bits of one number."""
    table = bytes(1 if (v == value if value is not None else v) else 0 for v in range(256))
    return int.from_bytes(labels.translate(table), "big")


def measure(found, wanted):
    """Dice and IoU of two such numbers."""
    both, either = (found & wanted).bit_count(), (found | wanted).bit_count()
    return (2 * both / (both + either), both / either) if either else (1.0, 1.0)


def ask_picture(run, model, row):
    """(data set, picture, label, Dice, IoU, in truth) of everything that is asked of a picture."""
    image = os.path.join(run.options.shared, row["image"])
    width, _, labels = read_labels(os.path.join(run.options.shared, row["label"]))
    out = run.path("answer.nrrd")
    command = [run.program("PromptSeg"), "--model", model, "--precision", "fp32"]
    values = sorted(set(labels) - {0})
    results = []
    if run.asked == "class":
        call(command + [image, out])
        found = read_map(out)
        for value in sorted(set(values) | (set(found) - {0})):
            results.append((value, *measure(where(found, value), where(labels, value)),
                            value in values))
    elif run.asked == "nothing":
        call(command + [image, out])
        results.append((0, *measure(where(read_map(out), None), where(labels, None)), True))
    else:
        for value in values:
            call(command + prompts_of(run.asked, row["image"], labels, width, value) + [image, out])
            results.append((value, *measure(where(read_map(out), None), where(labels, value)), True))
    return [(row["dataset"], row["image"], *r) for r in results]


def mean(values):
    values = list(values)
    return sum(values) / len(values) if values else float("nan")


def class_ious(results):
    """IoU, challenge IoU, mc IoU: means over pictures, and over classes."""
    pictures, classes = {}, {}
    for _, picture, value, _, iou, there in results:
        pictures.setdefault(picture, []).append((iou, there))
        classes.setdefault(value, []).append(iou)
    challenge = [[iou for iou, there in p if there] for p in pictures.values()]
    return (mean(mean(iou for iou, _ in p) for p in pictures.values()),
            mean(mean(p) for p in challenge if p), mean(mean(c) for c in classes.values()))


def table_of(run, results):
    rows = [(run.name, s, len([r for r in results if r[0] == s]),
             mean(r[3] for r in results if r[0] == s and r[5]),
             mean(r[4] for r in results if r[0] == s and r[5])) for s in sorted({r[0] for r in results})]
    return rows, class_ious(results) if run.asked == "class" else None


def write_table(path, lines):
    with open(path + ".csv", "w", encoding="utf-8", newline="") as stream:
        csv.writer(stream).writerows(lines)
    with open(path + ".md", "w", encoding="utf-8") as stream:
        for n, line in enumerate(lines):
            stream.write("| " + " | ".join(map(str, line)) + " |\n")
            if not n:
                stream.write("|" + "---|" * len(line) + "\n")


def run_one(name, options):
    run = Run(name, options)
    judged = run.pack()
    before = run.train("before", "steps = 1\nrate = 1e-12\nwarmup = 0\nbank = 0\n")
    after = run.train("after", "")
    tables = []
    for model in (before, after):
        results = [r for row in judged for r in ask_picture(run, model, row)]
        tables.append(table_of(run, results))
    lines = []
    for a, b in zip(tables[0][0], tables[1][0]):
        lines.append([a[0], a[1], a[2]] + [f"{v:.4f}" for v in (a[3], b[3], a[4], b[4])])
    for kind, a, b in zip(("IoU", "challenge IoU", "mc IoU"), tables[0][1] or (), tables[1][1] or ()):
        lines.append([name, kind, "", "", "", f"{a:.4f}", f"{b:.4f}"])
    print(f"{name}: {run.seconds:.0f} s of processor time", file=sys.stderr)
    for line in lines:
        print(" ".join(map(str, line)))
    sys.stdout.flush()
    return lines


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("shared")
    parser.add_argument("--bin", default="build/release/bin")
    parser.add_argument("--out", default="build/small_runs")
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(RUNS) + ", ablation")
    options = parser.parse_intermixed_args()
    unknown = [n for n in options.names if n not in RUNS | ABLATION and n != "ablation"]
    if unknown:
        parser.error(f"no preset {unknown[0]}; there are {', '.join(RUNS)}, ablation")
    names = []
    for name in options.names or RUNS:
        names += ["samus", *ABLATION] if name == "ablation" else [name]
    start = time.monotonic()
    lines = [["preset", "data set", "asked", "Dice before", "Dice after", "IoU before", "IoU after"]]
    for name in names:
        lines += run_one(name, options)
    write_table(os.path.join(options.out, "table"), lines)
    print(f"{options.out}/table.csv, table.md: {time.monotonic() - start:.0f} s", file=sys.stderr)


if __name__ == "__main__":
    main()
