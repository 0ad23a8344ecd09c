"""Every import rule of pyproject.toml notices an import that it forbids."""

import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PLANTS = {  # name of the rule: the module that gets the line, and the line
    "The card stands alone": ("export/card.py", "import numpy"),
    "The contract stands alone": ("trainer/contract/edges.py", "import trainer.config"),
    "The viewer knows the card, the contract and the data's sources, and never torch": (
        "viewer/frame/area.py",
        "import trainer.metrics",
    ),
    "Of the export, only export.foreign and export.player know the viewer": ("export/to_onnx.py", "import viewer.keys"),
    "Nothing knows the public API": ("viewer/render.py", "import utsuroi"),
    "The public API plays without torch": ("utsuroi/arrays.py", "import torch"),
    "The trainer knows neither the viewer nor the export": ("trainer/log.py", "import export.card"),
    "Only viewer.runtime opens onnxruntime": ("viewer/render.py", "import onnxruntime"),
    "The hub is asked by the contract and by the source of its sets": ("viewer/opening.py", "import huggingface_hub"),
    "Displays and render never import each other": ("viewer/displays/window.py", "import viewer.displays.terminal"),
    "Modes do not import each other": ("viewer/modes/hpf/__init__.py", "import viewer.modes.grid"),
    "What modes share knows no mode": ("viewer/sessions/session.py", "import viewer.modes.grid"),
    "Only trainer.distributed knows accelerate": ("trainer/loop.py", "import accelerate"),
    "Families import neither the loop nor what it stands on": ("trainer/families/vae.py", "import trainer.turns"),
    "Families do not import each other": ("trainer/families/gan.py", "import trainer.families.dcgan"),
    "What families share knows no family": ("trainer/loop.py", "import trainer.families.vae"),
    "Checkpoints are verified without torch": ("trainer/checkpoint.py", "import torch"),
    "Of the data, only batches know torch": ("trainer/data/sources/idx.py", "import torch"),
    "Data tools do not import each other": ("trainer/data/tools/split.py", "import trainer.data.tools.merge"),
    "Nothing of the data knows a tool": ("trainer/data/sources/folder.py", "import trainer.data.tools.merge"),
    "Sources do not import each other": ("trainer/data/sources/idx.py", "import trainer.data.sources.cifar"),
    "Sources do not know batches": ("trainer/data/sources/base.py", "import trainer.data.batches.order"),
    "There are no circles": ("trainer/config.py", "import trainer.loop"),
}


def test_each_rule_has_an_import_that_breaks_it() -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    assert [rule["name"] for rule in settings["tool"]["importlinter"]["contracts"]] == list(PLANTS)


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of what import-linter reads."""
    folder = tmp_path_factory.mktemp("copy")
    for name in ("utsuroi", "trainer", "viewer", "export"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", folder)
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("rule", PLANTS)
def test_a_rule_notices_an_import_that_it_forbids(rule: str, copy: Path) -> None:
    module, line = PLANTS[rule]
    path = copy / module
    code = path.read_text("utf-8")
    path.write_text(f"{code}\n{line}\n", "utf-8")
    try:
        command = [sys.executable, "-c", "from importlinter.cli import lint_imports_command as run; run()"]
        done = subprocess.run(command, cwd=copy, capture_output=True, text=True, check=False, timeout=300)
    finally:
        path.write_text(code, "utf-8")
    assert done.returncode == 1, done.stdout + done.stderr
    assert f"{rule} BROKEN" in " ".join(done.stdout.split()), done.stdout
