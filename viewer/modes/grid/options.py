"""A page of images to choose from, random or interpolated."""

from typing import Final

from viewer.bindings import Binding, merged
from viewer.sessions.generator_page import GRID_BINDINGS, GridOptions

Options = GridOptions
BINDINGS: Final = merged(
    *GRID_BINDINGS,
    Binding(
        "+ -",
        "more varied, more typical; of models that take a number besides: this (= and _ too)",
        hint={"scalar": "+ - number", "": "+ - truncation"},
    ),
)
KIND: Final = "generator"
OPENS: Final = {"generator": "", "generator image": "--encode"}
SAVED: Final = {"grid": {"": "--from", "encoded": "--encode"}}
