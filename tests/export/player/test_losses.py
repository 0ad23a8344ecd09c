"""Nothing is lost on a page without a word: drawings, further images, links that ask for too much."""

import struct
import zlib
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from pages import OpenPage
from test_images_in_browser import drop, photograph, saved

if TYPE_CHECKING:
    from playwright.sync_api import Page

SAID = "words => document.body.innerText.includes(words)"
DESCRIBED = "words => document.querySelector('p.unseen').textContent.includes(words)"


def scribble(page: "Page", strokes: int, points: int) -> None:
    """Draw so many strokes of so many points each."""
    box = page.locator(".draw canvas").first.bounding_box()
    assert box is not None
    chance = np.random.default_rng(strokes)
    for _ in range(strokes):
        places = chance.uniform(0.05, 0.95, (points, 2)) * (box["width"], box["height"]) + (box["x"], box["y"])
        page.mouse.move(*places[0])
        page.mouse.down()
        for place in places[1:]:
            page.mouse.move(*place)
        page.mouse.up()


def show(page: "Page", mode: str) -> None:
    page.click(f'nav [data-mode="{mode}"]')
    page.wait_for_function("name => document.querySelector(`nav [data-mode=${name}][aria-current]`)", arg=mode)


def test_a_drawing_on_an_image_is_there_after_another_mode(open_page: OpenPage, tmp_path: Path) -> None:
    page = open_page("edges", hash="#mode=draw")
    drop(page, photograph(tmp_path / "photo.png", 64, 48))
    scribble(page, 3, 4)
    page.wait_for_function(DESCRIBED, arg="3 strokes")
    before, _ = saved(page, "d")
    show(page, "translate")
    show(page, "draw")
    page.wait_for_function(DESCRIBED, arg="3 strokes")
    after, _ = saved(page, "d")
    assert before.any()
    np.testing.assert_array_equal(after, before)
    page.keyboard.press("z")
    page.wait_for_function(DESCRIBED, arg="2 strokes")


@pytest.mark.slow
def test_a_link_says_what_it_leaves_out(open_page: OpenPage, tmp_path: Path) -> None:
    page = open_page("edges", hash="#mode=draw")
    scribble(page, 2, 3)
    page.get_by_role("button", name="Copy link").click()
    page.wait_for_function(SAID, arg="leads back to")
    assert "too long" not in page.inner_text("body")
    scribble(page, 60, 60)
    page.get_by_role("button", name="Copy link").click()
    page.wait_for_function(SAID, arg="The drawing is too long for a link: save it to go on from it.")
    drop(page, photograph(tmp_path / "photo.png", 64, 48))
    page.get_by_role("button", name="Copy link").click()
    page.wait_for_function(SAID, arg="The image below the drawing is not in it")


@pytest.mark.parametrize("mode", ["grid", "encode"])
def test_images_that_are_left_out_are_counted(mode: str, open_page: OpenPage, tmp_path: Path) -> None:
    page = open_page("encoder", hash=f"#mode={mode}")
    most = 1 if mode == "grid" else 2
    drop(page, *(photograph(tmp_path / f"{name}.png", 16, 16) for name in "abc"))
    page.wait_for_function(SAID, arg=f"Only the first {most} of these images can be shown here: {3 - most} left out")


def test_a_link_that_asks_for_gigabytes_is_answered(open_page: OpenPage) -> None:
    page = open_page("large", hash="#mode=grid&rows=64&cols=64")
    page.wait_for_function(SAID, arg="64 by 64 of these images are too many at once: as many as fit are shown")
    page = open_page("generator", hash="#mode=grid&rows=64&cols=64")
    page.wait_for_function("() => location.hash.includes('rows=64')")
    assert "too many" not in page.inner_text("body")


def test_a_photograph_is_made_again_in_the_class_that_is_chosen(open_page: OpenPage, tmp_path: Path) -> None:
    page = open_page("classes and encoder", hash="#mode=encode")
    drop(page, photograph(tmp_path / "photo.png", 16, 16))
    page.wait_for_function(DESCRIBED, arg="photo.png")
    first, recipe = saved(page, "s")
    assert recipe["first_label"] == 0
    page.keyboard.press("n")
    second, recipe = saved(page, "s")
    assert recipe["first_label"] == 1
    assert second.mean() > first.mean(), "images of each class are brighter than those of the one before"
    page.keyboard.press("0")
    third, _ = saved(page, "s")
    np.testing.assert_array_equal(third, first)


def test_a_png_of_gigabytes_is_refused_by_its_header(open_page: OpenPage, tmp_path: Path) -> None:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0)
    bomb = tmp_path / "bomb.png"
    bomb.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(bytes(10_000))))
    page = open_page("edges", hash="#mode=draw", expected="60000")
    drop(page, bomb)
    page.wait_for_function(SAID, arg="60000")
