"""PromptSeg in a browser: ``promptseg-web volume.nrrd`` opens a page with slices and a 3D view.

The logic is that of 3D Slicer's module (promptseg_live), the views are Slicer's own (trame-slicer).
"""

from .app import WebApp, main

__all__ = ["WebApp", "main"]
