"""Ours and PyTorch on one GPU, in turns, outputs compared first.

    gpu_race.py SEGMODEL FOLDER [--batches 1,8] [--rounds N] [--rivals eager,compiled,flex]
                [--device cuda|cpu] [--precision bf16|fp32] MODEL=WEIGHTS ...

MODEL is sam_vit_b, sam_vit_l or sam_vit_h, WEIGHTS its .safetensors. Both compute the image encoder
alone, on the same pixels, from a tensor on the device to one on the device; times are from before
the launch to after a synchronisation. Rivals: eager (scaled_dot_product_attention), compiled
(torch.compile, then captured as a CUDA graph), flex (compiled, with the position bias inside
PyTorch's fused attention). Prints a Markdown table. Exit code 1 when outputs differ by more than
LIMIT: such times would compare nothing. Without torch or the device: one line, exit code 77.
"""
import argparse
import os
import statistics
import struct
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
MEAN, DEVIATION = (123.675, 116.28, 103.53), (58.395, 57.12, 57.375)
# Normalised RMS error between the two programs; hash weights do not average BF16's errors away.
LIMIT = {"fp32": 1e-3, "bf16": 5e-2}


def write_picture(torch, path, side):
    """side x side RGB bytes as .npy: a disc and a square on a ramp, some noise. Returns them."""
    y, x = torch.meshgrid(torch.arange(side), torch.arange(side), indexing="ij")
    noise = torch.randint(0, 24, (side, side), generator=torch.Generator().manual_seed(1))
    value = 128 * (x + y) // side + noise
    value += 90 * ((x - side // 3) ** 2 + (y - side // 2) ** 2 < (side // 5) ** 2)
    value[side // 10 : side // 3, side * 2 // 3 : side * 9 // 10] //= 2
    pixels = torch.stack([value, value * 3 // 4, 255 - value], -1).clamp(0, 255).to(torch.uint8)
    header = f"{{'descr': '|u1', 'fortran_order': False, 'shape': ({side}, {side}, 3), }}"
    header += " " * (63 - (10 + len(header)) % 64) + "\n"
    with open(path, "wb") as file:
        file.write(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header.encode())
        file.write(bytes(pixels.flatten().tolist()))
    return pixels


def read_npy(torch, path):
    """A float32 .npy (version 1, C order), flat."""
    with open(path, "rb") as file:
        data = bytearray(file.read())
    return torch.frombuffer(data, dtype=torch.float32, offset=10 + data[8] + 256 * data[9])


class Ours:
    """`segmodel bench --paced`, and its embedding by `segmodel predict`."""

    def __init__(self, torch, arguments, model, weights, image):
        device = ["--device", arguments.device, "--precision", arguments.precision]
        variant = ["--variant", arguments.variant or model]
        dump = os.path.join(arguments.folder, model + "-ours")
        subprocess.run([arguments.segmodel, "predict", "--model", weights, "--image", image,
                        "--point", f"{arguments.side // 3},{arguments.side // 2},1", "--dump", dump,
                        *variant, *device], check=True, stdout=subprocess.DEVNULL)
        self.embedding = read_npy(torch, os.path.join(dump, "embedding.npy"))
        self.process = subprocess.Popen([arguments.segmodel, "bench", weights, "--paced", image,
                                         *variant, *device], text=True, stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE)
        if self.process.stdout.readline().strip() != "ready":
            raise RuntimeError("segmodel bench --paced does not start")

    def encode(self, batch):
        self.process.stdin.write(f"network {batch}\n")
        self.process.stdin.flush()
        return float(self.process.stdout.readline())

    def close(self):
        self.process.stdin.close()
        self.process.wait()


class Rival:
    """One way of PyTorch at one batch size."""

    def __init__(self, torch, encoder, image, captured):
        self.torch, self.encoder, self.image = torch, encoder, image
        self.graph = None
        for _ in range(3):  # warm-up, and compilation
            self.out = encoder(image)
        if captured:
            torch.cuda.synchronize()
            self.graph = torch.cuda.CUDAGraph()
            with torch.cuda.graph(self.graph):
                self.out = encoder(image)

    def encode(self):
        on_gpu = self.image.is_cuda
        if on_gpu:
            self.torch.cuda.synchronize()
        start = time.perf_counter()
        if self.graph:
            self.graph.replay()
        else:
            self.out = self.encoder(self.image)
        if on_gpu:
            self.torch.cuda.synchronize()
        return time.perf_counter() - start

    def error(self, wanted):
        """Largest normalised RMS error over the batch; infinite when there is a NaN."""
        out, wanted = self.out.float().flatten(1).cpu().double(), wanted.double()
        error = ((out - wanted).square().mean(1).sqrt() / wanted.square().mean().sqrt()).max()
        return error.item() if error.isfinite() else float("inf")


def race(torch, arguments, model, weights, pixels, image):
    """Prints the model's rows; False when an output is wrong."""
    import sam_vit_gpu

    dtype = torch.bfloat16 if arguments.precision == "bf16" else torch.float32
    tensors = sam_vit_gpu.read_safetensors(weights, "image_encoder.")
    normal = (pixels.float() - torch.tensor(MEAN)) / torch.tensor(DEVIATION)
    normal = normal.permute(2, 0, 1).to(arguments.device, dtype)
    ours, right = Ours(torch, arguments, model, weights, image), True
    for batch in arguments.batches:
        inputs = normal.expand(batch, -1, -1, -1).contiguous()
        for kind in arguments.rivals:
            torch._dynamo.reset()
            start = time.perf_counter()
            try:
                encoder = sam_vit_gpu.Encoder(tensors, kind, arguments.device, dtype)
                rival = Rival(torch, encoder, inputs,
                              kind != "eager" and arguments.device == "cuda")
            except Exception as reason:  # out of memory, or what a version cannot compile
                why = (str(reason).splitlines() or ["?"])[0][:90]
                print(f"| {model} | {batch} | {kind} | left out: {why} |", flush=True)
                continue
            ready = time.perf_counter() - start
            rival.encode()
            error = rival.error(ours.embedding)
            if not error <= LIMIT[arguments.precision]:
                print(f"| {model} | {batch} | {kind} | differs by {error:.2g}: not timed |")
                right = False
                continue
            a, b = [], []
            ours.encode(batch)  # its warm-up
            for _ in range(arguments.rounds):
                a.append(ours.encode(batch))
                b.append(rival.encode())
            mine, its = (1e3 * statistics.median(x) / batch for x in (a, b))
            best, its_best = (1e3 * min(x) / batch for x in (a, b))
            print(f"| {model} | {batch} | {kind} | {error:.1e} | {mine:.2f} ({best:.2f}) "
                  f"| {its:.2f} ({its_best:.2f}) | {its / mine:.2f} | {ready:.0f} s |", flush=True)
            del rival, encoder
            if arguments.device == "cuda":
                torch.cuda.empty_cache()
    ours.close()
    return right


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("segmodel")
    parser.add_argument("folder")
    parser.add_argument("models", nargs="+")
    parser.add_argument("--batches", type=lambda t: [int(x) for x in t.split(",")], default=[1, 8])
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--rivals", type=lambda t: t.split(","),
                        default=["eager", "compiled", "flex"])
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda")
    parser.add_argument("--precision", choices=("bf16", "fp32"), default="bf16")
    parser.add_argument("--variant", help="if not MODEL")
    parser.add_argument("--side", type=int, default=1024, help="of the network's input")
    a = parser.parse_args()
    try:
        import torch
    except ImportError:
        print("PyTorch: not installed, left out")
        return 77
    if a.device == "cuda" and not torch.cuda.is_available():
        print("PyTorch: it sees no GPU, left out")
        return 77
    torch.set_grad_enabled(False)
    os.makedirs(a.folder, exist_ok=True)
    image = os.path.join(a.folder, "picture.npy")
    pixels = write_picture(torch, image, a.side)
    print(f"PyTorch {torch.__version__}, {a.precision}, {a.rounds} encodes each, in turns; "
          "ms per image, median (best)\n")
    print("| model | batch | rival | NRMSE to ours | ours | rival | rival / ours | ready in |")
    print("|---|--:|---|--:|--:|--:|--:|--:|", flush=True)
    right = [race(torch, a, *entry.split("=", 1), pixels, image) for entry in a.models]
    return 0 if all(right) else 1


if __name__ == "__main__":
    sys.path.insert(0, HERE)
    sys.exit(main())
