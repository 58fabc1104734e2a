"""What the binding costs beside the library's calls."""

import time

import pytest

from conftest import processor_time
from promptseg import _model


class Timed:
    """The library with a clock around each call."""

    def __init__(self, library):
        self._library, self.own, self.all, self.volumes = library, 0.0, 0.0, []

    def __getattr__(self, name):
        function = getattr(self._library, name)

        def call(*arguments):
            own, everyone = time.thread_time(), time.process_time()
            try:
                return function(*arguments)
            finally:
                self.own += time.thread_time() - own
                self.all += time.process_time() - everyone
                if name == "sgm_live_volume_create":
                    self.volumes.append(arguments[1]._obj.data)

        return call


@processor_time
@pytest.mark.parametrize("live", [False, True])
def test_the_binding_costs_below_two_percent(model, brain, brain_prompts, monkeypatch, live):
    """Processor time of this thread outside the library's calls, over that of all threads inside
    them: of one and the same run, so that no other program's time is in it."""
    shares = []
    for _ in range(5):
        timed = Timed(_model._library)
        with monkeypatch.context() as patch:
            patch.setattr(_model, "_library", timed)
            start = time.thread_time()
            if live:
                result = model.open(brain).segment(**brain_prompts)
            else:
                result = model.segment(brain, **brain_prompts)
            shares.append((time.thread_time() - start - timed.own) / timed.all)
        assert result.encoded > 0
    print(f"binding: {100 * min(shares):.2f} %")
    assert 0 < min(shares) < 0.02


def test_the_library_sees_the_caller_s_voxels(model, brain, monkeypatch):
    sitk = pytest.importorskip("SimpleITK")
    timed = Timed(_model._library)
    monkeypatch.setattr(_model, "_library", timed)
    voxels = sitk.GetArrayFromImage(brain)
    with model.open(voxels, spacing=brain.GetSpacing()):
        pass
    assert timed.volumes == [voxels.ctypes.data]
