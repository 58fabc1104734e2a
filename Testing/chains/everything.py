"""Masks of everything as other programs read them: the report's runs, boxes and areas are one thing;
the label map has the largest mask at the bottom; PNG and NIfTI hold the same labels; layers keep
overlapping masks whole; the further channels are the picture's grey and where masks lie."""
import json
import subprocess

from chain import Chain, require, write_png

CHECK = r"""
import json, sys
import numpy as np
try:
    import nibabel
    import nrrd
    from PIL import Image
except ImportError as error:
    print("no independent reader:", error)
    sys.exit(77)
report, picture, labels, nifti, layers, channels = sys.argv[1:]
masks = json.load(open(report))["slices"][0]["masks"]
flat = np.zeros(np.array(Image.open(picture)).shape[:2], int)
whole = []
for mask in masks:
    (height, width), counts = mask["segmentation"]["size"], mask["segmentation"]["counts"]
    values = np.repeat(np.arange(len(counts)) % 2, counts).reshape(width, height).T.astype(bool)
    rows, columns = np.nonzero(values)
    assert values.sum() == mask["area"], mask["label"]
    assert mask["bbox"] == [columns.min(), rows.min(), np.ptp(columns), np.ptp(rows)], mask["label"]
    assert not mask["point_coords"][0][0] < 0
    whole.append(values)
for index in sorted(range(len(masks)), key=lambda i: (-masks[i]["area"], i)):
    flat[whole[index]] = index + 1
image = Image.open(labels)
assert image.mode == "P", image.mode
assert (np.array(image) == flat).all()
assert (np.asarray(nibabel.load(nifti).dataobj)[:, :, 0].T == flat).all()
data, header = nrrd.read(layers)
data = data.reshape((-1,) + data.shape[-3:])
for index, values in enumerate(whole):
    layer, value = int(header[f"Segment{index}_Layer"]), int(header[f"Segment{index}_LabelValue"])
    assert header[f"Segment{index}_Name"] == f"Segment_{index + 1}"
    assert ((data[layer, :, :, 0] == value).T == values).all(), index
further = np.array(Image.open(channels))
assert (further[..., 0] == np.array(Image.open(picture))).all()
assert ((further[..., 1] > 0) <= (flat > 0)).all() and further[..., 1].max() == 255
edge = np.zeros(flat.shape, bool)
for values in whole:
    edge[:, 1:] |= values[:, 1:] != values[:, :-1]
    edge[1:] |= values[1:] != values[:-1]
assert (further[..., 2] > 0)[edge].all() and set(np.unique(further[..., 2])) <= {0, 255}
print(len(masks), "masks agree")
"""


def main():
    chain = Chain()
    picture = chain.path("picture.png")
    rows = [bytes(min(255, 40 + 150 * ((x - 30) ** 2 + (y - 24) ** 2 < 200) + x) for x in range(60))
            for y in range(48)]
    write_png(picture, rows)
    command = [chain.program("PromptSegEverything"), "--model", chain.model, "--variant",
               "tiny_vit_256", "--precision", "fp32", "--pointsPerSide", "3", "--cropNLayers", "0",
               "--predIouThresh", "0", "--stabilityScoreThresh", "0", "--boxNmsThresh", "1",
               "--minMaskRegionArea", "4"]
    report, channels = chain.path("report.json"), chain.path("channels.png")
    outputs = [chain.path(name) for name in ("labels.png", "labels.nii.gz", "layers.seg.nrrd")]
    chain.run(command + [picture, outputs[0], "--report", report, "--reportMasks", "--augment",
                         channels])
    chain.run(command + [picture, outputs[1]])
    chain.run(command + ["--layers", picture, outputs[2]])
    with open(report, encoding="utf-8") as stream:
        found = len(json.load(stream)["slices"][0]["masks"])
    require(found > 3, f"only {found} masks")
    done = subprocess.run([chain.readers, "-c", CHECK, report, picture, *outputs, channels],
                          capture_output=True, text=True, check=False)
    print(done.stdout, end="")
    require(done.returncode in (0, 77), f"other programs read something else\n{done.stderr}")
    if done.returncode == 77:
        raise SystemExit(77)


if __name__ == "__main__":
    main()
