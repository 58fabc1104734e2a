"""The logic of live segmentation: clicks in, segments changed, without widgets.

``LiveLogic`` is what 3D Slicer's module PromptSegLive, the page of promptseg-web and the tests use.
"""

from .batch import Prompted, write_manifest, write_prompts
from .logic import LiveLogic
from .status import Status
from .steps import State, Step
from .worker import AS_SHOWN, Options, Worker

__all__ = ["AS_SHOWN", "LiveLogic", "Options", "Prompted", "State", "Status", "Step", "Worker",
           "write_manifest", "write_prompts"]
