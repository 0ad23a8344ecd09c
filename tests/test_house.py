"""The house rules that import-linter cannot say."""

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
FOLDERS = ("trainer", "export", "viewer", "launch")
ENTRIES = sorted((ROOT / "trainer").glob("train_*.py"))


def modules(*folders: str) -> Iterator[tuple[Path, ast.Module]]:
    """Every module under some folders of the checkout, parsed."""
    for folder in folders:
        for path in sorted((ROOT / folder).rglob("*.py")):
            yield path.relative_to(ROOT), ast.parse(path.read_text(encoding="utf-8"))


def callers(name: str) -> set[str]:
    """The modules that call a function or method of this name."""
    return {
        path.as_posix()
        for path, tree in modules(*FOLDERS)
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and name in (getattr(node.func, "id", ""), getattr(node.func, "attr", ""))
    }


def imported(tree: ast.Module) -> set[str]:
    """The full names of all modules that a module imports."""
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {item.name for item in node.names}
        elif isinstance(node, ast.ImportFrom):
            names.add(node.module or "")
    return names


def test_one_place_makes_the_accelerator() -> None:
    assert callers("Accelerator") == {"trainer/distributed.py"}


def test_one_place_calls_backward() -> None:
    assert callers("backward") == {"trainer/turns.py"}


def test_the_card_and_the_set_up_need_the_standard_library_only() -> None:
    for path in ("export/card.py", "export/kinds.py", "launch/environment.py", "launch/demo.py", "launch/test.py"):
        tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
        roots = {name.split(".")[0] for name in imported(tree) - {"export.kinds"}}
        assert roots <= sys.stdlib_module_names | {"environment"}, path


@pytest.mark.parametrize("name", ["environment", "demo", "test"])
def test_an_old_python_can_read_the_set_up(name: str) -> None:
    source = (ROOT / "launch" / f"{name}.py").read_text(encoding="utf-8")
    ast.parse(source, feature_version=(3, 8))


def test_no_trainer_module_hides_a_standard_one() -> None:
    # "accelerate launch trainer/x.py" puts trainer/ first on the path of everything that is imported
    names = {path.stem if path.suffix else path.name for path in (ROOT / "trainer").iterdir()}
    assert not names & sys.stdlib_module_names


def test_windows_are_opened_in_one_place() -> None:
    assert callers("imshow") | callers("waitKeyEx") == {"viewer/displays/window.py"}


def test_there_is_no_module_for_everything() -> None:
    assert not [path for path, _ in modules(*FOLDERS) if re.fullmatch(r"utils?|helpers?|common|misc", path.stem)]


@pytest.mark.parametrize("path", ENTRIES, ids=lambda path: path.stem)
def test_training_entries_are_thin(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 20
    assert not [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.ClassDef)]
    assert imported(tree) == {"trainer.entry"}, "which says something before it imports torch"


def test_every_family_has_its_entry() -> None:
    families = {path.stem for path in (ROOT / "trainer" / "families").glob("*.py")} - {"__init__"}
    assert families
    assert families == {path.stem.removeprefix("train_") for path in ENTRIES}
    for path in ENTRIES:
        assert f'main("{path.stem.removeprefix("train_")}")' in path.read_text(encoding="utf-8")
