"""Arjovsky et al. 2017, "Wasserstein GAN", algorithm 1; Gulrajani et al. 2017, "Improved Training of Wasserstein GANs",
algorithm 1, with the networks of the authors' program for MNIST."""

from collections.abc import Iterator
from typing import ClassVar

import torch
from torch import Tensor, nn

from plain.base import LatentSampler, Settings, dcgan_discriminator, dcgan_generator, turn
from trainer.family import Batch, DataSpec


class WGAN(LatentSampler):
    """RMSProp at 5e-5, weights clipped to ±0.01, five turns of the critic, batches of 64; DCGAN's networks of 64
    channels. ``narrow``: 32 channels, as ours."""

    VARIANTS: ClassVar[dict[str, Settings]] = {"published": {"width": 64}, "narrow": {"width": 32}}
    batch_size = 64

    def __init__(self, spec: DataSpec, width: int) -> None:
        self.generator, self.critic = dcgan_generator(spec, 100, width), dcgan_discriminator(spec, width)
        self.generator_optimizer = torch.optim.RMSprop(self.generator.parameters(), lr=5e-5)
        self.critic_optimizer = torch.optim.RMSprop(self.critic.parameters(), lr=5e-5)

    def step(self, batches: Iterator[Batch]) -> None:
        for _ in range(5):
            real = next(batches).image
            fake = self.generator(torch.randn(len(real), 100)).detach()
            turn(self.critic, self.critic_optimizer, self.critic(fake).mean() - self.critic(real).mean())
            with torch.no_grad():
                for weight in self.critic.parameters():
                    weight.clamp_(-0.01, 0.01)
        fake = self.generator(torch.randn(self.batch_size, 100))
        turn(self.generator, self.generator_optimizer, -self.critic(fake).mean())


class WGANGP(LatentSampler):
    """Penalty of 10 times the squared difference of the gradient's norm from 1, five turns of the critic.
    ``published``: 5x5 kernels of 64 to 256 channels, no normalisation, latents of 128 numbers, batches of 50, Adam at
    1e-4 with β of 0.5 and 0.9. ``dcgan``: DCGAN's 4x4 kernels of 32 channels and batches of 64, as ours, β of 0 and
    0.9."""

    VARIANTS: ClassVar[dict[str, Settings]] = {"published": {"published": True}, "dcgan": {"published": False}}

    def __init__(self, spec: DataSpec, published: bool) -> None:
        self.batch_size, self.latent_size = (50, 128) if published else (64, 100)
        if published:
            side = spec.image_size[0] // 8
            layers = [nn.Linear(128, 256 * side * side), nn.ReLU(), nn.Unflatten(1, (256, side, side))]
            for inputs, outputs in ((256, 128), (128, 64), (64, spec.channels)):
                layers += [nn.ConvTranspose2d(inputs, outputs, 5, 2, 2, output_padding=1), nn.ReLU()]
            self.generator = nn.Sequential(*layers[:-1], nn.Tanh())
            down: list[nn.Module] = []
            for inputs, outputs in ((spec.channels, 64), (64, 128), (128, 256)):
                down += [nn.Conv2d(inputs, outputs, 5, 2, 2), nn.LeakyReLU(0.2)]
            self.critic = nn.Sequential(*down, nn.Flatten(), nn.Linear(256 * side * side, 1), nn.Flatten(0))
        else:
            self.generator, self.critic = (
                dcgan_generator(spec, 100, 32),
                dcgan_discriminator(spec, 32, normed=False),
            )
        betas = (0.5 if published else 0.0, 0.9)
        self.generator_optimizer = torch.optim.Adam(self.generator.parameters(), lr=1e-4, betas=betas)
        self.critic_optimizer = torch.optim.Adam(self.critic.parameters(), lr=1e-4, betas=betas)

    def penalty(self, real: Tensor, fake: Tensor) -> Tensor:
        mixed = torch.lerp(real, fake, torch.rand(len(real), 1, 1, 1)).requires_grad_()
        (slope,) = torch.autograd.grad(self.critic(mixed).sum(), mixed, create_graph=True)
        return (slope.flatten(1).norm(dim=1) - 1).square().mean()

    def step(self, batches: Iterator[Batch]) -> None:
        for _ in range(5):
            real = next(batches).image
            fake = self.generator(torch.randn(len(real), self.latent_size)).detach()
            loss = self.critic(fake).mean() - self.critic(real).mean() + 10 * self.penalty(real, fake)
            turn(self.critic, self.critic_optimizer, loss)
        fake = self.generator(torch.randn(self.batch_size, self.latent_size))
        turn(self.generator, self.generator_optimizer, -self.critic(fake).mean())
