"""Scenes of 3D Slicer, written and read: what a scene holds is what PromptSeg made, its prompts make the
same mask again, it can be moved, and nothing that was read is lost by the files beside it.

With `required` as fifth argument READERS must have slicer-core, which then imports every scene."""
import json
import os
import shutil
import subprocess
import sys

from chain import BRAIN, HERE, LIVER, TUMOUR_BOX, TUMOUR_POINT, Chain, numbers, read_nrrd, require, run

ODD = "a & b %20 100% \u00fc\u00df"  # a name with everything that XML, URLs and Slicer treat as their own
SEGMENT = 'tu "m" & <\u00f6>'
JUDGED = len(sys.argv) > 5


def content(path):
    with open(path, "rb") as stream:
        return stream.read()


def as_slicer_sees(chain, scene, *save_as):
    """What 3D Slicer's own code finds in the scene; None without it."""
    script = os.path.join(HERE, "..", "readers", "read_scene.py")
    done = subprocess.run([chain.readers, script, scene, *save_as], capture_output=True, text=True,
                          check=False)
    require(done.returncode == 0 or (done.returncode == 77 and not JUDGED),
            f"3D Slicer: {scene}: {done.stdout}\n{done.stderr}")
    return json.loads(done.stdout.splitlines()[-1]) if done.returncode == 0 else None


def near(found, wanted, limit=1e-6):
    return all(abs(a - b) <= limit for a, b in zip(found, wanted))


def refused(chain, said, *arguments):
    done = subprocess.run(chain.command(*arguments), capture_output=True, text=True, check=False)
    require(done.returncode == 1, f"exit code {done.returncode}, wanted 1: {arguments}")
    for words in said:
        require(words in done.stderr, f"'{words}' is not said: {done.stderr}")


def from_a_file(chain):
    """The input stays where it is and is named relative to the scene."""
    folder = chain.path("work", ODD)
    os.makedirs(folder)
    image, scene = (os.path.join(folder, ODD + e) for e in (".nrrd", ".mrml"))
    shutil.copy(BRAIN, image)
    background = (TUMOUR_POINT[0] + 14, *TUMOUR_POINT[1:])
    prompts = ["--foreground", numbers(TUMOUR_POINT), "--background", numbers(background),
               "--roi", numbers(TUMOUR_BOX), "--segmentName", SEGMENT]
    chain.segment(*prompts, image, scene)
    labels = content(scene.replace(".mrml", ".seg.nrrd"))
    require(not [n for n in os.listdir(folder) if n.endswith("-volume.nrrd")],
            "a volume that 3D Slicer reads was copied")
    plain = chain.path("plain.seg.nrrd")
    chain.segment(*prompts, image, plain)
    require(content(plain) == labels, "the scene's segmentation is another one")

    # moved, and asked again by its own prompts
    moved = chain.path("moved")
    shutil.move(chain.path("work"), moved)
    scene, image = (p.replace(chain.path("work"), moved) for p in (scene, image))
    again = chain.path("again.seg.nrrd")
    chain.segment("--prompts", scene, image, again)
    require(content(again) == labels, "the scene's prompts make another mask")

    seen = as_slicer_sees(chain, scene)
    if seen:
        fields, _, voxels = read_nrrd(plain)
        volume, segments = seen["volumes"][0], seen["segmentations"][0]
        require(volume["size"] == [int(n) for n in fields["sizes"].split()[-3:]], f"{volume}")
        require(segments["segments"] == [{"name": SEGMENT, "voxels": sum(v > 0 for v in voxels)}],
                f"{segments}")
        require(segments["volume"] == volume["name"] and segments["display"], f"{segments}")
        points, box = seen["points"][0], seen["boxes"][0]
        require(points["name"] == box["name"] == SEGMENT, f"{points} {box}")
        require(near(points["points"][0]["lps"], TUMOUR_POINT)
                and near(points["points"][1]["lps"], background), f"{points}")
        require(near(box["centre"], TUMOUR_BOX[:3])
                and near(box["size"], [2 * r for r in TUMOUR_BOX[3:]]), f"{box}")
        saved_by_slicer(chain, prompts, image, labels)
    return scene, image


def saved_by_slicer(chain, prompts, image, labels):
    """As Slicer saves the scene it asks for the same. (It writes & in names of files as it is, which is
    no XML, and which it cannot read itself.)"""
    scene, saved = (os.path.join(os.path.dirname(image), n + ODD.replace("&", "+") + ".mrml")
                    for n in ("scene ", "saved "))
    again = chain.path("saved.seg.nrrd")
    image = shutil.copy(image, os.path.join(os.path.dirname(image), "b %20 100%.nrrd"))
    chain.segment(*prompts, image, scene)
    as_slicer_sees(chain, scene, saved)
    chain.segment("--prompts", saved, image, again)
    require(content(again) == labels, "after 3D Slicer saved the scene: another mask")


def from_dicom(chain):
    """Slicer's scenes cannot name a series: a copy of the volume lies beside the scene."""
    scene = chain.path("ct.mrml")
    chain.segment("--foreground=-104.7,-25,-127.69", LIVER, scene)
    fields, _, _ = read_nrrd(chain.path("ct-volume.nrrd"))
    require(fields["sizes"] == "512 512 3" and fields["type"] == "short", f"{fields}")
    seen = as_slicer_sees(chain, scene)
    if seen:
        require(seen["volumes"][0]["size"] == [512, 512, 3]
                and seen["segmentations"][0]["segments"][0]["voxels"] > 0, f"{seen}")
    again = chain.path("ct-again.seg.nrrd")
    chain.segment("--prompts", scene, LIVER, again)
    require(content(again) == content(chain.path("ct.seg.nrrd")),
            "a point whose label begins with a sign changed on its way")


def nothing_is_lost(chain, scene, image):
    """Files beside a scene never replace what was read."""
    stem = scene[:-len(".mrml")]
    before = {n: content(os.path.join(os.path.dirname(scene), n))
              for n in os.listdir(os.path.dirname(scene))}
    seed = ["--foreground", numbers(TUMOUR_POINT)]
    for option, name in (("--initial", ".seg.nrrd"), ("--prompts", "-points-1.mrk.json"),
                         ("--prompts", ".mrml"), ("--boxes", ".seg.nrrd")):
        refused(chain, [option], *seed, option, stem + name, image, scene)
    refused(chain, ["beside", "--report"], *seed, "--report", stem + ".seg.nrrd", image, scene)
    after = {n: content(os.path.join(os.path.dirname(scene), n))
             for n in os.listdir(os.path.dirname(scene))}
    require(before == after, "a refused run changed files")


def main():
    chain = Chain()
    scene, image = from_a_file(chain)
    from_dicom(chain)
    nothing_is_lost(chain, scene, image)


if __name__ == "__main__":
    run(main)
