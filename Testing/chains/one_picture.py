"""`segmodel predict` gives the mask that PromptSeg gives on the same picture, small things in it
included: both look closer where the network's input is small."""
import math
import os
import re
import struct
import subprocess

from chain import SAMPLES, Chain, read_nrrd, require, run, write_nrrd

WIDTH, HEIGHT = 320, 250
DISCS = ((60, 70, 9), (200, 120, 40), (290, 30, 14))  # x, y, radius
BUNDLED = os.path.join(SAMPLES, "..", "models", "promptseg-lite.safetensors")


def pixels():
    """Discs on a ground that is never quite even."""
    out = bytearray()
    for y in range(HEIGHT):
        for x in range(WIDTH):
            inside = any(math.hypot(x - a, y - b) < r for a, b, r in DISCS)
            out.append((190 if inside else 60) + (7 * x + 11 * y + x * y) % 13)
    return bytes(out)


def write_npy(path, data):
    head = f"{{'descr': '|u1', 'fortran_order': False, 'shape': ({HEIGHT}, {WIDTH}), }}"
    head += " " * (-(len(head) + 11) % 64) + "\n"
    with open(path, "wb") as stream:
        stream.write(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(head)) + head.encode() + data)


def read_npy(path):
    with open(path, "rb") as stream:
        content = stream.read()
    require(f"({HEIGHT}, {WIDTH})" in content[:128].decode("latin-1"), f"{path}: another shape")
    return content[10 + struct.unpack("<H", content[8:10])[0]:]


def predicted(chain, model, x, y, *more):
    dump = chain.path("dump")
    said = chain.run([chain.program("segmodel"), "predict", *model, "--image",
                      chain.path("picture.npy"), "--point", f"{x},{y},1", "--dump", dump, *more])
    return read_npy(os.path.join(dump, "mask.npy")), said


def segmented(chain, model, x, y):
    output = chain.path("picture.seg.nrrd")
    chain.run([chain.program("PromptSeg"), *model, "--foreground", f"{x},{y},0",
               chain.path("picture.nrrd"), output])
    fields, keys, labels = read_nrrd(output)
    if fields["sizes"] == f"{WIDTH} {HEIGHT} 1":
        return labels
    # cropped to the segment: put back
    first = [int(v) for v in re.findall(r"-?\d+", keys["Segmentation_ReferenceImageExtentOffset"])]
    size = [int(v) for v in fields["sizes"].split()]
    whole = bytearray(WIDTH * HEIGHT)
    for j in range(size[1]):
        at = (first[1] + j) * WIDTH + first[0]
        whole[at:at + size[0]] = labels[j * size[0]:(j + 1) * size[0]]
    return bytes(whole)


def main():
    chain = Chain()
    data = pixels()
    write_npy(chain.path("picture.npy"), data)
    write_nrrd(chain.path("picture.nrrd"), (WIDTH, HEIGHT, 1),
               [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]], (0.0, 0.0, 0.0), data)
    models = [["--model", chain.model, "--variant", "tiny_vit_256"]]
    if os.path.exists(BUNDLED):
        models.append(["--model", BUNDLED])
    for model in models:
        for x, y, radius in DISCS:
            mask, said = predicted(chain, model, x, y)
            label = segmented(chain, model, x, y)
            different = sum((a != 0) != (b != 0) for a, b in zip(mask, label))
            print(f"{os.path.basename(model[1])}, disc of {radius}: {sum(v != 0 for v in mask)} "
                  f"pixels, {different} of them otherwise in PromptSeg")
            require(len(label) == len(mask) and different == 0, f"two answers: {said}")
    if len(models) > 1:  # what is small needs the closer look: without it the answer is another one
        x, y, radius = DISCS[0]
        area = math.pi * radius * radius
        near = sum(v != 0 for v in predicted(chain, models[1], x, y)[0])
        far = sum(v != 0 for v in predicted(chain, models[1], x, y, "--zoom", "off")[0])
        print(f"the disc has {area:.0f} pixels: {near} with zoom, {far} without")
        require(abs(near - area) < 0.25 * area, "the small disc is not found")


if __name__ == "__main__":
    run(main)
