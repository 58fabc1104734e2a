"""Volumes as nibabel, ITK, pydicom, Pillow and two plain parsers see them.

Each reader returns (matrix, voxels): `matrix` is 3x4, index (i fastest) to LPS mm, or None when the
format carries no geometry; `voxels` is indexed [k, j, i] or [k, j, i, channel].
"""


import re
import zlib
from pathlib import Path

import nibabel
import numpy
import pydicom
import pydicom.pixels
import SimpleITK
from PIL import Image

RAS_TO_LPS = numpy.diag([-1.0, -1.0, 1.0])


MILLIMETRES = {"meter": 1000.0, "micron": 0.001}


def itk_matrix(path):
    """What ITK makes of a NIfTI that says it in no way, or in two; nibabel guesses otherwise."""
    image = SimpleITK.ReadImage(str(path))
    n = image.GetDimension()
    matrix = numpy.eye(4)[:3]
    direction = numpy.array(image.GetDirection()).reshape(n, n)
    matrix[:n, :n] = direction * numpy.array(image.GetSpacing())
    matrix[:n, 3] = image.GetOrigin()
    return matrix


def nifti_matrix(image, path):
    header = image.header
    sform, qform = int(header["sform_code"]) > 0, int(header["qform_code"]) > 0
    if not sform and not qform:
        return itk_matrix(path)
    if sform and qform and not numpy.allclose(header.get_sform(), header.get_qform(), atol=0.05):
        return itk_matrix(path)
    affine = header.get_sform() if int(header["sform_code"]) > 0 else image.affine
    return RAS_TO_LPS @ affine[:3] * MILLIMETRES.get(header.get_xyzt_units()[0], 1.0)


def read_nifti(path):
    image = nibabel.load(path)
    voxels = numpy.asanyarray(image.dataobj)
    if voxels.dtype.names == ("R", "G", "B"):
        voxels = numpy.stack([voxels[c] for c in "RGB"], -1)
        while voxels.ndim < 4:
            voxels = voxels[..., numpy.newaxis, :]
        return nifti_matrix(image, path), voxels.transpose(2, 1, 0, 3)
    while voxels.ndim > 3 and voxels.shape[-1] == 1:
        voxels = voxels[..., 0]
    while voxels.ndim < 3:
        voxels = voxels[..., numpy.newaxis]
    return nifti_matrix(image, path), voxels.transpose()


NRRD_TYPES = {
    "uchar": "u1", "unsigned char": "u1", "uint8": "u1", "uint8_t": "u1", "char": "i1",
    "signed char": "i1", "int8": "i1", "int8_t": "i1", "short": "i2", "int16": "i2",
    "int16_t": "i2", "ushort": "u2", "unsigned short": "u2", "uint16": "u2", "uint16_t": "u2",
    "int": "i4", "int32": "i4", "int32_t": "i4", "uint": "u4", "unsigned int": "u4",
    "uint32": "u4", "uint32_t": "u4", "float": "f4", "double": "f8",
}
NRRD_SIGNS = {
    "right-anterior-superior": (-1, -1, 1), "left-anterior-superior": (1, -1, 1),
    "left-posterior-superior": (1, 1, 1),
}


def nrrd_fields(text):
    fields = {}
    for line in text.splitlines()[1:]:
        if line.startswith("#") or ":=" in line or ": " not in line:
            continue
        name, value = line.split(": ", 1)
        fields[name.lower()] = value.strip()
    return fields


def nrrd_vectors(value):
    found = re.findall(r"none|\([^)]*\)", value)
    return [None if v == "none" else [float(x) for x in v[1:-1].split(",")] for v in found]


def read_nrrd(path):
    data = Path(path).read_bytes()
    end = data.index(b"\n\n")
    fields = nrrd_fields(data[:end].decode("utf-8", "replace"))
    payload = data[end + 2:]
    if "data file" in fields:
        payload = (Path(path).parent / fields["data file"]).read_bytes()
    if fields["encoding"] in ("gzip", "gz"):
        payload = zlib.decompress(payload, 47)
    kind = numpy.dtype(NRRD_TYPES[fields["type"]])
    if fields.get("endian") == "big":
        kind = kind.newbyteorder(">")
    sizes = [int(n) for n in fields["sizes"].split()]
    voxels = numpy.frombuffer(payload, kind, int(numpy.prod(sizes))).reshape(sizes[::-1])
    return nrrd_matrix(fields, sizes), voxels


def nrrd_matrix(fields, sizes):
    matrix = numpy.zeros((3, 4))
    if "space directions" not in fields:
        spacings = [float(s) for s in fields.get("spacings", "1 1 1").split()]
        matrix[:, :3] = numpy.diag(spacings[:3])
        return matrix
    signs = numpy.array(NRRD_SIGNS.get(fields.get("space"), (1, 1, 1)), float)
    columns = [v for v in nrrd_vectors(fields["space directions"]) if v is not None]
    for axis, column in enumerate(columns):
        matrix[:, axis] = signs * column
    matrix[:, 3] = signs * nrrd_vectors(fields.get("space origin", "(0,0,0)"))[0]
    return matrix


META_TYPES = {
    "MET_UCHAR": "u1", "MET_CHAR": "i1", "MET_SHORT": "i2", "MET_USHORT": "u2", "MET_INT": "i4",
    "MET_UINT": "u4", "MET_FLOAT": "f4", "MET_DOUBLE": "f8",
}


def read_meta(path):
    data = Path(path).read_bytes()
    end = data.index(b"\n", data.index(b"ElementDataFile")) + 1
    fields = dict(re.findall(r"(\w+) = (.*?)\s*$", data[:end].decode("latin-1"), re.M))
    payload = data[end:]
    if fields["ElementDataFile"] != "LOCAL":
        payload = (Path(path).parent / fields["ElementDataFile"]).read_bytes()
    if fields.get("CompressedData") == "True":
        payload = zlib.decompress(payload, 47)
    kind = numpy.dtype(META_TYPES[fields["ElementType"]])
    if fields.get("BinaryDataByteOrderMSB") == "True":
        kind = kind.newbyteorder(">")
    sizes = [int(n) for n in fields["DimSize"].split()]
    voxels = numpy.frombuffer(payload, kind, int(numpy.prod(sizes))).reshape(sizes[::-1])
    rows = numpy.array([float(x) for x in fields["TransformMatrix"].split()]).reshape(3, 3)
    spacing = numpy.array([float(x) for x in fields["ElementSpacing"].split()])
    offset = [float(x) for x in fields["Offset"].split()]
    return numpy.column_stack([rows.T * spacing, offset]), voxels


def read_picture(path):
    image = Image.open(path)
    if image.mode in ("P", "RGBA", "CMYK"):
        image = image.convert("RGB")
    if image.mode == "LA":
        image = image.convert("L")
    if image.mode == "1":
        image = image.convert("L")
    return None, numpy.asarray(image)[numpy.newaxis]


def dicom_plane(dataset):
    """3x4 matrix of one slice, its third column left at zero; None without a position."""
    position = dataset.get("ImagePositionPatient")
    cosines = dataset.get("ImageOrientationPatient")
    if not position or not cosines:
        return None
    spacing = dataset.get("PixelSpacing") or dataset.get("ImagerPixelSpacing") or [1, 1]
    matrix = numpy.zeros((3, 4))
    matrix[:, 0] = numpy.array(cosines[:3], float) * float(spacing[1])
    matrix[:, 1] = numpy.array(cosines[3:], float) * float(spacing[0])
    matrix[:, 3] = numpy.array(position, float)
    return matrix


def dicom_values(dataset, source=None, frame=0):
    """Stored pixels times slope plus intercept; colours as RGB. `source` holds the pixels where
    `dataset` is what functional groups say of one of its frames."""
    pixels = pydicom.pixels.pixel_array(source if source is not None else dataset)
    if frame:
        pixels = pixels[frame - 1]
    if dataset.get("PhotometricInterpretation") == "PALETTE COLOR":
        colours = pydicom.pixels.apply_color_lut(pixels, dataset)
        return (colours >> 8 if colours.dtype.itemsize > 1 else colours).astype("u1")
    if pixels.ndim == 3:
        return pixels
    slope = dataset.get("RescaleSlope")
    intercept = dataset.get("RescaleIntercept")
    if slope in (None, "") or intercept in (None, "") or float(slope) == 0:
        return pixels
    return pixels.astype(numpy.float64) * float(slope) + float(intercept)


def frame_of(dataset, frame):
    """What its functional groups say of a frame, its own before the shared ones, as one data set."""
    flat = pydicom.Dataset()
    groups = [dataset.get("SharedFunctionalGroupsSequence"),
              (dataset.get("PerFrameFunctionalGroupsSequence") or [])[max(frame, 1) - 1:]]
    for items in groups:
        for group in (items[0] if items else []):
            for item in group.value if group.VR == "SQ" else []:
                flat.update(item)
    return flat


def read_dicom_slice(path, frame=0):
    """`frame` counts from 1; 0 where the file holds no other."""
    dataset = pydicom.dcmread(path, force=True)
    if not any(f"{kind}FunctionalGroupsSequence" in dataset for kind in ("Shared", "PerFrame")):
        return dataset, dicom_plane(dataset), dicom_values(dataset)
    flat = frame_of(dataset, frame)
    return dataset, dicom_plane(flat), dicom_values(flat, dataset, frame)


READERS = {
    ".nii": read_nifti, ".nii.gz": read_nifti, ".hdr": read_nifti, ".nrrd": read_nrrd,
    ".nhdr": read_nrrd, ".mha": read_meta, ".mhd": read_meta, ".png": read_picture,
    ".jpg": read_picture, ".jpeg": read_picture,
}


def reader_for(path):
    for suffix, reader in READERS.items():
        if str(path).lower().endswith(suffix):
            return reader
    return None
