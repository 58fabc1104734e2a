"""Peak memory is bounded: beside the volume itself it does not grow with the number of slices."""
import json
import os

from chain import Chain, require, write_nrrd

SIDE = 512
GROWTH = 1.6  # bytes more per added byte of volume (2 per voxel): volume 1, label map 0.5
# The walk goes on as long as this network finds something, so that embeddings of 600 slices fill
# what may be kept of them, and those of 100 slices do not.
EMBEDDINGS_MIB = 256
# Beside the volume and one byte per voxel of label map, of which only touched pages count: embeddings,
# all that may be kept of them (150 MiB of this network's 600), earlier
# answers (32 MiB), the network and a few slices.
BESIDE_MIB = EMBEDDINGS_MIB + 32 + 64


def big_volume(path, slices):
    write_nrrd(path, (SIDE, SIDE, slices), [[0.7, 0, 0], [0, 0.7, 0], [0, 0, 1.0]], (0, 0, 0), b"",
               "short")
    with open(path, "ab") as stream:
        start = stream.tell()
        stream.truncate(start + 2 * SIDE * SIDE * slices)
    row = bytes(x for n in range(SIDE) for x in ((100 if 150 < n < 350 else n % 17), 0))
    with open(path, "r+b") as stream:
        for k in range(slices // 2 - 8, slices // 2 + 8):
            for j in range(150, 350):
                stream.seek(start + 2 * SIDE * (j + SIDE * k))
                stream.write(row)


def peak(chain, slices):
    volume, report = chain.path(f"{slices}.nrrd"), chain.path(f"{slices}.json")
    big_volume(volume, slices)
    chain.segment("--foreground", f"175,175,{slices // 2}", "--report", report, volume,
                  chain.path(f"{slices}.seg.nrrd"))
    os.remove(volume)
    with open(report, encoding="utf-8") as stream:
        return json.load(stream)["peak_memory_bytes"]


def main():
    chain = Chain()
    small, large = peak(chain, 100), peak(chain, 600)
    volumes = [2 * SIDE * SIDE * n for n in (100, 600)]
    print(f"512x512x100: {small / 2**20:.0f} MiB, 512x512x600: {large / 2**20:.0f} MiB "
          f"(volumes: {volumes[0] >> 20} and {volumes[1] >> 20} MiB)")
    require(large <= GROWTH * volumes[1] + BESIDE_MIB * 2**20, "too much memory for 600 slices")
    require(large - small <= GROWTH * (volumes[1] - volumes[0]) + EMBEDDINGS_MIB * 2**20,
            "memory grows faster than the volume and its label map")


if __name__ == "__main__":
    main()
