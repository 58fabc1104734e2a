"""A DICOM series, and a file made of it, segmented into DICOM SEG and RTSTRUCT: the masks that
.seg.nrrd holds, as pydicom and highdicom read them; and the SEG as --initial and for
PromptSegEvaluate."""
import os
import subprocess

from chain import BRAIN, LIVER, TUMOUR_POINT, Chain, numbers, read_nrrd, require, run

SEED = ["--foreground=-104.7,-25,-127.69"]


def read_back(chain, *files):
    script = os.path.join(os.path.dirname(__file__), "..", "readers", "check_dicom_outputs.py")
    done = subprocess.run([chain.readers, script, LIVER, *files], capture_output=True, text=True,
                          check=False)
    print(done.stdout, end="")
    require(done.returncode in (0, 77), f"independent readers disagree\n{done.stderr}")
    if done.returncode == 77:
        Chain.unread += files


def refuse(chain, *arguments, code=1, said=("DICOM series",)):
    done = subprocess.run(chain.command(*arguments), capture_output=True, text=True, check=False)
    require(done.returncode == code, f"exit code {done.returncode}, wanted {code}: {arguments}")
    for words in said:
        require(words in done.stderr, done.stderr)


def converted(chain, labels, seg):
    """A .seg.nrrd of the series becomes the SEG that would have been written at once, without a model."""
    output = chain.path("converted.dcm")
    said = chain.run([chain.program("PromptSeg"), "--convert", "--initial", labels, "--model",
                      chain.path("no_such_model"), LIVER, output])
    require("liver: " in said, f"the segment is not named: {said}")
    script = os.path.join(os.path.dirname(__file__), "..", "readers", "same_dicom.py")
    done = subprocess.run([chain.readers, script, seg, output], capture_output=True, text=True,
                          check=False)
    require(done.returncode in (0, 77), f"another SEG by way of .seg.nrrd\n{done.stdout}")
    if done.returncode == 77:
        Chain.unread.append(output)
    back = chain.path("back.seg.nrrd")
    chain.run([chain.program("PromptSeg"), "--convert", "--initial", output, LIVER, back])
    require(read_nrrd(back)[2] == read_nrrd(labels)[2], "the masks changed on the way back")
    for extra, words in (([], "--initial"), (["--initial", labels, *SEED], "--foreground"),
                         (["--initial", labels, "--report", chain.path("r.json")], "--report")):
        refuse(chain, "--convert", *extra, LIVER, chain.path("refused.seg.nrrd"), said=(words,))


def from_another_file(chain):
    """A NIfTI file of the series, its rows upside down, refers to the series."""
    nifti, labels, seg, rt = (chain.path(n) for n in (
        "turned.nii.gz", "turned.seg.nrrd", "turned.dcm", "turned.rtstruct.dcm"))
    script = os.path.join(os.path.dirname(__file__), "..", "readers", "turn_series.py")
    done = subprocess.run([chain.readers, script, LIVER, nifti], capture_output=True, text=True,
                          check=False)
    require(done.returncode in (0, 77), f"no NIfTI file: {done.stderr}")
    if done.returncode == 77:
        Chain.unread.append(nifti)
        return
    chain.segment(*SEED, nifti, labels)
    require(any(read_nrrd(labels)[2]), f"{labels} is empty: nothing is tested")
    for output in (seg, rt):
        refuse(chain, *SEED, nifti, output, said=("--reference",))
        chain.segment(*SEED, "--reference", LIVER, nifti, output)
    read_back(chain, labels, seg, rt)
    refuse(chain, *SEED, "--reference", LIVER, nifti, labels, said=("refer to a series",))

    # --series is of the reference there, and of the input where there is none.
    uid = chain.run([chain.program("PromptSeg"), "--listSeries", LIVER]).split()[1]
    chosen = ["--convert", "--initial", labels, "--series", uid]
    chain.segment(*chosen, "--reference", LIVER, nifti, seg)
    refuse(chain, *chosen, nifti, chain.path("none.seg.nrrd"), code=2, said=("holds one volume",))


def main():
    chain = Chain()
    labels, seg, rt, again = (chain.path(n) for n in (
        "ct.seg.nrrd", "ct.dcm", "ct.rtstruct.dcm", "again.seg.nrrd"))
    for output in (labels, seg, rt):
        chain.segment(*SEED, "--segmentName", "liver", LIVER, output)
    _, _, voxels = read_nrrd(labels)
    require(any(voxels), f"{labels} is empty: nothing is tested")
    read_back(chain, labels, seg, rt)
    converted(chain, labels, seg)

    # Their segment is carried unchanged beside another one.
    for initial in (seg, rt):
        chain.segment(*SEED, "--segmentName", "other", "--initial", initial, LIVER, again)
        fields, keys, both = read_nrrd(again)
        require(keys["Segment0_Name"] == "liver", f"the segment of {initial} was not carried")
        layers = int(fields["sizes"].split()[0]) if fields["dimension"] == "4" else 1
        layer, label = int(keys["Segment0_Layer"]), int(keys["Segment0_LabelValue"])
        table = bytes(int(value == label) for value in range(256))
        require(both[layer::layers].translate(table)
                == voxels.translate(bytes([0]) + bytes([1]) * 255),
                f"the mask of {initial} changed on its way through --initial")

    said = chain.run([chain.program("PromptSegEvaluate"), "--reference", labels, "--prediction",
                      seg])
    require("1.000" in said, f"PromptSegEvaluate does not find a SEG equal to its mask:\n{said}")

    for output in (chain.path("mr.dcm"), chain.path("mr.rtstruct.dcm")):
        refuse(chain, "--foreground", numbers(TUMOUR_POINT), BRAIN, output)
        refuse(chain, "--foreground", numbers(TUMOUR_POINT), "--reference", LIVER, BRAIN, output,
               said=("the input has 256 x 256 x", "has 512 x 512 x 3 voxels"))
        require(not os.path.exists(output), f"{output} exists")
    from_another_file(chain)


if __name__ == "__main__":
    run(main)
