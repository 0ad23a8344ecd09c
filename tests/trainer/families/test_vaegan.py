"""What is particular to the VAE-GAN."""

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from torchvision.models import resnet18

from trainer.contract.errors import UserError
from trainer.data.batches import open_data
from trainer.families.vaegan import VAEGAN, VAEGANConfig
from trainer.family import DataSpec

SPEC = DataSpec(image_size=(96, 64), channels=1)


def test_every_32_pixels_are_one_patch() -> None:
    nets = VAEGAN(VAEGANConfig(discriminator="resnet50")).build(SPEC)
    assert nets.discriminator(torch.rand(2, 1, 96, 64)).shape == (2, 1, 3, 2)
    assert nets.vae.decoder[0].out_features == 512 * 3 * 2


def test_a_discriminator_can_begin_with_weights_made_elsewhere(tmp_path: Path) -> None:
    torch.manual_seed(0)
    file = tmp_path / "resnet18.pth"
    weights = resnet18().state_dict()
    torch.save(weights, file)
    family = VAEGAN(VAEGANConfig(discriminator="resnet18", discriminator_weights=file))
    nets = family.build(SPEC)
    family.begin(nets)
    for key, value in nets.discriminator.state_dict().items():
        assert key.startswith("patch.") or torch.equal(value, weights[key])


def test_weights_that_are_missing_or_of_another_network_are_one_line(tmp_path: Path) -> None:
    (tmp_path / "text.pth").write_text("no weights")
    torch.save(resnet18().state_dict(), tmp_path / "resnet18.pth")
    for name in ("missing.pth", "text.pth", "resnet18.pth"):
        family = VAEGAN(VAEGANConfig(discriminator="resnet50", discriminator_weights=tmp_path / name))
        with pytest.raises(UserError, match=name) as caught:
            family.begin(family.build(SPEC))
        assert "\n" not in str(caught.value)


def test_sides_that_cannot_be_halved_five_times_are_refused() -> None:
    with pytest.raises(ValueError, match="28x28 px, expected multiples of 32 px"):
        VAEGAN(VAEGANConfig()).build(DataSpec(image_size=(28, 28), channels=3))


def test_only_images_of_three_colours_are_learnt_from(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    random = np.random.default_rng(0)
    for name, channels in (("grey.png", 1), ("grey.jpg", 1), ("clear.png", 4), ("rgb.png", 3), ("rgb.jpg", 3)):
        cv2.imwrite(str(tmp_path / name), random.integers(0, 256, (32, 32, channels), np.uint8))
    family = VAEGAN(VAEGANConfig(data=str(tmp_path), image_size=32))
    assert len(open_data(family.config, family.reading(), progress=False)) == 2
    said = capsys.readouterr().err
    assert said.count("not stored in three colours") == 3
    family = VAEGAN(VAEGANConfig(data=str(tmp_path), image_size=32, rgb_only=False))
    assert len(open_data(family.config, family.reading(), progress=False)) == 5
