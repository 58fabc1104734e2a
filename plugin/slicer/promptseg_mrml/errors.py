"""What a scene can lack."""

from __future__ import annotations


class SceneError(ValueError):
    """Something in the scene is not as it must be; the sentence is for the user."""
