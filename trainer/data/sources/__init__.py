"""What ``--data`` can name: each module here that has a function ``claims`` is a source, and is found by listing.

``base.Source`` says what a source offers; to add one, add a module. Modules with a leading underscore
are what several sources use. No source knows another, and none knows torch."""

import importlib
import os
import pkgutil
from functools import cache
from pathlib import Path
from typing import Any

from trainer.contract.errors import UserError
from trainer.contract.files import reading
from trainer.contract.recognise import recognise
from trainer.data.sources.base import FoundSource, ImageSource, OpenOptions


@cache
def all_sources() -> tuple[Any, ...]:
    """The modules that are sources (each a ``base.Source``), in the order in which they are asked."""
    modules = [importlib.import_module(f"{__name__}.{module.name}") for module in pkgutil.iter_modules(__path__)]
    return tuple(sorted((one for one in modules if hasattr(one, "claims")), key=lambda one: (one.ORDER, one.__name__)))


def find_source(data: str) -> FoundSource | None:
    """The source of what ``data`` names, found by looking at it; None where it is no set. Raises ``UserError``."""
    if not data:
        return None
    with reading(data):
        found = next((source for source in all_sources() if source.claims(data)), None)
    return None if found is None else FoundSource(data, found, found.__name__.rpartition(".")[2])


def need_source(data: str) -> FoundSource:
    """``find_source``, where ``data`` has to be a set. Raises ``UserError`` where it is none."""
    found = find_source(data)
    if found is None:
        if not os.path.lexists(data):
            raise UserError(f"--data is {data}: there is no such file; expected {help_of_data()}")
        with reading(data):
            what = recognise(Path(data))
        raise UserError(f"--data is {data}, expected {help_of_data()}; it is {what.what if what else 'none of these'}")
    return found


def open_set(data: str, options: OpenOptions | None = None) -> ImageSource | None:
    """Open a set for a tool that also takes image files: None for what names files, folders, or nothing."""
    found = find_source(data)
    return None if found is None or getattr(found.source, "NAMES_FILES", False) else found.open(options)


def help_of_data() -> str:
    """What ``--data`` may name, in a line."""
    *others, last = [source.HELP for source in reversed(all_sources())]
    return f"{', '.join(others)} or {last}"
