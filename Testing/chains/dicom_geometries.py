"""DICOM SEG and RTSTRUCT of series that lie oblique, mirrored, tilted, with a slice missing, of odd
sizes: overlapping and empty segments come back from every judge as they went in."""
import json
import os
import subprocess

from chain import HERE, Chain, numbers, require, run, skip


def judged(chain, verb):
    script = os.path.join(HERE, "..", "readers", "dicom_geometries.py")
    done = subprocess.run([chain.readers, "-B", script, verb, chain.work], capture_output=True,
                          text=True, check=False)
    print(done.stdout, end="")
    require(done.returncode in (0, 77), f"{verb}: {done.stdout[-500:]}\n{done.stderr}")
    if done.returncode == 77:
        skip(done.stdout.splitlines()[-1])


def main():
    chain = Chain()
    judged(chain, "make")
    with open(chain.path("cases.json"), encoding="utf-8") as stream:
        cases = json.load(stream)
    for case in cases:
        folder = chain.path(case["name"])
        for name in ("out.dcm", "again.dcm", "out.rtstruct.dcm"):
            said = chain.segment(
                "--foreground=" + numbers(case["seed"]), "--segmentName", "asked", "--propagate",
                "none", "--initial", os.path.join(folder, "initial.seg.nrrd"),
                *(["--allowGaps"] if case["gaps"] else []), os.path.join(folder, "slices"),
                os.path.join(folder, name))
            if name.endswith("out.dcm"):
                require(("tilted" in said) == case["tilted"], f"{case['name']}: {said}")
                require(("interpolated" in said) == case["gaps"], f"{case['name']}: {said}")
    judged(chain, "judge")


if __name__ == "__main__":
    run(main)
