"""The module and the Segment Editor's effect in one scene: neither disturbs the other."""

import numpy as np
import pytest
from conftest import content, ras_of, settle
from test_effect import made, press, view  # noqa: F401 - fixtures
from test_widgets import _click, _enter, module, widget  # noqa: F401 - fixtures

from promptseg_mrml import clicks_of_list, prompt_lists

CENTRE, EDGE, TOP, OUTSIDE = (60, 50, 4), (75, 50, 4), (60, 60, 4), (20, 20, 4)


@pytest.fixture
def both(made, widget, blob):  # noqa: F811
    """The module is open, the effect was used before; both on the effect's first segment."""
    made.deactivate()
    _enter(widget, blob)
    widget.segmentation.currentNode.return_value = made.live.segmentation
    widget.choose()
    widget.live.choose_segment(made.chosen.GetSelectedSegmentID())
    return made, widget


def _to_the_effect(effect, module_widget):
    module_widget.exit()
    effect.activate()


def _to_the_module(effect, module_widget):
    effect.deactivate()
    module_widget.enter()


def _points(live):
    return prompt_lists(live.segmentation, live.segment_id)[0]


def test_each_has_its_own_rules(both, view, blob):  # noqa: F811
    effect, widget = both  # noqa: F811
    _to_the_effect(effect, widget)
    effect.chosen.SetSourceVolumeIntensityMask(True)
    effect.chosen.SetSourceVolumeIntensityMaskRange(-1000, 100)  # the blob is brighter
    effect.chosen.SetSelectedSegmentID(effect.second)
    press(effect, view, ras_of(blob, CENTRE))
    assert content(effect.live).sum() < 0.1 * blob.truth.sum()
    _to_the_module(effect, widget)
    _click(widget, ras_of(blob, CENTRE))
    found = content(widget.live)
    assert 2 * (found & blob.truth).sum() / (found.sum() + blob.truth.sum()) > 0.85
    # and a scene in which the range leaked before does not keep it
    widget.live.rules.SetSourceVolumeIntensityMask(True)
    widget.exit()
    widget.enter()
    assert not widget.live.rules.GetSourceVolumeIntensityMask()


def test_only_the_one_in_use_answers(both, view, blob):  # noqa: F811
    effect, widget = both  # noqa: F811
    _click(widget, ras_of(blob, CENTRE))
    _to_the_effect(effect, widget)
    press(effect, view, ras_of(blob, EDGE))
    two = content(effect.live)
    assert len(effect.live.state_of().clicks) == 2 and effect.live.state_of().base is None
    press(effect, view, ras_of(blob, OUTSIDE), shift=1)
    effect.take_back()
    assert not widget.live.status.busy
    assert len(clicks_of_list(_points(effect.live))) == _points(effect.live).GetNumberOfControlPoints() == 2
    assert np.array_equal(content(effect.live), two)
    _points(effect.live).InvokeEvent(_points(effect.live).PointEndInteractionEvent)  # no move: nothing
    assert not widget.live.status.busy and not effect.live.status.busy
    _points(effect.live).SetNthControlPointPositionWorld(1, *ras_of(blob, TOP))
    _points(effect.live).InvokeEvent(_points(effect.live).PointEndInteractionEvent)
    assert effect.live.status.busy and not widget.live.status.busy
    settle(effect.live)
    three = content(effect.live)
    # the module goes on from the effect's prompts, and hears of edits again
    _to_the_module(effect, widget)
    assert np.array_equal(content(widget.live), three)
    _points(widget.live).RemoveNthControlPoint(1)
    assert widget.live.status.busy and not effect.live.status.busy
    settle(widget.live)
    state = widget.live.state_of()
    assert len(state.clicks) == 1 and state.base is None and not state.used
    assert _points(widget.live).GetNumberOfControlPoints() == 1


def test_undo_of_the_module_leaves_what_the_effect_did_since(both, view, blob):  # noqa: F811
    effect, widget = both  # noqa: F811
    _click(widget, ras_of(blob, CENTRE))
    one = content(widget.live)
    _to_the_effect(effect, widget)
    press(effect, view, ras_of(blob, (20, 20, 4)))
    more = content(effect.live) & ~one
    assert more.any()
    _to_the_module(effect, widget)
    widget.live.undo()
    assert np.array_equal(content(widget.live) & more, more)
    _click(widget, ras_of(blob, CENTRE))
    assert np.array_equal(content(widget.live) & more, more)
