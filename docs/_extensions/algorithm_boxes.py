"""What the directive ``step`` shows: the lines of a paper's algorithm beside those of a family's ``step``. The standard
library only.

```{step} ddpm
2: x₀ ~ q(x₀)                         =>  batch, diffusion = next(batches)
3: t ~ Uniform({1, …, T})             =>  t = torch.randint(
```

Each line has words, and how the first line of the code begins that they are about. The code up to the next one that is
named stands beside them, as it is in the source: all of ``step`` is shown, in its order, and a line that is no longer
there ends the build (and ``tests/test_documentation.py``).
"""

import ast
import textwrap
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[2]
BETWEEN = "=>"


class Row(NamedTuple):
    """A line of the page."""

    words: str  # of the paper, or about it
    code: str  # one or more lines of the source


class Source(NamedTuple):
    """A method as it stands in its file."""

    path: Path
    first: int  # number of its first line after the docstring
    lines: list[str]


def module_path(name: str) -> Path:
    """The file of a module of this project."""
    return ROOT.joinpath(*name.split(".")).with_suffix(".py")


def step_of(module: str) -> Source:
    """The body of ``step`` of the class in a module that has it, or of a base that the module imports. Raises
    ``ValueError``."""
    path = module_path(module)
    text = path.read_text(encoding="utf-8")
    tree = ast.parse(text)
    for kind in [node for node in tree.body if isinstance(node, ast.ClassDef)]:
        for method in kind.body:
            if isinstance(method, ast.FunctionDef) and method.name == "step":
                body = method.body[1:] if ast.get_docstring(method) else method.body
                lines = text.splitlines()[body[0].lineno - 1 : method.end_lineno]
                return Source(path, body[0].lineno, textwrap.dedent("\n".join(lines)).split("\n"))
    classes = [node for node in tree.body if isinstance(node, ast.ClassDef)]
    bases = {base.id for kind in classes for base in kind.bases if isinstance(base, ast.Name)}
    for node in tree.body:
        of_parts = isinstance(node, ast.ImportFrom) and str(node.module).startswith("trainer.parts.")
        if of_parts and bases & {item.name for item in node.names if item.name.endswith("Family")}:
            return step_of(str(node.module))
    raise ValueError(f"{path.relative_to(ROOT)}: no class has a method step")


def rows(family: str, content: list[str]) -> list[Row]:
    """The rows of a page's block. Raises ``ValueError`` where a line that it names is not there, or not in this order,
    or where the code does not begin with the first of them."""
    source = step_of(f"trainer.families.{family}")
    words, starts = [], []
    for line in filter(str.strip, content):
        said, arrow, begins = (part.strip() for part in line.partition(BETWEEN))
        if not arrow or not begins:
            raise ValueError(f"{family}: {line!r}, expected words {BETWEEN} the beginning of a line of code")
        after = starts[-1] + 1 if starts else 0
        found = [at for at in range(after, len(source.lines)) if source.lines[at].strip().startswith(begins)]
        if not found:
            where = f"{source.path.relative_to(ROOT)}: step, from line {source.first + after}"
            raise ValueError(f"{where}: no line begins with {begins!r}")
        words.append(said)
        starts.append(found[0])
    if not starts or starts[0] != 0:
        raise ValueError(f"{family}: begins with {source.lines[0]!r}, expected to be named")
    ends = [*starts[1:], len(source.lines)]
    return [Row(said, "\n".join(source.lines[a:b])) for said, a, b in zip(words, starts, ends, strict=True)]
