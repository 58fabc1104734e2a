#!/usr/bin/env python3
"""What a batch takes beside its predictions, and what jobs side by side bring.

usage: batch_rows.py PROGRAMS WORK [--rows 200] [--rounds 3] [--singles] [--model FILE] [--variant V]

Makes that many volumes of 24 x 20 x 3 voxels, and runs PromptSegBatch over them in turns: as it is (all
threads), with one thread, with two jobs of one thread each. Each round prints wall and processor seconds,
the sum of the reports' predictions, the start (a batch of one row without its prediction), and

    overhead = wall / (predictions / jobs + start)

With --singles, also PromptSeg row by row. Only ratios of one round mean something on a shared machine.
"""
import argparse
import json
import os
import random
import shutil
import statistics
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "chains"))
from chain import write_nrrd

SIZE = [24, 20, 3]
WAYS = {"all threads": [], "1 job x 1 thread": ["--threads", "1"],
        "2 jobs x 1 thread": ["--threads", "2", "--jobs", "2"]}


def make_volumes(folder, count):
    rows = ["id,image,foreground"]
    for number in range(count):
        draw = random.Random(number)
        cx, cy = draw.uniform(9, 14), draw.uniform(8, 12)
        voxels = bytes((180 if (x - cx) ** 2 + (y - cy) ** 2 < 30 else 50) + draw.randrange(20)
                       for _ in range(SIZE[2]) for y in range(SIZE[1]) for x in range(SIZE[0]))
        write_nrrd(os.path.join(folder, f"v{number}.nrrd"), SIZE,
                   [[1, 0, 0], [0, 1, 0], [0, 0, 4]], [0, 0, 0], voxels)
        rows.append(f'c{number},v{number}.nrrd,"{11 + number % 3},10,4"')
    for name, lines in (("cases.csv", rows), ("one.csv", rows[:2])):
        with open(os.path.join(folder, name), "w", encoding="utf-8") as stream:
            stream.write("\n".join(lines) + "\n")


def run(command):
    """(wall, processor) seconds of a command that must succeed."""
    before = time.monotonic()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        sys.exit(f"{' '.join(command)}: status {status}")
    return time.monotonic() - before, usage.ru_utime + usage.ru_stime


def predictions(folder):
    total = 0.0
    for name in os.listdir(folder):
        if name.endswith(".json") and name != "summary.json":
            with open(os.path.join(folder, name), encoding="utf-8") as stream:
                total += json.load(stream)["seconds"]["predict"]
    return total


class Race:
    def __init__(self, given):
        self.given = given
        self.model = [x for name in ("model", "variant") if getattr(given, name)
                      for x in (f"--{name}", getattr(given, name))]
        shutil.rmtree(given.work, ignore_errors=True)
        os.makedirs(given.work)
        make_volumes(given.work, given.rows)

    def path(self, name):
        return os.path.join(self.given.work, name)

    def batch(self, manifest, options):
        out = self.path("out")
        shutil.rmtree(out, ignore_errors=True)
        times = run([os.path.join(self.given.programs, "PromptSegBatch"), *self.model, *options,
                     self.path(manifest), "--output", out])
        return (*times, predictions(out))

    def singles(self):
        start, cpu = time.monotonic(), 0.0
        for number in range(self.given.rows):
            cpu += run([os.path.join(self.given.programs, "PromptSeg"), *self.model, "--foreground",
                        f"{11 + number % 3},10,4", self.path(f"v{number}.nrrd"),
                        self.path("single.seg.nrrd")])[1]
        return time.monotonic() - start, cpu

    def round(self):
        walls = {}
        for name, options in WAYS.items():
            one = self.batch("one.csv", options)
            wall, cpu, predicted = self.batch("cases.csv", options)
            start = one[0] - one[2]
            jobs = int(options[-1]) if "--jobs" in options else 1
            overhead = wall / (predicted / jobs + start)
            walls[name] = (wall, overhead)
            print(f"{name:18}: wall {wall:6.2f} s, processor {cpu:6.2f} s, predictions {predicted:6.2f} s, "
                  f"start {start:.2f} s, overhead {overhead:.3f}", flush=True)
        if self.given.singles:
            wall, cpu = self.singles()
            print(f"{'single runs':18}: wall {wall:6.2f} s, processor {cpu:6.2f} s, "
                  f"{wall / walls['all threads'][0]:.2f} x the batch", flush=True)
        return walls


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("programs")
    parser.add_argument("work")
    parser.add_argument("--rows", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--singles", action="store_true")
    parser.add_argument("--model")
    parser.add_argument("--variant")
    race = Race(parser.parse_args())
    rounds = [race.round() for _ in range(race.given.rounds)]
    middle = {name: statistics.median(r[name][0] for r in rounds) for name in WAYS}
    print(f"overhead, all threads, median: {statistics.median(r['all threads'][1] for r in rounds):.3f}")
    for one, other in (("1 job x 1 thread", "2 jobs x 1 thread"), ("1 job x 1 thread", "all threads"),
                       ("all threads", "2 jobs x 1 thread")):
        ratio = statistics.median(r[one][0] / r[other][0] for r in rounds)
        print(f"{other} is {ratio:.2f} x as fast as {one} (medians {middle[one]:.2f} s, {middle[other]:.2f} s)")


if __name__ == "__main__":
    main()
