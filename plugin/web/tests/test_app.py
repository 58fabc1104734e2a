"""The page's program without a browser: what it opens, what it saves, what it says."""

import os
import sys
import time
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
STAGE = Path(os.environ.get("PROMPTSEG_STAGE", ROOT / "build/release/slicer"))
sys.path[:0] = [str(ROOT / "plugin/web"), str(STAGE)]

from test_page import serving, write_volume  # noqa: E402

HASTY = """  # wslink waits for a browser a second, not 300, if it is not told otherwise
import trame_server.core as core
from promptseg_web import main

begin = core.Server.start

def start(server, **given):
    server.cli.set_defaults(timeout=1)
    return begin(server, **given)

core.Server.start = start
main()
"""


# ---------------------------------------------------------------------------------------- the server


def test_a_server_that_nobody_looks_at_stays(tmp_path):
    """Else what was not saved would be gone."""
    write_volume(tmp_path / "volume.nrrd")
    with serving(tmp_path, "volume.nrrd", ("-c", HASTY)) as address:
        time.sleep(4)
        assert urllib.request.urlopen(address, timeout=30).status == 200
