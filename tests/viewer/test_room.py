"""Sheets for the room that there is: as many images as can be told apart, as large as they go."""

import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from small_models import FakeDisplay, photo_like

from viewer.app import run_live
from viewer.keys import Action, Event, parse_keys
from viewer.model import Model
from viewer.modes import Mode
from viewer.room import Room, Tiling
from viewer.sheet import Sheet

GRID = Tiling(64, 64, usual=(6, 8))


def terminal(columns: int, rows: int) -> Room:
    """Of a terminal with half blocks, less the line for the title."""
    return Room(4 * columns, 8 * (rows - 1), 0.5, 4, strip=False)


@pytest.mark.parametrize(("size", "rows", "columns"), [((80, 24), 2, 3), ((120, 40), 3, 5), ((200, 60), 5, 8)])
def test_a_terminal_has_as_many_images_as_can_be_told_apart(size: tuple[int, int], rows: int, columns: int) -> None:
    sheet = GRID.sheet(terminal(*size))
    assert (sheet.rows, sheet.columns) == (rows, columns)
    assert min(sheet.cell_width, sheet.cell_height) >= 20 * 4
    assert {side % 4 for side in (sheet.cell_width, sheet.cell_height, sheet.gap)} == {0}


def test_rows_and_columns_that_are_given_win() -> None:
    for room in (terminal(80, 24), Room(1200, 800), None):
        sheet = GRID._replace(rows=4).sheet(room)
        assert sheet.rows == 4
        assert sheet.columns == (3 if room and room.grain > 1 else 8)
        assert GRID._replace(rows=1, columns=30).sheet(room).columns == 30
        assert GRID._replace(scale=0.5).sheet(room).cell_width == 32


sides = st.integers(1, 700)


@settings(max_examples=200)
@given(sides, sides, st.integers(1, 64), st.integers(1, 64), st.integers(40, 4000), st.integers(40, 3000),
       st.sampled_from([1, 4]), st.sampled_from([0, 2]))  # fmt: skip
def test_a_sheet_never_leaves_its_room(
    height: int, width: int, rows: int, columns: int, wide: int, high: int, grain: int, gap: int
) -> None:
    room = Room(wide, high, 0.5 if grain > 1 else 1.0, grain, strip=grain == 1)
    sheet = Tiling(height, width, usual=(rows, columns), gap=gap).sheet(room)
    least = grain * (1 + min(gap, 1)) + 2  # a cell with its line
    if least * sheet.columns < wide and least * sheet.rows < room.images[1]:
        assert sheet.width <= wide + sheet.columns  # rounding
        assert sheet.height <= room.images[1] + sheet.rows


def test_without_a_display_sheets_are_as_they_were() -> None:
    for side, cell in ((8, 64), (28, 112), (64, 128), (100, 100), (128, 128), (300, 133)):
        assert GRID._replace(height=side, width=side).sheet() == Sheet(6, 8, cell, cell)


class Growing(FakeDisplay):
    """A display that gets other room after so many looks at it."""

    def __init__(self, rooms: list[Room], events: list[Event]) -> None:
        super().__init__(())
        self.rooms, self.script = rooms, events
        self.settled: Callable[[], bool] = lambda: True
        self.room = rooms.pop(0)

    def poll(self, seconds: float) -> Event | None:
        time.sleep(min(seconds, 0.005))
        if not self.settled():
            return None
        if self.rooms:
            self.room = self.rooms.pop(0)
            return None
        return self.script.pop(0) if self.script else Event(Action.QUIT)


@pytest.mark.parametrize("name", ["grid", "hpf", "animate", "diffuse", "dataset"])
def test_another_room_shows_the_same_images_at_another_size(
    name: str, generator_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from small_denoisers import make_denoiser

    runs = []
    generate = Model.generate
    monkeypatch.setattr(Model, "generate", lambda *words: runs.append(len(words[1])) or generate(*words))
    files = {"diffuse": tmp_path / "n.onnx", "dataset": tmp_path / "set.npy"}
    make_denoiser(files["diffuse"], spread=0.3)
    np.save(files["dataset"], np.random.default_rng(0).integers(0, 256, (70, 8, 8, 3), dtype=np.uint8))
    mode = Mode(name)
    words = [str(files.get(name, generator_path)), "--out", str(tmp_path)]
    session = mode.open(mode.parse([*words, *(["--steps", "3"] if name == "diffuse" else [])]))
    display = Growing([Room(600, 428), Room(1500, 1028)], parse_keys("right"))
    display.settled = lambda: session.settled or session.moving
    try:
        run_live(session, display)
        sheet = session.state.sheet
    finally:
        session.close()
    shapes = [frame.shape[:2] for frame in display.frames]
    first, last = shapes[0], shapes[-1]
    assert first[0] <= 428
    assert last[0] > 1.6 * first[0]
    assert max(last[0] / 1028, last[1] / 1500) > 0.7
    assert (sheet.width, sheet.height + 28) == last[::-1] or name == "dataset"
    if name in ("grid", "hpf"):
        assert sum(runs) == sheet.count  # none was made twice


def test_fewer_images_after_a_terminal_shrank(generator_path: Path, tmp_path: Path) -> None:
    mode = Mode("grid")
    session = mode.open(mode.parse([str(generator_path), "--out", str(tmp_path)]))
    display = Growing([terminal(200, 60), terminal(80, 24)], parse_keys("end,s"))
    display.coarse = True
    display.settled = lambda: session.settled
    try:
        run_live(session, display)
    finally:
        session.close()
    assert (session.state.sheet.count, session.state.cursor) == (6, 5)
    assert display.frames[-1].shape[1] <= 320
    assert len(list(tmp_path.glob("*.png"))) == 1


def test_the_plane_of_latent_space_is_as_coarse_as_the_terminal(generator_path: Path, tmp_path: Path) -> None:
    mode, found = Mode("latent"), []
    for words in ([], ["--rows", "7"]):
        session = mode.open(mode.parse([str(generator_path), "--out", str(tmp_path), *words]))
        for room in (terminal(80, 24), terminal(200, 60), Room(1200, 800), terminal(80, 24)):
            session.fit(room)
            session.settle(0.0)
            session.frame(strip=False)
            found.append(session.state.layout.rows)
        session.close()
    assert found == [3, 8, 8, 3, 7, 7, 7, 7]


@pytest.mark.parametrize("name", ["pick", "upscale"])
def test_a_large_window_shows_more_of_a_large_image(name: str, twice_path: Path, tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "large.png"), photo_like(1300, 1500))
    given = [str(tmp_path / "large.png")]
    mode = Mode(name)
    words = [*given, "--rows", "2", "--cols", "3", "--margin", "0"] if name == "pick" else [str(twice_path), *given]
    for more in ([], ["--scale", "0.5"]) if name == "pick" else ([],):
        session = mode.open(mode.parse([*words, "--out", str(tmp_path), *more]))
        try:
            shapes = []
            for room in (Room(1200, 800), Room(2700, 1900, 2.0), Room(1200, 800), terminal(80, 24)):
                session.fit(room)
                session.settle(0.0)
                shapes.append(session.frame().shape[:2])
        finally:
            session.close()
        assert all(high <= 1900 and wide <= 2700 for high, wide in shapes)
        assert shapes[0] == shapes[2]
        if more:
            assert shapes[0][0] - 28 == shapes[1][0] - 56 == 650
        else:
            assert shapes[1][0] > 1.6 * shapes[0][0]
