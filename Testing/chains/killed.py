"""kill -9 at any time leaves the old output or the new one."""
import os
import random
import subprocess
import time

from chain import BRAIN, TUMOUR_POINT, Chain, numbers, require, seconds

ROUNDS = 12


def check_cancel(command, output, whole):
    """A polite signal in the middle: exit code 130, one message, the old output."""
    with open(output, "wb") as stream:
        stream.write(b"old labels")
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                               text=True)
    time.sleep(0.4 * whole)
    process.terminate()
    said = process.communicate()[1]
    require(process.returncode == 130, f"cancelled: exit code {process.returncode}: {said}")
    require(said.startswith("PromptSeg: ") and said.count("\n") == 1, f"it says {said!r}")
    with open(output, "rb") as stream:
        require(stream.read() == b"old labels", "a cancelled run changed its output")


def main():
    chain = Chain()
    random.seed(3)
    folder = chain.path("outputs")
    os.makedirs(folder)
    names = {"out.seg.nrrd": b"old labels", "out.json": b"old report", "out.png": b"old picture"}
    paths = {name: os.path.join(folder, name) for name in names}
    command = chain.command("--foreground", numbers(TUMOUR_POINT), "--picture", paths["out.png"],
                            "--report", paths["out.json"], BRAIN, paths["out.seg.nrrd"])
    whole = seconds(lambda: chain.run(command))
    with open(paths["out.seg.nrrd"], "rb") as stream:
        new = stream.read()
    with open(paths["out.png"], "rb") as stream:
        picture = stream.read()
    survived = 0
    for _ in range(ROUNDS):
        for name, content in names.items():
            with open(paths[name], "wb") as stream:
                stream.write(content)
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        time.sleep(random.uniform(0, 1.5) * whole)
        process.kill()
        process.wait()
        with open(paths["out.seg.nrrd"], "rb") as stream:
            found = stream.read()
        require(found in (names["out.seg.nrrd"], new), "half a segmentation was left")
        survived += found == new
        with open(paths["out.png"], "rb") as stream:
            require(stream.read() in (names["out.png"], picture), "half a picture was left")
        with open(paths["out.json"], "rb") as stream:
            report = stream.read()
        require(report == names["out.json"] or report.rstrip().endswith(b"}"),
                "half a report was left")
        # Only in the moment of the renames have unfinished files a name, and a journal beside them.
        left = set(os.listdir(folder)) - set(names)
        require(all(name.startswith(".sgio-") for name in left), f"left behind: {left}")
    chain.run(command)
    left = set(os.listdir(folder)) - set(names)
    require(not left, f"the next run did not remove {left}")
    print(f"{ROUNDS} runs killed, {survived} of them after the output was written")

    check_cancel(command, paths["out.seg.nrrd"], whole)


if __name__ == "__main__":
    main()
