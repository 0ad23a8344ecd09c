"""Latents of files: standard normal, and the network's own again behind them."""

import pytest
import torch
from torch import nn

from trainer.families.alphagan import AlphaGAN, AlphaGANConfig
from trainer.families.vae import VAE, VAEConfig
from trainer.families.vaegan import VAEGAN, VAEGANConfig
from trainer.family import DataSpec, Family
from trainer.parts.latent_whitening import FromNormal, ToNormal, Whitening, fit_gaussian

FACTOR = torch.tensor([[2.0, 0, 0], [1.5, 0.5, 0], [0, -0.3, 0.1]])
CENTRE = torch.tensor([3.0, -1, 0.5])


def latents(count: int) -> torch.Tensor:
    return CENTRE + torch.randn(count, 3, generator=torch.Generator().manual_seed(0)) @ FACTOR.T


def from_normal(whitening: Whitening) -> FromNormal:
    return FromNormal(nn.Identity(), whitening.mean, whitening.factor)


def test_draws_lie_where_the_encoder_lays_its_latents() -> None:
    own = latents(20_000)
    draw = from_normal(Whitening(fit_gaussian(own), 3))
    drawn = draw(torch.randn(20_000, 3, generator=torch.Generator().manual_seed(1)))
    assert torch.allclose(drawn.mean(0), own.mean(0), atol=0.06)
    assert torch.allclose(torch.cov(drawn.T), torch.cov(own.T), atol=0.15)


def test_posterior_variances_widen_the_draws() -> None:
    own = latents(500)
    wider = torch.tensor(fit_gaussian(own, torch.full_like(own, 0.7))["latent_covariance"])
    assert torch.allclose(wider - torch.cov(own.double().T), 0.7 * torch.eye(3, dtype=torch.float64), atol=1e-6)


@pytest.mark.parametrize("count", [500, 2], ids=["many", "fewer than dimensions"])
def test_the_pair_of_files_is_the_networks_own_pair(count: int) -> None:
    own = latents(count)
    facts = fit_gaussian(own)
    whitening = Whitening(facts, 3)
    normal = ToNormal(nn.Identity(), whitening.mean, whitening.inverse)(own)
    assert torch.allclose(from_normal(whitening)(normal), own, atol=1e-3)
    card = whitening.whiten(facts)
    assert torch.allclose(torch.tensor(card["sample_latents"]), normal[:8], atol=1e-3)
    assert card["latent_mean"] == [0, 0, 0]


def test_the_strongest_direction_is_the_first_axis() -> None:
    steps = Whitening(fit_gaussian(latents(5000)), 3).factor.norm(dim=0)
    assert steps[0] > steps[1] > steps[2]


@pytest.mark.parametrize("facts", [{}, fit_gaussian(torch.ones(1, 3))], ids=["none", "one image"])
def test_without_a_fit_latents_stay_as_they_are(facts: dict[str, object]) -> None:
    own = latents(4)
    whitening = Whitening(facts, 3)
    assert torch.equal(from_normal(whitening)(own), own)
    assert "latent_mean" not in facts or whitening.whiten(facts)["latent_mean"] == []


@pytest.mark.parametrize(
    "family",
    [
        VAE(VAEConfig(arch="conv", width=16)),
        VAEGAN(VAEGANConfig(discriminator="resnet10")),
        AlphaGAN(AlphaGANConfig(width=8)),
    ],
    ids=["vae", "vaegan", "alphagan"],
)
def test_files_are_made_where_their_networks_are(family: Family) -> None:
    nets = family.build(DataSpec(image_size=(32, 32), channels=3))
    for net in nets.values():
        net.to("meta")  # as good as any accelerator for finding a tensor that was left behind
    for file in family.exports(nets, {}):
        assert {value.device.type for value in file.inputs.values()} == {"meta"}
