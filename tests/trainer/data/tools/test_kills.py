"""Every image tool, killed or interrupted at every step that it takes on the disk: the old output or the new one."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from bad_images import photo
from commands import run_tools
from drawn_faces import NEEDS_FACES, draw_face
from killed_tools import NEVER_REPLACE, TOOLS, state_of, write_labelled

from trainer.data.sources._sidecar import beside
from trainer.data.sources.npy_set import ImageSet

STATE = dict[str, Any]


@pytest.fixture
def inputs(tmp_path: Path) -> Path:
    """Two sets, two images, two faces."""
    folder = tmp_path / "inputs"
    (folder / "cats").mkdir(parents=True)
    (folder / "faces").mkdir()
    images = np.stack([np.roll(photo(16, 16), k, 1) for k in range(6)])
    write_labelled(folder / "a.npy", images, [0, 1, 0, 1, 0, 1], ("cat", "dog"))
    write_labelled(folder / "b.npy", images[:3, ::-1].copy(), [0, 0, 1], ("dog", "newt"))
    for k in range(2):
        cv2.imwrite(str(folder / "cats" / f"{k}.png"), images[k])
        cv2.imwrite(str(folder / "faces" / f"face{k}.png"), draw_face(k).image)
    return folder


def prepare(folder: Path, inputs: Path, old: Callable[[Path], None] | None, outputs: list[str]) -> list[Any]:
    """A folder with the inputs and, where wanted, outputs of an earlier run; their state."""
    folder.mkdir()
    shutil.copytree(inputs, folder / "inputs")
    for name in outputs:
        if old is not None:
            (folder / name).parent.mkdir(exist_ok=True)
            old(folder / name)
    return [state_of(folder / name) for name in outputs]


def an_old_output(path: Path) -> None:
    if path.suffix == ".npy":
        write_labelled(path, np.full((2, 9, 7, 3), 7, np.uint8), [1, 0], ("old", "older"))
    else:
        cv2.imwrite(str(path), np.full((5, 5, 3), 9, np.uint8))


@pytest.mark.parametrize("old", [None, an_old_output], ids=["new", "replaced"])
@pytest.mark.parametrize(
    "tool",
    [
        tool
        if tool == "merge"
        else pytest.param(tool, marks=[pytest.mark.slow, *([NEEDS_FACES] if "align" in tool else [])])
        for tool in TOOLS
    ],
)
def test_a_tool_that_dies_leaves_the_old_output_or_the_new_one(
    tool: str, old: Callable[[Path], None] | None, inputs: Path, tmp_path: Path
) -> None:
    arguments, outputs = TOOLS[tool]
    if old and tool in NEVER_REPLACE:
        pytest.skip("this tool never replaces anything")
    arguments = [*arguments, *(["--force"] if old else [])]
    before = prepare(tmp_path / "whole", inputs, old, outputs)
    kept = {path.name: path.read_bytes() for path in inputs.rglob("*.*")}
    (end,) = run_tools([{"arguments": arguments, "seconds": 120}], tmp_path / "whole")
    assert end["code"] == 0, end
    after = [state_of(tmp_path / "whole" / name) for name in outputs]
    assert None not in after
    assert before != after
    steps = end["steps"]
    assert steps >= 3
    runs = []
    for by in ("kill", "interrupt"):
        for step in range(steps):
            folder = tmp_path / f"{by}-{step}"
            prepare(folder, inputs, old, outputs)
            runs.append((folder, {"arguments": arguments, "seconds": 120, "die_at": step, "by": by}))
    commands = [{**command, "folder": str(folder)} for folder, command in runs]
    for (folder, command), ending in zip(runs, run_tools(commands, tmp_path), strict=True):
        what = f"{command['by']} at {command['die_at']}: {ending}"
        assert ending["code"] == (-9 if command["by"] == "kill" else 130), what
        assert "Traceback" not in ending["error"], what
        for name, was, will_be in zip(outputs, before, after, strict=True):
            assert state_of(folder / name) in (was, will_be), f"{name}: {what}"
        assert {path.name: path.read_bytes() for path in (folder / "inputs").rglob("*.*")} == kept, what
        if command["by"] == "interrupt":
            assert not list(folder.rglob(".*.part")), what
            assert not [path for path in folder.rglob("*.json") if '"pending"' in path.read_text()], what
    redone = [(folder, command) for folder, command in runs if all(state_of(folder / name) is None for name in outputs)]
    redo = [{"arguments": arguments, "seconds": 120, "folder": str(folder)} for folder, _ in redone]
    for (folder, command), ending in zip(redone, run_tools(redo, tmp_path) if redo else [], strict=True):
        assert ending["code"] == 0, f"redone after {command}: {ending}"
        assert [state_of(folder / name) for name in outputs] == after


def test_what_waits_for_its_images_is_never_read_as_theirs(tmp_path: Path) -> None:
    """A kill between the two files of a set, with the viewer reading it too."""
    from viewer.files.image_set import open_set

    path = tmp_path / "a.npy"
    write_labelled(path, np.zeros((2, 4, 4, 3), np.uint8), [0, 1], ("old", "older"))
    old, sidecar = path.read_bytes(), beside(path).read_text()
    write_labelled(path, np.ones((2, 4, 4, 3), np.uint8), [1, 1], ("new", "newer"))
    waiting = f'{sidecar.strip()[:-1]}, "pending": {beside(path).read_text()}}}'
    beside(path).write_text(waiting)
    assert ImageSet(path).sidecar.classes == open_set(path).classes == ("new", "newer")
    path.write_bytes(old)
    assert ImageSet(path).sidecar.classes == open_set(path).classes == ("old", "older")


def test_facts_of_another_persons_making_are_not_replaced_unasked(tmp_path: Path) -> None:
    (tmp_path / "out.json").write_text('{"mine": 1}')
    np.save(tmp_path / "a.npy", np.zeros((2, 4, 4, 3), np.uint8))
    command = {"arguments": ["create", "a.npy", "-o", "out.npy"], "seconds": 10}
    (end,) = run_tools([command], tmp_path)
    assert end["code"] == 2
    assert "out.json exists" in end["error"]
    assert (tmp_path / "out.json").read_text() == '{"mine": 1}'
    assert not (tmp_path / "out.npy").exists()
