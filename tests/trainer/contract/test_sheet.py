"""Where the images of a table lie: as told, by its recipe, by the lines between."""

from pathlib import Path

import numpy as np
import pytest

from trainer.contract.errors import ImageError
from trainer.contract.sheet import SheetLayout, find_layout

PATH = Path("table.png")
random = np.random.default_rng(0)


def painted(table: SheetLayout, colour: int = 22, images: np.ndarray | None = None) -> np.ndarray:
    """A table of noise, or of these images."""
    height = table.border * 2 + table.rows * (table.height + table.margin) - table.margin
    width = table.border * 2 + table.columns * (table.width + table.margin) - table.margin
    image = np.full((height, width, 3), colour, np.uint8)
    for index in range(table.count):
        noise = random.integers(0, 256, (table.height, table.width, 3), np.uint8)
        image[table.part(index)] = noise if images is None else images[index]
    return image


def digits(count: int, ground: int) -> np.ndarray:
    """Images of which only the middle, of any size, is not of the colour of the ground."""
    images = np.full((count, 28, 28, 3), ground, np.uint8)
    for image in images:
        top, left = random.integers(4, 8, 2)
        high, wide = random.integers(12, 17, 2)
        image[top : top + high, left : left + wide] = random.integers(0, 256, (high, wide, 1))
    return images


@pytest.mark.parametrize(
    "table",
    [
        SheetLayout(6, 8, 128, 128, 2, 2),
        SheetLayout(8, 8, 28, 28, 2, 2),
        SheetLayout(1, 10, 32, 48, 2, 2),
        SheetLayout(10, 1, 32, 48, 2, 2),
        SheetLayout(4, 5, 64, 64, 4, 0),
        SheetLayout(3, 7, 20, 30, 1, 1),
        SheetLayout(2, 1, 64, 64, 8, 0),
        SheetLayout(16, 16, 8, 8, 5, 5),
    ],
)
@pytest.mark.parametrize("colour", [0, 22, 255])
def test_lines_between_images_are_found(table: SheetLayout, colour: int) -> None:
    assert find_layout(PATH, painted(table, colour), {}) == table
    assert find_layout(PATH, painted(table, colour), {}, rows=table.rows) == table


@pytest.mark.parametrize("ground", [0, 255])
def test_images_with_the_colour_of_the_lines_at_their_edges(ground: int) -> None:
    table = SheetLayout(8, 8, 28, 28, 2, 2)
    assert find_layout(PATH, painted(table, ground, digits(64, ground)), {}) == table


def test_a_last_row_that_is_not_full() -> None:
    table = SheetLayout(3, 4, 30, 30, 2, 2)
    image = painted(table)
    for index in (9, 10, 11):
        image[table.part(index)] = 22
    assert find_layout(PATH, image, {}) == table


@pytest.mark.parametrize("image", [np.zeros((90, 90, 3), np.uint8), random.integers(0, 256, (90, 90, 3), np.uint8)])
def test_no_lines_is_one_line(image: np.ndarray) -> None:
    with pytest.raises(ImageError, match=r"table\.png.*--rows, --columns and --margin"):
        find_layout(PATH, image, {})
    with pytest.raises(ImageError, match="not 7 rows"):
        find_layout(PATH, image, {}, rows=7, columns=7, margin=3)


def test_a_frame_round_one_image_is_no_table() -> None:
    image = np.zeros((40, 40, 3), np.uint8)
    image[2:-2, 2:-2] = random.integers(1, 256, (36, 36, 3))
    with pytest.raises(ImageError, match="no lines"):
        find_layout(PATH, image, {})


def test_an_image_of_the_screen_is_not_taken_for_another_table() -> None:
    image = painted(SheetLayout(4, 8, 32, 32, 2, 2))
    image[:38, :38] = (10, 200, 250)  # the cursor, over its margins
    screen = np.concatenate([image, np.full((28, image.shape[1], 3), 22, np.uint8)])
    with pytest.raises(ImageError, match="no lines"):
        find_layout(PATH, screen, {})


def test_a_recipe_tells_and_one_image_is_no_table() -> None:
    flat = np.zeros((3 * 12 + 2, 4 * 12 + 2, 3), np.uint8)
    assert find_layout(PATH, flat, {"rows": 3, "cols": 4, "gap": 2}) == SheetLayout(3, 4, 10, 10, 2, 2)
    with pytest.raises(ImageError, match="one image"):
        find_layout(PATH, flat, {"rows": 3, "cols": 4, "gap": 2, "image": 1})
    for damaged in ({"rows": "3", "cols": 4}, {"rows": -1, "cols": 10**9}):
        with pytest.raises(ImageError, match="no lines"):
            find_layout(PATH, flat, damaged)
