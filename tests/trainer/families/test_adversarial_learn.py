"""Each adversarial loss trains either side: a discriminator trained alone tells real images from generated ones, and
a generator trained alone then scores higher. A wrong sign or label fails here."""

import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import torch
from torch import Tensor

from trainer.families.alphagan import AlphaGAN, AlphaGANConfig
from trainer.families.cgan import ConditionalGAN, ConditionalGANConfig
from trainer.families.dcgan import DCGAN, DCGANConfig
from trainer.families.gan import GAN, GANConfig
from trainer.families.r3gan import R3GAN, R3GANConfig
from trainer.families.vaegan import VAEGAN, VAEGANConfig
from trainer.families.wgan import WGAN, WGANConfig
from trainer.families.wgan_gp import WGANGP, WGANGPConfig
from trainer.family import Batch, DataSpec, Family, Nets

SPEC = DataSpec(image_size=(16, 16), channels=1, classes=("dark", "bright"))
LABEL = torch.arange(16) % 2

OBJECTIVES = [
    pytest.param(GAN(GANConfig()), id="gan"),
    *(
        pytest.param(DCGAN(DCGANConfig(arch="conv", width=8, objective=objective)), id=f"dcgan-{objective}")
        for objective in ("bce", "lsgan", "hinge", "nonsaturating")
    ),
    pytest.param(WGAN(WGANConfig(width=8)), id="wgan"),
    pytest.param(WGANGP(WGANGPConfig(width=8)), id="wgan_gp"),
    pytest.param(AlphaGAN(AlphaGANConfig(width=8, latent_size=8, code_width=16, reconstruction=0.0)), id="alphagan"),
    pytest.param(R3GAN(R3GANConfig(width=8, classes=False)), id="r3gan"),
]
ASKED = [
    pytest.param(ConditionalGAN(ConditionalGANConfig(width=8, conditioning=conditioning, objective=objective)))
    for conditioning, objective in itertools.product(("concat", "projection"), ("bce", "hinge"))
] + [pytest.param(R3GAN(R3GANConfig(width=8)), id="r3gan", marks=pytest.mark.slow)]


class OnlyOne:
    """Turns in which one network alone learns, by plain gradient descent; ``terms`` are all turns' last losses."""

    step, progress = 0, 0.0

    def __init__(self, nets: Nets, learner: str) -> None:
        self.nets, self.learner = nets, learner
        self.optimizer = torch.optim.Adam(nets[learner].parameters(), lr=2e-3)
        self.terms: dict[str, dict[str, float]] = {}

    @contextmanager
    def __call__(self, name: str) -> Iterator[dict[str, Tensor]]:
        loss: dict[str, Tensor] = {}
        yield loss
        self.terms[name] = {key: value.item() for key, value in loss.items()}
        if name == self.learner:
            self.optimizer.zero_grad()
            torch.stack(list(loss.values())).sum().backward()
            self.optimizer.step()


def learn(family: Family, nets: Nets, learner: str, batch: Batch, steps: int) -> OnlyOne:
    turns = OnlyOne(nets, learner)
    for _ in range(steps):
        family.step(nets, itertools.repeat(batch), turns)
    return turns


def images(family: Family) -> Batch:
    """Dark and bright ones by label, in the family's range."""
    low, high = family.image_range
    bright = 0.15 + 0.7 * LABEL.view(-1, 1, 1, 1) + 0.1 * torch.rand(16, 1, 16, 16)
    return Batch(image=low + (high - low) * bright, label=LABEL)


@torch.no_grad()
def scores(family: Any, nets: Nets, batch: Batch) -> tuple[float, float]:
    """Mean score of real images and of generated ones."""
    critic = nets["critic" if "critic" in nets else "discriminator"]
    fake = nets.generator(family.latent.draw(16, generator=torch.Generator().manual_seed(1)))
    return critic(batch.image).mean().item(), critic(fake).mean().item()


@pytest.mark.parametrize("family", OBJECTIVES)
def test_each_side_learns_to_win(family: Any) -> None:
    torch.manual_seed(0)
    nets = family.build(SPEC)
    batch = images(family)
    learn(family, nets, "critic" if "critic" in nets else "discriminator", batch, 10)
    real, fake = scores(family, nets, batch)
    assert real > fake
    learn(family, nets, "generator", batch, 10)
    assert scores(family, nets, batch)[1] > fake


@pytest.mark.parametrize("family", ASKED)
def test_a_generator_is_scored_by_the_class_it_was_asked_for(family: Any) -> None:
    torch.manual_seed(0)
    nets = family.build(SPEC)
    batch = images(family)
    for _ in range(40):
        learn(family, nets, "discriminator", batch, 2)
        learn(family, nets, "generator", batch, 2)
    with torch.no_grad():
        drawn = nets.generator(family.noise(16), LABEL).mean((1, 2, 3))
        right, wrong = (nets.discriminator(batch.image, label).mean() for label in (LABEL, 1 - LABEL))
    assert drawn[LABEL == 1].mean() > drawn[LABEL == 0].mean() + 0.1
    assert right > wrong


def test_codes_are_told_from_the_prior_and_drawn_towards_it() -> None:
    torch.manual_seed(0)
    family = AlphaGAN(AlphaGANConfig(width=8, latent_size=8, code_width=16, reconstruction=0.0))
    nets, latent = family.build(SPEC), torch.randn(64, 8)
    batch = images(family)
    learn(family, nets, "code_discriminator", batch, 20)
    with torch.no_grad():
        before = nets.code_discriminator(nets.encoder(batch.image)).mean()
        assert nets.code_discriminator(latent).mean() > before
    learn(family, nets, "encoder", batch, 10)
    with torch.no_grad():
        assert nets.code_discriminator(nets.encoder(batch.image)).mean() > before


def test_patches_are_scored_and_latents_drawn_towards_the_prior() -> None:
    torch.manual_seed(0)
    spec = DataSpec(image_size=(32, 32), channels=3)
    weights: Any = {"absolute": 0.0, "cross_entropy": 0.0, "divergence": 30.0}
    family = VAEGAN(VAEGANConfig(latent_size=4, discriminator="resnet10", **weights))
    nets = family.build(spec)
    batch = Batch(image=torch.rand(8, 3, 32, 32).round())

    @torch.no_grad()
    def verdicts() -> tuple[float, float]:
        shown = (batch.image, nets.vae(batch.image).logits.sigmoid())
        real, fake = (nets.discriminator(image)[0].mean().item() for image in shown)
        return real, fake

    learn(family, nets, "discriminator", batch, 6)
    real, fake = verdicts()
    assert real > fake
    first = learn(family, nets, "vae", batch, 1).terms["vae"]["divergence"]
    assert 0 < learn(family, nets, "vae", batch, 6).terms["vae"]["divergence"] < first
    assert verdicts()[1] > fake


@pytest.mark.parametrize("family", [WGAN(WGANConfig(width=8)), WGANGP(WGANGPConfig(width=8))], ids=["wgan", "wgan_gp"])
def test_a_critic_has_no_labels_only_scores(family: Any) -> None:
    torch.manual_seed(0)
    nets = family.build(SPEC)
    given: list[float] = []
    nets.critic.register_forward_hook(
        lambda _, inputs, score: given.extend(part.mean().item() for part in score.split(16))
    )
    turns = learn(family, nets, "generator", images(family), 1)
    first_of_last_turn = 2 * (family.config.critic_steps - 1) if isinstance(family, WGAN) else -4
    real, fake = given[first_of_last_turn : first_of_last_turn + 2]
    assert turns.terms["critic"]["real"] == pytest.approx(-real)
    assert turns.terms["critic"]["fake"] == pytest.approx(fake)
    assert turns.terms["generator"]["adversarial"] == pytest.approx(-given[-1])


def test_the_slope_is_measured_between_real_and_generated_images() -> None:
    torch.manual_seed(0)
    family = WGANGP(WGANGPConfig(width=8, critic_steps=1))
    nets = family.build(SPEC)
    scored: list[Tensor] = []
    nets.critic.register_forward_pre_hook(lambda _, given: scored.append(given[0].detach()))
    batch = Batch(image=torch.ones(4, 1, 16, 16))
    family.step(nets, iter([batch]), OnlyOne(nets, "critic"))
    both, between, _ = scored
    real, fake = both.chunk(2)
    assert torch.equal(real, batch.image)
    share = ((real - between) / (real - fake)).flatten(1)
    assert torch.allclose(share, share[:, :1].expand_as(share), atol=1e-4)
    assert 0 < share.min() < share.max() < 1
    assert share[:, 0].unique().numel() == 4
