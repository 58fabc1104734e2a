"""Volumes as other programs wrote them: one seed each, written as .seg.nrrd and .nii.gz and read
back by independent readers, which must see the input's grid. Testing/Data has four of them; more are
in the project's shared data folder where there is one, and there each must be found."""
import os
import subprocess

from chain import HERE, Chain, numbers, read_nrrd, require, run, skip

BUNDLED = os.path.join(HERE, "..", "Data", "volumes")
SHARED = os.path.join(HERE, "..", "..", "..", "shared", "data")
BUNDLED_CASES = ("cord-t2s.nii.gz", "sheared.nii.gz", "axes-ial.nii.gz", "negative-cosines.nrrd")
NIIVUE = "niivue+niivue/packages/niivue/"
SHARED_CASES = {
    "totalsegmentator-ct": "wasserth+TotalSegmentator/tests/reference_files/example_ct.nii.gz",
    "cord-t1": "spinalcordtoolbox+sct_testing_data/t1/t1w.nii.gz",
    "sheared-whole": NIIVUE + "demos/images/shear.nii.gz",
    "axes-sra": NIIVUE + "tests/images/nifti_space/SRA.nii.gz",
}


def cases():
    found = {name.split(".")[0]: os.path.join(BUNDLED, name) for name in BUNDLED_CASES}
    if os.path.isdir(SHARED):
        found.update({name: os.path.join(SHARED, path) for name, path in SHARED_CASES.items()})
    else:
        print("without the volumes of ../shared/data")
    return found


def middle_point(chain, volume):
    """The middle of the volume in LPS, as nibabel (of two forms the one that ITK takes) or pynrrd
    sees it."""
    readers = os.path.join(HERE, "..", "readers")
    script = ("import sys\n"
              f"sys.path.insert(0, {readers!r})\n"
              "p = sys.argv[1]\n"
              "if p.endswith('.nrrd'):\n"
              "    import nrrd\n"
              "    h = nrrd.read_header(p)\n"
              "    n, m, o, s = h['sizes'], h['space directions'].T, h['space origin'], (1, 1, 1)\n"
              "else:\n"
              "    import nibabel, numpy\n"
              "    from check_outputs import nifti_affine\n"
              "    i = nibabel.load(p)\n"
              "    a = nifti_affine(numpy, i)\n"
              "    n, m, o, s = i.shape, a[:3, :3], a[:3, 3], (-1, -1, 1)\n"
              "print(*[s[r] * (sum(m[r][c] * (n[c] // 2) for c in range(3)) + o[r])"
              " for r in range(3)])")
    return [float(v) for v in chain.run([chain.readers, "-c", script, volume]).split()]


def main():
    chain = Chain()
    if subprocess.run([chain.readers, "-c", "import nrrd, nibabel"], capture_output=True,
                      check=False).returncode != 0:
        skip("pynrrd and nibabel are absent")
    for name, volume in cases().items():
        require(os.path.exists(volume), f"there is no {volume}")
        outputs = [chain.path(f"{name}.{kind}") for kind in ("seg.nrrd", "nii.gz")]
        for output in outputs:
            chain.segment("--foreground", numbers(middle_point(chain, volume)), "--maxSlices", 3,
                          volume, output)
        require(any(read_nrrd(outputs[0])[2]), f"{name}: the mask is empty, nothing is tested")
        chain.check_outputs(volume, *outputs)


if __name__ == "__main__":
    run(main)
