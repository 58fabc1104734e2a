"""How values of segments in plain label maps of a batch are chosen, and kept: by labels.tsv, whatever comes in,
cannot be read or is wished otherwise; and that --collect tells where label maps do not agree."""
import gzip
import os
import struct
import subprocess
import zlib

from batch import AXES, SIZE, Batch, voxels
from batch_labels import Labels, table, values
from chain import LIVER, Chain, require, write_nrrd


def picture(width, height, grey):
    """A grey PNG."""
    def chunk(kind, content):
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
    rows = b"".join(b"\0" + grey[width * y:width * (y + 1)] for y in range(height))
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0))
            + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b""))


def mark(*labels):
    """Four voxels of each."""
    marked = bytearray(SIZE[0] * SIZE[1] * SIZE[2])
    for number, value in enumerate(labels):
        start = SIZE[0] * (number + 1)
        marked[start:start + 4] = bytes([value]) * 4
    return bytes(marked)


class Numbers(Labels):
    def case(self, number, segment, initial=""):
        return dict(self.row(number, segment=segment, initial=initial), foreground="12,10,4")

    def plain(self, name, *labels):
        write_nrrd(self.path(name), SIZE, AXES, [0.0, 0.0, 0.0], mark(*labels))

    def named(self, name, **segments):
        """A .seg.nrrd; a name may end in '_', which is left out."""
        more = ""
        for number, (segment, value) in enumerate(segments.items()):
            start = f"Segment{number}_"
            more += f"{start}ID:=S{number}\n{start}Name:={segment.strip('_')}\n{start}LabelValue:={value}\n" \
                    f"{start}Layer:=0\n{start}Color:=1 0 0\n{start}Extent:=0 23 0 19 0 2\n"
        write_nrrd(self.path(name), SIZE, AXES, [0.0, 0.0, 0.0], mark(*segments.values()))
        with open(self.path(name), "rb") as stream:
            header, content = stream.read().split(b"\n\n", 1)
        with open(self.path(name), "wb") as stream:
            stream.write(header + b"\n" + more.encode() + b"\n" + content)

    def tables(self, output, *numbers):
        return [table(self.path(output, f"p{number}.tsv")) for number in numbers]


def only_displaced_names_move(t):
    """They take a value that nobody wants."""
    t.named("liver.seg.nrrd", liver=1)
    t.plain("map123.nrrd", 1, 2, 3)
    rows = [t.case(0, "x", "liver.seg.nrrd"), t.case(1, "x", "map123.nrrd")]
    said = t.run(rows, "cascade")
    wanted = {"liver": 1, "Segment_2": 2, "Segment_3": 3, "Segment_1": 4, "x": 5}
    require(table(t.path("cascade", "labels.tsv")) == wanted, said)
    require(set(values(t.path("cascade", "p1.nii.gz"))) == {2, 3, 4, 5}, "cascade: p1")
    require("warning: the value of 'Segment_1' in plain label maps is 4, and not 1 as in " in said, said)
    said = t.run(rows[1:], "given", "--labelValues", "x=1")
    require(table(t.path("given", "labels.tsv")) == {"x": 1, "Segment_2": 2, "Segment_3": 3, "Segment_1": 4}, said)
    require("'Segment_1' in plain label maps is 4" in said, said)
    # A part of the manifest, alone, has and keeps the values of the whole.
    t.run([t.case(7, "kidney")], "cascade")
    require(table(t.path("cascade", "labels.tsv")) == {**wanted, "kidney": 6}, "cascade: names of before are gone")


def what_cannot_be_read(t):
    """A file that only one shard could read moves no name in the other."""
    t.plain("one.nrrd", 1)
    rows = [t.case(0, "tumour", "one.nrrd"), t.case(1, "kidney"), t.case(2, "kidney")]
    t.run(rows, "missing", "--shard", "1/2")
    os.rename(t.path("one.nrrd"), t.path("gone.nrrd"))
    said = t.run(rows, "missing", "--shard", "2/2")
    require("cannot be read" not in said, "a shard reads what only others begin with")
    require(t.tables("missing", 1, 2) == [{"kidney": 3}, {"kidney": 3}], f"{t.tables('missing', 1, 2)}")
    t.run(rows, "missing", "--collect")
    said = t.run(rows, "unread", code=7)
    require("warning: names of segments cannot be read" in said and "one.nrrd" in said, said)
    require(t.tables("unread", 1, 2) == [{"kidney": 2}, {"kidney": 2}], "unread")
    os.rename(t.path("gone.nrrd"), t.path("one.nrrd"))
    said = t.run(rows, "unread", said="2 rows were done before, 1 are to be done")
    require(t.tables("unread", 0) == [{"tumour": 1, "Segment_1": 3}], f"{t.tables('unread', 0)}")


def rows_at_the_end(t):
    rows = [t.case(0, "kidney"), t.case(1, "kidney")]
    t.run(rows, "end")
    t.run(rows + [t.case(2, "x", "one.nrrd")], "end", said="2 rows were done before, 1 are to be done")
    require(table(t.path("end", "labels.tsv")) == {"kidney": 1, "Segment_1": 2, "x": 3}, "end")
    # --labelValues is obeyed all the same, and stays without being said again.
    said = t.run(rows, "end", "--labelValues", "liver=1,kidny=9")
    require("warning: the value 1, which 'kidney' had in plain label maps, is that of 'liver' now" in said, said)
    require("has a segment 'kidny'" in said and "has a segment 'liver'" in said, said)
    require(table(t.path("end", "p1.tsv")) == {"kidney": 4}, f"{table(t.path('end', 'labels.tsv'))}")
    t.run(rows, "end", said="2 rows were done before, 0 are to be done")


def maps_that_differ(t):
    """Tables that shards made without each other's are told apart."""
    rows = [t.case(0, "kidney"), t.case(1, "liver"), t.case(2, "kidney"), t.case(3, "liver")]
    t.run(rows, "differ", "--shard", "1/2")
    os.unlink(t.path("differ", "labels.tsv"))
    t.run(rows, "differ", "--shard", "2/2", "--labelValues", "liver=1")
    said = t.run(rows, "differ", "--collect", code=7, said="'kidney' is 1 in the label map of p0, 'liver' is 1 in "
                                                           "that of p1")
    require(len(t.b.results("differ")) == 4, f"results are missing: {said}")
    t.run(rows, "differ", said="2 rows were done before, 2 are to be done")
    t.run(rows, "differ", "--collect")


def one_participant_at_a_time(t):
    """Rows that a run leaves to others are no failure of it, whatever values they have or cannot be read."""
    rows = [dict(t.case(number, "liver", "later.nrrd" if number == 2 else ""), id=f"sub-{number:02}")
            for number in (1, 2, 3)]
    one = ("--bids", "--participantLabel")
    said = t.run(rows, "people", *one, "01")
    require("warning" not in said, f"files of others are warned about: {said}")
    t.plain("later.nrrd", 1)
    for label in ("02", "03"):
        t.run(rows, "people", *one, label)
    os.unlink(t.path("later.nrrd"))
    said = t.run(rows, "people", *one, "01", "--labelValues", "liver=9")
    require("warning: values of plain label maps differ in rows that are not of this run (sub-02, sub-03): 'liver' is "
            "9 in the label map of sub-01, 'liver' is 1 in that of sub-02; the same command without "
            "--participantLabel or --shard" in said, said)
    require("cannot be read" not in said, said)
    tables = [os.path.join(folder, name) for folder, _, names in os.walk(t.path("people", "sub-03")) for name in names
              if name.endswith(".tsv")]
    with open(tables[0], "w", encoding="utf-8") as stream:
        stream.write("name\n")
    said = t.run(rows, "people", *one, "01")
    require("(sub-02): " in said and "tsv:1: wanted" not in said, said)
    t.plain("later.nrrd", 1)
    said = t.run(rows, "people", "--bids", said="1 rows were done before, 2 are to be done")
    require("maps differ" not in said, said)


def names_of_another_shard(t):
    """A value that --labelValues takes from a name of another shard leaves that name another one, and --collect
    tells; also where a name is not in the table at all."""
    rows = [t.case(0, "kidney"), t.case(1, "liver")]
    t.run(rows, "taken")
    said = t.run(rows, "taken", "--shard", "1/2", "--labelValues", "kidney=2")
    require("warning: the value 2, which 'liver' had in plain label maps, is that of 'kidney' now" in said, said)
    require(table(t.path("taken", "labels.tsv")) == {"kidney": 2, "liver": 1}, "taken: labels.tsv")
    t.run(rows, "taken", "--collect", code=7, said="'kidney' is 2 in the label map of p0, 'liver' is 2 in that of p1")
    with open(t.path("taken", "labels.tsv"), "w", encoding="utf-8") as stream:
        stream.write("index\tname\n2\tkidney\n")
    t.run(rows, "taken", "--collect", code=7, said="'liver' is 2 in that of p1")
    t.run(rows, "taken", said="1 rows were done before, 1 are to be done")
    require(t.tables("taken", 0, 1) == [{"kidney": 2}, {"liver": 1}], "taken: tables")
    t.run(rows, "taken", "--collect")
    # Names of RT structure sets are excused.
    rows = []
    for number, organ in enumerate(("organ", "spleen")):
        initial = f"{organ}.rtstruct.dcm"
        t.b.chain.segment("--foreground", "-28,-20,-127.69", "--segmentName", organ, LIVER, t.path(initial))
        rows.append(dict(t.case(number, "lesion", initial), image=os.path.abspath(LIVER), foreground="-40,-30,-127.69"))
    said = t.run(rows, "excused")
    require(t.tables("excused", 0, 1) == [{"lesion": 1, "organ": 2}, {"lesion": 1, "spleen": 2}], said)
    require("that of p1: names in RT structure sets have the values that a case has left" in said, said)


def one_name_twice(t):
    """Of two segments of one name each has a value, and nobody else takes it."""
    t.named("twice.seg.nrrd", a=2, a_=1)
    rows = [t.case(0, "a", "twice.seg.nrrd"), t.case(1, "liver")]
    t.run(rows, "twice")
    require(t.tables("twice", 1) == [{"liver": 3}], f"{t.tables('twice', 1)}")
    with open(t.path("twice", "labels.tsv"), encoding="utf-8") as stream:
        require(stream.read() == "index\tname\n2\ta\n1\ta\n3\tliver\n", "twice: labels.tsv")
    t.run(rows + [t.case(2, "new")], "twice", said="2 rows were done before, 1 are to be done")
    require(t.tables("twice", 2) == [{"new": 4}], f"{t.tables('twice', 2)}")


def tables_as_files(t):
    rows = [t.case(0, "kidney"), t.case(1, "liver")]
    t.run(rows, "files")
    # Without its names a label map is not done.
    os.unlink(t.path("files", "p1.tsv"))
    t.run(rows, "files", said="1 rows were done before, 1 are to be done")
    require(t.tables("files", 1) == [{"liver": 2}], "files: p1.tsv")
    path = t.path("files", "labels.tsv")
    before = os.stat(path)
    t.run(rows, "files")
    require(os.stat(path).st_ino == before.st_ino, "the table is written although it is the same")
    # A shard works without the table; a whole run, which may name what nobody else can, does not.
    os.chmod(path, 0o444)
    t.run(rows, "files")
    rows.append(t.case(2, "spleen"))
    t.run(rows, "files", "--shard", "1/2", said="other shards may number names otherwise")
    require(t.tables("files", 2) == [{"spleen": 3}], "files: p2.tsv")
    t.run(rows, "files", code=6)
    os.chmod(path, 0o644)
    for bad in ("", "value,name\n", "index\tname\nkidney\t1\n", "index\tname\n1\tkidney\n1\tliver\n",
                "index\tname\n65536\tkidney\n", "index\tname\n1\t\n"):
        with open(path, "w", encoding="utf-8") as stream:
            stream.write(bad)
        t.run(rows, "files", code=2, said="labels.tsv:")
    # An id may be "labels".
    rows = [dict(t.case(0, "kidney"), id="labels"), t.case(1, "liver")]
    t.run(rows, "id")
    require(table(t.path("id", "labels.tsv")) == {"kidney": 1}, "id: labels.tsv")
    require(table(t.path("id", "promptseg", "labels.tsv")) == {"kidney": 1, "liver": 2}, "id: promptseg/labels.tsv")
    t.run([t.case(3, "spleen")] + rows, "id", said="2 rows were done before, 1 are to be done")


def tables_of_others(t):
    """A file of that name is nobody's business where no row is a plain label map; and what --collect cannot read
    it warns about, with what helps."""
    rows = [t.case(0, "kidney"), t.case(1, "liver")]
    os.makedirs(t.path("others"))
    with open(t.path("others", "labels.tsv"), "w", encoding="utf-8") as stream:
        stream.write("name\tcolour\n")
    t.b.run(t.b.write("others.csv", rows), "others", said="2 done, 0 failed")
    t.run(rows, "foreign")
    for name in ("labels.tsv", "p1.tsv"):
        with open(t.path("foreign", name), "w", encoding="utf-8") as stream:
            stream.write("name\tcolour\n")
    said = t.run(rows, "foreign", "--collect")
    require("labels.tsv:1: wanted" in said and said.count("all names are numbered anew") == 1, said)
    require("p1.tsv:1: wanted" in said and "; without that file the row is made anew" in said, said)


def more_than_pictures_hold(t):
    """Label maps as pictures hold 255 values: another one is refused before the network is asked."""
    os.makedirs(t.path("film"))
    for number in range(1, 4):
        with open(t.path("film", f"f{number}.png"), "wb") as stream:
            stream.write(picture(SIZE[0], SIZE[1], voxels(number)[:SIZE[0] * SIZE[1]]))
    os.makedirs(t.path("frames"))
    command = t.b.chain.command("--foreground", "12,10,1", "--segmentName", "kidney", "--labelValues",
                                "kidney=300", "--cache", t.path("asked"), "--sequence", t.path("film"),
                                t.path("frames", "frames.csv"))
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    require(done.returncode == 1 and "hold values up to 255, and the label of 'kidney' is 300; --labelValues"
            in done.stderr, f"{done.returncode}: {done.stderr}")
    require(os.listdir(t.path("frames")) == [], "files are left")
    require(not os.path.exists(t.path("asked")) or os.listdir(t.path("asked")) == [], "the network was asked")
    rows = [dict(t.case(number, f"s{number}"), image="film", foreground="12,10,1", sequence="true",
                 output=f"m{number}/frames.csv") for number in (0, 1)]
    t.run(rows, "pictures", "--labelValues", "s1=256", code=7, said="the label of 's1' is 256; --labelValues")
    lines = t.b.lines("pictures")
    require(len(lines) == 2, f"{lines}")
    t.run(rows, "pictures", "--labelValues", "s1=255")
    require(table(t.path("pictures", "m1", "frames.csv.tsv")) == {"s1": 255}, "pictures: s1")


def more_than_memory(t):
    """A header that promises more than there is fails its row, not the batch."""
    header = bytearray(352)
    struct.pack_into("<i", header, 0, 348)
    struct.pack_into("<8h", header, 40, 3, 30000, 30000, 60, 1, 1, 1, 1)
    struct.pack_into("<2h", header, 70, 2, 8)
    struct.pack_into("<8f", header, 76, 1, 1, 1, 1, 1, 1, 1, 1)
    struct.pack_into("<2f", header, 108, 352, 1)
    struct.pack_into("<2h", header, 252, 0, 1)
    for row in range(3):
        struct.pack_into("<4f", header, 280 + 16 * row, *(float(row == column) for column in range(4)))
    header[344:348] = b"n+1\0"
    with gzip.open(t.path("huge.nii.gz"), "wb", 1) as stream:
        stream.write(bytes(header) + os.urandom(54_000_000))
    rows = [t.case(0, "kidney", "huge.nii.gz"), t.case(1, "kidney"), t.case(2, "kidney")]
    said = t.run(rows, "memory", code=7)
    require("huge.nii.gz" in said and t.tables("memory", 1, 2) == [{"kidney": 1}, {"kidney": 1}], said)
    os.unlink(t.path("huge.nii.gz"))


def main():
    t = Numbers(Batch(Chain()))
    only_displaced_names_move(t)
    what_cannot_be_read(t)
    rows_at_the_end(t)
    maps_that_differ(t)
    one_participant_at_a_time(t)
    names_of_another_shard(t)
    one_name_twice(t)
    tables_as_files(t)
    tables_of_others(t)
    more_than_pictures_hold(t)
    more_than_memory(t)


if __name__ == "__main__":
    main()
