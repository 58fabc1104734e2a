"""Writes the .pth samples beside this file and those in tests/reject.

Made once with PyTorch 1.13.1 (CPU); those of BESIDE and REBUILT, which need numpy, the *_before_1_6.pth but
state_dict's and the *_weight.pth of tests/reject with PyTorch 2.15. Tests only read them. Names on the command line: only those are written.

Values are formulas of the flat index, so that test_torch_file.c knows them without PyTorch."""

import argparse
import collections
import pathlib
import sys

import numpy
import torch

HERE = pathlib.Path(__file__).parent


def ramp(*shape, step=0.25, start=-3.0, dtype=torch.float32):
    count = 1
    for size in shape:
        count *= size
    return (torch.arange(count, dtype=torch.float64) * step + start).reshape(shape).to(dtype)


def save(value, name, **options):
    if len(sys.argv) == 1 or pathlib.Path(name).name in sys.argv[1:]:
        torch.save(value, HERE / name, **options)


def state_dict():
    """What a module's state_dict() is: an ordered dict with attributes, floats and a counter."""
    module = torch.nn.Sequential(torch.nn.Linear(4, 3), torch.nn.BatchNorm1d(3))
    values = module.state_dict()
    for tensor in values.values():
        tensor.copy_(ramp(*tensor.shape) if tensor.is_floating_point() else torch.tensor(7))
    return values


def training_checkpoint():
    """DistributedDataParallel inside a dict with an optimiser that has state."""
    weight = torch.nn.Parameter(ramp(2, 3))
    bias = torch.nn.Parameter(ramp(3))
    optimizer = torch.optim.Adam([weight, bias], lr=1e-3)
    (weight.sum() + bias.sum()).backward()
    optimizer.step()
    model = collections.OrderedDict()
    model["module.head.weight"] = ramp(2, 3)
    model["module.head.bias"] = ramp(3)
    scheduler = torch.optim.lr_scheduler.MultiStepLR(optimizer, [3, 5])
    return {"epoch": 12, "best": 0.875, "note": "caf\u00e9", "done": True, "nothing": None,
            "big": 2**40, "huge": 2**90, "history": [1.5, (2, 3)], "model": model,
            "optimizer": optimizer.state_dict(), "lr_scheduler": scheduler.state_dict(),
            "device": torch.device("cpu"), "dtype": torch.float16}


def views():
    """Transposed, sliced, shared, repeated, scalar and empty tensors; a Parameter and a Size."""
    base = ramp(2, 3, 4)
    return {"base": base, "permuted": base.permute(2, 0, 1), "slice": base[1, :, 1:3],
            "column": base[:, 2, 3], "expanded": base[0, 0].expand(3, 4), "scalar": base[1, 2, 3],
            "empty": torch.zeros(0, 3), "parameter": torch.nn.Parameter(base), "size": base.shape}


def types():
    return {"f32": ramp(5), "f16": ramp(5, dtype=torch.float16), "bf16": ramp(5, dtype=torch.bfloat16),
            "f64": ramp(5, dtype=torch.float64), "i64": ramp(5, step=1, dtype=torch.int64),
            "i32": ramp(5, step=1, dtype=torch.int32), "i16": ramp(5, step=1, dtype=torch.int16),
            "i8": ramp(5, step=1, dtype=torch.int8), "u8": ramp(5, step=1, start=0, dtype=torch.uint8),
            "bool": torch.tensor([True, False, True])}


def two_dicts():
    """SurgicalSAM's layout: several state dicts side by side."""
    return {"decoder_state_dict": collections.OrderedDict(weight=ramp(2)),
            "prototypes_state_dict": collections.OrderedDict(weight=ramp(3)),
            "optimizer": collections.OrderedDict(weight=ramp(4))}


def beside():
    """What training programs put beside the weights, as Medical-SAM-Adapter's does."""
    return {"epoch": 3, "best_tol": torch.tensor(0.1), "best_dice": numpy.float64(0.5),
            "args": argparse.Namespace(lr=1e-4, gpus=[0], out=pathlib.PurePosixPath("/out")),
            "tags": {"a", "b"}, "dtype": torch.int64, "huge": 1 << 3000, "phase": 1j,
            "bins": torch.zeros(3, dtype=torch.uint16), "spectrum": torch.zeros(3, dtype=torch.complex64),
            "random": numpy.random.RandomState(0).get_state()[1][:4], "span": slice(1, 2),
            "by_name": collections.defaultdict(list, loss=[1.0, 2.0]),
            "state_dict": collections.OrderedDict([("head.weight", ramp(2, 3)), ("head.bias", ramp(3))])}


class Annotated(torch.Tensor):
    """A tensor that carries more than its values, as MONAI's MetaTensor does."""


def annotated(tensor):
    made = tensor.as_subclass(Annotated)
    made.affine, made.applied, made.meta = numpy.eye(4), [("resize", 2)], {"space": "RAS"}
    return made


def rebuilt():
    """What is saved by the newer functions of torch._utils: subclasses of tensors, buffers and parameters
    with attributes of their own, types that came after the storage classes, views of them."""
    parameter = torch.nn.Parameter(ramp(2, 3))
    parameter.tag = {"decay": False}
    base = ramp(2, 3, 4)
    late = {"u%d" % bits: ramp(5, step=1, start=0).to(getattr(torch, "uint%d" % bits)) for bits in (16, 32, 64)}
    return {"annotated": annotated(ramp(2, 3)), "annotated_view": annotated(base.permute(2, 0, 1)),
            "annotated_half": annotated(ramp(5, dtype=torch.float16)),
            "buffer": torch.nn.Buffer(ramp(3)), "parameter": parameter,
            "late_view": late["u32"][1::2], **late}


def without_values():
    """Tensors whose values are not in the file, or not as a view of a storage."""
    yield "meta_weight", torch.empty(2, 3, device="meta")
    yield "sparse_weight", torch.eye(3).to_sparse()
    yield "float8_weight", ramp(4).to(torch.float8_e4m3fn)
    yield "numpy_weight", numpy.zeros((2, 3), numpy.float32)


def older(value, name, **options):
    save(value, name + "_before_1_6.pth", _use_new_zipfile_serialization=False, **options)


def main():
    save(beside(), "beside.pth")
    save(beside(), "beside_protocol4.pth", pickle_protocol=4)
    named = beside()
    named["weights_of_mine"] = named.pop("state_dict")
    save(named, "beside_any_key.pth")
    complex_weight = {"head.weight": ramp(2, 3), "head.phase": torch.zeros(3, dtype=torch.complex64)}
    save(complex_weight, "../../../reject/checkpoint/complex_weight.pth")
    save({"epoch": 1, "model": torch.nn.Linear(2, 2)}, "../../../reject/checkpoint/module_in_dict.pth")
    save(rebuilt(), "rebuilt.pth")
    for name, weight in without_values():
        save({"head.weight": weight}, "../../../reject/checkpoint/%s.pth" % name)
    older(beside(), "beside")
    older(rebuilt(), "rebuilt")
    older(training_checkpoint(), "training_checkpoint", pickle_protocol=4)
    older(views(), "views")
    older(types(), "types")
    older(state_dict(), "state_dict")
    save(state_dict(), "state_dict.pth")
    save(state_dict(), "state_dict_protocol4.pth", pickle_protocol=4)
    save(training_checkpoint(), "training_checkpoint.pth")
    save(views(), "views.pth")
    save(types(), "types.pth")
    save(two_dicts(), "two_dicts.pth")
    save(torch.nn.Linear(2, 2), "../../../reject/checkpoint/whole_module.pth")
    if len(sys.argv) == 1:
        torch.jit.script(torch.nn.ReLU()).save(
            str(HERE / "../../../reject/checkpoint/torchscript.pth"))


main()
