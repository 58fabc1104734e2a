"""The installed folder is relocatable and does not mind other libraries in LD_LIBRARY_PATH, nor do
programs of either tree take libraries from the current folder; the folder lists its libraries, has
their licences, and keeps them where no other program looks."""
import os
import re
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


def packages(moved):
    """Debian packages that libraries.txt names."""
    with open(os.path.join(moved, "share", "promptseg", "libraries.txt"), encoding="utf-8") as stream:
        return {line.split("\t")[2].strip() for line in stream if not line.startswith("#")} - {"-"}


def check_licences(moved):
    """Each package's statement is there, and the texts that statements name."""
    folder = os.path.join(moved, "share", "promptseg", "licences")
    for package in packages(moved):
        with open(os.path.join(folder, package), encoding="utf-8") as stream:
            text = stream.read()
        require("icen" in text or "opyright" in text, f"{package}: its licence says nothing")
        for name in re.findall(r"/usr/share/common-licenses/([\w.+-]*\w)", text):
            require(os.path.isfile(os.path.join(folder, "common-licenses", name)),
                    f"{package}: its licence names {name}, which is not in the folder")


def check_lib(moved):
    """Nothing in lib is the system's: below /usr/local it would be every program's."""
    lib = os.path.join(moved, "lib")
    foreign = [name for name in os.listdir(lib) if ".so" in name and not name.startswith("libsegmodel")]
    require(not foreign, f"libraries of the system in lib: {foreign}")


def check_earlier(moved, cmake, build):
    """An earlier version's libraries in lib are named when it is installed over, and left alone."""
    lib, share = os.path.join(moved, "lib"), os.path.join(moved, "share", "promptseg")
    with open(os.path.join(share, "libraries.txt"), "w", encoding="utf-8") as stream:
        stream.write("# Shared libraries in lib/: file, version, Debian package.\nlibz.so.1\t1\tzlib1g\n"
                     "libgone.so.1\t1\t-\n")
    with open(os.path.join(lib, "libz.so.1"), "w", encoding="utf-8") as stream:
        stream.write("earlier")
    done = subprocess.run([cmake, "--install", build, "--prefix", moved], capture_output=True, text=True,
                          check=True)
    warning = " ".join(done.stderr.split())
    require("remove them: libz.so.1" in warning and "libgone" not in warning,
            f"installed over an earlier version: {warning}")
    require(os.path.exists(os.path.join(lib, "libz.so.1")), "a library in lib was removed")


def main():
    chain = Chain()
    cmake, build = sys.argv[5:7]
    first_programs = chain.programs
    chain.run([cmake, "--install", build, "--prefix", chain.path("first")])
    moved = chain.path("moved here")
    os.rename(chain.path("first"), moved)
    folder = os.path.join(moved, "bin")
    require(os.path.exists(os.path.join(folder, "PromptSeg.xml")), "no PromptSeg.xml in bin")

    settings = os.path.join(moved, "share", "promptseg", "train", "finetune.cfg")
    with open(settings, encoding="utf-8") as stream:
        named = [line.split(" = ")[1].strip() for line in stream if line.startswith("init = ")]
    require(len(named) == 1 and os.path.exists(os.path.join(os.path.dirname(settings), named[0])),
            f"{settings} names no model beside it: {named}")

    # Libraries of the same names that cannot be loaded stand for Slicer's.
    others = chain.path("others")
    os.makedirs(others)
    bundled = os.path.join(moved, "lib", "promptseg")
    for name in os.listdir(bundled) + os.listdir(os.path.join(moved, "lib")):
        with open(os.path.join(others, name), "wb") as stream:
            stream.write(b"not a library")
    require(listed(moved) <= set(os.listdir(bundled)), "libraries.txt names files that are not there")
    check_lib(moved)
    check_licences(moved)
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
    print(f"{len(os.listdir(bundled))} libraries, {size >> 20} MiB in all")
    check_earlier(moved, cmake, build)
    shutil.rmtree(moved)


if __name__ == "__main__":
    main()
