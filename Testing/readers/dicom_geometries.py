#!/usr/bin/env python3
"""DICOM series of every shape with masks drawn on them, and judges of what PromptSeg makes of both.

usage: dicom_geometries.py make FOLDER     FOLDER/<case>/slices, initial.seg.nrrd, and cases.json
       dicom_geometries.py judge FOLDER    FOLDER/<case>/out.dcm, again.dcm, out.rtstruct.dcm

Masks are compared voxel by voxel with pydicom, highdicom (by source slice and as a volume), dcmqi,
dciodvfy and, filled from contours, by even-odd, by rounding to pixels and with plastimatch. Tilted
stacks, which highdicom's volumes, dcmqi and plastimatch's grids cannot hold, are left to the others.
Exit status: 0 agreed, 1 disagreed, 77 a judge is absent (those that are there agreed).
"""
import glob
import json
import os
import shutil
import subprocess
import sys
import tempfile

try:
    import nrrd
    import numpy as np
    import pydicom
    from PIL import Image, ImageDraw
    from pydicom.dataset import Dataset, FileMetaDataset
    from pydicom.uid import ExplicitVRLittleEndian, generate_uid

    from check_dicom_outputs import fill
except ImportError as error:
    print(f"absent: {error.name}")
    sys.exit(77)

NAMES = ("organ", "mass", "nothing")
absent = set()


class Case:
    def __init__(self, name, columns=48, rows=40, slices=6, row=(1, 0, 0), column=(0, 1, 0),
                 step=(0, 0, 3), missing=None, tilted=False):
        self.name, self.columns, self.rows, self.slices = name, columns, rows, slices
        self.row, self.column = (np.array(v, float) / np.linalg.norm(v) for v in (row, column))
        self.step, self.missing, self.tilted = np.array(step, float), missing, tilted
        self.spacing = (0.75, 0.5)  # between rows, between columns
        self.origin = np.array((-31.5, 12.25, 7.0))

    def position(self, k):
        return self.origin + k * self.step

    def axes(self):
        return [self.row * self.spacing[1], self.column * self.spacing[0], self.step]

    def there(self):
        return [k for k in range(self.slices) if k != self.missing]

    def masks(self):
        """Of the three segments, [segment, k, j, i]: one with a hole, an island in it and two
        squares that touch at a corner; one that overlaps it; one without voxels."""
        k, j, i = np.mgrid[:self.slices, :self.rows, :self.columns]
        y, x = (j + 0.5) / self.rows - 0.5, (i + 0.5) / self.columns - 0.5
        radius = np.hypot(x, y) + 0.02 * np.abs(k - 2)
        organ = (radius < 0.42) & ((radius > 0.25) | (radius < 0.1))
        organ[:, :4, :4] = 0
        organ[:, 0:2, 0:2] = organ[:, 2:4, 2:4] = 1
        mass = (x > 0.05) & (x < 0.45) & (np.abs(y) < 0.2) & (k > 0) & (k < self.slices - 1)
        return np.stack([organ, mass, np.zeros_like(organ)])

    def seed(self):
        i, j, k = self.columns // 2, self.rows // 2, 2
        a = self.axes()
        return (self.origin + i * a[0] + j * a[1] + k * a[2]).tolist()


def unit(v):
    return np.array(v, float) / np.linalg.norm(v)


def cases():
    row, column = unit((0.9, 0.3, -0.2)), unit((-0.25, 0.95, 0.1))
    column = unit(column - row * (row @ column))
    normal = np.cross(row, column)
    return [Case("oblique", row=row, column=column, step=2.5 * normal),
            Case("coronal", row=(1, 0, 0), column=(0, 0, -1), step=(0, 2, 0)),
            Case("left-handed"),  # numbered against the normal, as all are
            Case("mirrored", row=(-1, 0, 0), step=(0, 0, -3)),
            Case("17x13", columns=17, rows=13),
            Case("250x333", columns=250, rows=333, slices=4),
            Case("missing", slices=7, missing=4),
            Case("tilted", step=(0, 1.1, 3), tilted=True)]


# ------------------------------------------------------------------------------------------ making

def save_slice(case, k, path, study, series, frame):
    d = Dataset()
    d.file_meta = FileMetaDataset()
    d.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    d.SOPClassUID, d.SOPInstanceUID = "1.2.840.10008.5.1.4.1.1.2", generate_uid()
    d.file_meta.MediaStorageSOPClassUID = d.SOPClassUID
    d.file_meta.MediaStorageSOPInstanceUID = d.SOPInstanceUID
    d.StudyInstanceUID, d.SeriesInstanceUID, d.FrameOfReferenceUID = study, series, frame
    d.PatientName, d.PatientID, d.PatientBirthDate, d.PatientSex = "Case^" + case.name, "1", "", ""
    d.StudyDate, d.StudyTime, d.StudyID, d.AccessionNumber = "20260102", "101010", "1", ""
    d.ReferringPhysicianName, d.Manufacturer, d.Modality = "", "", "CT"
    d.SeriesNumber, d.InstanceNumber, d.PositionReferenceIndicator = 1, case.slices - k, ""
    d.ImagePositionPatient = [f"{v:.6f}" for v in case.position(k)]
    d.ImageOrientationPatient = [f"{v:.9f}" for v in (*case.row, *case.column)]
    d.PixelSpacing = list(case.spacing)
    d.Rows, d.Columns, d.SamplesPerPixel = case.rows, case.columns, 1
    d.PhotometricInterpretation = "MONOCHROME2"
    d.BitsAllocated, d.BitsStored, d.HighBit, d.PixelRepresentation = 16, 16, 15, 1
    d.RescaleSlope, d.RescaleIntercept = 1, 0
    d.PixelData = (100 * case.masks()[0][k] + 10 * k).astype("<i2").tobytes()
    d.save_as(path, enforce_file_format=True)


def save_initial(case, path):
    masks = case.masks()
    layers = masks[:2].transpose(0, 3, 2, 1).astype(np.uint8)
    header = {"space": "left-posterior-superior", "kinds": ["list", "domain", "domain", "domain"],
              "space directions": np.array([[np.nan] * 3, *case.axes()]),
              "space origin": case.origin, "encoding": "gzip"}
    for s, name in enumerate(NAMES):
        used = np.argwhere(masks[s].transpose(2, 1, 0))
        ends = zip(used.min(0), used.max(0)) if len(used) else [(0, -1)] * 3
        header.update({f"Segment{s}_ID": f"s{s}", f"Segment{s}_Name": name,
                       f"Segment{s}_Color": "0.5 0.4 0.3", f"Segment{s}_Layer": str(min(s, 1)),
                       f"Segment{s}_LabelValue": "1" if s < 2 else "2",
                       f"Segment{s}_Extent": " ".join(str(v) for e in ends for v in e)})
    nrrd.write(path, layers, header)


def make(folder):
    listing = []
    for case in cases():
        slices = os.path.join(folder, case.name, "slices")
        os.makedirs(slices)
        uids = [generate_uid() for _ in range(3)]
        for k in case.there():
            save_slice(case, k, os.path.join(slices, f"{(7 * k) % 11:02}.dcm"), *uids)
        save_initial(case, os.path.join(folder, case.name, "initial.seg.nrrd"))
        listing.append({"name": case.name, "seed": case.seed(), "gaps": case.missing is not None,
                        "tilted": case.tilted})
    with open(os.path.join(folder, "cases.json"), "w", encoding="utf-8") as stream:
        json.dump(listing, stream)


# ----------------------------------------------------------------------------------------- judging

def require(condition, message):
    if not condition:
        print("FAILED: " + message)
        sys.exit(1)


def compare(case, who, found, wanted):
    wrong = int((found != wanted).sum())
    require(wrong == 0, f"{case.name}, {who}: {wrong} voxels differ")
    print(f"ok {case.name}, {who}")


def numbers_of(seg):
    return [s.SegmentLabel for s in seg.SegmentSequence]


def by_pydicom(case, seg, wanted):
    places = {tuple(f"{v:.6f}" for v in case.position(k)): n for n, k in enumerate(case.there())}
    found = np.zeros_like(wanted)
    labels = numbers_of(seg)
    frames = seg.pixel_array.reshape(-1, seg.Rows, seg.Columns)
    for frame, groups in zip(frames, seg.PerFrameFunctionalGroupsSequence):
        number = groups.SegmentIdentificationSequence[0].ReferencedSegmentNumber
        name = labels[number - 1]
        place = groups.PlanePositionSequence[0].ImagePositionPatient
        require(frame.any(), f"{case.name}: an empty frame")
        if name in NAMES:
            found[NAMES.index(name), places[tuple(f"{float(v):.6f}" for v in place)]] = frame
    compare(case, "pydicom", found, wanted)


def by_highdicom(case, path, wanted):
    try:
        import highdicom
    except ImportError:
        absent.add("highdicom")
        return
    seg = highdicom.seg.segread(path)
    order = [numbers_of(seg).index(name) for name in NAMES]
    slices = {int(d.InstanceNumber): d.SOPInstanceUID for d in (
        pydicom.dcmread(p, stop_before_pixels=True)
        for p in glob.glob(os.path.join(os.path.dirname(path), "slices", "*")))}
    sources = [slices[case.slices - k] for k in case.there()]
    pixels = seg.get_pixels_by_source_instance(sources, combine_segments=False,
                                               assert_missing_frames_are_empty=True)
    compare(case, "highdicom, by source", pixels[..., order].transpose(3, 0, 1, 2) > 0, wanted)
    if case.tilted:
        return
    volume = seg.get_volume(combine_segments=False, allow_missing_positions=True)
    found = on_grid(case, volume.affine, np.asarray(volume.array)[..., order])
    compare(case, "highdicom, as a volume", found, wanted)


def on_grid(case, affine, values):
    """values[a, b, c, segment] at affine's places -> [segment, slices that are there, j, i]."""
    found = np.zeros((values.shape[3], case.slices, case.rows, case.columns), bool)
    inverse = np.linalg.inv(np.column_stack(case.axes()))
    at = np.argwhere(values.any(-1))
    points = at @ affine[:3, :3].T + affine[:3, 3] - case.origin
    index = points @ inverse.T
    whole = np.rint(index).astype(int)
    require(not len(at) or np.abs(index - whole).max() < 0.02, f"{case.name}: voxels beside the grid")
    for (a, b, c), (i, j, k) in zip(at, whole):
        found[:, k, j, i] = values[a, b, c]
    return found[:, case.there()]


def by_dcmqi(case, path, wanted):
    program = os.path.join(os.path.dirname(sys.executable), "segimage2itkimage")
    if not os.path.exists(program):
        absent.add("dcmqi")
        return
    found = np.zeros_like(wanted)
    with tempfile.TemporaryDirectory() as folder:
        # it ends with 0 when it fails, too: files count
        done = subprocess.run([program, "--inputDICOM", path, "--outputDirectory", folder, "-t",
                               "nrrd"], capture_output=True, text=True, check=False)
        files = sorted(glob.glob(folder + "/*.nrrd"), key=lambda p: (len(p), p))
        require(files, f"{case.name}: dcmqi makes nothing: {done.stdout[-300:]} {done.stderr[-300:]}")
        with open(folder + "/meta.json", encoding="utf-8") as stream:
            groups = json.load(stream)["segmentAttributes"]
        for file, group in zip(files, groups):
            labels, header = nrrd.read(file)
            affine = np.eye(4)
            affine[:3, :3] = header["space directions"].T
            affine[:3, 3] = header["space origin"]
            for segment in group:
                if segment["SegmentLabel"] not in NAMES:
                    continue
                mask = (labels == segment["labelID"])[..., None]
                found[NAMES.index(segment["SegmentLabel"])] |= on_grid(case, affine, mask)[0]
    compare(case, "dcmqi", found, wanted)


def by_dciodvfy(case, path):
    if not shutil.which("dciodvfy"):
        absent.add("dciodvfy")
        return
    done = subprocess.run(["dciodvfy", path], capture_output=True, text=True, check=False)
    errors = [line for line in (done.stderr + done.stdout).splitlines() if "Error" in line]
    require(not errors, f"{case.name}: dciodvfy of {os.path.basename(path)}: {errors}")


def by_plastimatch(case, folder, wanted):
    if not shutil.which("plastimatch"):
        absent.add("plastimatch")
        return
    with tempfile.TemporaryDirectory() as made:
        subprocess.run(["plastimatch", "convert", "--input", folder + "/out.rtstruct.dcm",
                        "--referenced-ct", folder + "/slices", "--output-prefix", made + "/o",
                        "--prefix-format", "nrrd"], capture_output=True, check=False)
        for s, name in enumerate(NAMES[:2]):
            file = f"{made}/o/{name}.nrrd"
            require(os.path.exists(file), f"{case.name}: plastimatch makes no {name}")
            labels, header = nrrd.read(file)
            affine = np.eye(4)
            affine[:3, :3] = header["space directions"].T
            affine[:3, 3] = header["space origin"]
            found = on_grid(case, affine, labels[..., None] > 0)[0]
            if case.name == "coronal":
                # it rounds places across the axes and loses single pixels at corners of outlines,
                # which are right (by_contours)
                dice = 2 * (found & wanted[s]).sum() / (found.sum() + wanted[s].sum())
                require(dice > 0.995, f"{case.name}, plastimatch, {name}: Dice {dice:.4f}")
            else:
                compare(case, f"plastimatch, {name}", found, wanted[s])


def by_rounding(points, rows, columns):
    """As rt-utils and platipy do it: places become pixels, and the border of a polygon belongs to it."""
    picture = Image.new("1", (columns, rows))
    corners = [tuple(int(v) for v in np.around(point)) for point in points]
    if len(set(corners)) > 1:
        ImageDraw.Draw(picture).polygon(corners, fill=1, outline=1)
    else:
        picture.putpixel(corners[0], 1)
    return np.array(picture)


def by_contours(case, path, wanted):
    found, rounded = np.zeros_like(wanted), np.zeros_like(wanted)
    structures = pydicom.dcmread(path)
    names = [s.ROIName for s in structures.StructureSetROISequence]
    require(set(NAMES) <= set(names), f"{case.name}: structures {names}")
    inverse = np.linalg.inv(np.column_stack(case.axes()))
    for name, structure in zip(names, structures.ROIContourSequence):
        for contour in structure.get("ContourSequence", []) if name in NAMES else []:
            points = np.array(contour.ContourData, float).reshape(-1, 3) - case.origin
            index = points @ inverse.T
            k = int(round(index[0, 2]))
            require(np.abs(index[:, 2] - k).max() < 1e-3, f"{case.name}: a contour leaves its slice")
            place = NAMES.index(name), case.there().index(k)
            found[place] ^= fill(index[:, :2], case.rows, case.columns)
            rounded[place] |= by_rounding(index[:, :2], case.rows, case.columns)
    compare(case, "contours", found, wanted)
    compare(case, "contours, rounded to pixels", rounded, wanted)


def without_identity(dataset):
    """As JSON, without what is new in every file: UIDs, dates and times."""
    out = {}
    for element in dataset:
        if element.VR == "SQ":
            out[str(element.tag)] = [without_identity(item) for item in element.value]
        elif element.VR not in ("UI", "DA", "TM"):
            out[str(element.tag)] = str(element.value)
    return out


def check_again(case, folder):
    one, two = (without_identity(pydicom.dcmread(os.path.join(folder, name)))
                for name in ("out.dcm", "again.dcm"))
    require(one == two, f"{case.name}: the second file differs in more than UIDs and times")


def judge(folder):
    for case in cases():
        there = os.path.join(folder, case.name)
        path = os.path.join(there, "out.dcm")
        wanted = case.masks()[:, case.there()].astype(bool)
        seg = pydicom.dcmread(path)
        require(seg.SegmentsOverlap == "YES", f"{case.name}: SegmentsOverlap")
        require(set(NAMES) <= set(numbers_of(seg)), f"{case.name}: {numbers_of(seg)}")
        by_pydicom(case, seg, wanted)
        by_highdicom(case, path, wanted)
        by_contours(case, os.path.join(there, "out.rtstruct.dcm"), wanted)
        check_again(case, there)
        for name in ("out.dcm", "out.rtstruct.dcm"):
            by_dciodvfy(case, os.path.join(there, name))
        if not case.tilted:
            by_dcmqi(case, path, wanted)
        if not case.tilted and case.missing is None:
            by_plastimatch(case, there, wanted)
    if absent:
        print("absent, not checked against: " + ", ".join(sorted(absent)))
        sys.exit(77)


if __name__ == "__main__":
    {"make": make, "judge": judge}[sys.argv[1]](sys.argv[2])
