"""Pages in a browser, from their files, without a network."""

import functools
import http.server
import json
import re
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
import pytest
from onnx import helper
from pages import LIVE, Kinds, OpenPage
from small_models import make_generator

from export import __main__ as command
from export.card import BLANK_SEAL, SEAL_KEY, seal
from export.player.page import ModelFile, Page
from export.player.writing import write_html

if TYPE_CHECKING:
    from playwright.sync_api import Browser


def test_the_poster_is_there_before_anything_runs(open_page: OpenPage, pages: Callable[[str], Path]) -> None:
    page = open_page("generator", live=False, java_script_enabled=False)
    box = page.locator("#poster").bounding_box()
    assert box is not None
    assert box["width"] > 100
    assert page.locator("#poster").get_attribute("alt") == "plain"
    assert "switched off here" in page.inner_text("noscript")


def test_one_file_is_no_larger_than_it_may_be(pages: Callable[[str], Path], kinds: Kinds, tmp_path: Path) -> None:
    path = pages("generator")
    assert path.stat().st_size <= kinds["generator"][0].stat().st_size + 6e6
    cats = tmp_path / "cats.html"
    assert command.main(["toycats", "--html", str(cats)]) == 0
    from viewer.options import BUILT_IN

    assert cats.stat().st_size <= BUILT_IN.stat().st_size + 6e6


_ESCAPES = {  # what a script in the page could try, and the rule that stops it
    "fetch": ("done => fetch('https://example.org/').then(() => done('got'), () => done('refused'))", "connect-src"),
    "fetch of its own": ("done => fetch(location.href).then(() => done('got'), () => done('refused'))", "connect-src"),
    "socket": (
        "done => { try { const s = new WebSocket('wss://example.org/'); s.onopen = () => done('got');"
        " s.onerror = () => done('refused'); } catch { done('refused'); } }",
        "connect-src",
    ),
    "beacon": (
        "done => { navigator.sendBeacon('https://example.org/'); done('refused'); }",  # it is queued, then refused
        "connect-src",
    ),
    "image": (
        "done => { const i = new Image(); i.onload = () => done('got'); i.onerror = () => done('refused');"
        " i.src = 'https://example.org/a.png'; }",
        "img-src",
    ),
    "script": (
        "done => { const s = document.createElement('script'); s.textContent = 'window.ran = 1';"
        " document.body.append(s); done(window.ran ? 'ran' : 'refused'); }",
        "script-src-elem",
    ),
    "eval": ("done => { try { eval('1'); done('ran'); } catch { done('refused'); } }", "script-src"),
    "handler": (
        "done => { document.body.insertAdjacentHTML('beforeend', '<p id=p onclick=\"window.clicked = 1\">');"
        " document.getElementById('p').click(); done(window.clicked ? 'ran' : 'refused'); }",
        "script-src-attr",
    ),
    "style": (
        "done => { document.body.insertAdjacentHTML('beforeend', '<p id=q style=\"display: none\">');"
        " done(getComputedStyle(document.getElementById('q')).display === 'none' ? 'styled' : 'refused'); }",
        "style-src-attr",
    ),
    "frame": (
        "done => { const f = document.createElement('iframe'); f.src = 'https://example.org/';"
        " document.body.append(f); done('refused'); }",
        "frame-src",
    ),
}


def test_the_policy_allows_no_way_out(open_page: OpenPage) -> None:
    """Each of these would work in a page without the policy."""
    page = open_page("generator", expected=r"Content Security Policy|violates|Refused|net::ERR|https://example\.org")
    page.evaluate(
        "() => { window.violations = []; document.addEventListener('securitypolicyviolation',"
        " event => window.violations.push(event.effectiveDirective)); }"
    )
    for way, (script, directive) in _ESCAPES.items():
        page.evaluate("() => { window.violations.length = 0; }")
        # in a turn of its own: what the debugger runs may evaluate text
        found = page.evaluate(f"new Promise(done => setTimeout(() => {{ ({script})(done); }}))")
        page.wait_for_function("name => window.violations.includes(name)", arg=directive)
        assert found == "refused", (way, found)


def changed(path: Path, **properties: str | None) -> bytes:
    """A model with other metadata, sealed anew."""
    model = onnx.load(path)
    kept = {item.key: item.value for item in model.metadata_props if item.key != SEAL_KEY}
    values = {key: value for key, value in {**kept, **properties}.items() if value is not None}
    helper.set_model_props(model, {**values, SEAL_KEY: BLANK_SEAL})
    return seal(model.SerializeToString())


def hostile(kinds: Kinds, folder: Path) -> dict[str, bytes]:
    """Models that a page must refuse."""
    path, noise = kinds["generator"][0], kinds["denoiser"][0]
    data = path.read_bytes()
    flipped = bytearray(data)
    flipped[len(data) // 2] ^= 1
    return {
        "empty": b"",
        "no model": b"<!doctype html><script>document.title = 'ran'</script>",
        "cut short": data[:-200],
        "another bit": bytes(flipped),
        "of no card": make_generator(folder / "bare.onnx", card=False).read_bytes(),
        "of a newer schema": changed(path, schema='"9.0"'),
        "whose card is no JSON": changed(path, latent="{"),
        "of an unknown kind": changed(path, kind='"<img src=x onerror=alert(1)>"'),
        "of huge latents": changed(path, latent='{"size": 65536000}'),
        "of other latents": changed(path, latent='{"size": 5, "prior": "normal"}'),
        "of a huge size": changed(path, image_size="[100000, 100000]"),
        "without steps": changed(noise, schedule='{"prediction": "epsilon", "alpha_bar": []}'),
        "deep": changed(path, training="[" * 100_000),
    }


def test_hostile_files_end_in_one_line(kinds: Kinds, open_page: OpenPage, tmp_path: Path) -> None:
    """Dropped onto the page, which goes on with its own model."""
    page = open_page("generator")
    for name, data in hostile(kinds, tmp_path).items():
        with page.expect_file_chooser() as choosing:
            page.click("header .tools button >> nth=0")
        file = {"name": "<b>evil</b>.onnx", "mimeType": "application/octet-stream", "buffer": data}
        choosing.value.set_files([file])  # type: ignore[list-item]
        page.wait_for_selector(".notice.error")
        (line,) = page.locator(".notice.error span").all_inner_texts()
        assert_one_line(line, name)
        page.click(".notice.error button")
        page.wait_for_selector(".notice.error", state="detached")
    assert page.title() == "plain"
    assert page.locator("img[src=x]").count() == 0


@pytest.mark.parametrize("name", ["another bit", "of other latents"])
def test_a_page_of_a_hostile_file_says_so(name: str, kinds: Kinds, open_page: OpenPage, tmp_path: Path) -> None:
    data = hostile(kinds, tmp_path)[name]
    path = tmp_path / "hostile.html"
    write_html(Page(title="hostile", models=[ModelFile("<b>evil</b>.onnx", data)]), path, force=False)
    page = open_page(path, live=False)
    page.wait_for_selector(".notice.error")
    (line,) = page.locator(".notice.error span").all_inner_texts()
    assert_one_line(line, name)


def assert_one_line(line: str, name: str) -> None:
    assert line.startswith("<b>evil</b>.onnx: "), (name, line)
    assert len(line) < 700, (name, line)
    assert "\n" not in line.strip(), (name, line)
    assert not re.search(r"TypeError|undefined|at .*:\d+:\d+|\bnull\b", line), (name, line)


def test_text_of_a_card_is_text(kinds: Kinds, open_page: OpenPage, tmp_path: Path) -> None:
    evil = "<img src=x onerror='document.title=1'><script>document.title=2</script>"
    path = kinds["classes"][0]
    text = json.dumps(evil)
    data = changed(path, name=text, licence=text, data=text, family=text, classes=f"[{text}, {text}, {text}]")
    write_html(Page(title=evil, models=[ModelFile("a.onnx", data)]), tmp_path / "a.html", force=False)
    page = open_page(tmp_path / "a.html")
    page.keyboard.press("F1")
    page.wait_for_selector("dialog[open]")
    assert evil in page.inner_text("dialog")
    assert page.title() == evil
    assert page.locator("img[src=x]").count() == 0


class _Isolated(http.server.SimpleHTTPRequestHandler):
    """The folder's own headers, as hosts read them from ``_headers``."""

    def end_headers(self) -> None:
        self.send_header("Cross-Origin-Opener-Policy", "same-origin")
        self.send_header("Cross-Origin-Embedder-Policy", "require-corp")
        super().end_headers()

    def log_message(self, format: str, *arguments: Any) -> None:
        """Nothing is said."""


@pytest.fixture
def served(tmp_path: Path) -> Iterator[str]:
    """Address of a web server whose root is ``tmp_path``."""
    handler = functools.partial(_Isolated, directory=str(tmp_path))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.parametrize("form", ["folder", "no-runtime"])
def test_files_on_a_web_server_play(form: str, kinds: Kinds, browser: "Browser", served: str, tmp_path: Path) -> None:
    where = ["--folder", str(tmp_path / "site")] if form == "folder" else ["--html", str(tmp_path / "a.html")]
    more = [] if form == "folder" else ["--no-runtime"]
    assert command.main([str(kinds["generator"][0]), *where, *more]) == 0
    page = browser.new_page()
    said: list[str] = []
    page.on("console", lambda one: said.append(one.text) if one.type in ("error", "warning") else None)
    page.on("request", lambda one: None if one.url.startswith((served, "blob:", "data:")) else said.append(one.url))
    page.goto(f"{served}/{'site/' if form == 'folder' else 'a.html'}")
    page.wait_for_function(LIVE, timeout=30_000)
    assert page.evaluate("crossOriginIsolated")
    assert page.locator(".notice.error").count() == 0
    page.close()
    assert [line for line in said if line != "No available adapters."] == []  # Chromium's, of its graphics card


def test_without_its_runtime_a_page_says_where_it_plays(kinds: Kinds, open_page: OpenPage, tmp_path: Path) -> None:
    path = tmp_path / "a.html"
    assert command.main([str(kinds["generator"][0]), "--html", str(path), "--no-runtime"]) == 0
    page = open_page(path, live=False, expected=r"utsuroi-player|Content Security Policy|origin 'null'|file:")
    page.wait_for_selector(".notice.error")
    assert "web server" in page.inner_text(".notice.error")
    assert page.locator("#poster").is_visible()


def test_a_page_without_models_waits_for_files(kinds: Kinds, open_page: OpenPage, tmp_path: Path) -> None:
    write_html(Page(title="player"), tmp_path / "empty.html", force=False)
    page = open_page(tmp_path / "empty.html", live=False)
    with page.expect_file_chooser() as choosing:
        page.click(".empty button")
    choosing.value.set_files([str(path) for path in kinds["encoder"]])
    page.wait_for_selector(".session")
    assert page.title() == "encoded"
    assert np.size(page.locator(".notice.error").all_inner_texts()) == 0
