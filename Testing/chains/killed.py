"""kill -9 at any time leaves the old output or the new one; a finished mask outlives Ctrl-C."""
import gzip
import os
import random
import signal
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


def write_noise(path, side=256):
    """Labels that take long to compress."""
    header = f"""NRRD0004
type: uint8
dimension: 3
space: left-posterior-superior
sizes: {side} {side} {side}
space directions: (1,0,0) (0,1,0) (0,0,1)
kinds: domain domain domain
space origin: (0,0,0)
encoding: raw

"""
    with open(path, "wb") as stream:
        stream.write(header.encode())
        stream.write(os.urandom(side ** 3).translate(bytes(i % 5 for i in range(256))))


def signalled_while_writing(command, folder, signals):
    """The exit code after one signal, or two and more, the first as soon as the output is begun."""
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    files = f"/proc/{process.pid}/fd"
    writing = False
    while not writing and process.poll() is None:
        time.sleep(0.005)
        try:  # it has no name yet
            links = [os.readlink(os.path.join(files, one)) for one in os.listdir(files)]
            writing = any(one.startswith(folder + "/") and one.endswith("(deleted)") for one in links)
        except OSError:
            pass
    # Two that come too fast are one to the system: whoever is impatient goes on until it ends.
    while writing and signals and process.poll() is None:
        process.send_signal(signal.SIGINT)
        time.sleep(0.03)
        signals -= signals == 1
    process.communicate()
    return process.returncode, writing


def has_unnamed_files(folder):
    try:
        os.close(os.open(folder, os.O_TMPFILE | os.O_RDWR))
        return True
    except OSError:
        return False


def check_finished_masks_are_kept(chain):
    folder = os.path.realpath(chain.path("written"))
    os.makedirs(folder)
    labels, output = chain.path("noise.nrrd"), os.path.join(folder, "out.nii.gz")
    write_noise(labels)
    command = [chain.program("PromptSeg"), "--convert", "--initial", labels, labels, output]
    code, writing = signalled_while_writing(command, folder, 2)
    if not has_unnamed_files(folder):
        print("a file system without unnamed files: what is being written cannot be told")
        return
    require(writing, "the output was never being written")
    require(code == 130, f"two signals while writing: exit code {code}")
    require(not os.listdir(folder), f"left behind: {os.listdir(folder)}")
    code, _ = signalled_while_writing(command, folder, 1)
    require(code == 0, f"a signal while writing: exit code {code}")
    require(os.listdir(folder) == ["out.nii.gz"], f"written: {os.listdir(folder)}")
    with gzip.open(output) as stream:
        require(len(stream.read()) >= 256 ** 3, "a mask was cut short")


def main():
    chain = Chain()
    check_finished_masks_are_kept(chain)
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
