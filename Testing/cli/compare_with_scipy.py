"""PromptSegEvaluate against SciPy's distance transform and k-d tree, on random masks.

usage: compare_with_scipy.py <PromptSegEvaluate> <folder>
Needs numpy and scipy (and says so in one line, with exit code 77, where they are absent). The masks
are written as NRRD by hand. Axis-aligned and oblique grids are checked with the Euclidean distance
transform, sheared ones with a k-d tree over physical points. The surface Dice is held to DeepMind's
package in tests/unit/metrics.
"""
import json
import subprocess
import sys

try:
    import numpy as np
    from scipy import ndimage
    from scipy.spatial import cKDTree
except ImportError as missing:
    print(f"not compared: {missing}")
    sys.exit(77)


def surface(mask):
    return mask ^ ndimage.binary_erosion(mask, ndimage.generate_binary_structure(3, 1))


def distances(mask, other, axes, spacing):
    """From each surface point of `mask` to the surface of `other`; axes are columns in mm."""
    if spacing is not None:
        return ndimage.distance_transform_edt(~surface(other), sampling=spacing)[surface(mask)]
    points = np.argwhere(surface(mask)) @ axes.T
    return cKDTree(np.argwhere(surface(other)) @ axes.T).query(points)[0]


def expected(r, p, axes, spacing):
    a, b = distances(r, p, axes, spacing), distances(p, r, axes, spacing)
    return {
        "dice": 2 * (r & p).sum() / (r.sum() + p.sum()),
        "iou": (r & p).sum() / (r | p).sum(),
        "hd_mm": max(a.max(), b.max()),
        "hd95_mm": np.percentile(np.hstack([a, b]), 95),
        "assd_mm": (a.sum() + b.sum()) / (len(a) + len(b)),
        "sensitivity": (r & p).sum() / r.sum(),
        "specificity": (~r & ~p).sum() / (~r).sum(),
        "mae": (r ^ p).mean(),
        "reference_ml": r.sum() * abs(np.linalg.det(axes)) / 1000,
    }


def write_nrrd(path, mask, axes):
    columns = " ".join("(" + ",".join(f"{v:.17g}" for v in axes[:, c]) + ")" for c in range(3))
    header = (f"NRRD0004\ntype: unsigned char\ndimension: 3\nspace: left-posterior-superior\n"
              f"sizes: {' '.join(map(str, mask.shape))}\nspace directions: {columns}\n"
              f"kinds: domain domain domain\nencoding: raw\nspace origin: (-30,12,55)\n\n")
    with open(path, "wb") as file:
        file.write(header.encode() + mask.astype(np.uint8).tobytes(order="F"))


def measured(program, folder, r, p, axes):
    paths = [f"{folder}/scipy_{name}" for name in ("r.nrrd", "p.nrrd", "out.json")]
    write_nrrd(paths[0], r, axes)
    write_nrrd(paths[1], p, axes)
    subprocess.run([program, "--reference", paths[0], "--prediction", paths[1], "--json", paths[2],
                    "--metrics", "all"], check=True, stdout=subprocess.DEVNULL)
    with open(paths[2], encoding="utf-8") as file:
        return json.load(file)["labels"][0]


def random_case(rng, kind):
    shape = rng.integers(18, 40, 3)
    field = ndimage.gaussian_filter(rng.normal(size=shape), 3)
    r = field > np.quantile(field, 0.8)
    p = np.roll(r, rng.integers(-3, 4, 3), (0, 1, 2)) & (rng.random(shape) > 0.02)
    spacing = np.array([0.6, 0.7, 2.5])
    turn = np.eye(3) if kind == "straight" else np.linalg.qr(rng.normal(size=(3, 3)))[0]
    axes = turn @ np.diag(spacing)
    if kind != "sheared":
        return r, p, axes, spacing
    return r, p, axes @ np.array([[1, 0, 0], [0, 1, 0.3], [0, 0, 1]]), None


def main(program, folder):
    rng = np.random.default_rng(7)
    worst = 0.0
    for kind in ("straight", "oblique", "sheared") * 3:
        r, p, axes, spacing = random_case(rng, kind)
        found = measured(program, folder, r, p, axes)
        for name, wanted in expected(r, p, axes, spacing).items():
            error = abs(found[name] - wanted) / max(1, abs(wanted))
            worst = max(worst, error)
            # The report has nine digits.
            if not error <= 1e-8:
                print(f"{kind}: {name} is {found[name]}, SciPy says {wanted}")
                return 1
    print(f"largest relative difference to SciPy: {worst:.1e}")
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
