#!/usr/bin/env python3
"""Thresholds of PromptSegEverything for a model, chosen on labelled pictures.

    Testing/quality/everything/choose.py SHARED OUT [--bin build/release/bin] [--model FILE] [--per 1] [--every 1]

Of every data set of resources/train/default_manifest.csv (of every third, `--every 3`) the first `--per`
pictures that are kept aside, but for thin structures and for the four sets that choose nothing
(resources/train/README.md).
Each is asked once with all thresholds open (OUT/*.json, kept: a second call goes on; what another program,
model, picture or other options gave, by OUT/*.json.of, is asked anew). What thresholds
and non-maximum suppression would have left is computed from those reports, in the generator's order:
scores, boxes within a crop by predicted IoU, boxes between crops by the smaller crop.

An object is a connected part of a class, or an instance, of 64 pixels and more. Of every picture:
average recall and average precision over IoU .50 to .95 by COCO's rules (one class, ranked by predicted
IoU), the F of masks at IoU .5, and how many masks there are; means over pictures (OUT/table.csv; each
picture: OUT/rows.csv). Needs numpy.
"""
import argparse
import csv
import json
import os
import subprocess
import sys

import numpy as np

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(HERE)))
sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(ROOT, "resources", "train"))
import small_runs  # noqa: E402

CHOOSE_NOTHING = {"hocm_ct", "isic2017", "medulla_fibsem", "sunnybrook_cine"}
RATINGS = (0.2, 0.3, 0.4, 0.5, 0.6)
STABILITIES = (0, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8)
OVERLAPS = np.arange(0.5, 0.96, 0.05)
LEAST_AREA, MOST_OVERLAP = 64, 0.7


def pictures(per, every):
    with open(os.path.join(ROOT, "resources", "train", "default_manifest.csv"), encoding="utf-8",
              newline="") as stream:
        rows = [r for r in csv.DictReader(stream) if r["split"] != "train"
                and r["image"].startswith("corpus/") and not r["kind"].endswith("-thin")
                and r["dataset"] not in CHOOSE_NOTHING]
    chosen = []
    for name in sorted({r["dataset"] for r in rows})[::every]:
        chosen += [r for r in rows if r["dataset"] == name][:per]
    return chosen


def identity(paths, more):
    """What an answer depends on: real paths, sizes and times of files and of those in folders; options."""
    lines = []
    for path in map(os.path.realpath, paths):
        files = sorted(os.path.join(path, n) for n in os.listdir(path)) if os.path.isdir(path) else [path]
        lines += [f"{f} {os.stat(f).st_size} {os.stat(f).st_mtime_ns}" for f in files]
    return "\n".join([*lines, *more]) + "\n"


def read_text(path):
    """None where there is no such file."""
    if not os.path.exists(path):
        return None
    with open(path, encoding="utf-8") as stream:
        return stream.read()


def ask(row, options, more=()):
    """The report with everything that was found. more: further options of the program."""
    stem = os.path.splitext(row["image"])[0].replace("/", "_")
    report, image = os.path.join(options.out, stem + ".json"), os.path.join(options.shared, row["image"])
    program = os.path.join(options.bin, "PromptSegEverything")
    asked = identity([program, options.model or os.path.join(ROOT, "resources", "models"), image], more)
    if not os.path.exists(report) or read_text(report + ".of") != asked:
        if os.path.exists(report + ".of"):
            os.remove(report + ".of")
        command = [program, "--predIouThresh", "0",
                   "--stabilityScoreThresh", "0", "--boxNmsThresh", "1", "--cropNmsThresh", "1",
                   "--reportMasks", "--report", report + ".part", *more]
        command += ["--model", options.model] if options.model else []
        subprocess.run(command + [image, os.path.join(options.out, "labels.nrrd")], check=True,
                       stdout=subprocess.DEVNULL)
        os.rename(report + ".part", report)
        with open(report + ".of", "w", encoding="utf-8") as stream:
            stream.write(asked)
    with open(report, encoding="utf-8") as stream:
        return json.load(stream)["slices"][0]


def parts_of(there):
    """Connected parts (8 neighbours) as numbers from 1 in an array: runs of rows that touch are one."""
    numbers, root, before = np.zeros(there.shape, int), [0], []

    def find(n):
        while root[n] != n:
            n = root[n]
        return n
    for y, row in enumerate(there):
        edges = np.flatnonzero(np.diff(np.concatenate([[0], row.astype(int), [0]])))
        now = []
        for start, end in zip(edges[::2], edges[1::2]):
            root.append(len(root))
            now.append((start, end, len(root) - 1))
            numbers[y, start:end] = len(root) - 1
            for other_start, other_end, other in before:
                if other_start <= end and start <= other_end:
                    root[find(other)] = find(len(root) - 1)
        before = now
    return np.array([find(n) for n in range(len(root))])[numbers]


def objects_of(row, shared):
    """Numbers of objects from 1 on, 0 elsewhere, and how many there are."""
    width, height, data = small_runs.read_labels(os.path.join(shared, row["label"]))
    labels = np.frombuffer(data, np.uint8).reshape(height, width)
    out, count = np.zeros(labels.shape, int), 0
    for value in sorted(set(np.unique(labels)) - {0}):
        there = labels == value
        parts = there.astype(int) if row["kind"].startswith("instance") else parts_of(there)
        for number in np.unique(parts[parts > 0]):
            if (parts == number).sum() >= LEAST_AREA:
                count += 1
                out[parts == number] = count
    return out, count


class Found:
    """What a report says, as arrays, and the IoU of every mask with every object."""

    def __init__(self, report, objects, count):
        masks = report["masks"]
        self.rating = np.array([m["predicted_iou"] for m in masks])
        self.stability = np.array([m["stability_score"] for m in masks])
        box = np.array([m["bbox"] for m in masks], float).reshape(-1, 4)
        self.box = np.concatenate([box[:, :2], box[:, :2] + box[:, 2:]], 1)
        crop = np.array([m["crop_box"] for m in masks]).reshape(-1, 4)
        self.crop_area = crop[:, 2] * crop[:, 3]
        self.crop = np.unique(crop, axis=0, return_inverse=True)[1].ravel()
        flat = objects.T.ravel()  # as COCO's runs go: down the columns
        size = np.bincount(flat, minlength=count + 1)[1:]
        self.iou = np.zeros((len(masks), count))
        for i, m in enumerate(masks):
            runs = np.array(m["segmentation"]["counts"])
            inside = np.repeat(np.arange(len(runs)) % 2 == 1, runs)
            both = np.bincount(flat[inside], minlength=count + 1)[1:]
            self.iou[i] = both / (inside.sum() + size - both)

    def suppressed(self, chosen, order):
        """Of `chosen` in that order those whose box overlaps no earlier one's too much."""
        chosen = chosen[order]
        box, area = self.box, (self.box[:, 2] - self.box[:, 0]) * (self.box[:, 3] - self.box[:, 1])
        kept = []
        while len(chosen):
            first, chosen = chosen[0], chosen[1:]
            kept.append(first)
            low = np.maximum(box[chosen, :2], box[first, :2])
            high = np.minimum(box[chosen, 2:], box[first, 2:])
            both = np.prod(np.maximum(high - low, 0), 1)
            either = area[chosen] + area[first] - both
            chosen = chosen[both <= MOST_OVERLAP * np.maximum(either, 1e-9)]
        return np.array(kept, int)

    def left(self, rating, stability):
        """Masks that these thresholds leave, best rated first."""
        good = np.flatnonzero((self.rating > rating) & (self.stability >= stability))
        within = [self.suppressed(of, np.argsort(-self.rating[of], kind="stable"))
                  for of in (good[self.crop[good] == c] for c in np.unique(self.crop[good]))]
        all_crops = np.concatenate(within) if within else np.zeros(0, int)
        kept = self.suppressed(all_crops, np.argsort(self.crop_area[all_crops], kind="stable"))
        return kept[np.argsort(-self.rating[kept], kind="stable")] if len(kept) else kept


def matches(iou, least):
    """Which masks, best first, take an object: each the free one that it overlaps most."""
    free, taken = np.ones(iou.shape[1], bool), np.zeros(len(iou), bool)
    for i, row in enumerate(iou):
        best = np.argmax(np.where(free, row, -1))
        if free[best] and row[best] >= least:
            free[best], taken[i] = False, True
    return taken


def precision(taken, objects):
    """COCO's 101 points."""
    hits = np.cumsum(taken)
    recall, values = hits / objects, hits / np.arange(1, len(taken) + 1)
    values = np.maximum.accumulate(values[::-1])[::-1]
    at = np.searchsorted(recall, np.linspace(0, 1, 101), side="left")
    return np.where(at < len(values), values[np.minimum(at, len(values) - 1)], 0).mean()


def figures(found, rating, stability):
    """AR, AP, F at .5, number of masks."""
    kept, objects = found.left(rating, stability), found.iou.shape[1]
    if not len(kept):
        return 0, 0, 0, 0
    taken = [matches(found.iou[kept], least) for least in OVERLAPS]
    return (np.mean([t.sum() / objects for t in taken]),
            np.mean([precision(t, objects) for t in taken]),
            2 * taken[0].sum() / (len(kept) + objects), len(kept))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("shared")
    parser.add_argument("out")
    parser.add_argument("--bin", default="build/release/bin")
    parser.add_argument("--model", default="")
    parser.add_argument("--per", type=int, default=1)
    parser.add_argument("--every", type=int, default=1)
    options = parser.parse_args()
    os.makedirs(options.out, exist_ok=True)
    rows, total, used = pictures(options.per, options.every), {}, []
    for row in rows:
        objects, count = objects_of(row, options.shared)
        if not count:
            continue
        found = Found(ask(row, options), objects, count)
        used.append(row["image"])
        for rating in RATINGS:
            for stability in STABILITIES:
                values = np.array(figures(found, rating, stability))
                total.setdefault((rating, stability), []).append(values)
        print(f"{row['image']}: {count} objects, {len(found.rating)} masks", file=sys.stderr)
    with open(os.path.join(options.out, "rows.csv"), "w", encoding="utf-8", newline="") as stream:
        rows_out = csv.writer(stream)
        rows_out.writerow(["picture", "predicted IoU", "stability", "AR", "AP", "F at .5", "masks"])
        for key, values in sorted(total.items()):
            for image, line in zip(used, values):
                rows_out.writerow([image, *key] + [f"{v:.4f}" for v in line])
    with open(os.path.join(options.out, "table.csv"), "w", encoding="utf-8", newline="") as stream:
        table = csv.writer(stream)
        table.writerow(["predicted IoU", "stability", "AR", "AP", "F at .5", "masks"])
        for key, values in sorted(total.items()):
            line = [*key] + [f"{v:.4f}" for v in np.mean(values, 0)]
            table.writerow(line)
            print(*line)
    print(f"{len(used)} pictures", file=sys.stderr)


if __name__ == "__main__":
    main()
