"""Checkpoints that survive anything: written whole or not at all, hashed, and chosen only when intact.

A checkpoint is a folder ``checkpoints/step_00001000``: written under a temporary name, every file synced to disk,
``manifest.json`` with their SHA-256 last, then renamed. A kill at any moment leaves the older ones untouched.
"""

import contextlib
import dataclasses
import hashlib
import importlib
import io
import json
import os
import re
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import torch
from safetensors.torch import load_file
from safetensors.torch import save as dump
from torch import Tensor

from trainer import config as configuration
from trainer.config import UserError
from trainer.family import DataSpec, Family, Foundation, Nets
from trainer.files import replace_bytes, sync, sync_folder

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl

FOLDER = "checkpoints"
FOUNDATION = "foundation"  # a copy of the run that this one stands on
MANIFEST = "manifest.json"
NETS, AVERAGED, OPTIMIZERS, STATE = "nets.safetensors", "averaged.safetensors", "optimizers.pt", "state.json"
NAME = re.compile(r"step_(\d{8,})")
TEMPORARY = ".tmp-"


@dataclass(frozen=True, kw_only=True)
class State:
    """Where a run is, beside its tensors."""

    step: int
    images_seen: int  # over all ranks; also the position in the stream of batches
    seconds: float  # of training so far
    world_size: int
    score: float | None = None  # held-out figure that "best" goes by; lower is better
    metrics: Mapping[str, float] = dataclasses.field(default_factory=dict)
    facts: Mapping[str, Any] = dataclasses.field(default_factory=dict)  # what Family.describe gave


@dataclass(frozen=True, kw_only=True)
class Restored:
    """A run's networks as they are exported and evaluated."""

    family: Family
    nets: Nets  # averaged weights, eval mode, on the CPU
    spec: DataSpec
    run: dict[str, Any]  # the run's config.json
    state: State


def name_of(step: int) -> str:
    return f"step_{step:08d}"


def save(run: Path, state: State, nets: Nets, averaged: Nets, optimizers: Mapping[str, Any]) -> Path:
    """Write one checkpoint. Raises ``OSError`` (a full disk, say) and then leaves nothing behind."""
    folder = run / FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    final = folder / name_of(state.step)
    if final.exists():
        if not damage(final):
            return final  # the same step of a deterministic run
        discard(final)
    temporary = folder / f"{TEMPORARY}{name_of(state.step)}-{os.getpid()}"
    optimizer_bytes = io.BytesIO()
    torch.save(dict(optimizers), optimizer_bytes)
    contents = {  # made in memory first: libraries wrap a full disk in errors of their own
        NETS: dump(flatten(nets)),
        AVERAGED: dump(flatten(averaged)),
        OPTIMIZERS: optimizer_bytes.getvalue(),
        STATE: json.dumps(dataclasses.asdict(state)).encode(),
    }
    manifest = {
        name: {"sha256": hashlib.sha256(data).hexdigest(), "bytes": len(data)} for name, data in contents.items()
    }
    try:
        temporary.mkdir()
        for name, data in {**contents, MANIFEST: json.dumps(manifest, indent=1).encode()}.items():
            with (temporary / name).open("wb") as file:
                file.write(data)
                sync(file)
        sync_folder(temporary)
        temporary.rename(final)
        sync_folder(folder)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise
    return final


def lock(run: Path) -> BinaryIO:
    """Keep other processes from training in the same folder until the file returned is closed, or this process dies.

    Makes the folder. Raises ``UserError``.
    """
    try:
        run.mkdir(parents=True, exist_ok=True)
        file = (run / "lock").open("ab")
    except OSError as error:
        raise UserError(f"{run}: cannot be written to: {error.strerror}") from None
    try:
        if sys.platform == "win32":
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        else:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        raise UserError(f"{run}: another process is training there; wait for it, or choose another --out") from None
    return file


def prune(run: Path, keep: int) -> None:
    """Remove all but the newest ``keep`` checkpoints and the best one, and what kills have left half-written."""
    folder = run / FOLDER
    for path in folder.glob(f"{TEMPORARY}*"):
        shutil.rmtree(path, ignore_errors=True)
    found = checkpoints(run)
    best = best_of(found)
    for path in found[: -keep or None]:
        if path != best:
            discard(path)


def discard(path: Path) -> None:
    """Remove a checkpoint so that a kill in between leaves no half of it under its name."""
    doomed = path.with_name(f"{TEMPORARY}old-{path.name}")
    shutil.rmtree(doomed, ignore_errors=True)
    path.rename(doomed)
    shutil.rmtree(doomed, ignore_errors=True)


def sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def flatten(nets: Nets) -> dict[str, Tensor]:
    return {
        f"{name}/{key}": value.detach().cpu().contiguous().clone()
        for name, net in nets.items()
        for key, value in net.state_dict().items()
    }


def checkpoints(run: Path) -> list[Path]:
    """All checkpoints of a run by step, oldest first, intact or not."""
    folder = run / FOLDER
    if not folder.is_dir():
        return []
    return sorted((path for path in folder.iterdir() if NAME.fullmatch(path.name)), key=step_of)


def step_of(path: Path) -> int:
    match = NAME.fullmatch(path.name)
    return int(match[1]) if match else -1


def damage(path: Path) -> str:
    """What is wrong with a checkpoint, or an empty text."""
    try:
        manifest = json.loads((path / MANIFEST).read_bytes())
        for name in (NETS, AVERAGED, OPTIMIZERS, STATE):
            file = path / name
            if file.stat().st_size != manifest[name]["bytes"]:
                return f"{name} holds {file.stat().st_size} bytes, expected {manifest[name]['bytes']}"
            if sha256(file) != manifest[name]["sha256"]:
                return f"{name} does not match its SHA-256"
    except FileNotFoundError as error:
        return f"{Path(str(error.filename)).name} is missing"
    except (OSError, ValueError, KeyError, TypeError) as error:
        return f"{MANIFEST} cannot be used: {error}"
    return ""


def newest_intact(run: Path) -> tuple[Path | None, list[str]]:
    """The newest checkpoint that is whole, and a line on each newer one that is not."""
    complaints: list[str] = []
    for path in reversed(checkpoints(run)):
        fault = damage(path)
        if not fault:
            return path, complaints
        complaints.append(f"{path}: skipped: {fault}")
    return None, complaints


def best_of(paths: list[Path]) -> Path | None:
    """The checkpoint with the lowest held-out score; without scores, the newest."""
    scores = {path: score for path in paths if (score := score_of(path)) is not None}
    return min(scores, key=lambda path: scores[path]) if scores else (paths[-1] if paths else None)


def score_of(path: Path) -> float | None:
    with contextlib.suppress(OSError, ValueError, TypeError, KeyError):
        score = json.loads((path / STATE).read_bytes())["score"]
        return None if score is None else float(score)
    return None


def read_state(path: Path) -> State:
    values = json.loads((path / STATE).read_bytes())
    names = {item.name for item in dataclasses.fields(State)}
    return State(**{key: value for key, value in values.items() if key in names})


def load(path: Path, nets: Nets, averaged: Nets, optimizers: Mapping[str, Any]) -> State:
    """Put an intact checkpoint back. Raises ``UserError`` where it does not fit the networks."""
    load_nets(path / NETS, nets)
    load_nets(path / AVERAGED, averaged)
    states = torch.load(path / OPTIMIZERS, map_location="cpu", weights_only=True)
    for name, optimizer in optimizers.items():
        if name in states:  # otherwise its network joins the run now
            optimizer.load_state_dict(states[name])
    return read_state(path)


def load_nets(file: Path, nets: Nets) -> None:
    """Raises ``UserError`` where they do not fit. A network of which the file holds nothing is left as it was built: it
    belongs to a stage that the run had not been asked for yet."""
    tensors = load_file(file)
    known = nets.keys() & {key.partition("/")[0] for key in tensors}
    for name, net in nets.items():
        prefix = f"{name}/"
        own = {key.removeprefix(prefix): value for key, value in tensors.items() if key.startswith(prefix)}
        if not own and known:
            continue
        try:
            net.load_state_dict(own)
        except RuntimeError as error:
            reason = " ".join(str(error).split())[:300]
            raise UserError(f"{file}: does not fit the network {name!r}: {reason}") from None


def restore(run: Path, weights: str = "best") -> Restored:
    """Rebuild a run's networks. ``weights``: best, last, or a step. Raises ``UserError``."""
    facts = read_run(run)
    found = [path for path in checkpoints(run) if not damage(path)]
    if not found:
        raise UserError(f"{run}: no intact checkpoint in {run / FOLDER}")
    if weights in ("best", "last"):
        path = best_of(found) if weights == "best" else found[-1]
    else:
        path = run / FOLDER / name_of(int(weights)) if weights.isdecimal() and len(weights) < 16 else None
        if path not in found:
            steps = ", ".join(str(step_of(item)) for item in found)
            raise UserError(f"{run}: --weights is {weights}, expected best, last or one of the steps {steps}")
    assert path is not None
    family_type = family_class(facts["family"], run)
    family = family_type(configuration.from_json(family_type.Config, facts["config"]))
    lay_foundation(family, run)
    spec = DataSpec(**{**facts["spec"], **{key: tuple(facts["spec"][key]) for key in ("image_size", "classes")}})
    nets = family.build(spec)
    load_nets(path / AVERAGED, nets)
    for net in nets.values():
        net.eval().requires_grad_(False)
    return Restored(family=family, nets=nets, spec=spec, run=facts, state=read_state(path))


def lay_foundation(family: Family, run: Path) -> None:
    """Give a family the networks that it stands on: those that its run keeps a copy of, at its first start those of the
    other run itself. Raises ``UserError``."""
    source = family.foundation()
    if source is None:
        return
    kept = run / FOUNDATION
    found = restore(kept if (kept / "config.json").is_file() else source)
    files = {item.kind: item for item in found.family.exports(found.nets, found.state.facts)}
    family.stand_on(Foundation(run=found.run["run_id"], spec=found.spec, files=files))


def keep_foundation(family: Family, run: Path) -> None:
    """Copy what a family stands on into its run, as a run of one checkpoint, unless there is a copy. Raises
    ``UserError``."""
    source, kept = family.foundation(), run / FOUNDATION
    if source is None or (kept / "config.json").is_file():
        return
    found = restore(source)
    try:
        save(kept, found.state, found.nets, found.nets, {})
        replace_bytes(kept / "config.json", json.dumps(found.run, indent=1).encode())  # last: the copy is whole
    except OSError as error:
        raise UserError(f"{kept}: cannot be written: {error.strerror or error}") from None


def read_run(run: Path) -> dict[str, Any]:
    """A run's config.json. Raises ``UserError``."""
    file = run / "config.json"
    try:
        facts = json.loads(file.read_bytes())
    except OSError as error:
        raise UserError(f"{run}: not a run: {file.name}: {error.strerror}") from None
    except ValueError as error:
        raise UserError(f"{file}: not JSON: {error}") from None
    if not isinstance(facts, dict) or not {"family", "config", "spec", "run_id"} <= facts.keys():
        raise UserError(f"{file}: expected family, config, spec and run_id")
    return facts


def family_class(name: str, run: Path) -> type[Family]:
    """``trainer.families.vae:VAE`` → the class. Raises ``UserError``; nothing outside the families is imported."""
    match = re.fullmatch(r"(trainer\.families\.[a-z0-9_]+):([A-Za-z0-9_]+)", name)
    if match:
        with contextlib.suppress(ImportError, AttributeError):
            found = getattr(importlib.import_module(match[1]), match[2])
            if isinstance(found, type) and issubclass(found, Family):
                return found
    raise UserError(f"{run / 'config.json'}: family is {name!r}, expected a class in trainer.families")


def family_name(family: type[Family]) -> str:
    """The inverse of ``family_class``."""
    return f"{family.__module__}:{family.__name__}"
