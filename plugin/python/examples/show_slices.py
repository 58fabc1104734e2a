"""Segments a volume from one point and shows the slices around it with the outline.

usage: show_slices.py IMAGE X,Y,Z [PICTURE.png]      X,Y,Z: LPS millimetres

Needs SimpleITK and matplotlib. In napari instead:

    viewer = napari.view_image(sitk.GetArrayFromImage(image), scale=image.GetSpacing()[::-1])
    viewer.add_labels(sitk.GetArrayFromImage(result.labels), scale=image.GetSpacing()[::-1])
"""

import sys

import matplotlib
import numpy as np
import SimpleITK as sitk

import promptseg


def main() -> None:
    path, point = sys.argv[1], [float(number) for number in sys.argv[2].split(",")]
    if len(sys.argv) > 3:
        matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    image = sitk.DICOMOrient(sitk.ReadImage(path), "LPS")  # axial slices as they are usually hung
    result = promptseg.segment(image, foreground=[point], progress=promptseg.tqdm_progress())
    report = result.objects[1]
    print(f"{report.voxels} voxels, {report.millilitres:.1f} ml, rated {report.quality:.2f}")

    voxels, labels = sitk.GetArrayFromImage(image), sitk.GetArrayFromImage(result.labels)
    axis = 2 - result.axis
    middle = int(round(image.TransformPhysicalPointToContinuousIndex(point)[result.axis]))
    low, high = result.window
    rows, columns = [n for a, n in enumerate(image.GetSpacing()[::-1]) if a != axis]
    figure, axes = plt.subplots(1, 5, figsize=(15, 3.4), layout="tight")
    for n, picture in zip(range(middle - 2, middle + 3), axes):
        picture.axis("off")
        if not 0 <= n < voxels.shape[axis]:
            continue
        picture.imshow(np.take(voxels, n, axis), cmap="gray", vmin=low, vmax=high,
                       origin="upper" if axis == 0 else "lower", aspect=rows / columns)
        picture.contour(np.take(labels, n, axis), [0.5], colors="yellow", linewidths=1)
        picture.set_title(f"slice {n}")
    if len(sys.argv) > 3:
        figure.savefig(sys.argv[3], dpi=100)
    else:
        plt.show()


if __name__ == "__main__":
    main()
