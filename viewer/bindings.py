"""Key bindings: what is written on the keys, and what they do.

The bindings that modes have in common stand here once. A mode merges its own with them, and may re-word or leave out
some. ``--help`` prints the merged table, and the strip below the images a few words of it.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from viewer.keys import Action


@dataclass(frozen=True)
class Binding:
    """A line of the key table."""

    keys: str
    does: str
    actions: tuple[Action, ...] = (Action.NEW,)
    after: str = "h ? F1"  # the keys of the shared binding that it follows in the table
    hint: str | Mapping[str, str] = ""  # a few words for the strip, or those by situation, see ``hints_of``
    rank: int = 1  # of the hint: those of a lower one come first; within a rank they come as in the table


ARROWS: Final = "arrows, click"
BACK: Final = "Backspace u"
PAGES: Final = "PageUp PageDown Home End"
SHARED: Final = (
    Binding("ESC", "quit, once what is being saved is there; a second time: at once", (Action.QUIT,), hint="esc quit"),
    Binding("q", "quit, if nothing is lost by it; else as any other key", (Action.LEAVE,)),
    Binding("h ? F1", "these keys; any key takes them away", (Action.HELP,), hint="h: keys", rank=-1),
    Binding(
        ARROWS,
        "move the cursor (wraps round)",
        (Action.LEFT, Action.RIGHT, Action.UP, Action.DOWN, Action.CLICK),
    ),
    Binding(
        PAGES,
        "further, where there are more images than fit",
        (Action.PAGE_UP, Action.PAGE_DOWN, Action.HOME, Action.END),
    ),
    Binding("s", "save the selected image", (Action.SAVE,), hint="s save"),
    Binding("S", "save the whole screen", (Action.SAVE_ALL,), hint="S save all", rank=2),
    Binding("i", "interpolate between four random corners", (Action.INTERPOLATE,), hint={"random": "i interpolate"}),
    Binding("r", "random images", (Action.RANDOM,), hint={"interpolation": "r random", "mix": "r random"}),
    Binding("+ -", "effect up, down (= and _ too)", (Action.MORE, Action.LESS)),
    Binding(BACK, "the page before, 100 times", (Action.BACK,)),
    Binding("Space", "new images", (Action.PAUSE,)),
    Binding("any other key", "new images", hint="any key: new", rank=0),
)

# For modes of models with classes.
CLASS: Final = Binding(
    "0-9, n p",
    "this class, the next, the one before (if the model has classes)",
    after="r",
    hint={"classes": "0-9 n p class"},
)
ROWS_BY_CLASS: Final = Binding(
    "c", "rows by class, all of one class (if the model has classes)", after="r", hint={"classes": "c rows by class"}
)


def merged(*own: Binding, without: Collection[str] = ()) -> tuple[Binding, ...]:
    """The key table of a mode: the shared bindings, and its own each after the shared one that it names.

    A binding with the keys of a shared one takes its place, for the same actions. ``without``: keys of shared bindings
    that the mode lacks. Raises ``ValueError`` for keys that no shared binding has.
    """
    places = {binding.keys for binding in SHARED}
    unknown = {*without, *(binding.after for binding in own)} - places
    if unknown:
        raise ValueError(f"keys {sorted(unknown)}, expected those of shared bindings")
    ours = {binding.keys: binding for binding in own}
    table: list[Binding] = []
    for shared in SHARED:
        if shared.keys not in without:
            table.append(replace(ours.get(shared.keys, shared), actions=shared.actions))
        table += [binding for binding in own if binding.after == shared.keys and binding.keys not in places]
    return tuple(table)


def help_text(bindings: Sequence[Binding]) -> str:
    """A key table as lines of text."""
    width = max(len(binding.keys) for binding in bindings)
    return "\n".join(f"{binding.keys:<{width}}  {binding.does}" for binding in bindings)


def hints_of(bindings: Sequence[Binding], situation: Mapping[str, object]) -> tuple[str, ...]:
    """The hints of a key table, most needed first; of those by situation the first whose name is true there."""
    hints = []
    for binding in sorted(bindings, key=lambda one: one.rank):
        by_name = {"": binding.hint} if isinstance(binding.hint, str) else binding.hint
        hints += [hint for name, hint in by_name.items() if not name or situation.get(name)][:1]
    return tuple(filter(None, hints))
