"""What thresholds of PromptSegEverything are chosen by (Testing/quality/everything/choose.py).

Objects, suppression, average recall and precision on masks that can be counted by hand; then the bundled
model on a picture: what the script says that thresholds leave is what PromptSegEverything leaves with
them. Needs numpy, which the readers' environment has.
"""
import argparse
import csv
import json
import os
import subprocess
import sys

from chain import Chain, HERE, require, run, skip, write_png

QUALITY = os.path.join(HERE, "..", "quality", "everything")
MODELS = os.path.join(HERE, "..", "..", "resources", "models")
sys.dont_write_bytecode = True
sys.path.insert(0, QUALITY)


def mask_of(columns, rows, crop, rating, stability, size=(24, 20)):
    """A filled box as a report has it. size: width, height; columns and rows: first, behind last."""
    width, height = size
    inside = [columns[0] <= x < columns[1] and rows[0] <= y < rows[1]
              for x in range(width) for y in range(height)]
    counts, value = [0], False
    for v in inside:
        if v != value:
            counts.append(0)
            value = v
        counts[-1] += 1
    return {"predicted_iou": rating, "stability_score": stability, "crop_box": list(crop),
            "bbox": [columns[0], rows[0], columns[1] - columns[0], rows[1] - rows[0]],
            "segmentation": {"size": [height, width], "counts": counts}}


def near(found, wanted, what):
    require(len(found) == len(wanted) and all(abs(a - b) < 1e-9 for a, b in zip(found, wanted)),
            f"{what}: wanted {wanted}, found {list(found)}")


def picture(chain):
    """Class 1: squares of 64 pixels that touch at a corner are one object, specks are none; class 2."""
    labels = [[0] * 24 for _ in range(20)]
    for value, columns, rows in ((1, (0, 8), (0, 8)), (1, (8, 16), (8, 16)), (2, (16, 24), (0, 8)),
                                 (1, (0, 7), (12, 20)), (2, (0, 8), (8, 9))):
        for y in range(*rows):
            labels[y][columns[0]:columns[1]] = [value] * (columns[1] - columns[0])
    path = chain.path("labels.png")
    write_png(path, [bytes(row) for row in labels])
    return {"label": path, "kind": "class"}


def check_objects(choose, row):
    import numpy as np
    objects, count = choose.objects_of(row, "")
    sizes = np.bincount(objects.ravel())
    require(count == 2 and list(sizes[1:]) == [128, 64], f"{count} objects of {sizes[1:]} pixels")
    require(objects[0, 0] == objects[15, 15] == 1 and objects[0, 23] == 2 and objects[19, 0] == 0,
            "the objects' numbers")
    _, count = choose.objects_of(dict(row, kind="instance"), "")
    require(count == 2, f"{count} instances")  # a value each, specks and all
    return objects


def check_left(choose, objects):
    """Of a crop the better rated of two alike, of two crops the smaller one's."""
    whole, part = (0, 0, 24, 20), (0, 0, 12, 10)
    masks = [mask_of((0, 8), (0, 8), whole, .9, .9), mask_of((0, 8), (0, 9), whole, .8, .6),
             mask_of((0, 8), (0, 8), part, .5, .7), mask_of((16, 24), (0, 8), whole, .3, .95),
             mask_of((8, 16), (8, 16), whole, .6, .4)]
    found = choose.Found({"masks": masks}, objects, 2)
    near(found.iou[:, 0], (.5, 64 / 136, .5, 0, .5), "IoU with the first object")
    near(found.iou[:, 1], (0, 0, 0, 1, 0), "IoU with the second object")
    for thresholds, wanted in (((.2, 0), [4, 2, 3]), ((.3, 0), [4, 2]), ((.2, .4), [4, 2, 3]),
                               ((.2, .5), [2, 3]), ((.5, 0), [0, 4]), ((.2, .8), [0, 3]),
                               ((.9, 0), [])):
        kept = list(found.left(*thresholds))
        require(kept == wanted, f"above {thresholds[0]}, from {thresholds[1]}: left {kept}")
    # best first: .5 of an object at IoU .5 alone, then the whole of the other at all ten
    recall, precision, f, count = choose.figures(found, .2, .5)
    near((recall, f, count), ((10 + 1) / 20, 2 * 2 / (2 + 2), 2), "AR, F and masks")
    # at .5 both are right; above, the second of two is: half the recall at precision .5
    near([precision], [(1 + 9 * .5 * 51 / 101) / 10], "AP")
    near(choose.figures(found, .9, 0), (0, 0, 0, 0), "nothing left")


def check_rules(choose):
    import numpy as np
    taken = choose.matches(np.array([[.6, .7], [.1, .8], [.55, .9]]), .5)
    require(list(taken) == [True, False, True], f"matches {taken}")
    # recall .5, .5, 1 at precision 1, 1/2, 2/3: 51 of COCO's points at 1, 50 at 2/3
    near([choose.precision(np.array([True, False, True]), 2)], [(51 + 50 * 2 / 3) / 101], "AP")
    rows = choose.pictures(1, 1)
    require(len(rows) > 20 and len({r["dataset"] for r in rows}) == len(rows), "one of each set")
    require(not [r for r in rows if r["split"] == "train" or r["dataset"] in
                 ("hocm_ct", "isic2017", "medulla_fibsem", "sunnybrook_cine")],
            "pictures that are trained on, or choose nothing")
    require(choose.pictures(1, 3) == rows[::3], "every third set")


def check_program(chain, choose):
    """Discs of several shades and sizes: asked once with all open, and with thresholds."""
    import numpy as np
    discs = [(20, 20, 12, 150), (60, 24, 9, 200), (30, 62, 15, 110), (70, 66, 11, 180)]
    rows = [bytearray((x * 7 + y * 13) % 23 + 30 for x in range(96)) for y in range(88)]
    labels = [bytearray(96) for _ in rows]
    for n, (cx, cy, radius, grey) in enumerate(discs):
        for y in range(88):
            for x in range(96):
                if (x - cx) ** 2 + (y - cy) ** 2 < radius ** 2:
                    rows[y][x], labels[y][x] = grey, n + 1
    write_png(chain.path("discs.png"), [bytes(r) for r in rows])
    write_png(chain.path("discs_label.png"), [bytes(r) for r in labels])
    row = {"image": "discs.png", "label": "discs_label.png", "kind": "instance"}
    options = argparse.Namespace(out=chain.work, shared=chain.work, bin=chain.programs, model="")
    objects, count = choose.objects_of(row, chain.work)
    require(count == 4, f"{count} discs")
    few = ["--pointsPerSide", "6"]
    report = choose.ask(row, options, few)
    found = choose.Found(report, objects, count)
    for rating, stability in ((.3, .6), (.4, .7)):
        out = chain.path("report.json")
        chain.run([chain.program("PromptSegEverything"), *few, "--predIouThresh", str(rating),
                   "--stabilityScoreThresh", str(stability), "--report", out,
                   chain.path("discs.png"), chain.path("left.nrrd")])
        with open(out, encoding="utf-8") as stream:
            masks = json.load(stream)["slices"][0]["masks"]
        wanted = sorted((m["predicted_iou"], m["stability_score"], m["bbox"]) for m in masks)
        left = sorted((m["predicted_iou"], m["stability_score"], m["bbox"])
                      for m in (report["masks"][i] for i in found.left(rating, stability)))
        require(left == wanted, f"{rating}, {stability}: {len(left)} masks computed, "
                                f"{len(wanted)} are the program's")
        print(f"above {rating}, from {stability}: {len(left)} of {len(report['masks'])} masks")
    require(np.any(found.iou > .8), "no disc was found")


def check_kept(chain):
    """A report is kept for the same picture, program, model and options, and for no other."""
    import choose
    folder, calls = chain.path("kept"), chain.path("kept/calls")
    for name in ("bin", "out"):
        os.makedirs(os.path.join(folder, name))
    for name in ("a.png", "model"):
        with open(os.path.join(folder, name), "w", encoding="utf-8") as stream:
            stream.write("one")

    def program(version):
        path = os.path.join(folder, "bin", "PromptSegEverything")
        with open(path, "w", encoding="utf-8") as stream:
            stream.write(f"#!/bin/sh\n# {'new' * version}\necho call >>'{calls}'\n"
                         "while [ \"$1\" != --report ]; do shift; done\n"
                         "echo '{\"slices\": [{\"masks\": []}]}' >\"$2\"\n")
        os.chmod(path, 0o755)

    def expect(wanted, what, more=()):
        options = argparse.Namespace(out=os.path.join(folder, "out"), bin=os.path.join(folder, "bin"),
                                     model=os.path.join(folder, "model"), shared=folder)
        choose.ask({"image": "a.png"}, options, more)
        with open(calls, encoding="utf-8") as stream:
            found = len(stream.readlines())
        require(found == wanted, f"{what}: the program was called {found} times, wanted {wanted}")
    program(1)
    expect(1, "first")
    expect(1, "again")
    program(2)
    expect(2, "another program")
    for n, name in enumerate(("a.png", "model")):
        with open(os.path.join(folder, name), "a", encoding="utf-8") as stream:
            stream.write(" more")
        expect(3 + n, "another " + name)
    expect(5, "other options", ("--pointsPerSide", "2"))
    expect(5, "the same options", ("--pointsPerSide", "2"))


def check_table(chain):
    """The script as it is called, on reports that are there."""
    from made_corpus import make_pictures
    import choose
    out, shared = chain.path("out"), chain.path("shared")
    rows = [r for r in choose.pictures(1, 9)]
    make_pictures(shared, " ".join(r["dataset"] for r in rows))
    os.makedirs(out)
    for n, row in enumerate(rows):
        stem = os.path.splitext(row["image"])[0].replace("/", "_")
        masks = [mask_of((0, 10), (0, 10), (0, 0, 48, 48), .45, .65, (48, 48))] * (n % 2)
        with open(os.path.join(out, stem + ".json"), "w", encoding="utf-8") as stream:
            json.dump({"slices": [{"masks": masks}]}, stream)
        with open(os.path.join(out, stem + ".json.of"), "w", encoding="utf-8") as stream:
            stream.write(choose.identity([chain.program("PromptSegEverything"), MODELS,
                                          os.path.join(shared, row["image"])], ()))
    done = subprocess.run([sys.executable, "-B", os.path.join(QUALITY, "choose.py"), shared, out,
                           "--every", "9", "--bin", chain.programs],
                          capture_output=True, text=True, check=False)
    require(done.returncode == 0, done.stderr)
    with open(os.path.join(out, "table.csv"), encoding="utf-8", newline="") as stream:
        table = {tuple(map(float, r[:2])): r[2:] for r in list(csv.reader(stream))[1:]}
    require(len(table) == 35, f"{len(table)} lines")
    share = (len(rows) // 2) / len(rows)
    for key, line in table.items():
        masks = share if key[0] < .45 and key[1] <= .65 else 0
        require(line[3] == f"{masks:.4f}", f"{key}: {line}")
    require(os.access(os.path.join(QUALITY, "choose.py"), os.X_OK), "choose.py cannot be called")


def main():
    chain = Chain()
    try:
        import numpy  # noqa: F401
    except ImportError:
        if "CHOOSE_AGAIN" in os.environ or not os.path.exists(chain.readers):
            skip("no numpy")
        os.environ["CHOOSE_AGAIN"] = "1"
        os.execv(chain.readers, [chain.readers, "-B", *sys.argv])
    import choose
    objects = check_objects(choose, picture(chain))
    check_left(choose, objects)
    check_rules(choose)
    check_kept(chain)
    check_table(chain)
    check_program(chain, choose)


run(main)
