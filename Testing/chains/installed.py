"""The installed folder is relocatable and does not mind other libraries in LD_LIBRARY_PATH, nor do
programs of either tree take libraries from the current folder; the folder lists its libraries."""
import os
import shutil
import subprocess
import sys

from chain import BRAIN, TUMOUR_POINT, Chain, numbers, require


def needed(path):
    done = subprocess.run(["ldd", path], capture_output=True, text=True, check=True)
    return [line.split(" => ")[1].split(" (")[0] for line in done.stdout.splitlines()
            if " => " in line]


def listed(moved):
    """Files in libraries.txt; each line has a version."""
    with open(os.path.join(moved, "share", "promptseg", "libraries.txt"), encoding="utf-8") as stream:
        lines = [line.rstrip("\n").split("\t") for line in stream if not line.startswith("#")]
    for line in lines:
        require(len(line) == 3 and line[1], f"libraries.txt says {line}, wanted file, version, package")
    return {line[0] for line in lines}


def main():
    chain = Chain()
    cmake, build = sys.argv[5:7]
    first_programs = chain.programs
    chain.run([cmake, "--install", build, "--prefix", chain.path("first")])
    moved = chain.path("moved here")
    os.rename(chain.path("first"), moved)
    folder = os.path.join(moved, "bin")
    require(os.path.exists(os.path.join(folder, "PromptSeg.xml")), "no PromptSeg.xml in bin")

    # Libraries of the same names that cannot be loaded stand for Slicer's.
    others = chain.path("others")
    os.makedirs(others)
    for name in os.listdir(os.path.join(moved, "lib")):
        with open(os.path.join(others, name), "wb") as stream:
            stream.write(b"not a library")
    names = {name for name in os.listdir(os.path.join(moved, "lib")) if "segmodel" not in name}
    require(listed(moved) <= names, "libraries.txt names files that are not in lib")
    loaded = {os.path.basename(path) for path in needed(os.path.join(folder, "PromptSeg"))
              if os.path.realpath(path).startswith(os.path.realpath(moved))}
    require(loaded <= listed(moved), f"not in libraries.txt: {loaded - listed(moved)}")
    for place in (first_programs, folder):  # a disc with images may hold libraries as well
        done = subprocess.run([os.path.join(place, "PromptSeg"), "--version"], cwd=others,
                              capture_output=True, text=True, check=False)
        require(done.returncode == 0, f"{place}: runs what lies in the current folder: {done.stderr}")
    environment = dict(os.environ, LD_LIBRARY_PATH=others)

    def run(*command):
        done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
        require(done.returncode == 0 and done.stderr == "", f"{command}: {done.stderr}")
        return done.stdout

    chain.programs = folder
    for name in ("PromptSeg", "PromptSegEvaluate"):
        print(run(chain.program(name), "--version"), end="")
    output = chain.path("out.seg.nrrd")
    print(run(*chain.command("--foreground", numbers(TUMOUR_POINT), BRAIN, output)), end="")
    print(run(chain.program("PromptSegEvaluate"), "--reference", output, "--prediction", output),
          end="")

    system = [path for name in ("PromptSeg", "PromptSegEvaluate", "segmodel")
              for path in needed(os.path.join(folder, name))
              if not os.path.realpath(path).startswith(os.path.realpath(moved))]
    print("from the system: " + ", ".join(sorted({os.path.basename(p) for p in system})))
    allowed = ("libc.", "libm.", "libdl.", "librt.", "libpthread.", "libresolv.", "ld-linux")
    for path in system:
        require(os.path.basename(path).startswith(allowed), f"{path} is not in the folder")
    size = sum(os.path.getsize(os.path.join(d, f)) for d, _, fs in os.walk(moved) for f in fs
               if not os.path.islink(os.path.join(d, f)))
    print(f"{len(os.listdir(os.path.join(moved, 'lib')))} libraries, {size >> 20} MiB in all")
    shutil.rmtree(moved)


if __name__ == "__main__":
    main()
