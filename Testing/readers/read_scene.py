#!/usr/bin/env python3
"""Imports a scene with 3D Slicer's own code and prints what it sees as JSON.

usage: read_scene.py SCENE.mrml [SAVE-AS.mrml]     with SAVE-AS, the scene is written again by Slicer
Exit status: 0 imported, 1 refused, 77 slicer-core is not installed.
"""
import json
import os
import sys

try:
    import slicer
    import vtk
except ImportError as error:
    print(f"absent, not checked against: {error.name}")
    sys.exit(77)


def new_scene():
    vtk.vtkLogger.SetStderrVerbosity(vtk.vtkLogger.VERBOSITY_ERROR)
    scene = slicer.vtkMRMLScene()
    # without a cache reading crashes, without the logic segments have no representations
    scene.helpers = [slicer.vtkCacheManager(), slicer.vtkSlicerSegmentationsModuleLogic()]
    scene.SetCacheManager(scene.helpers[0])
    scene.helpers[1].SetMRMLScene(scene)
    for name in ("ScalarVolumeNode", "ScalarVolumeDisplayNode", "VectorVolumeNode",
                 "VectorVolumeDisplayNode", "VolumeArchetypeStorageNode", "SegmentationNode",
                 "SegmentationDisplayNode", "SegmentationStorageNode", "MarkupsFiducialNode",
                 "MarkupsROINode", "MarkupsFiducialDisplayNode", "MarkupsROIDisplayNode",
                 "MarkupsJsonStorageNode", "MarkupsROIJsonStorageNode", "LinearTransformNode",
                 "TransformStorageNode"):
        scene.RegisterNodeClass(getattr(slicer, "vtkMRML" + name)())
    return scene


def nodes(scene, name):
    return [scene.GetNthNodeByClass(i, name) for i in range(scene.GetNumberOfNodesByClass(name))]


def lps(ras):
    return [-ras[0], -ras[1], ras[2]]


def describe_volume(node):
    matrix = vtk.vtkMatrix4x4()
    node.GetIJKToRASMatrix(matrix)
    image = node.GetImageData()
    return {"name": node.GetName(), "size": list(image.GetDimensions()) if image else None,
            "range": list(image.GetScalarRange()) if image else None,
            "lps": [lps([matrix.GetElement(r, c) for r in range(3)]) for c in range(4)]}


def describe_segmentation(node):
    found = []
    segmentation = node.GetSegmentation()
    for i in range(segmentation.GetNumberOfSegments()):
        segment = segmentation.GetNthSegment(i)
        labels = segment.GetRepresentation("Binary labelmap")
        count = vtk.vtkImageAccumulate()
        count.SetInputData(labels)
        count.IgnoreZeroOff()
        value = segment.GetLabelValue()
        count.SetComponentExtent(value, value, 0, 0, 0, 0)
        count.SetComponentOrigin(0, 0, 0)
        count.SetComponentSpacing(1, 1, 1)
        count.Update()
        found.append({"name": segment.GetName(),
                      "voxels": int(count.GetOutput().GetScalarComponentAsDouble(value, 0, 0, 0))})
    reference = node.GetNodeReference("referenceImageGeometryRef")
    return {"segments": found, "volume": reference.GetName() if reference else None,
            "display": node.GetDisplayNode() is not None}


def describe_points(node):
    points = []
    for i in range(node.GetNumberOfControlPoints()):
        ras = [0.0, 0.0, 0.0]
        node.GetNthControlPointPositionWorld(i, ras)
        points.append({"lps": lps(ras), "label": node.GetNthControlPointLabel(i),
                       "description": node.GetNthControlPointDescription(i)})
    return {"name": node.GetName(), "points": points}


def describe_box(node):
    centre, size = [0.0] * 3, [0.0] * 3
    node.GetCenterWorld(centre)
    node.GetSizeWorld(size)
    matrix = node.GetObjectToWorldMatrix()
    return {"name": node.GetName(), "centre": lps(centre), "size": size,
            "axes": [lps([matrix.GetElement(r, c) for r in range(3)]) for c in range(3)]}


def main(path, save_as=None):
    scene = new_scene()
    path = os.path.abspath(path)
    scene.SetURL(path)
    scene.SetRootDirectory(os.path.dirname(path))
    if scene.Import() != 1:
        print("3D Slicer does not import the scene")
        return 1
    print(json.dumps({
        "volumes": [describe_volume(n) for n in nodes(scene, "vtkMRMLScalarVolumeNode")],
        "segmentations": [describe_segmentation(n)
                          for n in nodes(scene, "vtkMRMLSegmentationNode")],
        "points": [describe_points(n) for n in nodes(scene, "vtkMRMLMarkupsFiducialNode")],
        "boxes": [describe_box(n) for n in nodes(scene, "vtkMRMLMarkupsROINode")]}))
    if save_as:
        scene.SetURL(os.path.abspath(save_as))
        scene.SetRootDirectory(os.path.dirname(os.path.abspath(save_as)))
        return 0 if scene.Commit(save_as) else 1
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
