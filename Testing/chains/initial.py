"""--initial: other segments are kept, overlapping ones in layers; Slicer's 4D list is read back."""
import json

from chain import BRAIN, TUMOUR_BOX, TUMOUR_POINT, Chain, numbers, read_nrrd, require, run, triples


def masks(path):
    """Voxels of each segment as bytes of 0 and 1, by name."""
    fields, keys, voxels = read_nrrd(path)
    layers = int(fields["sizes"].split()[0]) if fields["dimension"] == "4" else 1
    found = {}
    for n in range(100):
        if f"Segment{n}_Name" not in keys:
            break
        layer, label = int(keys[f"Segment{n}_Layer"]), int(keys[f"Segment{n}_LabelValue"])
        table = bytes(int(value == label) for value in range(256))
        found[keys[f"Segment{n}_Name"]] = voxels[layer::layers].translate(table)
    return layers, found


def place_in(path, name):
    """LPS millimetres of the voxel in the middle of a segment's voxels."""
    fields, _, _ = read_nrrd(path)
    size = [int(n) for n in fields["sizes"].split()][-3:]
    mask = masks(path)[1][name]
    inside = [n for n, value in enumerate(mask) if value]
    n = inside[len(inside) // 2]
    index = (n % size[0], n // size[0] % size[1], n // (size[0] * size[1]))
    axes, origin = triples(fields["space directions"]), triples(fields["space origin"])[0]
    return [o + sum(a[c] * i for a, i in zip(axes, index)) for c, o in enumerate(origin)]


def main():
    chain = Chain()
    one, two, three, four, five, plain = (chain.path(n) for n in (
        "one.seg.nrrd", "two.seg.nrrd", "three.seg.nrrd", "four.seg.nrrd", "five.seg.nrrd",
        "plain.nii.gz"))
    box = ["--roi", numbers(TUMOUR_BOX)]
    point = ["--foreground", numbers(TUMOUR_POINT)]
    chain.segment(*box, "--segmentName", "a", "--segmentColor", "0.25,0.5,0.75", BRAIN, one)
    chain.segment(*box, "--segmentName", "b", "--initial", one, BRAIN, two)
    layers, both = masks(two)
    require(layers == 2, f"two equal segments need two layers, found {layers}")
    require(both["a"] == both["b"] == masks(one)[1]["a"] and any(both["a"]), "'a' was not kept")
    require(read_nrrd(two)[1]["Segment0_Color"].split() == ["0.25", "0.5", "0.75"],
            "the colour of 'a' was not kept")

    chain.segment(*point, "--segmentName", "c", "--initial", two, BRAIN, three)
    _, all_three = masks(three)
    require(all_three["a"] == both["a"] and all_three["b"] == both["b"] and any(all_three["c"]),
            "segments of a 4D list were not kept")
    chain.check_outputs(BRAIN, two, three)

    # With weights that are no noise: a click pulls the mask back where it lies.
    report = chain.path("report.json")
    trained = [chain.program("PromptSeg")]
    chain.run([*trained, *box, "--segmentName", "a", BRAIN, five])
    chain.run([*trained, *box, "--segmentName", "b", "--initial", five, BRAIN, two])
    _, both = masks(two)
    chain.run([*trained, "--background", numbers(place_in(two, "a")), "--segmentName", "a",
               "--initial", two, "--report", report, BRAIN, four])
    require(masks(four)[1]["b"] == both["b"], "'b' changed although only 'a' was prompted")
    require(sum(masks(four)[1]["a"]) < sum(both["a"]), "a background point on a mask takes nothing")

    said = chain.segment(*box, "--segmentName", "b", "--initial", one, "--report", report, BRAIN,
                         plain)
    require("overlap" in said, "an overlap lost in a plain label map must be said on stdout")
    with open(report, encoding="utf-8") as stream:
        warnings = json.load(stream)["warnings"]
    require(any("overlap" in w for w in warnings), "an overlap must be in the report")
    chain.check_outputs(BRAIN, plain)
    print(f"layers: {layers}, voxels of a: {sum(both['a'])}")


if __name__ == "__main__":
    run(main)
