"""Builds wheels and source archives, as pip asks: setuptools does, once the player for browsers is there.

Where Node.js is, the player is built out of ``export/web``. Without Node.js, what is built lacks it, unless it was
built before, as in a source archive of a release: all works then but ``python -m export --html``, which says so. The
variable ``UTSUROI_PLAYER`` asks for something else: ``require`` fails without a player, ``skip`` builds none.

An editable installation builds nothing: ``python -m export.player.built`` does, when it is wanted.
"""

import os
import sys
from pathlib import Path
from typing import Any, Final

from setuptools import build_meta
from setuptools.build_meta import (
    build_editable,
    get_requires_for_build_editable,
    get_requires_for_build_sdist,
    get_requires_for_build_wheel,
    prepare_metadata_for_build_editable,
    prepare_metadata_for_build_wheel,
)

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from export.player import built

__all__ = [
    "build_editable",
    "build_sdist",
    "build_wheel",
    "get_requires_for_build_editable",
    "get_requires_for_build_sdist",
    "get_requires_for_build_wheel",
    "prepare_metadata_for_build_editable",
    "prepare_metadata_for_build_wheel",
]
VARIABLE: Final = "UTSUROI_PLAYER"
_WISHES: Final = ("", "require", "skip")


def build_wheel(*arguments: Any, **options: Any) -> str:
    """As setuptools does it (PEP 517)."""
    make_player()
    return build_meta.build_wheel(*arguments, **options)


def build_sdist(*arguments: Any, **options: Any) -> str:
    """As setuptools does it (PEP 517)."""
    make_player()
    return build_meta.build_sdist(*arguments, **options)


def make_player() -> None:
    """Build the player, unless it is there and as new as its sources. Exits where it is required and cannot be."""
    wish = os.environ.get(VARIABLE, "")
    if wish not in _WISHES:
        sys.exit(f"error: {VARIABLE} is {wish!r}, expected require or skip, or nothing")
    if wish == "skip" or not (built.missing() or built.outdated()):
        return
    try:
        built.build()
    except built.BuildError as error:
        if wish == "require":
            sys.exit(f"error: no player for browsers, which {VARIABLE}=require asks for: {error}")
        what = "an older player" if not built.missing() else "no player"
        print(f"note: {what} for browsers goes in: {error}", file=sys.stderr)
