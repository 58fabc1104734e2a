"""PromptSegBatch started again: which of the rows that status files call done are done by now, after other
numbers of shards, with other names of their files, or without some of these."""
import json
import os

from batch import Batch
from chain import Chain, require

CASES = 4
ALL = f"{CASES} rows were done before, 0 are to be done"
NONE = f"1/{CASES}"
WINDOW = ("--window", "60,200")


class Again(Batch):
    """The first few rows; what is read goes to the folder `output`."""

    def __init__(self, chain):
        super().__init__(chain)
        self.rows = self.rows[:CASES]
        self.manifest = self.write("again.csv", self.rows)

    def numbers(self, output):
        return [(r["id"], r["voxels"]) for r in self.results(output)]


def other_numbers_of_shards(b, wanted):
    """Of the lines that several status files have about a row, the one that finished last counts."""
    parts = [("--shard", "1/2"), ("--shard", "2/2")]
    for part in parts:
        b.run(b.manifest, "counts", *part)
    b.run(b.manifest, "counts", *WINDOW, said=NONE)
    b.run(b.manifest, "counts", *WINDOW, said=ALL)
    require(b.files("counts") != wanted, "--window changes nothing: the test sees nothing")
    numbers = b.numbers("counts")
    b.run(b.manifest, "counts", "--collect")
    require(b.numbers("counts") == numbers, "--collect: other numbers")
    # The shards' own lines say that the rows are done as in the beginning; their files are others by now.
    for part in parts:
        b.run(b.manifest, "counts", *part, said="1/2")
    require(b.files("counts") == wanted, "shards take for theirs what was made later")
    b.run(b.manifest, "counts", said=ALL)


def clocks(b):
    """A machine's clock was a day ahead: what is done after that comes after it."""
    b.run(b.manifest, "clocks")
    ahead = [dict(line, key="0" * 16, finished=line["finished"] + 86400) for line in b.lines("clocks")]
    with open(b.chain.path("clocks", "promptseg", "status-3-of-3.jsonl"), "w", encoding="utf-8") as stream:
        stream.writelines(json.dumps(line) + "\n" for line in ahead)
    b.run(b.manifest, "clocks", said=NONE)
    b.run(b.manifest, "clocks", said=ALL)


def most(count):
    return f"{count} rows were done before, {CASES - count} are to be done"


def names_of_files(b, wanted):
    """A row is done into the files that the manifest names now: not into those that another row made."""
    def masks(rows, said):
        b.run(b.write("names.csv", rows), "names", said=said)
        found = b.files("names")
        for row in rows:
            case = "case 01" if row["image"] == "v01.nrrd" else row["id"]
            require(found[row["output"]] == wanted[f"{case}.seg.nrrd"],
                    f"{row['output']} is not the mask of {row['id']}")

    rows = [dict(row, output=f"o{number}.seg.nrrd") for number, row in enumerate(b.rows)]
    swapped = [dict(rows[0], output="o1.seg.nrrd"), dict(rows[1], output="o0.seg.nrrd"), *rows[2:]]
    masks(rows, NONE)
    masks(swapped, most(2))
    masks(swapped, ALL)
    masks(rows, most(2))
    # Another row, of another image, has the file for a while.
    masks([dict(rows[1], id="guest", output="o0.seg.nrrd"), *rows[1:]], most(3))
    masks(rows, most(3))
    masks(rows, ALL)


def all_files(b):
    """Report, picture and what lies beside belong to a row as its segmentation does."""
    def run(rows, said, *more):
        b.run(b.write("files.csv", rows), "files", *more, said=said)

    def lose(name, rows, *more):
        path = b.chain.path("files", name)
        os.unlink(path)
        run(rows, most(CASES - 1), *more)
        require(os.path.exists(path), f"{name} is not made again")

    run(b.rows, NONE)
    lose("case 01.json", b.rows)
    with_pictures = [dict(row, picture=f"p{number}.png") for number, row in enumerate(b.rows)]
    run(with_pictures, NONE)
    lose("p2.png", with_pictures)
    pictures = [row["picture"] for row in with_pictures]
    run([dict(row, picture=p) for row, p in zip(b.rows, [pictures[1], pictures[0], *pictures[2:]])], most(2))
    run(b.rows, ALL)  # none is wanted any more
    # Lines of earlier versions, which named the segmentation only.
    status = b.chain.path("files", "promptseg", "status-1-of-1.jsonl")
    lines = [{name: value for name, value in line.items() if name not in ("report", "picture")}
             for line in b.lines("files")]
    with open(status, "w", encoding="utf-8") as stream:
        stream.writelines(json.dumps(line) + "\n" for line in lines)
    run(with_pictures, ALL)
    scenes = [dict(row, output=f"s{number}.mrml") for number, row in enumerate(b.rows)]
    run(scenes, NONE)
    run(scenes, ALL)
    lose("s1.seg.nrrd", scenes)
    bids = [dict(row, id=f"sub-0{number}_T1w") for number, row in enumerate(b.rows)]
    run(bids, NONE, "--bids")
    lose("sub-02/anat/sub-02_desc-promptseg_dseg.tsv", bids, "--bids")


def main():
    b = Again(Chain())
    b.run(b.manifest, "first")
    wanted = b.files("first")
    require(len(wanted) == CASES, f"{len(wanted)} segmentations")
    other_numbers_of_shards(b, wanted)
    clocks(b)
    names_of_files(b, wanted)
    all_files(b)


if __name__ == "__main__":
    main()
