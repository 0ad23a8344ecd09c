"""Models of every kind that a page can hold, small enough to be made in milliseconds; their pages in a browser.

``open_page("classes")`` gives the page of that kind, opened from its file in Chromium without a network, once it is
live. What the console says, or a request for anything beyond the page, fails the test that opened it.
"""

import contextlib
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from pages import BROWSERS, LIVE, Kinds, OpenPage, find_browser, make_kinds

from export.player import built
from export.player.models import open_models
from export.player.page import ModelFile
from export.player.page import Page as Written
from export.player.poster import Poster, draw
from export.player.writing import write_html

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

_LIVE_MS = 30_000  # on a busy machine


@pytest.fixture(scope="session")
def kinds(tmp_path_factory: pytest.TempPathFactory) -> Kinds:
    """The files of a page by what it is about: the first is the one that the page is given."""
    return make_kinds(tmp_path_factory.mktemp("kinds"))


@pytest.fixture(scope="session")
def pages(kinds: Kinds, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Gives the page of a kind in one file, with the player that was built; written when it is first asked for."""
    if why := built.missing():
        pytest.skip(why)
    folder = tmp_path_factory.mktemp("pages")

    def page_of(kind: str) -> Path:
        path = folder / f"{kind.replace(' ', '-')}.html"
        if not path.exists():
            models = open_models([str(one) for one in kinds[kind]])
            poster = draw(models, "", 0, lambda _: None)
            files = [ModelFile(model.path.name, model.path.read_bytes()) for model in models.all]
            title = models.card.name
            shown = poster if isinstance(poster, Poster) else None
            write_html(Written(title=title, models=files, poster=shown), path, force=False)
        return path

    return page_of


@pytest.fixture(scope="session")
def browser(pages: Callable[[str], Path]) -> "Iterator[Browser]":
    """Chromium of this machine."""
    sync_api = pytest.importorskip("playwright.sync_api", reason="needs the test extra")
    sync_api.expect.set_options(timeout=_LIVE_MS)
    path = find_browser(BROWSERS)
    with sync_api.sync_playwright() as playwright:
        try:  # without one on the PATH: that of playwright's own, if it was installed
            browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        except sync_api.Error as error:
            pytest.skip(f"needs Chromium: {str(error).splitlines()[0]}")
        yield browser
        browser.close()


@pytest.fixture
def open_page(browser: "Browser", pages: Callable[[str], Path]) -> "Iterator[OpenPage]":
    """Opens the page of a kind, or of a file, from ``file://``, and waits until it is live.

    ``hash``: behind its address; ``live``: whether to wait; ``expected``: a pattern of what its console may say;
    ``context``: further options of the browser's context, such as ``locale``.
    """
    said: list[str] = []
    with contextlib.ExitStack() as stack:

        def opened(
            what: str | Path,
            *,
            hash: str = "",
            size: tuple[int, int] = (1280, 800),
            live: bool = True,
            expected: str = r"(?!)",
            **context: Any,
        ) -> "Page":
            path = pages(what) if isinstance(what, str) else what
            made = browser.new_context(
                **{"viewport": {"width": size[0], "height": size[1]}, "locale": "en-GB", "offline": True, **context}
            )
            stack.callback(made.close)
            page = made.new_page()
            page.set_default_timeout(_LIVE_MS)
            own = path.as_uri()

            def note(text: str) -> None:
                if not re.search(expected, text):
                    said.append(text)

            page.on(
                "console", lambda one: note(f"{one.type}: {one.text}") if one.type in ("error", "warning") else None
            )
            page.on("pageerror", lambda error: note(f"uncaught: {error}"))
            page.on(
                "request",
                lambda one: (
                    note(f"request: {one.url[:200]}")
                    if one.url.partition("#")[0] != own and not one.url.startswith(("data:", "blob:"))
                    else None
                ),
            )
            page.goto(own + hash)
            if live:
                page.wait_for_function(LIVE)
            return page

        yield opened
    assert not said, "\n".join(said)
