"""One rival in a process of its own.

    worker.py RIVAL MODEL WEIGHTS IMAGE.npy FOLDER

RIVAL: torch-fp32, torch-bf16, torch-compiled-fp32, torch-compiled-bf16, onnxruntime-fp32,
openvino-fp32 or openvino-bf16. MODEL: sam_vit_b or mobile_sam. Encodes and decodes the image once,
writes FOLDER/embedding.npy and FOLDER/low_res_logits.npy, prints "ready NAME VERSION", then answers
each line of stdin ("encode", "decode", "memory") with the seconds it took (or the peak in MB), as
`segmodel bench --paced` does. ONNX files are made on first use, beside the weights.

The encoder's time is that of the network alone: the input is a ready tensor.
"""
import os
import resource
import sys
import time

import numpy as np

POINT = (400.0, 500.0)
THREADS = len(os.sched_getaffinity(0))


def preprocess(image):
    """SAM's, for an image that is 1024 x 1024 already: [1, 3, 1024, 1024]"""
    mean = np.array([123.675, 116.28, 103.53], np.float32)
    deviation = np.array([58.395, 57.12, 57.375], np.float32)
    values = (image.astype(np.float32) - mean) / deviation
    return np.ascontiguousarray(values.transpose(2, 0, 1)[None])


class Torch:
    def __init__(self, rival, model, weights):
        import torch

        import networks

        self.torch, self.version = torch, torch.__version__
        torch.set_num_threads(THREADS)
        torch.set_grad_enabled(False)
        tensors = networks.read_safetensors(weights)
        self.type = torch.bfloat16 if rival.endswith("bf16") else torch.float32
        self.encoder = networks.ENCODERS[model](tensors).eval().to(self.type)
        self.decoder = networks.OnePointDecoder(tensors).eval()
        if model == "mobile_sam":
            self.encoder = self.encoder.to(memory_format=torch.channels_last)
        if "compiled" in rival:
            self.encoder = torch.compile(self.encoder)
        self.point = torch.tensor([POINT])

    def prepare(self, pixels):
        layout = self.torch.channels_last
        return self.torch.from_numpy(pixels).to(self.type).contiguous(memory_format=layout)

    def encode(self, pixels):
        return self.encoder(pixels)

    def decode(self, embedding):
        logits, iou, full = self.decoder(embedding.float(), self.point)
        self.mask = full > 0
        return logits

    def numpy(self, value):
        return value.float().numpy()


def export(model, weights):
    """ONNX files of encoder and decoder: their paths."""
    folder = os.path.dirname(os.path.abspath(weights))
    paths = [os.path.join(folder, f"{model}_{part}.onnx") for part in ("encoder", "decoder")]
    if all(os.path.exists(path) for path in paths):
        return paths
    import torch

    import networks

    tensors = networks.read_safetensors(weights)
    with torch.no_grad():
        for path, net, inputs, outputs in (
            (paths[0], networks.ENCODERS[model](tensors),
             {"image": torch.zeros(1, 3, 1024, 1024)}, ["embedding"]),
            (paths[1], networks.OnePointDecoder(tensors),
             {"embedding": torch.zeros(1, 256, 64, 64), "point": torch.tensor([POINT])},
             ["low_res", "iou", "mask"]),
        ):
            torch.onnx.export(net.eval(), tuple(inputs.values()), path + ".new", dynamo=False,
                              opset_version=17, input_names=list(inputs), output_names=outputs)
            os.rename(path + ".new", path)
    return paths


class OnnxRuntime:
    def __init__(self, rival, model, weights):
        import onnxruntime

        self.version = onnxruntime.__version__
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = THREADS
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
        self.encoder, self.decoder = (
            onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
            for path in export(model, weights))

    def prepare(self, pixels):
        return pixels

    def encode(self, pixels):
        return self.encoder.run(None, {"image": pixels})[0]

    def decode(self, embedding):
        point = np.array([POINT], np.float32)
        logits, _, full = self.decoder.run(None, {"embedding": embedding, "point": point})
        self.mask = full > 0
        return logits

    def numpy(self, value):
        return value


class OpenVino:
    def __init__(self, rival, model, weights):
        import openvino

        self.version = openvino.__version__.split("-")[0]
        core = openvino.Core()
        settings = {"INFERENCE_NUM_THREADS": THREADS, "PERFORMANCE_HINT": "LATENCY",
                    "INFERENCE_PRECISION_HINT": "bf16" if rival.endswith("bf16") else "f32"}
        encoder, decoder = export(model, weights)
        self.encoder = core.compile_model(encoder, "CPU", settings)
        settings["INFERENCE_PRECISION_HINT"] = "f32"
        self.decoder = core.compile_model(decoder, "CPU", settings)

    def prepare(self, pixels):
        return pixels

    def encode(self, pixels):
        return self.encoder([pixels])[0]

    def decode(self, embedding):
        point = np.array([POINT], np.float32)
        out = self.decoder([embedding, point])
        self.mask = out[2] > 0
        return out[0]

    def numpy(self, value):
        return np.asarray(value)


def timed(work, argument):
    start = time.perf_counter()
    work(argument)
    return time.perf_counter() - start


def main():
    rival, model, weights, image, folder = sys.argv[1:]
    kind = {"torch": Torch, "onnxruntime": OnnxRuntime, "openvino": OpenVino}[rival.split("-")[0]]
    net = kind(rival, model, weights)
    pixels = net.prepare(preprocess(np.load(image)))
    embedding = net.encode(pixels)
    logits = net.decode(embedding)
    os.makedirs(folder, exist_ok=True)
    np.save(os.path.join(folder, "embedding.npy"), net.numpy(embedding))
    np.save(os.path.join(folder, "low_res_logits.npy"), net.numpy(logits))
    print("ready", rival, net.version, flush=True)
    for line in sys.stdin:
        word = line.strip()
        if word == "memory":
            print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3, flush=True)
        else:
            seconds = timed(net.encode, pixels) if word == "encode" else timed(net.decode, embedding)
            print(f"{seconds:.6f}", flush=True)


if __name__ == "__main__":
    main()
