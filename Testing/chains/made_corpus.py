"""Made-up pictures where resources/train/default_manifest.csv has those of a data set.

The scripts that print tables take their pictures from ../shared, which a clone does not have; here they
find bright discs on a dark ground instead, one for each class, in other places from picture to picture.
"""
import csv
import os

from chain import HERE, write_png

MANIFEST = os.path.join(HERE, "..", "..", "resources", "train", "default_manifest.csv")
SIDE = 48
CLASSES = {"chd68_ct": 7}  # elsewhere one


def label_at(k, x, y, classes):
    """Discs in a grid of 3 x 3 cells, that of a picture shifted by its number."""
    if classes == 1:
        return int((x - 16 - 3 * (k % 5)) ** 2 + (y - 18 - 2 * (k % 6)) ** 2 < 120)
    u, v = (x + 3 * (k % 4)) % SIDE, (y + 2 * (k % 5)) % SIDE
    value = 1 + u // 16 + 3 * (v // 16)
    inside = (u % 16 - 8) ** 2 + (v % 16 - 8) ** 2 < 40
    return value if inside and value <= classes else 0


def make_pictures(folder, sets):
    """Below `folder`; returns the manifest's rows."""
    with open(MANIFEST, encoding="utf-8", newline="") as stream:
        rows = [row for row in csv.DictReader(stream) if row["dataset"] in sets.split()]
    for k, row in enumerate(rows):
        labels = [bytes(label_at(k, x, y, CLASSES.get(row["dataset"], 1)) for x in range(SIDE))
                  for y in range(SIDE)]
        grey = [bytes(100 + 20 * labels[y][x] if labels[y][x] else (x * 3 + y * 5 + 7 * k) % 50
                      for x in range(SIDE)) for y in range(SIDE)]
        os.makedirs(os.path.join(folder, os.path.dirname(row["image"])), exist_ok=True)
        write_png(os.path.join(folder, row["image"]), grey)
        write_png(os.path.join(folder, row["label"]), labels)
    return rows
