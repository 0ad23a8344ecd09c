"""The modes of the viewer, a package each: to add a mode is to add a package here that offers ``MODE``."""

import pkgutil
from importlib import import_module

from viewer.mode import Mode


def mode_names() -> list[str]:
    """The words of the command line, without importing any mode."""
    return [found.name for found in pkgutil.iter_modules(__path__) if found.ispkg]


def load_mode(name: str) -> Mode:
    """A mode by its name."""
    mode: Mode = import_module(f"viewer.modes.{name}").MODE
    return mode
