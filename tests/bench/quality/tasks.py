"""What each family learns in the comparison, on both sides, and what is measured of it."""

import importlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from plain.alphagan import AlphaGAN
from plain.autoencoders import ConvAutoencoder, DeepAutoencoder
from plain.base import Plain, Settings
from plain.cgan import ConditionalGAN
from plain.dcgan import DCGAN
from plain.ddpm import DDPM
from plain.gan import GAN
from plain.hpf import Sharpened
from plain.pix2pix import Pix2Pix
from plain.srgan import SRResNet
from plain.vae import ConvVAE, HierarchicalVAE, PaperVAE
from plain.vaegan import VAEGAN
from plain.wgan import WGAN, WGANGP

from trainer.command_line import parse
from trainer.family import Family

Measure = Literal["mse", "bound", "frechet", "l1", "psnr", "detail"]

MEASURES: dict[Measure, str] = {
    "mse": "mean squared error of held-out images, 0..1, by way of the latents that are exported",
    "bound": "negative bound in nats on held-out images, one sample of the latent for each",
    "frechet": "Fréchet distance of samples from held-out images, in the features of a classifier of the same kind",
    "l1": "mean absolute error of held-out images, 0..1",
    "psnr": "10^(-PSNR/10) of the luma of Set5, by the mean PSNR",
    "detail": "1 - SSIM + 0.1 |ln sharpness / that of the photograph|, of held-out images",
}

DIGITS = ["--data", "{data}/mnist", "--no-flip", "--hold-out", "12"]
DIGITS_32 = [*DIGITS, "--image-size", "32"]
CATS = ["--data", "{data}/cats128", "--image-size", "64", "--hold-out", "10"]


@dataclass(frozen=True, kw_only=True)
class Task:
    """A family on one set of images."""

    model: str  # trainer.families.<model>
    measure: Measure
    data: list[str]  # flags of both sides: what is learnt; {data} is the folder of all sets, {low} a run
    ours: list[str]  # flags of ours beside them
    plains: list[type[Plain]]  # each with all of its variants
    settings: Settings = field(default_factory=dict)  # of all plain ones
    plain_data: list[str] = field(default_factory=list)  # flags of how plain ones read the data
    samples: int = 1000  # for the Fréchet distance

    @property
    def family(self) -> type[Family]:
        module = importlib.import_module(f"trainer.families.{self.model}")
        return next(
            value
            for value in vars(module).values()
            if isinstance(value, type) and issubclass(value, Family) and value.__module__ == module.__name__
        )

    def config(self, flags: list[str], places: dict[str, Path]) -> Any:
        """Options of the family by flags, with ``places`` put in."""
        names = {name: str(path) for name, path in places.items()}
        return parse(self.family.Config, [flag.format(**names) for flag in (*self.data, *flags)], "")

    @property
    def variants(self) -> dict[str, tuple[type[Plain], Settings]]:
        """The plain sides by name."""
        return {
            f"plain-{name}": (kind, {**self.settings, **settings})
            for kind in self.plains
            for name, settings in kind.VARIANTS.items()
        }


def frechet(model: str, plain: type[Plain], *ours: str, data: list[str] = DIGITS_32, samples: int = 1000) -> Task:
    """A generator of digits."""
    flags = ["--preset", "digits", *ours]
    return Task(model=model, measure="frechet", data=data, ours=flags, plains=[plain], samples=samples)


TASKS: dict[str, Task] = {
    "vae": Task(
        model="vae", measure="mse", data=CATS, ours=["--preset", "few-latents"], plains=[PaperVAE, ConvVAE],
        settings={"latent_size": 10},
    ),
    "vae-hierarchical": Task(
        model="vae", measure="mse", data=CATS, ours=["--preset", "hierarchical"], plains=[HierarchicalVAE],
        settings={"latent_size": 10},
    ),
    "vae-digits": Task(
        model="vae", measure="bound", data=DIGITS, ours=["--preset", "digits"], plains=[PaperVAE, ConvVAE],
        settings={"latent_size": 20, "bernoulli": True},
    ),
    "ae": Task(
        model="ae", measure="mse", data=CATS, ours=["--preset", "small-photos"], plains=[DeepAutoencoder],
        settings={"latent_size": 64},
    ),
    "convae": Task(
        model="convae", measure="mse", data=CATS, ours=["--precision", "bf16"], plains=[ConvAutoencoder]
    ),
    "vaegan": frechet("vaegan", VAEGAN),
    "alphagan": frechet("alphagan", AlphaGAN),
    "gan": frechet("gan", GAN, data=DIGITS),
    "dcgan": frechet("dcgan", DCGAN),
    "cgan": frechet("cgan", ConditionalGAN),
    "wgan": frechet("wgan", WGAN),
    "wgan_gp": frechet("wgan_gp", WGANGP),
    "ddpm": frechet("ddpm", DDPM, samples=256),
    "pix2pix": Task(
        model="pix2pix", measure="l1",
        data=["--data", "{data}/dogs286", "--image-size", "64", "--hold-out", "10", "--condition", "edges"],
        ours=["--preset", "edges", "--hold-out", "10"], plains=[Pix2Pix],
    ),
    "srgan": Task(
        model="srgan", measure="psnr",
        data=["--data", "{data}/sr/bsds_train", "--validation", "{data}/sr/set5", "--scale", "2"],
        ours=["--preset", "cpu", "--pretrain", "100000000"], plains=[SRResNet],
        plain_data=["--crop-size", "96", "--no-turn"],
    ),
    "hpf": Task(
        model="hpf", measure="detail", data=[*CATS, "--low", "{low}"], ours=["--preset", "small-photos"],
        plains=[Sharpened],
    ),
}  # fmt: skip
