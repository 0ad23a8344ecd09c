"""Checkpoints: written whole or not at all, hashed, resumed from only where intact, and removed when old.

A checkpoint is a folder ``checkpoints/step_00001000``: written under a temporary name, every file synced to disk, with
a manifest of their sizes and SHA-256, then renamed. A kill at any moment leaves the older ones untouched. What is in
the files is the concern of ``trainer.runs.store``; nothing here needs torch. Its score comes later, in a file of its
own: saving does not wait for it.

    python -m trainer.checkpoint verify runs/cats
"""

import argparse
import contextlib
import dataclasses
import hashlib
import json
import math
import os
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from trainer.config import from_json
from trainer.contract.files import replace_bytes, sync, sync_folder
from trainer.contract.run_folder import CHECKPOINTS as FOLDER
from trainer.contract.run_folder import CONFIG, DAMAGED, LOCK, checkpoints, step_of
from trainer.contract.text import in_processes, printable
from trainer.failures import TrainingFailure

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl

BASE_RUN, OLD_BASE_RUN = "base_run", "foundation"  # folder of a run: a copy of the run it builds on; in version 0.1
MANIFEST = "manifest.json"
NETS, AVERAGED, OPTIMIZERS, STATE = "nets.safetensors", "averaged.safetensors", "optimizers.pt", "state.json"
FILES = (NETS, AVERAGED, OPTIMIZERS, STATE)
SCORE = "score.json"  # beside them once the checkpoint has been scored
TEMPORARY = ".tmp-"
SEAL = "sha256"  # of the manifest without it


@dataclass(frozen=True, kw_only=True)
class State:
    """State of a run besides its tensors."""

    step: int
    images_seen: int  # over all ranks; also the position in the stream of batches
    seconds: float  # of training so far
    world_size: int
    score: float | None = None  # held-out metric that decides which checkpoint is best; lower is better
    metrics: Mapping[str, float] = dataclasses.field(default_factory=dict)
    scored_by: str = ""  # ``Family.scored_by``: what the score means
    scored_images: int = 0  # held-out images that they are the means of; 0: all
    score_seconds: float = 0.0  # the option of that name that they were scored with
    description: Mapping[str, Any] = dataclasses.field(default_factory=dict)  # what Family.describe returned


@dataclass(frozen=True, kw_only=True)
class Origin:
    """What a checkpoint was made by. Empty for checkpoints that do not say."""

    run: str = ""  # its id
    config: Mapping[str, Any] = dataclasses.field(default_factory=dict)  # the options, as config.json has them
    versions: Mapping[str, str] = dataclasses.field(default_factory=dict)
    data: Mapping[str, Any] = dataclasses.field(default_factory=dict)  # number and fingerprint of the images
    threads: int = 0  # of each rank on a CPU: sums depend on it in their last bits; 0: not said


def write(run: Path, state: State, contents: Mapping[str, bytes], origin: Origin) -> Path:
    """Write one checkpoint: ``contents`` by file name, beside the state. Raises ``OSError`` (a full disk, say) and then
    leaves nothing behind."""
    folder = run / FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    final = folder / f"step_{state.step:08d}"
    if final.exists():
        if not damage(final):
            return final  # the same step of a deterministic run
        set_aside(final)
    temporary = folder / f"{TEMPORARY}{final.name}-{os.getpid()}"
    files = {**contents, STATE: json.dumps(dataclasses.asdict(state)).encode()}
    manifest = {
        "step": state.step,
        "world_size": state.world_size,
        **dataclasses.asdict(origin),
        "config_sha256": hashlib.sha256(json.dumps(dict(origin.config), sort_keys=True).encode()).hexdigest(),
        "files": {
            name: {"sha256": hashlib.sha256(data).hexdigest(), "bytes": len(data)} for name, data in files.items()
        },
    }
    try:
        temporary.mkdir()
        for name, data in {**files, MANIFEST: sealed(manifest)}.items():
            with (temporary / name).open("wb") as file:
                file.write(data)
                sync(file)
        sync_folder(temporary)
        temporary.rename(final)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise
    with contextlib.suppress(OSError):  # it is there and whole
        sync_folder(folder)
    return final


def sealed(manifest: Mapping[str, Any]) -> bytes:
    """The bytes of a table with their own hash, so that no bit of them can change unseen either."""
    text = json.dumps({key: value for key, value in manifest.items() if key != SEAL}, indent=1)
    return json.dumps({**json.loads(text), SEAL: hashlib.sha256(text.encode()).hexdigest()}, indent=1).encode()


def unsealed(data: bytes) -> dict[str, Any]:
    """The inverse of ``sealed``. Raises ``ValueError`` for other bytes."""
    values = json.loads(data)
    if not isinstance(values, dict) or sealed(values) != data:
        raise ValueError("does not match its SHA-256")
    return {key: value for key, value in values.items() if key != SEAL}


def write_score(path: Path, **values: Any) -> None:
    """Write what a checkpoint scored: fields of ``State``. Raises ``OSError``."""
    replace_bytes(path / SCORE, sealed(values))


def read_score(path: Path) -> dict[str, Any]:
    """What ``write_score`` wrote; empty where it has not. Raises ``OSError``, and ``ValueError`` for other bytes."""
    try:
        return unsealed((path / SCORE).read_bytes())
    except FileNotFoundError:
        return {}


def read_manifest(path: Path) -> dict[str, Any]:
    """The manifest of a checkpoint. Raises ``OSError``, and ``ValueError`` where it is not as it was written. That of a
    checkpoint made before manifests had a seal is its files alone."""
    data = (path / MANIFEST).read_bytes()
    files = json.loads(data)
    return {"files": files} if isinstance(files, dict) and files.keys() == {*FILES} else unsealed(data)


def origin_of(path: Path) -> Origin:
    """Read what an intact checkpoint was made by."""
    return from_json(Origin, read_manifest(path))


def lock(run: Path) -> BinaryIO:
    """Keep other processes from training in the same folder until the file returned is closed, or this process dies.

    Makes the folder. On file systems without locks, prints a warning. Raises ``OSError``, and ``TrainingFailure`` where
    another process has it: a later attempt may succeed.
    """
    run.mkdir(parents=True, exist_ok=True)
    file = (run / LOCK).open("ab")
    try:
        if sys.platform == "win32":
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        else:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.register_at_fork(after_in_child=file.close)  # loaders that outlive a kill must not keep the lock
    except (BlockingIOError, PermissionError):  # the latter on Windows
        file.close()
        way = "wait for it, or choose another --out"
        raise TrainingFailure(f"{run}: another process is training there; {way}") from None
    except OSError as error:
        reason = f"{run}: cannot be locked ({error.strerror or error})"
        print(f"warning: {printable(reason)}: make sure that no other process trains there", file=sys.stderr)
    return file


def prune(run: Path, keep: int) -> None:
    """Remove all but the newest ``keep`` checkpoints and the best one, and partial ones left by kills. Raises
    ``OSError``."""
    folder = run / FOLDER
    for path in folder.glob(f"{TEMPORARY}*"):
        shutil.rmtree(path, ignore_errors=True)
    found = checkpoints(run)
    best = best_of(found)
    for path in found[: -keep or None]:
        if path != best:  # renamed first: a kill leaves no part of it under its name
            shutil.rmtree(rename(path, f"{TEMPORARY}old-{path.name}"), ignore_errors=True)


def set_aside(path: Path) -> None:
    """Rename a damaged checkpoint, so that it does not count as one of those to keep. Raises ``OSError``."""
    rename(path, f"{DAMAGED}{path.name.removeprefix('step_')}")


def rename(path: Path, name: str) -> Path:
    """Rename a checkpoint, in the place of what has that name. Raises ``OSError``."""
    shutil.rmtree(path.with_name(name), ignore_errors=True)
    return path.rename(path.with_name(name))


def sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def damage(path: Path) -> str:
    """Verify a checkpoint: what is wrong with it, or an empty text."""
    try:
        manifest = read_manifest(path)
        for name in FILES:
            file, known = path / name, manifest["files"][name]
            if file.stat().st_size != known["bytes"]:
                return f"{name} holds {file.stat().st_size} bytes, expected {known['bytes']}"
            if sha256(file) != known["sha256"]:
                return f"{name} does not match its SHA-256"
        if manifest.get("step", step_of(path)) != step_of(path):
            return f"{MANIFEST} is of step {manifest['step']}"
    except FileNotFoundError as error:
        return f"{Path(str(error.filename)).name} is missing"
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        return f"{MANIFEST} cannot be used: {' '.join(str(error).split())[:200]}"
    try:
        read_score(path)
    except (OSError, ValueError, RecursionError):
        return f"{SCORE} does not match its SHA-256"
    return ""


def newest_intact(run: Path) -> tuple[Path | None, list[str]]:
    """Newest intact checkpoint, and a line on each newer one that is damaged."""
    complaints: list[str] = []
    for path in reversed(checkpoints(run)):
        problem = damage(path)
        if not problem:
            return path, complaints
        complaints.append(f"{path}: skipped: {problem}")
    return None, complaints


def base_of(run: Path) -> Path:
    """Folder of a run for the copy of the base run that its family uses."""
    return run / (OLD_BASE_RUN if (run / OLD_BASE_RUN / CONFIG).is_file() else BASE_RUN)


def best_of(paths: list[Path]) -> Path | None:
    """Checkpoint with the lowest held-out score, of those scored by the same and on as many images as the newest; the
    newest where none has a finite score."""
    scores = {path: found for path in paths if (found := finite_score(path))}
    if not scores:
        return paths[-1] if paths else None
    how = {path: (found.get("scored_by", ""), found.get("scored_images", 0)) for path, found in scores.items()}
    newest = max(scores, key=step_of)
    alike = [path for path in scores if how[path] == how[newest]]
    return min(alike, key=lambda path: scores[path]["score"])


def score_of(path: Path) -> float | None:
    """The score of a checkpoint, where it is a finite number."""
    return finite_score(path).get("score")


def finite_score(path: Path) -> dict[str, Any]:
    """What is known of the score of a checkpoint; empty where it is no finite number."""
    with contextlib.suppress(OSError, ValueError, TypeError, KeyError):
        values: dict[str, Any] = read_score(path) or json.loads((path / STATE).read_bytes())
        return values if math.isfinite(values["score"]) else {}
    return {}


def read_state(path: Path) -> State:
    values = {**json.loads((path / STATE).read_bytes()), **read_score(path)}
    values.setdefault("description", values.get("facts", {}))  # its key in version 0.1
    return from_json(State, values)


def described(path: Path) -> str:
    """One line about an intact checkpoint."""
    manifest, state = read_manifest(path), read_state(path)
    size = sum(item["bytes"] for item in manifest["files"].values())
    versions = ", ".join(f"{name} {version}" for name, version in manifest.get("versions", {}).items())
    parts = [f"{size / 1e6:.1f} MB", f"{state.images_seen} images seen", in_processes(state.world_size)]
    parts += [f"score {state.score:.5g}"] if state.score is not None else []
    parts += [f"of {state.scored_images} images"] if state.scored_images else []
    parts += [versions] if versions else []
    parts += [f"options {manifest['config_sha256'][:8]}"] if "config_sha256" in manifest else []
    return ", ".join(parts)


def verify(run: Path) -> int:
    """Print a line on each checkpoint of a run, damaged ones and the base run's included. Returns the exit code."""
    code = 0
    found = checkpoints(run) + checkpoints(base_of(run))
    for path in found:
        problem = damage(path)
        code = 2 if problem else code
        print(printable(f"{path}: damaged: {problem}" if problem else f"{path}: intact: {described(path)}"))
    for path in sorted((run / FOLDER).glob(f"{DAMAGED}*")):
        print(f"{printable(path)}: was set aside as damaged; may be removed")
    if not found:
        print(f"error: {printable(run)}: no checkpoint in {FOLDER}", file=sys.stderr)
    return code if found else 2


def main(arguments: list[str] | None = None) -> int:
    about = "Check every file of every checkpoint against its SHA-256; exit code 2 where one is damaged."
    parser = argparse.ArgumentParser(prog="python -m trainer.checkpoint", description=about)
    parser.add_argument("command", choices=("verify",))
    parser.add_argument("run", type=Path, help="folder of the run")
    return verify(parser.parse_args(arguments).run)


if __name__ == "__main__":
    sys.exit(main())
