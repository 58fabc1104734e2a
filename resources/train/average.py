#!/usr/bin/env python3
"""The mean of two models' weights, tensor by tensor, of the same network in F32.

    average.py FIRST.safetensors SECOND.safetensors OUT.safetensors

Two ends of cycles that began at one another lie in the same valley; their mean is often better than
either (Wortsman 2022, model soups). The metadata are the first's.
"""
import array
import json
import struct
import sys


def read(path):
    """Header and bytes of the tensors of a .safetensors file."""
    with open(path, "rb") as file:
        data = file.read()
    (length,) = struct.unpack_from("<Q", data)
    return json.loads(data[8:8 + length]), data[:8 + length], data[8 + length:]


def values(data, tensor):
    start, end = tensor["data_offsets"]
    numbers = array.array("f")
    numbers.frombytes(data[start:end])
    return numbers


def main(first, second, out):
    wanted, head, a = read(first)
    found, _, b = read(second)
    mean = bytearray(a)
    for name, tensor in wanted.items():
        if name == "__metadata__":
            continue
        other = found.get(name)
        if other is None or [other[k] for k in ("dtype", "shape")] != ["F32", tensor["shape"]] or \
                tensor["dtype"] != "F32":
            sys.exit(f"{second}: {name} must be F32 of shape {tensor['shape']}, found {other}")
        numbers = array.array("f", ((x + y) / 2 for x, y in zip(values(a, tensor), values(b, other))))
        start, end = tensor["data_offsets"]
        mean[start:end] = numbers.tobytes()
    with open(out, "xb") as file:
        file.write(head + bytes(mean))


if __name__ == "__main__":
    if len(sys.argv) != 4 or sys.byteorder != "little":
        sys.exit(__doc__)
    main(*sys.argv[1:])
