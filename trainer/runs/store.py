"""Save the networks of a run, load them, and rebuild them from the folder of the run alone."""

import contextlib
import io
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from pkgutil import resolve_name
from typing import Any

import torch
from safetensors.torch import load as parse
from safetensors.torch import save as dump
from torch import Tensor

from trainer import checkpoint
from trainer.checkpoint import AVERAGED, NETS, OPTIMIZERS, Origin, State
from trainer.config import from_json
from trainer.contract.errors import UserError
from trainer.contract.files import replace_bytes
from trainer.family import BaseRun, DataSpec, Family, Nets
from trainer.runs.record import read_run


@dataclass(frozen=True, kw_only=True)
class Restored:
    """Networks of a run, as they are exported and evaluated."""

    family: Family
    nets: Nets  # averaged weights, eval mode, on the CPU
    spec: DataSpec
    run: dict[str, Any]  # the run's config.json
    state: State


def state_dicts(parts: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Of networks or optimisers; of sharded ones, all ranks must call it."""
    return {name: part.state_dict() for name, part in parts.items()}


def save(run: Path, state: State, nets: Any, averaged: Any, optimizers: Any, origin: Origin | None = None) -> Path:
    """Write one checkpoint of what ``state_dicts`` returns. Raises ``OSError`` (a full disk, say), and then leaves
    nothing behind."""
    optimizer_bytes = io.BytesIO()
    torch.save(optimizers, optimizer_bytes)
    contents = {  # serialised in memory first: libraries wrap a full disk in errors of their own
        NETS: dump(flatten(nets)),
        AVERAGED: dump(flatten(averaged)),
        OPTIMIZERS: optimizer_bytes.getvalue(),
    }
    return checkpoint.write(run, state, contents, origin or Origin())


def flatten(nets: Mapping[str, Mapping[str, Tensor]]) -> dict[str, Tensor]:
    return {
        f"{name}/{key}": value.detach().cpu().contiguous().clone()
        for name, tensors in nets.items()
        for key, value in tensors.items()
    }


def load(path: Path, nets: Nets, averaged: Nets, optimizers: Mapping[str, Any]) -> State:
    """Load an intact checkpoint. Raises ``UserError`` where it does not fit the networks."""
    load_nets(path / NETS, nets)
    load_nets(path / AVERAGED, averaged)
    states = torch.load(path / OPTIMIZERS, map_location="cpu", weights_only=True)
    for name, optimizer in optimizers.items():
        if name in states:  # otherwise the network is new in this stage of the run
            groups = optimizer.state_dict()["param_groups"]  # with the options of this command, not the saved ones
            optimizer.load_state_dict({**states[name], "param_groups": groups})
    return checkpoint.read_state(path)


def load_nets(file: Path, nets: Nets) -> None:
    """Load the networks in a file. Raises ``UserError`` where they do not fit. A network that the file lacks is left as
    it was built: it belongs to a stage that the run had not reached."""
    tensors = parse(file.read_bytes())  # not mapped: a file that shrinks under a map kills the process
    known = nets.keys() & {key.partition("/")[0] for key in tensors}
    for name, net in nets.items():
        prefix = f"{name}/"
        own = {key.removeprefix(prefix): value for key, value in tensors.items() if key.startswith(prefix)}
        if not own and known:
            continue
        try:
            net.load_state_dict(own)
        except RuntimeError as error:
            keys = re.findall(r'(?<=size mismatch for )[\w.]+|(?<=")[\w.]+(?=")', str(error))
            few = ", ".join(keys[:3]) + (", …" if len(keys) > 3 else "")
            reason = f"{len(keys)} tensors differ in shape or name: {few}"
            raise UserError(f"{file}: does not fit the network {name!r}: {reason}") from None


def restore(run: Path, weights: str = "best") -> Restored:
    """Rebuild a run's networks. ``weights``: best, last, or a step. Raises ``UserError``."""
    values = read_run(run)
    found = [path for path in checkpoint.checkpoints(run) if not checkpoint.damage(path)]
    if not found:
        raise UserError(f"{run}: no intact checkpoint in {run / checkpoint.FOLDER}")
    named = {str(checkpoint.step_of(item)): item for item in found}
    steps = ", ".join(named)
    path = {**named, "best": checkpoint.best_of(found), "last": found[-1]}.get(weights.lstrip("0") or "0")
    if path is None:
        raise UserError(f"{run}: --weights is {weights}, expected best, last or one of the steps {steps}")
    family_type = family_class(values["family"], run)
    family = family_type(from_json(family_type.Config, values["config"]))
    load_base(family, run)
    spec = from_json(DataSpec, values["spec"])
    nets = family.build(spec)
    load_nets(path / AVERAGED, nets)
    for net in nets.values():
        net.eval().requires_grad_(False)
    return Restored(family=family, nets=nets, spec=spec, run=values, state=checkpoint.read_state(path))


def load_base(family: Family, run: Path) -> None:
    """Pass the base run to a family that needs one: the copy in the folder ``run``, or before there is one, the base
    run itself. Raises ``UserError``."""
    source = family.base_run()
    if source is None:
        return
    kept = checkpoint.base_of(run)
    found = restore(kept if (kept / "config.json").is_file() else source)
    files = {item.kind: item for item in found.family.exports(found.nets, found.state.description)}
    family.use_base(BaseRun(run=found.run["run_id"], spec=found.spec, files=files))


def keep_base(family: Family, run: Path) -> None:
    """Copy the base run of a family into the folder ``run``, as a run of one checkpoint, unless there is a copy. Raises
    ``UserError``, ``OSError``."""
    source, kept = family.base_run(), checkpoint.base_of(run)
    if source is None or (kept / "config.json").is_file():
        return
    found = restore(source)
    origin = Origin(run=found.run["run_id"], config=found.run["config"], versions=found.run.get("versions", {}))
    save(kept, found.state, state_dicts(found.nets), state_dicts(found.nets), {}, origin)
    replace_bytes(kept / "config.json", json.dumps(found.run, indent=1).encode())  # last: the copy is whole


def family_class(name: str, run: Path) -> type[Family]:
    """Import ``trainer.families.vae:VAE``. Raises ``UserError``; nothing outside the families is imported."""
    if re.fullmatch(r"trainer\.families\.[a-z0-9_]+:[A-Za-z0-9_]+", name):
        with contextlib.suppress(ImportError, AttributeError, ValueError):
            found = resolve_name(name)
            if isinstance(found, type) and issubclass(found, Family):
                return found
    raise UserError(f"{run / 'config.json'}: family is {name!r}, expected a class in trainer.families")


def family_name(family: type[Family]) -> str:
    """The inverse of ``family_class``."""
    return f"{family.__module__}:{family.__name__}"
