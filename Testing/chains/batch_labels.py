"""Values of segments in plain label maps of a batch: one for each name of the whole manifest, in every shard
and in a run that goes on; told by tables; and what is said of a case: warnings, and voxels as they were
written."""
import gzip
import json
import os
import struct

from batch import AXES, SIZE, Batch
from chain import Chain, require, write_nrrd

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
    # A name before them all moves the others: those rows are made anew, not left with other values.
    first = [t.row(4, "posterior", segment="")]
    t.run(first + rows, "labels", said="1 rows were done before, 4 are to be done")
    t.check("labels", 1, {"posterior": 1})
    t.check("labels", 2, {"lone": 3, "anterior": 2})


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
    what_is_said(t)


if __name__ == "__main__":
    main()
