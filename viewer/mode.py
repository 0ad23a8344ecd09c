"""A mode of the viewer, by its name: what a package of ``viewer.modes`` has to have is written there."""

import argparse
import pkgutil
from collections.abc import Mapping, Sequence
from dataclasses import fields
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

from trainer.contract.hub.names import is_hub_name
from trainer.contract.options import Parser, add_options
from viewer.bindings import Binding, help_text
from viewer.options import model_file

_MODES: Final = "viewer.modes"  # found by listing, and imported by name: nothing else here knows of it


class Mode:
    """A mode, by its name; nothing but its options is imported before it is opened."""

    def __init__(self, name: str) -> None:
        module = import_module(f"{_MODES}.{name}.options")
        self.name = name
        self.summary = str(module.__doc__).splitlines()[0].removesuffix(".")
        self.Options: type[Any] = module.Options
        self.bindings: Sequence[Binding] = getattr(module, "BINDINGS", ())
        tables = ({"keys": self.bindings} if self.bindings else {}) | getattr(module, "MORE_BINDINGS", {})
        self.key_help = "\n\n".join(f"{heading}:\n{help_text(table)}" for heading, table in tables.items())
        self.kind: str | None = getattr(module, "KIND", None)  # of models that it is for; None: no model, or any
        self.opens: Mapping[str, str] = getattr(module, "OPENS", {})
        self.saved: Mapping[str, Mapping[str, str]] = getattr(module, "SAVED", {})

    def parse(self, words: Sequence[str], program: str = "python -m viewer") -> Any:
        """The options from the words of a command line that follow the mode's name; exits as argparse does.

        Models of the hub are fetched, and are files from then on. Raises ``UserError``."""
        parser = Parser(
            prog=f"{program} {self.name}",
            description=f"{self.summary}.",
            epilog=self.key_help or None,
            formatter_class=argparse.RawDescriptionHelpFormatter,
            allow_abbrev=False,
        )
        add_options(parser, self.Options)
        values = vars(parser.parse_args(words))
        for item in fields(self.Options):
            if item.metadata.get("type") is model_file:
                values[item.name] = _fetched(values[item.name])
        return self.Options(**values)

    def choices(self, flag: str) -> Sequence[Any] | None:
        """The values that a flag may have; ``None``: any."""
        for item in fields(self.Options):
            if flag and flag in (item.metadata.get("names") or (f"--{item.name}",)):
                return item.metadata.get("choices")
        return None

    def has(self, flag: str) -> bool:
        """Whether there is a flag of this name."""
        own = (item.metadata.get("names") or (f"--{item.name.replace('_', '-')}",) for item in fields(self.Options)
               if "names" in item.metadata)  # fmt: skip
        return any(flag in names for names in own)

    def open(self, options: Any) -> Any:
        """The session to show. Raises ``UserError``."""
        return import_module(f"{_MODES}.{self.name}.session").open_session(options)

    def write(self, options: Any) -> None:
        """Write all results without a screen. Raises ``UserError``."""
        import_module(f"{_MODES}.{self.name}.headless").write(options)


def _fetched(value: Any) -> Any:
    """The file of a model, or the files of several, where names of the hub stand for them."""
    if isinstance(value, list):
        return [_fetched(one) for one in value]
    if not isinstance(value, Path) or not is_hub_name(value):
        return value
    from trainer.contract.hub.files import local

    return local(value)


def mode_names() -> list[str]:
    """The words of the command line, without importing any mode."""
    spec = find_spec(_MODES)
    places = None if spec is None else spec.submodule_search_locations
    return [found.name for found in pkgutil.iter_modules(places) if found.ispkg]
