"""Bare generators as the field's reference code saves them: rebuilt from keys and shapes alone, and exported as they
are used there."""

from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
import torch
from torch import Tensor, nn

from export.__main__ import main
from export.from_weights import export_weights
from export.graph import Whole, trace
from export.to_onnx import Origin, Output, export_networks
from export.verify import check_parity
from export.weights import read_weights
from trainer.contract.errors import UserError
from trainer.families.pix2pix import Pix2Pix, Pix2PixConfig
from trainer.family import DataSpec
from viewer.model import open_model


class Block(nn.Module):
    """One level of a U-Net with the levels below inside it, its layers in the order of that layout."""

    def __init__(
        self, before: int, channels: int, after: int, within: nn.Module | None, norm: Any, outermost: bool
    ) -> None:
        super().__init__()
        bias = norm is nn.InstanceNorm2d
        down = nn.Conv2d(before, channels, 4, 2, 1, bias=bias)
        joined = channels if within is None else 2 * channels
        if outermost:
            assert within is not None
            layers = [down, within, nn.ReLU(True), nn.ConvTranspose2d(joined, after, 4, 2, 1), nn.Tanh()]
        else:
            layers = [nn.LeakyReLU(0.2, True), down]
            if within is not None:
                layers += [norm(channels), within]
            layers += [nn.ReLU(True), nn.ConvTranspose2d(joined, after, 4, 2, 1, bias=bias), norm(after)]
            if within is not None and channels == before:
                layers.append(nn.Dropout(0.5))
        self.outermost = outermost
        self.model = nn.Sequential(*layers)

    def forward(self, value: Tensor) -> Tensor:
        return self.model(value) if self.outermost else torch.cat([value, self.model(value)], 1)


class Reference(nn.Module):
    """The whole U-Net, in that layout."""

    def __init__(self, inputs: int, outputs: int, levels: int, width: int, norm: Any) -> None:
        super().__init__()
        widths = [width * min(2**level, 8) for level in range(levels)]
        block = None
        for level in reversed(range(levels)):
            before = inputs if level == 0 else widths[level - 1]
            block = Block(before, widths[level], outputs if level == 0 else before, block, norm, level == 0)
        assert block is not None
        self.model = block

    def forward(self, image: Tensor) -> Tensor:
        return self.model(image)


NORMS = {"batch": nn.BatchNorm2d, "instance": nn.InstanceNorm2d, "none": lambda channels: nn.Identity()}


def reference(norm: str, levels: int = 5, inputs: int = 3, outputs: int = 3, width: int = 4) -> Reference:
    """With weights and statistics as of a network that has learnt; nothing is dropped."""
    torch.manual_seed(0)
    network = Reference(inputs, outputs, levels, width, NORMS[norm])
    for part in shaken(network).modules():
        if isinstance(part, nn.Dropout):
            part.p = 0.0
    return network


def shaken(network: nn.Module) -> nn.Module:
    """With weights and statistics that no layer has at first."""
    for value in network.state_dict().values():
        if value.is_floating_point():
            value.add_(0.1 * torch.rand_like(value))
    return network


def exported(network: nn.Module, folder: Path, name: str = "latest_net_G.pth") -> Path:
    torch.save(network.state_dict(), folder / name)
    (out,) = export_weights(folder / name, Output(path=folder / "out.onnx", force=True))
    return out


def test_the_keys_are_those_of_the_layout() -> None:
    keys = reference("batch", levels=8).state_dict().keys()
    assert {"model.model.0.weight", "model.model.1.model.1.weight", "model.model.1.model.2.running_mean",
            "model.model.1.model.3.model.3.model.1.weight", "model.model.3.bias"} <= keys  # fmt: skip
    deepest = "model.model.1." + 6 * "model.3."
    assert {f"{deepest}model.1.weight", f"{deepest}model.3.weight", f"{deepest}model.4.weight"} <= keys
    assert "model.model.1.model.1.bias" not in keys
    assert "model.model.1.model.1.bias" in reference("instance").state_dict()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("norm", "levels", "inputs", "outputs"),
    [
        ("batch", 5, 3, 3),
        ("instance", 5, 3, 1),
        ("batch", 7, 3, 3),
        ("batch", 8, 1, 3),
        ("instance", 8, 1, 1),
        ("none", 5, 3, 3),
    ],
)
def test_a_file_gives_what_the_network_gave(tmp_path: Path, norm: str, levels: int, inputs: int, outputs: int) -> None:
    """One image at a time, in train mode but for dropout: as that code runs its networks."""
    network = reference(norm, levels, inputs, outputs)
    model = open_model(exported(network, tmp_path))
    card = model.card
    assert card is not None
    assert (card.kind, card.family, card.multiple, card.scale) == ("translator", "pix2pix", 2**levels, 1)
    assert (card.channels, card.input_channels, card.image_size) == (outputs, inputs, None)
    whose = {"batch": "statistics of each image", "instance": "statistics of each image", "none": "none"}[norm]
    assert card.training["normalisation"] == whose
    session = onnxruntime.InferenceSession(tmp_path / "out.onnx")
    random = np.random.default_rng(0)
    for count, height, width in ((1, 1, 1), (3, 1, 1), (2, 1, 2), (1, 2, 1)):
        side = 2**levels
        images = random.integers(0, 256, (count, height * side, width * side, inputs), np.uint8)
        (found,) = session.run(None, {"image": images})
        given = torch.from_numpy(images).permute(0, 3, 1, 2).float() / 255 * 2 - 1
        with torch.no_grad():
            network.train()
            expected = torch.cat([network(image) for image in given.split(1)]) * 0.5 + 0.5
        levels_expected = (expected * 255).round().permute(0, 2, 3, 1).expand(-1, -1, -1, 3).numpy()
        assert np.abs(found - levels_expected).max() <= 1


def rebuilt(file: Path) -> nn.Module:
    *_, bare = read_weights(file)[0].views()
    return Pix2Pix.from_state_dict(bare.state, file.name)[2].generator


def test_old_files_with_statistics_that_nothing_uses(tmp_path: Path) -> None:
    network = reference("instance")
    state = dict(network.state_dict())
    for key in list(state):
        if key.endswith(".1.bias"):
            state[key.replace("1.bias", "2.running_mean")] = torch.ones(4)
            state[key.replace("1.bias", "2.num_batches_tracked")] = torch.tensor(3)
    torch.save(state, tmp_path / "old.pth")
    image = torch.rand(1, 3, 32, 64)
    with torch.no_grad():
        assert torch.allclose(rebuilt(tmp_path / "old.pth")(image), network(image), atol=1e-5)


def test_wrapped_and_prefixed_files_are_read(tmp_path: Path) -> None:
    network = reference("batch")
    state = {f"module.{key}": value for key, value in network.state_dict().items()}
    torch.save({"state_dict": state}, tmp_path / "a.pth")
    image = torch.rand(1, 3, 32, 32)
    with torch.no_grad():
        assert torch.allclose(rebuilt(tmp_path / "a.pth")(image), network(image), atol=1e-5)


def test_other_layouts_are_refused_in_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    state = reference("batch").state_dict()
    cases = {
        "resnet": {"model.1.weight": torch.zeros(64, 3, 7, 7), "model.10.conv_block.1.weight": torch.zeros(4, 4, 3, 3)},
        "more": {**state, "model.model.9.weight": torch.zeros(3)},
        "less": {key: value for key, value in state.items() if not key.endswith("model.3.weight")},
        "shape": {**state, "model.model.1.model.1.weight": torch.zeros(9, 4, 4, 4)},
        "channels": reference("batch", inputs=6).state_dict(),
        "flat": {**state, "model.model.0.weight": torch.zeros(4)},
        "empty levels": {
            "model.model.0.weight": torch.zeros(4, 3, 4, 4),
            "model.model.3.weight": torch.zeros(8, 3, 4, 4),
        },
    }
    for name, content in cases.items():
        torch.save(content, tmp_path / f"{name}.pth")
        assert main([str(tmp_path / f"{name}.pth"), "--family", "pix2pix", "-o", str(tmp_path / "x.onnx")]) == 2
        (line,) = capsys.readouterr().err.strip().splitlines()
        assert line.startswith("error: ")
        assert f"{name}.pth" in line
    assert not (tmp_path / "x.onnx").exists()


@pytest.mark.slow
@pytest.mark.parametrize("options", [{}, {"norm": "instance"}, {"batch_size": 4}], ids=["image", "instance", "batch"])
def test_our_own_agree_on_three_batches_and_two_sizes(options: dict[str, Any]) -> None:
    torch.manual_seed(0)
    spec = DataSpec(image_size=(64, 64), channels=3, condition_channels=1)
    family = Pix2Pix(Pix2PixConfig(width=4, **options))
    nets = family.build(spec)
    shaken(nets.generator).eval()
    (item,) = family.exports(nets, {})
    network = Whole(item)
    parity = check_parity(network, trace(network))
    assert parity["cases"] == 6
    assert parity["max_difference"] <= 1e-4
    for page in (0, 255):  # an empty page has no deviation to be divided by
        white = np.full((1, 64, 64, 1), page, np.uint8)
        with torch.inference_mode():
            assert np.isfinite(network(torch.from_numpy(white)).numpy()).all()


def test_the_card_tells_how_the_input_is_made(tmp_path: Path) -> None:
    family = Pix2Pix(Pix2PixConfig(width=2, mode_seeking=1.0, latent_size=3, sigma=0.4, batch_size=2))
    spec = DataSpec(image_size=(32, 32), channels=3, condition_channels=1)
    nets = family.build(spec)
    nets.generator.eval()
    facts = family.describe(nets, iter([]))
    origin = Origin(family="pix2pix", spec=spec, training={"step": 3})
    (path,) = export_networks(family.exports(nets, facts), origin, Output(path=tmp_path / "x.onnx"))
    card = open_model(path).card
    assert card is not None
    assert card.condition == {"kind": "edges", "sigma": 0.4, "blur": 3, "size": [32, 32]}
    assert card.latent is not None
    assert (card.latent.size, card.input_channels, card.channels, card.multiple) == (3, 1, 3, 32)
    assert card.training["normalisation"] == "running statistics of training"
    assert card.training["step"] == 3


def test_no_network_is_exported_that_still_drops(tmp_path: Path) -> None:
    family = Pix2Pix(Pix2PixConfig(width=2))
    spec = DataSpec(image_size=(32, 32), channels=3, condition_channels=1)
    nets = family.build(spec)
    origin = Origin(family="pix2pix", spec=spec)
    with pytest.raises(UserError, match="train mode"):
        export_networks(family.exports(nets, {}), origin, Output(path=tmp_path / "x.onnx"))
