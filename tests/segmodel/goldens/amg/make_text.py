"""Numbers of the official mask generator as plain text for a C test: make_text.py FOLDER, where FOLDER
holds generate_mobile_sam_{a,b}.json and utils.json (see ../README.md). Writes beside itself."""
import json
import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))


def words(*values):
    return " ".join(repr(v) if isinstance(v, float) else str(v) for v in values)


def generate(source, name):
    data = json.load(open(os.path.join(source, f"generate_mobile_sam_{name}.json")))
    lines = [words("mask_threshold", data["mask_threshold"])]
    for key, value in data["params"].items():
        if not isinstance(value, str) and key != "points_per_batch":
            lines.append(words(key, value))
    for mask in data["anns"]:
        counts = mask["counts"] or []
        lines.append(words("mask", *mask["bbox"], mask["area"], mask["predicted_iou"],
                           mask["stability_score"], *mask["point_coords"][0],
                           *(int(v) for v in mask["crop_box"]), len(counts), *counts))
    return lines


def utilities(source):
    data = json.load(open(os.path.join(source, "utils.json")))
    lines = []
    for side, points in data["build_point_grid"].items():
        lines.append(words("grid", side, *(v for p in points for v in p)))
    for case in data["generate_crop_boxes"]:
        height, width = case["im_size_hw"]
        lines.append(words("crops", width, height, case["n_layers"], case["overlap_ratio"],
                           len(case["boxes"]), *(v for b in case["boxes"] for v in b)))
    edge = data["near_crop_edge"]
    for crop, near in (("crop_box", "near"), ("crop0", "near0")):
        for box, is_near in zip(edge["boxes"], edge[near]):
            lines.append(words("near", *edge[crop], *edge["orig_box"][2:], *box, int(is_near)))
    nms = data["nms"]
    for threshold in ("0.7", "0.5", "0.3"):
        keep = nms["keep@" + threshold]
        lines.append(words("nms", threshold, len(nms["boxes"]),
                           *(int(v) for b in nms["boxes"] for v in b), *nms["scores"], len(keep),
                           *keep))
    for case in data["remove_small_regions"]:
        counts = case["counts"] or []
        lines.append(words("regions", case["mask"], case["mode"], case["area_thresh"],
                           int(case["changed"]), case["area"], len(counts), *counts))
    return lines


def main():
    source = sys.argv[1]
    files = {"generate_a.txt": generate(source, "a"), "generate_b.txt": generate(source, "b"),
             "utils.txt": utilities(source)}
    for name, lines in files.items():
        with open(os.path.join(HERE, name), "w") as out:
            out.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
