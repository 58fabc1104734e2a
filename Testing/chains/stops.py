"""Why a segment ends where it does, in the words of the report: a bright rod from the first slice to the last,
which a walk leaves for no reason of its own."""
import json

from chain import Chain, require, write_nrrd

SIZE = [48, 48, 11]
MIDDLE = [24, 24, 5]


def rod():
    plane = bytes(200 if (x - 24) ** 2 + (y - 24) ** 2 < 100 else 60 + (7 * x + 3 * y) % 9
                  for y in range(SIZE[1]) for x in range(SIZE[0]))
    return plane * SIZE[2]


def main():
    chain = Chain()
    volume, report = chain.path("rod.nrrd"), chain.path("r.json")
    write_nrrd(volume, SIZE, [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 2.0]], [0.0, 0.0, 0.0], rod())

    def stopped(*more):
        chain.run([chain.program("PromptSeg"), "--axis", "k", *more, "--report", report, volume,
                   chain.path("rod.seg.nrrd")])
        with open(report, encoding="utf-8") as stream:
            segment = json.load(stream)["segments"][0]
        return [segment["stopped"][side] for side in ("below", "above")], \
            [s["index"] for s in segment["slices"]]

    point = ["--foreground", ",".join(str(m * s) for m, s in zip(MIDDLE, (1, 1, 2)))]
    words, slices = stopped(*point)
    require(slices == list(range(SIZE[2])), f"the rod is left: {words} {slices}")
    require(words == ["end of the volume"] * 2, f"{words}")
    words, slices = stopped(*point, "--maxSlices", "2")
    require(slices == [3, 4, 5, 6, 7] and words == ["maxSlices"] * 2, f"{words} {slices}")
    words, slices = stopped(*point, "--maxSlices", "5")
    require(words == ["end of the volume"] * 2, f"{words} {slices}")
    words, slices = stopped("--roi", "24,24,10,11,11,5")
    require(slices[0] > 0 and slices[-1] < SIZE[2] - 1 and words == ["end of the box"] * 2,
            f"{words} {slices}")


if __name__ == "__main__":
    main()
