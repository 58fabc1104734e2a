#!/usr/bin/env python3
"""Reads a DICOM SEG and an RTSTRUCT back with programs that are not ours.

usage: check_dicom_outputs.py SERIES LABELS.seg.nrrd SEG.dcm RTSTRUCT.dcm

SERIES is the folder of the slices; LABELS holds one segment, on the grid of the slices or with axes
backwards. The SEG's frames, as pydicom and as
highdicom read them, and the RTSTRUCT's contours, filled at the centres of pixels, must be its mask,
voxel by voxel.
Exit status: 0 agreed, 1 disagreed, 77 pydicom or pynrrd is not installed.
"""
import math
import os
import sys

try:
    import nrrd
    import numpy as np
    import pydicom
except ImportError as error:
    print(f"absent, not checked against: {error.name}")
    sys.exit(77)


def read_slices(folder):
    slices = [pydicom.dcmread(os.path.join(folder, name)) for name in os.listdir(folder)]
    normal = np.cross(*np.array(slices[0].ImageOrientationPatient, float).reshape(2, 3))
    return sorted(slices, key=lambda s: float(normal @ np.array(s.ImagePositionPatient, float)))


def require(condition, message):
    if not condition:
        print("FAILED: " + message)
        sys.exit(1)


def compare(who, found, wanted):
    wrong = int((found != wanted).sum())
    require(wrong == 0, f"{who}: {wrong} voxels differ")
    print(f"ok {who}: {int(wanted.sum())} voxels of {wanted.shape}")


def check_pydicom(seg, slices, wanted):
    found = np.zeros_like(wanted)
    places = [tuple(s.ImagePositionPatient) for s in slices]
    frames = seg.pixel_array.reshape(-1, seg.Rows, seg.Columns)
    for frame, groups in zip(frames, seg.PerFrameFunctionalGroupsSequence):
        position = tuple(groups.PlanePositionSequence[0].ImagePositionPatient)
        found[places.index(position)] = frame
        source = groups.DerivationImageSequence[0].SourceImageSequence[0]
        require(source.ReferencedSOPInstanceUID
                == slices[places.index(position)].SOPInstanceUID, "a frame names another slice")
    compare("pydicom", found, wanted)


def check_highdicom(path, slices, wanted):
    try:
        import highdicom
    except ImportError:
        print("absent, not checked against: highdicom")
        return
    seg = highdicom.seg.segread(path)
    found = seg.get_pixels_by_source_instance(
        [s.SOPInstanceUID for s in slices], combine_segments=False,
        assert_missing_frames_are_empty=True)
    compare("highdicom, by source", found[..., 0].astype(bool), wanted)


def fill(points, rows, columns):
    """Even-odd at pixel centres; points are (column, row). A little beside the centre, where
    channels to holes run."""
    dy, dx = 0.007, 0.013
    odd = np.zeros((rows, columns), bool)
    for (x1, y1), (x2, y2) in zip(points, np.roll(points, -1, axis=0)):
        low, high = min(y1, y2) - dy, max(y1, y2) - dy
        for row in range(max(math.ceil(low), 0), min(math.ceil(high), rows)):
            crossing = x1 + (row + dy - y1) * (x2 - x1) / (y2 - y1)
            odd[row, :max(math.ceil(crossing - dx), 0)] ^= True
    return odd


def check_contours(structures, slices, wanted):
    found = np.zeros_like(wanted)
    instances = [s.SOPInstanceUID for s in slices]
    for contour in structures.ROIContourSequence[0].ContourSequence:
        k = instances.index(contour.ContourImageSequence[0].ReferencedSOPInstanceUID)
        require(contour.ContourGeometricType == "CLOSED_PLANAR", "another kind of contour")
        points = np.array(contour.ContourData, float).reshape(-1, 3)
        points -= np.array(slices[k].ImagePositionPatient, float)
        row, column = np.array(slices[k].ImageOrientationPatient, float).reshape(2, 3)
        between_rows, between_columns = map(float, slices[k].PixelSpacing)
        require(np.abs(points @ np.cross(row, column)).max() < 1e-3, "a contour leaves its slice")
        plane = np.stack([points @ row / between_columns, points @ column / between_rows], 1)
        found[k] ^= fill(plane, *wanted.shape[1:])
    compare("pydicom, contours", found, wanted)


def read_mask(labels, slices):
    """As [slice, row, column] of the series."""
    mask, header = nrrd.read(labels)
    row, column = np.array(slices[0].ImageOrientationPatient, float).reshape(2, 3)
    first, last = (np.array(s.ImagePositionPatient, float) for s in (slices[0], slices[-1]))
    for axis, wanted in enumerate((row, column, last - first)):
        if header["space directions"][axis] @ wanted < 0:
            mask = np.flip(mask, axis)
    return mask.transpose(2, 1, 0) > 0


def main(folder, labels, seg, structures):
    slices = read_slices(folder)
    wanted = read_mask(labels, slices)
    check_pydicom(pydicom.dcmread(seg), slices, wanted)
    check_highdicom(seg, slices, wanted)
    check_contours(pydicom.dcmread(structures), slices, wanted)


if __name__ == "__main__":
    main(*sys.argv[1:])
