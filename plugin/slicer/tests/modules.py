"""Command-line modules run by Slicer's own logic, with its command line, temporary files and reading."""

import ctypes
import os
import subprocess
import tempfile
import time
from pathlib import Path

import slicer
import slicer_core

HERE = Path(__file__).resolve().parent
LIBRARIES = Path(slicer_core.__file__).parent


def build_shim(folder):
    """The shim, built for this very version of Slicer's libraries."""
    out = Path(folder) / "cli_shim.so"
    subprocess.run([
        os.environ.get("CXX", "g++"), "-shared", "-fPIC", "-O1", "-D_GLIBCXX_USE_CXX11_ABI=0",
        HERE / "cli_shim.cxx", "-o", out, LIBRARIES / "libMRMLCLI.so",
        LIBRARIES / "third_party.libs/libModuleDescriptionParser.so",
        f"-Wl,-rpath,{LIBRARIES}:{LIBRARIES / 'third_party.libs'}", "-Wl,--unresolved-symbols=ignore-all",
    ], check=True)
    library = ctypes.CDLL(str(out))
    library.register_module.argtypes = [ctypes.c_char_p, ctypes.c_char_p]
    return library


class Modules:
    """The programs of a folder as modules of a scene."""

    def __init__(self, world, shim, folder):
        self.scene, self.shim, self.folder = world.scene, shim, Path(folder)
        self.logic = slicer.vtkSlicerCLIModuleLogic()
        self.logic.SetMRMLApplicationLogic(world.application)
        self.logic.SetMRMLScene(self.scene)
        self.scene.RegisterNodeClass(slicer.vtkMRMLCommandLineModuleNode())  # as the application does
        self.temporary = tempfile.TemporaryDirectory()
        world.application.SetTemporaryPath(self.temporary.name)
        world.process_in_a_thread()
        self.application = world.application

    def parse(self, name):
        xml = (self.folder / f"{name}.xml").read_text()
        return self.shim.register_module(xml.encode(), str(self.folder / name).encode())

    def node(self, name, **parameters):
        """A node of the module with these parameters; values are nodes, texts, numbers or lists."""
        assert self.parse(name) == 0
        title = {"PromptSegBatch": "PromptSeg Batch", "PromptSegEvaluate": "PromptSeg Evaluate",
                 "PromptSegEverything": "PromptSeg Everything"}.get(name, name)
        node = slicer.vtkMRMLCommandLineModuleNode()
        self.scene.AddNode(node)
        node.SetModuleDescription(title)
        assert node.GetModuleTitle() == title, node.GetModuleTitle()
        if name == "PromptSeg":  # the tests share the machine
            parameters.setdefault("threads", 1)
        for key, value in parameters.items():
            if hasattr(value, "GetID"):
                node.SetParameterAsNode(key, value)
            elif isinstance(value, bool):
                node.SetParameterAsBool(key, value)
            else:
                node.SetParameterAsString(key, str(value))
        return node

    def run(self, name, **parameters):
        node = self.node(name, **parameters)
        self.logic.ApplyAndWait(node, False)
        return node

    def start(self, node):
        self.logic.Apply(node, False)

    def wait(self, node, until=None, seconds=400):
        """Slicer's event loop: reads progress and results back."""
        deadline = time.monotonic() + seconds
        while node.IsBusy():
            self.application.ProcessModified()
            self.application.ProcessReadData()
            if until is not None and until(node):
                return
            assert time.monotonic() < deadline, node.GetStatusString()
            time.sleep(0.01)
        self.application.ProcessModified()
        self.application.ProcessReadData()
