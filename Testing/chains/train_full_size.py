"""The table of presets at full size (resources/train/full_size.py), run as its page says.

A trainer that says known figures, so that time and memory of the table are known; then the real one,
for two updates of the preset that takes least, so that what it says is what the script reads.
"""
import csv
import os
import subprocess
import sys
import tempfile

from chain import Chain, HERE, require, run
from made_corpus import make_pictures

TRAIN = os.path.join(HERE, "..", "..", "resources", "train")
SCRIPT = os.path.join(TRAIN, "full_size.py")
COLUMNS = ["preset", "batch x passes", "updates", "pictures", "s of processor per picture",
           "s before first update", "GiB while training", "GiB at most", "first loss", "last loss"]
# The first update ends after 60 s of processor time, the second 24 s later, the third 48 s.
TRAINER = r"""#!{python}
import os, sys
command = sys.argv[1:]
with open(command[1], encoding="utf-8") as stream:
    settings = dict(map(str.strip, line.split("=", 1)) for line in stream
                    if "=" in line and line[0] != "#")
if os.environ.get("FAIL"):
    print("segmodel: no such thing", file=sys.stderr)
    sys.exit(4)
kept = b"x" * (1 << 28)
os.makedirs(command[command.index("--out") + 1])
assert "init" not in settings and settings["steps"] == "3" and settings["report_every"] == "1"
assert os.path.getsize(command[command.index("--data") + 1])
threads = command[command.index("--threads") + 1] if "--threads" in command else "all"
print("training on", threads)
print("step 0: feature store made, loss 9.9999")
for step, seconds, memory in ((1, 60, 0.1), (2, 84, 0.2), (3, 132, 0.2)):
    print(f"step {{step}}, loss {{1 / step:.4f}}, rate 0.1, 0.1 images/s, spent 0:00:00, left 0:00:00; "
          f"processor {{seconds:.1f}} s, memory {{memory:.1f}} GiB at most")
print("3 steps; best validation score 0.0000 at step 0")
"""


def script(path, text):
    with open(path, "w", encoding="utf-8") as stream:
        stream.write(text)
    os.chmod(path, 0o755)


def full_size(chain, programs, *arguments, **environment):
    return subprocess.run([SCRIPT, chain.path("shared"), "--bin", programs, *arguments],
                          capture_output=True, text=True, check=False,
                          env=dict(os.environ, **environment))


def read(path):
    with open(path + ".csv", encoding="utf-8", newline="") as stream:
        rows = list(csv.reader(stream))
    with open(path + ".md", encoding="utf-8") as stream:
        lines = [line.strip("| \n").split(" | ") for line in stream]
    require(lines[:1] + lines[2:] == rows, f"{path}.md and .csv differ")
    require(rows[0] == COLUMNS, f"columns {rows[0]}")
    return {row[0]: row[1:] for row in rows[1:]}, [row[0] for row in rows[1:]]


def check_figures(chain, programs):
    out = chain.path("figures")
    script(os.path.join(programs, "segmodel"), TRAINER.format(python=sys.executable))
    os.symlink(os.path.abspath(chain.program("PromptSegPack")),
               os.path.join(programs, "PromptSegPack"))

    def table(*arguments):
        done = full_size(chain, programs, "--steps", "3", "--out", out, *arguments)
        require(done.returncode == 0 and not done.stderr, done.stdout + done.stderr)
        return read(os.path.join(out, "table"))
    # 72 s behind the first update, for two pictures; 36 of the first 60 s are the first update's own
    wanted = ["1 x 1", "3", "3", "36.0", "24", "0.2", "0.3", "1.0000", "0.3333"]
    rows, _ = table("medsam", "--threads", "1")
    require(rows == {"medsam": wanted}, f"batch 1: {rows}")
    # the presets' own: 12 at once; 2 at once in 4 passes; 8 without `accumulate`
    rows, order = table("--batch", "0", "autosam", "samed", "samus")
    require(order == ["samus", "samed", "medsam", "autosam"], f"order {order}")
    require(rows["medsam"] == wanted, "an earlier line was not kept")
    require(rows["samed"][:5] == ["24 x 1", "3", "72", "1.5", "24"], f"samed {rows['samed']}")
    require(rows["autosam"][:5] == ["3 x 4", "3", "36", "3.0", "24"], f"autosam {rows['autosam']}")
    require(rows["samus"][:5] == ["8 x 1", "3", "24", "4.5", "24"], f"samus {rows['samus']}")
    rows, order = table("--batch", "2", "medsam")
    require(rows["medsam"][0] == "2 x 1" and len(order) == 4, f"medsam again: {rows}")
    for name in order:
        left = sorted(os.listdir(os.path.join(out, name)))
        require(left == ["manifest.csv", "settings.cfg", "train.pack"], f"{name} left {left}")


def check_refusals(chain, programs):
    out = chain.path("refused")
    for arguments, code, said in ((["medsam2"], 2, "no preset medsam2; there are samus,"),
                                  (["--steps", "1", "samus"], 2, "at least 2")):
        done = full_size(chain, programs, "--out", out, *arguments)
        require(done.returncode == code and said in done.stderr and not os.path.exists(out),
                f"{arguments}: {done.returncode} {done.stderr}")
    done = full_size(chain, programs, "--out", out, "--steps", "3", "samus", FAIL="1")
    require(done.returncode == 1 and "no such thing" in done.stderr, done.stderr)
    require(not os.path.exists(os.path.join(out, "table.csv")), "a failed run has a line")


def check_real(chain):
    """ViT-B with adapters, 256 pixels."""
    with tempfile.TemporaryDirectory(dir=chain.work) as out:
        done = full_size(chain, chain.programs, "--out", out, "--steps", "2", "msa")
        require(done.returncode == 0, done.stdout + done.stderr)
        line = read(os.path.join(out, "table"))[0]["msa"]
    require(line[:3] == ["1 x 1", "2", "2"], f"two updates of a picture each: {line}")
    seconds, training, most, first, last = (float(line[i]) for i in (3, 5, 6, 7, 8))
    require(seconds > 0, f"{seconds} s per picture")
    # weights and two moments of 27 million trained parameters, and 86 million that rest
    require(0.4 < training <= most < 4, f"{training} and {most} GiB")
    require(0 < first < 5 and 0 < last < 5, f"losses {first}, {last}")


def main():
    chain = Chain()
    make_pictures(chain.path("shared"), "kvasir_seg bus_uc chd68_ct")
    with tempfile.TemporaryDirectory() as programs:  # not in the build, where ./dev looks for segmodel
        check_figures(chain, programs)
        check_refusals(chain, programs)
    check_real(chain)


run(main)
