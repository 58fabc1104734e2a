"""PromptSegBatch as a user runs it: the results of single runs, resuming after a signal (other ends:
batch_ends.py), shards side by side, manifests that are wrong as a whole and rows that are wrong by themselves."""
import csv
import json
import os
import random
import shutil
import signal
import subprocess
import time

from chain import LIVER, Chain, require, seconds, write_nrrd

SIZE = [24, 20, 3]
AXES = [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 4.0]]
CASES = 12


def voxels(seed):
    draw = random.Random(seed)
    cx, cy = draw.uniform(9, 14), draw.uniform(8, 12)
    out = bytearray()
    for _ in range(SIZE[2]):
        for y in range(SIZE[1]):
            for x in range(SIZE[0]):
                inside = (x - cx) ** 2 + (y - cy) ** 2 < 30
                out.append((180 if inside else 50) + draw.randrange(20))
    return bytes(out)


class Batch:
    def __init__(self, chain):
        self.chain = chain
        self.rows = []
        for number in range(CASES):
            name = f"v{number:02}.nrrd"
            write_nrrd(chain.path(name), SIZE, AXES, [0.0, 0.0, 0.0], voxels(number))
            self.rows.append({"id": f"case {number:02}", "image": name,
                              "foreground": f"{11 + number % 3},10,4"})
        self.manifest = self.write("m.csv", self.rows)

    def write(self, name, rows):
        path = self.chain.path(name)
        with open(path, "w", newline="", encoding="utf-8") as stream:
            table = csv.DictWriter(stream, list(rows[0]))
            table.writeheader()
            table.writerows(rows)
        return path

    def command(self, manifest, output, *more):
        return [self.chain.program("PromptSegBatch"), "--model", self.chain.model, "--variant",
                "tiny_vit_256", manifest, "--output", self.chain.path(output), *map(str, more)]

    def run(self, manifest, output, *more, code=0, said="", environment=None):
        done = subprocess.run(self.command(manifest, output, *more), capture_output=True, text=True,
                              check=False, env=dict(os.environ, **(environment or {})))
        shown = f"{manifest} {output} {more}: {done.stdout}\n{done.stderr}"
        require(done.returncode == code, f"exit code {done.returncode}, wanted {code}: {shown}")
        require((done.stderr == "") == (code == 0), f"standard error: {shown}")
        require(said in done.stdout + done.stderr, f"{said!r} is not said: {shown}")
        return done.stdout

    def files(self, output):
        """Segmentations by name."""
        found = {}
        for folder, _, names in os.walk(self.chain.path(output)):
            for name in names:
                if name.endswith((".seg.nrrd", ".nii.gz")):
                    with open(os.path.join(folder, name), "rb") as stream:
                        found[name] = stream.read()
        return found

    def lines(self, output):
        """Lines of all status files."""
        found = []
        folder = self.chain.path(output, "promptseg")
        for name in sorted(os.listdir(folder)):
            if name.startswith("status-"):
                with open(os.path.join(folder, name), encoding="utf-8") as stream:
                    for line in stream:
                        try:
                            found.append(json.loads(line))
                        except ValueError:
                            require(not line.strip().endswith("}"), f"a bad line: {line}")
        return found

    def results(self, output):
        with open(self.chain.path(output, "results.csv"), newline="", encoding="utf-8") as stream:
            return list(csv.DictReader(stream))


def as_single_runs(b):
    """The same bytes as PromptSeg makes, row by row; a report each; nothing done a second time."""
    b.run(b.manifest, "whole")
    wanted = b.files("whole")
    require(len(wanted) == CASES, f"{len(wanted)} segmentations")
    for row in b.rows[:3]:
        single = b.chain.path("single.seg.nrrd")
        b.chain.segment("--foreground", row["foreground"], b.chain.path(row["image"]), single)
        with open(single, "rb") as stream:
            require(stream.read() == wanted[row["id"] + ".seg.nrrd"], f"{row['id']} differs")
        with open(b.chain.path("whole", row["id"] + ".json"), encoding="utf-8") as stream:
            require(json.load(stream)["segments"][0]["name"] == "Segment_1", "no report")
    results = b.results("whole")
    require([r["id"] for r in results] == [r["id"] for r in b.rows], "results.csv: other rows")
    require(all(r["state"] == "done" and int(r["voxels"]) > 0 for r in results), f"{results}")
    with open(b.chain.path("whole", "summary.json"), encoding="utf-8") as stream:
        require(json.load(stream)["done"] == CASES, "summary.json")
    with open(b.chain.path("whole", "contact_sheet.png"), "rb") as stream:
        require(stream.read(4) == b"\x89PNG", "contact_sheet.png")
    b.run(b.manifest, "whole", said="0 are to be done")
    require(len(b.lines("whole")) == CASES, "rows were done twice")
    # Jobs side by side make the same files.
    b.run(b.manifest, "jobs", "--jobs", 2)
    require(b.files("jobs") == wanted, "--jobs 2 makes other files")
    return wanted


def what_makes_a_row_new(b, wanted):
    """A changed input, prompt, option, or a lost output; the other rows stay."""
    shutil.copytree(b.chain.path("whole"), b.chain.path("new"))
    os.unlink(b.chain.path("new", "case 03.seg.nrrd"))
    b.run(b.manifest, "new", said="11 rows were done before, 1 are to be done")
    require(b.files("new") == wanted, "another segmentation after its loss")
    rows = [dict(r) for r in b.rows]
    rows[4]["foreground"] = "10,9,4"
    b.run(b.write("changed.csv", rows), "new", said="11 rows were done before, 1 are")
    b.run(b.manifest, "new", "--fillHoles", said="1/12")
    # Called by another name, from another folder: the same rows. A touched image is new.
    here = os.path.relpath(b.chain.work)
    done = subprocess.run(b.command(os.path.join(here, "m.csv"), "new", "--fillHoles"),
                          capture_output=True, text=True, check=False)
    require("12 rows were done before" in done.stdout, f"{done.stdout}")
    os.utime(b.chain.path("v05.nrrd"), (1, 1))
    b.run(b.manifest, "new", "--fillHoles", said="11 rows were done before")


def linked_inputs(b):
    """Links lead to what is read: a slice behind one that changes or comes makes a row new. What is hidden
    is not read, nor are the outputs inside."""
    point = "-28,-20,-127.69"  # in the liver
    shutil.copytree(LIVER, b.chain.path("slices"))
    os.symlink("slices", b.chain.path("link"))
    os.makedirs(b.chain.path("curated"))
    for name in os.listdir(LIVER):
        os.symlink(os.path.join("..", "slices", name), b.chain.path("curated", name))
    first = sorted(os.listdir(LIVER))[0]
    rows = [{"id": "plain", "image": "slices", "foreground": point},
            {"id": "link", "image": "link", "foreground": point},
            {"id": "curated", "image": "curated", "foreground": point}]
    manifest = b.write("links.csv", rows)
    b.run(manifest, "links")
    b.run(manifest, "links", said="3 rows were done before")
    os.utime(b.chain.path("slices", first), (1, 1))
    again = b.run(manifest, "links")
    require("done before" not in again, f"a changed slice behind a link is not seen: {again}")
    shutil.copy(os.path.join(LIVER, first), b.chain.path("slices", "more.dcm"))
    said = b.run(manifest, "links", said="1 rows were done before")  # "curated" has no such link
    require("curated" not in said, f"another row than that of the changed folder: {said}")
    with open(b.chain.path("slices", ".hidden"), "w", encoding="utf-8") as stream:
        stream.write("not read")
    b.run(manifest, "links", said="3 rows were done before")
    b.run(manifest, "slices/out")
    b.run(manifest, "slices/out", said="3 rows were done before")


def names_of_any_bytes(b):
    """Ids, outputs, segments and models that are no UTF-8: each row has its own results, and is done once."""
    shutil.copy(b.chain.model, os.path.join(os.fsencode(b.chain.work), b"m\xfc.safetensors"))
    manifest = b.chain.path("bytes.csv")
    with open(manifest, "wb") as stream:
        stream.write(b"id,image,foreground,segment,output\n"
                     b"M\xfcller,v00.nrrd,\"11,10,4\",T\xfc,\n"
                     b"M?ller,v01.nrrd,\"12,10,4\",,\n"
                     b"M\xf6ller,v02.nrrd,\"11,10,4\",,o\xfc/t.nii.gz\n"
                     b"failing,v\xfc.nrrd,\"11,10,4\",,\n")
    command = b.command(manifest, "bytes")
    command[command.index("--model") + 1] = os.path.join(os.fsencode(b.chain.work), b"m\xfc.safetensors")
    for said in (b"3/3", b"3 rows were done before, 0 are to be done"):
        done = subprocess.run(command, capture_output=True, check=False)
        require(done.returncode == 7 and b"1 of 4 rows failed" in done.stderr, f"{done}")
        require(said in done.stdout, f"{said} is not said: {done.stdout}")
    with open(b.chain.path("bytes", "results.csv"), newline="", encoding="latin-1") as stream:
        results = {r["id"]: r for r in csv.DictReader(stream)}
    states = {name: (r["state"], r["segment"], r["output"]) for name, r in results.items()}
    require(states == {"M\xfcller": ("done", "T\xfc", "M\xfcller.seg.nrrd"),
                       "M?ller": ("done", "Segment_1", "M?ller.seg.nrrd"),
                       "M\xf6ller": ("done", "Segment_1", "o\xfc/t.nii.gz"),
                       "failing": ("failed", "", "failing.seg.nrrd")}, f"{states}")
    ids = {(line["id"], line.get("id_hex")) for line in b.lines("bytes")}
    require(ids == {("M?ller", b"M\xf6ller".hex()), ("M?ller", b"M\xfcller".hex()), ("M?ller", None),
                    ("failing", None)}, f"{ids}")
    with open(b.chain.path("bytes", "summary.json"), encoding="utf-8") as stream:
        summary = json.load(stream)
    require(summary["done"] == 3 and summary["model"] == "m?.safetensors", f"{summary}")


def stopped(b):
    process = subprocess.Popen(b.command(b.manifest, "stopped"), stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE, text=True)
    first = process.stdout.readline()
    process.send_signal(signal.SIGTERM)
    start = time.monotonic()
    _, errors = process.communicate()
    require("1/12" in first, f"the first line is {first!r}")
    require(process.returncode == 130, f"exit code {process.returncode}: {errors}")
    require("the same command goes on" in errors, f"{errors!r}")
    require(time.monotonic() - start < 3, "a signal is not heard")
    b.run(b.manifest, "stopped")


def shards(b, wanted):
    """Two at once, also of different counts: every row once; --collect joins them."""
    commands = [b.command(b.manifest, "shards", "--shard", s) for s in ("1/2", "2/2", "1/1")]
    running = [subprocess.Popen(c, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
               for c in commands]
    for process in running:
        _, errors = process.communicate()
        require(process.returncode == 0, f"exit code {process.returncode}: {errors}")
    require(b.files("shards") == wanted, "shards make other files")
    ids = [line["id"] for line in b.lines("shards")]
    require(len(ids) == len(set(ids)) == CASES, f"done twice: {sorted(ids)}")
    os.makedirs(b.chain.path("dealt"))
    for task in (4, 6, 8):
        b.run(b.manifest, "dealt", environment={
            "SLURM_ARRAY_TASK_ID": str(task), "SLURM_ARRAY_TASK_MIN": "4",
            "SLURM_ARRAY_TASK_COUNT": "3", "SLURM_ARRAY_TASK_STEP": "2"})
    require(not os.path.exists(b.chain.path("dealt", "results.csv")), "a shard wrote for all")
    b.run(b.manifest, "dealt", "--collect")
    require(b.files("dealt") == wanted and len(b.results("dealt")) == CASES, "--collect")
    # A second process on the same shard is refused; the lock goes with the process.
    first = subprocess.Popen(b.command(b.manifest, "locked"), stdout=subprocess.PIPE, text=True)
    first.stdout.readline()
    b.run(b.manifest, "locked", code=1, said="another process works on shard 1/1")
    first.kill()
    first.communicate()
    b.run(b.manifest, "locked")
    for bad in ("0/4", "5/4", "1", "a/b", "1/0"):
        b.run(b.manifest, "bad", "--shard", bad, code=1, said="counted from 1")


def wrong_manifests(b):
    """Refused as a whole, before a file is made."""
    def refused(name, rows, said, *more):
        b.run(b.write(name, rows), "refused", *more, code=1, said=said)
        require(not os.path.exists(b.chain.path("refused")), f"{name}: a file was made")

    good = b.rows[0]
    refused("column.csv", [dict(good, widnow="brain")], "did you mean 'window'?")
    refused("model.csv", [dict(good, model="a.pth")], "an option of the whole batch")
    refused("twice.csv", [good, dict(b.rows[1], id=good["id"])], "lines 2 and 3 have the same id")
    refused("outputs.csv", [dict(good, output="x.nrrd"), dict(b.rows[1], output="x.nrrd")],
            "of line 2 and the report of line 3 name the same file")
    refused("outside.csv", [dict(good, output="../x.nrrd")], "outside the output folder")
    refused("elsewhere.csv", [dict(good, output="/tmp/x.nrrd")], "outside the output folder")
    refused("slash.csv", [dict(good, id="a/b")], "does not serve as a file's name")
    refused("noid.csv", [{"image": "v00.nrrd"}], "no column 'id'")
    refused("bids.csv", [good], "is none of BIDS", "--bids")
    b.run(b.chain.path("no.csv"), "refused", code=2, said="no.csv")
    os.makedirs(b.chain.path("over"))
    shutil.copy(b.chain.path("v00.nrrd"), b.chain.path("over", "in.nrrd"))
    rows = [dict(good, image="over/in.nrrd", output="in.nrrd"), b.rows[1]]
    b.run(b.write("over.csv", rows), "over", code=1, said="the image of line 2")


def wrong_rows(b):
    """Fail by themselves, in the beginning, the middle and the end; the rest is done."""
    rows = [dict(r, prompts="", segment="") for r in b.rows[:7]]
    rows[1]["image"] = "missing.nrrd"
    rows[2]["foreground"] = "1,2"
    rows[3]["prompts"] = "broken.mrk.json"
    rows[4]["foreground"] = "900,900,900"
    rows[5]["segment"] = "tumour"
    with open(b.chain.path("broken.mrk.json"), "w", encoding="utf-8") as stream:
        stream.write("{")
    manifest = b.write("rows.csv", rows)
    with open(manifest, "a", encoding="utf-8") as stream:
        stream.write("half a row,v00.nrrd\n")
    said = b.run(manifest, "rows", code=7, said="5 of 8 rows failed")
    require(said.count("cannot run:") == 4, f"not all was found before the work: {said}")
    states = {r["id"]: (r["state"], r["exit_code"]) for r in b.results("rows")}
    wanted = {"case 00": ("done", "0"), "case 01": ("failed", "2"), "case 02": ("failed", "1"),
              "case 03": ("failed", "3"), "case 04": ("failed", "3"), "case 05": ("done", "0"),
              "case 06": ("done", "0"), "half a row": ("failed", "2")}
    require(states == wanted, f"{states}")
    with open(b.chain.path("rows", "case 05.json"), encoding="utf-8") as stream:
        require(json.load(stream)["segments"][0]["name"] == "tumour", "the column is ignored")
    lines = len(b.lines("rows"))
    b.run(manifest, "rows", code=7, said="3 rows were done before, 0 are to be done")
    require(len(b.lines("rows")) == lines, "failures are tried, or noted, again")
    b.run(manifest, "rows", "--retryFailed", code=7, said="1 are to be done")
    shutil.copy(b.chain.path("v01.nrrd"), b.chain.path("missing.nrrd"))
    b.run(manifest, "rows", code=7, said="4 of 8 rows failed")


def prompts_for_many(b):
    """One ROI for all; a prompt file per case; the boxes of a label map; layouts."""
    bare = [{"id": r["id"], "image": r["image"]} for r in b.rows[:2]]
    b.run(b.write("bare.csv", bare), "roi", "--roi", "12,10,4,7,6,6", "--outputEnding", "nii.gz")
    require(len(b.files("roi")) == 2, "no segmentation from --roi")
    labels = bytearray(len(voxels(0)))
    for y in range(5, 15):
        for x in range(6, 18):
            labels[SIZE[0] * SIZE[1] + SIZE[0] * y + x] = 3
    write_nrrd(b.chain.path("labels.nrrd"), SIZE, AXES, [0.0, 0.0, 0.0], bytes(labels))
    b.run(b.write("boxes.csv", [dict(bare[0], boxes="labels.nrrd")]), "boxes")
    with open(b.chain.path("boxes", "case 00.json"), encoding="utf-8") as stream:
        boxed = json.load(stream)["segments"]
    single = b.chain.path("box.json")
    b.chain.segment("--roi", "11.5,9.5,4,6,5,2", "--report", single, b.chain.path("v00.nrrd"),
                    b.chain.path("box.nrrd"))
    with open(single, encoding="utf-8") as stream:
        drawn = json.load(stream)["segments"]
    require(boxed[0]["name"] == "Segment_3" and boxed[0]["voxels"] == drawn[0]["voxels"] > 0,
            f"boxes of labels: {boxed[0]['voxels']} voxels, drawn by hand {drawn[0]['voxels']}")
    rows = [dict(b.rows[0], id="sub-01_ses-1_T1w"), dict(b.rows[1], id="sub-02_T1w")]
    b.run(b.write("bids.csv", rows), "bids", "--bids", "--participantLabel", "01")
    name = b.chain.path("bids", "sub-01", "ses-1", "anat", "sub-01_ses-1_desc-promptseg_dseg")
    require(list(b.files("bids")) == [os.path.basename(name) + ".nii.gz"], f"{b.files('bids')}")
    with open(name + ".tsv", encoding="utf-8") as stream:
        require(stream.read() == "index\tname\n1\tSegment_1\n", "_dseg.tsv")
    with open(b.chain.path("bids", "dataset_description.json"), encoding="utf-8") as stream:
        require(json.load(stream)["DatasetType"] == "derivative", "dataset_description.json")


def made_manifests(b):
    """A folder becomes a manifest that runs; what is left out is said."""
    tree = b.chain.path("tree")
    os.makedirs(os.path.join(tree, "a b"))
    shutil.copy(b.chain.path("v00.nrrd"), os.path.join(tree, "a b", "x.nrrd"))
    shutil.copy(b.chain.path("v01.nrrd"), os.path.join(tree, "x_seg.nrrd"))
    shutil.copytree(LIVER, os.path.join(tree, "series"))
    os.symlink(tree, os.path.join(tree, "loop"))
    with open(os.path.join(tree, "notes.txt"), "w", encoding="utf-8") as stream:
        stream.write("no volume")
    with open(os.path.join(tree, "a b", "x-1.fcsv"), "w", encoding="utf-8") as stream:
        stream.write(FCSV)
    manifest = b.chain.path("made", "m.csv")
    os.makedirs(b.chain.path("made"))
    said = b.chain.run([b.chain.program("PromptSegBatch"), "--makeManifest", tree, manifest])
    for name in ("x_seg.nrrd", "notes.txt", "loop"):
        require(name in said, f"{name} is left out in silence: {said}")
    with open(manifest, newline="", encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    require([r["id"] for r in rows] == ["a b_x", "series"], f"{rows}")
    require(rows[0]["image"] == "../tree/a b/x.nrrd" and rows[0]["prompts"].endswith("x-1.fcsv")
            and rows[1]["series"].startswith("1.2."), f"{rows}")
    b.run(manifest, "from_tree", code=7, said="nothing to look for")
    require(len(b.files("from_tree")) == 1, "the row with prompts was not done")


FCSV = ("# Markups fiducial file version = 5.0\n# CoordinateSystem = LPS\n"
        "# columns = id,x,y,z,ow,ox,oy,oz,vis,sel,lock,label,desc,associatedNodeID\n"
        "1,12,10,4,0,0,0,1,1,1,0,F-1,,,2,0\n")


def make_manifest(b, tree):
    """Prompts by id, what is left out, and all that is said."""
    manifest = b.chain.path(os.path.basename(tree) + ".csv")
    said = b.chain.run([b.chain.program("PromptSegBatch"), "--makeManifest", tree, manifest])
    with open(manifest, newline="", encoding="utf-8") as stream:
        found = {r["id"]: r["prompts"].replace(os.path.basename(tree) + "/", "")
                 for r in csv.DictReader(stream)}
    left = sorted(os.path.relpath(line[10:line.index(" (")], tree) for line in said.splitlines()
                  if line.startswith("left out: "))
    return found, left, said


def made_from_mixed_folders(b):
    """Volumes beside DICOM files are rows too; prompts go to the volume whose name they have most of."""
    tree = b.chain.path("mixed")
    shutil.copytree(LIVER, os.path.join(tree, "series"))
    shutil.copytree(LIVER, os.path.join(tree, "series", "deeper"))
    seg = os.path.join(tree, "only_seg", "out.dcm")
    os.makedirs(os.path.dirname(seg))
    b.chain.segment("--foreground", "-28,-20,-127.69", os.path.join(tree, "series"), seg)
    shutil.copy(seg, os.path.join(tree, "series", "seg.dcm"))
    for name in ("case_1", "case_1_post", "only_seg/in", "series/t1", "series/deeper/t2"):
        shutil.copy(b.chain.path("v00.nrrd"), os.path.join(tree, name + ".nrrd"))
    for name in ("case_1.fcsv", "case_1-b.fcsv", "case_1_post.fcsv", "case_1_post_2.fcsv",
                 "series_a.fcsv", "case_10.fcsv", "series/t1.fcsv", "series/lost.fcsv", "case_1;c.fcsv"):
        with open(os.path.join(tree, name), "w", encoding="utf-8") as stream:
            stream.write(FCSV)
    found, left, said = make_manifest(b, tree)
    require(found == {"case_1": "case_1-b.fcsv;case_1.fcsv",
                      "case_1_post": "case_1_post.fcsv;case_1_post_2.fcsv",
                      "only_seg_in": "", "series": "series_a.fcsv", "series_t1": "series/t1.fcsv",
                      "series_deeper_t2": ""}, f"{found}\n{said}")
    require(left == ["case_10.fcsv", "case_1;c.fcsv", "only_seg/out.dcm", "series/lost.fcsv",
                     "series/seg.dcm"], f"{left}\n{said}")
    # A slice at the top: all series below are the top folder's, and prompts beside them nobody's.
    first = sorted(os.listdir(LIVER))[0]
    shutil.copy(os.path.join(LIVER, first), os.path.join(tree, first))
    found, left, said = make_manifest(b, tree)
    require(sorted(found) == ["case", "case_1", "case_1_post", "only_seg_in", "series_deeper_t2",
                              "series_t1"] and "series_a.fcsv" in left, f"{found}\n{left}\n{said}")
    # Nothing but what is no picture.
    os.unlink(os.path.join(tree, "only_seg", "in.nrrd"))
    done = subprocess.run([b.chain.program("PromptSegBatch"), "--makeManifest",
                           os.path.join(tree, "only_seg"), b.chain.path("none.csv")],
                          capture_output=True, text=True, check=False)
    require(done.returncode == 2 and "out.dcm (a DICOM segmentation" in done.stdout, f"{done}")


def made_from_four_dimensions(b):
    """A row for each volume of a file; its prompts are those of all of them, and its mask its own."""
    tree = b.chain.path("four")
    os.makedirs(tree)
    header, voxels = open(b.chain.path("v00.nrrd"), "rb").read().split(b"\n\n", 1)
    text = header.decode()
    sizes = [line for line in text.splitlines() if line.startswith("sizes: ")][0]
    kinds = "kinds: domain domain domain list"
    lines = [kinds if line.startswith("kinds: ") else
             line + " none" if line.startswith("space directions: ") else
             line + " 2" if line == sizes else
             "dimension: 4" if line.startswith("dimension: ") else line
             for line in text.splitlines()]
    require("encoding: raw" in text and any(line.endswith(" none") for line in lines), text)
    if kinds not in lines:
        lines.append(kinds)
    with open(os.path.join(tree, "two.nrrd"), "wb") as stream:
        stream.write("\n".join(lines).encode() + b"\n\n" + voxels + bytes(len(voxels) - 1) + b"\1")
    with open(os.path.join(tree, "two.fcsv"), "w", encoding="utf-8") as stream:
        stream.write(FCSV)
    manifest = b.chain.path("four.csv")
    b.chain.run([b.chain.program("PromptSegBatch"), "--makeManifest", tree, manifest])
    with open(manifest, newline="", encoding="utf-8") as stream:
        rows = [(r["id"], r["series"], os.path.basename(r["prompts"])) for r in csv.DictReader(stream)]
    require(rows == [("two_1", "1", "two.fcsv"), ("two_2", "2", "two.fcsv")], f"{rows}")
    b.run(manifest, "from_four")
    alone = b.chain.path("alone.seg.nrrd")
    b.chain.segment("--prompts", os.path.join(tree, "two.fcsv"), b.chain.path("v00.nrrd"), alone)
    with open(b.chain.path("from_four", "two_1.seg.nrrd"), "rb") as made, open(alone, "rb") as single:
        require(made.read().split(b"\n\n", 1)[1] == single.read().split(b"\n\n", 1)[1],
                "the first volume's mask is not that of the file it was")


def many_rows(b):
    """10,000 rows are read and refused in under a second, whatever is wrong."""
    with open(b.chain.path("many.csv"), "w", encoding="utf-8") as stream:
        stream.write("id,image,foreground,window\n")
        for number in [*range(10000), 0]:
            stream.write(f"n{number},v{number % CASES:02}.nrrd,\"11,10,4\",percentile\n")
    took = min(seconds(lambda: b.run(b.chain.path("many.csv"), "many", code=1,
                                     said="have the same id 'n0'")) for _ in range(3))
    require(took < 1, f"10,000 rows are read in {took:.2f} s")
    print(f"10,001 rows read and refused in {took:.2f} s")


def main():
    chain = Chain()
    b = Batch(chain)
    wanted = as_single_runs(b)
    what_makes_a_row_new(b, wanted)
    linked_inputs(b)
    names_of_any_bytes(b)
    stopped(b)
    shards(b, wanted)
    wrong_manifests(b)
    wrong_rows(b)
    prompts_for_many(b)
    made_manifests(b)
    made_from_four_dimensions(b)
    made_from_mixed_folders(b)
    many_rows(b)


if __name__ == "__main__":
    main()
