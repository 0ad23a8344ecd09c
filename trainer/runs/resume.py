"""Begin or resume a run: set it up, choose its checkpoint, refuse a different run, list what has changed, and write
config.json."""

import contextlib
import dataclasses
import json
import platform
import re
import shlex
import subprocess
import sys
import time
import uuid
from pathlib import Path
from typing import Any

import numpy as np
import torch

from trainer import checkpoint
from trainer.checkpoint import Origin, State
from trainer.command_line import documented
from trainer.config import RunConfig, from_json, to_json
from trainer.contract.errors import UserError
from trainer.contract.files import replace_bytes
from trainer.contract.text import in_processes, printable
from trainer.data.batches import open_data
from trainer.data.batches.dataset import ImageDataset
from trainer.distributed import World, seed_step
from trainer.family import DataSpec, Family, Nets
from trainer.progress import Progress
from trainer.runs import store
from trainer.runs.record import known_run

LEAST_IMAGES = 4  # to train on: fewer are a mistake in --data, not a set
CLASSES_SHOWN = 8  # of the names, in messages
# Options that may differ when a run resumes without changing what it learns.
FREE_OPTIONS = frozenset(
    ("out", "steps", "minutes", "min_steps", "save_every", "save_minutes", "sample_every", "score_seconds", "log_every",
     "keep", "workers", "memory", "threads", "device", "processes", "force", "compile", "preset", "config")
)  # fmt: skip


def settled(config: RunConfig) -> Any:
    """The options with those that are left open ("auto") as the run in the folder has them, or as a new one does.
    Raises ``UserError``."""
    left = [name for name in config.AUTO if getattr(config, name) == "auto"]
    if not left:
        return config
    known = known_run(config.out)
    own = {**config.BEFORE, **known["config"]} if known else config.AUTO
    chosen: Any = {name: own[name] for name in left}
    return dataclasses.replace(config, **chosen)


def as_it_began(known: dict[str, Any], config: RunConfig) -> str:
    """What a run goes on with that began before there was a choice, and that a new one does otherwise; or an empty
    text."""
    kept = [
        f"--{name} {value} (a new run: {config.AUTO[name]})"
        for name, value in config.BEFORE.items()
        if name not in known["config"] and getattr(config, name) == value != config.AUTO.get(name, value)
    ]
    return ", ".join(kept)


def as_numbered(images: ImageDataset, out: Path) -> ImageDataset:
    """The images with their classes numbered as those of the run in the folder, where it has the same ones: the order
    of class folders was another one once, 10 before 2."""
    known = known_run(out)
    before = tuple(known["spec"].get("classes", ())) if known else ()
    if images.labels is None or before == images.classes or len(set(before)) < len(before):
        return images
    if sorted(before) != sorted(images.classes):
        return images
    numbers = np.array([before.index(name) for name in images.classes])
    return dataclasses.replace(images, labels=numbers[images.labels], classes=before)


def set_up(
    family_class: type[Family], config: Any, world: World, progress: Progress
) -> tuple[Family, ImageDataset, Nets]:
    """Make a family, open its data and build its networks, the same on every rank. Raises ``UserError``."""
    family = family_class(settled(config))
    config = family.config
    name = family_class.__name__
    if world.sharded and not family.shardable:
        raise UserError(f"{name} with these options cannot train with FSDP; use DDP (many_gpus.yaml)")
    usual = ": drawn cats, the default of --data" if config.data == RunConfig.data else ""
    with progress.doing(f"opening {config.data}{usual}", at_once=True):
        images = as_numbered(open_data(config, family.reading()), config.out)
    if family_class.needs_labels and not images.classes:
        raise UserError(f"{config.data}: holds no labels, {name} needs them (two class folders or more, say)")
    training = images.split(config.hold_out)[0]
    if len(training) < LEAST_IMAGES:
        few = f"{len(training)} of them to train on, expected {LEAST_IMAGES} or more"
        raise UserError(f"{config.data}: {len(images)} image(s), {few}")
    if family_class.needs_labels and images.labels is not None and len(np.unique(images.labels[training])) < 2:
        raise UserError(f"{config.data}: all images to train on are of one class, expected two or more")
    with progress.doing("building the networks"):
        store.load_base(family, config.out)
        seed_step(config.seed, -1, 0)  # the same weights on every rank
        try:
            nets = family.build(images.spec)
        except ValueError as error:
            raise UserError(f"{config.data}: {error}") from None
        family.begin(nets)
    return family, images, nets


def choose(family: Family, config: RunConfig, spec: DataSpec, data: dict[str, Any]) -> Path | None:
    """Choose the checkpoint to resume from, or ``None``; damaged ones are named and set aside. Raises ``UserError``
    where the folder holds another run, and ``OSError``."""
    known = known_run(config.out)
    path, complaints = checkpoint.newest_intact(config.out)
    if known is not None:
        saved = checkpoint.origin_of(path) if path is not None else Origin()
        check_same_run(known, saved, family, config, spec, data)
        if kept := as_it_began(known, config):
            print(f"{printable(config.out)}: goes on as it began, with {printable(kept)}")
    for complaint in complaints:
        print(f"warning: {printable(complaint)}", file=sys.stderr)
    if complaints and path is None:
        print(f"warning: {printable(config.out)}: no checkpoint is intact, training begins at step 0", file=sys.stderr)
    if known is not None and path is None and not complaints:
        print(f"{printable(config.out)}: ended before its first checkpoint, training begins at step 0")
    for newer in checkpoint.checkpoints(config.out)[::-1][: len(complaints)]:
        checkpoint.set_aside(newer)
    return path


def check_same_run(
    known: dict[str, Any], saved: Origin, family: Family, config: RunConfig, spec: DataSpec, data: dict[str, Any]
) -> None:
    """Raise ``UserError`` where a folder holds a different run, unless --force is set. ``known``: its config.json.
    ``saved``: origin of the checkpoint to resume from."""
    name = store.family_name(type(family))
    if known["family"] != name:
        raise UserError(f"{config.out}: holds a run of {known['family']}, expected {name}; choose another --out")
    before = {**to_json(type(config)()), **config.BEFORE, **(saved.config or known["config"])}
    if (known_spec := from_json(DataSpec, known["spec"])) != spec:
        was, found = differing(known_spec, spec)
        old = before.get("data", config.data)
        way = f"give --data {old}, which it began with, or choose" if old != config.data else "choose"
        raise UserError(f"{config.out}: was trained on {old}: {was}; found {config.data}: {found}; {way} another --out")
    changed = []
    if saved.run not in ("", known["run_id"]):
        ids = f"{saved.run[:8]}, config.json: {known['run_id'][:8]}"
        changed.append(f"its newest checkpoint is of another run ({ids})")
    changed += [
        f"--{key.replace('_', '-')} was {in_full(family, key, before[key])}, is {in_full(family, key, value)}"
        for key, value in to_json(config).items()
        if key not in FREE_OPTIONS and before.get(key, value) != value
    ]
    seen = saved.data or known.get("data", data)  # runs of older versions say nothing of it
    seen = {"images" if key == "pictures" else key: value for key, value in seen.items()}  # version 0.1: pictures
    if seen != data and before.get("data") == config.data:
        count = f": {seen['images']}, now {data['images']}" if seen["images"] != data["images"] else ""
        changed.append(f"{config.data} holds other images than before{count}")
    if changed and not config.force:
        preset = known["config"].get("preset", "")
        began = f"--preset {preset}, which it began with, " if preset != config.preset and preset else ""
        way = f"{began}another --out, or --force to go on with the new, if the networks keep their shapes"
        raise UserError(f"{config.out}: {'; '.join(changed)}; choose {way}")


def differing(before: DataSpec, now: DataSpec) -> tuple[str, str]:
    """What images of two kinds are, in words, as far as they differ."""
    parts = []
    if str(before) != str(now):
        parts.append((str(before), str(now)))
    if before.classes != now.classes:
        parts.append((classes_in_words(before.classes), classes_in_words(now.classes)))
    was, found = zip(*parts, strict=True)
    return ", ".join(was), ", ".join(found)


def classes_in_words(names: tuple[str, ...]) -> str:
    """How many classes there are, and the first ones."""
    few = ", ".join(names[:CLASSES_SHOWN]) + (", …" if len(names) > CLASSES_SHOWN else "")
    return f"{len(names)} class{'es' if len(names) > 1 else ''} ({few})" if names else "no classes"


def in_full(family: Family, name: str, value: Any) -> str:
    """The value of an option; beside a 0, what that stands for, as --help says: "0.0 (1e-3)"."""
    said = re.search(r"(?<![\w.])0:? ([^;.]+)", documented(type(family.config)).get(name, ""))
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return f"{value} ({said[1]})" if said and number and not value else str(value)


def in_words(start: State, before: Origin, now: Origin, config: RunConfig, world_size: int) -> str:
    """A line on what a run resumes from, and on changes that need no confirmation."""
    found = []
    if start.world_size != world_size:
        batch = config.batch_size * config.accumulate
        images = f"{batch * world_size} images a step instead of {batch * start.world_size}"
        found.append(f"on {in_processes(world_size)}, before {start.world_size}: {images}")
    if before.threads and now.threads and before.threads != now.threads:
        found.append(f"{now.threads} thread(s) each, before {before.threads}: sums may differ in their last bits")
    for name, version in before.versions.items():
        if now.versions.get(name, version) != version:
            found.append(f"{name} {now.versions[name]}, before {version}")
    note = f" ({'; '.join(found)})" if found else ""
    return f"resuming {config.out} at step {start.step}, {start.images_seen} images seen{note}"


def write_run(config: RunConfig, family: Family, spec: DataSpec, data: dict[str, Any], **resumed: Any) -> Origin:
    """Write config.json: what the run is, and each time that it began or ``resumed``: at which step, and on what.
    Raises ``OSError``."""
    known = known_run(config.out) or {"run_id": uuid.uuid4().hex}
    before = known.get("resumes", known.get("starts", []))  # version 0.1: starts
    threads = torch.get_num_threads() if resumed["device"] == "cpu" else 0
    time_now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    contents: dict[str, Any] = {
        "family": store.family_name(type(family)),
        "config": to_json(config),
        "spec": to_json(spec),
        "data": data,
        "run_id": known["run_id"],
        "commit": commit(),
        "versions": {"python": platform.python_version(), "torch": torch.__version__},
        "resumes": [*before, {**resumed, "threads": threads, "command": shlex.join(sys.argv), "time": time_now}],
    }
    replace_bytes(config.out / "config.json", json.dumps(contents, indent=1).encode())
    return from_json(Origin, {**contents, "run": contents["run_id"], "threads": threads})


def commit() -> str:
    """Git commit of this checkout, or an empty text."""
    command = ["git", "-C", str(Path(__file__).parent), "rev-parse", "HEAD"]
    with contextlib.suppress(OSError, subprocess.SubprocessError):
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=10).stdout.strip()
    return ""
