"""What the chains share: running the programs as a user does, small volumes, reading NRRD back.

Every chain is called as   <chain>.py PROGRAMS MODEL WORK [READERS]
  PROGRAMS  folder of PromptSeg, PromptSegEvaluate and segmodel
  MODEL     weights at 256 pixels; those of the tests are hash values, which is enough for plumbing
  WORK      a folder of its own, emptied first
  READERS   a Python with independent readers (see prepare_readers.py)
Only the standard library is needed. Exit status 77: not run or not wholly, for a reason that is
printed: what is ours was checked, but no independent reader was there.
"""
import os
import shutil
import struct
import subprocess
import sys
import time
import zlib

HERE = os.path.dirname(os.path.abspath(__file__))
SAMPLES = os.path.join(HERE, "..", "..", "resources", "demo")
BRAIN = os.path.join(SAMPLES, "brain1", "image.nrrd")
LIVER = os.path.join(SAMPLES, "ct-3slice", "dicom")
# A point in the tumour and a box around it, LPS millimetres.
TUMOUR_POINT = (43.5, 20.0, 19.5)
TUMOUR_BOX = (45.0, 7.0, 13.0, 20.0, 30.0, 22.0)


class Chain:
    unread = []  # files that no independent reader has seen

    def __init__(self):
        self.programs, self.model, self.work = sys.argv[1:4]
        self.readers = sys.argv[4] if len(sys.argv) > 4 else sys.executable
        shutil.rmtree(self.work, ignore_errors=True)
        os.makedirs(self.work)

    def path(self, *names):
        return os.path.join(self.work, *names)

    def program(self, name):
        return os.path.join(self.programs, name)

    def command(self, *arguments):
        """PromptSeg with the test's weights."""
        return [self.program("PromptSeg"), "--model", self.model, "--variant", "tiny_vit_256",
                *map(str, arguments)]

    def segment(self, *arguments):
        """Runs PromptSeg, which must succeed in silence; returns what it said on stdout."""
        return self.run(self.command(*arguments))

    def run(self, command):
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        shown = " ".join(command)
        require(done.returncode == 0, f"exit code {done.returncode}: {shown}\n{done.stderr}")
        require(done.stderr == "", f"standard error is not empty: {shown}\n{done.stderr}")
        return done.stdout

    def check_outputs(self, reference, *outputs):
        """Reads files back with whatever independent readers are there."""
        command = [self.readers, os.path.join(HERE, "..", "readers", "check_outputs.py")]
        if reference:
            command += ["--reference", reference]
        done = subprocess.run(command + list(outputs), capture_output=True, text=True, check=False)
        print(done.stdout, end="")
        require(done.returncode in (0, 77), f"independent readers disagree\n{done.stderr}")
        if done.returncode == 77:
            Chain.unread += outputs


def require(condition, message):
    if not condition:
        print("FAILED: " + message)
        sys.exit(1)


def skip(reason):
    print("not run: " + reason)
    sys.exit(77)


def run(main):
    """Runs a chain. It has not passed where independent readers were wanted and absent."""
    main()
    if Chain.unread:
        reason = "no independent reader"
        status = os.path.join(os.path.dirname(sys.argv[4]), "..", "status.txt")
        if os.path.exists(status):
            with open(status, encoding="utf-8") as stream:
                reason = stream.read().strip()
        skip(f"{len(Chain.unread)} files were read back by nobody else: {reason}")


def numbers(values):
    return ",".join(repr(float(v)) for v in values)


def read_nrrd(path):
    """(fields, key-value pairs, voxel bytes) of an attached gzip or raw NRRD."""
    with open(path, "rb") as stream:
        content = stream.read()
    header, data = content.split(b"\n\n", 1)
    fields, keys = {}, {}
    for line in header.decode("utf-8").split("\n")[1:]:
        if line.startswith("#"):
            continue
        name, value = line.split(":=", 1) if ":=" in line else line.split(": ", 1)
        (keys if ":=" in line else fields)[name] = value
    return fields, keys, zlib.decompress(data, 31) if fields["encoding"] == "gzip" else data


def triples(text):
    """'(1,0,0) (0,1,0)' as lists of numbers; 'none' is left out."""
    return [[float(v) for v in part.strip("()").split(",")]
            for part in text.split() if part != "none"]


def write_nrrd(path, size, axes, origin, voxels, kind="uchar"):
    """axes: three index axes in LPS millimetres."""
    directions = " ".join("(" + numbers(axis) + ")" for axis in axes)
    header = (f"NRRD0004\ntype: {kind}\ndimension: 3\nspace: left-posterior-superior\n"
              f"sizes: {' '.join(map(str, size))}\nspace directions: {directions}\n"
              f"kinds: domain domain domain\nendian: little\nencoding: raw\n"
              f"space origin: ({numbers(origin)})\n\n")
    with open(path, "wb") as stream:
        stream.write(header.encode() + voxels)


def write_nifti(path, size, axes, origin, voxels):
    """8-bit NIfTI-1 whose sform is the grid given in LPS; no qform, so that shear is possible."""
    header = bytearray(352)
    struct.pack_into("<i", header, 0, 348)
    struct.pack_into("<8h", header, 40, 3, *size, 1, 1, 1, 1)
    struct.pack_into("<2h", header, 70, 2, 8)
    spacing = [sum(v * v for v in axis) ** 0.5 for axis in axes]
    struct.pack_into("<8f", header, 76, 1, *spacing, 1, 1, 1, 1)
    struct.pack_into("<2f", header, 108, 352, 1)
    header[123] = 2  # millimetres
    struct.pack_into("<2h", header, 252, 0, 1)
    for row, sign in enumerate((-1, -1, 1)):  # LPS to RAS
        values = [sign * axes[c][row] for c in range(3)] + [sign * origin[row]]
        struct.pack_into("<4f", header, 280 + 16 * row, *values)
    header[344:348] = b"n+1\0"
    with open(path, "wb") as stream:
        stream.write(bytes(header) + voxels)


def write_png(path, rows):
    """A grey picture of 8 bits; rows are bytes of equal length."""
    def chunk(kind, data):
        return (struct.pack(">I", len(data)) + kind + data +
                struct.pack(">I", zlib.crc32(kind + data)))
    head = struct.pack(">IIBBBBB", len(rows[0]), len(rows), 8, 0, 0, 0, 0)
    with open(path, "wb") as stream:
        stream.write(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) +
                     chunk(b"IDAT", zlib.compress(b"".join(b"\0" + row for row in rows))) +
                     chunk(b"IEND", b""))


def seconds(function):
    start = time.monotonic()
    function()
    return time.monotonic() - start
