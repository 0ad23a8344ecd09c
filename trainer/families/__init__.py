"""The model families, one file each: to add a family is to add a file here."""

import importlib
import pkgutil
from typing import Any

from trainer.threads import wait_briefly

wait_briefly()  # here, since every training imports this package before torch


def family_names() -> list[str]:
    """All families by name, without importing any."""
    return sorted(module.name for module in pkgutil.iter_modules(__path__))


def load_family(name: str) -> type[Any]:
    """The one ``Family`` of the module ``name``, one of ``family_names()``."""
    from trainer.family import Family

    module = importlib.import_module(f"{__name__}.{name}")
    kinds = [item for item in vars(module).values() if isinstance(item, type) and issubclass(item, Family)]
    (found,) = (kind for kind in kinds if kind.__module__ == module.__name__)
    return found
