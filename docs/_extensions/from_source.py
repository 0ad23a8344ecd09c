"""Directives that read the project itself: ``help``, ``commands``, ``paper``, ``step``, ``options``, ``presets``. No
torch.

```{help} viewer grid                 what ``python -m viewer grid --help`` prints
```{commands} trainer.data            the same of every tool or mode, a section each
```{paper} vae                        "Differs from the paper", of the family's docstring
```{step} vae                         its ``step`` beside its paper's algorithm, see ``algorithm_boxes``
```{options} vae                      the options that the family adds to those of every run
```{presets} vae                      the presets of the family
"""

import ast
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import algorithm_boxes
from docutils import nodes
from docutils.statemachine import StringList
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from trainer import presets
from trainer.command_line import GROUPS, group_of, place

ROOT = Path(__file__).resolve().parents[2]
COLUMNS = 96
SUBCOMMANDS = {"viewer": ROOT / "viewer" / "modes", "trainer.data": ROOT / "trainer" / "data" / "tools"}


def help_of(words: list[str]) -> str:
    """What ``python -m WORDS --help`` prints."""
    variables = {**os.environ, "COLUMNS": str(COLUMNS), "NO_COLOR": "1", "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-m", *words, "--help"], env=variables, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise RuntimeError(f"python -m {' '.join(words)} --help: {done.stderr}")
    return done.stdout.rstrip()


def subcommands(package: str) -> list[str]:
    """Modes of the viewer, or data tools: the modules of a folder."""
    paths = (path for path in SUBCOMMANDS[package].iterdir() if not path.name.startswith(("_", ".")))
    return sorted(path.stem for path in paths if path.suffix == ".py" or (path / "__init__.py").is_file())


def module_path(name: str) -> Path:
    """The file of a module of this project."""
    path = ROOT.joinpath(*name.split("."))
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")


def paragraphs(family: str) -> list[str]:
    """The docstring of a family's module, by paragraphs of one line each."""
    docstring = ast.get_docstring(ast.parse(module_path(f"trainer.families.{family}").read_text(encoding="utf-8")))
    return [" ".join(part.split()) for part in (docstring or "").split("\n\n")]


def type_of(annotation: ast.expr, imports: dict[str, str | None]) -> str:
    """The type of a field in words, without its checks; of a name that another module of this project gives a type,
    that type."""
    if isinstance(annotation, ast.Subscript) and ast.unparse(annotation.value) == "Annotated":
        assert isinstance(annotation.slice, ast.Tuple)
        annotation = annotation.slice.elts[0]
    name = ast.unparse(annotation)
    if (imports.get(name) or "").startswith("trainer."):
        for node in ast.parse(module_path(str(imports[name])).read_text(encoding="utf-8")).body:
            if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == name:
                return ast.unparse(node.value)
    return name


def options_of(module: str, name: str) -> Iterator[tuple[str, str, str, str]]:
    """Name, type, default and help of each field of a config class, and of its bases up to ``RunConfig``."""
    tree = ast.parse(module_path(module).read_text(encoding="utf-8"))
    imports = {
        item.asname or item.name: node.module
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom)
        for item in node.names
    }
    found = [node for node in tree.body if isinstance(node, ast.ClassDef) and node.name == name]
    if not found:  # imported from elsewhere
        yield from options_of(str(imports[name]), name)
        return
    for base in found[0].bases:
        if isinstance(base, ast.Name) and base.id != "RunConfig":
            yield from options_of(module, base.id)
    body = found[0].body
    for field, after in zip(body, [*body[1:], None], strict=True):
        if (
            not isinstance(field, ast.AnnAssign)
            or not isinstance(field.target, ast.Name)
            or isinstance(field.value, ast.Call)
            or ast.unparse(field.annotation).startswith("ClassVar")
        ):
            continue
        documented = isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant)
        text = " ".join(str(after.value.value).split()) if documented else ""  # type: ignore[union-attr]
        default = ast.unparse(field.value) if field.value else "None"
        yield field.target.id, type_of(field.annotation, imports), default, text


OTHER_OPTIONS = {
    "run": ("trainer.config", "RunConfig"),
    "evaluate": ("trainer.evaluation.options", "EvaluateConfig"),
}


def options(name: str) -> list[tuple[str, str, str, str]]:
    """The options of every run, of evaluation, or those that a family adds or changes (with the help of all runs)."""
    if name in OTHER_OPTIONS:
        return list(options_of(*OTHER_OPTIONS[name]))
    module = f"trainer.families.{name}"
    tree = ast.parse(module_path(module).read_text(encoding="utf-8"))
    configs = [
        node.value.id
        for item in tree.body
        if isinstance(item, ast.ClassDef)
        for node in item.body
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Name)
        if any(isinstance(target, ast.Name) and target.id == "Config" for target in node.targets)
    ]
    shared = {option[0]: option for option in options_of("trainer.config", "RunConfig")}
    merged: dict[str, tuple[str, str, str, str]] = {}
    for field, kind, default, text in options_of(module, configs[0]):
        known = merged.get(field) or shared.get(field) or ("", "", "", "")
        merged[field] = (field, kind, default, text or known[3])
    return list(merged.values())


def flag_of(name: str, kind: str) -> str:
    """An option as it is typed: ``--latent-size INT``."""
    if kind.startswith("Positional"):
        return name.upper()
    flag = "--" + name.replace("_", "-")
    if kind == "bool":
        return f"{flag}, --no-{flag[2:]}"
    choices = re.fullmatch(r"Literal\[(.*)\]", kind)
    if choices:
        return f"{flag} {'|'.join(str(choice) for choice in ast.literal_eval(f'[{choices[1]}]'))}"
    sequence = re.fullmatch(r"tuple\[(\w+), \.\.\.\]", kind)
    value = f"{sequence[1]} ..." if sequence else kind.removesuffix(" | None")
    return f"{flag} {value.upper()}"


class FromSource(SphinxDirective):
    """What the directives have in common: one argument, and Markdown as their result."""

    required_arguments = 1
    final_argument_whitespace = True

    def parsed(self, lines: list[str]) -> list[nodes.Node]:
        """The nodes of lines of Markdown."""
        node = nodes.container()
        self.state.nested_parse(StringList(lines, source=self.get_source_info()[0]), self.content_offset, node)
        return node.children

    def help_block(self, words: list[str]) -> nodes.Node:
        """What a command prints with ``--help``, as a block."""
        text = help_of(words)
        block = nodes.literal_block(text, text, language="text")
        return nodes.container("", block, classes=["command-help"])


class HelpDirective(FromSource):
    """What one command prints with ``--help``."""

    def run(self) -> list[nodes.Node]:
        return [self.help_block(self.arguments[0].split())]


class CommandsDirective(FromSource):
    """What every subcommand of a package prints with ``--help``, a section each."""

    def run(self) -> list[nodes.Node]:
        package = self.arguments[0]
        sections: list[nodes.Node] = []
        for name in subcommands(package):
            label = nodes.make_id(f"{package}-{name}")
            section = nodes.section(ids=[label], names=[label])
            section += nodes.title(name, name)
            section += self.help_block([package, name])
            self.state.document.note_explicit_target(section)
            sections.append(section)
        return sections


class PaperDirective(FromSource):
    """The paragraphs of a family's docstring from "Differs from the paper" on, without the example."""

    def run(self) -> list[nodes.Node]:
        parts = paragraphs(self.arguments[0])
        first = next(index for index, part in enumerate(parts) if part.startswith("**Differs"))
        rest = [part for part in parts[first:] if not part.startswith("accelerate launch")]
        text = re.sub(r"^\*\*Differs[^*]*\*\* ", "", "\n\n".join(rest).replace("``", "`"))
        return self.parsed(text.split("\n"))


class StepDirective(FromSource):
    """A table of two columns: the paper's lines, and those of the source."""

    has_content = True

    def run(self) -> list[nodes.Node]:
        self.env.note_dependency(str(module_path(f"trainer.families.{self.arguments[0]}")))
        group = nodes.tgroup(cols=2)
        group += [nodes.colspec(colwidth=2), nodes.colspec(colwidth=3)]
        body = nodes.tbody()
        for words, code in algorithm_boxes.rows(self.arguments[0], list(self.content)):
            line = nodes.row()
            line += [
                nodes.entry("", *self.parsed([words])),
                nodes.entry("", nodes.literal_block(code, code, language="python")),
            ]
            body += line
        group += body
        return [nodes.table("", group, classes=["algorithm-box"])]


class OptionsDirective(FromSource):
    """The options of a family, those of every run left out; or those of every run, by groups."""

    def run(self) -> list[nodes.Node]:
        found = options(self.arguments[0])
        if self.arguments[0] != "run":
            return self.described(found)
        titles = {**{name: f"{name.capitalize()} options" for name in GROUPS}, "": "What one needs first"}
        made: list[nodes.Node] = []
        for group, title in titles.items():
            own = sorted((option for option in found if group_of(option[0]) == group), key=lambda one: place(one[0]))
            made += [nodes.rubric("", title), *self.described(own)] if own else []
        return made

    def described(self, found: list[tuple[str, str, str, str]]) -> list[nodes.Node]:
        """Options as a list of definitions."""
        lines = []
        for name, kind, default, text in found:
            shown = "" if default in ("''", "None") else f" (default: `{default.strip(chr(39))}`)"
            marked = re.sub(r"(?<!\S)--[a-z0-9-]+", r"`\g<0>`", text.replace("*", "\\*"))
            lines += [f"`{flag_of(name, kind)}`", f": {marked}{shown}", ""]
        return self.parsed(lines)


class PresetsDirective(FromSource):
    """The presets of a family: what each is for, where it is from, its flags."""

    def run(self) -> list[nodes.Node]:
        lines = []
        path = module_path(f"trainer.families.{self.arguments[0]}").with_suffix(".toml")
        for name, preset in presets.read_presets(path).items():
            flags = " ".join(presets.flag(*option) for option in preset.options.items())
            about = re.sub(r"(?<!\S)--[a-z0-9-]+", r"`\g<0>`", preset.about)
            lines += [f"`--preset {name}`", f": {about} From: {preset.source}.", ""]
            lines += [f"  `{flags}`" if flags else "  The defaults.", ""]
        return self.parsed(lines)


def on_this_site(app: Sphinx, name: str, content: list[str]) -> None:
    """The README in English is no page here: links to it lead to the first page."""
    if name.startswith("README"):
        content[0] = content[0].replace("(../README.md)", "(index.md)")


def setup(app: Sphinx) -> dict[str, Any]:
    """Called by Sphinx."""
    for name, directive in {
        "help": HelpDirective, "commands": CommandsDirective, "paper": PaperDirective, "step": StepDirective,
        "options": OptionsDirective, "presets": PresetsDirective,
    }.items():  # fmt: skip
        app.add_directive(name, directive)
    app.connect("source-read", on_this_site)
    return {"version": "1", "parallel_read_safe": True}
