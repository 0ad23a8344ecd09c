"""VAEs: both halves are found, whatever they are called, and work as in their program."""

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from export.from_weights import export_weights
from export.given import Given
from export.to_onnx import Output
from tests.export.importers import published_vaes as published
from tests.export.importers.imports import WRAPPED, difference, drawn, exported, read, saved
from tests.export.importers.published_gans import TutorialDCGAN, lively
from tests.export.small_networks import card_of, run
from trainer.contract.errors import UserError
from trainer.families.vae import VAEConfig
from trainer.family import DataSpec
from trainer.parts.vae_networks import HierarchicalVAE

MADE = {
    "example": (published.Example, (1, 8, 8), 5),
    "deep": (published.Deep, (3, 4, 4), 6),
    "one head": (published.OneHead, (1, 8, 8), 4),
    "convolutional": (published.Convolutional, (3, 16, 16), 6),
    "vanilla": (published.Vanilla, (3, 16, 16), 7),
}


@pytest.fixture(params=MADE)
def case(request: pytest.FixtureRequest) -> tuple[str, nn.Module, tuple[int, ...], int]:
    make, shape, latent = MADE[request.param]
    torch.manual_seed(0)
    return request.param, lively(make()), shape, latent


def test_both_halves_are_those_of_the_program(case: tuple[str, nn.Module, tuple[int, ...], int]) -> None:
    name, network, shape, size = case
    imported = read(network.state_dict())
    generator, encoder = imported.exportables
    latent, image = torch.randn(3, size), torch.rand(3, *shape)
    assert (imported.family, generator.kind, encoder.kind) == ("plain_vae", "generator", "encoder")
    assert imported.spec.shape == shape
    assert difference(generator.module(latent), network.decode(latent)) < 1e-5
    assert difference(encoder.module(image), network.encode(image)) < 1e-5
    said = " ".join(imported.remarks)
    assert ("--activation" in said) == (name not in ("example", "vanilla"))
    assert ("--before-maps" in said) == (name == "convolutional")


@pytest.mark.parametrize("wrapper", ["plain", "state_dict", "DataParallel", "sorted", "averaged"])
@pytest.mark.parametrize("name", ["example", "vanilla"])
def test_every_wrapper_gives_the_same_weights(tmp_path: Path, name: str, wrapper: str) -> None:
    torch.manual_seed(0)
    network = lively(MADE[name][0]())
    imported, _ = saved(tmp_path / "w.pth", WRAPPED[wrapper](network.state_dict()))
    latent = torch.randn(3, MADE[name][2])
    assert difference(imported.exportables[0].module(latent), network.decode(latent)) < 1e-5


def test_what_is_given_is_used() -> None:
    torch.manual_seed(0)
    network = lively(published.Convolutional())
    given = {"activation": "tanh", "last_activation": "none", "before_maps": "nothing"}
    imported = read(network.state_dict(), **given)
    assert imported.remarks == ()
    latent = torch.randn(2, 6)
    value = latent
    for layer in network.decoder[:9]:
        between = layer is network.decoder[3]
        value = value if between else torch.tanh(value) if isinstance(layer, nn.ReLU) else layer(value)
    assert difference(imported.exportables[0].module(latent), value) < 1e-5
    with pytest.raises(UserError, match=r"images of 16x16 px|no reader"):
        read(network.state_dict(), image_size=(8, 8))


def test_other_networks_are_not_taken_for_vaes() -> None:
    plain = nn.Sequential(nn.Linear(64, 20), nn.ReLU(), nn.Linear(20, 64))
    with pytest.raises(UserError, match="no reader knows"):
        read(plain.state_dict())
    assert read(TutorialDCGAN().state_dict()).family == "dcgan"


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("example", {"fc22.weight": torch.zeros(6, 20)}),
        ("example", {"fc3.weight": torch.zeros(20, 9)}),
        ("example", {"fc4.weight": torch.zeros(63, 20)}),
        ("convolutional", {"decoder.2.weight": torch.zeros(100, 20)}),
        ("vanilla", {"final_layer.3.weight": torch.zeros(5, 4, 3, 3)}),
        ("vanilla", {"decoder_input.weight": torch.zeros(0, 7)}),
        ("vanilla", {f"encoder.{index}.0.weight": torch.zeros(4, 4, 3, 3) for index in range(3, 300)}),
    ],
)
def test_halves_that_do_not_meet_are_refused(name: str, change: dict[str, Tensor]) -> None:
    with pytest.raises(UserError) as caught:
        read({**MADE[name][0]().state_dict(), **change})
    assert "\n" not in str(caught.value)


def test_a_missing_bias_is_named() -> None:
    state = published.Vanilla().state_dict()
    del state["decoder.1.1.running_var"]
    with pytest.raises(UserError, match=r"decoder\.1\.1\.running_var is missing"):
        read(state)


@pytest.mark.slow
def test_exported_files_work_the_same(case: tuple[str, nn.Module, tuple[int, ...], int], tmp_path: Path) -> None:
    _, network, shape, size = case
    path, card = exported(network.state_dict(), tmp_path)
    latent, levels = torch.randn(4, size), torch.randint(0, 256, (4, *shape[1:], 3), dtype=torch.uint8)
    expected = network.decode(latent).expand(-1, 3, -1, -1).numpy()
    assert abs(drawn(path, latent=latent) - expected).max() < 1.01 / 255
    image = levels.float().permute(0, 3, 1, 2) / 255
    if shape[0] == 1:
        image = (image * torch.tensor([0.299, 0.587, 0.114])[:, None, None]).sum(1, keepdim=True)
    found = run(path.with_name("x.encoder.onnx"), image=levels.numpy())
    assert abs(found - network.encode(image).numpy()).max() < 1e-4
    assert (card.family, card.latent.size) == ("plain_vae", size)


def hierarchical(folder: Path, name: str, seed: int, latent: int = 4) -> Path:
    torch.manual_seed(seed)
    config = VAEConfig(arch="hierarchical", latent_size=latent, hidden_size=6)
    network = HierarchicalVAE(DataSpec(image_size=(8, 8), channels=3), config)
    torch.save(network.state_dict(), folder / name)
    return folder / name


@pytest.mark.slow
def test_a_vae_of_a_high_pass_set_becomes_a_detail_file(tmp_path: Path) -> None:
    high, low = hierarchical(tmp_path, "high.pth", 0), hierarchical(tmp_path, "low.pth", 1)
    said: list[str] = []
    given = Given(kind="detail", low=low)
    (path,) = export_weights(high, Output(path=tmp_path / "detail.onnx"), say=said.append, given=given)
    (plain, _) = export_weights(high, Output(path=tmp_path / "high.onnx"))
    assert card_of(path).kind == "detail"
    latent = torch.randn(3, 4)
    detail, image = (run(file, latent=latent.numpy()) for file in (path, plain))
    assert detail.dtype.name == "float32"
    assert abs(detail + 0.5 - image / 255).max() < 1 / 255
    assert any("middle grey" in line for line in said)
    assert any(line.startswith(f"--low {low}: ") and "read by vae" in line for line in said)


def test_detail_for_another_low_is_refused(tmp_path: Path) -> None:
    high, low = hierarchical(tmp_path, "high.pth", 0), hierarchical(tmp_path, "low.pth", 1, latent=5)
    output = Output(path=tmp_path / "detail.onnx")
    with pytest.raises(UserError, match=r"latents of 4 numbers and .*, expected latents of 5 numbers"):
        export_weights(high, output, given=Given(kind="detail", low=low))
    with pytest.raises(UserError, match="--kind detail and --low are for generators"):
        export_weights(high, output, given=Given(low=low))
    assert not (tmp_path / "detail.onnx").exists()
