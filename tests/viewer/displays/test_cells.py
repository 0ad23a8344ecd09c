"""Text in the cells of a terminal: where it belongs, whole, legible, and taken away again."""

import unicodedata

import numpy as np
import pyte
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from viewer.displays.cells import CellText, Painter, characters_of, place_labels, place_lines
from viewer.labels import Label

WHITE = (255, 255, 255)


def placed(labels: list[Label], columns: int = 40, rows: int = 10) -> list[str]:
    """The lines of a screen that shows a frame of 8x16 pixels a cell."""
    screen = [[" "] * columns for _ in range(rows)]
    for text in place_labels(labels, (8 * columns, 16 * rows), (0, 0, columns, rows), (columns, rows)):
        screen[text.row][text.column : text.column + len(text.characters)] = text.characters
    return ["".join(row).rstrip() for row in screen]


def test_text_stands_where_it_was_written() -> None:
    lines = placed(
        [
            Label("left", 16, 8),
            Label("middle", 160, 24, anchor="middle"),
            Label("right", 320, 40, anchor="right"),
            Label("up", 4, 104, upright=True),
        ]
    )
    assert lines[0] == "  left"
    assert lines[1] == " " * 17 + "middle"
    assert lines[2] == " " * 35 + "right"
    assert [line[:1] for line in lines[5:9]] == ["", "u", "p", ""]


def test_where_texts_meet_the_first_stays_whole() -> None:
    lines = placed([Label("first", 80, 8), Label("a second one", 0, 8), Label("x", 80, 8), Label("no", 112, 8)])
    assert lines[0] == "a second  first"  # and a column is free between them


def test_upright_text_goes_beside_what_is_in_its_way() -> None:
    lines = placed([Label("-1", 64, 56, anchor="right"), Label("axis", 52, 56, upright=True)])
    assert lines[2:6] == ["    a", "    x -1", "    i", "    s"]


def test_text_ends_at_the_edge() -> None:
    assert placed([Label("abcdefgh", 280, 8)])[0] == " " * 35 + "abcde"
    assert placed([Label("abcdefgh", 24, 8, anchor="right")])[0] == "fgh"
    assert placed([Label("beside", 400, 8), Label("below", 8, 400), Label("above", 8, -20)]) == [""] * 10


text = st.text(st.characters(codec="utf-8"), max_size=30)


@settings(max_examples=200)
@given(st.lists(st.tuples(text, st.integers(-200, 500), st.integers(-50, 250), st.booleans()), max_size=8))
def test_any_text_at_any_place(labels: list[tuple[str, int, int, bool]]) -> None:
    made = [Label(words, x, y, anchor="middle", upright=upright) for words, x, y, upright in labels]
    taken: set[tuple[int, int]] = set()
    for one in place_labels(made, (320, 160), (3, 1, 30, 7.5), (36, 9)):
        assert one.characters
        for column, character in enumerate(one.characters, one.column):
            assert 0 <= one.row < 9
            assert 0 <= column < 36
            assert (one.row, column) not in taken
            taken.add((one.row, column))
            assert character == "" or (len(character) == 1 and character.isprintable())


def test_a_wide_character_takes_two_cells() -> None:
    assert characters_of("猫a\x1b") == ["猫", "", "a", "?"]
    assert unicodedata.east_asian_width("猫") == "W"


@pytest.mark.parametrize("ground", [0, 24, 120, 255])
@pytest.mark.parametrize("true_colour", [True, False])
def test_text_is_legible_on_any_ground_and_goes_again(ground: int, true_colour: bool) -> None:
    screen = pyte.Screen(20, 4)
    stream = pyte.ByteStream(screen)
    painter = Painter(true_colour)
    pixels = np.full((8, 20, 3), ground, np.uint8)
    text = CellText(1, 3, characters_of("cat 猫"), WHITE)
    stream.feed(painter.paint(pixels, [text]))
    assert screen.display[1][3:8] == "cat 猫"
    for column in range(3, 9):
        cell = screen.buffer[1][column]
        assert int(cell.fg[:2], 16) - int(cell.bg[:2], 16) > 90
    assert screen.buffer[1][2].data == "▀"
    assert painter.paint(pixels, [text]) == b""
    stream.feed(painter.paint(pixels))
    assert screen.display[1] == "▀" * 20
    assert {cell.fg for cell in screen.buffer[1].values()} == {screen.buffer[0][0].fg}


@pytest.mark.parametrize("size", [(2, 4), (3, 5), (8, 16), (13, 31)])
def test_thin_lines_are_dots_of_braille(size: tuple[int, int]) -> None:
    width, height = size
    lines = np.zeros((3 * height, 5 * width, 3), np.uint8)
    lines[height : 2 * height, 2 * width] = (10, 200, 250)  # the left column of a cell in the middle
    lines[-1, :width] = (255, 0, 0)  # and the lowest row of the first cell
    found = place_lines(lines, (4, 1, 5, 3.0), (20, 10))
    assert [(text.row, text.column, text.characters, text.colour) for text in found] == [
        (2, 6, ["⡇"], (10, 200, 250)),
        (3, 4, ["⣀"], (255, 0, 0)),
    ]


@given(st.integers(1, 40), st.integers(1, 40), st.integers(1, 12), st.floats(0.5, 9), st.integers(0, 6))
@settings(max_examples=60)
def test_lines_of_any_size_stay_on_the_screen(height: int, width: int, across: int, down: float, left: int) -> None:
    lines = np.full((height, width, 3), 200, np.uint8)
    found = place_lines(lines, (left, 1, across, down), (10, 5))
    assert found
    assert all(0 <= text.row < 5 and 0 <= text.column < 10 and text.colour == (200, 200, 200) for text in found)


def test_lines_keep_the_ground_that_they_lie_on() -> None:
    screen = pyte.Screen(4, 1)
    pixels = np.full((2, 4, 3), 60, np.uint8)
    text = CellText(0, 1, ["⡇"], (70, 70, 70), legible=False)
    pyte.ByteStream(screen).feed(Painter(True).paint(pixels, [text]))
    cell = screen.buffer[0][1]
    assert (cell.data, cell.fg, cell.bg) == ("⡇", "464646", "3c3c3c")
