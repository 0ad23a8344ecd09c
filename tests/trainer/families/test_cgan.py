"""What is particular to the conditional GAN."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from commands import train

from trainer.families.cgan import ConditionalGAN, ConditionalGANConfig
from trainer.family import DataSpec

SPEC = DataSpec(image_size=(28, 28), channels=1, classes=("cat", "dog", "newt"))


@pytest.mark.parametrize("conditioning", ["concat", "projection"])
@pytest.mark.parametrize("arch", ["conv", "mlp"])
def test_both_networks_heed_the_label(arch: Any, conditioning: Any) -> None:
    torch.manual_seed(0)
    family = ConditionalGAN(ConditionalGANConfig(arch=arch, conditioning=conditioning, width=8))
    nets = family.build(SPEC)
    for net in nets.values():
        net.eval()
    for weight in nets.discriminator.parameters():  # vectors of classes begin at zero
        weight.data.add_(0.02 * torch.randn_like(weight))
    latent, one, two = torch.randn(4, 100), torch.full((4,), 0), torch.full((4,), 2)
    with torch.no_grad():
        images = nets.generator(latent, one)
        assert not torch.allclose(images, nets.generator(latent, two))
        assert not torch.allclose(nets.discriminator(images, one), nets.discriminator(images, two))


def test_rows_of_a_sheet_are_classes_and_a_large_draw_has_all_of_them() -> None:
    family = ConditionalGAN(ConditionalGANConfig())
    latent, label = family.sample_inputs(9, SPEC, torch.Generator().manual_seed(0), iter(()))
    assert latent.shape == (9, 100)
    assert label.tolist() == [0, 0, 0, 1, 1, 1, 2, 2, 2]
    _, label = family.sample_inputs(2000, SPEC, torch.Generator().manual_seed(0), iter(()))
    assert label.bincount().min() > 600


def test_images_without_classes_or_of_one_are_refused_in_a_line(tmp_path: Path, images: Path) -> None:
    cats = tmp_path / "cats.npy"
    np.save(cats, np.zeros((9, 16, 16, 3), np.uint8))
    cats.with_suffix(".json").write_text(json.dumps({"labels": [0] * 9, "classes": ["cat", "dog"]}))
    for data, words in ((images, "holds no labels"), (cats, "are of one class")):
        result = train("--data", data, "--out", tmp_path / "run", "--steps", 1, model="cgan")
        assert (result.returncode, result.stderr.count("\n")) == (2, 1), result.stderr
        assert words in result.stderr
