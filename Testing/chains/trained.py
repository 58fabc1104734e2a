"""What is trained is predicted with.

Narrow networks of the families, trained for two updates by their authors' settings on a small pack,
each from a narrow SAM: PromptSeg segments a DICOM series and a NIfTI volume with them (classes by
number, by name, all at once), segmodel predict does the same on a slice, and the file says what it
is: family, base, names of classes.
"""
import json
import os
import struct
import subprocess

from chain import Chain, LIVER, HERE, read_nrrd, require, run, write_nifti, write_png

PRESETS = os.path.join(HERE, "..", "..", "resources", "train", "presets")
CLASSES = "aorta,gallbladder,spleen,left_kidney,right_kidney,liver,pancreas,stomach"
SIDE = 48
VIT = ("protocol={} image=64 decoder_dim=32 decoder_heads=4 decoder_depth=2 decoder_mlp=64 {} "
       "embed=32 depth=2 heads=2 patch=8 window=4 pos_side=8 rel_window=7 rel_global=15 global=1")
# family: architecture, further settings, how it is asked
FAMILIES = {
    "samed": ("samed " + VIT.format("samed", "mask_tokens=9 classes=8 rank=4 whole=0"),
              f"warmup = 1\nrate = 0.2\nclasses = {CLASSES}\n", "class"),
    "surgicalsam": ("surgicalsam " + VIT.format("surgicalsam", "mask_tokens=4 classes=8 tokens=2"),
                    f"target = low\nclasses = {CLASSES}\n", "class"),
    "autosam": ("autosam " + VIT.format("autosam", "mask_tokens=4 small=32"), "", "nothing"),
    "medsam": ("vit " + VIT.format("medsam", "mask_tokens=4"), "", "box"),
    "sam": ("vit " + VIT.format("sam", "mask_tokens=4"), "rounds = 5\n", "point"),
    "samihs": ("samihs " + VIT.format("samihs", "mask_tokens=4"), "", "point"),
    "msa": ("msa " + VIT.format("msa", "mask_tokens=4 second=1"), "", "point"),
    "samus": ("samus " + VIT.format("samus", "mask_tokens=4").replace("patch=8", "patch=8")
              .replace("pos_side=8", "pos_side=16"), "init =\n", "point"),
}


def shade(k, x, y, label):
    return 60 + 20 * label if label else (x * 3 + y * 5 + 7 * k) % 50


def label_at(k, x, y):
    """Eight squares, one of each class, that move from picture to picture."""
    u, v = (x + 3 * k) % SIDE, (y + 2 * k) % SIDE
    return 1 + u // 12 + 4 * (v // 24) if u % 12 < 8 and v % 24 < 12 else 0


def picture(k, labels):
    return [bytes(label_at(k, x, y) if labels else shade(k, x, y, label_at(k, x, y))
                  for x in range(SIDE)) for y in range(SIDE)]


def make_pack(chain):
    lines = ["image,label,dataset,modality,anatomy,kind,split"]
    for k in range(6):
        write_png(chain.path(f"i{k}.png"), picture(k, False))
        write_png(chain.path(f"l{k}.png"), picture(k, True))
        lines.append(f"i{k}.png,l{k}.png,squares,CT,,class,{'train' if k < 4 else 'val'}")
    with open(chain.path("manifest.csv"), "w", encoding="utf-8") as stream:
        stream.write("\n".join(lines) + "\n")
    chain.run([chain.program("PromptSegPack"), chain.path("manifest.csv"), chain.path("a.pack")])


def settings(preset, own):
    keys = {line.split("=")[0].strip() for line in own.splitlines()}
    with open(os.path.join(PRESETS, preset + ".cfg"), encoding="utf-8") as stream:
        kept = [line for line in stream if line.split("=")[0].strip() not in keys]
    return "".join(kept) + "".join(line + "\n" for line in own.splitlines()
                                   if line.split("=", 1)[1].strip())


def train(chain, name, preset, own):
    steps = 1 if preset == "autosam" else 2  # its second encoder has 36 million parameters
    own += f"batch = 2\naccumulate = 1\nsteps = {steps}\nvalidate_every = 0\nsave_every = 0\n"
    own += "validate_objects = 2\n"
    if preset == "surgicalsam":
        own += f"features = {chain.path(name + '-features.safetensors')}\n"
    with open(chain.path(name + ".cfg"), "w", encoding="utf-8") as stream:
        stream.write(settings(preset, own))
    chain.run([chain.program("segmodel"), "train", chain.path(name + ".cfg"), "--data",
               chain.path("a.pack"), "--out", chain.path(name)])
    return chain.path(name, "last.safetensors")


def promptseg(chain, model, *arguments):
    return chain.run([chain.program("PromptSeg"), "--model", model, "--precision", "fp32",
                      *map(str, arguments)])


def volume(chain):
    """Three of the pictures as slices, 8 bits: shown to networks as they are."""
    path = chain.path("volume.nii")
    write_nifti(path, (SIDE, SIDE, 3), [(1, 0, 0), (0, 1, 0), (0, 0, 4)], (0, 0, 0),
                b"".join(b"".join(picture(k, False)) for k in range(3)))
    return path


def read_npy(path):
    with open(path, "rb") as stream:
        data = stream.read()
    return data[10 + struct.unpack_from("<H", data, 8)[0]:]


def names_of(path):
    keys = read_nrrd(path)[1]
    return [keys[f"Segment{i}_Name"] for i in range(9) if f"Segment{i}_Name" in keys]


def check_classes(chain, name, model, nifti):
    """All classes in one run without a prompt, one of them by number and by name."""
    everything, again = chain.path(name + "-all.nrrd"), chain.path(name + "-again.seg.nrrd")
    report = chain.path(name + ".json")
    promptseg(chain, model, "--class", "all", "--axis", "k", nifti, everything)
    promptseg(chain, model, "--axis", "k", "--report", report, nifti, again)
    labels = read_nrrd(everything)[2]
    require(len(labels) == SIDE * SIDE * 3 and max(labels) <= 8, f"{name}: labels are not 0 to 8")
    require(len(set(labels) - {0}) > 1, f"{name}: fewer than two classes were found")
    require(names_of(again) == CLASSES.split(","), f"{name}: segments are not named as classes")
    with open(report, encoding="utf-8") as stream:
        told = json.load(stream)["segments"]
    require([(s["name"], s["label"]) for s in told] ==
            [(n, i + 1) for i, n in enumerate(CLASSES.split(","))], f"{name}: the report's classes")
    require([s["voxels"] for s in told] == [labels.count(i + 1) for i in range(8)],
            f"{name}: the report counts other voxels")
    for k in range(3):  # slice by slice what segmodel predict gives of the picture
        chain.run([chain.program("segmodel"), "predict", "--model", model, "--image",
                   chain.path(f"i{k}.png"), "--class", "all", "--precision", "fp32", "--dump",
                   chain.path("dump")])
        wanted = read_npy(chain.path("dump", "labels.npy"))[::2]
        require(labels[k * SIDE * SIDE:(k + 1) * SIDE * SIDE] == wanted,
                f"{name}: slice {k} is not what segmodel predict gives")
    one = []
    for asked in ("6", "liver"):
        out = chain.path(f"{name}-{asked}.nrrd")
        promptseg(chain, model, "--class", asked, "--axis", "k", nifti, out)
        one.append(read_nrrd(out)[2])
    require(one[0] == one[1], f"{name}: class 6 is not liver")
    if name == "samed":
        require([v == 6 for v in labels] == [bool(v) for v in one[0]], "samed: one class alone")

def refused(chain, model, said, *arguments):
    """Exit code 3, a sentence that says what there is, and no output."""
    out = chain.path("refused.seg.nrrd")
    done = subprocess.run([chain.program("PromptSeg"), "--model", model, *arguments, out],
                          capture_output=True, text=True, check=False)
    require(done.returncode == 3 and said in done.stderr and not os.path.exists(out),
            f"{arguments}: wanted '{said}', found {done.returncode}: {done.stderr}")


def check_refusals(chain, classes, places, nifti):
    refused(chain, classes, "no class '9' in samed; its classes are 1 to 8: aorta,", "--class", "9",
            nifti)
    refused(chain, classes, "no class 'kidney'", "--class", "kidney", nifti)
    refused(chain, classes, "--class all looks everywhere", "--class", "all", "--foreground",
            "14,14,4", nifti)
    refused(chain, places, "not by a class", "--class", "all", nifti)
    refused(chain, places, "nothing to look for", nifti)


def check_series(chain, name, model, how, kind):
    """The series with the same network: a segmentation, of classes also a label map and a SEG."""
    endings = (".seg.nrrd", ".nii.gz", ".dcm") if name == "samed" else (".seg.nrrd",)
    outputs = [chain.path(f"{name}-series{ending}") for ending in endings]
    for output in outputs:
        promptseg(chain, model, *how, LIVER, output)
    wanted = CLASSES.split(",") if kind == "class" else ["Segment_1"]
    require(names_of(outputs[0]) == wanted, f"{name}: segments of the series")
    chain.check_outputs(None, *outputs[:2])
    for output in outputs[2:]:
        check_seg(chain, output, wanted)


def check_seg(chain, path, wanted):
    """Segments of a DICOM SEG by pydicom."""
    script = ("import sys\ntry:\n import pydicom\nexcept ImportError:\n sys.exit(77)\n"
              "d = pydicom.dcmread(sys.argv[1])\n"
              "print(','.join(s.SegmentLabel for s in d.SegmentSequence))")
    done = subprocess.run([chain.readers, "-c", script, path], capture_output=True, text=True,
                          check=False)
    if done.returncode == 77:
        Chain.unread.append(path)
        return
    found = done.stdout.strip().split(",")
    require(found == wanted, f"segments of {path}: {found}\n{done.stderr}")


def check_info(chain, name, model, base):
    told = chain.run([chain.program("segmodel"), "info", model])
    wanted = [f"variant: {name}"]
    if base:
        wanted.append("base: last.safetensors")
    if FAMILIES[name][2] == "class":
        wanted.append(f"classes: {CLASSES}")
    for text in wanted:
        require(text in told, f"{name}: info does not say '{text}'\n{told}")


def main():
    chain = Chain()
    make_pack(chain)
    nifti = volume(chain)
    base = train(chain, "base", "sam", f"architecture = {FAMILIES['sam'][0]}\ninit =\nwarmup = 0\n")
    how = {"class": (), "nothing": (), "point": ("--foreground", "-104.7,-25,-127.69"),
           "box": ("--roi", "-104.7,-25,-127.69,60,60,1")}
    here = {"class": (), "nothing": (), "point": ("--foreground", "14,14,4"),
            "box": ("--roi", "14,14,4,6,6,2")}
    for name, (architecture, own, kind) in FAMILIES.items():
        preset = name
        if "init =" not in own:
            own += f"init = {base}\n"
        model = train(chain, name, preset, f"architecture = {architecture}\n" + own)
        check_info(chain, name, model, "init =\n" not in own)
        if kind == "class":
            check_classes(chain, name, model, nifti)
        else:
            promptseg(chain, model, *here[kind], nifti, chain.path(name + ".nrrd"))
            asked = {"point": ("--point", "14,14,1"), "box": ("--box", "8,8,20,20"),
                     "nothing": ()}[kind]
            chain.run([chain.program("segmodel"), "predict", "--model", model, "--image",
                       chain.path("i1.png"), *asked])
        check_series(chain, name, model, how[kind], kind)
        if name == "samed":
            check_refusals(chain, model, base, nifti)


run(main)
