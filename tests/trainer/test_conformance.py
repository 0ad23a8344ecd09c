"""One suite over all families: a new family file is found here, and needs no test code of its own."""

import copy
import importlib
import pkgutil
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import repeat
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from trainer import checkpoint, families
from trainer.config import from_json, to_json
from trainer.family import Batch, DataSpec, Family, Nets


def find_families() -> list[type[Family]]:
    found = []
    for module in pkgutil.iter_modules(families.__path__, "trainer.families."):
        for value in vars(importlib.import_module(module.name)).values():
            if isinstance(value, type) and issubclass(value, Family) and value.__module__ == module.name:
                found.append(value)
    return found


def variants() -> list[Any]:
    """Every family in every architecture it names."""
    cases = []
    for family in find_families():
        arch = family.Config.__dataclass_fields__.get("arch")
        for name in arch.type.__args__ if arch else ("",):
            options = {"arch": name} if name else {}
            cases.append(pytest.param(family, options, id=f"{family.__name__}-{name}"))
    return cases


class PlainTurns:
    """The loop's turns without ranks, precision or averages: what a test can look into."""

    def __init__(self, family: Family, nets: Nets) -> None:
        self.nets = nets
        self.optimizers = {name: family.optimizer(name, list(net.parameters()), False) for name, net in nets.items()}
        self.losses: dict[str, list[float]] = {name: [] for name in nets}
        self.changed: list[tuple[str, set[str]]] = []

    @contextmanager
    def __call__(self, name: str) -> Iterator[dict[str, Tensor]]:
        before = {other: copy.deepcopy(list(net.parameters())) for other, net in self.nets.items()}
        for other, net in self.nets.items():
            net.requires_grad_(other == name)
        loss: dict[str, Tensor] = {}
        yield loss
        total = torch.stack(list(loss.values())).sum()
        total.backward()
        self.optimizers[name].step()
        self.losses[name].append(total.item())
        changed = set()
        for other, net in self.nets.items():
            self.optimizers[other].zero_grad()
            net.requires_grad_(True)
            if any(not torch.equal(a, b) for a, b in zip(before[other], net.parameters(), strict=True)):
                changed.add(other)
        self.changed.append((name, changed))


@pytest.fixture(params=[1, 3], ids=["grey", "rgb"])
def spec(request: pytest.FixtureRequest) -> DataSpec:
    return DataSpec(image_size=(32, 32), channels=request.param, classes=("one", "two"))


def make(family_class: type[Family], options: dict[str, Any], spec: DataSpec) -> tuple[Family, Nets, Batch]:
    torch.manual_seed(0)
    family = family_class(family_class.Config(**options, learning_rate=1e-3))
    nets = family.build(spec)
    low, high = family.image_range
    image = torch.rand(6, spec.channels, 4, 4).repeat_interleave(8, 2).repeat_interleave(8, 3)
    image = (image * (high - low) + low).contiguous(memory_format=torch.channels_last)
    return family, nets, Batch(image=image, label=torch.arange(6) % 2)


@pytest.mark.parametrize(("family_class", "options"), variants())
def test_each_turn_changes_its_network_and_no_other(
    family_class: type[Family], options: dict[str, Any], spec: DataSpec
) -> None:
    family, nets, batch = make(family_class, options, spec)
    turns = PlainTurns(family, nets)
    for _ in range(2):
        family.step(nets, repeat(batch), turns)
    assert turns.changed
    for name, changed in turns.changed:
        assert changed == {name}
    assert {name for name, _ in turns.changed} == set(nets)


@pytest.mark.parametrize(("family_class", "options"), variants())
def test_one_batch_can_be_learnt_by_heart(family_class: type[Family], options: dict[str, Any]) -> None:
    family, nets, batch = make(family_class, options, DataSpec(image_size=(32, 32), channels=3, classes=("a", "b")))
    if not family.score(nets, batch):
        pytest.skip("this family has no held-out figure to go down")
    before = family.score(nets, batch)["score"].mean().item()
    turns = PlainTurns(family, nets)
    for _ in range(150):
        family.step(nets, repeat(batch), turns)
    nets_after = Nets(**{name: net.eval() for name, net in nets.items()})
    assert family.score(nets_after, batch)["score"].mean().item() < 0.4 * before


@pytest.mark.parametrize(("family_class", "options"), variants())
def test_samples_are_pictures_and_repeat(family_class: type[Family], options: dict[str, Any], spec: DataSpec) -> None:
    family, nets, batch = make(family_class, options, spec)
    for net in nets.values():
        net.eval()
    with torch.no_grad():
        facts = family.describe(nets, iter([batch]))
        first, second = (
            family.sample(nets, facts, family.sample_inputs(5, spec, torch.Generator().manual_seed(1)))
            for _ in range(2)
        )
    assert first.shape == (5, spec.channels, 32, 32)
    assert torch.equal(first, second)
    assert first.min() >= 0
    assert first.max() <= 1


@pytest.mark.parametrize(("family_class", "options"), variants())
def test_exports_say_what_they_are(family_class: type[Family], options: dict[str, Any], spec: DataSpec) -> None:
    family, nets, batch = make(family_class, options, spec)
    for net in nets.values():
        net.eval()
    with torch.no_grad():
        files = family.exports(nets, family.describe(nets, iter([batch, batch])))
        for file in files:
            assert len(file.module(*file.inputs.values())) == 2
    assert len({file.kind for file in files}) == len(files) >= 1


@pytest.mark.parametrize(("family_class", "options"), variants())
def test_options_survive_the_run_folder(family_class: type[Family], options: dict[str, Any]) -> None:
    fields = family_class.Config.__dataclass_fields__.values()
    paths = {item.name: Path("a/b") for item in fields if "Path" in str(item.type)}
    config = family_class.Config(**options, **paths)
    assert from_json(family_class.Config, to_json(config)) == config
    assert checkpoint.family_class(checkpoint.family_name(family_class), Path("x")) is family_class
