"""MRML nodes seen by PromptSeg: volumes, prompts, segments. No Qt, so that 3D Slicer, slicer-core and
a page in a browser share it.

World coordinates of MRML are RAS millimetres, those of the model library LPS: they meet here and
nowhere else. Everything must be called on the thread that owns the scene.
"""

from .errors import SceneError
from .prompts import (
    Box,
    Click,
    box_of_roi,
    clicks_of_list,
    is_background,
    prompt_lists,
    prompts_of_nodes,
    write_clicks,
)
from .segments import Editor, Voxels
from .terminology import add_segment, terminology_entry
from .volumes import View, affine_of, is_hounsfield, view_of

__all__ = [
    "Box", "Click", "Editor", "SceneError", "View", "Voxels", "add_segment", "affine_of",
    "box_of_roi", "clicks_of_list", "is_background", "is_hounsfield", "prompt_lists",
    "prompts_of_nodes", "terminology_entry", "view_of", "write_clicks",
]
