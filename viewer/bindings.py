"""Key bindings: what is written on the keys, and what they do.

The bindings that modes have in common stand here once. A mode merges its own with them, and may re-word or leave out
some; ``--help`` prints the merged table.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from viewer.keys import Action


@dataclass(frozen=True)
class Binding:
    """A line of the key table."""

    keys: str
    does: str
    actions: tuple[Action, ...] = (Action.NEW,)
    after: str = "ESC"  # the keys of the shared binding that it follows in the table


SHARED: Final = (
    Binding("ESC", "quit, once what is being saved is there; a second time: at once", (Action.QUIT,)),
    Binding(
        "arrows, click",
        "move the cursor (wraps round)",
        (Action.LEFT, Action.RIGHT, Action.UP, Action.DOWN, Action.CLICK),
    ),
    Binding(
        "PageUp PageDown Home End",
        "further, where there are more images than fit",
        (Action.PAGE_UP, Action.PAGE_DOWN, Action.HOME, Action.END),
    ),
    Binding("s", "save the selected image", (Action.SAVE,)),
    Binding("S", "save the whole screen", (Action.SAVE_ALL,)),
    Binding("i", "interpolate between four random corners", (Action.INTERPOLATE,)),
    Binding("r", "random images", (Action.RANDOM,)),
    Binding("+ -", "effect up, down (= and _ too)", (Action.MORE, Action.LESS)),
    Binding("Space", "new images", (Action.PAUSE,)),
    Binding("any other key", "new images"),
)

# For modes of models with classes.
CLASS: Final = Binding("0-9, n p", "this class, the next, the one before (if the model has classes)", after="r")
ROWS_BY_CLASS: Final = Binding("c", "rows by class, all of one class (if the model has classes)", after="r")


def merged(*own: Binding, words: Mapping[str, str] | None = None, without: Collection[str] = ()) -> tuple[Binding, ...]:
    """The key table of a mode: the shared bindings, and its own each after the shared one that it names.

    ``words``: what shared bindings do in this mode, by their keys. ``without``: keys of shared bindings that it lacks.
    Raises ``ValueError`` for keys that no shared binding has.
    """
    words = words or {}
    unknown = {*words, *without, *(binding.after for binding in own)} - {binding.keys for binding in SHARED}
    if unknown:
        raise ValueError(f"keys {sorted(unknown)}, expected those of shared bindings")
    table: list[Binding] = []
    for shared in SHARED:
        if shared.keys not in without:
            table.append(Binding(shared.keys, words.get(shared.keys, shared.does), shared.actions))
        table += [binding for binding in own if binding.after == shared.keys]
    return tuple(table)


def help_text(bindings: Sequence[Binding]) -> str:
    """A key table as lines of text."""
    width = max(len(binding.keys) for binding in bindings)
    return "\n".join(f"{binding.keys:<{width}}  {binding.does}" for binding in bindings)
