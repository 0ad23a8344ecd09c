"""The README stays short; links and images of README and docs exist. Sphinx checks more, see ``docs/build.py``."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from urllib.parse import unquote

import pytest

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"
sys.path.append(str(DOCS / "_extensions"))
import algorithm_boxes  # noqa: E402  part of the site

PAGES = [ROOT / "README.md", *sorted(DOCS.rglob("*.md"))]
FAMILIES = sorted({path.stem for path in (ROOT / "trainer" / "families").glob("*.py")} - {"__init__"})
MODES = sorted({path.parent.name for path in (ROOT / "viewer" / "modes").glob("*/options.py")})
PAGE_OF_MODE = {"hpf": "detail"}  # where it has another name
MOST_LINES = 180
EXAMPLES = {"dots", "flip", "gif", "rotate", "restore", "two"}  # on the pages about extending
GENERATED = "commands/"  # pages whose sections Sphinx makes


def text_of(page: Path) -> str:
    """A page without its blocks of code."""
    return re.sub(r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)


def targets(page: Path) -> list[str]:
    """Where links and images of a page lead, those to other sites left out."""
    text = re.sub(r"`[^`\n]*`", "", text_of(page))
    found = re.findall(r"\]\(([^)\s]+)\)", text) + re.findall(r"<img[^>]*\bsrc=\"([^\"]+)\"", text)
    return [target for target in found if not re.match(r"[a-z]+:", target)]


def headings(page: Path) -> set[str]:
    """The anchors of a page, as GitHub and MyST make them of its headings."""
    titles = re.findall(r"^#+ (.+)$", text_of(page), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", re.sub(r"[`*]", "", title).lower()).strip().replace(" ", "-") for title in titles}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_links_and_images_lead_somewhere(page: Path) -> None:
    for target in targets(page):
        name, _, anchor = unquote(target).partition("#")
        path = (page.parent / name).resolve() if name else page
        assert path.exists(), target
        assert path.is_relative_to(ROOT), target
        if anchor and GENERATED not in name:
            assert anchor in headings(path), target


def test_the_readme_is_short() -> None:
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) <= MOST_LINES


def test_every_page_is_part_of_the_site() -> None:
    listed = {DOCS / "index.md"}
    for page in PAGES[1:]:
        for tree in re.findall(r"^```{toctree}\n(.*?)^```", page.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL):
            for line in tree.split("\n"):
                if line and not line.startswith(":"):
                    listed.add(page.parent / f"{line.rstrip('>').split('<')[-1]}.md")
    assert listed == set(PAGES[1:])


def test_every_image_is_shown() -> None:
    shown = {(page.parent / target).resolve() for page in PAGES for target in targets(page)}
    drawn = {path for path in DOCS.rglob("*") if path.suffix in {".png", ".webp", ".gif", ".jpg"}}
    assert drawn <= shown


@pytest.mark.parametrize("family", FAMILIES)
def test_every_step_is_beside_its_algorithm(family: str) -> None:
    """The lines of the source that a page names are there, in this order, and begin with the first of ``step``."""
    page = (DOCS / "models" / "algorithms.md").read_text(encoding="utf-8")
    blocks = dict(re.findall(r"^```\{step\} (\w+)\n(.*?)^```", page, re.MULTILINE | re.DOTALL))
    rows = algorithm_boxes.rows(family, blocks[family].splitlines())
    shown = "\n".join(row.code for row in rows).splitlines()
    assert shown == algorithm_boxes.step_of(f"trainer.families.{family}").lines
    assert len(rows) > 1
    *others, last = blocks[family].splitlines()
    for wrong in ("words => no such line", f"{last}\n{others[0]}", others[-1] if len(others) > 1 else "words"):
        with pytest.raises(ValueError, match=r"begins with|expected"):
            algorithm_boxes.rows(family, wrong.splitlines())


@pytest.mark.parametrize("family", FAMILIES)
def test_every_model_has_its_page(family: str) -> None:
    page = (DOCS / "models" / f"{family}.md").read_text(encoding="utf-8")
    assert f"```{{paper}} {family}\n" in page
    assert f"```{{options}} {family}\n" in page
    assert f"```{{presets}} {family}\n" in page
    for readme in (ROOT / "README.md", DOCS / "README.ja.md"):
        if family != "classifier":  # no generator
            assert f"models/{family}.md)" in readme.read_text(encoding="utf-8")


@pytest.mark.parametrize("mode", MODES)
def test_every_mode_has_its_page_with_an_image(mode: str) -> None:
    name = f"{PAGE_OF_MODE.get(mode, mode)}.md"
    page = (DOCS / "viewer" / name).read_text(encoding="utf-8")
    assert f"python -m viewer {mode} " in page
    assert re.search(r"^!\[[^\]]+\]\([^)]+\)$", page, re.MULTILINE)
    assert f"\n| [`{mode}`]({name}) | " in (DOCS / "viewer" / "index.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_files_of_this_project_that_are_named_are_there(page: Path) -> None:
    for code in re.findall(r"`([^`\n]+)`", text_of(page)):
        for name in re.findall(r"(?<![\w./-])(?:trainer|viewer|export|launch|tests|docs)/[\w./-]+(?![\w<…*])", code):
            if not EXAMPLES & set(re.split(r"[/._]", name)) and not name.endswith("_"):
                assert (ROOT / name).exists() or (ROOT / "tests" / name).exists(), name


@pytest.mark.slow
def test_the_examples_of_how_to_extend_it_pass_the_conformance_suites(tmp_path: Path) -> None:
    for name in ("export", "tests", "trainer", "viewer"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    names = set()
    for page in sorted((DOCS / "extending").glob("*.md")):
        text = page.read_text(encoding="utf-8")
        for name, source in re.findall(r"`(\w+/[\w/]+\.py)`:\n\n```python\n(.*?)^```", text, re.MULTILINE | re.DOTALL):
            path = tmp_path / name
            assert not path.exists(), name
            path.parent.mkdir(exist_ok=True)
            path.write_text(source, encoding="utf-8")
            if path.name in {"options.py", "session.py"}:  # of a mode
                (path.parent / "__init__.py").touch()
                path = path.parent
            names.add(path.stem)
        for name, source in re.findall(r"`(\w+/[\w/]+\.toml)`:\n\n```toml\n(.*?)^```", text, re.MULTILINE | re.DOTALL):
            (tmp_path / name).write_text(source, encoding="utf-8")
            names.add(Path(name).name)
    assert names == {"dots", "dots.toml", "train_dots", "flip", "gif", "rotate", "two_layers"}
    suites = [str(path) for path in sorted((tmp_path / "tests").rglob("test_conformance.py"))]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-n0", "-m", "not slow", "-k", " or ".join(names - {"dots.toml"}), *suites],
        cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(tmp_path)}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout
