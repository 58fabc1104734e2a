"""Ours and the rivals in turns (A B A B), outputs compared first.

    race.py SEGMODEL FOLDER [--rounds N] [--decodes N] [--rivals a,b,..] [--isa avx2] MODEL=WEIGHTS ...

Each rival meets ours in the same precision. Processor time (of all threads) says more than wall time
where other programs share the cores. While one works, the other's process is stopped, so
that no idle thread of it spins. Prints Markdown tables; a rival that is missing or fails is one
line. --isa avx2 holds both sides to AVX2: ours by `segmodel bench --isa`, rivals by the switches of
PyTorch, oneDNN and MKL; ONNX Runtime has none and is left out. Exit code 1 when outputs differ by more than LIMIT: such times would compare nothing.
"""
import argparse
import ctypes
import os
import signal
import statistics
import subprocess
import sys

import numpy as np

HERE = os.path.dirname(os.path.abspath(__file__))
# Normalised RMS error against ours in FP32. In FP32 two right programs differ by rounding; BF16 has
# 8 bits of mantissa, and random weights do not average its errors away as trained ones do.
LIMIT = {"fp32": 1e-3, "bf16": 1e-1}
ALL = ("onnxruntime-fp32", "torch-fp32", "torch-bf16", "openvino-fp32", "openvino-bf16")
MODULES = {"onnxruntime": ("onnxruntime", "torch"), "torch": ("torch",),
           "openvino": ("openvino", "torch")}


# What holds a rival to AVX2. OpenVINO's oneDNN and its own choice of kernels read the first.
AVX2 = {"ONEDNN_MAX_CPU_ISA": "AVX2", "ATEN_CPU_CAPABILITY": "avx2",
        "MKL_ENABLE_INSTRUCTIONS": "AVX2"}


class Missing(Exception):
    pass


def die_with_parent():
    """A stopped process would outlive an aborted race."""
    PR_SET_PDEATHSIG = 1
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


class Runner:
    """A process that is stopped except while it answers."""

    # Rivals allocate their large tensors anew in each run. Kept by malloc instead of being given
    # back to the kernel, they are not cleared again: up to a third faster.
    ENVIRONMENT = {**os.environ, "MALLOC_MMAP_MAX_": "0", "MALLOC_TRIM_THRESHOLD_": "8000000000"}

    def __init__(self, command, log, environment=None):
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=open(log, "w"), text=True,
                                        env={**self.ENVIRONMENT, **(environment or {})},
                                        preexec_fn=die_with_parent)
        words = self.process.stdout.readline().split()
        if not words or words[0] != "ready":
            self.process.wait()
            raise Missing(open(log).read().strip().splitlines()[-1:] or ["no answer"])
        self.version = words[-1]
        os.kill(self.process.pid, signal.SIGSTOP)

    def processor_seconds(self):
        """Used so far by all threads, to the nanosecond (the process's own count has 10 ms steps)."""
        used = 0
        tasks = f"/proc/{self.process.pid}/task"
        for task in os.listdir(tasks):
            with open(f"{tasks}/{task}/schedstat") as file:
                used += int(file.read().split()[0])
        return used / 1e9

    def ask(self, word):
        """What the process answers, and the processor time it took for it."""
        before = self.processor_seconds()
        os.kill(self.process.pid, signal.SIGCONT)
        self.process.stdin.write(word + "\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline()
        os.kill(self.process.pid, signal.SIGSTOP)
        if not answer:
            raise Missing(["stopped answering"])
        return float(answer), self.processor_seconds() - before

    def close(self):
        os.kill(self.process.pid, signal.SIGCONT)
        self.process.stdin.close()
        self.process.wait()


def error(value, reference):
    """Normalised RMS error; infinite when there is a NaN."""
    difference = np.sqrt(np.mean((value.astype(np.float64) - reference) ** 2))
    result = difference / np.sqrt(np.mean(reference.astype(np.float64) ** 2))
    return result if np.isfinite(result) else np.inf


def picture(path):
    """1024 x 1024: a bright disc and a dark square on a ramp, some noise."""
    y, x = np.mgrid[0:1024, 0:1024]
    value = (x + y) // 16 + np.random.default_rng(1).integers(0, 24, (1024, 1024))
    value[(x - 400) ** 2 + (y - 500) ** 2 < 200**2] += 90
    value[100:300, 650:900] //= 2
    np.save(path, np.stack([value, value * 3 // 4, 255 - value], -1).clip(0, 255).astype(np.uint8))


class Race:
    def __init__(self, arguments, model, weights):
        self.a, self.model, self.weights = arguments, model, weights
        self.image = os.path.join(arguments.folder, "picture.npy")
        self.ours = {}
        picture(self.image)

    def outputs_of_ours(self, precision):
        folder = os.path.join(self.a.folder, f"{self.model}-ours-{precision}")
        subprocess.run([self.a.segmodel, "predict", "--model", self.weights, "--variant",
                        self.model, "--image", self.image, "--point", "400,500,1",
                        "--precision", precision, "--dump", folder],
                       check=True, stdout=subprocess.DEVNULL)
        return folder

    def our_runner(self, precision):
        if precision not in self.ours:
            limit = ["--isa", self.a.isa] if self.a.isa else []
            self.ours[precision] = Runner(
                [self.a.segmodel, "bench", self.weights, "--variant", self.model,
                 "--precision", precision, "--paced", self.image] + limit,
                os.path.join(self.a.folder, "ours.log"))
        return self.ours[precision]

    def compare(self, folder, precision):
        """Errors of embedding and low-res logits against ours in FP32, as text."""
        found = []
        for name in ("embedding", "low_res_logits"):
            value = np.load(os.path.join(folder, name + ".npy"))
            reference = np.load(os.path.join(self.reference, name + ".npy"))
            found.append(error(value, reference))
            if not found[-1] <= LIMIT[precision]:
                print(f"{folder}: {name} differs from ours by {found[-1]:.2g}, "
                      f"limit {LIMIT[precision]}: these are not the same networks")
                sys.exit(1)
        return f"{found[0]:.1e}, {found[1]:.1e}"

    def meet(self, rival):
        precision = rival.split("-")[-1]
        folder = os.path.join(self.a.folder, f"{self.model}-{rival}")
        ours = self.our_runner(precision)
        other = Runner([sys.executable, os.path.join(HERE, "worker.py"), rival, self.model,
                        self.weights, self.image, folder],
                       os.path.join(self.a.folder, f"{self.model}-{rival}.log"),
                       AVX2 if self.a.isa else None)
        same = self.compare(folder, precision)
        times = {word: ([], []) for word in ("encode", "decode")}
        processor = {word: ([], []) for word in ("encode", "decode")}
        load = [os.getloadavg()[0]]
        for word, rounds in (("encode", self.a.rounds), ("decode", self.a.decodes)):
            for _ in range(rounds):
                for side, runner in enumerate((ours, other)):
                    seconds, used = runner.ask(word)
                    times[word][side].append(seconds)
                    processor[word][side].append(used)
        load.append(os.getloadavg()[0])
        memory, _ = other.ask("memory")
        other.close()
        self.row(rival, other.version, same, times, processor, memory, load)

    @staticmethod
    def row(rival, version, same, times, processor, memory, load):
        cells = [f"{rival} {version}", same]
        for word, unit, factor in (("encode", "s", 1), ("decode", "ms", 1e3)):
            for values in times[word]:
                cells.append(f"{factor * statistics.median(values):.3g} "
                             f"({factor * min(values):.3g}) {unit}")
            ours, other = (statistics.median(values) for values in times[word])
            best = min(times[word][1]) / min(times[word][0])
            cells.append(f"{other / ours:.2f} ({best:.2f})")
            ours, other = (statistics.median(values) for values in processor[word])
            cells.append(f"{factor * ours:.3g}, {factor * other:.3g} {unit}: {other / ours:.2f}")
        cells += [f"{memory:.0f} MB", " -> ".join(f"{x:.1f}" for x in load)]
        print("| " + " | ".join(cells) + " |", flush=True)

    def run(self, rivals):
        print(f"\n### {self.model}, {self.a.rounds} encodes and {self.a.decodes} decodes each, "
              "in turns\n")
        self.reference = self.outputs_of_ours("fp32")
        if any(rival.endswith("bf16") for rival in rivals):
            print("ours in bf16 against ours in fp32: NRMSE of embedding, low-res logits "
                  f"{self.compare(self.outputs_of_ours('bf16'), 'bf16')}\n")
        print("| rival | NRMSE to ours in fp32: embedding, logits | encode: ours | rival | "
              "rival / ours | processor time of an encode: ours, rival, ratio | decode: ours | rival | rival / ours | processor time of a decode: ours, rival, ratio | rival's peak memory | load |")
        print("|---|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|---|")
        failed = []
        for rival in rivals:
            try:
                self.meet(rival)
            except Missing as reason:
                failed.append(f"{rival}: left out, {reason.args[0][0]}")
        for line in failed:
            print(line)
        for runner in self.ours.values():
            runner.close()


def installed(rivals):
    """Rivals whose modules import; one line for each of the others."""
    found = []
    for rival in rivals:
        code = "; ".join(f"import {m}" for m in MODULES[rival.split("-")[0]])
        if subprocess.run([sys.executable, "-c", code], capture_output=True).returncode == 0:
            found.append(rival)
        else:
            print(f"{rival}: not installed, left out")
    return found


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("segmodel")
    parser.add_argument("folder")
    parser.add_argument("models", nargs="+")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--decodes", type=int, default=15)
    parser.add_argument("--rivals", default=",".join(ALL))
    parser.add_argument("--no-bf16", action="store_true")
    parser.add_argument("--isa", choices=["avx2"])
    a = parser.parse_args()
    os.makedirs(a.folder, exist_ok=True)
    rivals = installed(a.rivals.split(","))
    if a.no_bf16 or a.isa:
        rivals = [rival for rival in rivals if not rival.endswith("bf16")]
    if a.isa:
        rivals = [rival for rival in rivals if not rival.startswith("onnxruntime")]
    for entry in a.models:
        model, weights = entry.split("=", 1)
        if rivals:
            Race(a, model, weights).run(rivals)


if __name__ == "__main__":
    main()
