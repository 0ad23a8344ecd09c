"""What is particular to the conditional GAN."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from commands import train

from trainer.contract.errors import UserError
from trainer.families.cgan import ClassNorm, ConditionalGAN, ConditionalGANConfig
from trainer.family import DataSpec

SPEC = DataSpec(image_size=(28, 28), channels=1, classes=("cat", "dog", "newt"))


@pytest.mark.parametrize("conditioning", ["concat", "projection"])
@pytest.mark.parametrize("arch", ["conv", "mlp"])
@pytest.mark.parametrize("discriminator_norm", ["batch", "spectral"])
def test_both_networks_heed_the_label(arch: Any, conditioning: Any, discriminator_norm: Any) -> None:
    torch.manual_seed(0)
    options = {"arch": arch, "conditioning": conditioning, "discriminator_norm": discriminator_norm}
    if (arch, conditioning) == ("mlp", "concat"):
        options["label_units"] = 50
    family = ConditionalGAN(ConditionalGANConfig(width=8, **options))
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


def test_a_class_has_a_scale_and_an_offset_of_its_own() -> None:
    torch.manual_seed(0)
    config = ConditionalGANConfig(norm="class", discriminator_norm="spectral", conditioning="projection", width=8)
    nets = ConditionalGAN(config).build(SPEC)
    latent, one, two = torch.randn(6, 100), torch.full((6,), 0), torch.full((6,), 2)
    with torch.no_grad():
        assert torch.allclose(nets.generator(latent, one), nets.generator(latent, two)), "they begin alike"
        for name, weight in nets.generator.named_parameters():
            if "scale" in name or "offset" in name:
                weight[2] += torch.randn_like(weight[2])
        nets.generator.eval()
        assert not torch.allclose(nets.generator(latent, one), nets.generator(latent, two), atol=1e-3)
        plain = ConditionalGAN(ConditionalGANConfig(width=8)).build(SPEC).generator.body
        normed = [layer for layer in nets.generator.body if isinstance(layer, ClassNorm)]
        assert len(normed) == sum(isinstance(layer, torch.nn.BatchNorm2d) for layer in plain)


@pytest.mark.parametrize("arch", ["conv", "mlp"])
def test_spectral_norms_are_one(arch: Any) -> None:
    torch.manual_seed(0)
    config = ConditionalGANConfig(arch=arch, conditioning="projection", discriminator_norm="spectral", width=8)
    discriminator = ConditionalGAN(config).build(SPEC).discriminator
    for _ in range(60):  # each finds the largest singular value more exactly
        discriminator(torch.randn(4, 1, 28, 28), torch.arange(4) % 3)
    weights = [part.weight for part in discriminator.modules() if hasattr(part, "parametrizations")]
    assert len(weights) >= 4
    for weight in weights:
        assert torch.linalg.matrix_norm(weight.flatten(1), 2).item() == pytest.approx(1, abs=0.05)
    assert not any(isinstance(part, torch.nn.BatchNorm2d) for part in discriminator.modules())


def test_the_first_papers_discriminator() -> None:
    """Section 4.1: 240 units of 5 pieces of the image, 50 of 5 of the class, 240 of 4 of both."""
    features = ConditionalGAN(ConditionalGANConfig(arch="mlp", label_units=50)).build(SPEC).discriminator.features
    parts = (features.of_image, features.of_label, features.together)
    assert [(part.in_features, part.out_features // part.pieces, part.pieces) for part in parts] == [
        (784, 240, 5), (3, 50, 5), (290, 240, 4),
    ]  # fmt: skip
    for wrong in ({"arch": "mlp", "norm": "class"}, {"label_units": 50}):
        with pytest.raises(UserError, match="expected"):
            ConditionalGANConfig(**wrong)


def test_rows_of_a_sheet_are_classes_and_a_large_draw_has_all_of_them() -> None:
    family = ConditionalGAN(ConditionalGANConfig())
    latent, label = family.sample_inputs(9, SPEC, torch.Generator().manual_seed(0), iter(()))
    assert latent.shape == (9, 100)
    assert label.tolist() == [0, 0, 0, 1, 1, 1, 2, 2, 2]
    _, label = family.sample_inputs(2000, SPEC, torch.Generator().manual_seed(0), iter(()))
    assert label.bincount().min() > 600


def test_images_without_classes_or_of_one_are_refused_in_a_line(tmp_path: Path, images: Path) -> None:
    cats = tmp_path / "cats.npy"
    np.save(cats, np.full((9, 16, 16, 3), 128, np.uint8))
    cats.with_suffix(".json").write_text(json.dumps({"labels": [0] * 9, "classes": ["cat", "dog"]}))
    for data, words in ((images, "holds no labels"), (cats, "are of one class")):
        result = train("--data", data, "--out", tmp_path / "run", "--steps", 1, model="cgan")
        assert (result.returncode, result.stderr.count("\n")) == (2, 1), result.stderr
        assert words in result.stderr
