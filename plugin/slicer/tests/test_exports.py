"""What is written for the programs gives the same masks there, or it is said which ones it does not."""

import csv
import json
import subprocess

import numpy as np
import pytest
import slicer
import slicerio
from conftest import BIN, DEMO, content, ras_of, settle

import promptseg
from promptseg_live import Options, write_manifest, write_prompts
from promptseg_mrml import Editor, Voxels, is_hounsfield, prompt_lists, view_of

CENTRE, EDGE = (60, 50, 4), (75, 50, 4)
CORONAL, AXIAL = (0, 1, 0), (0, 0, 1)


def click(logic, ijk, inside=True, **more):
    assert logic.click(ras_of(logic.volume, ijk), inside, **more), logic.status.error
    settle(logic)


@pytest.fixture
def ball(world):
    """1 mm in all directions, and noise: slices along another axis give another mask."""
    k, j, i = np.indices((36, 40, 44))
    inside = ((k - 18) / 9) ** 2 + ((j - 20) / 11) ** 2 + ((i - 22) / 12) ** 2 < 1
    array = np.random.default_rng(5).normal(60, 25, inside.shape) + 70 * inside
    return world.volume(array.astype(np.int16), name="ball")


def rows_of(path):
    with open(path, newline="", encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


def batch(path, out):
    """What PromptSegBatch finds: by row and name of the segment, an array (k, j, i)."""
    done = subprocess.run([BIN / "PromptSegBatch", "--threads", "1", path, "--output", out],
                          capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    found = {}
    for row in rows_of(path):
        read = slicerio.read_segmentation(str(out / f"{row['id']}.seg.nrrd"))
        for segment in read["segments"]:
            voxels = read["voxels"] if read["voxels"].ndim == 3 else read["voxels"][segment["layer"]]
            found[row["id"], segment["name"]] = (voxels == segment["labelValue"]).transpose(2, 1, 0)
    return found


def test_the_axis_of_the_first_click_goes_with_the_prompts(logic, ball, tmp_path):
    """The program alone would see a coronal and an axial click and take axial slices."""
    logic.choose(ball)
    logic.new_segment("both")
    click(logic, (22, 20, 18), normal=CORONAL)
    click(logic, (22, 25, 14), normal=AXIAL)
    logic.new_segment("axial")
    click(logic, (22, 20, 18), normal=AXIAL)
    masks = {logic.segmentation.GetSegmentation().GetSegment(one).GetName(): content(logic, one)
             for one in logic.segmentation.GetSegmentation().GetSegmentIDs()}
    assert logic.not_from_prompts() == ""
    path = write_manifest(tmp_path / "cases", [(ball, logic.prompted())])
    rows = rows_of(path)
    assert [(row["id"], row["image"], row["axis"]) for row in rows] == [
        ("ball", "ball.nrrd", "j"), ("ball_2", "ball.nrrd", "k")]
    found = batch(path, tmp_path / "out")
    assert np.array_equal(found["ball", "both"], masks["both"])
    assert np.array_equal(found["ball_2", "axial"], masks["axial"])
    # without the axis it is another mask
    nodes = prompt_lists(logic.segmentation, logic.segmentation.GetSegmentation().GetNthSegmentID(0))
    bare = write_manifest(tmp_path / "bare", [(ball, [("both", nodes)])])
    assert "axis" not in rows_of(bare)[0]
    assert not np.array_equal(batch(bare, tmp_path / "bare out")["ball", "both"], masks["both"])


def test_window_and_clean_up_go_with_the_prompts(logic, blob, tmp_path):
    logic.choose(blob)
    logic.set_options(Options(window=(100.5, 180.0), keep_largest=True, fill_holes=True, threads=1))
    logic.new_segment("one")
    click(logic, CENTRE)
    logic.set_options(Options(window="percentile", threads=1))  # does not touch what was asked before
    logic.new_segment("two")
    click(logic, EDGE)
    path = write_manifest(tmp_path / "cases", [(blob, logic.prompted())])
    wanted = [("100.5,180.0", "true", "true"), ("percentile", "", "")]
    assert [(row["window"], row["keepLargest"], row["fillHoles"]) for row in rows_of(path)] == wanted
    found, inner = batch(path, tmp_path / "out"), logic.segmentation.GetSegmentation()
    assert np.array_equal(found["blob", "one"], content(logic, inner.GetNthSegmentID(0)))
    assert np.array_equal(found["blob_2", "two"], content(logic, inner.GetNthSegmentID(1)))
    assert logic.not_from_prompts() == ""


def test_undo_gives_back_how_it_was_asked(logic, blob):
    logic.choose(blob)
    click(logic, CENTRE)
    logic.set_options(Options(window=(0, 300), threads=1))
    click(logic, EDGE)
    assert logic.prompted()[0].options.window == (0, 300)
    logic.undo()
    assert logic.prompted()[0].options.window == "auto" and logic.not_from_prompts() == ""
    logic.redo()
    assert logic.prompted()[0].options.window == (0, 300) and logic.not_from_prompts() == ""


def test_a_volume_that_says_it_is_ct_is_asked_as_ct(logic, blob, tmp_path):
    """The file that is written for it does not say so, and its values do not look like it."""
    units = slicer.vtkCodedEntry()
    units.SetValueSchemeMeaning("[hnsf'U]", "UCUM", "Hounsfield unit")
    blob.SetVoxelValueUnits(units)
    assert is_hounsfield(blob)
    logic.choose(blob)
    logic.new_segment("one")
    click(logic, CENTRE)
    path = write_manifest(tmp_path / "cases", [(blob, logic.prompted())])
    assert rows_of(path)[0]["window"] == "abdomen"
    assert np.array_equal(batch(path, tmp_path / "out")["blob", "one"], content(logic))


# ------------------------------------------------------------------------------ what is said of others


def _one_slice(logic):
    logic.one_slice = True
    click(logic, CENTRE, normal=AXIAL)


def _painted_before(logic):
    Editor(logic.segmentation, logic.volume, view_of(logic.volume)).write(
        logic.segment_id, Voxels((2, 2, 0), np.ones((1, 6, 6), bool)))
    click(logic, CENTRE)


def _painted_after(logic):
    click(logic, CENTRE)
    _paint(logic)


def _paint(logic):
    editor = Editor(logic.segmentation, logic.volume, view_of(logic.volume))
    editor.write(logic.segment_id, editor.read(logic.segment_id).plus(
        Voxels((2, 2, 0), np.ones((1, 6, 6), bool))))


def _under_rules(logic):
    logic.rules.SetSourceVolumeIntensityMask(True)
    logic.rules.SetSourceVolumeIntensityMaskRange(140, 1000)
    click(logic, CENTRE)
    logic.rules.SetSourceVolumeIntensityMask(False)


def _other_weights(logic):
    click(logic, CENTRE)
    logic.set_options(Options(model=str(promptseg.BUNDLED_MODEL), threads=1))


def _prompts_moved_elsewhere(logic):
    click(logic, CENTRE)
    logic.watch(False)
    prompt_lists(logic.segmentation, logic.segment_id)[0].SetNthControlPointPositionWorld(
        0, *ras_of(logic.volume, (20, 20, 4)))


def _not_complete(logic):
    assert logic.click(ras_of(logic.volume, CENTRE))
    settle(logic, until=lambda: content(logic).any())
    logic.cancel()


@pytest.mark.parametrize("make", [_one_slice, _painted_before, _painted_after, _paint, _under_rules,
                                  _other_weights, _prompts_moved_elsewhere, _not_complete])
def test_a_mask_that_prompts_alone_do_not_give_is_named(logic, blob, make, tmp_path):
    logic.choose(blob)
    logic.new_segment("untouched")
    assert logic.not_from_prompts() == ""
    logic.new_segment("special")
    make(logic)
    said = logic.not_from_prompts()
    assert "special" in said and "untouched" not in said


def test_a_mask_on_another_grid_is_named(logic, world, blob):
    other = world.volume(np.zeros((12, 50, 60), np.int16),
                         [[1.6, 0, 0, -41], [0, 1.6, 0, -36], [0, 0, 2.5, -11], [0, 0, 0, 1]], "other")
    logic.choose(blob, world.segmentation(other))
    logic.new_segment("coarse")
    click(logic, CENTRE)
    assert "coarse" in logic.not_from_prompts()


def test_another_volume_of_the_same_grid_did_not_give_the_mask(logic, world, blob):
    logic.choose(blob)
    logic.new_segment("of blob")
    click(logic, CENTRE)
    node, wanted = logic.segmentation, content(logic)
    other = world.volume(np.full((9, 96, 112), 7, np.int16), [[0.8, 0, 0, -40], [0, 0.8, 0, -35],
                                                              [0, 0, 3, -10], [0, 0, 0, 1]], "other")
    logic.choose(other, node)
    assert "of blob" in logic.not_from_prompts()
    assert logic.state_of().base is not None and np.array_equal(content(logic), wanted)
    logic.choose(blob, node)
    assert logic.not_from_prompts() == "" and logic.state_of().base is None


def test_nothing_chosen_is_a_sentence(logic):
    with pytest.raises(ValueError, match="Choose a volume"):
        logic.prompted()
    with pytest.raises(ValueError, match="Choose a volume"):
        logic.not_from_prompts()


def test_two_volumes_of_one_name_are_two_rows(world, blob, tmp_path):
    points = world.node("vtkMRMLMarkupsFiducialNode", "p")
    points.AddControlPointWorld(list(ras_of(blob, CENTRE)))
    path = write_manifest(tmp_path, [(blob, [("a", [points])]), (blob, [("b", [points])])])
    assert [row["id"] for row in rows_of(path)] == ["blob", "blob_2"]
    assert json.loads((tmp_path / "blob_2.mrk.json").read_text())["markups"][0]["name"] == "b"


def test_a_manifest_replaces_no_file_that_was_there(world, tmp_path):
    """The volume's own file, its transform not hardened, lies in the chosen folder under its name."""
    own = {"image.nrrd": (DEMO / "brain1/image.nrrd").read_bytes(), "image.mrk.json": b"my own list",
           "cases.csv": b"my own table", "image_2.mrk.json": b"another list"}
    for name, data in own.items():
        (tmp_path / name).write_bytes(data)
    (tmp_path / "image_3.nrrd").symlink_to("nowhere")
    volume = world.load(tmp_path / "image.nrrd")
    volume.SetAndObserveTransformNodeID(world.transform(np.diag([1, 1, 1, 1.0])).GetID())
    points = world.node("vtkMRMLMarkupsFiducialNode", "p")
    points.AddControlPointWorld(list(ras_of(volume, (5, 5, 5))))
    first = write_manifest(tmp_path, [(volume, [("a", [points])])])
    assert first.name == "cases_2.csv"
    assert rows_of(first) == [{"id": "image_4", "image": "image_4.nrrd", "prompts": "image_4.mrk.json"}]
    assert (tmp_path / "image_4.nrrd").stat().st_size and (tmp_path / "image_4.mrk.json").exists()
    written = {path: path.read_bytes() for path in tmp_path.iterdir() if path.exists()}
    second = write_manifest(tmp_path, [(volume, [("a", [points])])])
    assert second.name == "cases_3.csv" and rows_of(second)[0]["prompts"] == "image_5.mrk.json"
    assert all(path.read_bytes() == data for path, data in written.items())
    assert all((tmp_path / name).read_bytes() == data for name, data in own.items())
    assert (tmp_path / "image_3.nrrd").is_symlink() and not (tmp_path / "nowhere").exists()


def test_a_manifest_that_cannot_be_is_refused_before_a_file_is_written(world, blob, tmp_path):
    points = world.node("vtkMRMLMarkupsFiducialNode", "p")
    points.AddControlPointWorld(list(ras_of(blob, CENTRE)))
    with pytest.raises(ValueError, match="no prompts"):
        write_manifest(tmp_path / "cases", [(blob, [("a", [points])]), (blob, [])])
    assert not (tmp_path / "cases").exists()


def test_segments_of_one_name_stay_apart(logic, world, blob, tmp_path):
    """In the row they share, and in rows of their own; a name that has such a number is kept."""
    logic.choose(blob)
    for name, ijk in (("lesion", CENTRE), ("lesion", (20, 20, 4)), ("lesion_2", (90, 80, 4))):
        logic.new_segment(name)
        click(logic, ijk)
    masks = [content(logic, one) for one in logic.segmentation.GetSegmentation().GetSegmentIDs()]
    path = write_manifest(tmp_path / "cases", [(blob, logic.prompted())])
    found = batch(path, tmp_path / "out")
    assert [key[1] for key in found] == ["lesion", "lesion_3", "lesion_2"]
    assert all(np.array_equal(one, mask) for one, mask in zip(found.values(), masks))
    nodes = world.node("vtkMRMLMarkupsFiducialNode", "p")
    nodes.AddControlPointWorld([0, 0, 0])
    write_prompts(tmp_path / "p.mrk.json", [("", [nodes]), ("a", [nodes]), ("a", [nodes])])
    names = [one["name"] for one in json.loads((tmp_path / "p.mrk.json").read_text())["markups"]]
    assert names == ["", "a", "a_2"]
    other = write_manifest(tmp_path / "more", [(blob, [
        ("a", [nodes]), ("a", [nodes], "j"), ("b", [nodes])])])
    lists = [json.loads((other.parent / row["prompts"]).read_text())["markups"] for row in rows_of(other)]
    assert [[one["name"] for one in markups] for markups in lists] == [["a", "b"], ["a_2"]]
