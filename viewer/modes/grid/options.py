"""A page of images to choose from, random or interpolated."""

from typing import Final

from viewer.bindings import Binding, merged
from viewer.sessions.generator_page import GRID_BINDINGS, GridOptions

Options = GridOptions
BINDINGS: Final = merged(
    *GRID_BINDINGS, Binding("+ -", "more varied, more typical (= and _ too)", hint="+ - truncation")
)
KIND: Final = "generator"
OPENS: Final = {"generator": "", "generator image": "--encode"}
SAVED: Final = {"grid": {"": "--from", "encoded": "--encode"}}
