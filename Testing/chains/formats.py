"""One seed and a box on an MR volume and a CT series, written in every format and read back."""
import os
import re
import shutil
import subprocess

from chain import (BRAIN, LIVER, TUMOUR_BOX, TUMOUR_POINT, Chain, numbers, read_nrrd, require, run,
                   triples)

FORMATS = ("seg.nrrd", "nrrd", "nii.gz", "nii", "mha")


def dicom_fields(path):
    """Position of the first voxel, row and column direction, spacing: DCMTK's dcmdump."""
    tags = ("0020,0032", "0020,0037", "0028,0030")
    text = subprocess.run(["dcmdump", "-M", *(x for t in tags for x in ("+P", t)), path],
                          capture_output=True, text=True, check=True).stdout
    lines = [re.search(rf"^\({tag}\) DS \[(.*)\]", text, re.M).group(1) for tag in tags]
    return [[float(v) for v in line.split("\\")] for line in lines]


def check_dicom(output):
    if not shutil.which("dcmdump"):
        print("absent, not checked against: dcmdump")
        Chain.unread.append("dcmdump")
        return
    slices = [dicom_fields(os.path.join(LIVER, name)) for name in os.listdir(LIVER)]
    slices.sort(key=lambda fields: fields[0][2])  # these are axial
    position, cosines, (between_rows, between_columns) = slices[0]
    fields, _, _ = read_nrrd(output)
    i, j, k = triples(fields["space directions"])
    wanted = (position + [c * between_columns for c in cosines[:3]]
              + [c * between_rows for c in cosines[3:]]
              + [b - a for a, b in zip(position, slices[1][0])])
    found = triples(fields["space origin"])[0] + i + j + k
    worst = max(abs(a - b) for a, b in zip(wanted, found))
    require(worst <= 1e-4, f"dcmdump's grid is {wanted}, ours {found}")
    print(f"ok dcmdump: origin and axes within {worst:.1g} mm")


def main():
    chain = Chain()
    cases = {
        "mr": (BRAIN, ["--foreground", numbers(TUMOUR_POINT), "--roi", numbers(TUMOUR_BOX)]),
        "ct": (LIVER, ["--foreground=-104.7,-25,-127.69"]),
    }
    for name, (volume, prompts) in cases.items():
        outputs = [chain.path(f"{name}.{kind}") for kind in FORMATS]
        for output in outputs:
            chain.segment(*prompts, "--segmentName", "object", volume, output)
        _, keys, voxels = read_nrrd(outputs[0])
        require(any(voxels), f"{outputs[0]} is empty: nothing is tested")
        require(keys["Segment0_Name"] == "object", "the segment's name is lost")
        chain.check_outputs(volume if name == "mr" else None, *outputs)
    check_dicom(chain.path("ct.seg.nrrd"))


if __name__ == "__main__":
    run(main)
