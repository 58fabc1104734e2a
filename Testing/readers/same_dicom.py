#!/usr/bin/env python3
"""Whether two DICOM files say the same: every element, but for their own UIDs and the times of writing.

usage: same_dicom.py ONE.dcm OTHER.dcm
Exit status: 0 the same, 1 not, 77 pydicom is not installed.
"""
import sys

try:
    import pydicom
except ImportError as error:
    print(f"absent, not checked against: {error.name}")
    sys.exit(77)

TIMES = ("DA", "TM", "DT")
# What a writer has to make anew each time; and the length of what holds one, as UIDs have theirs.
OWN = {"SOPInstanceUID", "MediaStorageSOPInstanceUID", "SeriesInstanceUID", "TrackingUID",
       "DimensionOrganizationUID", "FileMetaInformationGroupLength"}


def differences(one, other, place=""):
    tags = {element.tag for element in one} | {element.tag for element in other}
    for tag in sorted(tags):
        if tag not in one or tag not in other:
            yield f"{place}{tag} {pydicom.datadict.keyword_for_tag(tag)} is in one file only"
            continue
        a, b = one[tag], other[tag]
        name = f"{place}{a.keyword or tag}"
        if a.VR != b.VR:
            yield f"{name}: {a.VR}, {b.VR}"
        elif a.VR == "SQ":
            if len(a.value) != len(b.value):
                yield f"{name}: {len(a.value)} items, {len(b.value)}"
            for n, items in enumerate(zip(a.value, b.value)):
                yield from differences(*items, f"{name}[{n}].")
        elif a.value != b.value and a.VR not in TIMES and a.keyword not in OWN:
            yield f"{name}: {str(a.value)[:80]!r}, {str(b.value)[:80]!r}"


def main():
    one, other = (pydicom.dcmread(path) for path in sys.argv[1:3])
    found = [*differences(one.file_meta, other.file_meta), *differences(one, other)]
    for line in found[:20]:
        print("FAILED: " + line)
    if one.SOPInstanceUID == other.SOPInstanceUID:
        found.append("one file")
        print("FAILED: both have one SOPInstanceUID: nothing is compared")
    print(f"{len(found)} differences between {sys.argv[1]} and {sys.argv[2]}")
    sys.exit(1 if found else 0)


if __name__ == "__main__":
    main()
