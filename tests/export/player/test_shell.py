"""What every mode of a page has in common: keys, the bar, links, saving, recording, files, languages, small screens."""

import hashlib
import itertools
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from pages import Kinds, OpenPage
from PIL import Image

from trainer.contract.recipe import find_recipe
from viewer.keys import Action

if TYPE_CHECKING:
    from playwright import sync_api
    from playwright.sync_api import Page
else:
    sync_api = pytest.importorskip("playwright.sync_api", reason="needs the test extra")

expect = sync_api.expect
WEB = Path(__file__).resolve().parents[3] / "export" / "web"
LEAVE = "window.dispatchEvent(new Event('pagehide'))"
SEED = "new URLSearchParams(location.hash.slice(1)).get('seed')"
NOTICE = ".notice[role=status]"
DROP = """([name, bytes, type]) => {
  const given = new DataTransfer();
  given.items.add(new File([Uint8Array.from(bytes)], name, { type }));
  window.dispatchEvent(new DragEvent("drop", { dataTransfer: given, bubbles: true, cancelable: true }));
}"""


def drop(page: "Page", name: str, data: bytes, type: str = "") -> None:
    """Drop a file onto the page."""
    page.evaluate(DROP, [name, list(data), type])


def download(page: "Page", act: Callable[[], Any]) -> tuple[str, bytes]:
    """Name and contents of the file that the page gives."""
    with page.expect_download() as found:
        act()
    return found.value.suggested_filename, Path(found.value.path()).read_bytes()


def seed(page: "Page") -> str:
    """Of the address, which follows at once where the page is left."""
    return str(page.evaluate(f"() => {{ {LEAVE}; return {SEED}; }}"))


def test_actions_have_the_names_of_the_viewer() -> None:
    source = (WEB / "src" / "mode.ts").read_text()
    listed = source.partition("ACTIONS = [")[2].partition("]")[0]
    assert [one.strip(' "\n') for one in listed.split(",") if one.strip()] == [action.name for action in Action]


def test_keys_and_buttons_do_the_same(open_page: OpenPage) -> None:
    page = open_page("generator")
    first = seed(page)
    page.keyboard.press("x")
    by_key = seed(page)
    page.keyboard.press("Backspace")
    assert seed(page) == first
    page.locator(".bar button.primary").click()
    assert seed(page) == by_key != first


def test_a_saved_image_and_the_sheet_carry_their_recipes(open_page: OpenPage) -> None:
    page = open_page("generator")
    name, data = download(page, lambda: page.keyboard.press("s"))
    recipe = find_recipe(data)
    assert name.endswith(".png")
    assert recipe is not None
    assert recipe["image"] == 0
    assert "sha256" in recipe
    _, sheet = download(page, lambda: page.keyboard.press("Shift+S"))
    whole = find_recipe(sheet)
    assert whole is not None
    assert whole["rows"] * whole["cols"] > 1
    assert Image.open(BytesIO(sheet)).size > Image.open(BytesIO(data)).size


def test_a_saved_image_dropped_on_the_page_leads_back(open_page: OpenPage) -> None:
    page = open_page("generator")
    first = seed(page)
    _, data = download(page, lambda: page.keyboard.press("s"))
    for _ in range(3):
        page.keyboard.press("x")
    assert seed(page) != first
    drop(page, "saved.png", data, "image/png")
    page.wait_for_function(f"first => {{ {LEAVE}; return {SEED} === first; }}", arg=first)


def test_a_link_leads_back_to_the_same_bits(open_page: OpenPage) -> None:
    page = open_page("generator")
    for _ in range(3):
        page.keyboard.press("x")
    seed(page)
    address = page.evaluate("() => location.hash")
    _, here = download(page, lambda: page.keyboard.press("Shift+S"))
    again = open_page("generator", hash=address)
    _, there = download(again, lambda: again.keyboard.press("Shift+S"))
    assert here == there


def test_a_link_to_a_mode_that_is_not_there_says_so(open_page: OpenPage) -> None:
    page = open_page("generator", hash="#mode=nothing&seed=<b>")
    expect(page.locator(NOTICE)).to_contain_text("nothing")


def test_help_lists_every_key_and_any_key_closes_it(open_page: OpenPage) -> None:
    page = open_page("generator")
    page.keyboard.press("h")
    help = page.locator("dialog.help")
    expect(help).to_be_visible()
    assert help.locator(".keys tr").count() > 5
    help.locator("summary").click()
    expect(help.locator("pre")).to_contain_text("Microsoft Corporation")
    before = seed(page)
    page.keyboard.press("x")
    expect(help).to_be_hidden()
    assert seed(page) == before  # what takes it away does nothing else


def test_keys_of_a_control_are_its_own(open_page: OpenPage) -> None:
    page = open_page("generator")
    before = seed(page)
    page.locator("nav button").first.focus()
    page.keyboard.press("Tab")
    assert page.evaluate("() => document.activeElement.tagName") == "BUTTON"
    page.locator(".bar select").first.focus()
    page.keyboard.press("x")
    assert seed(page) == before


def test_tab_moves_the_focus_and_after_a_click_on_the_images_the_view(open_page: OpenPage) -> None:
    page = open_page("generator", hash="#mode=latent")
    view = page.locator(".bar select").first
    before = view.input_value()
    page.keyboard.press("Tab")
    assert page.evaluate("() => document.activeElement.tagName") == "BUTTON"
    assert view.input_value() == before
    page.locator(".stage canvas").first.click(position={"x": 5, "y": 5})
    page.wait_for_function("() => document.activeElement === document.querySelector('.stage')")
    page.keyboard.press("Tab")
    expect(view).not_to_have_value(before)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["gif", "webm"])
def test_a_walk_is_recorded(kind: str, open_page: OpenPage) -> None:
    page = open_page("generator", hash="#mode=animate")
    page.set_default_timeout(60_000)
    name, data = download(page, page.get_by_role("button", name=f"Record {kind}", exact=False).first.click)
    assert name.endswith(f".{kind}")
    if kind == "webm":
        assert data.startswith(b"\x1a\x45\xdf\xa3")
        assert len(data) > 1000
        return
    with Image.open(BytesIO(data)) as film:
        frames = getattr(film, "n_frames", 1)
        film.seek(frames - 1)
        last = np.asarray(film.convert("RGB")).copy()
        film.seek(0)
        assert frames > 20
        assert (np.asarray(film.convert("RGB")) != last).any()


def test_a_recording_is_stopped_by_escape(open_page: OpenPage) -> None:
    page = open_page("generator", hash="#mode=animate")
    # both at once: so small a film may be whole before a key of this process arrives
    page.get_by_role("button", name="Record GIF").evaluate(
        "button => { button.click();"
        " button.dispatchEvent(new KeyboardEvent('keydown', {key: 'Escape', code: 'Escape', bubbles: true})) }"
    )
    expect(page.locator(NOTICE)).to_contain_text("stopped")


def test_an_image_that_nobody_wants_is_one_line(open_page: OpenPage) -> None:
    page = open_page("generator")
    drop(page, "notes.txt", b"no model", "text/plain")
    expect(page.locator(".notice.error")).to_contain_text("notes.txt: no ONNX model")
    drop(page, "broken.jpg", b"\xff\xd8\xff", "image/jpeg")
    expect(page.locator(".notice.error").last).to_contain_text("broken.jpg: neither")


def test_a_model_dropped_on_the_page_takes_the_place_of_the_other(open_page: OpenPage, kinds: Kinds) -> None:
    page = open_page("generator")
    model = kinds["classes"][0]
    drop(page, model.name, model.read_bytes())
    expect(page.locator(NOTICE)).to_contain_text("Opened")
    expect(
        page.get_by_role("combobox", name="Class")
    ).to_be_visible()  # of the mode that was open for the other one, too
    _, saved = download(page, lambda: page.keyboard.press("s"))
    recipe = find_recipe(saved)
    assert recipe is not None
    assert recipe["sha256"] == hashlib.sha256(model.read_bytes()).hexdigest()
    page.keyboard.press("h")
    expect(page.locator("dialog.help")).to_contain_text(model.name)


def test_japanese_where_the_browser_prefers_it(open_page: OpenPage) -> None:
    page = open_page("generator", locale="ja-JP")
    assert page.evaluate("() => document.documentElement.lang") == "ja"
    expect(page.locator("header")).to_contain_text("開く")


@pytest.mark.slow
@pytest.mark.parametrize("size", [(360, 740), (740, 360)])
def test_small_screens_fold_the_bar(size: tuple[int, int], open_page: OpenPage) -> None:
    page = open_page("classes", size=size, has_touch=True)
    assert page.evaluate("() => document.documentElement.scrollWidth") <= size[0]
    stage = page.locator(".stage").bounding_box()
    assert stage is not None
    assert stage["height"] > 0.3 * size[1]
    more = page.locator(".bar .more")
    more.click()
    expect(more).to_have_attribute("aria-expanded", "true")
    expect(page.locator(".bar select").first).to_be_visible()


def test_every_control_has_a_name_and_the_focus_can_be_seen(open_page: OpenPage) -> None:
    page = open_page("classes")
    nameless = """() => [...document.querySelectorAll("button, input, select")].filter((one) =>
      one.offsetParent && !(one.getAttribute("aria-label") || one.textContent || one.labels?.length)).length"""
    assert page.evaluate(nameless) == 0
    page.keyboard.press("Tab")
    outline = "() => getComputedStyle(document.activeElement).outlineStyle"
    assert page.evaluate(outline) != "none"


@pytest.mark.slow
def test_random_keys_leave_nothing_behind(open_page: OpenPage) -> None:
    page = open_page("classes")
    keys = itertools.cycle(["x", "i", "ArrowRight", "c", "+", "m", "Backspace", "n", "h", "h", "r", "u", "2", "-"])
    for _, key in zip(range(60), keys, strict=False):
        page.keyboard.press(key)
    elements = page.evaluate("() => document.querySelectorAll('*').length")
    for _, key in zip(range(140), keys, strict=False):
        page.keyboard.press(key)
    page.wait_for_function("most => document.querySelectorAll('*').length <= most", arg=elements + 20)
    assert page.locator(".errors > *").count() == 0
