#!/usr/bin/env python3
"""Makes a NIfTI file of a DICOM series as converters do: rows upside down, the same voxel centres.

usage: turn_series.py SERIES OUT.nii.gz
Exit status: 0 made, 77 pydicom or nibabel is not installed.
"""
import sys

try:
    import nibabel
    import numpy as np
except ImportError as error:
    print(f"absent: {error.name}")
    sys.exit(77)
from check_dicom_outputs import read_slices


def main(folder, output):
    slices = read_slices(folder)
    first, last = slices[0], slices[-1]
    voxels = np.stack([s.pixel_array * float(s.RescaleSlope) + float(s.RescaleIntercept)
                       for s in slices], -1).transpose(1, 0, 2)[:, ::-1]
    row, column = np.array(first.ImageOrientationPatient, float).reshape(2, 3)
    between_rows, between_columns = map(float, first.PixelSpacing)
    origin, end = (np.array(s.ImagePositionPatient, float) for s in (first, last))
    affine = np.eye(4)
    affine[:3, 0] = row * between_columns
    affine[:3, 1] = -column * between_rows
    affine[:3, 2] = (end - origin) / (len(slices) - 1)
    affine[:3, 3] = origin + column * between_rows * (first.Rows - 1)
    affine[:2] *= -1  # LPS to RAS
    nibabel.save(nibabel.Nifti1Image(voxels.astype(np.int16), affine), output)


if __name__ == "__main__":
    main(*sys.argv[1:])
