#!/usr/bin/env python3
"""Writes the manifest of the default model's training pack.

    make_manifest.py ROOT > default_manifest.csv

ROOT holds corpus/ (with INDEX.csv), corpus3d/ and data/. Paths in the manifest are relative to ROOT.
PromptSegPack turns the manifest into a pack.

The split. Whole data sets in HELD_OUT are never trained on; of every other set the last 15 % of
the patients (natural order of ids, warped copies counted to their original) are kept for
validation, so that neighbouring slices and copies stay on one side. Sets cut from one single
volume cannot be split honestly: they are for training only.

Four of the whole sets (JUDGED) came after the first model and choose nothing: neither snapshots nor
thresholds. Volumes and sequences are split by patient in Testing/quality/volumes/cases.csv. Patients
that both corpora share are on one side.
"""
import csv
import re
import sys
from pathlib import Path

CASES = Path(__file__).resolve().parents[2] / "Testing" / "quality" / "volumes" / "cases.csv"
JUDGED = {"hocm_ct", "isic2017", "medulla_fibsem", "sunnybrook_cine"}
HELD_OUT = JUDGED | {"breast_lesions_usg", "faz_octa", "krd_wbc", "kidney_t2w", "msd_hepaticvessel",
            "msd_hippocampus", "msd_lung_tumor", "msd_spleen"}
ONE_VOLUME = {"aorta_ct", "mni152_gmwm", "sct_t1_cord", "totalseg_example_ct"}
INSTANCES = {"dsb2018", "tnbc", "glomeruli", "chloroplast_sem", "flyem_medulla_3d", "qcanet_embryo_3d",
             "stardist3d_3d"}
THIN = {"hrf", "hvdropdb_ridge", "msd_hepaticvessel", "mni152_gmwm"}
PATIENT_THEN_SLICE = {"ccaus", "hvsmr2", "kidney_t2w", "lumbar_spine", "ms_flair", "spider_t2w",
                      "soft_tissue_sarcoma", "rings_prostate", "hrf", "chd68_ct", "hocm_ct"}
PATIENT_FIRST = {"axon_sem", "chloroplast_sem"}
SHARE = 0.15


def original(name):
    """The image a warped copy was made from: its last part that is not an augmentation."""
    if re.match(r"(barrdistorted|distorted|deformed|hflipped|vflipped|rotated)", name):
        part = re.search(r"((?:STS|Neo|RetCam)_\d+(?:_\d+)?|\d+_\d+$|\d+)$", name)
        short = re.search(r"[\d.]+_((?:STS_|Neo_|RetCam_)?\d+(?:_\d+)?)$", name)
        return (short or part).group(1)
    return name


def patient(dataset, name):
    name = original(name)
    if dataset in PATIENT_FIRST:
        return name.split("_")[0]
    if dataset in PATIENT_THEN_SLICE:
        return name.split("_slice")[0] if "_slice" in name else name.rsplit("_", 1)[0]
    return name


# Data sets of cases.csv that are trained on or chosen by: modality, anatomy, axes slices are cut
# along ("": as prediction chooses). Modalities of one set that differ are sets of their own.
VOLUMES = {
    "sts_ibsi CT": ("CT", "soft-tissue sarcoma", [""]),
    "sts_ibsi MR": ("MR T1", "soft-tissue sarcoma", [""]),
    "sts_ibsi PET": ("PET", "soft-tissue sarcoma", [""]),
    "openkbp": ("CT", "head and neck organs", [""]),
    "fetal_sb_atlas": ("MR T2", "fetal brain", ["axial", "coronal"]),
    "flyem_medulla": ("EM (FIB-SEM)", "neurites", ["k", "j"]),
    "qcanet_embryo": ("fluorescence", "nuclei", [""]),
    "stardist3d": ("fluorescence", "nuclei", [""]),
    "spine_generic": ("MR", "spinal cord", ["axial"]),
    "deepreg_prostate MR": ("MR T2", "prostate", ["axial"]),
    "deepreg_prostate US": ("US", "prostate", ["axial"]),
    "totalsegmentator": ("CT", "trunk organs", ["axial", "coronal", "sagittal"]),
    "sct_cord": ("MR T1", "spinal cord", ["axial"]),
}


def natural(text):
    return [int(t) if t.isdigit() else t for t in re.split(r"(\d+)", text)]


def corpus_rows(root):
    sets = {}
    with open(root / "corpus" / "INDEX.csv", newline="") as stream:
        for row in csv.DictReader(stream):
            sets.setdefault(row["dataset"], []).append(row)
    for dataset, rows in sorted(sets.items()):
        groups = sorted({patient(dataset, r["id"]) for r in rows}, key=natural)
        kept = 0 if dataset in ONE_VOLUME else max(1, round(SHARE * len(groups)))
        aside = set(groups[len(groups) - kept:])
        for row in sorted(rows, key=lambda r: natural(r["id"])):
            if dataset in HELD_OUT:
                split = "heldout"
            else:
                split = "val" if patient(dataset, row["id"]) in aside else "train"
            image = "corpus/" + row["file"]
            label = "corpus/%s/%s_label.png" % (dataset, row["id"])
            yield [image, label, dataset, row["modality"], row["anatomy"], split, "", ""]


def frames(folder):
    for image in sorted(folder.glob("*.jpg")):
        yield image, folder / (image.stem + "_label.png")


def volume_rows(root):
    """Cases for judging are left out; those to develop by are validation."""
    with open(CASES, newline="") as stream:
        cases = [c for c in csv.DictReader(stream) if c["role"] in ("train", "develop")]
    for case in cases:
        split = "train" if case["role"] == "train" else "val"
        if case["dataset"] == "vocalfolds":
            for image, label in frames((root / case["image"]).parent):
                yield [image, label, "vocalfolds", "endoscopy", "larynx", split, case["id"], ""]
        kind = case["id"].split("_")[0]
        for name, (modality, anatomy, axes) in VOLUMES.items():
            if name not in (case["dataset"], case["dataset"] + " " + kind):
                continue
            for axis in axes:
                yield [case["image"], case["label"], name.replace(" ", "_").lower() + "_3d",
                       modality, anatomy, split, "", axis]


def data_rows(root):
    data = root / "data"
    images = {p.stem: p for p in data.glob("sarah-antillia+TensorFlow-FlexUNet*Hemorrhage/**/*.png")}
    for label in sorted((data / "derived" / "bhsd").glob("*_labels.png")):
        image = images[label.stem[:-len("_labels")]]
        yield [image, label, "bhsd", "CT head", "intracranial haemorrhage", "train", "", ""]
    images = {p.stem: p for p in data.glob("sarah-antillia+Tensorflow*Fetal-Head/**/images/*.jpg")}
    for label in sorted((data / "derived" / "hc18").glob("*_mask.png")):
        yield [images[label.stem[:-len("_mask")]], label, "hc18", "US", "fetal head", "heldout", "",
               ""]


def main():
    if len(sys.argv) != 2:
        sys.exit("usage: make_manifest.py ROOT > manifest.csv")
    root = Path(sys.argv[1])
    out = csv.writer(sys.stdout, lineterminator="\n")
    out.writerow(["image", "label", "dataset", "modality", "anatomy", "kind", "split", "volume", "axis"])
    for row in list(corpus_rows(root)) + list(data_rows(root)) + list(volume_rows(root)):
        row[0], row[1] = (str(Path(p).relative_to(root)) if Path(p).is_absolute() else str(p)
                          for p in row[:2])
        if not (root / row[1]).exists() or not (root / row[0]).exists():
            sys.exit("missing: %s or %s" % (row[0], row[1]))
        kind = "instance" if row[2] in INSTANCES else "class"
        if row[2] in THIN:
            kind += "-thin"
        out.writerow(row[:4] + [row[4][:47], kind] + row[5:])


main()
