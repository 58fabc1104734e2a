"""SAM ViT-B and MobileSAM written for PyTorch, as the rivals' common ground.

Own code after the papers, made to be fast in PyTorch: attention through
scaled_dot_product_attention, batch norms folded into their convolutions when the weights are read.
Tensor names are those of the official state dicts.
"""
import json
import mmap

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn


def read_safetensors(path):
    """Name -> torch tensor (FP32), of a file that holds F32 (and I64, which are left out)."""
    with open(path, "rb") as file:
        data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    length = int.from_bytes(data[:8], "little")
    tensors = {}
    for name, entry in json.loads(data[8 : 8 + length]).items():
        if name != "__metadata__" and entry["dtype"] == "F32":
            first, last = (8 + length + offset for offset in entry["data_offsets"])
            values = np.frombuffer(data[first:last], np.float32).reshape(entry["shape"])
            tensors[name] = torch.from_numpy(values.copy())
    return tensors


class Weights(nn.Module):
    """Parameters under their checkpoint's names."""

    def __init__(self, tensors):
        super().__init__()
        for name, value in tensors.items():
            self.register_buffer(name.replace(".", "/"), value)

    def __getitem__(self, name):
        return getattr(self, name.replace(".", "/"))

    def linear(self, x, name):
        return F.linear(x, self[name + ".weight"], self[name + ".bias"])

    def norm(self, x, name, eps):
        weight = self[name + ".weight"]
        return F.layer_norm(x, weight.shape, weight, self[name + ".bias"], eps)

    def norm_channels(self, x, name):
        """LayerNorm over the channels of [B, C, H, W]."""
        return self.norm(x.permute(0, 2, 3, 1), name, 1e-6).permute(0, 3, 1, 2)

    def mlp(self, x, name, layers):
        for i in range(layers):
            x = self.linear(x, f"{name}.layers.{i}")
            x = F.relu(x) if i < layers - 1 else x
        return x


def neck(w, x):
    """[B, C, H, W] -> [B, 256, H, W]"""
    x = w.norm_channels(F.conv2d(x, w["image_encoder.neck.0.weight"]), "image_encoder.neck.1")
    x = F.conv2d(x, w["image_encoder.neck.2.weight"], padding=1)
    return w.norm_channels(x, "image_encoder.neck.3")


def pad_to_windows(x, side):
    """[B, H, W, C] -> [B * windows, side, side, C] and the padded height and width."""
    batch, height, width, channels = x.shape
    x = F.pad(x, (0, 0, 0, -width % side, 0, -height % side))
    rows, columns = x.shape[1] // side, x.shape[2] // side
    x = x.view(batch, rows, side, columns, side, channels).permute(0, 1, 3, 2, 4, 5)
    return x.reshape(-1, side, side, channels), rows, columns


def from_windows(x, rows, columns, height, width):
    side, channels = x.shape[1], x.shape[3]
    x = x.view(-1, rows, columns, side, side, channels).permute(0, 1, 3, 2, 4, 5)
    return x.reshape(-1, rows * side, columns * side, channels)[:, :height, :width]


class SamVitEncoder(nn.Module):
    """Image encoder of SAM ViT-B, [1, 3, 1024, 1024] -> [1, 256, 64, 64]."""

    DEPTH, HEADS, WINDOW, GLOBAL = 12, 12, 14, (2, 5, 8, 11)

    def __init__(self, tensors):
        super().__init__()
        tensors = {k: v for k, v in tensors.items() if k.startswith("image_encoder.")}
        for i in range(self.DEPTH):  # a row of rel_pos for every pair of query and key rows
            side = 64 if i in self.GLOBAL else self.WINDOW
            pairs = torch.arange(side)[:, None] - torch.arange(side)[None, :] + side - 1
            for axis in "hw":
                name = f"image_encoder.blocks.{i}.attn.rel_pos_{axis}"
                tensors[name] = tensors[name][pairs]
        self.w = Weights(tensors)

    def attention(self, x, name):
        batch, height, width, dim = x.shape
        w, heads = self.w, self.HEADS
        qkv = w.linear(x, name + ".qkv").view(batch, height * width, 3, heads, dim // heads)
        q, k, v = qkv.permute(2, 0, 3, 1, 4)
        grid = q.reshape(batch * heads, height, width, dim // heads)
        by_row = torch.einsum("bhwc,hkc->bhwk", grid, w[name + ".rel_pos_h"]).contiguous()
        by_column = torch.einsum("bhwc,wkc->bhwk", grid, w[name + ".rel_pos_w"]).contiguous()
        bias = by_row[..., :, None] + by_column[..., None, :]
        bias = bias.reshape(batch, heads, height * width, height * width)
        x = F.scaled_dot_product_attention(q, k, v, attn_mask=bias)
        x = x.permute(0, 2, 1, 3).reshape(batch, height, width, dim)
        return w.linear(x, name + ".proj")

    def block(self, x, i):
        w, name = self.w, f"image_encoder.blocks.{i}"
        height, width = x.shape[1], x.shape[2]
        y = w.norm(x, name + ".norm1", 1e-6)
        if i in self.GLOBAL:
            y = self.attention(y, name + ".attn")
        else:
            y, rows, columns = pad_to_windows(y, self.WINDOW)
            y = from_windows(self.attention(y, name + ".attn"), rows, columns, height, width)
        x = x + y
        y = F.gelu(w.linear(w.norm(x, name + ".norm2", 1e-6), name + ".mlp.lin1"))
        return x + w.linear(y, name + ".mlp.lin2")

    def forward(self, image):
        name = "image_encoder.patch_embed.proj"
        x = F.conv2d(image, self.w[name + ".weight"], self.w[name + ".bias"], stride=16)
        x = x.permute(0, 2, 3, 1) + self.w["image_encoder.pos_embed"]
        for i in range(self.DEPTH):
            x = self.block(x, i)
        return neck(self.w, x.permute(0, 3, 1, 2))


def fold_batch_norms(tensors):
    """<p>.c and <p>.bn become <p>.weight and <p>.bias."""
    folded = {k: v for k, v in tensors.items() if ".bn." not in k and not k.endswith(".c.weight")}
    for name in tensors:
        if name.endswith(".c.weight"):
            p = name[: -len(".c.weight")]
            bn = {key: tensors[f"{p}.bn.{key}"].double()
                  for key in ("weight", "bias", "running_mean", "running_var")}
            scale = bn["weight"] / torch.sqrt(bn["running_var"] + 1e-5)
            weight = tensors[name].double() * scale[:, None, None, None]
            folded[p + ".weight"] = weight.float()
            folded[p + ".bias"] = (bn["bias"] - bn["running_mean"] * scale).float()
    return folded


class TinyVitEncoder(nn.Module):
    """Image encoder of MobileSAM, [1, 3, 1024, 1024] -> [1, 256, 64, 64]."""

    DEPTHS, HEADS, WINDOWS, STRIDES = (2, 2, 6, 2), (2, 4, 5, 10), (7, 7, 14, 7), (2, 2, 1)

    def __init__(self, tensors):
        super().__init__()
        tensors = {k: v for k, v in tensors.items() if k.startswith("image_encoder.")}
        tensors = fold_batch_norms(tensors)
        for stage in (1, 2, 3):
            side = self.WINDOWS[stage]
            place = torch.arange(side * side)
            rows = (place[:, None] // side - place[None, :] // side).abs()
            columns = (place[:, None] % side - place[None, :] % side).abs()
            for block in range(self.DEPTHS[stage]):
                name = f"image_encoder.layers.{stage}.blocks.{block}.attn.attention_biases"
                tensors[name] = tensors[name][:, rows * side + columns]
        self.w = Weights(tensors)

    def conv(self, x, name, stride=1):
        weight = self.w[name + ".weight"]
        groups = 1 if weight.shape[1] > 1 or x.shape[1] == 1 else x.shape[1]
        return F.conv2d(x, weight, self.w[name + ".bias"], stride, weight.shape[2] // 2, 1, groups)

    def three_convs(self, x, name, stride=1):
        x = F.gelu(self.conv(x, name + ".conv1"))
        x = F.gelu(self.conv(x, name + ".conv2", stride))
        return self.conv(x, name + ".conv3")

    def attention(self, x, name, heads):
        """Windows [B, tokens, C]; the last axis of qkv is [heads][3][head_dim]."""
        batch, tokens, dim = x.shape
        x = self.w.linear(self.w.norm(x, name + ".norm", 1e-5), name + ".qkv")
        q, k, v = x.view(batch, tokens, heads, 3, dim // heads).permute(3, 0, 2, 1, 4)
        x = F.scaled_dot_product_attention(q, k, v, attn_mask=self.w[name + ".attention_biases"])
        return self.w.linear(x.transpose(1, 2).reshape(batch, tokens, dim), name + ".proj")

    def block(self, x, stage, i):
        name, side = f"image_encoder.layers.{stage}.blocks.{i}", self.WINDOWS[stage]
        height, width = x.shape[2], x.shape[3]
        y, rows, columns = pad_to_windows(x.permute(0, 2, 3, 1), side)
        y = self.attention(y.flatten(1, 2), name + ".attn", self.HEADS[stage])
        y = from_windows(y.view(-1, side, side, y.shape[2]), rows, columns, height, width)
        x = self.conv(x + y.permute(0, 3, 1, 2), name + ".local_conv")
        y = self.w.norm(x.permute(0, 2, 3, 1), name + ".mlp.norm", 1e-5)
        y = self.w.linear(F.gelu(self.w.linear(y, name + ".mlp.fc1")), name + ".mlp.fc2")
        return x + y.permute(0, 3, 1, 2)

    def forward(self, image):
        p = "image_encoder."
        x = F.gelu(self.conv(image, p + "patch_embed.seq.0", 2))
        x = self.conv(x, p + "patch_embed.seq.2", 2)
        for stage, depth in enumerate(self.DEPTHS):
            for i in range(depth):
                if stage == 0:
                    x = F.gelu(x + self.three_convs(x, f"{p}layers.0.blocks.{i}"))
                else:
                    x = self.block(x, stage, i)
            if stage < 3:
                x = self.three_convs(x, f"{p}layers.{stage}.downsample", self.STRIDES[stage])
        return neck(self.w, x)


class OnePointDecoder(nn.Module):
    """Prompt encoder and mask decoder for one foreground point of a 1024 x 1024 image:
    embedding [1, 256, 64, 64], point [1, 2] in pixels ->
    low-res logits [1, 4, 256, 256], IoU predictions [1, 4], mask 1's logits [1, 1, 1024, 1024]."""

    TRANSFORMER = "mask_decoder.transformer"

    def __init__(self, tensors):
        super().__init__()
        self.w = Weights({k: v for k, v in tensors.items() if not k.startswith("image_encoder.")})
        steps = (torch.arange(64) + 0.5) / 64
        rows, columns = torch.meshgrid(steps, steps, indexing="ij")
        places = self.fourier(torch.stack([columns, rows], -1)).reshape(1, 64 * 64, 256)
        self.register_buffer("places", places)

    def fourier(self, places):
        """[.., 2] in [0, 1] -> [.., 256]"""
        matrix = self.w["prompt_encoder.pe_layer.positional_encoding_gaussian_matrix"]
        angles = 2 * torch.pi * ((2 * places - 1) @ matrix)
        return torch.cat([torch.sin(angles), torch.cos(angles)], -1)

    def attention(self, q, k, v, name):
        w, heads = self.w, 8
        q, k, v = (w.linear(x, f"{name}.{part}_proj")
                   .unflatten(-1, (heads, -1)).transpose(1, 2)
                   for x, part in ((q, "q"), (k, "k"), (v, "v")))
        x = F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2)
        return w.linear(x, name + ".out_proj")

    def layer(self, tokens, image, first_tokens, i):
        w, name = self.w, f"{self.TRANSFORMER}.layers.{i}"
        if i == 0:  # no places, no shortcut
            tokens = self.attention(tokens, tokens, tokens, name + ".self_attn")
        else:
            placed = tokens + first_tokens
            tokens = tokens + self.attention(placed, placed, tokens, name + ".self_attn")
        tokens = w.norm(tokens, name + ".norm1", 1e-5)
        y = self.attention(tokens + first_tokens, image + self.places, image,
                           name + ".cross_attn_token_to_image")
        tokens = w.norm(tokens + y, name + ".norm2", 1e-5)
        y = w.linear(F.relu(w.linear(tokens, name + ".mlp.lin1")), name + ".mlp.lin2")
        tokens = w.norm(tokens + y, name + ".norm3", 1e-5)
        y = self.attention(image + self.places, tokens + first_tokens, tokens,
                           name + ".cross_attn_image_to_token")
        return tokens, w.norm(image + y, name + ".norm4", 1e-5)

    def upscale(self, image):
        w, name = self.w, "mask_decoder.output_upscaling"
        x = image.transpose(1, 2).reshape(1, 256, 64, 64)
        x = F.conv_transpose2d(x, w[name + ".0.weight"], w[name + ".0.bias"], 2)
        x = F.gelu(w.norm_channels(x, name + ".1"))
        return F.gelu(F.conv_transpose2d(x, w[name + ".3.weight"], w[name + ".3.bias"], 2))

    def forward(self, embedding, point):
        w = self.w
        kind = w["prompt_encoder.point_embeddings.1.weight"]
        placed = self.fourier((point + 0.5) / 1024) + kind
        padding = w["prompt_encoder.not_a_point_embed.weight"]
        first = torch.cat([w["mask_decoder.iou_token.weight"],
                           w["mask_decoder.mask_tokens.weight"], placed, padding])[None]
        dense = w["prompt_encoder.no_mask_embed.weight"].view(1, 256, 1, 1)
        tokens, image = first, (embedding + dense).flatten(2).transpose(1, 2)
        for i in range(2):
            tokens, image = self.layer(tokens, image, first, i)
        y = self.attention(tokens + first, image + self.places, image,
                           self.TRANSFORMER + ".final_attn_token_to_image")
        tokens = w.norm(tokens + y, self.TRANSFORMER + ".norm_final_attn", 1e-5)
        classifiers = torch.stack(
            [w.mlp(tokens[:, 1 + i], f"mask_decoder.output_hypernetworks_mlps.{i}", 3)
             for i in range(4)], 1)
        logits = (classifiers @ self.upscale(image).flatten(2)).view(1, 4, 256, 256)
        iou = w.mlp(tokens[:, 0], "mask_decoder.iou_prediction_head", 3)
        full = F.interpolate(logits[:, 1:2], (1024, 1024), mode="bilinear", align_corners=False)
        return logits, iou, full


ENCODERS = {"sam_vit_b": SamVitEncoder, "mobile_sam": TinyVitEncoder}
