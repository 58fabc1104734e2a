"""A scene with the logics that Slicer has, volumes of all kinds, and the demo's case."""

import json
import os
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[3]
STAGE = Path(os.environ.get("PROMPTSEG_STAGE", ROOT / "build/release/slicer"))
BIN = Path(os.environ.get("PROMPTSEG_BIN", ROOT / "build/release/bin"))
DEMO = ROOT / "resources/demo"
sys.path.insert(0, str(STAGE))
sys.dont_write_bytecode = True

import slicer  # noqa: E402
import vtk  # noqa: E402
from vtk.util import numpy_support  # noqa: E402

from promptseg_live import LiveLogic, Options  # noqa: E402
from promptseg_mrml.volumes import vtk_matrix_of  # noqa: E402


class World:
    """A scene, with what Slicer's application keeps beside it."""

    def __init__(self):
        self.scene = slicer.vtkMRMLScene()
        self.application = slicer.vtkSlicerApplicationLogic()
        self.application.SetMRMLScene(self.scene)
        self.threaded = False
        self.folder = tempfile.TemporaryDirectory()
        self.cache = slicer.vtkCacheManager()  # without it, reading files crashes
        self.cache.SetRemoteCacheDirectory(self.folder.name)
        self.scene.SetCacheManager(self.cache)
        self.files = slicer.vtkDataIOManager()
        self.files.SetCacheManager(self.cache)
        self.scene.SetDataIOManager(self.files)
        self.logics = []
        for kind in ("vtkSlicerSegmentationsModuleLogic", "vtkSlicerVolumesLogic",
                     "vtkSlicerMarkupsLogic",
                     "vtkSlicerSubjectHierarchyModuleLogic"):
            if hasattr(slicer, kind):
                logic = getattr(slicer, kind)()
                logic.SetMRMLApplicationLogic(self.application)
                logic.SetMRMLScene(self.scene)
                self.logics.append(logic)

    def node(self, kind, name=""):
        return self.scene.AddNewNodeByClass(kind, name)

    def volume(self, array, matrix=None, name="volume"):
        """array (k, j, i) or (k, j, i, 3); matrix: IJK to RAS."""
        array = np.ascontiguousarray(array)
        colour = array.ndim == 4
        image = vtk.vtkImageData()
        image.SetDimensions(*array.shape[2::-1])
        flat = array.reshape(-1, 3) if colour else array.ravel()
        image.GetPointData().SetScalars(numpy_support.numpy_to_vtk(flat, deep=True))
        node = self.node("vtkMRMLVectorVolumeNode" if colour else "vtkMRMLScalarVolumeNode", name)
        node.SetAndObserveImageData(image)
        node.SetIJKToRASMatrix(vtk_matrix_of(np.eye(4) if matrix is None else np.asarray(matrix, float)))
        return node

    def transform(self, matrix, name="transform"):
        node = self.node("vtkMRMLLinearTransformNode", name)
        node.SetMatrixTransformToParent(vtk_matrix_of(np.asarray(matrix, float)))
        return node

    def segmentation(self, volume, name="segmentation"):
        node = self.node("vtkMRMLSegmentationNode", name)
        node.CreateDefaultDisplayNodes()
        node.SetReferenceImageGeometryParameterFromVolumeNode(volume)
        return node

    def load(self, path, labelmap=False):
        """A volume as Slicer reads it."""
        kind = "vtkMRMLLabelMapVolumeNode" if labelmap else "vtkMRMLScalarVolumeNode"
        node = self.node(kind, Path(path).name.split(".")[0])
        storage = self.node("vtkMRMLVolumeArchetypeStorageNode")
        storage.SetFileName(str(path))
        if Path(path).suffix == ".dcm":
            storage.SetSingleFile(0)
        assert storage.ReadData(node), path
        node.SetAndObserveStorageNodeID(storage.GetID())
        return node

    def process_in_a_thread(self):
        """As the application does for its command-line modules."""
        if not self.threaded:
            # Else the whole process is made the nicest one, and on a busy machine stands still.
            os.environ["SLICER_BACKGROUND_THREAD_PRIORITY"] = str(os.getpriority(os.PRIO_PROCESS, 0))
            self.application.CreateProcessingThread()
            self.threaded = True

    def clear(self):
        if self.threaded:
            self.application.TerminateProcessingThread()
        self.scene.Clear(1)


@pytest.fixture
def world():
    made = World()
    yield made
    made.clear()


@pytest.fixture
def brain(world):
    return world.load(DEMO / "brain1/image.nrrd")


def points_of(path):
    """(RAS, inside) of a prompt file, and its ROI as centre and size in RAS."""
    points, rois = [], []
    for markup in json.loads(Path(path).read_text())["markups"]:
        flip = np.array([-1, -1, 1]) if markup.get("coordinateSystem", "LPS") == "LPS" else np.ones(3)
        if markup["type"] == "ROI":
            rois.append((np.array(markup["center"]) * flip, np.array(markup["size"])))
            continue
        for point in markup["controlPoints"]:
            outside = any((point.get(k) or "").startswith("-") for k in ("label", "description"))
            points.append((tuple(np.array(point["position"]) * flip), not outside))
    return points, rois


@pytest.fixture
def tumour():
    """Clicks on the demo's tumour, RAS."""
    return [place for place, inside in points_of(DEMO / "brain1/prompts.mrk.json")[0] if inside]


@pytest.fixture
def logic(world):
    made = LiveLogic(world.scene, Options(threads=1))  # the tests share the machine
    yield made
    made.close()


def settle(logic, seconds=400, until=None):
    """Runs the event loop's part until nothing is to come (or `until` says so)."""
    deadline = time.monotonic() + seconds
    while logic.pump():
        if until is not None and until():
            return
        assert time.monotonic() < deadline, logic.status
        time.sleep(0.002)


def content(logic, segment_id=None):
    """What a segment holds, as an array of the volume's shape (k, j, i)."""
    import promptseg_mrml

    view = promptseg_mrml.view_of(logic.volume)
    voxels = promptseg_mrml.Editor(logic.segmentation, logic.volume, view).read(
        segment_id or logic.segment_id)
    return voxels.over((0, 0, 0), tuple(n - 1 for n in view.size))


@pytest.fixture
def blob(world):
    """A bright ellipsoid in noise: found by the bundled model in a moment, thin enough to be quick."""
    k, j, i = np.mgrid[:9, :96, :112]
    inside = ((k - 4) / 3.2) ** 2 + ((j - 50) / 16) ** 2 + ((i - 60) / 21) ** 2 < 1
    array = np.random.default_rng(3).normal(60, 9, inside.shape) + 90 * inside
    matrix = [[0.8, 0, 0, -40], [0, 0.8, 0, -35], [0, 0, 3, -10], [0, 0, 0, 1]]
    node = world.volume(array.astype(np.int16), matrix, "blob")
    node.truth = inside
    return node


def ras_of(node, ijk):
    from promptseg_mrml import affine_of

    return tuple((affine_of(node) @ [*ijk, 1])[:3])
