"""Drawing on a page, and what a model makes of it: ``translate --draw``."""

from typing import Final

from viewer.bindings import Binding, merged
from viewer.keys import Action

DRAW_BINDINGS: Final = merged(
    Binding("left button", "draw; on a colour: choose it", (Action.CLICK, Action.DRAG, Action.RELEASE)),
    Binding("right button", "erase", (Action.SECOND_CLICK, Action.SECOND_DRAG, Action.SECOND_RELEASE)),
    Binding("wheel", "brush size", (Action.WHEEL_UP, Action.WHEEL_DOWN)),
    Binding("z, Ctrl+Z", "undo the last stroke", (Action.NEW, Action.UNDO)),
    Binding("y", "redo the stroke that was undone"),
    Binding("c", "clear the page"),
    Binding("0-9", "this colour (if the model is for colours)"),
    words={
        "s": "save the result and the drawing",
        "+ -": "brush size (= and _ too)",
        "Space": "a new latent (if the model has one)",
        "any other key": "a new latent (if the model has one)",
    },
    without=("arrows, click", "PageUp PageDown Home End", "i", "r"),
)
