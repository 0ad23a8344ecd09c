"""The class that a model with classes is asked to draw, and the keys that choose it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from trainer.contract.errors import UserError
from viewer.keys import Action, Event
from viewer.render import Caption
from viewer.sheet import Sheet

_LEAST_HEIGHT: Final = 40  # pixels of an image on which its row is named, where text has the usual size


@dataclass(frozen=True)
class Classes:
    """Which classes are drawn: one of them, or another one in every row."""

    count: int = 0  # that the model knows; 0: it knows none, and no key chooses one
    label: int = 0  # the class drawn, or that of the first row
    by_row: bool = False

    def of_sheet(self, rows: int, columns: int) -> tuple[int, ...]:
        """The label of every image of a sheet, row by row; empty where the model knows no classes."""
        if not self.count:
            return ()
        return tuple(self.of_row(row) for row in range(rows) for _ in range(columns))

    def of_row(self, row: int) -> int:
        """The label of the images in a row."""
        return (self.label + row) % self.count if self.by_row else self.label

    def captions(self, names: Sequence[str], sheet: Sheet, scale: float) -> tuple[Caption, ...]:
        """The names of rows of a sheet by class, in the corner of the first image of each. ``scale``: of the text."""
        if not (self.count and self.by_row) or sheet.cell_height < _LEAST_HEIGHT * scale:
            return ()
        corners = (sheet.corner(row * sheet.columns) for row in range(sheet.rows))
        return tuple(Caption(*corner, names[self.of_row(row)]) for row, corner in enumerate(corners))

    def after(self, event: Event) -> "Classes | None":
        """The classes after an event; ``None`` where it has another meaning."""
        if not self.count or event.action is not Action.NEW:
            return None
        if event.key in ("n", "N", "p", "P"):
            return replace(self, label=(self.label + (1 if event.key in "nN" else -1)) % self.count)
        if event.key in ("c", "C"):
            return replace(self, by_row=not self.by_row)
        if len(event.key) == 1 and event.key in "0123456789":
            return replace(self, label=int(event.key)) if int(event.key) < self.count else self
        return None


NO_CLASSES: Final = Classes()


def find_label(names: Sequence[str], wanted: str, file: str) -> int:
    """The label of a class by its name or number. Raises ``UserError`` where the model of that file has none such."""
    if not names:
        raise UserError(f"--label is {wanted!r}, expected none: {file} draws no classes")
    if wanted in names:
        return list(names).index(wanted)
    if wanted.isascii() and wanted.isdigit() and len(wanted) < 10 and int(wanted) < len(names):
        return int(wanted)
    few = ", ".join(names[:12]) + (", ..." if len(names) > 12 else "")
    raise UserError(f"--label is {wanted!r}, expected 0..{len(names) - 1} or a name: {few}")


def class_words(label: int, name: str) -> str:
    """A class in words: its name, and where that is another word the number that chooses it."""
    return f"class {name}" if name == str(label) else f"class {name} ({label})"
