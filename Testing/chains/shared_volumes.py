"""Volumes of the project's shared data folder, which no build needs: one seed each, written as
.seg.nrrd and .nii.gz and read back by independent readers, which must see the input's grid."""
import os
import subprocess

from chain import HERE, Chain, numbers, skip

SHARED = os.path.join(HERE, "..", "..", "..", "shared", "data")
NIIVUE = "niivue+niivue/packages/niivue/"
CASES = {
    "totalsegmentator-ct": "wasserth+TotalSegmentator/tests/reference_files/example_ct.nii.gz",
    "cord-t2s": "spinalcordtoolbox+sct_testing_data/t2s/t2s.nii.gz",
    "cord-t1": "spinalcordtoolbox+sct_testing_data/t1/t1w.nii.gz",
    "sheared": NIIVUE + "demos/images/shear.nii.gz",
    "axes-ial": NIIVUE + "tests/images/nifti_space/IAL.nii.gz",
    "axes-sra": NIIVUE + "tests/images/nifti_space/SRA.nii.gz",
    "negative-cosines": "AIM-Harvard+pyradiomics/data/prostate_phantom_subvolume.nrrd",
}


def middle_point(chain, volume):
    """The middle of the volume in LPS, as nibabel or pynrrd sees it."""
    script = ("import sys\n"
              "p = sys.argv[1]\n"
              "if p.endswith('.nrrd'):\n"
              "    import nrrd\n"
              "    h = nrrd.read_header(p)\n"
              "    n, m, o, s = h['sizes'], h['space directions'].T, h['space origin'], (1, 1, 1)\n"
              "else:\n"
              "    import nibabel\n"
              "    i = nibabel.load(p)\n"
              "    n, m, o, s = i.shape, i.affine[:3, :3], i.affine[:3, 3], (-1, -1, 1)\n"
              "print(*[s[r] * (sum(m[r][c] * (n[c] // 2) for c in range(3)) + o[r])"
              " for r in range(3)])")
    return [float(v) for v in chain.run([chain.readers, "-c", script, volume]).split()]


def main():
    if not os.path.isdir(SHARED):
        skip("there is no ../shared/data beside the project")
    chain = Chain()
    if subprocess.run([chain.readers, "-c", "import nrrd, nibabel"], capture_output=True,
                      check=False).returncode != 0:
        skip("pynrrd and nibabel are absent")
    for name, path in CASES.items():
        volume = os.path.join(SHARED, path)
        if not os.path.exists(volume):
            print(f"absent: {volume}")
            continue
        outputs = [chain.path(f"{name}.{kind}") for kind in ("seg.nrrd", "nii.gz")]
        for output in outputs:
            chain.segment("--foreground", numbers(middle_point(chain, volume)), "--maxSlices", 3,
                          volume, output)
        chain.check_outputs(volume, *outputs)


if __name__ == "__main__":
    main()
