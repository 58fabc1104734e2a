"""The image encoder of SAM ViT-B, L or H for PyTorch on a GPU, written for speed there.

Own code after the papers (Kirillov 2023; Li 2022 for windows and relative positions). One function
does a block and takes its weights as arguments, so that torch.compile makes two kernels' worth of
code (windowed and global) for all blocks. Tensor names are those of the official state dicts; all
sizes come from the weights. Needs torch and nothing else.
"""
import json
import mmap

import torch
import torch.nn.functional as F

EPSILON = 1e-6
NAMES = ("norm1.weight", "norm1.bias", "attn.qkv.weight", "attn.qkv.bias", "attn.proj.weight",
         "attn.proj.bias", "attn.rel_pos_h", "attn.rel_pos_w", "norm2.weight", "norm2.bias",
         "mlp.lin1.weight", "mlp.lin1.bias", "mlp.lin2.weight", "mlp.lin2.bias")
WINDOW = 14


def read_safetensors(path, prefix=""):
    """Name -> FP32 tensor, of the tensors whose names begin with `prefix`."""
    kinds = {"F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16}
    tensors = {}
    with open(path, "rb") as file:
        data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY)
    length = int.from_bytes(data[:8], "little")
    for name, entry in json.loads(data[8 : 8 + length]).items():
        if name.startswith(prefix) and entry.get("dtype") in kinds:
            kind, (first, last) = kinds[entry["dtype"]], entry["data_offsets"]
            count = (last - first) // kind.itemsize
            values = torch.frombuffer(data, dtype=kind, count=count, offset=8 + length + first)
            tensors[name] = values.reshape(entry["shape"]).float()
    return tensors


def biased_attention(q, k, v, by_row, by_column):
    """scaled_dot_product_attention with the bias written out: [B, heads, N, N]."""
    bias = by_row[..., :, None] + by_column[..., None, :]
    return F.scaled_dot_product_attention(q, k, v, attn_mask=bias.flatten(-2))


def flex_attention(q, k, v, by_row, by_column):
    """The same without the bias in memory: added to the scores inside a fused kernel, whose
    compiler wants the bias finished in memory before, hence the break."""
    torch._dynamo.graph_break()
    from torch.nn.attention.flex_attention import flex_attention as flex

    width = by_column.shape[-1]

    def bias(score, batch, head, query, key):
        return (score + by_row[batch, head, query, key // width]
                + by_column[batch, head, query, key % width])

    return flex(q, k, v, score_mod=bias)


def attention(x, weights, heads, attend):
    """[B, H, W, C] -> the same."""
    qkv_weight, qkv_bias, proj_weight, proj_bias, rows, columns = weights
    batch, height, width, dim = x.shape
    qkv = F.linear(x, qkv_weight, qkv_bias).view(batch, height * width, 3, heads, dim // heads)
    q, k, v = qkv.permute(2, 0, 3, 1, 4).unbind(0)
    grid = q.reshape(batch, heads, height, width, dim // heads)
    by_row = torch.einsum("bnhwc,hkc->bnhwk", grid, rows).flatten(2, 3)
    by_column = torch.einsum("bnhwc,wkc->bnhwk", grid, columns).flatten(2, 3)
    x = attend(q, k, v, by_row, by_column)
    return F.linear(x.transpose(1, 2).reshape(batch, height, width, dim), proj_weight, proj_bias)


def block(x, weights, heads, window, attend):
    norm1, norm1_bias, *attention_weights, norm2, norm2_bias = weights[:10]
    lin1, lin1_bias, lin2, lin2_bias = weights[10:]
    batch, height, width, dim = x.shape
    y = F.layer_norm(x, (dim,), norm1, norm1_bias, EPSILON)
    if window:
        y = F.pad(y, (0, 0, 0, -width % window, 0, -height % window))
        rows, columns = y.shape[1] // window, y.shape[2] // window
        y = y.view(batch, rows, window, columns, window, dim).transpose(2, 3)
        y = attention(y.reshape(-1, window, window, dim), attention_weights, heads, attend)
        y = y.view(batch, rows, columns, window, window, dim).transpose(2, 3)
        y = y.reshape(batch, rows * window, columns * window, dim)[:, :height, :width]
    else:
        y = attention(y, attention_weights, heads, attend)
    x = x + y
    y = F.layer_norm(x, (dim,), norm2, norm2_bias, EPSILON)
    return x + F.linear(F.gelu(F.linear(y, lin1, lin1_bias)), lin2, lin2_bias)


def pairs(table, side):
    """A row of the table for every pair of query and key rows: [side, side, C]."""
    place = torch.arange(side)
    return table[place[:, None] - place[None, :] + side - 1]


class Encoder:
    """[B, 3, S, S] -> [B, 256, S / 16, S / 16]; `kind` is eager, compiled or flex."""

    def __init__(self, tensors, kind, device, dtype):
        prefix = "image_encoder."
        t = {k[len(prefix) :]: v for k, v in tensors.items() if k.startswith(prefix)}
        self.weights, self.window = [], []
        while f"blocks.{len(self.weights)}.norm1.weight" in t:
            name = f"blocks.{len(self.weights)}."
            side = (t[name + "attn.rel_pos_h"].shape[0] + 1) // 2
            for axis in "hw":
                table = name + f"attn.rel_pos_{axis}"
                t[table] = pairs(t[table], side)
            self.window.append(WINDOW if side == WINDOW else 0)
            self.weights.append([t[name + n].to(device, dtype) for n in NAMES])
        self.heads = t["pos_embed"].shape[3] // t["blocks.0.attn.rel_pos_h"].shape[2]
        self.rest = {k: v.to(device, dtype) for k, v in t.items() if not k.startswith("blocks.")}
        self.attend = flex_attention if kind == "flex" else biased_attention
        self.block = block if kind == "eager" else torch.compile(block, dynamic=False)

    def norm_channels(self, x, name):
        weight, bias = self.rest[name + ".weight"], self.rest[name + ".bias"]
        x = F.layer_norm(x.permute(0, 2, 3, 1), weight.shape, weight, bias, EPSILON)
        return x.permute(0, 3, 1, 2)

    def __call__(self, image):
        r = self.rest
        x = F.conv2d(image, r["patch_embed.proj.weight"], r["patch_embed.proj.bias"], stride=16)
        x = x.permute(0, 2, 3, 1) + r["pos_embed"]
        for weights, window in zip(self.weights, self.window):
            x = self.block(x, weights, self.heads, window, self.attend)
        x = self.norm_channels(F.conv2d(x.permute(0, 3, 1, 2), r["neck.0.weight"]), "neck.1")
        return self.norm_channels(F.conv2d(x, r["neck.2.weight"], padding=1), "neck.3")
