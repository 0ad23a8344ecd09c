"""Folders of diffusers: its own networks, saved by itself, predict the same, on the schedule of their scheduler."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

diffusers = pytest.importorskip("diffusers")

from export.from_weights import export_weights  # noqa: E402
from export.given import Given  # noqa: E402
from export.importers import import_weights  # noqa: E402
from export.importers.base import Imported  # noqa: E402
from export.to_onnx import Output  # noqa: E402
from export.weights import Weights, read_weights  # noqa: E402
from tests.export.importers.imports import WRAPPED, difference, saved  # noqa: E402
from tests.export.small_networks import card_of, run  # noqa: E402
from trainer.contract.errors import UserError  # noqa: E402

SMALL: dict[str, Any] = {
    "sample_size": 8, "block_out_channels": (8, 16), "layers_per_block": 1, "norm_num_groups": 4,
    "down_block_types": ("DownBlock2D", "AttnDownBlock2D"), "up_block_types": ("AttnUpBlock2D", "UpBlock2D"),
    "attention_head_dim": 4,
}  # fmt: skip
X, T = torch.randn(2, 3, 8, 8, generator=torch.Generator().manual_seed(0)), torch.tensor([0, 7])


def network(**options: Any) -> Any:
    torch.manual_seed(0)
    return diffusers.UNet2DModel(**{**SMALL, **options}).eval().requires_grad_(False)


@pytest.fixture(scope="module")
def pipeline(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder as ``save_pretrained`` writes it."""
    folder = tmp_path_factory.mktemp("pipeline")
    scheduler = diffusers.DDPMScheduler(num_train_timesteps=50, beta_schedule="squaredcos_cap_v2")
    diffusers.DDPMPipeline(unet=network(), scheduler=scheduler).save_pretrained(folder)
    return folder


def read(path: Path, **given: Any) -> Imported:
    (weights,) = read_weights(path)
    return of(weights, **given)


def of(weights: Weights, **given: Any) -> Imported:
    return import_weights(
        [Weights(path=weights.path, state=weights.state, config=weights.config, given=Given(**given))]
    )[0]


def test_a_pipeline_is_read(pipeline: Path) -> None:
    imported = read(pipeline)
    item = imported.exportables[0]
    assert imported.family == "diffusers_unet"
    assert difference(item.module(X, T), network()(X, T).sample) < 1e-5
    expected = diffusers.DDPMScheduler(num_train_timesteps=50, beta_schedule="squaredcos_cap_v2").alphas_cumprod
    assert np.allclose(item.card.schedule["alpha_bar"], expected, rtol=1e-6)
    assert item.card.schedule["prediction"] == "epsilon"
    assert imported.remarks == ()


def test_the_unets_own_folder_and_file_are_read(pipeline: Path) -> None:
    for path in (pipeline / "unet", pipeline / "unet" / "diffusion_pytorch_model.safetensors"):
        assert len(read(path).exportables[0].card.schedule["alpha_bar"]) == 50


@pytest.mark.parametrize("wrapper", ["plain", "lightning", "averaged", "generator beside discriminator"])
def test_every_wrapper_beside_the_config_gives_the_same_weights(pipeline: Path, tmp_path: Path, wrapper: str) -> None:
    (tmp_path / "config.json").write_text((pipeline / "unet" / "config.json").read_text())
    imported, _ = saved(tmp_path / "w.pth", WRAPPED[wrapper](network().state_dict()))
    assert difference(imported.exportables[0].module(X, T), network()(X, T).sample) < 1e-5


@pytest.mark.slow
def test_exported_files_predict_the_same(pipeline: Path, tmp_path: Path) -> None:
    said: list[str] = []
    (path,) = export_weights(pipeline, Output(path=tmp_path / "x.onnx"), say=said.append)
    card = card_of(path)
    assert (card.kind, card.image_size, card.channels) == ("denoiser", (8, 8), 3)
    assert abs(run(path, noisy=X.numpy(), t=T.numpy()) - network()(X, T).sample.numpy()).max() < 1e-4


@pytest.mark.parametrize(
    "options",
    [
        {"in_channels": 1, "out_channels": 1},
        {"num_class_embeds": 3},
        {"out_channels": 6},
        {"resnet_time_scale_shift": "scale_shift", "add_attention": False, "mid_block_scale_factor": 1.5},
        {"sample_size": (8, 16), "downsample_type": "resnet", "upsample_type": "resnet"},
        {"time_embedding_type": "learned", "num_train_timesteps": 20, "flip_sin_to_cos": False, "freq_shift": 1},
    ],
    ids=lambda options: next(iter(options)),
)
def test_options_of_the_network_are_honoured(tmp_path: Path, options: dict[str, Any]) -> None:
    net = network(**options)
    net.save_pretrained(tmp_path)
    imported = read(tmp_path)
    item = imported.exportables[0]
    labels = [torch.tensor([2, 0])] if "num_class_embeds" in options else []
    channels = options.get("in_channels", 3)
    expected = net(X[:, :channels], T, *labels).sample[:, :channels]
    assert difference(item.module(X, T, *labels)[:, :channels], expected) < 1e-5
    assert any("--noise-schedule" in remark for remark in imported.remarks)
    if labels:
        assert imported.spec.classes == ("0", "1", "2")
        assert torch.isfinite(item.module(X, T, torch.tensor([3, 3]))).all()
        assert any("mean of all classes" in remark for remark in imported.remarks)


@pytest.mark.parametrize(
    ("made", "prediction"),
    [
        (lambda: diffusers.DDIMScheduler(30, beta_schedule="scaled_linear", prediction_type="v_prediction"), "v"),
        (lambda: diffusers.DDIMScheduler(30, rescale_betas_zero_snr=True, prediction_type="v_prediction"), "v"),
        (lambda: diffusers.DDPMScheduler(30, beta_schedule="sigmoid", prediction_type="sample"), "x0"),
        (lambda: diffusers.DDPMScheduler(3, trained_betas=[0.1, 0.2, 0.3], clip_sample=False), "epsilon"),
        (lambda: diffusers.EulerDiscreteScheduler(30, beta_start=0.001, beta_end=0.01), "epsilon"),
        (lambda: diffusers.HeunDiscreteScheduler(30), "epsilon"),
        (lambda: diffusers.DPMSolverMultistepScheduler(30, beta_schedule="squaredcos_cap_v2"), "epsilon"),
    ],
)
def test_schedulers_are_honoured(pipeline: Path, tmp_path: Path, made: Any, prediction: str) -> None:
    (weights,) = read_weights(pipeline)
    scheduler = made()
    imported = with_scheduler(weights, json.loads(scheduler.to_json_string()), tmp_path)
    schedule = imported.exportables[0].card.schedule
    expected = scheduler.alphas_cumprod.double().clamp_min(2.0**-25)
    assert np.allclose(schedule["alpha_bar"], expected, rtol=1e-4, atol=1e-7)
    assert schedule["prediction"] == prediction
    assert any("clip" in remark for remark in imported.remarks) == (scheduler.config.get("clip_sample") is False)
    assert any("noise alone" in remark for remark in imported.remarks) == (float(scheduler.alphas_cumprod[-1]) == 0)


def with_scheduler(
    weights: Weights, config: Any, folder: Path, name: str = "scheduler/scheduler_config.json"
) -> Imported:
    """The same weights in another folder, where there is this file besides."""
    (folder / name).parent.mkdir(exist_ok=True)
    (folder / name).write_text(json.dumps(dict(config), default=list))
    (folder / "unet").mkdir()
    return of(replace(weights, path=folder / "unet" / "diffusion_pytorch_model.safetensors"))


def test_names_of_before_014_are_read(pipeline: Path) -> None:
    (weights,) = read_weights(pipeline)
    state = dict(weights.state)
    for new, old in (("to_q", "query"), ("to_k", "key"), ("to_v", "value"), ("to_out.0", "proj_attn")):
        state = {key.replace(f".{new}.", f".{old}."): value for key, value in state.items()}
    assert state.keys() != weights.state.keys()
    imported = of(Weights(path=weights.path, state=state, config=weights.config))
    assert difference(imported.exportables[0].module(X, T), network()(X, T).sample) < 1e-5


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"_class_name": "UNet2DConditionModel"}, "UNet2DConditionModel, expected a UNet2DModel: it is told words"),
        ({"_class_name": "AutoencoderKL"}, "AutoencoderKL, expected a UNet2DModel"),
        ({"_class_name": ["UNet2DModel"]}, "expected a UNet2DModel"),
        ({"in_channels": 4}, "in_channels is 4, expected 1 or 3: it works on latents"),
        ({"out_channels": 5}, "out_channels is 5, expected 3"),
        ({"block_out_channels": [8, 10**9]}, "block_out_channels is .*expected 1 to 10 numbers"),
        ({"block_out_channels": 16}, "block_out_channels is 16, expected 1 to 10 numbers"),
        ({"block_out_channels": [8, 8]}, "nearly the UNet2DModel of its config.json, but .* expected"),
        ({"block_out_channels": [8, 16, 16]}, "down_block_types names 2 blocks, block_out_channels 3"),
        ({"layers_per_block": 10**6}, "layers_per_block is 1000000, expected 1 to 16"),
        ({"layers_per_block": 2}, "nearly the UNet2DModel"),
        ({"down_block_types": ["Nothing", "DownBlock2D"]}, "no the UNet2DModel of its config.json|Nothing"),
        ({"norm_num_groups": 0}, "UNet2DModel"),
        ({"norm_num_groups": "many"}, "norm_num_groups is 'many', expected a number"),
        ({"act_fn": "bogus"}, "UNet2DModel|bogus"),
        ({"sample_size": None}, "says no sample_size: expected --image-size"),
        ({"sample_size": [8, "wide"]}, r"sample_size is \[8, 'wide'\], expected pixels"),
        ({"sample_size": 9}, "images of 9x9 px: expected multiples of 2"),
        ({"dropout": float("nan")}, "dropout is nan|dropout"),
        ({"time_embedding_type": "fourier"}, "UNet2DModel"),
        ({"class_embed_type": "timestep", "num_class_embeds": 3}, "class_embed_type is 'timestep', expected none"),
        ({"num_class_embeds": 10**9}, "num_class_embeds is 1000000000"),
        ({"brand_new": True}, "'brand_new', which this version of diffusers does not know"),
    ],
    ids=lambda value: str(value)[:60],
)  # fmt: skip
def test_configs_that_do_not_fit_are_named(pipeline: Path, change: dict[str, Any], expected: str) -> None:
    (weights,) = read_weights(pipeline)
    with pytest.raises(UserError, match=expected) as caught:
        of(Weights(path=weights.path, state=weights.state, config={**weights.config, **change}))
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 1000


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"_class_name": "FlowMatchEulerDiscreteScheduler"}, "FlowMatchEulerDiscreteScheduler, whose noise"),
        ({"_class_name": "ScoreSdeVeScheduler"}, "whose noise is not that of DDPM"),
        ({"_class_name": "os.system"}, "whose noise is not that of DDPM"),
        ({"_class_name": "UnheardOfScheduler"}, "UnheardOfScheduler, is unknown to diffusers"),
        ({"_class_name": 7}, "its scheduler is 7"),
        ({"num_train_timesteps": 10**6}, "num_train_timesteps is 1000000, expected 2 to 10000"),
        ({"num_train_timesteps": True}, "num_train_timesteps is True"),
        ({"beta_end": "0.02"}, "beta_end is '0.02', expected a number"),
        ({"beta_schedule": "spiral"}, "spiral"),
        ({"beta_schedule": {}}, "the config of its DDPMScheduler"),
        ({"trained_betas": [0.5, "x"]}, "trained_betas is"),
        ({"trained_betas": [0.5] * 20_000}, "trained_betas is"),
        ({"prediction_type": "flow_prediction"}, "prediction_type is 'flow_prediction', expected one of"),
        ({"beta_start": 0.9, "beta_end": 0.99, "num_train_timesteps": 9000}, "does not take the image away|steps"),
    ],
    ids=lambda value: str(value)[:60],
)  # fmt: skip
def test_schedulers_that_do_not_fit_are_named(
    pipeline: Path, tmp_path: Path, change: dict[str, Any], expected: str
) -> None:
    (weights,) = read_weights(pipeline)
    config = {**diffusers.DDPMScheduler(50).config, "_class_name": "DDPMScheduler", **change}
    with pytest.raises(UserError, match=expected) as caught:
        with_scheduler(weights, config, tmp_path)
    assert "\n" not in str(caught.value)


def test_pipelines_of_latents_are_told_apart(pipeline: Path, tmp_path: Path) -> None:
    (weights,) = read_weights(pipeline)
    with pytest.raises(UserError, match="its pipeline has vqvae besides the U-Net"):
        with_scheduler(weights, {"vqvae": ["diffusers", "VQModel"]}, tmp_path, "model_index.json")


def test_a_file_without_its_config_is_told(pipeline: Path) -> None:
    (weights,) = read_weights(pipeline)
    with pytest.raises(UserError, match=r"config\.json, which says how the U-Net is built, is not beside the file"):
        of(Weights(path=weights.path, state=weights.state))


def test_what_is_given_is_used(pipeline: Path) -> None:
    imported = read(pipeline, noise_schedule="linear", noise_steps=20, prediction="v", image_size=(16, 8))
    assert imported.spec.image_size == (16, 8)
    assert imported.exportables[0].card.schedule["prediction"] == "v"
    assert len(imported.exportables[0].card.schedule["alpha_bar"]) == 20
