"""Sixels: what a terminal would show of them is the image, and nothing is drawn twice."""

import re
import time

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from viewer.displays.sixel import HIGHEST, WIDEST, encode_sixel


def shown(data: bytes) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """An image [h, w, 3] BGR as a terminal decodes it, and how many times each pixel was drawn [h, w]."""
    head = re.match(rb'\x1bP0;1q"1;1;(\d+);(\d+)', data)
    assert head
    assert data.endswith(b"\x1b\\")
    width, height = int(head[1]), int(head[2])
    image, times = np.zeros((height + 6, width, 3), int), np.zeros((height + 6, width), int)
    palette: dict[int, list[float]] = {}
    x = y = colour = 0
    token = re.compile(rb"#(\d+);2;(\d+);(\d+);(\d+)|#(\d+)|([$-])|(?:!(\d+))?([?-~])")
    body, position = data[head.end() : -2], 0
    while position < len(body):
        found = token.match(body, position)
        assert found, body[position : position + 20]
        position = found.end()
        if found[1]:
            palette[int(found[1])] = [int(found[part]) * 2.55 for part in (4, 3, 2)]
        elif found[5]:
            colour = int(found[5])
        elif found[6]:
            x, y = 0, y + 6 * (found[6] == b"-")
        else:
            count = int(found[7] or 1)
            assert x + count <= width
            for row in range(6):
                if (found[8][0] - 63) >> row & 1:
                    image[y + row, x : x + count] = palette[colour]
                    times[y + row, x : x + count] += 1
            x += count
    assert not times[height:].any()
    return image[:height], times[:height]


@pytest.mark.parametrize("size", [(1, 1), (6, 6), (7, 5), (127, 211), (60, 4096)])
def test_the_image_is_shown_and_each_pixel_once(size: tuple[int, int]) -> None:
    small = np.random.default_rng(0).integers(0, 256, (4, 5, 3), dtype=np.uint8)
    image = cv2.resize(small, size[::-1], interpolation=cv2.INTER_CUBIC).reshape(*size, 3)
    found, times = shown(encode_sixel(image))
    assert (times == 1).all()
    assert np.abs(found - image).mean() < 16


def test_few_colours_are_exact_but_for_percent() -> None:
    image = np.random.default_rng(1).choice(np.array([[0, 0, 255], [24, 22, 21], [255, 255, 255]], np.uint8), (50, 70))
    found, _ = shown(encode_sixel(image))
    assert np.abs(found - image).max() <= 3


def test_flat_areas_take_next_to_nothing() -> None:
    assert len(encode_sixel(np.full((600, 800, 3), 77, np.uint8))) < 4000


@pytest.mark.parametrize("size", [(HIGHEST, 12), (12, WIDEST)])
def test_the_largest_images(size: tuple[int, int]) -> None:
    image = np.zeros((*size, 3), np.uint8)
    image[-7:, -5:] = 255
    found, times = shown(encode_sixel(image))
    assert np.abs(found - image).max() <= 2
    assert (times == 1).all()


def test_a_page_takes_a_fraction_of_a_second() -> None:
    small = np.random.default_rng(0).integers(0, 256, (30, 40, 3), dtype=np.uint8)
    image = cv2.resize(small, (640, 480), interpolation=cv2.INTER_CUBIC)
    encode_sixel(image)
    times = []
    for _ in range(5):
        started = time.thread_time()
        encode_sixel(image)
        times.append(time.thread_time() - started)
    assert min(times) < 0.25
