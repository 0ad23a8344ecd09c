"""A page as the player reads it; names that tests of pages share."""

import gzip
import hashlib
import json
import shutil
from collections.abc import Callable, Mapping, Sequence
from html.parser import HTMLParser
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

if TYPE_CHECKING:
    from playwright.sync_api import Page as Opened

Kinds = Mapping[str, Sequence[Path]]  # files by what a page is about
OpenPage = Callable[..., "Opened"]
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
LIVE = """() => document.querySelector(".stage > :not(#poster)") && !document.querySelector("#poster:not(.gone)")"""

_ALPHABET = bytes(sorted(set(range(128)) - set(b"\0\t\n\v\f\r\x1a\x1b\x7f<>&")))


def make_kinds(folder: Path) -> Kinds:
    """Models of every kind that a page can hold, by what it is about: the first is the one that the page is given."""
    import numpy as np
    from small_denoisers import make_denoiser
    from small_models import make_detail, make_encoder, make_generator, make_translator

    samples = tuple(tuple(map(float, row)) for row in np.random.default_rng(3).normal(size=(5, 4)))
    directions = tuple(tuple(map(float, row)) for row in np.eye(4))
    named = {"smile": (0.5, -0.25, 0.0, 1.0)}
    plain = make_generator(folder / "plain.onnx", directions=directions, named_directions=named)
    classes = make_generator(folder / "classes.onnx", labels=3, classes=("ant", "bee", "cat"), sample_latents=samples)
    encoded = make_generator(folder / "encoded.onnx", sample_latents=samples)
    edges = {"kind": "edges", "sigma": 0.33, "blur": 3, "size": [48, 64]}
    masks = {"kind": "given", "size": [32, 32], "palette": [[10, 20, 30], [255, 0, 0], [0, 255, 0]]}
    noise = make_denoiser(folder / "noise.onnx", spread=0.3)
    return {
        "generator": [plain],
        "classes": [classes],
        "encoder": [encoded, make_encoder(folder / "encoded.encoder.onnx")],
        "classes and encoder": [
            make_generator(folder / "named.onnx", labels=3, classes=("ant", "bee", "cat")),
            make_encoder(folder / "named.encoder.onnx"),
        ],
        "large": [make_generator(folder / "large.onnx", height=512, width=512, hidden=2)],
        "detail": [plain, make_detail(folder / "fine.onnx")],
        "edges": [make_translator(folder / "edges.onnx", multiple=8, condition=edges)],
        "masks": [make_translator(folder / "masks.onnx", latent=3, condition=masks)],
        "twice": [make_translator(folder / "twice.onnx", scale=2, context=4)],
        "denoiser": [noise],
        "denoiser of classes": [make_denoiser(folder / "noisy.onnx", spread=0.3, classes=("ant", "bee"))],
        "denoiser of a generator": [noise, plain],
    }


def find_browser(names: Sequence[str]) -> str | None:
    """The first of these programs that is installed."""
    return next(filter(None, map(shutil.which, names)), None)


class Page(HTMLParser):
    """The elements of a page that matter."""

    def __init__(self, path: Path) -> None:
        super().__init__(convert_charrefs=True)
        self.path = path
        self.order: list[str] = []  # what the body holds
        self.texts: dict[str, str] = {}  # contents of scripts and styles by id
        self.attributes: dict[str, dict[str, str | None]] = {}
        self.policy = self.title = ""
        self._open = ""
        self.feed(path.read_bytes().decode())
        self.facts: dict[str, Any] = json.loads(self.texts["page"])

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        name = values.get("id") or values.get("src") or values.get("href") or tag
        if values.get("http-equiv") == "Content-Security-Policy":
            self.policy = values["content"] or ""
        if tag in ("script", "style", "img", "link", "main", "noscript"):
            self.order.append(name)
            self.attributes[name] = values
        self._open = name if tag in ("script", "style") else tag

    def handle_endtag(self, tag: str) -> None:
        self._open = ""

    def handle_data(self, data: str) -> None:
        if self._open == "title":
            self.title += data
        self.texts[self._open] = self.texts.get(self._open, "") + data

    def contents(self, entry: dict[str, Any]) -> bytes:
        """A file of the page, whose size and hash are as it says."""
        assert ("block" in entry) != ("url" in entry)
        if "block" in entry:
            data = gzip.decompress(from_text(self.texts[entry["block"]].encode()))
        else:
            data = (self.path.parent / unquote(entry["url"])).read_bytes()
        assert (len(data), hashlib.sha256(data).hexdigest()) == (entry["bytes"], entry["sha256"])
        return data


def from_text(text: bytes) -> bytes:
    """The bytes of a block, as export/web/README.md says."""
    digits = [_ALPHABET.index(code) for code in text]
    values = [0] * (len(digits) // 7)
    for place, digit in enumerate(digits[1:]):
        values[place // 7] = values[place // 7] * len(_ALPHABET) + digit
    data = b"".join(value.to_bytes(6, "big") for value in values)
    return data[: len(data) - digits[0]]
