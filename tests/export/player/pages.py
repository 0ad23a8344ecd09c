"""A page as the player reads it; names that tests of pages share."""

import gzip
import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from html.parser import HTMLParser
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

if TYPE_CHECKING:
    from playwright.sync_api import Page as Opened

Kinds = Mapping[str, Sequence[Path]]  # files by what a page is about
OpenPage = Callable[..., "Opened"]
LIVE = """() => document.querySelector(".stage > :not(#poster)") && !document.querySelector("#poster:not(.gone)")"""

_ALPHABET = bytes(sorted(set(range(128)) - set(b"\0\t\n\v\f\r\x1a\x1b\x7f<>&")))


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
