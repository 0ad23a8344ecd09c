"""Open what is compared: model files, and runs, which are exported first by a process of its own, since that needs
torch."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from trainer.contract.errors import UserError
from trainer.contract.packages import ROOT
from trainer.contract.recognise import recognise
from trainer.contract.run_folder import checkpoints, is_run, step_of
from trainer.contract.text import printable
from viewer.description import an
from viewer.graph.properties import read_card
from viewer.graph.reading import Reading
from viewer.model import Model, open_model

MOST_MODELS: Final = 4
KINDS: Final = ("generator", "translator", "denoiser")


@dataclass(frozen=True)
class Source:
    """A model file, or a checkpoint of a run."""

    path: Path
    weights: str = ""  # of a run: best, last, or a step; "": a model file


def sources_of(words: Sequence[Path], weights: Sequence[str] = ()) -> list[Source]:
    """What is compared, in order. Raises ``UserError`` where that is not two to four models."""
    found: list[Source] = []
    runs = [path for path in words if is_run(path)]
    for path in words:
        if path not in runs and not path.is_file():  # before runs are exported, which takes a while
            raise UserError(f"{path}: {_what(path)}, expected an ONNX model or the folder of a run")
    for path in words:
        if path not in runs:
            found.append(Source(path))
        elif weights:
            found += [Source(path, one) for one in weights]
        elif len(words) > 1:
            found.append(Source(path, "best"))
        else:
            found += [Source(path, one) for one in checkpoints_of(path)]
    if weights and not runs:
        raise UserError(f"--weights is {' '.join(weights)}, expected none without a run: {words[0]} is a file")
    if 2 <= len(found) <= MOST_MODELS:
        return found
    if len(words) == 1 and not runs:
        raise UserError(f"{words[0]}: one model, expected two to four, or a run, whose checkpoints are compared")
    if len(words) == 1 and len(found) == 1:
        raise UserError(
            f"{words[0]}: has one checkpoint ({found[0].weights}), expected two; trainings keep more with --keep"
        )
    raise UserError(f"found {len(found)} models to compare, expected two to four")


def _what(path: Path) -> str:
    """What is in the place of a model, in words."""
    try:
        found = recognise(path)
    except OSError as error:
        return (error.strerror or str(error)).lower()
    return "an unknown kind of file" if found is None else found.what


def checkpoints_of(run: Path) -> list[str]:
    """Up to four checkpoints of a run by their steps, evenly over those that are kept, with the first and the last.
    Raises ``UserError`` where there is none."""
    steps: list[int] = []
    with suppress(OSError):
        steps = [step_of(path) for path in checkpoints(run)]
    if not steps:
        raise UserError(f"{run}: a run without checkpoints, expected two at least")
    count = min(len(steps), MOST_MODELS)
    return [str(steps[number * (len(steps) - 1) // max(count - 1, 1)]) for number in range(count)]


@contextmanager
def exported(sources: Sequence[Source]) -> Iterator[list[Path]]:
    """The model files, those of runs in a folder that is there as long as this is entered. Raises ``UserError``."""
    runs = [source for source in sources if source.weights]
    if not runs:
        yield [source.path for source in sources]
        return
    with tempfile.TemporaryDirectory(prefix="utsuroi-compare-") as folder:
        targets = {source: Path(folder, f"{name}.onnx") for source, name in zip(runs, _names(runs), strict=True)}
        names = ", ".join(path.stem for path in targets.values())
        print(f"exporting {printable(names, 200)} ...", file=sys.stderr, flush=True)
        with ThreadPoolExecutor(min(len(runs), os.cpu_count() or 1)) as threads:
            for line in threads.map(lambda source: _export(source, targets[source]), runs):
                if line:
                    raise UserError(line)
        yield [targets.get(source, source.path) for source in sources]


def _names(runs: Sequence[Source]) -> list[str]:
    """What the files of these are called: the run, and which of its checkpoints."""
    names = [f"{source.path.resolve().name}-{source.weights}" for source in runs]
    return [f"{name}-{number}" if names.count(name) > 1 else name for number, name in enumerate(names, 1)]


def _export(source: Source, target: Path) -> str:
    """Export a checkpoint; what went wrong, in a line, or nothing."""
    words = ["-m", "export", str(source.path.resolve()), "-o", str(target), "--weights", source.weights]
    inherited = [path for path in [os.environ.get("PYTHONPATH", "")] if path]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT), *inherited])}
    done = subprocess.run(
        [sys.executable, *words, "--name", target.stem], cwd=target.parent, env=environment, stdin=subprocess.DEVNULL,
        capture_output=True, text=True, errors="replace", check=False,
    )  # fmt: skip
    if done.returncode == 0 and target.is_file():
        return ""
    lines = [line for line in done.stderr.splitlines() if line.strip()] or [f"exit code {done.returncode}"]
    errors = [line for line in lines if line.startswith("error: ")]
    return f"{source.path}: cannot be exported: {(errors or lines)[-1].removeprefix('error: ')}"


def open_all(paths: Sequence[Path], threads: int, many_sizes: bool, reading: Reading) -> list[Model]:
    """The models, all of one kind. ``many_sizes``: images of many sizes will go through them. ``reading``: of those
    without a card. Raises ``UserError``."""
    models: list[Model] = []
    foreign = [path for path in paths if read_card(path) is None] if reading.kept else []
    for path in paths:
        said = reading if path in (foreign or paths) else Reading()
        model = open_model(path, threads=threads, many_sizes=many_sizes, reading=said)
        if model.kind not in KINDS:
            raise model.error(f"found {model.what}, expected {', '.join(map(an, KINDS))} to compare")
        if models and model.kind != models[0].kind:
            raise model.error(
                f"found {model.what}, expected {an(models[0].kind)} as {models[0].path} is: models of one kind"
            )
        models.append(model)
    return models


def names_of(models: Sequence[Model]) -> list[str]:
    """What models are called, each otherwise: as their cards say, else as their files, else as these with folders."""
    files = len({model.path.resolve() for model in models})
    for names in (
        [model.name for model in models],
        [model.path.stem for model in models],
        ["/".join(model.path.resolve().with_suffix("").parts[-2:]) for model in models],
    ):
        if len(set(names)) == files:
            break
    return [printable(name, 60) for name in names]
