"""The page in headless Chromium, with real clicks. Pictures of it are kept ($PROMPTSEG_WORK)."""

import contextlib
import gzip
import json
import os
import re
import shutil
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path

import numpy as np
import pytest
import slicer
import vtk
from selenium import webdriver
from selenium.common.exceptions import TimeoutException
from selenium.webdriver import ActionChains, Keys
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait
from vtk.util.numpy_support import vtk_to_numpy

ROOT = Path(__file__).resolve().parents[3]
BIN = Path(os.environ.get("PROMPTSEG_BIN", ROOT / "build/release/bin"))
sys.path[:0] = [str(ROOT / "plugin/web"), os.environ.get("PROMPTSEG_STAGE", str(ROOT / "build/release/slicer"))]
WORK = Path(os.environ.get("PROMPTSEG_WORK", "."))
SECONDS = 240  # the machine may be busy
FIRST_COLOUR = np.array([60, 180, 100])  # io/src/segmentation_colours.c


FAILING = """  # no view can be drawn while there is a file "fail"
import os
from promptseg_web import main, views

drawing = views.RcaWindow.img_cols_rows

def draw(window):
    if os.path.exists("fail"):
        raise MemoryError("no room")
    return drawing.fget(window)

views.RcaWindow.img_cols_rows = property(draw)
main()
"""
SLOW = """  // every picture takes the browser window.late milliseconds more to decode, however it does it
window.late = 0;
const decode = window.createImageBitmap;
window.createImageBitmap = (...all) => new Promise((done, failed) =>
  setTimeout(() => decode(...all).then(done, failed), window.late));
const source = Object.getOwnPropertyDescriptor(HTMLImageElement.prototype, "src");
Object.defineProperty(HTMLImageElement.prototype, "src", { ...source, set(url) {
  if (this.isConnected) source.set.call(this, url);
  else setTimeout(() => source.set.call(this, url), window.late);
} });
"""


def write_volume(path):
    """A bright and a grey ellipsoid in noise, as NRRD."""
    k, j, i = np.mgrid[:11, :120, :120]

    def ball(x, y, z, a, b, c):
        return ((i - x) / a) ** 2 + ((j - y) / b) ** 2 + ((k - z) / c) ** 2 < 1

    array = np.random.default_rng(3).normal(60, 9, k.shape)
    array += 110 * ball(60, 60, 5, 22, 18, 4.5) + 70 * ball(20, 60, 5, 11, 12, 3.5)
    header = ("NRRD0004\ntype: short\ndimension: 3\nspace: left-posterior-superior\nsizes: 120 120 11\n"
              "space directions: (1,0,0) (0,1,0) (0,0,3)\nkinds: domain domain domain\nendian: little\n"
              "encoding: gzip\nspace origin: (-60,-60,-15)\n\n")
    path.write_bytes(header.encode() + gzip.compress(array.astype("<i2").tobytes()))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    made = tmp_path_factory.mktemp("web")
    write_volume(made / "volume.nrrd")
    return made


@contextlib.contextmanager
def serving(folder, volume, program=("-m", "promptseg_web")):
    """The address of a server for a volume of a folder."""
    log = (folder / "log.txt").open("w")
    server = subprocess.Popen([sys.executable, "-B", *program, volume, "--threads", "1"],
                              cwd=folder, stdout=subprocess.PIPE, stderr=log, text=True,
                              env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path[:2]),
                                   "PROMPTSEG_PROGRAM": str(BIN / "PromptSeg")})
    try:
        for line in server.stdout:
            if line.startswith("http://127.0.0.1:"):
                yield line.strip()
                break
        else:
            pytest.fail((folder / "log.txt").read_text())
    finally:
        server.terminate()
        server.wait()


@pytest.fixture(scope="module")
def address(folder):
    with serving(folder, "volume.nrrd", ("-c", FAILING)) as found:
        yield found


class Page:
    AXIAL, CORONAL, SAGITTAL, THREE_D = 3, 0, 1, 2  # places in the layout

    def __init__(self, driver):
        self.driver = driver

    def wait(self, condition):
        """Until it is so. If it never is, what the page shows is said, and a picture of it kept."""
        try:
            return WebDriverWait(self.driver, SECONDS, poll_frequency=0.2).until(lambda _: condition())
        except TimeoutException:
            WORK.mkdir(parents=True, exist_ok=True)
            self.driver.save_screenshot(str(WORK / "failed.png"))
            shown = {name: self.text(name) for name in ("error", "fault", "text", "saved")}
            coloured = [self.coloured(n) for n in range(len(self.drawn()))]
            raise AssertionError(f"{shown}, done {self.done()}, due {self.due()}, drawn {self.drawn()}, "
                                 f"coloured {coloured}, {WORK / 'failed.png'}") from None

    def view(self, n):
        return self.driver.find_elements(By.CSS_SELECTOR, ".layout-grid-item")[n]

    def new_segment(self):
        before = len(self.driver.find_elements(By.CLASS_NAME, "segment"))
        self.press("new_segment")
        self.wait(lambda: len(self.driver.find_elements(By.CLASS_NAME, "segment")) == before + 1)

    def mode(self, name):
        """Presses the button of a mode; events of the mouse must not overtake it."""
        self.press(name)
        self.wait(lambda: "on" in self.driver.find_element(By.ID, name).get_attribute("class"))

    def text(self, name):
        found = self.driver.find_elements(By.ID, name)
        return found[0].text if found else ""

    def press(self, name):
        self.driver.find_element(By.ID, name).click()

    def click(self, n, dx=0, dy=0, shift=False):
        """In a view, pixels from its middle."""
        actions = ActionChains(self.driver).move_to_element_with_offset(self.view(n), dx, dy)
        if shift:
            actions = actions.key_down(Keys.SHIFT)
        actions = actions.click()
        if shift:
            actions = actions.key_up(Keys.SHIFT)
        self.act(actions.perform)

    def move(self, n):
        """Over a view, and until the server has seen it: its answer to a button comes after."""
        actions = ActionChains(self.driver).move_to_element(self.view(n))
        for _ in range(5):
            actions = actions.move_by_offset(8, 5).pause(0.1)
        actions.perform()
        self.mode("mode_minus")
        self.mode("mode_plus")

    def act(self, does):
        """Does something that asks a question, and waits for its answer."""
        before = self.done()
        does()
        self.wait(lambda: self.done() > before
                  and not self.driver.find_elements(By.TAG_NAME, "progress"))

    def done(self):
        return int(self.hidden("done") or 0)

    def hidden(self, name):
        """Text that is there for these tests alone."""
        return self.driver.execute_script(f"return document.getElementById('{name}')?.textContent")

    def due(self):
        """{view: which drawing shows the last answer}."""
        return json.loads(self.hidden("due") or "{}")

    def drawn(self):
        """[(view, which drawing it shows, its quality, whether it fills the view)]."""
        return [(name, int(asked or 0), int(quality or 0), fills) for name, asked, quality, fills in
                self.driver.execute_script("""
            return [...document.querySelectorAll(".layout-grid-item .picture")].map((one) => [
              one.dataset.view, one.dataset.asked, one.dataset.quality,
              one.clientWidth > 50 && Math.abs(one.width - one.clientWidth) < 2
              && Math.abs(one.height - one.clientHeight) < 2])""")]

    def settle(self):
        """Waits for the last pictures, in their full quality."""
        due = self.due()
        self.wait(lambda: len(drawn := self.drawn()) == 4 and all(
            fills and quality == 90 and asked >= due.get(name, 1) for name, asked, quality, fills in drawn))

    def voxels(self):
        found = re.match(r"(\d+) voxels", self.text("text"))
        return int(found.group(1)) if found else 0

    def save(self, name=None):
        """With the name that stands there, or another one."""
        if name is not None:
            field = self.driver.find_element(By.ID, "save_name")
            field.clear()
            field.send_keys(name)
        self.press("save")

    def picture(self, name):
        WORK.mkdir(parents=True, exist_ok=True)
        self.settle()
        self.driver.save_screenshot(str(WORK / f"{name}.png"))

    def pixels(self, n):
        """What a view shows, (rows, columns, 3)."""
        from io import BytesIO

        from PIL import Image

        return np.asarray(Image.open(BytesIO(self.view(n).screenshot_as_png)).convert("RGB"), int)

    def coloured(self, n):
        """How many pixels of the view are not grey."""
        return int((np.ptp(self.pixels(n), axis=2) > 40).sum())

    def colour(self, n, dx, dy):
        """The mean of a few pixels, so many from the view's middle."""
        pixels = self.pixels(n)
        row, column = pixels.shape[0] // 2 + dy, pixels.shape[1] // 2 + dx
        return pixels[row - 4:row + 5, column - 4:column + 5].mean((0, 1))


@contextlib.contextmanager
def opened(address, script=""):
    """The page in a browser of its own. The script runs there before the page's own ones."""
    program, driver_program = shutil.which("chromium"), shutil.which("chromedriver")
    if not program or not driver_program:
        pytest.skip("chromium and chromium-driver are not there")
    options = webdriver.ChromeOptions()
    options.binary_location = program
    for flag in ("--headless=new", "--no-sandbox", "--window-size=1100,760", "--disable-dev-shm-usage"):
        options.add_argument(flag)
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(driver_program))
    try:
        driver.set_page_load_timeout(SECONDS)
        driver.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {"source": script})
        driver.get(address)
        made = Page(driver)
        made.settle()
        yield made
    finally:
        driver.quit()


@pytest.fixture(scope="module")
def page(address):
    with opened(address) as made:
        yield made


def segments_of(path):
    """{name: set of voxel places} of a .seg.nrrd, by Slicer's reader."""
    scene = slicer.vtkMRMLScene()
    node = scene.AddNewNodeByClass("vtkMRMLSegmentationNode")
    storage = scene.AddNewNodeByClass("vtkMRMLSegmentationStorageNode")
    storage.SetFileName(str(path))
    assert storage.ReadData(node), path
    out = {}
    for one in node.GetSegmentation().GetSegmentIDs():
        image, matrix = slicer.vtkOrientedImageData(), vtk.vtkMatrix4x4()
        node.GetBinaryLabelmapRepresentation(one, image)
        image.GetImageToWorldMatrix(matrix)
        extent = image.GetExtent()
        array = vtk_to_numpy(image.GetPointData().GetScalars()).reshape(
            [extent[2 * n + 1] - extent[2 * n] + 1 for n in (2, 1, 0)])
        places = {tuple(round(n, 2) for n in matrix.MultiplyPoint((i + extent[0], j + extent[2],
                                                                   k + extent[4], 1))[:3])
                  for k, j, i in np.argwhere(array)}
        out[node.GetSegmentation().GetSegment(one).GetName()] = places
    return out


def test_without_the_secret_nothing_is_answered(address):
    """The page's program is public; the channel to the data wants the secret."""
    import asyncio

    import aiohttp

    async def ask(secret):
        socket = address.split("/index")[0].replace("http", "ws") + "/ws"
        async with aiohttp.ClientSession() as session, session.ws_connect(socket) as channel:
            import msgpack

            hello = {"wslink": "1.0", "id": "system:c0:0", "method": "wslink.hello",
                     "args": [{"secret": secret}], "kwargs": {}}
            import wslink.chunking as chunking

            for chunk in chunking.generate_chunks(msgpack.packb(hello), 0):
                await channel.send_bytes(chunk)
            answer = await asyncio.wait_for(channel.receive(), 30)
            return bytes(answer.data)

    wrong = asyncio.run(ask("wslink-secret"))
    right = asyncio.run(ask(address.split("secret=")[1]))
    assert b"Authentication failed" in wrong and b"clientID" in right
    assert address.startswith("http://127.0.0.1:")


def test_only_files_of_the_start_folder(address, folder):
    for name in ("/etc/passwd", "%2e%2e/%2e%2e/etc/passwd", "volume.nrrd"):
        with pytest.raises(urllib.error.HTTPError):
            urllib.request.urlopen(address.split("/index")[0] + "/" + name.lstrip("/"), timeout=30)
    from promptseg_web.files import RefusedError, readable, writable

    outside = folder.parent / "outside.nrrd"
    outside.write_bytes(b"x")
    (folder / "link.nrrd").symlink_to(outside)
    for name in ("../outside.nrrd", str(outside), "link.nrrd", "absent.nrrd"):
        with pytest.raises(RefusedError):
            readable(folder, name)
    for name in ("../x", "a/b", "", ".hidden", "x\0y"):
        with pytest.raises(RefusedError):
            writable(folder, name)
    (folder / "there.seg.nrrd").write_bytes(b"kept")
    with pytest.raises(RefusedError, match="there already"):
        writable(folder, "there")


def test_clicks_undo_a_second_segment_3d_and_saving(page, folder):
    """A session as a user has it, in one browser."""
    page.picture("1-opened")
    before, grey = page.coloured(Page.AXIAL), page.colour(Page.AXIAL, -25, -20)
    (folder / "taken.seg.nrrd").write_bytes(b"kept")
    page.save("taken.seg.nrrd")
    page.wait(lambda: "there already" in page.text("error"))
    page.move(Page.AXIAL)  # no act: what was refused can still be read
    assert "there already" in page.text("error")
    page.click(Page.AXIAL)
    assert not page.text("error")
    first = page.voxels()
    assert first > 500, (page.text("error"), page.text("text"))
    page.wait(lambda: page.coloured(Page.AXIAL) > before + 500)  # the mask is seen in the slice
    page.picture("2-one-click")
    seen = page.colour(Page.AXIAL, -25, -20)  # half of it is the first colour of the programs
    assert np.allclose(seen, (grey + FIRST_COLOUR) / 2, atol=6), (grey, seen)
    assert page.text("device").startswith("Device: cpu")
    page.click(Page.AXIAL, 10, 5)
    page.click(Page.AXIAL, 60, 60, shift=True)
    page.picture("3-corrected")
    page.act(lambda: page.press("undo"))
    page.act(lambda: page.press("undo"))
    assert page.text("text") == "Taken back."
    page.act(lambda: page.press("redo"))
    # another object, with its own name
    page.driver.find_element(By.ID, "new_name").send_keys("second")
    page.new_segment()
    view = page.view(Page.AXIAL).size
    scale = min(view["width"], view["height"]) / 120
    page.click(Page.AXIAL, int(-40 * scale))
    if not page.voxels():  # the radiologist's left is the page's right
        page.act(lambda: page.press("undo"))
        page.click(Page.AXIAL, int(40 * scale))
    assert page.voxels() > 100, (page.text("error"), page.text("text"))
    page.press("show_3d")
    page.wait(lambda: page.coloured(Page.THREE_D) > 200)
    page.picture("4-two-segments-3d")
    page.save("mine.seg.nrrd")
    page.wait(lambda: "Saved mine.seg.nrrd" in page.text("saved"))
    page.save()  # a file is never replaced
    page.wait(lambda: "there already" in page.text("error"))
    page.save("mine.dcm")
    page.wait(lambda: "volume.nrrd is no DICOM series" in page.text("error"))
    assert not (folder / "mine.dcm").exists()
    # the program, with the prompts that were saved beside it
    subprocess.run([BIN / "PromptSeg", "--threads", "1", "--prompts", folder / "mine.mrk.json", "--",
                    folder / "volume.nrrd", folder / "program.seg.nrrd"], check=True,
                   stdout=subprocess.DEVNULL)
    here, there = segments_of(folder / "mine.seg.nrrd"), segments_of(folder / "program.seg.nrrd")
    assert set(here) == set(there) == {"Segment_1", "second"}
    for segment, voxels in there.items():
        assert voxels and here[segment] == voxels, segment


def test_a_box_and_this_slice_only(page):
    page.new_segment()
    page.mode("mode_box")
    view = page.view(Page.AXIAL)
    drag = ActionChains(page.driver).move_to_element_with_offset(view, -60, -50).click_and_hold() \
        .move_by_offset(60, 50).move_by_offset(60, 50).release()
    page.act(drag.perform)
    assert page.voxels() > 200, (page.text("error"), page.text("text"))
    page.picture("5-box")
    page.new_segment()
    page.press("one_slice")
    page.mode("mode_plus")
    page.click(Page.CORONAL)
    assert page.voxels() > 20, (page.text("error"), page.text("text"))
    page.press("one_slice")
    page.mode("mode_plus")
    page.click(Page.AXIAL, 0, -int(view.size["height"] / 2) + 3)
    if page.text("error"):
        assert "outside" in page.text("error")
    page.picture("6-one-slice")


def test_a_view_that_cannot_be_drawn_is_said_and_drawn_again(page, folder):
    (folder / "fail").touch()
    page.press("new_segment")
    page.wait(lambda: "View Red cannot be drawn: no room." in page.text("fault"))
    (folder / "fail").unlink()
    page.wait(lambda: not page.text("fault"))
    page.act(lambda: page.click(Page.AXIAL, 10, -5))
    page.settle()


def test_a_slow_browser_shows_the_newest_picture_in_the_end(address):
    """More pictures come than it can decode."""
    with opened(address, SLOW) as page:
        page.new_segment()
        page.settle()
        grey = page.colour(Page.AXIAL, -25, -20)
        page.driver.execute_script("window.late = 2500")
        page.click(Page.AXIAL)
        assert page.voxels() > 500, (page.text("error"), page.text("text"))
        page.settle()
        assert np.ptp(page.colour(Page.AXIAL, -25, -20) - grey) > 30


def test_a_dicom_series_is_saved_as_dicom_seg(tmp_path):
    """The demo's CT: one click on the liver. The file is the program's for the same prompts, but for its
    own UIDs and the times. plugin/slicer/Screenshots has these pictures."""
    shutil.copytree(ROOT / "resources/demo/ct-3slice/dicom", tmp_path / "ct")
    with serving(tmp_path, "ct") as address, opened(address) as page:
        page.driver.find_element(By.ID, "new_name").send_keys("liver")
        page.new_segment()
        page.click(Page.AXIAL, -75, -25)
        assert page.voxels() > 20000, (page.text("error"), page.text("text"))
        page.picture("browser")
        (WORK / "slice.png").write_bytes(page.view(Page.AXIAL).screenshot_as_png)
        page.save()  # by itself a DICOM SEG
        page.wait(lambda: page.text("saved") or page.text("error"))
        assert page.text("saved") == "Saved result.dcm", page.text("error")
        page.save("as_nrrd.seg.nrrd")
        page.wait(lambda: page.text("saved") == "Saved as_nrrd.seg.nrrd")
    subprocess.run([BIN / "PromptSeg", "--threads", "1", "--prompts", tmp_path / "result.mrk.json", "--",
                    tmp_path / "ct", tmp_path / "program.dcm"], check=True, stdout=subprocess.DEVNULL)
    same = subprocess.run([sys.executable, ROOT / "Testing/readers/same_dicom.py", tmp_path / "result.dcm",
                           tmp_path / "program.dcm"], capture_output=True, text=True, check=False)
    assert same.returncode == 0, same.stdout + same.stderr
