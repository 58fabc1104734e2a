"""Inputs built after public bug reports of other tools: PromptSeg reads each rightly, or refuses it
with a sentence that helps. Testing/reports.md lists the reports; every case here has its row there."""
import gzip
import os
import re
import shutil
import struct
import subprocess

from chain import HERE, LIVER, Chain, numbers, read_nrrd, require, run, triples, write_nifti

PAGE = os.path.join(HERE, "..", "reports.md")
SIZE = (24, 20, 6)
AXES = [[0.8, 0.0, 0.0], [0.0, 0.9, 0.0], [0.0, 0.0, 3.0]]
ORIGIN = (-10.0, -20.0, 30.0)
LIVER_POINT = "-104.7,-25,-127.69"
CASES = []


def case(function):
    CASES.append((function.__name__, function))
    return function


def voxels():
    """A bright block in the middle of noise without chance."""
    out = bytearray()
    for k in range(SIZE[2]):
        for j in range(SIZE[1]):
            for i in range(SIZE[0]):
                inside = 8 <= i < 16 and 6 <= j < 14
                out.append(200 + (i + j + k) % 5 if inside else 40 + (3 * i + 5 * j + k) % 11)
    return bytes(out)


def at(index, axes=None, origin=ORIGIN):
    axes = axes or AXES
    return numbers([origin[r] + sum(axes[a][r] * index[a] for a in range(3)) for r in range(3)])


MIDDLE = (11, 9, 3)


def nifti(chain, name, change=None, data=None, packed=False, cut=None):
    """A NIfTI file with a header changed by change(bytearray)."""
    plain = chain.path("plain.nii")
    write_nifti(plain, SIZE, AXES, ORIGIN, voxels() if data is None else data)
    with open(plain, "rb") as stream:
        content = bytearray(stream.read())
    if change:
        change(content)
    content = bytes(content)
    if packed:
        content = gzip.compress(content, mtime=0)
    if cut:
        content = cut(content)
    with open(chain.path(name), "wb") as stream:
        stream.write(content)
    return chain.path(name)


def tried(chain, *arguments):
    """Exit code, standard output and error; standard error is empty exactly on success."""
    done = subprocess.run(chain.command(*arguments), capture_output=True, text=True, check=False)
    require((done.returncode == 0) == (done.stderr == ""), f"{arguments}: {done.stderr}")
    return done.returncode, done.stdout, done.stderr


def refused(chain, code, words, *arguments):
    output = chain.path("refused.seg.nrrd")
    found, said, error = tried(chain, *arguments, output)
    require(found == code, f"exit code {found}, wanted {code}: {said}{error}")
    require(re.search(words, error), f"{error!r} does not say {words!r}")
    require(not os.path.exists(output), "an output although it was refused")


def grid_of(chain, *arguments):
    """Axes, origin, labelled voxels of the result, and what was said."""
    output = chain.path("read.seg.nrrd")
    said = chain.segment(*arguments, output)
    fields, _, labels = read_nrrd(output)
    return (triples(fields["space directions"]), triples(fields["space origin"])[0],
            sum(v != 0 for v in labels), said)


def same(found, wanted, tolerance=1e-4):
    flat = [v for row in found for v in row] if isinstance(found[0], list) else found
    goal = [v for row in wanted for v in row] if isinstance(wanted[0], list) else wanted
    return len(flat) == len(goal) and all(abs(a - b) <= tolerance for a, b in zip(flat, goal))


def by_simpleitk(chain, path):
    """Axes and origin as SimpleITK sees them."""
    script = ("import sys, SimpleITK as s\ni = s.ReadImage(sys.argv[1])\nd = i.GetDirection()\n"
              "p = i.GetSpacing()\n"
              "print(*[d[3*r+c]*p[c] for c in range(3) for r in range(3)], *i.GetOrigin())")
    done = subprocess.run([chain.readers, "-c", script, path], capture_output=True, text=True,
                          check=False)
    if done.returncode != 0:
        Chain.unread.append(path)
        return None
    v = [float(x) for x in done.stdout.split()]
    return [v[0:3], v[3:6], v[6:9]], v[9:12]


# ------------------------------------------------------------------------------------------ NIfTI

@case
def nifti_micron(chain):
    def micron(h):
        h[123] = 3
    small = [[v / 1000 for v in axis] for axis in AXES]
    origin = [v / 1000 for v in ORIGIN]
    path = nifti(chain, "micron.nii", micron)
    axes, found, _, _ = grid_of(chain, "--foreground", at(MIDDLE, small, origin), path)
    require(same(axes, small, 1e-7) and same(found, origin, 1e-7), f"micrometres: {axes}, {found}")


@case
def nifti_without_forms(chain):
    def no_forms(h):
        struct.pack_into("<2h", h, 252, 0, 0)
    path = nifti(chain, "no_forms.nii", no_forms)
    seen = by_simpleitk(chain, path)
    if seen:
        axes, origin, _, said = grid_of(chain, "--foreground", at(MIDDLE, *seen), path)
        require(same(axes, seen[0]) and same(origin, seen[1]), f"ITK sees {seen}, we {axes}")
        require("warning:" in said, f"a guessed orientation without a word: {said}")


@case
def nifti_two_forms(chain):
    def both(h):  # the qform says another place
        struct.pack_into("<2h", h, 252, 1, 2)
        struct.pack_into("<3f", h, 268, 500, 500, 500)
    path = nifti(chain, "two_forms.nii", both)
    seen = by_simpleitk(chain, path)
    turned = [[-0.8, 0.0, 0.0], [0.0, -0.9, 0.0], [0.0, 0.0, 3.0]]  # no quaternion: the axes of RAS
    there = [-500, -500, 500]
    axes, origin, _, said = grid_of(chain, "--foreground", at(MIDDLE, turned, there), path)
    require(same(axes, turned) and same(origin, there), f"not the qform: {axes} {origin}")
    require("different places" in said, f"nothing is said: {said}")
    require(not seen or (same(axes, seen[0]) and same(origin, seen[1])), f"ITK sees {seen}")


@case
def nifti_single_slice_spacing(chain):
    def flat(h):
        struct.pack_into("<8h", h, 40, 3, SIZE[0], SIZE[1], 1, 1, 1, 1, 1)
    path = nifti(chain, "flat.nii", flat, voxels()[:SIZE[0] * SIZE[1]])
    axes, _, _, _ = grid_of(chain, "--foreground", at((11, 9, 0)), path)
    require(same(axes, AXES), f"one slice of 3 mm: {axes}")


@case
def nifti_four_dimensions(chain):
    def four(h):
        struct.pack_into("<8h", h, 40, 4, SIZE[0], SIZE[1], SIZE[2] // 2, 2, 1, 1, 1)
    refused(chain, 2, "4|volumes|time", "--foreground", at((11, 9, 1)),
            nifti(chain, "four.nii", four))


@case
def nifti_not_a_number(chain):
    def floats(h):
        struct.pack_into("<2h", h, 70, 16, 32)
    nan = struct.pack("<f", float("nan"))
    some = b"".join(nan if n % 7 == 0 else struct.pack("<f", v) for n, v in enumerate(voxels()))
    _, _, count, _ = grid_of(chain, "--foreground", at(MIDDLE),
                             nifti(chain, "some_nan.nii", floats, some))
    require(count > 0, "NaN in some voxels hides the object")
    refused(chain, 2, "NaN|number|finite|values", "--foreground", at(MIDDLE),
            nifti(chain, "all_nan.nii", floats, nan * len(voxels())))


@case
def gzip_damaged(chain):
    def flip(content):
        return content[:-6] + bytes([content[-6] ^ 1]) + content[-5:]
    refused(chain, 2, "damaged|checksum|CRC|corrupt", "--foreground", at(MIDDLE),
            nifti(chain, "flip.nii.gz", packed=True, cut=flip))


@case
def gzip_cut(chain):
    refused(chain, 2, "truncated|end|cut|damaged", "--foreground", at(MIDDLE),
            nifti(chain, "cut.nii.gz", packed=True, cut=lambda c: c[:len(c) // 2]))


@case
def gzip_in_name_only(chain):
    path = nifti(chain, "plain_in_gz.nii.gz")
    code, _, error = tried(chain, "--foreground", at(MIDDLE), path, chain.path("gz.seg.nrrd"))
    require(code == 0 or re.search("gzip", error), f"exit code {code}: {error}")


# ------------------------------------------------------------------------------------------- NRRD

def nrrd(chain, name, extra="", data=None, head=None):
    directions = " ".join("(" + numbers(axis) + ")" for axis in AXES)
    head = head or ("NRRD0005\ntype: uchar\ndimension: 3\nspace: left-posterior-superior\n"
                    f"sizes: {SIZE[0]} {SIZE[1]} {SIZE[2]}\nspace directions: {directions}\n"
                    "kinds: domain domain domain\nencoding: raw\n"
                    f"space origin: ({numbers(ORIGIN)})\n")
    with open(chain.path(name), "wb") as stream:
        stream.write((head + extra + "\n").encode() + (voxels() if data is None else data))
    return chain.path(name)


@case
def nrrd_micron(chain):
    path = nrrd(chain, "micron.nrrd", 'space units: "microns" "microns" "microns"\n')
    code, said, error = tried(chain, "--foreground", at(MIDDLE, [[v / 1000 for v in a] for a in AXES],
                                                        [v / 1000 for v in ORIGIN]), path,
                              chain.path("nrrd_micron.seg.nrrd"))
    if code != 0:  # read as millimetres: then it must be said
        axes, _, _, said = grid_of(chain, "--foreground", at(MIDDLE), path)
        require(same(axes, AXES) and re.search("warning:.*micron", said),
                f"space units are ignored without a word: {said}{error}")


@case
def nrrd_short(chain):
    refused(chain, 2, "truncated", "--foreground", at(MIDDLE),
            nrrd(chain, "short.nrrd", data=voxels()[:100]))


@case
def nrrd_foreign_field(chain):
    path = nrrd(chain, "foreign.nrrd", "AnatomicalOrientation: RAI\n")
    code, _, error = tried(chain, "--foreground", at(MIDDLE), path, chain.path("f.seg.nrrd"))
    require(code == 0 or (code == 2 and "AnatomicalOrientation" in error), f"{code}: {error}")


@case
def nrrd_field_twice(chain):
    refused(chain, 2, "space", "--foreground", at(MIDDLE),
            nrrd(chain, "twice.nrrd", "space: right-anterior-superior\n"))


@case
def segmentation_with_few_keys(chain):
    keys = ("Segment0_ID:=s\nSegment0_Name:=cyst\nSegment0_Color:=1 0 0\nSegment0_LabelValue:=1\n"
            "Segment0_Layer:=0\n")
    old = nrrd(chain, "few.seg.nrrd", keys, bytes(int(v > 150) for v in voxels()))
    output = chain.path("kept.seg.nrrd")
    chain.segment("--foreground", at(MIDDLE), "--segmentName", "new", "--initial", old,
                  nrrd(chain, "volume.nrrd"), output)
    names = [v for k, v in read_nrrd(output)[1].items() if re.fullmatch(r"Segment\d+_Name", k)]
    require("cyst" in names and "new" in names, f"segments are {names}")


# ------------------------------------------------------------------------------------------ DICOM

def dicom(chain, name, script):
    """A copy of the liver series changed by a script that sees `sets`, file name -> data set."""
    folder = chain.path(name)
    shutil.copytree(LIVER, folder)
    program = ("import sys, os, pydicom\nfolder = sys.argv[1]\n"
               "sets = {n: pydicom.dcmread(os.path.join(folder, n)) for n in sorted(os.listdir(folder))}\n"
               "pydicom.config.settings.writing_validation_mode = 0\n"
               "def text(d, tag, value):\n"
               "    e = pydicom.dataelem.RawDataElement(pydicom.tag.Tag(tag), 'DS', len(value),"
               " value.encode(), 0, False, True)\n"
               "    d._dict[pydicom.tag.Tag(tag)] = e\n"
               + script +
               "\nfor n, d in sets.items(): d.save_as(os.path.join(folder, n))\n")
    done = subprocess.run([chain.readers, "-c", program, folder], capture_output=True, text=True,
                          check=False)
    if done.returncode != 0 and "No module" in done.stderr:
        Chain.unread.append(folder)
        return None
    require(done.returncode == 0, f"{name} cannot be made: {done.stderr}")
    return folder


def liver_grid(chain, folder):
    return grid_of(chain, "--foreground", LIVER_POINT, folder)[:3]


@case
def dicom_decimal_comma(chain):
    folder = dicom(chain, "comma", "for d in sets.values(): text(d, 0x00280030, '0,810547\\\\0,810547 ')\n")
    if not folder:
        return
    output = chain.path("comma.seg.nrrd")
    code, said, error = tried(chain, "--foreground", LIVER_POINT, folder, output)
    if code == 0:
        axes = triples(read_nrrd(output)[0]["space directions"])
        require(abs(axes[0][0] - 0.810547) < 1e-6 and "warning:" in said, f"{axes}: {said}")
    else:
        require(code == 2 and "0,810547" in error, f"exit code {code}: {error}")


@case
def dicom_comma_between_values(chain):
    folder = dicom(chain, "between", "for d in sets.values(): text(d, 0x00280030, '0.810547,0.810547')\n")
    if folder:
        refused(chain, 2, "0.810547,0.810547", "--foreground", LIVER_POINT, folder)


@case
def dicom_one_spacing(chain):
    folder = dicom(chain, "one", "for d in sets.values(): text(d, 0x00280030, 'N/A ')\n")
    if folder:
        refused(chain, 2, "[Ss]pacing|0028", "--foreground", LIVER_POINT, folder)


@case
def dicom_missing_slice(chain):
    folder = dicom(chain, "gap", "import copy\nlast = list(sets)[-1]\nd = copy.deepcopy(sets[last])\n"
                   "p = [float(v) for v in d.ImagePositionPatient]\n"
                   "step = p[2] - float(sets[list(sets)[-2]].ImagePositionPatient[2])\n"
                   "d.ImagePositionPatient = [p[0], p[1], p[2] + 2 * step]\n"
                   "d.SOPInstanceUID = d.SOPInstanceUID + '.9'\n"
                   "d.file_meta.MediaStorageSOPInstanceUID = d.SOPInstanceUID\nsets['9.dcm'] = d\n")
    if folder:
        refused(chain, 2, "--allowGaps", "--foreground", LIVER_POINT, folder)


@case
def dicom_localizer(chain):
    folder = dicom(chain, "localizer", "import copy\nd = copy.deepcopy(list(sets.values())[0])\n"
                   "d.ImageOrientationPatient = [1, 0, 0, 0, 0, -1]\n"
                   "d.SOPInstanceUID = d.SOPInstanceUID + '.8'\n"
                   "d.file_meta.MediaStorageSOPInstanceUID = d.SOPInstanceUID\nsets['8.dcm'] = d\n")
    if not folder:
        return
    code, said, error = tried(chain, "--foreground", LIVER_POINT, folder, chain.path("l.seg.nrrd"))
    require((code == 2 and "--series" in error) or (code == 0 and "warning:" in said),
            f"another orientation in the series: exit code {code}: {said}{error}")


@case
def dicom_duplicate_slice(chain):
    wanted = liver_grid(chain, LIVER)
    folder = dicom(chain, "duplicate", "import copy\nd = copy.deepcopy(list(sets.values())[0])\n"
                   "sets['7.dcm'] = d\n")
    if not folder:
        return
    output = chain.path("duplicate.seg.nrrd")
    code, said, error = tried(chain, "--foreground", LIVER_POINT, folder, output)
    if code == 0:
        require(triples(read_nrrd(output)[0]["space directions"]) == wanted[0] and "warning:" in said,
                f"the same slice twice: {said}")
    else:
        require(code == 2 and "--series" in error or "twice" in error or "same" in error,
                f"the same slice twice: {error}")


@case
def dicom_names_without_order(chain):
    wanted = liver_grid(chain, LIVER)
    folder = chain.path("names")
    os.makedirs(folder)
    for name, new in zip(sorted(os.listdir(LIVER)), ("zz", "aa", "mm")):
        shutil.copy(os.path.join(LIVER, name), os.path.join(folder, new))
    require(liver_grid(chain, folder) == wanted, "the names of files decide about slices")


@case
def dicom_names_beyond_ascii(chain):
    folder = chain.path("Sättiger Bauch · 肺")
    shutil.copytree(LIVER, folder)
    require(liver_grid(chain, folder) == liver_grid(chain, LIVER), "a path beyond ASCII")
    shutil.copy(nrrd(chain, "v.nrrd"), chain.path("肺结节.nrrd"))
    grid_of(chain, "--foreground", at(MIDDLE), chain.path("肺结节.nrrd"))


@case
def dicom_in_another_locale(chain):
    wanted = liver_grid(chain, LIVER)
    old = dict(os.environ)
    os.environ.update(LC_ALL="de_DE.UTF-8", LC_NUMERIC="de_DE.UTF-8")
    try:
        require(liver_grid(chain, LIVER) == wanted, "numbers depend on the locale")
    finally:
        os.environ.clear()
        os.environ.update(old)


# ---------------------------------------------------------------------------------------- prompts

@case
def markups_in_ras(chain):
    volume = nrrd(chain, "volume.nrrd")
    place = [float(v) for v in at(MIDDLE).split(",")]
    results = []
    for system, sign in (("LPS", 1), ("RAS", -1)):
        path, output = chain.path(f"p_{system}.mrk.json"), chain.path(f"p_{system}.seg.nrrd")
        position = [sign * place[0], sign * place[1], place[2]]
        with open(path, "w", encoding="utf-8") as stream:
            stream.write('{"markups": [{"type": "Fiducial", "coordinateSystem": "%s", '
                         '"controlPoints": [{"label": "F-1", "position": %r}]}]}'
                         % (system, position))
        chain.segment("--prompts", path, volume, output)
        results.append(read_nrrd(output)[2])
    require(any(results[0]) and results[0] == results[1], "LPS and RAS mark different voxels")


def check_page():
    """Every case has a row, every row a case. The names of those whose verdict is **wrong**."""
    with open(PAGE, encoding="utf-8") as stream:
        rows = re.findall(r"^\| `([a-z_]+)` \|.*\| ([^|]*) \|$", stream.read(), re.M)
    names = [name for name, _ in CASES]
    require(sorted(row[0] for row in rows) == sorted(names),
            f"reports.md and the cases differ: {set(row[0] for row in rows) ^ set(names)}")
    return {name for name, verdict in rows if verdict.startswith("**wrong**")}


def main():
    chain = Chain()
    wrong = check_page()
    failed = set()
    for name, function in CASES:
        print(f"== {name}", flush=True)
        try:
            function(chain)
        except SystemExit:
            failed.add(name)
    print(f"{len(CASES)} reports, {len(failed)} read wrongly")
    for name in failed - wrong:
        print(f"FAILED: {name}")
    for name in wrong - failed if not Chain.unread else ():
        print(f"FAILED: reports.md calls {name} wrong, and it is right now")
    require(failed == wrong or (Chain.unread and failed <= wrong), "see above")


if __name__ == "__main__":
    run(main)
