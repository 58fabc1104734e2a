#!/usr/bin/env python3
"""usage: try_program.py [--quick] [--rounding] NATIVE WORK PROGRAM...

What a user of `segmodel` on another system does, beside what the same sources by the same compiler do
here. NATIVE: the program for this machine. PROGRAM...: an emulator and the other program. Checked are a
picture and a volume (the demo's) in folders whose names are in no code page, a folder of embeddings, a
full disk, and runs that are killed. Masks must be the same bit for bit; --rounding: of processors that
round otherwise, but where a logit is next to the threshold. --quick: the picture and the full disk."""
import argparse
import ast
import gzip
import json
import os
import re
import shutil
import signal
import struct
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
MODEL = ROOT / "resources/models/promptseg-lite.safetensors"
DEMO = ROOT / "resources/demo/brain1"
CLOSE = 2e-3  # a logit so near to the threshold may fall on either side


class Failed(Exception):
    pass


def check(true, what):
    if not true:
        raise Failed(what)


# ------------------------------------------------------------------------------------------- arrays

def write_npy(path, kind, shape, data):
    header = repr({"descr": kind, "fortran_order": False, "shape": tuple(shape)}).encode()
    header += b" " * (-(len(header) + 11) % 64) + b"\n"
    path.write_bytes(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header + data)


def read_npy(path):
    """Shape and values of an array of bytes or floats."""
    data = path.read_bytes()
    size = struct.unpack("<H", data[8:10])[0]
    header = ast.literal_eval(data[10:10 + size].decode())
    body = data[10 + size:]
    if header["descr"] == "<f4":
        body = struct.unpack(f"<{len(body) // 4}f", body)
    return header["shape"], body


def demo_volume():
    """Voxels (int16), size, spacing and seeds by voxel of the demo's MR."""
    head, _, body = (DEMO / "image.nrrd").read_bytes().partition(b"\n\n")
    fields = dict(re.findall(r"^([a-z ]+):=? ?(.*)$", head.decode(), re.M))
    check(fields["encoding"] == "gzip" and fields["type"] == "short", "the demo's volume has changed")
    size = [int(n) for n in fields["sizes"].split()]
    vectors = [[float(x) for x in v.split(",")]
               for v in re.findall(r"\(([^)]*)\)", fields["space directions"])]
    origin = [float(x) for x in fields["space origin"].strip("()").split(",")]
    points = json.loads((DEMO / "prompts.mrk.json").read_text())["markups"][0]["controlPoints"]
    seeds = [",".join(f"{(p['position'][a] - origin[a]) / vectors[a][a]:.4f}" for a in range(3)) + ",1"
             for p in points]
    return gzip.decompress(body), size, [abs(vectors[a][a]) for a in range(3)], seeds


# ----------------------------------------------------------------------------------------- programs

class Side:
    """One of the two programs in its own folder."""

    def __init__(self, command, folder):
        self.command, self.folder = command, folder
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        shutil.copy(MODEL, folder / "模型.safetensors")

    def start(self, *arguments):
        return subprocess.Popen([*self.command, *arguments], cwd=self.folder, text=True,
                                encoding="utf-8", errors="replace", stdout=subprocess.PIPE,
                                stderr=subprocess.PIPE)

    def run(self, *arguments):
        process = self.start(*arguments)
        out, err = process.communicate(timeout=3000)
        return process.returncode, out, err.replace("\r\n", "\n")

    def done(self, *arguments):
        code, out, err = self.run(*arguments)
        check(code == 0 and err == "", f"{arguments[0]}: exit code {code}, '{err.strip()}'")
        return out


def same_masks(native, other, logits, rounding):
    """Pixels that differ; each must lie beside a logit near the threshold."""
    (shape, a), (_, b) = native, other
    differ = [i for i in range(len(a)) if a[i] != b[i]]
    check(rounding or not differ, f"{len(differ)} pixels differ")
    if not differ:
        return 0
    check(logits is not None, f"{len(differ)} pixels differ")
    side, values = logits[0][-1], logits[1][:logits[0][-1] * logits[0][-2]]
    for i in differ:
        y, x = i // shape[1] * side // shape[0], i % shape[1] * side // shape[1]
        near = [abs(values[v * side + u]) for v in range(max(y - 1, 0), min(y + 2, side))
                for u in range(max(x - 1, 0), min(x + 2, side))]
        check(min(near) < CLOSE, f"pixel {i % shape[1]}, {i // shape[1]} differs far from the threshold")
    return len(differ)


def picture(sides, rounding):
    """A slice of the demo and a box, the whole picture and a crop of it."""
    voxels, size, _, _ = demo_volume()
    plane = size[0] * size[1]
    values = struct.unpack(f"<{plane}h", voxels[2 * 12 * plane:2 * 13 * plane])
    top = sorted(values)[int(len(values) * 0.995)]
    grey = bytes(min(255, max(0, v * 255 // top)) for v in values)
    masks, logits = [], []
    for side in sides:
        write_npy(side.folder / "bild-ä.npy", "|u1", (size[1], size[0]), grey)
        for zoom in ("off", "on"):
            side.done("predict", "--model", "模型.safetensors", "--image", "bild-ä.npy", "--box",
                      "165,105,225,165", "--precision", "fp32", "--zoom", zoom, "--dump", "結果-" + zoom)
        masks.append([read_npy(side.folder / ("結果-" + zoom) / "mask.npy") for zoom in ("off", "on")])
        logits.append(read_npy(side.folder / "結果-off/low_res_logits.npy"))
    marked = sum(masks[0][0][1])
    check(marked > 100, f"only {marked} pixels")
    differ = [same_masks(masks[0][n], masks[1][n], logits[0], rounding) for n in range(2)]
    worst = max(abs(x - y) for x, y in zip(logits[0][1], logits[1][1]))
    print(f"picture: {marked} pixels, {differ[0]} differ, in a crop {differ[1]}; logits by at most {worst:.2g}")


def volume_arguments(side, cache, labels="標籤.npy"):
    voxels, size, spacing, seeds = demo_volume()
    write_npy(side.folder / "volume.npy", "<i2", size[::-1], voxels)
    return ["bench", "volume", "模型.safetensors", "volume.npy", labels, "--precision", "fp32",
            "--spacing", ",".join(map(str, spacing)), "--cache", cache,
            *[word for seed in seeds for word in ("--seed", seed)]]


def count(out, what):
    return int(re.search(f"^{what} +([0-9]+)", out, re.M).group(1))


def volume(sides, rounding):
    """The demo's volume; the second time everything comes from the folder of embeddings."""
    labels = []
    for side in sides:
        command = volume_arguments(side, "Zwischenablage ü")
        first = side.done(*command)
        labels.append(read_npy(side.folder / "標籤.npy"))
        again = side.done(*command)
        check(read_npy(side.folder / "標籤.npy") == labels[-1], "the second run differs")
        check(count(first, "embeddings computed") > 3, "nothing was computed")
        check(count(again, "embeddings computed") == 0, "the second run computed again")
    marked = sum(labels[0][1])
    differ = sum(x != y for x, y in zip(labels[0][1], labels[1][1]))
    check(differ == 0 if not rounding else differ <= marked // 1000, f"{differ} voxels differ")
    print(f"volume: {marked} voxels, {differ} differ; a folder of embeddings serves the second run")
    return labels[1]


def killed(side, wanted):
    """Runs that are killed in the middle: the folder of embeddings stays good."""
    command = volume_arguments(side, "killed", "killed.npy")
    for after in (0.3, 0.6, 1, 1.5, 2, 3):
        # No pipes: a server of Wine's that this run started would hold them open after its end.
        process = subprocess.Popen([*side.command, *command], cwd=side.folder,
                                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(after)
        process.send_signal(signal.SIGKILL)
        process.wait()
    side.done(*command)
    check(read_npy(side.folder / "killed.npy") == wanted, "the run after those that were killed differs")
    print("killed: six runs; the one after them gives the same masks")


def full_disk(sides):
    """A model converted to a disk that is too small: the same words, and nothing is left."""
    said = []
    for side in sides:
        disk = side.folder / "voll"
        disk.mkdir()
        made = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", disk],
                              capture_output=True)
        if made.returncode:
            print("left out: a full disk (no right to mount a small one)")
            return
        try:
            code, _, err = side.run("convert", "模型.safetensors", "voll/模型.safetensors")
            left = os.listdir(disk)
        finally:
            subprocess.run(["umount", disk], check=True)
        check(left == [], f"left on the full disk: {left}")
        said.append((code, err))
    check(said[0][0] == 6 and "No space left" in said[0][1], f"here: {said[0]}")
    check(said[0] == said[1], f"a full disk: {said[1]}, wanted {said[0]}")
    print(f"full disk: exit code 6, '{said[1][1].strip()}'")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--rounding", action="store_true")
    parser.add_argument("native", type=Path)
    parser.add_argument("work", type=Path)
    parser.add_argument("program", nargs=argparse.REMAINDER)  # with options of its own
    args = parser.parse_args()
    sides = [Side([str(args.native.resolve())], args.work / "here, Größe 脳"),
             Side(args.program, args.work / "there, Größe 脳")]
    try:
        picture(sides, args.rounding)
        full_disk(sides)
        if not args.quick:
            labels = volume(sides, args.rounding)
            killed(sides[1], labels)
    except Failed as failure:
        print(f"FAILED: {failure}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
