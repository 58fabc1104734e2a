"""No output destroys a file that is read, nor another output: files are compared, not names.

Each refusal is exit code 1 with a message that names both options, before anything is read, and
leaves every file as it was. Also: which outputs are found impossible before any work is done."""
import itertools
import os
import shutil
import stat
import subprocess
import time

from chain import BRAIN, LIVER, TUMOUR_BOX, TUMOUR_POINT, Chain, numbers, require, write_nrrd

SIZE = [8, 8, 8]
VOXELS = bytes((7 * i) % 200 for i in range(512))
UNIT = [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]


def contents(folder):
    found = {}
    for path, _, names in os.walk(folder):
        for name in names:
            full = os.path.join(path, name)
            with open(full, "rb") as stream:
                found[full] = stream.read()
    return found


class Refusals:
    def __init__(self, chain):
        self.chain = chain
        self.count = 0

    def refused(self, command, *named):
        before = contents(self.chain.work)
        done = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False)
        shown = " ".join(map(str, command))
        require(done.returncode == 1, f"exit code {done.returncode}, wanted 1: {shown}\n"
                f"{done.stderr}")
        require(done.stderr.count("\n") == 1, f"one message wanted: {done.stderr}")
        for name in named:
            require(name in done.stderr, f"{name} is not named: {done.stderr}")
        require(contents(self.chain.work) == before, f"a file changed: {shown}")
        self.count += 1

    def written_off(self, command, said):
        """Exit code 6 in well under the time of a prediction."""
        before = contents(self.chain.work)
        start = time.monotonic()
        done = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False)
        took = time.monotonic() - start
        shown = " ".join(map(str, command))[:300]
        require(done.returncode == 6, f"exit code {done.returncode}, wanted 6: {shown}\n"
                f"{done.stderr}")
        require(said in done.stderr, f"{said!r} is not said: {done.stderr}")
        require("PromptSeg: " in done.stderr and done.stdout == "", f"it worked before: {shown}")
        require(contents(self.chain.work) == before, f"a file changed: {shown}")
        self.count += 1
        return took


def segment_pairs(chain, tests):
    """Every pair of what PromptSeg reads and writes, by name, symbolic and hard link."""
    volume, prompts = chain.path("in.nrrd"), chain.path("p.fcsv")
    initial = chain.path("initial.seg.nrrd")
    write_nrrd(volume, SIZE, UNIT, [0.0, 0.0, 0.0], VOXELS)
    write_nrrd(initial, SIZE, UNIT, [0.0, 0.0, 0.0], bytes(512))
    shutil.copy(chain.model, chain.path("model.safetensors"))
    with open(prompts, "w", encoding="utf-8") as stream:
        stream.write("# Markups fiducial file version = 5.0\n# CoordinateSystem = LPS\n"
                     "# columns = id,x,y,z,ow,ox,oy,oz,vis,sel,lock,label,desc,associatedNodeID\n"
                     "1,4,4,4,0,0,0,1,1,1,0,F-1,,,2,0\n")
    os.makedirs(chain.path("sub"))
    reads = {"<input>": volume, "--prompts": prompts, "--initial": initial,
             "--model": chain.path("model.safetensors")}

    def command(output, *more):
        return [chain.program("PromptSeg"), "--model", reads["--model"], "--variant",
                "tiny_vit_256", "--prompts", prompts, "--initial", initial, *more, volume, output]

    for (role, path), option in itertools.product(reads.items(), ("--report", "--picture",
                                                                   "--returnparameterfile")):
        link, hard = chain.path("sub", "soft"), chain.path("sub", "hard")
        for made in (link, hard):
            if os.path.lexists(made):
                os.unlink(made)
        os.symlink(path, link)
        os.link(path, hard)
        other = os.path.join(chain.work, "sub", "..", os.path.basename(path))
        for name in (path, link, hard, other):
            tests.refused(command(chain.path("out.nrrd"), option, name), option, role)
    for made in ("soft", "hard"):
        os.unlink(chain.path("sub", made))
    # <output> may be the initial segmentation, nothing else.
    for made in (chain.path("sub", "soft.nrrd"), chain.path("sub", "hard.nrrd")):
        (os.symlink if "soft" in made else os.link)(volume, made)
        tests.refused(command(made), "<output>", "<input>")
        os.unlink(made)
    tests.refused(command(volume), "<output>", "<input>")
    tests.refused(command(prompts + ".nrrd", "--report", prompts + ".nrrd"), "--report", "<output>")
    os.link(prompts, chain.path("sub", "p.nrrd"))
    tests.refused(command(chain.path("sub", "p.nrrd")), "<output>", "--prompts")
    # Outputs that do not exist yet, through folders of two names.
    os.symlink(chain.path("sub"), chain.path("way"))
    tests.refused(command(chain.path("out.nrrd"), "--report", chain.path("sub", "x"), "--picture",
                          chain.path("way", "x")), "--report", "--picture")
    tests.refused(command(chain.path("way", "y.nrrd"), "--report", chain.path("sub", "y.nrrd")),
                  "--report", "<output>")


def read_beside(chain, tests):
    """Files that are read although no option names them."""
    def command(volume, option, name):
        return chain.command("--foreground", "4,4,4", option, name, volume, chain.path("o.nrrd"))

    folder = chain.path("series")
    shutil.copytree(LIVER, folder)
    slices = sorted(os.listdir(folder))
    tests.refused(command(folder, "--report", os.path.join(folder, slices[1])), "--report",
                  "<input>")
    tests.refused(command(os.path.join(folder, slices[0]), "--picture",
                          os.path.join(folder, slices[1])), "--picture", "<input>")
    tests.refused(command(folder, "--cache", folder), "--cache", "<input>")
    with open(chain.path("d.raw"), "wb") as stream:
        stream.write(VOXELS)
    head = ("NRRD0004\ntype: uchar\ndimension: 3\nspace: left-posterior-superior\nsizes: 8 8 8\n"
            "space directions: (1,0,0) (0,1,0) (0,0,1)\nkinds: domain domain domain\n"
            "encoding: raw\nspace origin: (0,0,0)\ndata file: d.raw\n")
    with open(chain.path("d.nhdr"), "w", encoding="utf-8") as stream:
        stream.write(head)
    with open(chain.path("d.mhd"), "w", encoding="utf-8") as stream:
        stream.write("ObjectType = Image\nNDims = 3\nDimSize = 8 8 8\nElementType = MET_UCHAR\n"
                     "ElementSpacing = 1 1 1\nElementDataFile = d.raw\n")
    for header in ("d.nhdr", "d.mhd"):
        tests.refused(command(chain.path(header), "--report", chain.path("d.raw")), "--report",
                      "<input>")


def other_programs(chain, tests):
    evaluate = [chain.program("PromptSegEvaluate"), "--reference", chain.path("in.nrrd"),
                "--prediction", chain.path("initial.seg.nrrd")]
    for option, name, role in (("--csv", "in.nrrd", "--reference"),
                               ("--json", "initial.seg.nrrd", "--prediction")):
        tests.refused(evaluate + [option, chain.path(name)], option, role)
    tests.refused(evaluate + ["--csv", chain.path("a"), "--json", chain.path("sub", "..", "a")],
                  "--csv", "--json")
    manifest = chain.path("m.csv")
    with open(manifest, "w", encoding="utf-8") as stream:
        stream.write("image,label,dataset,modality,anatomy,kind,split\n"
                     "in.nrrd,in.nrrd,test,MR,,class,train\n")
    pack = chain.program("PromptSegPack")
    tests.refused([pack, manifest, manifest], "<manifest>", "<pack>")
    tests.refused([pack, manifest, chain.path("in.nrrd")], "line 2 of <manifest>", "<pack>")


def impossible(chain, tests):
    def command(output, *more):
        return chain.command("--foreground", numbers(TUMOUR_POINT), *more, BRAIN, output)

    protected = chain.path("protected.nrrd")
    with open(protected, "w", encoding="utf-8") as stream:
        stream.write("kept")
    os.chmod(protected, 0o444)
    good = chain.path("good.nrrd")
    took = [tests.written_off(command(protected), "write-protected"),
            tests.written_off(command(good, "--report", protected), "write-protected"),
            tests.written_off(command(chain.path("a" * 300 + ".nrrd")), "too long"),
            tests.written_off(command(good, "--picture", chain.path("b" * 300)), "too long"),
            tests.written_off(command(good, "--report", chain.path("good", "r")), "no folder"),
            tests.written_off(command(os.path.join(BRAIN, "x.nrrd")), "Not a directory")]
    require(stat.S_IMODE(os.stat(protected).st_mode) == 0o444, "the protection is gone")
    require(max(took) < 5, f"an impossible output was found late: {took}")


def allowed(chain):
    """What must go on working: Slicer names one file for the initial segmentation and the output."""
    same = chain.path("same.seg.nrrd")
    chain.segment("--roi", numbers(TUMOUR_BOX), "--segmentName", "a", BRAIN, same)
    chain.segment("--roi", numbers(TUMOUR_BOX), "--segmentName", "b", "--initial", same, BRAIN,
                  same)
    with open(same, "rb") as stream:
        header = stream.read(4000)
    require(b":=a\n" in header and b":=b\n" in header, "the initial segment is lost")
    # A second run into the folder of the series.
    for _ in range(2):
        chain.segment("--foreground=-104.7,-25,-127.69", "--report", chain.path("series", "r.json"),
                      "--picture", chain.path("series", "p.png"), chain.path("series"),
                      chain.path("series", "o.seg.nrrd"))


def main():
    chain = Chain()
    tests = Refusals(chain)
    segment_pairs(chain, tests)
    read_beside(chain, tests)
    other_programs(chain, tests)
    impossible(chain, tests)
    allowed(chain)
    print(f"{tests.count} refusals, nothing was touched")


if __name__ == "__main__":
    main()
