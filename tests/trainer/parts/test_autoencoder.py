"""Latents of autoencoders that can be drawn: what is measured, and the way there and back."""

import pytest
import torch
from torch import Tensor

from trainer.families.ae import AE, AEConfig
from trainer.families.convae import ConvAE, ConvAEConfig
from trainer.family import Batch, DataSpec, Nets
from trainer.parts.autoencoder import Autoencoder


class Identity(torch.nn.Identity):
    """Codes that are the images themselves, or back."""


def network_of(images: Tensor, latent_size: int) -> Autoencoder:
    """An autoencoder whose codes are the images, measured on these, in 0..1."""
    network = Autoencoder(Identity(), Identity(), tuple(images.shape[1:]), latent_size)
    network.measure(images * 2 - 1)
    return network.eval()


def test_latents_of_training_images_are_white_and_lead_back() -> None:
    torch.manual_seed(0)
    mixing = torch.randn(5, 3 * 4 * 4)
    images = (torch.randn(400, 5) @ mixing).view(400, 3, 4, 4) * 0.05 + 0.4
    network = network_of(images, 5)
    latents = network.encode(images)
    assert torch.allclose(latents.mean(0), torch.zeros(5), atol=1e-4)
    assert torch.allclose(torch.cov(latents.T), torch.eye(5), atol=1e-3)
    assert torch.allclose(network.decode(latents), images, atol=1e-4)
    scales = network.stds
    assert torch.equal(scales, scales.sort(descending=True).values)


def test_fewer_latents_keep_the_strongest_directions() -> None:
    torch.manual_seed(0)
    images = torch.randn(300, 1, 3, 3) * torch.tensor([3.0, 2.0, 1.0] + 6 * [0.01]).view(1, 1, 3, 3)
    network = network_of(images, 3)
    decoded = network.decode(network.encode(images))
    assert (decoded - images).square().mean() < 1e-3 * images.square().mean()


@pytest.mark.parametrize("seen", [0, 1, 2, 7])
def test_a_network_that_has_seen_little_still_draws(seen: int) -> None:
    network = network_of(torch.rand(seen, 1, 4, 4), 6) if seen else Autoencoder(Identity(), Identity(), (1, 4, 4), 6)
    image = network.decode(torch.randn(3, 6))
    latent = network.encode(torch.rand(3, 1, 4, 4))
    assert image.shape == (3, 1, 4, 4)
    assert latent.shape == (3, 6)
    assert bool(image.isfinite().all())
    assert bool(latent.isfinite().all())


@pytest.mark.parametrize("ended", [3, 1500], ids=["few", "many"])
def test_latents_are_those_of_the_network_that_is_described(ended: int) -> None:
    """From images of all over the set, also of one in order of class."""
    torch.manual_seed(0)
    images = torch.cat([torch.rand(ended, 1, 8, 8) - 1, torch.rand(ended, 1, 8, 8)])
    family = AE(AEConfig(latent_size=4))
    nets = family.build(DataSpec(image_size=(8, 8), channels=1))
    with torch.no_grad():
        facts = family.describe(nets, iter([Batch(image=part) for part in images.split(64)]))
        latents = nets.autoencoder.encode(images * 0.5 + 0.5)
    assert torch.allclose(latents.mean(0), torch.zeros(4), atol=0.1)
    assert torch.allclose(latents.std(0), torch.ones(4), atol=0.15)
    assert torch.allclose(torch.tensor(facts["sample_latents"]), latents[: min(8, 2 * ended)], atol=1e-5)


@pytest.mark.parametrize("size", [(28, 28), (32, 32), (64, 64), (96, 96), (128, 128), (20, 36)], ids=str)
@pytest.mark.parametrize("family", [AE(AEConfig(hidden_size=8)), ConvAE(ConvAEConfig())], ids=["ae", "convae"])
def test_every_size_fits(family: AE | ConvAE, size: tuple[int, int]) -> None:
    spec = DataSpec(image_size=size, channels=3 if size[0] % 3 else 1)
    nets = family.build(spec)
    image = torch.rand(2, spec.channels, *size) * 2 - 1
    nets.autoencoder(image)
    evaluated = Nets(autoencoder=nets.autoencoder.eval())
    with torch.no_grad():
        assert nets.autoencoder(image).shape == image.shape
        drawn = family.sample(evaluated, {}, *family.sample_inputs(3, spec, torch.Generator().manual_seed(0), iter(())))
    assert drawn.shape == (3, spec.channels, *size)


def test_the_score_is_the_error_of_images_as_they_are_shown() -> None:
    nets = AE(AEConfig(latent_size=2)).build(DataSpec(image_size=(4, 4), channels=1))
    for parameter in nets.autoencoder.parameters():
        torch.nn.init.zeros_(parameter)
    nets.autoencoder.decoder[-2].bias.data.fill_(3.0)  # brighter than white: shown as white
    score = AE(AEConfig()).score(nets, Batch(image=torch.full((2, 1, 4, 4), 0.5)))
    assert torch.allclose(score["mse"], torch.tensor(0.25**2).expand(2))


def test_sides_that_cannot_be_pooled_twice_are_refused() -> None:
    with pytest.raises(ValueError, match=r"^images are 30x28 px, expected multiples of 4 px$"):
        ConvAE(ConvAEConfig()).build(DataSpec(image_size=(28, 30), channels=3))
