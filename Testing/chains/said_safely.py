"""What reaches a terminal, Slicer's progress channel and a script: nothing raw from files, exit
codes that tell whether the files are there, an end at once when the user asks for it."""
import json
import os
import re
import shutil
import signal
import struct
import subprocess
import time
import zlib

from chain import BRAIN, LIVER, TUMOUR_BOX, TUMOUR_POINT, Chain, numbers, require

EVIL = "a\x1b[2Jb\x07<filter-progress>0.99</filter-progress>\x9b31m\u202egnp.\x7f"
RAW = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


def check_text(said, what):
    require(not RAW.search(said), f"{what}: control characters are said raw: {said!r}")
    require("<filter-progress>0.99" not in said, f"{what}: a tag from a file is said: {said!r}")


def names_from_files(chain):
    markup = chain.path("evil.mrk.json")
    with open(markup, "w", encoding="utf-8") as stream:
        json.dump({"markups": [{"type": "Fiducial", "name": EVIL, "coordinateSystem": "LPS",
                                "controlPoints": [{"label": "x", "position": TUMOUR_POINT}]}]},
                  stream)
    output = chain.path("evil.seg.nrrd")
    said = chain.segment("--prompts", markup, BRAIN, output)
    require("voxels" in said, "nothing is said")
    check_text(said, "segment name")
    returned = chain.path("returned.txt")
    said = chain.segment("--prompts", markup, "--returnparameterfile", returned, BRAIN, output)
    check_text(said, "segment name under Slicer")
    with open(output, "rb") as stream:
        require(EVIL.encode() in stream.read(8000), "the name in the file is another one")
    said = chain.run([chain.program("PromptSegEvaluate"), "--reference", output, "--prediction",
                      output])
    check_text(said, "table of labels")
    # An empty segment's warning, and a message of a failing run.
    with open(markup, encoding="utf-8") as stream:
        text = stream.read().replace(str(TUMOUR_POINT[0]), "9999.0")
    with open(markup, "w", encoding="utf-8") as stream:
        stream.write(text)
    done = subprocess.run(chain.command("--prompts", markup, BRAIN, output), capture_output=True,
                          check=False)
    require(done.returncode == 3, f"exit code {done.returncode}")
    check_text(done.stderr.decode("utf-8"), "message of a failure")


def texts_from_dicom(chain):
    if not shutil.which("dcmodify"):
        print("absent, not checked against: dcmodify")
        return
    folder = chain.path("dicom")
    shutil.copytree(LIVER, folder)
    for name in os.listdir(folder):
        subprocess.run(["dcmodify", "-nb", "-m", "(0008,103e)=A\x1b[31mB<filter-end>C",
                        os.path.join(folder, name)], check=True, capture_output=True)
    said = chain.run([chain.program("PromptSeg"), "--listSeries", folder])
    require("512x512x3" in said, f"no listing: {said}")
    check_text(said, "listing of series")
    require("<filter-end>" not in said, f"a tag of the file is listed: {said!r}")


def with_output(command, stream, **more):
    return subprocess.run(command, stdout=stream, stderr=subprocess.PIPE, text=True, check=False,
                          **more)


def standard_output_gone(chain):
    """The files are the result: 0 when they are there. Answers are their own result: 6."""
    output, report = chain.path("gone.nrrd"), chain.path("gone.json")
    command = chain.command("--roi", numbers(TUMOUR_BOX), "--report", report, BRAIN, output)
    chain.run(command)
    with open(output, "rb") as stream:
        wanted = stream.read()
    for how in ("full", "closed"):
        for path in (output, report):
            os.unlink(path)
        if how == "full":
            with open("/dev/full", "w", encoding="utf-8") as full:
                done = with_output(command, full)
        else:
            done = with_output(["sh", "-c", 'exec "$@" >&-', "sh", *command], None)
        require(done.returncode == 0 and done.stderr == "",
                f"standard output {how}: exit code {done.returncode} {done.stderr}")
        with open(output, "rb") as stream:
            require(stream.read() == wanted, f"standard output {how}: another segmentation")
        with open(report, "rb") as stream:
            json.loads(stream.read())
    with open("/dev/full", "w", encoding="utf-8") as full:
        for answer in ([chain.program("PromptSeg"), "--version"],
                       [chain.program("PromptSeg"), "--listSeries", LIVER],
                       [chain.program("PromptSegEvaluate"), "--reference", output, "--prediction",
                        output]):
            done = with_output(answer, full)
            require(done.returncode == 6, f"{answer}: exit code {done.returncode}")
        done = with_output([chain.program("PromptSegEvaluate"), "--reference", output,
                            "--prediction", output, "--csv", chain.path("t.csv")], full)
        require(done.returncode == 0, f"a table in a file: exit code {done.returncode}")


def write_slow_volume(path):
    """Takes seconds to unpack, nothing to store."""
    header = bytearray(352)
    struct.pack_into("<i", header, 0, 348)
    struct.pack_into("<8h", header, 40, 3, 512, 512, 1500, 1, 1, 1, 1)
    struct.pack_into("<2h", header, 70, 4, 16)
    struct.pack_into("<8f", header, 76, 1, 1, 1, 1, 1, 1, 1, 1)
    struct.pack_into("<2f", header, 108, 352, 1)
    struct.pack_into("<2h", header, 252, 0, 1)
    for row in range(3):
        struct.pack_into("<f", header, 280 + 20 * row, 1)
    header[344:348] = b"n+1\0"
    pack = zlib.compressobj(1, zlib.DEFLATED, 31)
    with open(path, "wb") as stream:
        stream.write(pack.compress(bytes(header)))
        for _ in range(1500 // 20):
            stream.write(pack.compress(bytes(512 * 512 * 2 * 20)))
        stream.write(pack.flush())


def stopped_while_reading(chain):
    volume = chain.path("slow.nii.gz")
    write_slow_volume(volume)
    for program, arguments in (("PromptSeg", ["--model", chain.model, "--variant", "tiny_vit_256",
                                              "--foreground", "0,0,0", volume,
                                              chain.path("slow.nrrd")]),
                               ("PromptSegEvaluate", ["--reference", volume, "--prediction",
                                                      volume])):
        for number in (signal.SIGINT, signal.SIGTERM):
            process = subprocess.Popen([chain.program(program), *arguments],
                                       stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
            time.sleep(0.5)
            require(process.poll() is None, f"{program} was done before it could be stopped")
            start = time.monotonic()
            process.send_signal(number)
            said = process.communicate()[1]
            took = time.monotonic() - start
            require(process.returncode == 130, f"{program}: exit code {process.returncode} {said}")
            require(said == f"{program}: cancelled\n", f"{program} says {said!r}")
            require(took < 0.5, f"{program} read on for {took:.2f} s")
    os.unlink(volume)


def paths_in_reports(chain):
    """File names tell who a patient is: reports can leave them out."""
    folder = chain.path("doe^john")
    os.makedirs(folder)
    volume, report = os.path.join(folder, "scan.nrrd"), chain.path("out", "r.json")
    os.makedirs(chain.path("out"))
    with open(volume, "wb") as stream: # no spacing: a warning names the file
        stream.write(b"NRRD0004\ntype: uchar\ndimension: 3\nsizes: 8 8 8\nencoding: raw\n\n"
                     + bytes((7 * i) % 200 for i in range(512)))
    texts = {}
    for how in ("given", "relative", "none"):
        said = chain.segment("--foreground", "3,3,3", "--report", report, "--reportPaths", how,
                      volume, chain.path("out", "o.nrrd"))
        with open(report, encoding="utf-8") as stream:
            texts[how] = stream.read()
    require("(a guess: the spacing is assumed)" in said, f"millilitres of a guess: {said}")
    found = {how: json.loads(text) for how, text in texts.items()}
    require(found["given"]["input"] == volume, f"given: {found['given']['input']}")
    require(found["relative"]["input"] == "../doe^john/scan.nrrd"
            and found["relative"]["output"] == "o.nrrd", f"relative: {found['relative']['input']}")
    require(found["none"]["input"] is None and found["none"]["output"] is None
            and found["none"]["model"]["file"] is None, "none: a path is left")
    require(any("the input gives no spacing" in w for w in found["none"]["warnings"]),
            f"none: {found['none']['warnings']}")
    require("doe" not in texts["none"] and chain.work not in texts["none"], "none: a name is left")
    require(chain.work not in texts["relative"], "relative: an absolute path is left")


def paths_in_batches(chain):
    """Nor do status files and results.csv of a batch tell, in warnings and in why a row failed."""
    folder = chain.path("doe^jane")
    os.makedirs(os.path.join(folder, "film"))
    shutil.copy(chain.path("doe^john", "scan.nrrd"), folder)
    with open(os.path.join(folder, "film", "doe.txt"), "w", encoding="utf-8") as stream:
        stream.write("no picture")
    manifest = os.path.join(folder, "doe.csv")
    with open(manifest, "w", encoding="utf-8") as stream:
        stream.write("id,image,foreground,initial\na,scan.nrrd,\"3,3,3\",\nb,film,\"3,3,3\",\n"
                     "c,scan.nrrd,\"3,3,3\",doe.seg.nrrd\nd,scan.nrrd\ne,scan.nrrd,\"3,3\",\n")
    deep = os.path.join(folder, "deep.csv")
    with open(deep, "w", encoding="utf-8") as stream:
        stream.write("id,image,foreground,output\nf,doe.nrrd,\"3,3,3\",not/there/f.seg.nrrd\n"
                     "g,scan.nrrd,\"3,3,3\",sub/g.seg.nrrd\n")
    for how in ("given", "relative", "none"):
        output = chain.path("batch_" + how)
        done = subprocess.run([chain.program("PromptSegBatch"), "--model", chain.model, "--variant", "tiny_vit_256",
                               "--reportPaths", how, manifest, "--output", output],
                              capture_output=True, text=True, check=False)
        require(done.returncode == 7, f"{done.returncode}: {done.stdout}{done.stderr}")
        text = ""
        for name in ("results.csv", os.path.join("promptseg", "status-1-of-1.jsonl")):
            with open(os.path.join(output, name), encoding="utf-8") as stream:
                text += stream.read()
        if how == "given":
            require(text.count(folder) >= 5, f"given: {text}")
        else:
            require(chain.work not in text, f"{how}: an absolute path is left: {text}")
        if how == "relative":
            require("../doe^jane/doe.csv:5: wanted 4 cells" in text, f"relative: {text}")
        if how == "none":
            require("doe" not in text, f"none: a name is left: {text}")
            for words in ("the input gives no spacing", "the initial segmentation: no such file",
                          "the manifest:5: wanted 4 cells"):
                require(words in text, f"none: {words!r} is not said: {text}")


def paths_beside_files(chain):
    """Sentences name what lies beside a file, or in a folder, under any name: none of it stays, wherever the folder
    is; relative to the report they may be."""
    output = chain.path("none", "out")
    folders = [chain.path("none", "doe^john 1970"), chain.path("none", "list")]
    for name in (*folders, output, os.path.join(folders[0], "film of doe")):
        os.makedirs(name)
    header = os.path.join(folders[0], "head.nhdr")
    with open(header, "w", encoding="utf-8") as stream:
        stream.write("NRRD0004\ntype: uchar\ndimension: 3\nsizes: 8 8 8\nencoding: raw\ndata file: raw of doe\n")
    with open(os.path.join(folders[0], "film of doe", "doe 1.txt"), "w", encoding="utf-8") as stream:
        stream.write("no picture")
    rows = [("h", header), ("f", os.path.join(folders[0], "film of doe")),
            ("r", os.path.join("..", "doe^john 1970", "head.nhdr"))]
    manifest = os.path.join(folders[1], "m.csv")
    with open(manifest, "w", encoding="utf-8") as stream:
        stream.write("id,image,foreground\n" + "".join(f"{name},{image},\"3,3,3\"\n" for name, image in rows))
    for how, left in (("relative", chain.work), ("none", "doe")):
        done = subprocess.run([chain.program("PromptSegBatch"), "--model", chain.model, "--variant", "tiny_vit_256",
                               "--reportPaths", how, manifest, "--output", os.path.join(output, how)],
                              capture_output=True, text=True, check=False)
        require(done.returncode == 7, f"{done.returncode}: {done.stdout}{done.stderr}")
        with open(os.path.join(output, how, "results.csv"), encoding="utf-8") as stream:
            text = stream.read()
        require(left not in text, f"{how}: {left} is left: {text}")
        for words in (("the input's folder: ",) if how == "none" else ("../../doe^john 1970/raw of doe: ",)):
            require(text.count(words) == 2, f"{how}: {words!r}: {text}")


def paths_from_output_folders(chain):
    """Relative paths in results.csv are seen from its folder, wherever a row's output lies or was to lie."""
    folder, output = chain.path("doe^jane"), chain.path("batch_deep")
    done = subprocess.run([chain.program("PromptSegBatch"), "--model", chain.model, "--variant", "tiny_vit_256",
                           "--reportPaths", "relative", os.path.join(folder, "deep.csv"), "--output", output],
                          capture_output=True, text=True, check=False)
    require(done.returncode == 7, f"{done.returncode}: {done.stdout}{done.stderr}")
    with open(os.path.join(output, "results.csv"), encoding="utf-8") as stream:
        text = stream.read()
    for words in (",../doe^jane/doe.nrrd: no such file", "\"../doe^jane/scan.nrrd gives no spacing"):
        require(words in text, f"{words!r}: {text}")
    require(chain.work not in text and "../../" not in text, f"relative: {text}")


def main():
    chain = Chain()
    names_from_files(chain)
    texts_from_dicom(chain)
    standard_output_gone(chain)
    stopped_while_reading(chain)
    paths_in_reports(chain)
    paths_in_batches(chain)
    paths_beside_files(chain)
    paths_from_output_folders(chain)


if __name__ == "__main__":
    main()
