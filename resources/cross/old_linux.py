"""usage: old_linux.py FOLDER amd64|arm64 PIP   Python 3.9 and glibc 2.31 of Debian 11 in a folder, numpy in
FOLDER/site: unpacked and not installed, so that it takes no rights and a minute. Packages are held
against the sums of Debian's list. They come from where this machine's apt takes its own."""
import hashlib
import lzma
import re
import subprocess
import sys
import urllib.request
from pathlib import Path

PACKAGES = """libc6 libgcc-s1 libstdc++6 python3.9-minimal libpython3.9-minimal libpython3.9-stdlib zlib1g
 libexpat1 libffi7 libbz2-1.0 liblzma5 libssl1.1 libuuid1 libmpdec3 libcrypt1""".split()
NUMPY = "numpy==2.0.2"


def fetch(place):
    with urllib.request.urlopen(place, timeout=60) as answer:
        return answer.read()


def find_archive(listed):
    """The first of apt's archives that has Debian 11, and the list of packages in it."""
    said = subprocess.run(["apt-get", "indextargets", "--format", "$(REPO_URI)", "Created-By: Packages"],
                          check=True, capture_output=True, text=True).stdout
    tried = {}
    for archive in dict.fromkeys(said.split()):
        try:
            return archive, lzma.decompress(fetch(archive + listed)).decode()
        except OSError as error:
            tried[archive] = error
    sys.exit(f"old_linux: none of apt's archives has Debian 11: {tried}")


def unpack(folder, architecture):
    archive, listed = find_archive(f"dists/bullseye/main/binary-{architecture}/Packages.xz")
    paragraphs = {p[9:p.index("\n")]: p for p in listed.split("\n\n") if p.startswith("Package: ")}
    for name in PACKAGES:
        field = dict(re.findall(r"^(Filename|SHA256): (\S+)$", paragraphs[name], re.M))
        data = fetch(archive + field["Filename"])
        if hashlib.sha256(data).hexdigest() != field["SHA256"]:
            sys.exit(f"old_linux: {field['Filename']} is not what Debian's list says")
        deb = folder.parent / f"{name}.deb"
        deb.write_bytes(data)
        subprocess.run(["dpkg", "-x", deb, folder], check=True)
        deb.unlink()


def main():
    folder, architecture, pip = Path(sys.argv[1]), sys.argv[2], sys.argv[3]
    if (folder / "ready-1").exists():
        return
    folder.mkdir(parents=True, exist_ok=True)
    unpack(folder, architecture)
    machine = {"amd64": "x86_64", "arm64": "aarch64"}[architecture]
    subprocess.run([pip, "install", "--quiet", "--disable-pip-version-check", "--no-compile", "--target",
                    folder / "site", "--python-version", "3.9", "--platform", f"manylinux2014_{machine}",
                    "--only-binary=:all:", NUMPY], check=True)
    (folder / "ready-1").touch()


if __name__ == "__main__":
    main()
