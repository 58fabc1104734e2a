"""make_cases.py FOLDER: small volumes and a manifest of them (cases.csv)."""
import os
import random
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "chains"))
from chain import write_nrrd

SIZE, COUNT = [24, 20, 3], 160


def main(folder):
    draw = random.Random(1)
    rows = ["id,image,foreground"]
    for number in range(COUNT):
        voxels = bytes(draw.randrange(40, 200) for _ in range(SIZE[0] * SIZE[1] * SIZE[2]))
        write_nrrd(os.path.join(folder, f"v{number}.nrrd"), SIZE,
                   [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 4.0]], [0.0, 0.0, 0.0], voxels)
        rows.append(f'c{number},v{number}.nrrd,"12,10,4"')
    with open(os.path.join(folder, "cases.csv"), "w", encoding="utf-8") as stream:
        stream.write("\n".join(rows) + "\n")


if __name__ == "__main__":
    main(sys.argv[1])
