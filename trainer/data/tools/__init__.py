"""The tools of ``python -m trainer.data``: each module or package here whose name has no leading underscore is one.

A tool has a docstring, whose first line is its summary and whose rest ends its --help, a frozen dataclass ``Options``
with a sentence a field, and ``run``, which takes them and may raise ``UserError``. Only the tool that was asked for is
imported.
"""

import ast
import importlib
import importlib.util
import pkgutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from trainer.contract.errors import require
from trainer.contract.options import flag, out_of_range


@dataclass(frozen=True, kw_only=True)
class ToolOptions:
    """Base of the options of every tool. Raises ``UserError`` for a value out of its range."""

    def __post_init__(self) -> None:
        for name, found, expected in out_of_range(self):
            require(False, name, found, expected)

    def chosen(self, *names: str) -> dict[str, Any]:
        """Those of these options that do something."""
        return {name: value for name in names if (value := getattr(self, name)) not in (None, False, 0, "none", "auto")}


@dataclass(frozen=True, kw_only=True)
class ForceOption(ToolOptions):
    """Options of tools that write files."""

    force: bool = flag("replace outputs that exist", default=False)


@dataclass(frozen=True, kw_only=True)
class WorkersOption(ToolOptions):
    """Options of tools that work on several images at once."""

    workers: int = flag("images at once (0: one a core)", default=0, within=(0, 256))


@dataclass(frozen=True, kw_only=True)
class ValuesOption(ToolOptions):
    """Options of tools that read image files."""

    values: Literal["auto", "stored", "ids", "10", "12"] = flag(
        "what pixels' numbers are: as stored, ids of classes, bits of 16-bit files (auto: looked for, and said)",
        default="auto",
    )


@dataclass(frozen=True, kw_only=True)
class LandmarksOption(ToolOptions):
    """Options of tools that look for faces."""

    landmarks_model: Path | None = flag("68 points for dlib's shape_predictor (that of the extra)", metavar="FILE")


def tool_names() -> list[str]:
    """All tools, by name."""
    return sorted(module.name for module in pkgutil.iter_modules(__path__) if not module.name.startswith("_"))


def load_tool(name: str) -> Any:
    """The module of a tool, with its ``Options`` and ``run``."""
    return importlib.import_module(f"{__name__}.{name}")


def description(name: str) -> tuple[str, str]:
    """The summary of a tool and the rest of its docstring, read without importing it."""
    spec = importlib.util.find_spec(f"{__name__}.{name}")
    assert spec is not None and spec.origin is not None, name  # noqa: PT018
    text = ast.get_docstring(ast.parse(Path(spec.origin).read_bytes()), clean=False) or ""
    summary, _, rest = text.partition("\n")
    return summary, rest.strip("\n").rstrip()
