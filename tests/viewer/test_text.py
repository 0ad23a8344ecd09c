"""Lines of text for displays of character cells: shortened by whole pieces, and never wider than they may be."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from viewer.frame import key_page
from viewer.labels import frame_of, labels_of, text_width
from viewer.modes import Mode, mode_names
from viewer.text import cut, line_of, page_of, width_of, wrapped

PIECES = st.lists(st.text(max_size=30), max_size=6)


@given(PIECES, PIECES, st.integers(0, 200))
def test_no_line_is_too_wide_or_would_write_elsewhere(status: list[str], hints: list[str], columns: int) -> None:
    line = line_of(status, hints, columns)
    assert width_of(line) <= columns
    assert line.isprintable()


def test_whole_pieces_are_left_out() -> None:
    status, hints = ("cats", "random", "seed 0"), ("h: keys", "any key: new", "esc quit")
    expected = {
        80: "cats - random - seed 0 | h: keys, any key: new, esc quit",
        55: "cats - random - seed 0 | h: keys, any key: new",
        40: "cats - random - seed 0 | h: keys",
        30: "cats - random | h: keys",
        15: "cats | h: keys",
        12: "h: keys",
        4: "h: k",
    }
    assert {columns: line_of(status, hints, columns) for columns in expected} == expected
    assert line_of(("cats", "a notice that is long"), (), 10) == "cats"
    assert cut("a\x1bb猫c", 4) == "a?b"


def test_lines_are_broken_between_words() -> None:
    assert wrapped("one two  three", 7) == ["one two", "three"]
    assert wrapped("unbreakable x", 4) == ["unbreakable", "x"]
    assert wrapped("", 4) == [""]


@pytest.mark.parametrize("name", [name for name in mode_names() if Mode(name).bindings])
@pytest.mark.parametrize(("columns", "lines"), [(80, 23), (60, 19), (120, 39), (30, 10), (5, 2)])
def test_a_key_table_fits_a_terminal(name: str, columns: int, lines: int) -> None:
    rows = tuple((binding.keys, binding.does) for binding in Mode(name).bindings)
    page = page_of(rows, columns, lines)
    assert len(page) <= lines
    assert all(width_of(line) <= columns for line in page)
    if columns >= 80:
        found = "\n".join(page)
        assert all(keys in found for keys, _ in rows)
        assert "--help" not in found


@pytest.mark.parametrize("size", [(10, 10), (300, 500), (900, 1200)])
@pytest.mark.parametrize("scale", [1.0, 2.0])
def test_a_key_table_is_readable_on_any_frame(size: tuple[int, int], scale: float) -> None:
    image = np.full((*size, 3), 255, np.uint8)
    rows = tuple((binding.keys, binding.does) for binding in Mode("latent").bindings)
    shown = key_page.over(frame_of(image, text_scale=scale, fits=True), rows, scale)
    height, width = shown.shape[:2]
    assert height >= size[0]
    assert width >= size[1]
    texts = labels_of(shown)
    for label in texts:
        assert label.x >= 0
        assert label.x + text_width(label.text, scale) <= width
        assert label.y > 8 * scale
        assert label.y + 8 * scale < height
    written = " ".join(label.text for label in texts).split()
    assert sorted(word for row in rows for part in row for word in part.split()) == sorted(written[:-5])  # no word lost
    gaps = np.diff(sorted({label.y for label in texts}))
    assert gaps.min() >= 15 * scale
    assert shown.fits
