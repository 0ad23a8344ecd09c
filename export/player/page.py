"""The HTML of a page, and what lies beside it: export/web/README.md has the format, which the player reads.

The page's policy names its own script and style by their hashes. With all inside, it allows no connection at all.
"""

import base64
import gzip
import hashlib
import html
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from importlib.metadata import PackageNotFoundError, version
from typing import Any, Final, Literal
from urllib.parse import quote

from export.player import built
from export.player.poster import Poster
from export.player.text import to_text

FORMAT: Final = 1
Form = Literal["file", "no-runtime", "folder", "frame", "python"]
"""All inside; the runtime beside; everything beside; for a notebook's frame; for one whose models run in Python."""

_LEVEL: Final = 9  # of gzip
_CLOSING: Final = (b"</script", b"<!--")  # that would end a script early
_ICON: Final = (
    "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 16 16'%3E%3Crect width='16' height='16' "
    "rx='4' fill='%23c97b2a'/%3E%3Cpath d='M4 4h3v3H4zm5 0h3v3H9zM4 9h3v3H4zm5 0h3v3H9z' fill='%23fff'/%3E%3C/svg%3E"
)
_NO_SCRIPT: Final = (
    "This page plays a model of images, by JavaScript and WebAssembly in your browser. They are switched off here. "
    "このページは JavaScript と WebAssembly で画像のモデルを動かします。有効にしてください。"
)


@dataclass(frozen=True)
class ModelFile:
    """A model of a page."""

    name: str
    data: bytes = field(repr=False)


@dataclass(frozen=True, kw_only=True)
class Page:
    """What a page shows. ``models``: the one that it is about first; none: a page onto which files are dropped."""

    title: str
    models: Sequence[ModelFile] = ()
    mode: str = ""  # to begin with; "": the usual one
    poster: Poster | None = None
    theme: Literal["", "dark", "light"] = ""  # "": that of the system

    @cached_property
    def player(self) -> str:
        """Name of the folder beside the page in which the player's files lie: a host may tell browsers to keep them for
        ever."""
        return f"utsuroi-player-{built.fingerprint()}"

    def files(self, form: Form) -> dict[str, bytes]:
        """What lies beside the page in this form: contents by paths with slashes."""
        if form not in ("no-runtime", "folder"):
            return {}
        beside = {}
        if form == "folder":
            beside = {model.name: model.data for model in self.models}
            beside |= {f"{self.player}/{name}": built.stored(name).read_bytes() for name in built.PAGE}
        for runtime in (built.WASM, built.WEBGPU):
            if runtime is built.WASM or (form == "folder" and built.has(runtime)):
                beside |= {f"{self.player}/{name}": read_built(name) for name in runtime.names}
        return {**beside, f"{self.player}/{built.LICENCES}": read_built(built.LICENCES)}

    def html(self, form: Form) -> Iterator[bytes]:
        """The page, in pieces: it can be large."""
        blocks = _Blocks()
        facts = self._facts(form, blocks)
        script, style = (built.stored(name).read_bytes() for name in built.PAGE)
        yield _head(self.title, policy(form, script, style)).encode()
        if form == "folder":
            yield f'<link rel="stylesheet" href="{self.player}/{built.PAGE[1]}">\n'.encode()
        else:
            yield b"<style>" + style + b"</style>\n"
        yield self._opening().encode()
        yield f'<script type="application/json" id="page">{_json(facts)}</script>\n'.encode()
        for name, data in blocks.contents.items():
            yield f'<script type="application/octet-stream" id="{name}">'.encode()
            yield from to_text(data)
            yield b"</script>\n"
        if form == "folder":
            yield f'<script src="{self.player}/{built.PAGE[0]}"></script>\n'.encode()
        else:
            yield b"<script>" + script + b"</script>\n"
        yield b"</body>\n</html>\n"

    def _opening(self) -> str:
        """The body's first lines: what is seen at once."""
        image = ""
        if self.poster is not None:
            source = base64.b64encode(self.poster.data).decode()
            image = (
                f'<img id="poster" src="data:image/webp;base64,{source}" alt="{html.escape(self.title)}" '
                f'width="{self.poster.width}" height="{self.poster.height}">'
            )
        return f'</head>\n<body>\n<main id="player">{image}</main>\n<noscript><p>{_NO_SCRIPT}</p></noscript>\n'

    def _facts(self, form: Form, blocks: "_Blocks") -> Mapping[str, Any]:
        """What the player is told."""

        def entry(name: str, data: bytes, packed: Callable[[], bytes], path: str) -> Mapping[str, Any]:
            facts = {"name": name, "bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
            return {**facts, **({"url": path} if path else {"block": blocks.add(packed())})}

        def model(one: ModelFile) -> Mapping[str, Any]:
            if form == "python":
                digest = hashlib.sha256(one.data).hexdigest()
                return {"name": one.name, "bytes": len(one.data), "sha256": digest, "held": True}
            path = quote(one.name) if form == "folder" else ""
            return entry(one.name, one.data, lambda: gzip.compress(one.data, _LEVEL, mtime=0), path)

        def part(name: str) -> Mapping[str, Any]:
            path = f"{self.player}/{name}" if form in ("no-runtime", "folder") else ""
            return entry(name, read_built(name), lambda: _packed(name), path)

        def runtime(one: built.Runtime) -> Mapping[str, Any]:
            return {"worker": part(one.worker), "module": part(one.module), "binary": part(one.binary)}

        poster = self.poster
        return {
            "format": FORMAT,
            "version": our_version(),
            "title": self.title,
            "mode": self.mode,
            "models": [model(one) for one in self.models],
            "runtime": {
                **({"wasm": runtime(built.WASM)} if form != "python" else {}),
                **({"webgpu": runtime(built.WEBGPU)} if form == "folder" and built.has(built.WEBGPU) else {}),
            },
            "poster": poster and {"seed": poster.seed, "rows": poster.rows, "cols": poster.columns},
            "licences": part(built.LICENCES),
            **({"frame": True} if form in ("frame", "python") else {}),
            **({"theme": self.theme} if self.theme else {}),
        }


class _Blocks:
    """Contents that are kept in the page, as gzip, by the ids of their elements."""

    def __init__(self) -> None:
        self.contents: dict[str, bytes] = {}

    def add(self, data: bytes) -> str:
        """Keep it; returns its id."""
        name = f"file-{len(self.contents)}"
        self.contents[name] = data
        return name


def policy(form: Form, script: bytes, style: bytes) -> str:
    """The Content-Security-Policy of a page with this script and style."""
    scripts, styles, from_here = _source(script), _source(style), ""
    workers = "blob:"
    if form in ("no-runtime", "folder"):
        from_here = "'self' "
    if form == "folder":
        scripts = styles = ""
    if form == "frame":
        workers = "data:"
    rules = {
        "default-src": "'none'",
        "script-src": f"{from_here}{scripts} blob: 'wasm-unsafe-eval'",
        "style-src": f"{from_here}{styles}",
        "img-src": "data: blob:",
        "media-src": "blob:",
        "worker-src": f"{from_here}{workers}",
        "connect-src": from_here or "'none'",
        "base-uri": "'none'",
        "form-action": "'none'",
    }
    return "; ".join(f"{name} {' '.join(values.split())}" for name, values in rules.items())


def read_built(name: str) -> bytes:
    """A file of the player, unpacked."""
    data = built.stored(name).read_bytes()
    return gzip.decompress(data) if built.stored(name).name != name else data


def _packed(name: str) -> bytes:
    """A file of the player as gzip."""
    path = built.stored(name)
    return path.read_bytes() if path.name != name else gzip.compress(path.read_bytes(), _LEVEL, mtime=0)


def our_version() -> str:
    """Of utsuroi; empty where it is not installed."""
    try:
        return version("utsuroi")
    except PackageNotFoundError:
        return ""


def _head(title: str, rules: str) -> str:
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{rules}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="generator" content="utsuroi {our_version()}">
<title>{html.escape(title)}</title>
<link rel="icon" href="{_ICON}">
"""


def _source(text: bytes) -> str:
    """A script or style as a policy names it. Raises ``ValueError`` where a page cannot hold it."""
    if any(mark in text.lower() for mark in _CLOSING):
        raise ValueError("the player's script or style would end its own element")
    return f"'sha256-{base64.b64encode(hashlib.sha256(text).digest()).decode()}'"


def _json(value: Any) -> str:
    """JSON that ends no element."""
    return json.dumps(value, ensure_ascii=True, separators=(",", ":")).replace("<", "\\u003c")
