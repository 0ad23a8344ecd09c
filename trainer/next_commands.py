"""What a training has left, and the commands that go on from there, as they are typed where it was called."""

import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from itertools import count
from pathlib import Path

from trainer import checkpoint
from trainer.config import RunConfig
from trainer.exit_status import STOPPED
from trainer.family import Family
from trainer.launcher import find_launcher

ON_CPU = "ACCELERATE_USE_CPU"


def ending(
    family: Family, config: RunConfig, program: str | None, arguments: Sequence[str] | None, code: int
) -> list[str]:
    """Lines to print once a run has finished or stopped. ``program``, ``arguments``: as ``trainer.loop.main`` has them,
    ``None`` where they are those of this process."""
    command = own_command(program, arguments)
    if code == STOPPED:
        return ["to go on:", f"  {joined(command)}"]
    tools = program.partition(" train ")[0] if program else ""
    lines = [what_was_written(config.out), "next:"]
    lines += [f"  {line}" for line in export_and_view(family, config.out, tools)]
    return [*lines, f"  {joined(longer(command, config))}", "(the last one trains on, twice as long in all)"]


def what_was_written(run: Path) -> str:
    parts = []
    best = checkpoint.best_of(checkpoint.checkpoints(run))
    if best is not None:
        score = checkpoint.score_of(best)
        parts += [f"{checkpoint.FOLDER}/{best.name}"] + ([f"the best, score {score:.4g}"] if score is not None else [])
    sheets = len(list((run / "samples").glob("*.png")))
    parts += [f"{sheets} sheet(s) in samples/"] if sheets else []
    parts += [name for name in ("log.jsonl", "tensorboard/") if (run / name).exists()]
    return f"in {run}: {', '.join(parts)}"


def export_and_view(family: Family, run: Path, tools: str) -> Iterator[str]:
    """``tools``: what a command of the package begins with, where it is not ``python -m``."""
    export, view = (f"{tools} export", f"{tools} view") if tools else (f"{python()} -m export", f"{python()} -m viewer")
    sheets = sorted((run / "samples").glob("*.png"))
    names = {"file": file_of(run), "image": shlex.quote(str(sheets[-1])) if sheets else "photo.png"}
    names["base"] = "GENERATOR.onnx"  # of any other run
    base = family.base_run()
    if base is not None:
        names["base"] = file_of(base)
        yield f"{export} {shlex.quote(str(base))} -o {names['base']}"
    yield f"{export} {shlex.quote(str(run))} -o {names['file']}"
    yield f"{view} {family.view.format(**names)}"


def file_of(run: Path) -> str:
    """A name for the file that a run is exported to, which is not there yet."""
    stem = run.resolve().name
    names = (f"{stem}-{number}.onnx" if number > 1 else f"{stem}.onnx" for number in count(1))
    return shlex.quote(next(name for name in names if not Path(name).exists()))


def own_command(program: str | None, arguments: Sequence[str] | None) -> list[str]:
    """The command that started this run, launcher included."""
    if program is not None:
        return [*program.split(), *(sys.argv[1:] if arguments is None else arguments)]
    launcher = find_launcher()
    if launcher is None:
        return [python(), *sys.argv]
    words, setting = [*(launcher.supervisor or launcher.command)], launcher.environment.get(ON_CPU, "")
    script = words[1] if len(words) > 1 and not words[1].startswith("-") else ""
    on_path = shutil.which(Path(script).name) if script else None
    installed = on_path is not None and Path(on_path).samefile(script)  # its interpreter comes before it
    words = [Path(script).name, *words[2:]] if installed else [python(), *words[1:]]
    return [*([f"{ON_CPU}={setting}"] if setting else []), *words]


def longer(command: Sequence[str], config: RunConfig) -> list[str]:
    """The same command for twice as long a run."""
    last = checkpoint.checkpoints(config.out)
    timed = config.minutes > 0 and not (last and checkpoint.step_of(last[-1]) >= config.steps)
    flag, value = ("--minutes", f"{2 * config.minutes:g}") if timed else ("--steps", str(2 * config.steps))
    words = [word for word in command if not word.startswith(f"{flag}=")]
    if flag in words:
        del words[words.index(flag) : words.index(flag) + 2]
    return [*words, flag, value]


def joined(words: Sequence[str]) -> str:
    """Words as they are typed."""
    return subprocess.list2cmdline(words) if os.name == "nt" else shlex.join(words)


def python() -> str:
    """The interpreter, by its name where that is on the path."""
    for name in ("python", "python3"):
        found = shutil.which(name)
        if found and Path(found).samefile(sys.executable):
            return name
    return sys.executable
