"""What is taken elsewhere: the prompts of all segments, and which masks they give there."""

from __future__ import annotations

from typing import List, Optional, Tuple

from .batch import Prompted
from .known import KnownSegments
from .marks import Asked
from .scene_prompts import ScenePrompts
from .steps import State
from .work import Work


class Exports:
    def __init__(self, work: Work, prompts: ScenePrompts, known: KnownSegments) -> None:
        self._work, self._prompts, self._known = work, prompts, known

    def prompted(self) -> List[Prompted]:
        """All segments, for write_manifest: asked there as they were here, or where that is not known,
        as the options are now."""
        out = []
        for segment_id, found, asked in self._answers():
            axis, options = (asked.axis, asked.options) if asked \
                else (found.axis or "", self._work.options_now())
            out.append(Prompted(self._work.name(segment_id), self._prompts.nodes(segment_id), axis, options))
        return out

    def not_from_prompts(self) -> str:
        """Says of which segments their prompts and the options alone do not give the mask; "": of none."""
        editor = self._work.editor
        resampled = editor.is_resampled
        names = [self._work.name(segment_id) for segment_id, found, asked in self._answers()
                 if (found or editor.read(segment_id))
                 and (asked is None or resampled or asked.options.model != self._work.options.model)]
        return ("" if not names else
                f"Prompts alone do not give the mask of {', '.join(names)}: it was made on one slice only, "
                "by another tool too, under rules, on another grid, with other weights, or is not complete.")

    def _answers(self) -> List[Tuple[str, State, Optional[Asked]]]:
        """Of each segment: ID, prompts, and how they were asked for to give its mask."""
        out = []
        for segment_id in self._work.editor.segment_ids():
            found = self._prompts.read(segment_id)
            asked = self._known.asked(segment_id, self._work.editor.read(segment_id), found)
            out.append((segment_id, found, asked))
        return out
