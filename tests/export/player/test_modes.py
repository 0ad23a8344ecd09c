"""Every kind of card in a browser: it opens, and the keys of its modes are the viewer's."""

from collections.abc import Sequence
from importlib import import_module

import pytest
from pages import Kinds, OpenPage

from export.player.models import open_models
from viewer.bindings import Binding
from viewer.mode import Mode, mode_names

KINDS = ("generator", "encoder", "detail", "edges", "twice", "denoiser", "denoiser of a generator")
MORE = ("classes", "masks", "denoiser of classes")  # in the same modes
# Keys of the viewer that a page has no line for: it is not quit, its help is its own, names are typed into a field.
LACKING = {"ESC", "q", "h ? F1", "Enter, Backspace"}
OWN = {"draw": {"d"}}  # keys that a page has alone: the drawing is saved by itself


def bindings_of(name: str) -> Sequence[Binding] | None:
    """The viewer's key table of a mode of the page; ``None``: the viewer has no such mode."""
    if name == "draw":
        (table,) = import_module("viewer.modes.translate.options").MORE_BINDINGS.values()
        return tuple(table)
    return Mode(name).bindings if name in mode_names() else None


@pytest.mark.parametrize("kind", [*KINDS, *(pytest.param(kind, marks=pytest.mark.slow) for kind in MORE)])
def test_every_kind_opens_with_the_keys_of_the_viewer(kind: str, kinds: Kinds, open_page: OpenPage) -> None:
    page = open_page(kind)
    tabs = page.locator("nav [data-mode]")
    names = [str(tabs.nth(index).get_attribute("data-mode")) for index in range(tabs.count())]
    assert sorted(names) == sorted(open_models([str(path) for path in kinds[kind]]).modes), "as the export says"
    for name in names:
        if len(names) > 1:
            page.click(f'nav [data-mode="{name}"]')
        page.wait_for_function("name => document.querySelector(`nav [data-mode=${name}][aria-current]`)", arg=name)
        page.wait_for_selector(".session")
        page.keyboard.press("F1")
        page.wait_for_selector("dialog[open]")
        shown = {text.strip() for text in page.locator("dialog table.keys tbody tr th").all_text_contents()}
        page.locator("dialog .close button").click()
        page.wait_for_selector("dialog[open]", state="detached")
        assert shown
        table = bindings_of(name)
        if table is None:
            continue
        keys = {binding.keys for binding in table}
        shown -= OWN.get(name, set())
        assert shown <= keys, (name, shown - keys)
        assert keys - shown <= LACKING, (name, keys - shown)
