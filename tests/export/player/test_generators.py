"""Modes of generators on a page: the same images as the viewer's, and recipes that both programs read."""

import base64
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from pages import Kinds, OpenPage

from trainer.contract.recipe import find_recipe
from viewer import __main__ as viewer
from viewer.options import BUILT_IN

if TYPE_CHECKING:
    from playwright.sync_api import Page

Pixels = NDArray[np.uint8]
MADE = """() => document.querySelector(".sheet")?.ariaBusy === "false" """
WEB = Path(__file__).parents[3] / "export" / "web" / "src"
DROP = """([name, text]) => {
    const bytes = Uint8Array.from(atob(text), (one) => one.charCodeAt(0));
    const data = new DataTransfer();
    data.items.add(new File([bytes], name, {type: "image/png"}));
    document.body.dispatchEvent(new DragEvent("drop", {dataTransfer: data, bubbles: true, cancelable: true}));
}"""


def read(path: Path) -> Pixels:
    image = cv2.imread(str(path), cv2.IMREAD_COLOR)
    assert image is not None
    return np.asarray(image, np.uint8)


def saved(page: "Page", key: str, path: Path) -> Path:
    """What the page saves by a key."""
    with page.expect_download() as download:
        page.keyboard.press(key)
    download.value.save_as(path)
    return path


def drop(page: "Page", path: Path) -> None:
    page.evaluate(DROP, [path.name, base64.b64encode(path.read_bytes()).decode()])


def hash_now(page: "Page") -> str:
    """What a link to the page says at this moment; the address follows in a moment otherwise."""
    page.evaluate("() => { window.dispatchEvent(new Event('pagehide')); }")
    return str(page.evaluate("location.hash"))


def by_viewer(folder: Path, *words: str, keys: str = "S") -> Path:
    """What the viewer saves."""
    folder.mkdir(parents=True, exist_ok=True)
    before = set(folder.iterdir())
    assert viewer.main([*words, "--display", "none", "--keys", f"{keys},esc", "--out", str(folder)]) == 0
    (made,) = set(folder.iterdir()) - before
    return made


def assert_same(one: Path, other: Path) -> None:
    """Two images that differ by a level at most."""
    first, second = read(one), read(other)
    assert first.shape == second.shape
    assert np.abs(first.astype(int) - second).max() <= 1


@pytest.mark.parametrize(
    ("kind", "mode", "more"),
    [
        ("generator", "grid", ()),
        ("generator", "grid", ("i",)),
        ("classes", "grid", ("n", "c")),
        ("classes", "grid", ("m",)),
        ("detail", "hpf", ("+", "+")),
        ("generator", "hpf", ("+", "+", "+")),
    ],
    ids=["random", "interpolation", "rows by class", "mixes", "detail", "sharpening"],
)
@pytest.mark.parametrize("seeds", [2, pytest.param(10, marks=pytest.mark.slow)])
def test_seeds_give_the_viewers_images(
    seeds: int, kind: str, mode: str, more: Sequence[str], kinds: Kinds, open_page: OpenPage, tmp_path: Path
) -> None:
    model, *beside = map(str, kinds[kind])
    page = open_page(kind, hash=f"#mode={mode}&seed=0&rows=2&cols=3")
    page.wait_for_selector(".sheet")
    for key in more:
        page.keyboard.press(key)
    for seed in range(seeds):
        page.wait_for_function(MADE)
        found = saved(page, "Shift+S", tmp_path / f"page-{seed}.png")
        words = [mode, model, *(beside if mode == "hpf" else ()), "--rows", "2", "--cols", "3", "--seed", str(seed)]
        assert_same(found, by_viewer(tmp_path / "viewer", *words, keys=",".join([*more, "S"])))
        page.keyboard.press("Space")


@pytest.mark.parametrize(
    ("mode", "page_keys", "viewer_keys"),
    [
        ("grid", ["Space", "i", "+", "ArrowRight", "ArrowDown"], "space,i,+,right,down"),
        ("animate", ["Space", "r"], "space,r"),
        ("hpf", ["i", "-"], "i,-"),
        ("latent", ["x", "ArrowLeft", "ArrowUp"], "x,left,up"),
        ("latent", ["i", "ArrowRight", "ArrowRight"], "i,right,right"),
    ],
    ids=["grid", "animate", "hpf", "plane", "line"],
)
def test_recipes_are_read_both_ways(
    mode: str, page_keys: Sequence[str], viewer_keys: str, kinds: Kinds, open_page: OpenPage, tmp_path: Path
) -> None:
    kind = "detail" if mode == "hpf" else "generator"
    words = [mode, *map(str, kinds[kind])]
    size = ["--rows", "2", "--cols", "3"] if mode in ("grid", "hpf") else []
    page = open_page(kind, hash=f"#mode={mode}" + ("&rows=2&cols=3" if size else ""))
    page.wait_for_selector(".sheet, .latent")
    for key in page_keys:
        page.keyboard.press(key)
    mine = saved(page, "s", tmp_path / "page.png")
    theirs = by_viewer(tmp_path / "viewer", *words, *size, keys=f"{viewer_keys},s")
    again = by_viewer(tmp_path / "again", *words, "--from", str(mine), keys="s")
    assert_same(mine, theirs)
    assert_same(mine, again)

    there = hash_now(page)
    page.keyboard.press("r")  # somewhere else
    elsewhere = hash_now(page)
    assert elsewhere != there
    drop(page, theirs)
    page.wait_for_function("elsewhere => location.hash !== elsewhere", arg=elsewhere)
    assert_same(saved(page, "s", tmp_path / "dropped.png"), theirs)


def test_links_lead_back_to_the_same_bits(open_page: OpenPage, tmp_path: Path) -> None:
    for mode, keys in (
        ("grid", ["3", "i", "+", "ArrowRight"]),
        ("latent", ["Space", "ArrowLeft", "y"]),
        ("animate", ["Space", "r"]),
    ):
        page = open_page("generator", hash=f"#mode={mode}")
        page.wait_for_selector(".sheet, .latent")
        for key in keys:
            page.keyboard.press(key)
        first = saved(page, "s", tmp_path / "first.png")
        page.get_by_role("button", name="Copy link").click()
        address = page.evaluate("() => location.hash")
        second = saved(open_page("generator", hash=address), "s", tmp_path / "second.png")
        assert first.read_bytes() == second.read_bytes()


MOVED = """async () => {
    const canvas = document.querySelector(".session canvas"), first = canvas.toDataURL();
    while (canvas.toDataURL() === first) await new Promise(requestAnimationFrame);
}"""


def test_a_link_to_a_walk_that_moves_leads_to_where_it_was(open_page: OpenPage) -> None:
    page = open_page("generator", hash="#mode=animate&seed=4")
    page.wait_for_function("() => !location.hash.includes('at=')")
    page.evaluate(MOVED)
    page.get_by_role("button", name="Copy link").click()
    address = page.evaluate("() => location.hash")
    at = int(re.search(r"at=(\d+)", address)[1])  # type: ignore[index]
    assert at > 0
    assert "paused" not in address
    other = open_page("generator", hash=f"{address}&paused=1")
    other.wait_for_selector(".sheet")
    assert f"at={at}&" in hash_now(other) + "&"


@pytest.mark.parametrize("size", [(1280, 800), pytest.param((390, 800), marks=pytest.mark.slow)])
def test_sliders_are_saved_as_they_are_on_the_screen(
    size: tuple[int, int], open_page: OpenPage, tmp_path: Path
) -> None:
    page = open_page("generator", hash="#mode=latent&view=sliders&seed=2", size=size)
    page.wait_for_selector('.latent[data-view="sliders"] .axis-track')
    screen = read(saved(page, "Shift+S", tmp_path / "screen.png"))
    large = read(saved(page, "s", tmp_path / "large.png"))
    assert screen.shape[1] > 2 * screen.shape[0] or size[0] < 500
    rows = page.evaluate(
        """() => [...document.querySelectorAll('.axis-track canvas')].map((one) => {
            const {data} = one.getContext('2d').getImageData(0, 0, one.width, one.height);
            const colours = new Uint8Array(data.filter((_, at) => at % 4 < 3));
            return [one.height, one.width, btoa(String.fromCharCode(...colours))];
        })"""
    )
    assert len(rows) > 2
    for height, width, text in rows:  # left of the knob it is what is on the screen
        track = np.frombuffer(base64.b64decode(text), np.uint8).reshape(height, width, 3)[..., ::-1]
        part = np.ascontiguousarray(track[:, : width // 8])
        _, _, (left, top), _ = cv2.minMaxLoc(cv2.matchTemplate(screen, part, cv2.TM_SQDIFF))
        assert np.array_equal(screen[top : top + height, left : left + width // 8], part)
    side = round(min(screen.shape[0] - 16, screen.shape[1]))
    shown = cv2.resize(screen[8 : 8 + side, 8 : 8 + side], large.shape[1::-1], interpolation=cv2.INTER_AREA)
    assert np.abs(shown.astype(int) - large).mean() < 12


def test_seeds_beyond_exact_numbers_stay_whole(kinds: Kinds, open_page: OpenPage, tmp_path: Path) -> None:
    (model,) = map(str, kinds["generator"])
    seed = str(2**63 - 1)
    page = open_page("generator", hash=f"#mode=grid&seed={seed}&rows=1&cols=2")
    page.wait_for_selector(".sheet")
    mine = saved(page, "Shift+S", tmp_path / "page.png")
    assert (find_recipe(mine.read_bytes()) or {})["seed"] == 2**63 - 1
    theirs = by_viewer(tmp_path / "viewer", "grid", model, "--seed", seed, "--rows", "1", "--cols", "2")
    assert_same(mine, theirs)
    page.keyboard.press("Space")
    assert f"seed={seed}" not in hash_now(page)
    drop(page, theirs)
    page.wait_for_function("(seed) => location.hash.includes(seed)", arg=seed)
    assert_same(saved(page, "Shift+S", tmp_path / "dropped.png"), theirs)


def test_a_photograph_is_encoded_as_the_viewer_does_it(kinds: Kinds, open_page: OpenPage, tmp_path: Path) -> None:
    model = str(kinds["encoder"][0])
    photo = tmp_path / "photo.png"
    cv2.imwrite(str(photo), np.random.default_rng(0).integers(0, 256, (61, 43, 3), np.uint8))
    page = open_page("encoder", hash="#mode=grid&rows=2&cols=3")
    page.wait_for_selector(".sheet")
    drop(page, photo)
    page.wait_for_function("() => location.hash.includes('encoded')")
    mine = saved(page, "Shift+S", tmp_path / "page.png")
    theirs = by_viewer(tmp_path / "viewer", "grid", model, "--encode", str(photo), "--rows", "2", "--cols", "3")
    assert_same(mine, theirs)

    page = open_page("encoder", hash="#mode=encode")
    page.wait_for_selector(".encode")
    drop(page, photo)
    page.wait_for_function("() => location.hash.includes('start')")
    again = saved(page, "s", tmp_path / "encoded.png")
    assert_same(again, by_viewer(tmp_path / "latent", "latent", model, "--from", str(again), keys="s"))


@pytest.mark.slow
def test_the_built_in_model_gives_the_viewers_images(browser: object, open_page: OpenPage, tmp_path: Path) -> None:
    from export.player.page import ModelFile, Page
    from export.player.writing import write_html

    path = tmp_path / "cats.html"
    write_html(Page(title="cats", models=[ModelFile(BUILT_IN.name, BUILT_IN.read_bytes())]), path, force=False)
    page = open_page(path, hash="#mode=grid&rows=2&cols=3")
    for seed in range(10):
        page.wait_for_function(MADE, timeout=60_000)
        found = saved(page, "Shift+S", tmp_path / f"{seed}.png")
        assert_same(found, by_viewer(tmp_path / "viewer", "grid", "--rows", "2", "--cols", "3", "--seed", str(seed)))
        page.keyboard.press("Space")
