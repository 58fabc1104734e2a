"""The same anatomy gives the same mask in every axis order and with flipped axes, and the grid of
oblique, left-handed and sheared volumes arrives unchanged."""
import itertools
import math

from chain import Chain, numbers, read_nrrd, require, run, triples, write_nifti, write_nrrd

SIZE = (40, 36, 12)
SPACING = (1.0, 1.0, 3.0)
ORIGIN = (-20.0, 15.0, 100.0)
CENTRE = (20.0, 17.0, 6.0)  # of the bright ball, index


def phantom():
    voxels = bytearray()
    for k, j, i in itertools.product(*(range(n) for n in reversed(SIZE))):
        inside = sum((((a - b) * s) / r) ** 2 for a, b, s, r in
                     zip((i, j, k), CENTRE, SPACING, (9, 7, 13))) <= 1
        voxels.append((190 if inside else 60) + (7 * i + 11 * j + 5 * k) % 13)
    return bytes(voxels)


def rearranged(voxels, size, order, flips):
    """The same volume stored with its axes in another order and direction."""
    new = [size[a] for a in order]
    out = bytearray()
    for index in itertools.product(*(range(n) for n in reversed(new))):
        old = [0, 0, 0]
        for position, axis in enumerate(order):
            value = index[2 - position]
            old[axis] = size[axis] - 1 - value if flips[position] else value
        out.append(voxels[old[0] + size[0] * (old[1] + size[1] * old[2])])
    return new, bytes(out)


def restored(voxels, order, flips):
    """Back to the canonical order: the inverse of rearranged()."""
    out = bytearray(len(voxels))
    new = [SIZE[a] for a in order]
    for index in itertools.product(*(range(n) for n in reversed(new))):
        position = index[2] + new[0] * (index[1] + new[1] * index[0])
        old = [0, 0, 0]
        for p, axis in enumerate(order):
            value = index[2 - p]
            old[axis] = SIZE[axis] - 1 - value if flips[p] else value
        out[old[0] + SIZE[0] * (old[1] + SIZE[1] * old[2])] = voxels[position]
    return bytes(out)


def grid(order, flips):
    axes, origin = [], list(ORIGIN)
    for position, axis in enumerate(order):
        step = [0.0, 0.0, 0.0]
        step[axis] = -SPACING[axis] if flips[position] else SPACING[axis]
        axes.append(step)
        if flips[position]:
            origin[axis] += SPACING[axis] * (SIZE[axis] - 1)
    return axes, origin


def main():
    chain = Chain()
    voxels = phantom()
    centre = [o + s * c for o, s, c in zip(ORIGIN, SPACING, CENTRE)]
    prompt = ["--foreground", numbers(centre), "--roi", numbers(centre + [11, 9, 16])]
    wanted = None
    flips_of = itertools.cycle([(0, 0, 0), (1, 1, 0), (0, 1, 0), (1, 0, 1)])
    for order in itertools.permutations(range(3)):
        for _ in range(2):
            flips = next(flips_of)
            size, stored = rearranged(voxels, SIZE, order, flips)
            axes, origin = grid(order, flips)
            name = "".join("xyz"[a] + "+-"[f] for a, f in zip(order, flips))
            write_nrrd(chain.path(name + ".nrrd"), size, axes, origin, stored)
            output = chain.path(name + "-out.seg.nrrd")
            chain.segment(*prompt, chain.path(name + ".nrrd"), output)
            fields, _, labels = read_nrrd(output)
            require(triples(fields["space directions"]) == axes
                    and triples(fields["space origin"]) == [origin], f"{name}: another grid")
            labels = restored(labels, order, flips)
            wanted = wanted or labels
            require(any(labels), "the mask is empty: nothing is tested")
            require(labels == wanted, f"{name} is segmented differently")
    print(f"12 axis orders, {sum(wanted)} voxels each")

    c, s = math.cos(0.4), math.sin(0.4)
    grids = {
        "oblique": [[c, s, 0.0], [-s, c, 0.0], [0.0, 0.0, 3.0]],
        "left-handed": [[c, s, 0.0], [s, -c, 0.0], [0.0, 0.0, 3.0]],
        "sheared": [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.9, 3.0]],
    }
    for name, axes in grids.items():
        centre = [ORIGIN[r] + sum(axes[a][r] * CENTRE[a] for a in range(3)) for r in range(3)]
        volume = chain.path(name + ".nii")
        write_nifti(volume, SIZE, axes, ORIGIN, voxels)
        outputs = [chain.path(f"{name}-out.{kind}") for kind in ("seg.nrrd", "nii.gz", "mha")]
        for output in outputs:
            chain.segment("--foreground", numbers(centre), volume, output)
        chain.check_outputs(volume, *outputs)


if __name__ == "__main__":
    run(main)
