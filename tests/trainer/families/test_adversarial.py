"""What is particular to the adversarial families: sizes, the rules of the papers, what is refused."""

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from typing import Any

import pytest
import torch
from torch import Tensor

from trainer.contract.errors import UserError
from trainer.families.dcgan import DCGAN, DCGANConfig
from trainer.families.gan import GAN, GANConfig
from trainer.families.r3gan import R3GAN, R3GANConfig
from trainer.families.wgan import WGAN, WGANConfig
from trainer.families.wgan_gp import WGANGP, WGANGPConfig
from trainer.family import Batch, DataSpec, Family, Latent, Nets

CASES = [
    pytest.param(GAN(GANConfig()), 1, id="gan"),
    pytest.param(DCGAN(DCGANConfig(arch="dense")), 16, id="dcgan-dense"),
    pytest.param(DCGAN(DCGANConfig(arch="conv", width=4)), 6, id="dcgan-conv"),
    pytest.param(WGAN(WGANConfig(arch="conv", width=4)), 6, id="wgan-conv"),
    pytest.param(WGAN(WGANConfig(arch="mlp", hidden_size=16)), 1, id="wgan-mlp"),
    pytest.param(WGANGP(WGANGPConfig(arch="conv", width=8)), 6, id="wgan_gp-conv"),
    pytest.param(WGANGP(WGANGPConfig(arch="resnet", width=8)), 6, id="wgan_gp-resnet"),
    pytest.param(R3GAN(R3GANConfig(width=8)), 6, id="r3gan"),
]
SIZES = [(28, 28), (32, 32), (64, 64), (96, 96), (128, 128), (30, 45), (17, 16)]


@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize(("family", "least"), CASES)
def test_every_size_fits(family: Family, least: int, size: tuple[int, int]) -> None:
    spec = DataSpec(image_size=size, channels=1 if size[0] % 3 else 3)
    nets = family.build(spec)
    latent = family.sample_inputs(2, spec, torch.Generator().manual_seed(0), iter(()))
    with torch.no_grad():
        image = family.sample(nets, {}, *latent)
        critic = nets.critic if "critic" in nets else nets.discriminator
        assert critic(image).shape == (2,)
    assert image.shape == (2, spec.channels, *size)


@pytest.mark.parametrize(("family", "least"), CASES)
def test_images_that_are_too_small_are_refused_in_one_line(family: Family, least: int) -> None:
    if least > 1:
        with pytest.raises(ValueError, match=rf"^images are 40x{least - 1} px, expected .*at least {least} px.*$"):
            family.build(DataSpec(image_size=(least - 1, 40), channels=3))
    family.build(DataSpec(image_size=(least, 40), channels=3))


class Turns:
    """Turns that learn nothing but note whose they were and what was lost."""

    def __init__(self, nets: Nets) -> None:
        self.nets, self.taken, self.losses = nets, [], {}  # type: ignore[var-annotated]

    @contextmanager
    def __call__(self, name: str) -> Iterator[dict[str, Tensor]]:
        self.taken.append(name)
        loss: dict[str, Tensor] = {}
        yield loss
        for parameter in self.nets[name].parameters():
            parameter.grad = None
        torch.stack(list(loss.values())).sum().backward()
        self.losses[name] = {key: value.item() for key, value in loss.items()}


SPEC = DataSpec(image_size=(16, 16), channels=1)


@pytest.mark.parametrize(
    "family", [WGAN(WGANConfig(width=4, clip=0.005)), WGANGP(WGANGPConfig(width=8, critic_steps=3))], ids=["clip", "gp"]
)
def test_the_critic_takes_its_turns_on_fresh_batches(family: Any) -> None:
    nets = family.build(SPEC)
    turns, served = Turns(nets), count()
    batches = (Batch(image=torch.full((2, 1, 16, 16), next(served) / 10)) for _ in range(100))
    family.step(nets, batches, turns)
    assert turns.taken == ["critic"] * family.config.critic_steps + ["generator"]
    assert next(served) == family.config.critic_steps
    if isinstance(family, WGAN):
        assert max(weight.abs().max().item() for weight in nets.critic.parameters()) == pytest.approx(0.005)


@pytest.mark.parametrize("objective", ["bce", "lsgan", "hinge", "nonsaturating"])
def test_every_game_of_dcgan_with_every_help(objective: Any) -> None:
    torch.manual_seed(0)
    smoothing = 0.1 if objective in ("bce", "lsgan") else 0.0
    config = DCGANConfig(
        arch="conv", width=4, objective=objective, r1=2.0, label_smoothing=smoothing, diffaugment="colour,cutout"
    )
    family = DCGAN(config)
    nets = family.build(SPEC)
    turns = Turns(nets)
    image = torch.rand(4, 1, 16, 16) * 2 - 1
    family.step(nets, iter([Batch(image=image)]), turns)
    assert turns.losses["discriminator"]["r1"] > 0
    assert turns.losses["discriminator"].keys() == {"real", "fake", "r1"}
    assert not image.requires_grad
    for net in nets.values():
        assert all(
            bool(parameter.grad.isfinite().all()) for parameter in net.parameters() if parameter.grad is not None
        )


def test_the_penalised_critic_normalises_no_batches() -> None:
    for norm in ("layer", "group", "none"):
        for arch in ("conv", "resnet"):
            config: Any = {"arch": arch, "critic_norm": norm, "width": 8}
            critic = WGANGP(WGANGPConfig(**config)).build(SPEC).critic
            images = torch.randn(4, 1, 16, 16)
            assert torch.allclose(critic(images)[:2], critic(images[:2]), atol=1e-5), (norm, arch)


@pytest.mark.parametrize(
    ("config", "options", "words"),
    [
        (DCGANConfig, {"diffaugment": "colour,blur"}, "--diffaugment is colour,blur, expected some of colour"),
        (DCGANConfig, {"objective": "hinge", "label_smoothing": 0.1}, "expected 0 with --objective hinge"),
        (DCGANConfig, {"label_smoothing": 0.6}, "expected 0 to 0.5"),
        (WGANConfig, {"clip": 0.0}, "--clip is 0.0, expected more than 0"),
        (WGANGPConfig, {"width": 12}, "--width is 12, expected a multiple of 8"),
        (R3GANConfig, {"width": 12}, "--width is 12, expected a multiple of 8"),
        (R3GANConfig, {"gamma": -1.0}, "--gamma is -1.0, expected at least 0"),
        (R3GANConfig, {"beta2_to": 1.0}, "--beta2-to is 1.0, expected 0 to less than 1"),
        (R3GANConfig, {"diffaugment": "blur"}, "--diffaugment is blur, expected some of colour"),
        (WGANGPConfig, {"critic_steps": 0}, "--critic-steps is 0"),
        (GANConfig, {"latent_size": 0}, "--latent-size is 0"),
        (GANConfig, {"dropout": 1.0}, "--dropout is 1.0"),
    ],
)
def test_options_that_make_no_sense_are_refused(config: Any, options: dict[str, Any], words: str) -> None:
    with pytest.raises(UserError, match=words):
        config(**options)


def test_a_uniform_prior_stays_in_its_bounds() -> None:
    family = GAN(GANConfig(prior="uniform", latent_size=7))
    (latent,) = family.sample_inputs(500, SPEC, torch.Generator().manual_seed(0), iter(()))
    assert latent.shape == (500, 7)
    assert latent.abs().max() <= 1
    assert latent.std().item() == pytest.approx(3**-0.5, abs=0.02)
    (file,) = family.exports(family.build(SPEC), {})
    assert file.card.latent == Latent(size=7, prior="uniform")
