"""Prompts of the scene that a step has nothing to do with: of another front end, or not asked yet."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from difflib import SequenceMatcher
from typing import Any, Dict, Iterable, Tuple

from promptseg_mrml import Click

from .steps import State


def led_from(old: State, state: State, found: State) -> State:
    """The state, led to from the old one, with what the scene (``found``) holds beside the old one's
    prompts. Those of them that were moved stay so, those that were removed do not come back."""
    clicks, more = _led(old.clicks, state.clicks, found.clicks, found.used)
    boxes, more_boxes = _led(old.boxes, state.boxes, found.boxes)
    used, _ = _led(old.clicks, state.used, found.clicks, found.used)
    more_used = _without(found.used, old.used + old.clicks + used)
    axis = found.axis or state.axis if more or more_boxes else state.axis
    return replace(state, clicks=clicks + more, boxes=boxes + more_boxes, used=used + more_used, axis=axis)


def _led(old: Tuple, wanted: Tuple, found: Tuple, used: Tuple = ()) -> Tuple[Tuple, Tuple]:
    """The wanted prompts as the user has left them, and those of the scene that are none of the old ones."""
    edited, more = _edits(_without(old, used), found)
    gone = [one for one in old if edited.get(_key(one), one) is None]
    out = tuple(edited.get(_key(one)) or one for one in _without(wanted, gone))
    return out, _without(more, _without(wanted, old))


def _edits(old: Tuple, found: Tuple) -> Tuple[Dict[Tuple, Any], Tuple]:
    """By the keys of old prompts where they were moved to, None: they are not there; and the others that
    are. As many in the place of as many, between two that are as they were, were moved."""
    edited, more = {}, ()
    match = SequenceMatcher(None, [*map(_key, old)], [*map(_key, found)], autojunk=False)
    for what, first, last, begin, end in match.get_opcodes():
        if what != "equal":
            common = min(last - first, end - begin)
            for n, one in enumerate(old[first:last]):
                edited[_key(one)] = found[begin + n] if n < common else None
            more += found[begin + common:end]
    return edited, more


def _key(prompt: Any) -> Tuple:
    """What prompts are told apart by: the scene gives numbers back that were computed with."""
    numbers = (*prompt.ras, prompt.inside) if isinstance(prompt, Click) else prompt.numbers
    return tuple(round(n, 5) + 0.0 for n in numbers)


def _without(prompts: Iterable, others: Iterable) -> Tuple:
    """Each of the others takes one away that is the same."""
    left, kept = Counter(map(_key, others)), []
    for one in prompts:
        left[_key(one)] -= 1
        if left[_key(one)] < 0:
            kept.append(one)
    return tuple(kept)
