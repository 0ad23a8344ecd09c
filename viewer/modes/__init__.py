"""The modes of the viewer, a package each: to add a mode is to add a package here.

Its module ``options`` imports nothing heavy. Its docstring begins with the summary of ``--help``, and it has

- ``Options``: a frozen dataclass with ``without_screen``, whether results are written and nothing is shown,
- ``BINDINGS``: the key table, see ``viewer.bindings.merged``, and ``MORE_BINDINGS``: others, by their headings,
- ``KIND`` of the models that it is at home with, as cards name it,
- ``OPENS``: what it opens where no mode is named: regular expressions over words for what the files are
  (``viewer.opening.WORDS``, a space between two), each with the words that go between the first file and the others,
- ``SAVED``: what leads back to what it saved, by the word that ``mode`` begins with in the recipe: a flag for what the
  recipe says under a key, "" for one without a flag; the key "" stands for the image itself.

All but ``Options`` may be left out. ``session.open_session(options)`` is the session to show,
``headless.write(options)`` writes all results without a screen; a mode has one of them, or both. They raise
``UserError``.
"""

import argparse
import pkgutil
from collections.abc import Mapping, Sequence
from dataclasses import fields
from importlib import import_module
from typing import Any

from trainer.contract.options import Parser, add_options
from viewer.bindings import Binding, help_text


class Mode:
    """A mode, by its name; nothing but its options is imported before it is opened."""

    def __init__(self, name: str) -> None:
        module = import_module(f"viewer.modes.{name}.options")
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
        """The options from the words of a command line that follow the mode's name; exits as argparse does."""
        parser = Parser(
            prog=f"{program} {self.name}",
            description=f"{self.summary}.",
            epilog=self.key_help or None,
            formatter_class=argparse.RawDescriptionHelpFormatter,
            allow_abbrev=False,
        )
        add_options(parser, self.Options)
        return self.Options(**vars(parser.parse_args(words)))

    def choices(self, flag: str) -> Sequence[Any] | None:
        """The values that a flag may have; ``None``: any."""
        for item in fields(self.Options):
            if flag and flag in (item.metadata.get("names") or (f"--{item.name}",)):
                return item.metadata.get("choices")
        return None

    def open(self, options: Any) -> Any:
        """The session to show. Raises ``UserError``."""
        return import_module(f"viewer.modes.{self.name}.session").open_session(options)

    def write(self, options: Any) -> None:
        """Write all results without a screen. Raises ``UserError``."""
        import_module(f"viewer.modes.{self.name}.headless").write(options)


def mode_names() -> list[str]:
    """The words of the command line, without importing any mode."""
    return [found.name for found in pkgutil.iter_modules(__path__) if found.ispkg]
