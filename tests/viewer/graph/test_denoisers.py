"""Denoisers without a card: what goes in, the schedule that flags say or that is assumed, and what is refused."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import small_foreign as foreign
from small_models import constant, make_generator, make_graph, write

from viewer.graph.denoisers import alpha_bars
from viewer.graph.reading import Reading, parse
from viewer.graph.said import ScheduleSaid, read_schedule, write_schedule
from viewer.model import Model, ModelError, open_model


def opened(path: Path, **said: str) -> Model:
    reading = Reading(**{name: parse(name, text) for name, text in said.items()})
    return open_model(path, reading=reading, silent=True, wanted="denoiser")


@pytest.mark.parametrize("step", ["i64", "i32", "f32"])
@pytest.mark.parametrize("step_shape", [("n",), (), (1,), ("n", 1)])
def test_steps_of_any_type_and_shape(tmp_path: Path, step: str, step_shape: Sequence[int | str]) -> None:
    model = opened(foreign.denoiser(tmp_path / "u.onnx", step=step, step_shape=step_shape))

    noisy = np.random.default_rng(0).standard_normal((3, 3, 64, 64)).astype(np.float32)
    found = model.denoise(noisy, np.full(3, 500))
    assert np.allclose(found, 0.5 * noisy + 0.05, atol=1e-6)


def test_what_is_assumed_is_said(tmp_path: Path) -> None:
    path = foreign.denoiser(tmp_path / "u.onnx")
    model = opened(path)

    assert model.image_size == (64, 64)
    assert model.card is not None
    schedule = model.card.schedule
    assert schedule["prediction"] == "epsilon"
    assert np.allclose(schedule["alpha_bar"], np.cumprod(1 - np.linspace(1e-4, 0.02, 1000)))
    for words in ("64x64 is assumed; --image-size", "beta 0.0001..0.02, is assumed; --schedule", "--prediction"):
        assert any(words in line for line in model.remarks)
    told = opened(path, schedule="cosine:100", prediction="v", image_size="96x32")
    assert not told.remarks
    assert told.image_size == (32, 96)
    assert told.card is not None
    assert len(told.card.schedule["alpha_bar"]) == 100
    assert told.card.schedule["prediction"] == "v"


@pytest.mark.parametrize("batch", [1, 2, "n"])
def test_batches_and_sizes_may_be_fixed(tmp_path: Path, batch: int | str) -> None:
    model = opened(foreign.denoiser(tmp_path / "u.onnx", channels=1, sides=(8, 16), batch=batch))

    assert model.image_size == (8, 16)
    noisy = np.random.default_rng(0).standard_normal((3, 1, 8, 16)).astype(np.float32)
    assert np.allclose(model.denoise(noisy, np.zeros(3, np.int64)), 0.5 * noisy, atol=1e-6)


def test_a_variance_beside_the_prediction_is_not_used(tmp_path: Path) -> None:
    model = opened(foreign.denoiser(tmp_path / "u.onnx", gives=6, sides=(8, 8)))

    noisy = np.random.default_rng(0).standard_normal((1, 3, 8, 8)).astype(np.float32)
    assert model.denoise(noisy, np.zeros(1, np.int64)).shape == noisy.shape
    assert any("gives 6 channels: the first 3" in line for line in model.remarks)


def test_classes_and_a_spare_one_for_images_of_any(tmp_path: Path) -> None:
    path = foreign.denoiser(tmp_path / "u.onnx", classes=5, sides=(8, 8))
    model, spare = opened(path), opened(path, classes="4")

    assert (len(model.classes), model.free_label) == (5, False)
    assert (len(spare.classes), spare.free_label) == (4, True)
    noisy = np.zeros((5, 3, 8, 8), np.float32)
    found = model.denoise(noisy, np.zeros(5, np.int64), np.arange(5)).mean((1, 2, 3))
    assert np.allclose(found, np.linspace(-1, 1, 5))


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ({"num_train_timesteps": 1000, "beta_schedule": "linear", "beta_start": 1e-4, "beta_end": 0.02},
         ScheduleSaid("linear", 1000, (1e-4, 0.02), "epsilon")),
        ({"num_train_timesteps": 50, "beta_schedule": "scaled_linear", "beta_start": 0.00085, "beta_end": 0.012,
          "prediction_type": "v_prediction", "rescale_betas_zero_snr": True},
         ScheduleSaid("scaled_linear", 50, (0.00085, 0.012), "v", True)),
        ({"num_train_timesteps": 400, "beta_schedule": "squaredcos_cap_v2", "beta_start": 1e-4, "beta_end": 0.02,
          "prediction_type": "sample"}, ScheduleSaid("cosine", 400, (0.0, 0.999), "x0")),
    ],
)  # fmt: skip
def test_schedulers_of_diffusers(tmp_path: Path, config: dict[str, Any], said: ScheduleSaid) -> None:
    path = tmp_path / "scheduler_config.json"
    path.write_text(json.dumps({"_class_name": "DDPMScheduler", **config}))

    assert read_schedule(str(path)) == said
    assert read_schedule(write_schedule(said)) == said
    bars = alpha_bars(said)
    assert len(bars) == said.steps
    assert (np.diff(bars) < 0).all()
    assert 0 < bars[-1] < bars[0] < 1
    if said.no_signal_left:
        assert bars[-1] < 1e-7


@pytest.mark.parametrize(
    "text", ["linear:0", "linear:100000", "linear:10:3..4", "linear:x", "sigmoid", "cosine:1:2:3:4", "no.json"]
)
def test_bad_schedules_say_what_is_expected(text: str) -> None:
    with pytest.raises(ValueError, match="linear, scaled_linear, cosine"):
        read_schedule(text)


@pytest.mark.parametrize("content", ["[]", "{}", '{"num_train_timesteps": "x"}', "{", "[" * 100_000,
                                     '{"num_train_timesteps": 10, "trained_betas": [1]}',
                                     '{"num_train_timesteps": 10, "beta_schedule": ["linear"]}',
                                     '{"num_train_timesteps": 10, "beta_schedule": "laplace"}',
                                     '{"num_train_timesteps": 10, "beta_start": -1}'])  # fmt: skip
def test_bad_scheduler_files_say_what_is_expected(tmp_path: Path, content: str) -> None:
    path = tmp_path / "scheduler_config.json"
    path.write_text(content)
    with pytest.raises(ValueError, match=r"JSON|scheduler_config\.json"):
        read_schedule(str(path))


def test_steps_without_a_name_that_says_so(tmp_path: Path) -> None:
    image = ("n", 3, 8, 8)
    nodes = [foreign.node("Reshape", ["input.1", "corner"], "shift"), foreign.node("Add", ["x", "shift"], "out")]
    inputs: list[foreign.Port] = [("x", "f32", image), ("input.1", "f32", ("n",))]
    graph = make_graph(nodes, inputs, [("out", "f32", image)], [constant("corner", np.array([-1, 1, 1, 1]))])
    path = write(tmp_path / "u.onnx", graph)

    assert open_model(path, silent=True).kind == "translator"
    assert opened(path, set="input.1=step").image_size == (8, 8)


def test_whole_numbers_that_are_no_steps(tmp_path: Path) -> None:
    assert open_model(foreign.restorer(tmp_path / "r.onnx", "quality", (), "i64"), silent=True).kind == "translator"
    path = foreign.restorer(tmp_path / "s.onnx", "anything", (), "i64")
    assert open_model(path, silent=True).kind == "denoiser"
    reading = Reading(set=(("anything", 1.0),))
    assert open_model(path, silent=True, reading=reading).kind == "translator"


def test_what_cannot_be_played_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"the latents of another network, expected .* 1 or 3 channels"):
        opened(foreign.denoiser(tmp_path / "l.onnx", channels=4))
    with pytest.raises(ModelError, match="--image-size is 64x64, expected none"):
        opened(foreign.denoiser(tmp_path / "f.onnx", sides=(8, 8)), image_size="64")
    with pytest.raises(ModelError, match=r"found --schedule .*, expected none: its card says"):
        opened(make_generator(tmp_path / "c.onnx"), schedule="linear")
