"""The table of narrow networks (resources/train/small_runs.py): its arithmetic on what can be counted by
hand, and two presets run for a few updates, twice, with the same table."""
import csv
import os
import re
import sys
import zlib

from chain import Chain, HERE, require, run, write_png
from made_corpus import make_pictures

TRAIN = os.path.join(HERE, "..", "..", "resources", "train")
sys.dont_write_bytecode = True
sys.path.insert(0, TRAIN)
import small_runs  # noqa: E402


def near(found, wanted, what):
    require(len(found) == len(wanted) and all(abs(a - b) < 1e-12 for a, b in zip(found, wanted)),
            f"{what}: wanted {wanted}, found {found}")


def check_measures():
    """Eight pixels: 3 of class 1 and 2 of class 2; found 2 of class 1, one of them of it."""
    wanted, found = bytes([1, 1, 1, 0, 0, 0, 2, 2]), bytes([0, 0, 1, 1, 0, 0, 0, 0])
    one = [small_runs.where(labels, 1) for labels in (found, wanted)]
    near(small_runs.measure(*one), (2 / 5, 1 / 4), "Dice and IoU of class 1")
    anything = [small_runs.where(labels, None) for labels in (found, wanted)]
    near(small_runs.measure(*anything), (2 / 7, 1 / 6), "Dice and IoU of anything")
    near(small_runs.measure(0, 0), (1, 1), "nothing wanted, nothing found")
    near(small_runs.measure(0, one[1]), (0, 0), "nothing found")
    # IoU: (mean(.5, 0) + 1 + .25) / 3; challenge: (.5 + 1 + .25) / 3; mc: mean(.75, .125)
    results = [("set", "a", 1, 0, 0.5, True), ("set", "a", 2, 0, 0, False),
               ("set", "b", 1, 0, 1, True), ("set", "c", 2, 0, 0.25, True)]
    near(small_runs.class_ious(results), (0.5, 1.75 / 3, 0.4375), "IoU, challenge IoU, mc IoU")


def check_prompts():
    """An object of columns 2 to 4 and rows 1 to 2 of a picture 6 wide."""
    labels = bytes([0] * 6 + [0, 0, 3, 3, 0, 0] + [0, 0, 0, 3, 3, 0] + [0] * 6)
    require(small_runs.prompts_of("box", "x", labels, 6, 3) == ["--roi", "3.0,1.5,0,1.5,1.0,0"],
            "the box of an object")
    points = {small_runs.prompts_of("point", f"{k}", labels, 6, 3)[1] for k in range(50)}
    require(points == {"2,1,0", "3,1,0", "3,2,0", "4,2,0"}, f"points of an object: {points}")
    require(small_runs.prompts_of("point", "a", labels, 6, 3) ==
            small_runs.prompts_of("point", "a", labels, 6, 3), "a point differs when asked again")


def check_files(chain):
    """Label maps with each of PNG's filters, as other programs write them."""
    rows = [bytes((3 * x * y + x) % 7 for x in range(9)) for y in range(5)]
    path, raw, above = chain.path("labels.png"), b"", bytes(9)
    write_png(path, rows)
    plain = small_runs.read_labels(path)
    require(plain == (9, 5, b"".join(rows)), f"a plain PNG: {plain}")
    for kind, row in enumerate(rows):
        left, corner = bytes([0]) + row[:-1], bytes([0]) + above[:-1]
        guess = [(0, a, b, (a + b) // 2, paeth(a, b, c))[kind]
                 for a, b, c in zip(left, above, corner)]
        raw += bytes([kind]) + bytes((v - g) & 255 for v, g in zip(row, guess))
        above = row
    with open(path, "rb") as stream:
        data = stream.read()
    start = data.index(b"IDAT") - 4
    body = zlib.compress(raw)
    with open(path, "wb") as stream:
        stream.write(data[:start] + len(body).to_bytes(4, "big") + b"IDAT" + body + b"\0\0\0\0" +
                     data[data.index(b"IEND") - 4:])
    require(small_runs.read_labels(path) == plain, "a PNG whose rows are filtered")


def paeth(a, b, c):
    """The neighbour nearest to a + b - c; of equal ones left, above, corner."""
    return min((a, b, c), key=lambda v: abs(a + b - c - v))


def check_sets():
    presets = {name[:-4] for name in os.listdir(os.path.join(TRAIN, "presets"))}
    require(presets == set(small_runs.RUNS), f"presets without a run: {presets}")
    for _, _, sets, _ in small_runs.RUNS.values():
        rows = small_runs.rows_of(sets)
        for name in sets.split():
            sides = [{small_runs.patient(r) for r in rows
                      if r["dataset"] == name and r["split"] == split} for split in ("train", "val")]
            require(all(sides) and not sides[0] & sides[1], f"{name}: patients on both sides")
    text = small_runs.settings_of("samus", "rate = 7\nbatch =\nsteps = 3\n").splitlines()
    keys = [line.split("=")[0].strip() for line in text if not line.startswith("#")]
    require(len(keys) == len(set(keys)) and "rate = 7" in text and "steps = 3" in text and
            "batch" not in keys and "loss = samus" in text, f"settings of samus: {text}")


def table_of_runs(chain, out):
    sys.argv = ["small_runs.py", chain.path("shared"), "--bin", chain.programs, "--out", out,
                "msa_2023", "samed"]
    small_runs.main()
    with open(os.path.join(out, "table.csv"), "rb") as stream:
        table = stream.read()
    with open(os.path.join(out, "table.md"), "rb") as stream:
        return table, stream.read()


def check_runs(chain):
    for name, (preset, asked, sets, own) in list(small_runs.RUNS.items()):
        small_runs.RUNS[name] = preset, asked, sets, re.sub(r"\nsteps = \d+", "\nsteps = 4", own)
    tables = [table_of_runs(chain, chain.path(name)) for name in "ab"]
    require(tables[0] == tables[1], "the second table differs")
    rows = list(csv.reader(tables[0][0].decode().splitlines()))
    require([row[:3] for row in rows[1:]] ==
            [["msa_2023", "bus_uc", "6"], ["msa_2023", "kvasir_seg", "8"], ["samed", "chd68_ct", "119"],
             ["samed", "IoU", ""], ["samed", "challenge IoU", ""], ["samed", "mc IoU", ""]],
            f"lines of the table: {rows}")
    require(all(0 <= float(v) <= 1 for row in rows[1:] for v in row[3:] if v), f"figures {rows}")
    require(rows[1][3] != rows[1][4], "four updates changed no answer")
    with open(chain.path("a", "msa_2023", "after.cfg"), encoding="utf-8") as stream:
        require("steps = 4\n" in stream.read(), "the run had other settings")


def main():
    chain = Chain()
    check_measures()
    check_prompts()
    check_files(chain)
    check_sets()
    make_pictures(chain.path("shared"), "bus_uc kvasir_seg chd68_ct")
    check_runs(chain)


run(main)
