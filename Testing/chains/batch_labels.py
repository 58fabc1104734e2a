"""Values of segments in plain label maps of a batch: one for each name of the whole manifest, in every shard
and in a run that goes on; told by tables; and what is said of a case: warnings, and voxels as they were
written."""
import gzip
import json
import os
import shutil
import signal
import struct
import subprocess
import time

from batch import AXES, SIZE, Batch
from chain import LIVER, Chain, require, write_nrrd

PLACES = {"anterior": [8.0, 9.0, 4.0], "posterior": [13.0, 11.0, 4.0], "lone": [12.0, 10.0, 4.0]}


def values(path):
    """How many voxels of each value a NIfTI label map holds."""
    with gzip.open(path, "rb") as stream:
        content = stream.read()
    start = int(struct.unpack_from("<f", content, 108)[0])
    wide = struct.unpack_from("<h", content, 72)[0] == 16
    voxels = struct.unpack(f"<{(len(content) - start) // 2}H", content[start:]) if wide \
        else content[start:]
    return {value: voxels.count(value) for value in set(voxels) - {0}}


def table(path):
    with open(path, encoding="utf-8") as stream:
        lines = stream.read().splitlines()
    require(lines[0] == "index\tname", f"{path}: {lines}")
    return {name: int(index) for index, name in (line.split("\t") for line in lines[1:])}


class Labels:
    def __init__(self, batch):
        self.b = batch
        for name, place in PLACES.items():
            with open(batch.chain.path(f"{name}.mrk.json"), "w", encoding="utf-8") as stream:
                json.dump({"markups": [{"type": "Fiducial", "coordinateSystem": "LPS",
                                        "controlPoints": [{"label": "1", "position": place}]}]}, stream)

    def row(self, number, *names, **more):
        return {"id": f"p{number}", "image": f"v{number:02}.nrrd", "boxes": "", "initial": "",
                "output": "", "prompts": ";".join(f"{name}.mrk.json" for name in names), **more}

    def run(self, rows, output, *more, **how):
        manifest = self.b.write(f"{output}.csv", rows)
        return self.b.run(manifest, output, "--outputEnding", "nii.gz", *more, **how)

    def path(self, *names):
        return self.b.chain.path(*names)

    def draw(self, name, value, again=0):
        """A rectangle of that value in the first two slices; `again`: the second has this one."""
        labels = bytearray(SIZE[0] * SIZE[1] * SIZE[2])
        for slice_, v in ((0, value), (1, again or value)):
            for y in range(5, 15):
                for x in range(6, 18):
                    labels[SIZE[0] * SIZE[1] * slice_ + SIZE[0] * y + x] = v
        write_nrrd(self.path(name), SIZE, AXES, [0.0, 0.0, 0.0], bytes(labels))

    def made_before(self, rows, output):
        """The folder as programs left it that numbered each case by itself: their keys are those of files
        that hold names."""
        self.b.run(self.b.write(f"{output}.csv", rows), output)
        status = self.path(output, "promptseg", "status-1-of-1.jsonl")
        with open(status, encoding="utf-8") as stream:
            text = stream.read()
        with open(status, "w", encoding="utf-8") as stream:
            stream.write(text.replace(".seg.nrrd", ".nii.gz"))
        for row in rows:
            name = self.path(output, row["id"])
            os.rename(f"{name}.seg.nrrd", f"{name}.nii.gz")

    def check(self, output, number, wanted):
        """Every account of a case says the same."""
        name = f"p{number}"
        held = values(self.path(output, f"{name}.nii.gz"))
        require(set(held) == set(wanted.values()), f"{output} {name}: holds {held}, wanted {wanted}")
        require(table(self.path(output, f"{name}.tsv")) == wanted, f"{output} {name}.tsv")
        with open(self.path(output, f"{name}.json"), encoding="utf-8") as stream:
            for segment in json.load(stream)["segments"]:
                require(segment["label"] == wanted[segment["name"]]
                        and segment["voxels"] == held[segment["label"]], f"{output} {name}: {segment}")
        return held


def one_value_for_a_name(t):
    """In the manifest's order, whatever a case has of them."""
    rows = [t.row(0, "anterior", "posterior"), t.row(1, "posterior"), t.row(2, "lone", "anterior")]
    wanted = {"anterior": 1, "posterior": 2, "lone": 3}
    t.run(rows, "labels")
    t.check("labels", 1, {"posterior": 2})
    t.check("labels", 0, {"anterior": 1, "posterior": 2})
    require(table(t.path("labels", "labels.tsv")) == wanted, "labels.tsv")
    held = t.check("labels", 2, {"lone": 3, "anterior": 1})
    results = t.b.results("labels")
    require(all(int(r["label"]) == wanted[r["segment"]] for r in results), f"{results}")
    overlapped = [r for r in results if r["id"] == "p2"]
    require(all(int(r["voxels"]) == held[int(r["label"])] for r in overlapped),
            f"other voxels than the file's, {held}: {overlapped}")
    # Rows to come number on; what is done stays.
    rows += [t.row(3, "lone", segment="whole")]
    for row in rows:
        row.setdefault("segment", "")
    t.run(rows, "labels", said="3 rows were done before, 1 are to be done")
    t.check("labels", 3, {"lone": 3})
    # So do names before them: values that the folder's table has stay.
    first = [t.row(4, "posterior", segment=""),
             t.row(5, segment="new", foreground="12,10,4")]
    for row in first + rows:
        row.setdefault("foreground", "")
    t.run(first + rows, "labels", said="4 rows were done before, 2 are to be done")
    t.check("labels", 5, {"new": 4})
    t.check("labels", 1, {"posterior": 2})
    t.check("labels", 2, {"lone": 3, "anterior": 1})


def the_same_in_all_shards(t):
    rows = [t.row(0, "anterior"), t.row(1, "posterior"), t.row(2, "anterior", "posterior")]
    for shard in ("3/3", "2/3", "1/3"):
        t.run(rows, "sharded", "--shard", shard)
    t.check("sharded", 0, {"anterior": 1})
    t.check("sharded", 1, {"posterior": 2})
    t.check("sharded", 2, {"anterior": 1, "posterior": 2})
    t.run(rows, "sharded", "--collect")
    require([r["label"] for r in t.b.results("sharded")] == ["1", "2", "1", "2"], "--collect")


def values_that_are_given(t):
    rows = [t.row(0, "anterior", "posterior"), t.row(1, "lone")]
    t.run(rows, "given", "--labelValues", "posterior=700,lone=1")
    t.check("given", 0, {"anterior": 2, "posterior": 700})
    t.check("given", 1, {"lone": 1})
    t.run([dict(rows[0], labelValues="lone=2")], "column", code=1, said="an option of the whole batch")
    for bad, said in (("kidney", "wanted name=value"), ("a=1,b=1", "gives 1 to 'a' and to 'b'"),
                      ("a=1,a=2", "names 'a' twice"), ("a=0", "from 1 to 65535"),
                      ("a=65536", "from 1 to 65535"), ("=3", "wanted name=value"),
                      ("a=", "wanted name=value"), ("a=2x", "found 'a=2x'")):
        t.run(rows, "bad", f"--labelValues={bad}", code=1, said=said)
    single = t.path("single.nii.gz")
    said = t.b.chain.segment("--prompts", t.path("anterior.mrk.json"), "--prompts",
                             t.path("posterior.mrk.json"), "--labelValues", " anterior = 5 , liver=1",
                             t.path("v00.nrrd"), single)
    require(set(values(single)) == {5, 2}, f"{values(single)}")
    require("anterior (label 5): " in said and "posterior (label 2): " in said, said)
    said = t.b.chain.segment("--prompts", t.path("anterior.mrk.json"), t.path("v00.nrrd"),
                             t.path("single.seg.nrrd"))
    require("anterior: " in said and "(label" not in said, said)


def segmentations_that_rows_begin_with(t):
    """Their values stay; names that come to them take others."""
    labels = bytearray(SIZE[0] * SIZE[1] * SIZE[2])
    labels[:40] = bytes([1]) * 40
    labels[40:60] = bytes([3]) * 20
    write_nrrd(t.path("drawn.nrrd"), SIZE, AXES, [0.0, 0.0, 0.0], bytes(labels))
    boxes = bytearray(len(labels))
    for y in range(5, 15):
        for x in range(6, 18):
            boxes[SIZE[0] * SIZE[1] + SIZE[0] * y + x] = 4
    write_nrrd(t.path("boxes.nrrd"), SIZE, AXES, [0.0, 0.0, 0.0], bytes(boxes))
    rows = [t.row(0, "anterior"), t.row(1, "lone", initial="drawn.nrrd"), t.row(2, boxes="boxes.nrrd")]
    t.run(rows, "drawn")
    t.check("drawn", 0, {"anterior": 2})
    t.check("drawn", 1, {"Segment_1": 1, "Segment_3": 3, "lone": 5})
    t.check("drawn", 2, {"Segment_4": 4})


def folders_of_before(t):
    """Keys of rows whose values are as they were, and of files that hold names, are those of before: the lines
    have no labels, and are taken."""
    rows = [t.row(0, "anterior"), t.row(1, "posterior", output="p1.seg.nrrd"), t.row(2, "anterior")]
    t.run(rows, "before")
    status = t.path("before", "promptseg", "status-1-of-1.jsonl")
    with open(status, encoding="utf-8") as stream:
        lines = [json.loads(line) for line in stream]
    for line in lines:
        line.pop("warnings", None)
        for segment in line["segments"]:
            segment.pop("label", None)
    with open(status, "w", encoding="utf-8") as stream:
        stream.writelines(json.dumps(line) + "\n" for line in lines)
    os.unlink(t.path("before", "p0.tsv"))
    t.run(rows, "before", said="3 rows were done before, 0 are to be done")
    require([r["label"] for r in t.b.results("before")] == ["", "", ""], "labels out of nothing")


def cases_made_alone(t):
    """Of files of before those stay that have the values of now: a case numbers its prompts before the boxes,
    and keeps the values that it begins with."""
    t.draw("box1.nrrd", 1)
    t.draw("box2.nrrd", 2)
    other = [t.row(0, "anterior", boxes="box1.nrrd")]  # had anterior 1, Segment_1 2
    t.made_before(other, "boxes1")
    require("done before" not in t.run(other, "boxes1"), "a file with other values stays")
    t.check("boxes1", 0, {"Segment_1": 1, "anterior": 2})
    same = [t.row(0, "anterior", boxes="box2.nrrd")]
    t.made_before(same, "boxes2")
    t.run(same, "boxes2", said="1 rows were done before, 0 are to be done")
    begun = [t.row(0, "lone", initial="drawn.nrrd")]  # had Segment_1 1, lone 2
    t.made_before(begun, "begun")
    require("done before" not in t.run(begun, "begun", "--labelValues", "lone=1"),
            "a file that kept the value it began with stays")
    t.check("begun", 0, {"lone": 1, "Segment_1": 2, "Segment_3": 3})


def masks_of_sequences(t):
    """One value is the row's own name, several are names with values that stay; both are numbered."""
    t.draw("mask4.nrrd", 4)
    t.draw("mask25.nrrd", 2, again=5)
    more = {"sequence": "true", "segment": ""}
    rows = [t.row(0, maskPrompts="mask4.nrrd", **dict(more, segment="polyp")),
            t.row(1, maskPrompts="mask4.nrrd", **dict(more, segment="instrument")),
            t.row(2, "lone", maskPrompts="", **dict(more, sequence="false")),
            t.row(3, maskPrompts="mask25.nrrd", **more)]
    t.run(rows[:3], "masks")
    wanted = {"polyp": 1, "instrument": 2, "lone": 3}
    require(table(t.path("masks", "labels.tsv")) == wanted, f"{table(t.path('masks', 'labels.tsv'))}")
    for number, (name, value) in enumerate(wanted.items()):
        require(table(t.path("masks", f"p{number}.tsv")) == {name: value}, f"masks: {name}")
    # A row at the end numbers on, whatever values it begins with: what is done stays as it is, as the README
    # says. (Until labels.tsv was read again, Segment_2 took the value of instrument, and moved two rows.)
    t.run(rows, "masks", said="3 rows were done before, 1 are to be done")
    wanted = {"polyp": 1, "instrument": 2, "lone": 3, "Segment_2": 4, "Segment_5": 5}
    require(table(t.path("masks", "labels.tsv")) == wanted, f"{table(t.path('masks', 'labels.tsv'))}")
    require(table(t.path("masks", "p3.tsv")) == {"Segment_2": 4, "Segment_5": 5}, "masks: p3")
    require(table(t.path("masks", "p1.tsv")) == {"instrument": 2}, "masks: p1")


def names_that_stay_unknown(t):
    """Those of an RT structure set have values that no name has, also when a name comes to them."""
    t.b.chain.segment("--foreground", "-28,-20,-127.69", "--segmentName", "organ", LIVER,
                      t.path("organ.rtstruct.dcm"))
    rows = [dict(t.row(0, initial="organ.rtstruct.dcm"), image=os.path.abspath(LIVER),
                 foreground="-40,-30,-127.69", segment="lesion")]
    t.run(rows, "unknown")
    require(table(t.path("unknown", "p0.tsv")) == {"organ": 2, "lesion": 1}, "unknown: p0")
    t.run(rows, "unknown", said="1 rows were done before, 0 are to be done")
    rows.append(dict(t.row(1, "lone"), foreground="", segment=""))
    t.run(rows, "unknown")
    require(table(t.path("unknown", "p1.tsv")) == {"lone": 2}, "unknown: p1")
    require(table(t.path("unknown", "p0.tsv")) == {"organ": 3, "lesion": 1}, "unknown: p0 has 2 as lone has")


def large(path):
    """300 x 300 x 60 voxels of two values."""
    with open(path, "wb") as stream:
        stream.write(b"NRRD0004\ntype: unsigned char\ndimension: 3\nsizes: 300 300 60\n"
                     b"space: left-posterior-superior\nspace directions: (1,0,0) (0,1,0) (0,0,1)\n"
                     b"space origin: (0,0,0)\nencoding: raw\n\n")
        stream.write((b"\1\1\1\2\0\0" * 50) * (300 * 60))


def what_is_read_at_the_start(t):
    """What many rows begin with is read once, in whatever order; a signal ends the reading."""
    large(t.path("large0.nrrd"))
    for number in range(1, 40):
        os.link(t.path("large0.nrrd"), t.path(f"large{number}.nrrd"))
    took = {}
    for count in (2, 40):
        rows = [t.row(i, "lone", initial=f"large{i % 2}.nrrd") for i in range(count)]
        for _ in range(2):  # they fail, for the grid is another one: the second time nothing is done
            start = time.monotonic()
            t.run(rows, f"alternating{count}", code=7)
            took[count] = time.monotonic() - start
    require(took[40] < 0.5 + 3 * took[2], f"two files in turns: seconds to begin by rows {took}")
    manifest = t.b.write("deaf.csv", [t.row(i, "lone", initial=f"large{i}.nrrd") for i in range(40)])
    process = subprocess.Popen(t.b.command(manifest, "deaf", "--outputEnding", "nii.gz"),
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    while process.poll() is None and not os.path.exists(t.path("deaf", "promptseg", "rows.lock")):
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    start = time.monotonic()
    _, errors = process.communicate()
    require(process.returncode == 130 and "cancelled" in errors, f"{process.returncode}: {errors}")
    require(time.monotonic() - start < 3, "a signal is not heard while segmentations are read")
    for number in range(40):
        os.unlink(t.path(f"large{number}.nrrd"))
    shutil.rmtree(t.path("deaf"))


def what_is_said(t):
    """The first warning of a case is printed, all are in its row."""
    said = t.run([t.row(0, "anterior", "lone"), t.row(1, "lone")], "said")
    first, second = t.b.results("said")[0], t.b.results("said")[-1]
    require("; warning: segments overlap in " in said, said)
    require("segments overlap in " in first["warnings"], f"{first}")
    require(second["id"] == "p1" and "overlap" not in second["warnings"], f"{second}")


def main():
    t = Labels(Batch(Chain()))
    one_value_for_a_name(t)
    the_same_in_all_shards(t)
    values_that_are_given(t)
    segmentations_that_rows_begin_with(t)
    folders_of_before(t)
    cases_made_alone(t)
    masks_of_sequences(t)
    names_that_stay_unknown(t)
    what_is_read_at_the_start(t)
    what_is_said(t)


if __name__ == "__main__":
    main()
