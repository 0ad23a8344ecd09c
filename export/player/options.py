"""The flags of a page, which stand in the help of every export. Imports nothing heavy."""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Final

from trainer.contract.options import flag

GROUP: Final = "a page for the browser, instead of ONNX files or beside them"
_MOST_SEED: Final = 2**53 - 1  # that a browser counts to


def _seed(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 17 and int(text) <= _MOST_SEED):
        raise argparse.ArgumentTypeError(f"{text[:40]!r}, expected a whole number from 0 on")
    return int(text)


@dataclass(frozen=True, kw_only=True)
class PageOptions:
    """What page is written of which models."""

    html: Path | None = flag(
        "one file that plays in any browser, without a network: FILE.onnx or RUN --html OUT.html", metavar="OUT.html"
    )
    folder: Path | None = flag(
        "the same as files for a web server, with threads and WebGPU where the browser has them", metavar="DIR"
    )
    no_runtime: bool = flag("with --html: onnxruntime goes into a folder beside the page, for several", default=False)
    mode: str = flag("mode of the player to begin with (the usual one)", default="", metavar="NAME")
    seed: int | None = flag("page that is shown first (0)", type=_seed, metavar="N")
    title: str = flag("what the page is called (the model's name)", default="", metavar="TEXT")
    encoder: Path | None = flag("of a generator (the one beside it, if there is one)", metavar="FILE")
    detail: Path | None = flag("detail network of a generator (the one beside it)", metavar="FILE")
    init: str = flag("of a denoiser: a generator whose images it begins with", default="", metavar="FILE")


def add_page_flags(parser: argparse.ArgumentParser) -> None:
    """The flags, in a group of their own."""
    group = parser.add_argument_group(GROUP)
    for item in fields(PageOptions):
        words = {name: value for name, value in item.metadata.items() if name not in ("names", "help")}
        words |= {"action": "store_true"} if isinstance(item.default, bool) else {}
        words |= {"type": Path} if item.name in ("html", "folder", "encoder", "detail") else {}
        group.add_argument(_flag(item.name), default=item.default, help=item.metadata["help"], **words)


def take_page(options: dict[str, Any]) -> PageOptions:
    """Take what belongs here out of the options of a command line."""
    return PageOptions(**{item.name: options.pop(item.name) for item in fields(PageOptions)})


def is_of_page(words: Sequence[str]) -> bool:
    """Whether a command line asks for a page."""
    return any(word.partition("=")[0] in ("--html", "--folder") for word in words)


def said(options: PageOptions) -> list[str]:
    """The flags that are given."""
    return [_flag(item.name) for item in fields(options) if getattr(options, item.name) != item.default]


def _flag(name: str) -> str:
    return f"--{name.replace('_', '-')}"
