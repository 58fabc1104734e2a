"""The extension as Slicer's build and catalogue take it."""

import json
import platform
import shutil
import struct
import subprocess
import zipfile
from pathlib import Path

import pytest
from conftest import ROOT, STAGE

EXTENSION = ROOT / "plugin/slicer"
# of the catalogue's schema, version 1.0.2
REQUIRED, ALLOWED = {"$schema", "category", "scm_url"}, {
    "$schema", "category", "scm_url", "scm_revision", "scm_type", "build_dependencies",
    "dicom_support_rule", "build_subdirectory", "enabled", "tier"}

SLICER_CONFIG = """
set(Slicer_USE_FILE "${CMAKE_CURRENT_LIST_DIR}/nothing.cmake")
set(Slicer_EXTENSION_GENERATE_CONFIG "${CMAKE_CURRENT_LIST_DIR}/nothing.cmake")
set(Slicer_EXTENSION_CPACK "${CMAKE_CURRENT_LIST_DIR}/nothing.cmake")
set(Slicer_INSTALL_CLIMODULES_BIN_DIR "lib/Slicer-5.12/cli-modules")
set(Slicer_INSTALL_QTSCRIPTEDMODULES_LIB_DIR "lib/Slicer-5.12/qt-scripted-modules")
"""


def test_the_entry_of_the_catalogue():
    entry = json.loads((EXTENSION / "PromptSeg.json").read_text())
    assert REQUIRED <= set(entry) <= ALLOWED and entry["scm_type"] in ("git", "local")
    assert entry["tier"] in (1, 3, 5) and isinstance(entry["build_dependencies"], list)


@pytest.mark.parametrize("name, size", [("PromptSeg.png", 128),
                                        ("PromptSegLive/Resources/Icons/PromptSegLive.png", 128)])
def test_icons(name, size):
    header = (EXTENSION / name).read_bytes()[:24]
    assert header[:8] == b"\x89PNG\r\n\x1a\n" and struct.unpack(">II", header[16:]) == (size, size)


@pytest.fixture
def slicer(tmp_path):
    """The names that Slicer's own configuration sets; there is no Slicer build here."""
    if shutil.which("cmake") is None:
        pytest.skip("cmake is not there")
    folder = tmp_path / "slicer"
    folder.mkdir()
    (folder / "SlicerConfig.cmake").write_text(SLICER_CONFIG)
    (folder / "nothing.cmake").write_text("")
    return folder


def test_the_package_without_programs_takes_its_platforms_wheel(tmp_path, slicer):
    """As for Windows and macOS: the live module with the library out of the wheel, and no other
    system's."""
    system = {"x86_64": "manylinux2014_x86_64", "aarch64": "manylinux2014_aarch64"}[platform.machine()]
    wheel = tmp_path / f"promptseg-0.3.0-py3-none-{system}.whl"
    with zipfile.ZipFile(wheel, "w") as file:
        for path in sorted((STAGE / "promptseg").rglob("*")):
            if path.is_file() and "__pycache__" not in path.parts:
                file.write(path, path.relative_to(STAGE))
        file.writestr("promptseg-0.3.0.dist-info/METADATA", "Name: promptseg\n")
    def configure(wheel):
        return subprocess.run(["cmake", "-S", EXTENSION, "-B", tmp_path / "build",
                               f"-DSlicer_DIR={slicer}", f"-DPROMPTSEG_WHEEL={wheel}"],
                              capture_output=True, text=True)
    made = configure(wheel)
    assert made.returncode == 0, made.stderr
    subprocess.run(["cmake", "--install", tmp_path / "build", "--prefix", tmp_path / "package"],
                   check=True, stdout=subprocess.DEVNULL)
    modules = tmp_path / "package/lib/Slicer-5.12/qt-scripted-modules"
    for name in ("PromptSegLive.py", "promptseg/libsegmodel.so", "promptseg/__init__.py",
                 "promptseg/models/promptseg-lite.safetensors", "promptseg/models/README.md",
                 "promptseg/LICENSE", "promptseg_live/LICENSE", "promptseg_mrml/structures.csv",
                 "promptseg_mrml/palette.csv", "SegmentEditorPromptSegLib/SegmentEditorEffect.py"):
        assert (modules / name).read_bytes() == (STAGE / name).read_bytes(), name
    assert not (tmp_path / "package/lib/Slicer-5.12/cli-modules").exists()
    other = wheel.with_name("promptseg-0.3.0-py3-none-win_amd64.whl")
    shutil.copy(wheel, other)
    refused = configure(other)
    assert refused.returncode and "is not for this system" in " ".join(refused.stderr.split())


def test_the_package_holds_what_slicer_looks_for(tmp_path, slicer):
    """Installed as Slicer's packer does."""
    built = tmp_path / "installed"
    for folder in ("bin", "lib/promptseg", "share/promptseg/models", "share/promptseg/licences"):
        (built / folder).mkdir(parents=True)
    (built / "bin/PromptSeg").write_text("#!/bin/sh\n")
    (built / "bin/PromptSeg").chmod(0o755)
    (built / "bin/PromptSeg.xml").write_text("<?xml version='1.0'?>")
    shutil.copytree(STAGE, built / "slicer", ignore=shutil.ignore_patterns("__pycache__"))
    command = ["cmake", "-S", EXTENSION, "-B", tmp_path / "build", f"-DSlicer_DIR={slicer}",
               f"-DPROMPTSEG_INSTALLED={built}"]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    subprocess.run(["cmake", "--install", tmp_path / "build", "--prefix", tmp_path / "package"],
                   check=True, stdout=subprocess.DEVNULL)
    root = tmp_path / "package/lib/Slicer-5.12"
    program = root / "cli-modules/PromptSeg"
    assert program.stat().st_mode & 0o100 and program.with_suffix(".xml").exists()
    assert (root / "share/promptseg/models").is_dir() and (root / "lib/promptseg").is_dir()
    assert (root / "share/promptseg/licences").is_dir()
    modules = root / "qt-scripted-modules"
    for name in ("PromptSegLive.py", "promptseg/libsegmodel.so", "promptseg_mrml/structures.csv",
                 "promptseg/LICENSE", "promptseg/models/README.md", "promptseg_live/logic.py", "Resources/Icons/PromptSegLive.png", "SegmentEditorPromptSeg.py",
                 "SegmentEditorPromptSegLib/SegmentEditorEffect.py"):
        assert (modules / name).is_file(), name
    wrong = subprocess.run([*command[:-1], f"-DPROMPTSEG_INSTALLED={Path('/nowhere')}"],
                           capture_output=True, text=True)
    assert wrong.returncode and "no installation of PromptSeg" in wrong.stderr


def test_the_pages_wheel_has_its_licence(tmp_path):
    """What scikit-build-core packs is what CMake installs."""
    if shutil.which("cmake") is None:
        pytest.skip("cmake is not there")
    subprocess.run(["cmake", "-S", ROOT / "plugin/web", "-B", tmp_path / "build"], check=True,
                   stdout=subprocess.DEVNULL)
    subprocess.run(["cmake", "--install", tmp_path / "build", "--prefix", tmp_path / "wheel"], check=True,
                   stdout=subprocess.DEVNULL)
    for package in ("promptseg_web", "promptseg_live", "promptseg_mrml"):
        assert (tmp_path / "wheel" / package / "LICENSE").read_bytes() == (ROOT / "LICENSE").read_bytes()
