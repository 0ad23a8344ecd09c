"""The pick mode: what is cut out of a table, and what is seen of it."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from trainer.contract.sheet import SheetLayout
from viewer.__main__ import main
from viewer.files.png import encode_png, read_recipe
from viewer.keys import parse_keys
from viewer.modes.pick.session import SCALES, VIEW, PickState, begin

random = np.random.default_rng(0)
TABLE = SheetLayout(3, 4, 10, 8, 2, 2)
IMAGE = random.integers(0, 256, (3 * 10 + 2, 4 * 12 + 2, 3), np.uint8)


def table_file(path: Path, image: np.ndarray = IMAGE) -> Path:
    path.write_bytes(encode_png(image, {}))
    return path


def view(*words: object) -> int:
    return main(["pick", *map(str, words), "--display", "none"])


def test_the_image_under_the_cursor_is_cut_out_to_the_pixel(tmp_path: Path) -> None:
    path = table_file(tmp_path / "table.png")
    before = path.read_bytes()
    flags = ("--rows", 3, "--cols", 4, "--margin", 2, "--out", tmp_path / "out")
    for _ in range(2):
        assert view(path, *flags, "--keys", "right,down,s,left,left,s,+,+,-,s") == 0
    names = sorted(file.name for file in (tmp_path / "out").iterdir())
    assert names == [f"table-000{number}.png" for number in range(1, 7)]
    cut = [cv2.imread(str(tmp_path / "out" / name)) for name in names]
    assert np.array_equal(cut[0], IMAGE[12:20, 14:24])  # row 1, column 1
    assert np.array_equal(cut[1], IMAGE[12:20, 38:48])  # the cursor went round, to column 3
    assert np.array_equal(cut[1], cut[2])
    assert read_recipe(tmp_path / "out" / names[0]) == {
        "mode": "pick", "image": 5, "table": "table.png", "rows": 3, "cols": 4, "area": [14, 12, 10, 8],
    }  # fmt: skip
    assert path.read_bytes() == before


def test_all_are_cut_out(tmp_path: Path) -> None:
    assert view(table_file(tmp_path / "t.png"), "--rows", 3, "--cols", 4, "--keys", "S", "--out", tmp_path / "o") == 0
    files = sorted((tmp_path / "o").iterdir())
    assert len(files) == 12
    for index, file in enumerate(files):
        assert np.array_equal(cv2.imread(str(file)), IMAGE[TABLE.part(index)])


def test_alpha_and_grey_stay(tmp_path: Path) -> None:
    alpha = np.concatenate([IMAGE, IMAGE[..., :1]], axis=2)
    for name, image in (("alpha", alpha), ("grey", IMAGE[..., 0])):
        path = table_file(tmp_path / f"{name}.png", image)
        assert view(path, "--rows", 3, "--cols", 4, "--keys", "s", "--out", tmp_path / "o") == 0
        cut = cv2.imread(str(tmp_path / "o" / f"{name}-0001.png"), cv2.IMREAD_UNCHANGED)
        assert np.array_equal(cut, image[2:10, 2:12])


def test_a_saved_screen_tells_all_and_so_do_its_images(generator_path: Path, tmp_path: Path) -> None:
    grid = ["grid", str(generator_path), "--display", "none", "--rows", "3", "--cols", "4", "--out", str(tmp_path)]
    assert main([*grid, "--seed", "5", "--keys", "S,right,down,s"]) == 0
    assert view(tmp_path / "tiny-0001.png", "--keys", "right,down,s", "--out", tmp_path / "cut") == 0
    cut, saved = tmp_path / "cut" / "tiny-0001-0001.png", tmp_path / "tiny-0002.png"
    assert np.array_equal(cv2.imread(str(cut)), cv2.imread(str(saved)))
    recipe = read_recipe(saved)
    assert recipe.items() <= read_recipe(cut).items()
    assert main([*grid, "--from", str(cut), "--keys", "s", "--out", str(tmp_path / "replayed")]) == 0
    assert np.array_equal(cv2.imread(str(tmp_path / "replayed" / "tiny-0001.png")), cv2.imread(str(saved)))


def test_a_page_of_a_set_that_is_not_full(tmp_path: Path) -> None:
    images = random.integers(0, 256, (5, 6, 6, 3), np.uint8)
    np.save(tmp_path / "set.npy", images)
    page = ["dataset", str(tmp_path / "set.npy"), "--display", "none", "--cols", "3", "--out", str(tmp_path)]
    assert main([*page, "--keys", "S"]) == 0
    assert view(tmp_path / "set-0001.png", "--keys", "S", "--out", tmp_path / "cut") == 0
    files = sorted((tmp_path / "cut").iterdir())
    assert [read_recipe(file)["number"] for file in files] == [0, 1, 2, 3, 4]
    assert np.array_equal(np.stack([cv2.imread(str(file))[..., ::-1] for file in files]), images)


def test_what_is_no_table_is_one_line(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    table_file(tmp_path / "noise.png")
    (tmp_path / "short.png").write_bytes(table_file(tmp_path / "whole.png").read_bytes()[:-40])
    (tmp_path / "whole.png").unlink()
    (tmp_path / "text.png").write_text("no image")
    (tmp_path / "folder.png").mkdir()
    for path in (*tmp_path.iterdir(), tmp_path / "missing.png"):
        assert view(path) == 2
        error = capfd.readouterr().err
        assert path.name in error
        assert error.count("\n") == 1
    assert view(tmp_path / "noise.png", "--rows", 5, "--cols", 3, "--margin", 1) == 2
    assert "not 5 rows and 3 columns" in capfd.readouterr().err


# What is seen.


def pressed(state: PickState, keys: str) -> PickState:
    for event in parse_keys(keys):
        state = state.after(event)
    return state


def test_small_tables_are_shown_large_and_large_ones_whole() -> None:
    small, large = begin(TABLE, 50, 32), begin(SheetLayout(40, 40, 128, 128, 2, 2), 5202, 5202)
    assert small.scale == 16
    assert large.view[0] <= VIEW[0]
    assert large.view[1] <= VIEW[1]
    assert large.whole == large.view
    assert begin(TABLE, 50, 32, 3.5).scale == 3.5


@pytest.mark.parametrize("keys", ["", "end", "right,right,down", "end,up,left", "-,-", "+,+,end", "+,+,+,+,+,+,down"])
@pytest.mark.parametrize("scale", [None, 0.3, 1, 2.5, 40])
def test_the_cursor_is_in_view(keys: str, scale: float | None) -> None:
    table = SheetLayout(30, 20, 60, 40, 3, 0)
    state = pressed(begin(table, 20 * 63 - 3, 30 * 43 - 3, scale), keys)
    place, (width, height) = state.place, state.view
    for first, last, side in ((place.left, place.right, width), (place.top, place.bottom, height)):
        assert (first >= 0 and last <= side) or (first <= 0 and last >= side) or last - first > side - 6
    assert 0 <= state.corner[0] <= state.whole[0] - width
    assert 0 <= state.corner[1] <= state.whole[1] - height


@pytest.mark.parametrize("scale", [*SCALES, 1.7])
def test_a_click_means_the_image_below_it(scale: float) -> None:
    table = SheetLayout(9, 7, 64, 48, 2, 2)
    state = begin(table, 7 * 66 + 2, 9 * 50 + 2, scale)
    for index in (0, 1, 8, 62):
        there = pressed(state, ",".join(["home", *["right"] * (index % 7), *["down"] * (index // 7)]))
        place, view = there.place, there.view
        x = min(max(place.left + place.width // 2, 0), view[0] - 1)
        y = min(max(place.top + place.height // 2, 0), view[1] - 1)
        assert there.cursor == pressed(there, f"click:{x}:{y}").cursor == index
    assert pressed(state, "wheel:1").scale >= state.scale >= pressed(state, "wheel:-1").scale
