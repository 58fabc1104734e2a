"""As 3D Slicer runs the programs: return values, progress on stdout, nothing on stderr; programs
that are no modules must say so at once when Slicer asks for --xml."""
import re
import subprocess

from chain import BRAIN, TUMOUR_POINT, Chain, numbers, require, seconds


def main():
    chain = Chain()
    values = chain.path("return.txt")
    said = chain.segment("--returnparameterfile", values, "--foreground", numbers(TUMOUR_POINT),
                         "--threads", 0, "--axis", "auto", "--window", "auto", "--propagate",
                         "auto", BRAIN, chain.path("A.seg.nrrd"))
    require(said.startswith("<filter-start>") and "</filter-end>" in said, "no progress tags")
    progress = [float(v) for v in re.findall("<filter-progress>(.*?)</filter-progress>", said)]
    require(0 < len(progress) <= 200 and progress == sorted(progress), f"progress is {progress}")
    with open(values, encoding="utf-8") as stream:
        found = dict(line.rstrip("\n").split(" = ", 1) for line in stream)
    require(set(found) == {"segments", "volumeInMl", "seconds", "deviceUsed", "warnings"},
            f"return values are {found}")
    require(found["segments"] == "1" and float(found["volumeInMl"]) > 0, f"returned {found}")
    print(found)

    for name in ("PromptSeg", "PromptSegBatch", "PromptSegEvaluate", "PromptSegEverything"):
        xml = chain.run([chain.program(name), "--xml"])
        require(xml.startswith("<?xml "), f"{name} --xml")
    took = seconds(lambda: require(
        subprocess.run([chain.program("segmodel"), "--xml"], capture_output=True,
                       check=False).returncode != 0, "segmodel takes itself for a module"))
    require(took < 2, f"segmodel --xml takes {took:.1f} s; Slicer waits 5 s for every program")


if __name__ == "__main__":
    main()
