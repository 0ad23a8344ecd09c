"""Players in real notebooks, driven in Chromium: JupyterLab, marimo, and a page as strict as VS Code's.

They need jupyterlab and marimo beside the test extra, which are large: pip install jupyterlab marimo.
"""

import contextlib
import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import utsuroi
from export.player import built

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Frame, Page

pytestmark = [pytest.mark.slow, pytest.mark.skipif(bool(built.missing()), reason=built.missing())]
sync_api = pytest.importorskip("playwright.sync_api")
LIVE = """() => document.querySelector(".stage > :not(#poster)") && !document.querySelector("#poster:not(.gone)")"""
PATIENCE_MS = 120_000  # on a busy machine
# as the webview of VS Code's notebooks has it: no frame of an address of its own, no worker of a blob
STRICT = (
    "default-src 'none'; script-src 'unsafe-inline' 'unsafe-eval' data:; style-src 'unsafe-inline'; "
    "img-src https: http: data:; connect-src https:; child-src https: data:"
)


@pytest.fixture(scope="module")
def browser() -> "Iterator[Browser]":
    path = next(filter(None, map(shutil.which, ("chromium", "google-chrome"))), None)
    with sync_api.sync_playwright() as playwright:
        try:
            browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        except sync_api.Error as error:
            pytest.skip(f"needs Chromium: {str(error).splitlines()[0]}")
        yield browser
        browser.close()


@pytest.fixture
def page(browser: "Browser") -> "Iterator[Page]":
    page = browser.new_page(viewport={"width": 1280, "height": 1100})
    page.set_default_timeout(PATIENCE_MS)
    yield page
    page.close()


@contextlib.contextmanager
def server(command: Sequence[str], url: str, folder: Path) -> Iterator[None]:
    """A server until the block ends. It must answer at ``url``."""
    log = folder / "server.log"
    environment = {**os.environ, "HOME": str(folder), "XDG_CONFIG_HOME": str(folder), "IPYTHONDIR": str(folder)}
    with log.open("w") as file:
        process = subprocess.Popen(command, cwd=folder, env=environment, stdout=file, stderr=file)
    try:
        end = time.monotonic() + PATIENCE_MS / 1000
        while True:
            try:
                urllib.request.urlopen(url, timeout=5).close()
                break
            except OSError:
                assert process.poll() is None, log.read_text()
                assert time.monotonic() < end, log.read_text()
                time.sleep(0.2)
        yield
    finally:
        process.terminate()
        process.wait()


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def live(page: "Page", number: int = 0) -> "Frame":
    """The page of a player in the notebook, once its model runs."""
    element = page.locator("iframe[sandbox]").nth(number).element_handle()
    frame = element.content_frame()
    assert frame is not None
    frame.wait_for_function(LIVE, timeout=PATIENCE_MS)
    return frame


@pytest.mark.skipif(find_spec("jupyterlab") is None, reason="needs jupyterlab")
def test_jupyterlab(page: "Page", tmp_path: Path) -> None:
    cells = [
        "import utsuroi\ncats = utsuroi.load()\ncats",
        "player = cats.player('grid', seed=4, runs='python', height=500)\nplayer",
        "print('first', player.mode, player.seed)\nplayer.go(seed=6)",
        "import numpy as np\nnp.save('saved.npy', player.saved[-1])\nprint('second', player.seed, len(player.saved))",
    ]
    write_notebook(tmp_path / "cats.ipynb", cells)
    port = free_port()
    command = [
        sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", f"--ServerApp.port={port}",
        "--IdentityProvider.token=t", f"--ServerApp.root_dir={tmp_path}",
    ]  # fmt: skip
    with server(command, f"http://127.0.0.1:{port}/api", tmp_path):
        page.goto(f"http://127.0.0.1:{port}/lab/tree/cats.ipynb?token=t")
        page.wait_for_function("""() => document.querySelector(".jp-Notebook")?.innerText.includes("utsuroi")
            && /\\| Idle/.test(document.querySelector("#jp-bottom-panel, #jp-main-statusbar")?.innerText ?? "")""")
        page.locator(".jp-CodeCell .cm-content").nth(0).click()
        page.keyboard.press("Shift+Enter")
        first = live(page)
        page.keyboard.press("Shift+Enter")
        second = live(page, 1)
        code = page.locator(".jp-CodeCell .cm-content")
        code.nth(2).click()
        page.keyboard.press("Shift+Enter")
        page.get_by_text("first grid 4").wait_for()
        page.wait_for_function("!document.querySelector('.jp-InputPrompt')?.innerText.includes('*')")
        # its keys are the player's, and none is the notebook's: d, d would delete the cell
        count = code.count()
        first.locator(".stage").click()
        page.keyboard.press("d")
        page.keyboard.press("d")
        assert code.count() == count
        second.locator(".stage").click(position={"x": 5, "y": 5})
        second.wait_for_function("/seed=6|seed 6|6/.test(document.querySelector('.unseen')?.innerText ?? '')")
        page.keyboard.press("S")
        second.get_by_text("saved").first.wait_for()
        code.nth(3).click()
        page.keyboard.press("Shift+Enter")
        page.get_by_text("second 6 1").wait_for()
        # the one in the browser goes on where Python has ended
        page.get_by_role("menuitem", name="Kernel").click()
        page.get_by_role("menuitem", name="Shut Down Kernel", exact=True).click()
        first.locator(".stage").click(position={"x": 5, "y": 5})
        here = "location.href + document.querySelector('.unseen').innerText"
        before = first.evaluate(here)
        page.keyboard.press("x")
        first.wait_for_function(f"(old) => {here} !== old", arg=before)
    saved = np.load(tmp_path / "saved.npy")
    assert saved.shape[0] == 1
    shown = utsuroi.load().sample(1, seed=6)[0]
    assert any_place_of(shown, saved[0])


@pytest.mark.skipif(find_spec("marimo") is None, reason="needs marimo")
def test_marimo(page: "Page", tmp_path: Path) -> None:
    (tmp_path / "cats.py").write_text("""import marimo
app = marimo.App()

@app.cell
def _():
    import utsuroi
    cats = utsuroi.load()
    cats
    return (cats,)

@app.cell
def _(cats):
    player = cats.player(seed=4, runs="python")
    player
    return (player,)

if __name__ == "__main__":
    app.run()
""")
    port = free_port()
    command = [sys.executable, "-m", "marimo", "run", "cats.py", "--headless", f"--port={port}", "--no-token"]
    with server(command, f"http://127.0.0.1:{port}/health", tmp_path):
        page.goto(f"http://127.0.0.1:{port}")
        for number in range(2):
            live(page, number)


def test_a_page_as_strict_as_vs_codes(page: "Page", tmp_path: Path) -> None:
    """The widget alone, as a front end gives it: a module of a data address, and a model that Python answers."""
    pytest.importorskip("anywidget")
    player = utsuroi.load().player(seed=2)
    sent: list[Any] = []
    player.send = lambda content, buffers=(): sent.append((content, [bytes(one) for one in buffers]))

    def ask(message: dict[str, Any]) -> list[Any]:
        sent.clear()
        player._receive(None, message, [])
        return [[content, [list(one) for one in buffers]] for content, buffers in sent]

    page.expose_function("ask", ask)
    source = json.dumps(built.stored(built.WIDGET).read_text()).replace("<", r"\u003c")
    path = tmp_path / "strict.html"
    path.write_text(f"""<!doctype html><meta http-equiv="Content-Security-Policy" content="{STRICT}">
<div id="cell"></div><script type="application/json" id="widget">{source}</script>
<script type="module">
const text = JSON.parse(document.getElementById("widget").textContent);
const {{ default: widget }} = await import("data:text/javascript;base64," + btoa(text));
const values = {{ height: 700, title: "cats", place: {{}} }}, heard = {{}};
window.places = [];
const model = {{
  get: (name) => values[name],
  set: (name, value) => {{ values[name] = value; window.places.push(value); }},
  save_changes: () => undefined,
  on: (name, listener) => (heard[name] = listener),
  off: (name) => delete heard[name],
  send: async (message) => {{
    for (const [content, buffers] of await window.ask(message))
      heard["msg:custom"]?.(content, buffers.map((one) => new DataView(new Uint8Array(one).buffer)));
  }},
}};
window.leave = widget.render({{ model, el: document.getElementById("cell") }});
</script>""")
    page.goto(path.as_uri())
    frame = live(page)
    frame.locator(".stage").click(position={"x": 5, "y": 5})
    page.keyboard.press("x")
    page.wait_for_function("window.places.some((place) => place.params.seed !== '2')")
    page.evaluate("window.leave()")
    assert page.locator("iframe").count() == 0


def write_notebook(path: Path, cells: Sequence[str]) -> None:
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    usual = {"cell_type": "code", "execution_count": None, "metadata": {}, "outputs": []}
    made = [{**usual, "id": f"c{number}", "source": text} for number, text in enumerate(cells)]
    notebook = {"cells": made, "metadata": {"kernelspec": kernel}, "nbformat": 4, "nbformat_minor": 5}
    path.write_text(json.dumps(notebook))


def any_place_of(image: Any, sheet: Any) -> bool:
    """Whether a sheet begins with the image, to one level, at some margin."""
    height, width = image.shape[:2]
    return any(
        np.abs(sheet[top : top + height, left : left + width].astype(int) - image).max() <= 1
        for top in range(6)
        for left in range(6)
    )
