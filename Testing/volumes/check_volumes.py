#!/usr/bin/env python3
"""Compares every volume of a data folder as PromptSeg reads it with independent readers.

    check_volumes.py --program BUILD/check_volumes --data ../shared/data --table table.md

Writes one table row per volume: it loads (corner voxels within 0.01 mm and equal intensities) or is
refused with a sentence. Exit 1 when a row differs, a run crashes or prints to stderr, or no row is
equal; 77 when the data or the readers are absent.
Needs nibabel, SimpleITK, pydicom with its decoders (pylibjpeg, -libjpeg, -openjpeg, -rle), numpy,
pillow.
"""

import argparse
import json
import re
import subprocess
import sys
import tempfile
import warnings
from pathlib import Path

try:
    import numpy
    import pydicom

    import independent_readers as readers
except ImportError as error:
    print(f"no volumes were compared: {error}")
    sys.exit(77)

TOLERANCE_MM = 0.01
# Folders of unrelated files: each DICOM file is a row. Elsewhere a folder is a series.
COLLECTIONS = {"test_files", "data", "images", "segmentations", "paramaps", "seg", "multiframe"}
LOSSY = {
    "1.2.840.10008.1.2.4.50": 3, "1.2.840.10008.1.2.4.51": 3, "1.2.840.10008.1.2.4.81": 0,
    "1.2.840.10008.1.2.4.91": 1,
}


class Mismatch(Exception):
    pass


class NoComparison(Exception):
    """The independent reader cannot read the file."""


class Checker:
    def __init__(self, program, data):
        self.program, self.data = program, data
        self.rows, self.failures = [], 0

    def run(self, path, *options):
        """The program's report, with the voxels as an array when it loaded."""
        with tempfile.NamedTemporaryFile() as voxels:
            command = [self.program, *options, "--voxels", voxels.name, str(path)]
            done = subprocess.run(command, capture_output=True, text=True, timeout=120)
            if done.returncode not in (0, 2) or done.stderr:
                raise Mismatch(f"exit {done.returncode}, stderr: {done.stderr.strip()[:200]}")
            report = json.loads(done.stdout)
            if report["status"] == 0:
                shape = report["size"][::-1]
                if report["channels"] > 1:
                    shape.append(report["channels"])
                report["voxels"] = numpy.fromfile(voxels.name, report["type"]).reshape(shape)
                report["matrix"] = numpy.array(report["matrix"]).reshape(3, 4)
            return report

    def add(self, path, options, result, size, note):
        name = str(path.relative_to(self.data)).replace("|", "\\|")
        self.rows.append((name, " ".join(options), result, size, note))

    def check(self, path, compare, *options):
        """One row; returns the report."""
        report = {"status": 2, "message": ""}
        try:
            report = self.run(path, *options)
            if report["status"] != 0:
                self.add(path, options, "refused", "", self.sentence(report["message"]))
                return report
            note = compare(path, report)
            size = " x ".join(str(n) for n in report["size"])
            self.add(path, options, "equal", size, self.sentence(note))
        except NoComparison as problem:
            self.add(path, options, "loaded", "", self.sentence(str(problem)))
        except (Mismatch, subprocess.TimeoutExpired) as problem:
            self.failures += 1
            self.add(path, options, "**DIFFERS**", "", self.sentence(str(problem)))
        return report

    def sentence(self, text):
        return text.replace(f"{self.data}/", "").replace("|", "\\|").replace("\n", "<br>")


def corners(size):
    last = numpy.array(size) - 1
    bits = numpy.array([[c & 1, c >> 1 & 1, c >> 2 & 1] for c in range(8)])
    return numpy.column_stack([bits * last, numpy.ones(8)])


def compare_corners(ours, theirs, size):
    points = corners(size)
    distance = numpy.linalg.norm(points @ (ours - theirs).T, axis=1).max()
    if not distance <= TOLERANCE_MM:
        raise Mismatch(f"a corner is off by {distance:.4g} mm")
    return distance


def compare_values(ours, theirs, allowed=0):
    if ours.shape != theirs.shape:
        raise Mismatch(f"shape {ours.shape}, independent reader {theirs.shape}")
    theirs = theirs.astype(numpy.float64)
    difference = numpy.abs(ours.astype(numpy.float64) - theirs)
    if ours.dtype == numpy.float32:  # a stored float is the nearest one, 2^-24 relative
        difference -= 1.2e-7 * numpy.abs(theirs)
    both_nan = numpy.isnan(ours) & numpy.isnan(theirs) if ours.dtype.kind == "f" else False
    worst = numpy.where(both_nan, 0, difference).max()
    if not worst <= allowed:
        raise Mismatch(f"intensities differ by up to {worst:.4g}")
    return max(worst, 0)


def independent(reader, path):
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return reader(path)
    except Exception as problem:  # whatever its libraries raise
        raise NoComparison(f"the independent reader fails: {problem}") from problem


def compare_file(path, report, number=None):
    """`number`: of a file of several volumes, from 1. NIfTI have them as the last axes of the file,
    [.., 5, 4, k, j, i] here; NRRD as the last or as the first one."""
    matrix, voxels = independent(readers.reader_for(path), path)
    report_values = report["voxels"]
    if number and voxels.shape[-3:] == report_values.shape:
        voxels = voxels.reshape(-1, *report_values.shape)[number - 1]
    elif number:
        voxels = voxels[..., number - 1]
    while voxels.ndim > report_values.ndim and voxels.shape[-1] == 1:
        voxels = voxels[..., 0]
    lossy = str(path).lower().endswith((".jpg", ".jpeg"))
    worst = compare_values(report_values, voxels, 2 if lossy else 0)
    notes = [f"JPEG decoders differ by {worst:g}"] if lossy and worst else []
    if matrix is not None:
        distance = compare_corners(report["matrix"], matrix, report["size"])
        notes.append(f"{distance:.1e} mm")
    return "; ".join(notes + own_words(report, path))


def own_words(report, path):
    """`it` stands for the path in its warnings."""
    words = [word for word in ("sheared", "resampled") if report[word]]
    return [report["type"]] + words + [f"warns: {w.replace(str(path), 'it')}" for w in report["warnings"]]


def compare_slice(report, k, path, frame):
    """Corner and intensity difference of slice k of our volume to the file, or the frame of a file,
    that it came from."""
    dataset, plane, values = independent(lambda p: readers.read_dicom_slice(p, frame), path)
    distance = 0
    if plane is not None:
        ours = report["matrix"].copy()
        ours[:, 3] += k * ours[:, 2]
        ours[:, 2] = 0
        distance = compare_corners(ours, plane, [*report["size"][:2], 1])
    meta = getattr(dataset, "file_meta", {})
    allowed = LOSSY.get(str(meta.get("TransferSyntaxUID", "")), 0)
    colour = report["channels"] > 1
    worst = compare_values(report["voxels"][k], values, max(allowed, 1) if colour else allowed)
    return distance, worst


def compare_frames(path, report):
    """A sequence: all frames of its one file."""
    file = path if path.is_file() else series_files(path)[0]
    dataset, _, values = independent(readers.read_dicom_slice, file)
    allowed = LOSSY.get(str(dataset.file_meta.TransferSyntaxUID), 0)
    worst = compare_values(report["voxels"], values,
                           max(allowed, 1) if report["channels"] > 1 else allowed)
    notes = [f"{len(values)} frames", report["modality"] or "no modality"]
    if worst:
        notes.append(f"decoders differ by {worst:g}")
    return "; ".join(notes + own_words(report, path))


def compare_dicom(path, report):
    if report["sequence"]:
        return compare_frames(path, report)
    files = report["files"]
    if len(files) != report["size"][2]:
        raise Mismatch(f"{len(files)} files for {report['size'][2]} slices")
    pairs = [compare_slice(report, k, *source)
             for k, source in enumerate(zip(files, report["frames"]))]
    distance, worst = max(p[0] for p in pairs), max(p[1] for p in pairs)
    unit = "frame(s)" if any(report["frames"]) else "file(s)"
    notes = [f"{len(files)} {unit}", report["modality"] or "no modality", f"{distance:.1e} mm"]
    if worst:
        notes.append(f"decoders differ by {worst:g}")
    return "; ".join(notes + own_words(report, path))


def stack_of(files):
    """Distances along the normal and values of all slices, sorted, by pydicom alone."""
    slices = [independent(readers.read_dicom_slice, file) for file in files]
    plane = slices[0][1]
    normal = numpy.cross(plane[:, 0], plane[:, 1])
    normal /= numpy.linalg.norm(normal)
    slices.sort(key=lambda s: float(normal @ s[1][:, 3]))
    return slices, numpy.array([float(normal @ s[1][:, 3]) for s in slices])


def compare_resampled(path, report):
    """--allowGaps: our even grid against linear interpolation written with numpy."""
    slices, distances = stack_of(series_files(path))
    first, last = slices[0][1], slices[-1][1]
    expected = first.copy()
    expected[:, 2] = (last[:, 3] - first[:, 3]) / (report["size"][2] - 1)
    corner = compare_corners(report["matrix"], expected, report["size"])
    values = numpy.stack([s[2] for s in slices]).astype(numpy.float64)
    worst = 0
    for k, distance in enumerate(numpy.linspace(distances[0], distances[-1], report["size"][2])):
        left = int(numpy.clip(numpy.searchsorted(distances, distance, "right") - 1, 0,
                              len(slices) - 2))
        share = (distance - distances[left]) / (distances[left + 1] - distances[left])
        mixed = (1 - share) * values[left] + share * values[left + 1]
        padded = numpy.zeros(mixed.shape, bool)
        if "padding" in report:
            padded = (values[left] == report["padding"]) | (values[left + 1] == report["padding"])
        difference = numpy.abs(report["voxels"][k] - mixed)[~padded]
        worst = max(worst, difference.max(initial=0))
    if not worst <= 0.5001:  # half a unit of rounding
        raise Mismatch(f"interpolated intensities differ by {worst:.4g}")
    return "; ".join([f"{len(slices)} files", f"{corner:.1e} mm"] + own_words(report, path))


def looks_like_dicom(path):
    with open(path, "rb") as file:
        head = file.read(132)
    return head[128:] == b"DICM" or path.suffix in (".dcm", ".seg")


def series_files(folder):
    return sorted(p for p in folder.iterdir() if p.is_file() and looks_like_dicom(p))


def check_series(checker, folder):
    """A folder; then each of its volumes, or the resampled one."""
    report = checker.check(folder, compare_dicom)
    if report["status"] == 0:
        expected = {str(p) for p in series_files(folder)}
        if set(report["files"]) != expected and not report["sequence"]:
            checker.failures += 1
            checker.add(folder, (), "**DIFFERS**", "", "not all files of the series were used")
        return
    message = report["message"]
    if "choose with --series" in message:
        used = set()
        for number in range(1, message.count("\n") + 1):
            one = checker.check(folder, compare_dicom, "--series", str(number))
            used |= set(one.get("files", []))
        if len({pydicom.dcmread(f, stop_before_pixels=True).SeriesInstanceUID for f in used}) == 1:
            check_gaps(checker, folder)
    elif "--allowGaps" in message:
        check_gaps(checker, folder)


def check_gaps(checker, folder):
    """Only where one orientation leaves something to interpolate."""
    report = checker.run(folder, "--allow-gaps")
    compare = compare_resampled if report.get("resampled") else compare_dicom
    checker.check(folder, compare, "--allow-gaps")


def compare_pictures(path, report):
    """A pattern: every picture of the series is a slice."""
    names = sorted(path.parent.glob(path.name.replace("%03d", "[0-9][0-9][0-9]")))
    voxels = numpy.stack([independent(readers.read_picture, name)[1][0] for name in names])
    worst = compare_values(report["voxels"], voxels, 2 if path.suffix == ".jpg" else 0)
    notes = [f"{len(names)} pictures"] + ([f"JPEG decoders differ by {worst:g}"] if worst else [])
    return "; ".join(notes + own_words(report, path))


def check_picture_series(checker):
    """Clips: pictures numbered from 000."""
    for first in sorted(checker.data.rglob("*_000.*")):
        if first.suffix in (".png", ".jpg"):
            checker.check(first.with_name(first.name.replace("000", "%03d")), compare_pictures)


def check_file(checker, path):
    """A file; of one that holds several volumes the first and the last."""
    report = checker.check(path, compare_file)
    several = re.search(r"holds (\d+) volumes of", report.get("message", ""))
    for number in sorted({1, int(several[1])}) if several else []:
        checker.check(path, lambda p, r, n=number: compare_file(p, r, n), "--series", str(number))


def check_all(checker):
    folders = []
    check_picture_series(checker)
    for path in sorted(p for p in checker.data.rglob("*") if p.is_file()):
        if readers.reader_for(path):
            check_file(checker, path)
        elif looks_like_dicom(path):
            if path.parent.name in COLLECTIONS or "DICOMDIR" in path.name:
                checker.check(path, compare_dicom)
            elif path.parent not in folders:
                folders.append(path.parent)
                check_series(checker, path.parent)


def write_table(checker, table):
    counts = {}
    for row in checker.rows:
        counts[row[2]] = counts.get(row[2], 0) + 1
    lines = [
        "# Volumes of the shared data: PromptSeg's reading against independent readers",
        "",
        "Made by `check_volumes.py` (see its head for the command). *equal*: all eight corner "
        "voxels lie within 0.01 mm of, and every intensity equals, what nibabel (sform when coded; ITK where no form is), "
        "pydicom (pixel x slope + intercept, positions), Pillow or a plain NRRD/MetaImage parser "
        "says; lossy JPEG may differ by the rounding of decoders, which is then stated. *refused*: "
        "exit 2 with the sentence given. *loaded*: read, but the independent reader is not able to. The millimetres are the largest corner distance.",
        "",
        "Rows: " + ", ".join(f"{n} {name}" for name, n in sorted(counts.items())) + ".",
        "",
        "| path | options | result | size | remarks |",
        "|---|---|---|---|---|",
    ]
    lines += ["| " + " | ".join(row) + " |" for row in checker.rows]
    table.write_text("\n".join(lines) + "\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--program", required=True)
    parser.add_argument("--data", required=True, type=Path)
    parser.add_argument("--table", type=Path)
    arguments = parser.parse_args()
    if not arguments.data.is_dir():
        print(f"{arguments.data} is absent: no volumes were compared")
        return 77
    checker = Checker(arguments.program, arguments.data)
    check_all(checker)
    if arguments.table:
        write_table(checker, arguments.table)
    print(f"{len(checker.rows)} rows, {checker.failures} failure(s)")
    for row in checker.rows:
        if row[2].startswith("**"):
            print(" ", *row)
    equal = sum(row[2] == "equal" for row in checker.rows)
    return 1 if checker.failures or not equal else 0


if __name__ == "__main__":
    sys.exit(main())
