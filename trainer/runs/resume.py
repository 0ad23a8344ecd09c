"""How one start of a run finds its folder: what it may go on from, what has changed, and what config.json keeps."""

import contextlib
import dataclasses
import json
import platform
import shlex
import subprocess
import sys
import time
import uuid
from pathlib import Path
from typing import Any

import torch

from trainer import checkpoint
from trainer.checkpoint import Origin, State
from trainer.config import RunConfig, to_json
from trainer.contract.errors import UserError
from trainer.contract.files import replace_bytes
from trainer.contract.text import printable
from trainer.data.batches.dataset import ImageDataset
from trainer.data.sources import identity
from trainer.family import DataSpec, Family
from trainer.runs import store as runs

# Options that may change between starts of one run without changing what it learns.
FREE_OPTIONS = frozenset(
    ("out", "steps", "minutes", "save_every", "sample_every", "log_every", "keep", "workers", "memory", "threads",
     "device", "processes", "force", "compile")
)  # fmt: skip


def data_facts(config: RunConfig, dataset: ImageDataset) -> dict[str, Any]:
    """What tells whether a resumed run has the same data. Raises ``UserError``."""
    return {
        "images": len(dataset),
        "fingerprint": identity.fingerprint(dataset.sources, dataset.labels, config.out),
    }


def choose(family: Family, config: RunConfig, spec: DataSpec, data: dict[str, Any]) -> Path | None:
    """The checkpoint to go on from; damaged ones are named and set aside. Raises ``UserError`` where the folder holds
    another run, and ``OSError``."""
    known = runs.read_run(config.out) if (config.out / "config.json").exists() else None
    path, complaints = checkpoint.newest_intact(config.out)
    if known is not None:
        saved = checkpoint.origin_of(path) if path is not None else Origin()
        check_same_run(known, saved, family, config, spec, data)
    for complaint in complaints:
        print(f"warning: {printable(complaint)}", file=sys.stderr)
    checkpoint.set_aside_newer(config.out, path)
    return path


def check_same_run(
    known: dict[str, Any], saved: Origin, family: Family, config: RunConfig, spec: DataSpec, data: dict[str, Any]
) -> None:
    """Refuse to mix two different runs in one folder, unless told to. ``known``: its config.json. ``saved``: what made
    the checkpoint to go on from."""
    name = runs.family_name(type(family))
    if known["family"] != name:
        raise UserError(f"{config.out}: holds a run of {known['family']}, expected {name}; choose another --out")
    if {**spec_json(DataSpec(image_size=(0, 0), channels=0)), **known["spec"]} != spec_json(spec):
        raise UserError(f"{config.out}: was trained on {known['spec']}, found {spec_json(spec)}; choose another --out")
    before = saved.config or known["config"]
    changed = [
        f"--{key.replace('_', '-')} was {before[key]}, is {value}"
        for key, value in to_json(config).items()
        if key not in FREE_OPTIONS and before.get(key, value) != value
    ]
    seen = saved.data or known.get("data", data)  # runs of older versions say nothing of it
    seen = {"images" if key == "pictures" else key: value for key, value in seen.items()}  # version 0.1: pictures
    if seen != data and before.get("data") == config.data:
        count = f": {seen['images']}, now {data['images']}" if seen["images"] != data["images"] else ""
        changed.append(f"{config.data} holds other images than before{count}")
    if saved.run not in ("", known["run_id"]):
        changed.insert(
            0, f"its newest checkpoint is of another run ({saved.run[:8]}, config.json: {known['run_id'][:8]})"
        )
    if changed and not config.force:
        raise UserError(f"{config.out}: {'; '.join(changed)}; choose another --out, or --force to go on with the new")


def changes(start: State, before: Origin, now: Origin, config: RunConfig, world_size: int) -> list[str]:
    """What is not as it was, and was not asked about: ranks and versions."""
    found = []
    if start.world_size != world_size:
        batch = config.batch_size * config.accumulate
        found.append(
            f"on {world_size} rank(s), before {start.world_size}: {batch * world_size} images a step instead of "
            f"{batch * start.world_size}"
        )
    for name, version in before.versions.items():
        if now.versions.get(name, version) != version:
            found.append(f"{name} {now.versions[name]}, before {version}")
    return found


def spec_json(spec: DataSpec) -> dict[str, Any]:
    return json.loads(json.dumps(dataclasses.asdict(spec)))


def write_run(
    config: RunConfig,
    family: Family,
    spec: DataSpec,
    data: dict[str, Any],
    start: State,
    world_size: int,
    device: str,
) -> Origin:
    """config.json: what a run is, and every start of it. Raises ``OSError``."""
    file = config.out / "config.json"
    known = runs.read_run(config.out) if file.exists() else None
    starts = known.get("starts", []) if known else []
    facts: dict[str, Any] = {
        "family": runs.family_name(type(family)),
        "config": to_json(config),
        "spec": spec_json(spec),
        "data": data,
        "run_id": known["run_id"] if known else uuid.uuid4().hex,
        "commit": commit(),
        "versions": {"python": platform.python_version(), "torch": torch.__version__},
        "starts": [
            *starts,
            {
                "at_step": start.step,
                "world_size": world_size,
                "device": device,
                "command": shlex.join(sys.argv),
                "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
            },
        ],
    }
    replace_bytes(file, json.dumps(facts, indent=1).encode())
    return Origin(run=facts["run_id"], config=facts["config"], versions=facts["versions"], data=data)


def commit() -> str:
    """The commit of this program's checkout, or an empty text."""
    command = ["git", "-C", str(Path(__file__).parent), "rev-parse", "HEAD"]
    with contextlib.suppress(OSError, subprocess.SubprocessError):
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=10).stdout.strip()
    return ""
