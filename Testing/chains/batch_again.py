"""PromptSegBatch started again: which of the rows that status files call done are done by now, after other
numbers of shards."""
import json

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


def main():
    b = Again(Chain())
    b.run(b.manifest, "first")
    wanted = b.files("first")
    require(len(wanted) == CASES, f"{len(wanted)} segmentations")
    other_numbers_of_shards(b, wanted)
    clocks(b)


if __name__ == "__main__":
    main()
