"""One suite over all families: a new family file is found here, and needs no test code of its own."""

import copy
import dataclasses
import json
import random
import re
import typing
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import repeat
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from base_runs import blurring, blurring_run
from commands import log_rows, train
from numpy.typing import NDArray
from plain_turns import PlainTurns
from torch import Tensor
from torch.nn import functional as F
from trainings import many, run_trainings, training

from export.to_onnx import Origin, Output, export_networks
from trainer import checkpoint
from trainer.command_line import parse
from trainer.config import RunConfig, from_json, to_json
from trainer.families import family_names, load_family
from trainer.family import Batch, Crops, DataSpec, Family, Nets, Pairs
from trainer.presets import presets_of
from trainer.runs import store as runs
from viewer.model import open_model

SIZE_PX = 32
CLASSES = ("one", "two")
# Small values of options that several families have: what conforms when small conforms when large.
SMALL = {
    "width": 16, "critic_steps": 2, "discriminator": "resnet10", "blocks": 1, "features": 16, "discriminator_width": 8,
    "crop_size": SIZE_PX, "pretrain": 1, "perceptual": 0.0, "multipliers": (1, 2), "pixel": 1.0, "low": Path("low"),
}  # fmt: skip


def find_families() -> list[type[Family]]:
    return [load_family(name) for name in family_names()]


def choices(family: type[Family]) -> dict[str, tuple[str, ...]]:
    """The options of a family's own that are one of several names."""
    shared = {field.name for field in dataclasses.fields(RunConfig)}
    types = typing.get_type_hints(family.Config)
    names = [field.name for field in dataclasses.fields(family.Config) if field.name not in shared]
    return {name: typing.get_args(types[name]) for name in names if typing.get_origin(types[name]) is typing.Literal}


def small(family: type[Family], **options: Any) -> dict[str, Any]:
    names = {field.name for field in dataclasses.fields(family.Config)}
    if "pairing" not in names:
        names.discard("low")  # of SRGAN: a folder of small images, and not the run whose other half this is
    return {name: value for name, value in SMALL.items() if name in names} | options


def case(family: type[Family], **options: Any) -> Any:
    name = "-".join((family.__name__, *options.values()))
    return pytest.param(family, small(family, **options), id=name)


def architectures() -> list[Any]:
    """Every family in every architecture it names, or every way to pair its networks."""
    return [
        case(family, **({name: value} if value else {}))
        for family in find_families()
        for name in [next((name for name in ("arch", "pairing") if name in choices(family)), "")]
        for value in choices(family).get(name, ("",))
    ]


def of_papers() -> list[Any]:
    """Every family with the choices of its papers, where they are others than the defaults, all at once."""
    found = []
    for family in find_families():
        for name, preset in presets_of(family.Config).items():
            chosen = {key: preset.options[key] for key in choices(family) if key in preset.options}
            others = [key for key in chosen if key != "arch" and chosen[key] != getattr(family.Config(), key)]
            if others and name in ("paper", "projection"):
                found.append(case(family, **chosen))
    return found


def other_choices() -> list[Any]:
    """Every other choice that a family offers, one at a time."""
    return [
        case(family, **{name: value})
        for family in find_families()
        for name, values in choices(family).items()
        for value in values
        if name not in ("arch", "pairing") and value != getattr(family.Config(), name)
    ]


class WatchedTurns(PlainTurns):
    """Turns that say which networks each of them changed."""

    def __init__(self, family: Family, nets: Nets) -> None:
        super().__init__(family, nets)
        self.changed: list[tuple[str, set[str]]] = []

    @contextmanager
    def __call__(self, name: str) -> Iterator[dict[str, Tensor]]:
        before = {other: copy.deepcopy(list(net.parameters())) for other, net in self.nets.items()}
        with super().__call__(name) as loss:
            yield loss
        changed = {
            other
            for other, net in self.nets.items()
            if any(not torch.equal(a, b) for a, b in zip(before[other], net.parameters(), strict=True))
        }
        self.changed.append((name, changed))


@pytest.fixture(params=[1, 3], ids=["grey", "rgb"])
def spec(request: pytest.FixtureRequest) -> DataSpec:
    return a_spec(request.param)


def a_spec(channels: int) -> DataSpec:
    return DataSpec(image_size=(SIZE_PX, SIZE_PX), channels=channels, classes=CLASSES)


def make(
    family_class: type[Family], options: dict[str, Any], spec: DataSpec, rate: float = 1e-3
) -> tuple[Family, Nets, Batch]:
    torch.manual_seed(0)
    family = family_class(family_class.Config(**options, learning_rate=rate))
    if family.base_run() is not None:
        family.use_base(blurring(spec))
    nets = family.build(with_conditions(family, spec))
    low, high = family.image_range
    side = SIZE_PX // 4
    image = torch.rand(6, spec.channels, 4, 4).repeat_interleave(side, 2).repeat_interleave(side, 3)
    image = (image * (high - low) + low).contiguous(memory_format=torch.channels_last)
    return family, nets, Batch(image=image, label=torch.arange(6) % 2, condition=condition(family, image))


def with_conditions(family: Family, spec: DataSpec) -> DataSpec:
    """What a family knows of data that are as it reads them."""
    paired = isinstance(family.reading(), Pairs | Crops)
    return dataclasses.replace(spec, condition_channels=spec.channels if paired else 0)


def condition(family: Family, image: Tensor) -> Tensor | None:
    """What images are to be made of, where a family learns from pairs: the same in negative, or smaller."""
    reading = family.reading()
    if isinstance(reading, Crops):
        return F.avg_pool2d(image, reading.scale)
    low, high = family.image_range
    return high + low - image if isinstance(reading, Pairs) else None


def presets() -> list[Any]:
    return [
        pytest.param(family, name, id=f"{family.__name__}-{name}")
        for family in find_families()
        for name in presets_of(family.Config)
    ]


@pytest.mark.parametrize("family_class", find_families(), ids=lambda family: family.__name__)
def test_the_first_preset_is_the_papers(family_class: type[Family]) -> None:
    (name, paper), *_ = presets_of(family_class.Config).items()
    assert name == "paper"
    assert re.search(r"\b(19|20)\d\d\b", paper.source)  # its year


@pytest.mark.parametrize(("family_class", "name"), presets())
def test_networks_can_be_built_from_each_preset(family_class: type[Family], name: str) -> None:
    assert presets_of(family_class.Config)[name].about.endswith(".")
    low = ["--low", "low"] if "low" in family_class.Config.__dataclass_fields__ else []
    family = family_class(parse(family_class.Config, ["--preset", name, *low], ""))
    side = family.config.image_size or 64
    spec = DataSpec(image_size=(side, side), channels=3, classes=CLASSES)
    if family.base_run() is not None:
        family.use_base(blurring(spec))
    with torch.device("meta"):  # as large as they are, without memory
        assert family.build(with_conditions(family, spec))


@pytest.mark.parametrize(("family_class", "options"), architectures())
def test_each_turn_changes_its_network_and_no_other(
    family_class: type[Family], options: dict[str, Any], spec: DataSpec
) -> None:
    check_turns(*make(family_class, options, spec))


@pytest.mark.parametrize(("family_class", "options"), [*other_choices(), *of_papers()])
def test_each_choice_takes_its_turns(family_class: type[Family], options: dict[str, Any]) -> None:
    check_turns(*make(family_class, options, a_spec(1)))


def check_turns(family: Family, nets: Nets, batch: Batch) -> None:
    turns = WatchedTurns(family, nets)
    for turns.step in range(2):
        family.step(nets, repeat(batch), turns)
    assert turns.changed
    for name, changed in turns.changed:
        assert changed == {name}
    assert {name for name, _ in turns.changed} == set(nets)


def learners() -> list[Any]:
    """The same; those that take longest are slow."""
    slow = ("AlphaGAN", "DDPM", "VAEGAN-resnet", "VAEGAN-paper")
    marks = {one.id: [pytest.mark.slow] if one.id in slow else [] for one in architectures()}
    return [pytest.param(*one.values, id=one.id, marks=marks[one.id]) for one in architectures()]


@pytest.mark.parametrize(("family_class", "options"), learners())
def test_one_batch_can_be_learnt_by_heart(family_class: type[Family], options: dict[str, Any]) -> None:
    family, nets, batch = make(family_class, options, a_spec(3), rate=2e-3)
    if not family.score(nets, batch):
        pytest.skip("this family has no held-out figure to go down")
    before = score(family, nets, batch)
    enough = 0.4 * before if before > 0 else before - 4  # negative scores are dB: 4 are 0.4 of the squared error
    turns = PlainTurns(family, nets)
    for turns.step in range(150):
        family.step(nets, repeat(batch), turns)
        if turns.step % 5 == 4 and score(family, nets, batch) < enough:
            return
    pytest.fail(f"the score fell from {before} to {score(family, nets, batch)} only")


@torch.no_grad()
def score(family: Family, nets: Nets, batch: Batch) -> float:
    for net in nets.values():
        net.eval()
    value = family.score(nets, batch)["score"].mean().item()
    for net in nets.values():
        net.train()
    return value


@pytest.mark.parametrize(("family_class", "options"), architectures())
def test_samples_are_images_and_repeat(family_class: type[Family], options: dict[str, Any], spec: DataSpec) -> None:
    family, nets, batch = make(family_class, options, spec)
    for net in nets.values():
        net.eval()
    with torch.no_grad():
        facts = family.describe(nets, iter([batch]))
        known = with_conditions(family, spec)
        first, second = (
            family.sample(nets, facts, *family.sample_inputs(5, known, torch.Generator().manual_seed(1), iter([batch])))
            for _ in range(2)
        )
    assert first.shape == (5, spec.channels, SIZE_PX, SIZE_PX)
    assert torch.equal(first, second)
    assert first.min() >= 0
    assert first.max() <= 1


# What other fast tests export: the generator of DCGAN-conv, a run in tests/export/test_command.py, and those that have
# modules of their own there. The last three take several seconds each.
LEFT_TO_THE_SLOW_SET = (
    "WGAN-conv",
    "WGANGP-conv",
    "VAE-conv",
    "DDPM",
    "Pix2Pix",
    "SRGAN",
    "VAEGAN-resnet",
    "HPF-paired",
    "R3GAN",
)


def exported() -> list[Any]:
    """Every architecture for grey and for RGB images; in the fast set for one of the two, in turn."""
    return [
        pytest.param(
            *architecture.values,
            a_spec(channels),
            id=f"{name}-{architecture.id}",
            marks=[pytest.mark.slow] if (number + channels // 2) % 2 or architecture.id in LEFT_TO_THE_SLOW_SET else [],
        )
        for number, architecture in enumerate(architectures())
        for name, channels in (("grey", 1), ("rgb", 3))
    ] + [pytest.param(*one.values, a_spec(3), id=f"paper-{one.id}", marks=[pytest.mark.slow]) for one in of_papers()]


@pytest.mark.parametrize(("family_class", "options", "spec"), exported())
def test_exported_files_are_what_the_networks_are(
    tmp_path: Path, family_class: type[Family], options: dict[str, Any], spec: DataSpec
) -> None:
    family, nets, batch = make(family_class, options, spec)
    for net in nets.values():
        net.eval()
    origin = Origin(family=family_class.__module__.rpartition(".")[2], spec=spec)
    with torch.no_grad():
        offers = {item.kind: item for item in family.exports(nets, family.describe(nets, iter([batch, batch])))}
        files = export_networks(list(offers.values()), origin, Output(path=tmp_path / "model.onnx", name="a model"))
        models = {model.kind: model for model in map(open_model, files)}
        assert models.keys() == offers.keys()
        for kind, model in models.items():
            inputs = offers[kind].inputs
            assert model.card is not None
            assert (model.card.family, model.card.name) == (origin.family, "a model")
            size = None if offers[kind].card.any_size else spec.image_size
            assert (model.card.image_size, model.card.channels) == (size, spec.channels)
            assert model.card.classes == (spec.classes if "label" in inputs else ())
            expected = offers[kind].module(*inputs.values())
            if kind == "generator":
                assert model.latent.size == inputs["latent"].shape[1]
                labels = inputs["label"].numpy() if "label" in inputs else None
                found = model.generate(inputs["latent"].numpy(), labels)
                assert np.abs(found.astype(int) - as_seen(expected)).max() <= 1
            elif kind == "translator":
                images = as_seen(inputs["image"], inputs["image"].shape[1]).astype(np.uint8)
                latents = inputs["latent"].numpy() if "latent" in inputs else repeat(None)
                pairs = zip(images, latents, strict=False)
                translated = [model.translate(image, latent) for image, latent in pairs]
                assert np.abs(np.stack(translated).astype(int) - as_seen(expected)).max() <= 2  # the input is u8
            elif kind == "detail":
                detail = model.detail(inputs["latent"].numpy())[..., ::-1]  # the viewer's order of colours
                assert np.abs(detail - expected.permute(0, 2, 3, 1).numpy()).max() < 1e-4
            elif kind == "encoder":
                found = model.encode(as_seen(inputs["image"]).astype(np.uint8))
                assert np.abs(found - expected.numpy()).max() < 0.02 * max(1, expected.abs().max())  # u8 images


def as_seen(image: Tensor, channels: int = 3) -> NDArray[np.int64]:
    """Images [n, c, h, w] in 0..1 → as the viewer has them, [n, h, w, 3] BGR, or grey with 1 channel, in 0..255."""
    levels = (image.clamp(0, 1) * 255).round().long().permute(0, 2, 3, 1).flip(3)
    return levels.expand(-1, -1, -1, channels).numpy()


@pytest.mark.parametrize(("family_class", "options"), architectures())
def test_options_survive_the_run_folder(family_class: type[Family], options: dict[str, Any]) -> None:
    fields = family_class.Config.__dataclass_fields__.values()
    paths = {item.name: Path("a/b") for item in fields if "Path" in str(item.type)}
    config = family_class.Config(**options | paths)
    assert from_json(family_class.Config, to_json(config)) == config
    assert runs.family_class(runs.family_name(family_class), Path("x")) is family_class


@pytest.fixture(scope="session")
def labelled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A .npy of 29 images of two classes, one light and one dark."""
    random = np.random.default_rng(0)
    labels = np.arange(29) % 2
    coarse = random.uniform(0, 127, (29, 4, 4, 3)) + 128 * labels[:, None, None, None]
    path = tmp_path_factory.mktemp("data") / "labelled.npy"
    np.save(path, coarse.repeat(SIZE_PX // 4, 1).repeat(SIZE_PX // 4, 2).astype(np.uint8))
    path.with_suffix(".json").write_text(json.dumps({"labels": labels.tolist(), "classes": CLASSES}))
    return path


def flags_of(options: dict[str, Any], data: Path) -> list[Any]:
    """What a person writes for options of a family."""
    if "low" in options:
        options = options | {"low": blurring_run(data, SIZE_PX)}
    return [
        part
        for name, value in options.items()
        for part in (f"--{name.replace('_', '-')}", *(value if isinstance(value, tuple) else (value,)))
    ]


def start(
    family_class: type[Family], options: dict[str, Any], data: Path, run: Path, steps: int, ranks: int = 1
) -> str:
    """Train as a person does; returns what was printed."""
    result = train(
        "--data", data, "--image-size", SIZE_PX, "--out", run, "--steps", steps, "--batch-size", 4, "--hold-out", 5,
        "--log-every", 2, "--save-every", 3, "--sample-every", 4, "--schedule", "constant",  # whatever --steps is
        "--save-minutes", 0,  # a checkpoint by the clock of a busy machine would be one more
        *flags_of(options, data),
        ranks=ranks, model=family_class.__module__.rpartition(".")[2],
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    return result.stdout


def contents(run: Path) -> dict[str, bytes]:
    path, complaints = checkpoint.newest_intact(run)
    assert path is not None
    assert not complaints
    states = flat(torch.load(path / checkpoint.OPTIMIZERS, weights_only=True))  # equal ones may be written differently
    return {**{name: (path / name).read_bytes() for name in (checkpoint.NETS, checkpoint.AVERAGED)}, **states}


def flat(value: Any, name: str = "") -> dict[str, bytes]:
    """What a nest of dictionaries and lists holds, to the bit."""
    if isinstance(value, dict | list | tuple):
        items = value.items() if isinstance(value, dict) else enumerate(value)
        return {place: data for key, part in items for place, data in flat(part, f"{name}/{key}").items()}
    return {name: value.numpy().tobytes() if isinstance(value, Tensor) else repr(value).encode()}


@pytest.mark.slow
@pytest.mark.parametrize(("family_class", "options"), [*architectures(), *of_papers()])
def test_a_resumed_run_is_the_same_to_the_bit(
    tmp_path: Path, labelled: Path, family_class: type[Family], options: dict[str, Any]
) -> None:
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    start(family_class, options, labelled, whole, 7)
    start(family_class, options, labelled, parts, 4)
    assert "resuming" in start(family_class, options, labelled, parts, 7)
    assert contents(parts) == contents(whole)
    assert log_rows(parts) == log_rows(whole)
    sheets = {path.name for path in parts.glob("samples/*")}
    assert sheets >= {f"step_{step:08d}.png" for step in (0, 4, 7)}  # a busy machine draws more, by the clock


@pytest.mark.slow
@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize("ranks", [1, 2])
def test_random_resumes_change_no_family_by_a_bit(tmp_path: Path, labelled: Path, ranks: int, workers: int) -> None:
    """Every family, stopped at random steps, epoch ends among them; RESUMES=20 stops it as often."""
    resumes = many("RESUMES", 2)
    last = resumes + 8
    epoch = 24 // (4 * ranks)  # steps of a pass over the images to train on
    reading = ("--memory", 0, "--workers", workers) if workers else ()
    common = ("--data", labelled, "--image-size", SIZE_PX, "--batch-size", 4, "--hold-out", 5, "--log-every", 1,
              "--save-every", 10**6, "--sample-every", 10**6, "--schedule", "constant", *reading)  # fmt: skip
    commands, cases = [], {}
    for number, given in enumerate(architectures()):
        family_class, options = given.values
        steps = set(random.Random(number).sample(range(1, last), resumes)) | {epoch * (last // epoch)}
        cases[str(given.id)] = [tmp_path / f"{number}-{name}" for name in ("whole", "parts")]
        whole, parts = cases[str(given.id)]
        model = family_class.__module__.rpartition(".")[2]
        flags = (*common, *flags_of(options, labelled))
        commands.append(training(whole, *flags, "--steps", last, model=model, ranks=ranks))
        for stop in sorted(steps | {last}):
            commands.append(training(parts, *flags, "--steps", stop, model=model, ranks=ranks))
    for command, ending in zip(commands, run_trainings(commands), strict=True):
        assert ending["codes"] == [0] * ranks, (command, ending)
    different = [name for name, (whole, parts) in cases.items() if contents(whole) != contents(parts)]
    different += [f"{name}: losses" for name, runs in cases.items() if losses(runs[0]) != losses(runs[1])]
    assert not different


@pytest.mark.slow
@pytest.mark.parametrize(("family_class", "options"), [*architectures(), *of_papers()])
def test_two_ranks_end_with_the_same_weights(
    tmp_path: Path, labelled: Path, family_class: type[Family], options: dict[str, Any]
) -> None:
    run = tmp_path / "run"
    printed = start(family_class, options, labelled, run, 5, ranks=2)  # fails where the ranks' weights differ
    assert "2 processes on" in printed
    rows = log_rows(run)
    assert rows[-1]["step"] == 5
    for row in rows:  # some families draw several batches a step
        assert row["images_seen"] % (2 * 4 * row["step"]) == 0


def losses(run: Path) -> list[dict[str, Any]]:
    """The rows of the log without learning rates: a run that ends before its second stage has none of that."""
    return [{name: value for name, value in row.items() if not name.startswith("rate/")} for row in log_rows(run)]


@pytest.mark.slow
def test_two_ranks_score_what_is_saved(tmp_path: Path, labelled: Path) -> None:
    """Running statistics of normalised batches differ by rank, and only the main rank's are saved."""
    family_class, options = next(given.values for given in architectures() if "AlphaGAN" in str(given.id))
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    start(family_class, options, labelled, whole, 7, ranks=2)
    start(family_class, options, labelled, parts, 3, ranks=2)
    start(family_class, options, labelled, parts, 7, ranks=2)
    assert contents(parts) == contents(whole)
    assert log_rows(parts, "held_out") == log_rows(whole, "held_out")
