"""Presets of papers against a table of the papers' numbers, each with the place where it is printed.

CODE: a number that the paper does not print, of its authors' program, with the file. OURS: the paper says nothing of
it, or has another optimiser or size, and the preset's text says so; the number is this project's. NONE: what papers of
their time did not have.
"""

from typing import Any

import pytest

from trainer.command_line import parse
from trainer.families import family_names, load_family
from trainer.presets import presets_of

NONE = "not of the paper's time: averaged weights, mirrored digits"
OURS = "this project's"

PAPERS: dict[str, dict[str, tuple[Any, str]]] = {
    "ae": {  # Hinton & Salakhutdinov 2006, Science 313
        "image_size": (28, "page 505: 784 pixels"),
        "latent_size": (30, "page 506, figure 2 B: 784-1000-500-250-30"),
        "hidden_size": (1000, "page 506: the first of its hidden layers"),
        "batch_size": (1000, "supporting online material: fine-tuning in batches of 1000"),
        "flip": (False, NONE),
        "ema": (0, NONE),
    },
    "convae": {  # Masci et al. 2011
        "image_size": (28, "section 4: MNIST"),
        "flip": (False, NONE),
        "ema": (0, NONE),
    },
    "gan": {  # Goodfellow et al. 2014; mnist.yaml of its program
        "image_size": (28, "section 5: MNIST"),
        "latent_size": (100, "CODE mnist.yaml: nvis 100"),
        "prior": ("uniform", "CODE mnist.yaml: noise uniform"),
        "dropout": (0.5, "section 5 names dropout; CODE mnist.yaml: include_prob .5"),
        "batch_size": (100, "CODE mnist.yaml: batch_size 100"),
        "flip": (False, NONE),
        "ema": (0, NONE),
    },
    "dcgan": {  # Radford et al. 2016
        "arch": ("dense", "figure 1: a projection, reshaped, and four fractionally strided convolutions"),
        "first_width": (1024, "figure 1: 4x4x1024"),
        "last_width": (128, "CODE train_uncond_dcgan.py: ndf = 128"),
        "image_size": (64, "figure 1"),
        "latent_size": (100, "figure 1: a uniform distribution of 100 dimensions"),
        "prior": ("uniform", "figure 1"),
        "batch_size": (128, "section 4: mini-batches of 128"),
        "learning_rate": (2e-4, "section 4: 0.0002"),
        "beta1": (0.5, "section 4: 0.5"),
        "steps": (118_500, "section 4.1, figure 3: five epochs of a little over 3 million images, of 128"),
        "flip": (False, "section 4: no augmentation"),
        "ema": (0, NONE),
    },
    "cgan": {  # Mirza & Osindero 2014
        "arch": ("mlp", "section 4.1"),
        "conditioning": ("concat", "section 4.1: one-hot vectors"),
        "objective": ("bce", "equation 2"),
        "image_size": (28, "section 4.1: MNIST"),
        "latent_size": (100, "section 4.1: dimensionality 100"),
        "prior": ("uniform", "section 4.1: uniform within the unit hypercube"),
        "label_units": (50, "section 4.1: y to a maxout layer with 50 units and 5 pieces"),
        "batch_size": (100, "section 4.1: mini-batches of size 100"),
        "flip": (False, NONE),
        "ema": (0, NONE),
    },
    "cgan projection": {  # Miyato & Koyama 2018
        "arch": ("conv", OURS),
        "conditioning": ("projection", "equation 3, figure 1 d"),
        "norm": ("class", "section 4: conditional batch normalisation in the generator"),
        "discriminator_norm": ("spectral", "section 4: all weights of the discriminator"),
        "objective": ("hinge", "section 4: the hinge version of the loss"),
        "image_size": (128, "section 4.1: 128x128 pixels"),
        "latent_size": (128, "appendix, figure 14: z of dimension 128"),
        "batch_size": (256, "section 4.1: batch size 256"),
        "learning_rate": (2e-4, "section 4: α = 0.0002"),
        "beta1": (0.0, "section 4: β1 = 0"),
        "beta2": (0.9, "section 4: β2 = 0.9"),
        "critic_steps": (5, "section 4: five updates of the discriminator"),
        "steps": (450_000, "section 4.1: 450K iterations"),
        "schedule": ("linear", "section 4.1: linear decay to 0"),
        "decay_from": (400 / 450, "section 4.1: decay after 400K iterations"),
        "ema": (0, NONE),
    },
    "wgan": {  # Arjovsky et al. 2017
        "arch": ("conv", "section 4.2: the DCGAN"),
        "width": (64, "CODE main.py: ngf, ndf 64"),
        "image_size": (64, "section 4.1: LSUN at 64x64"),
        "latent_size": (100, "CODE main.py: nz 100"),
        "prior": ("normal", "CODE main.py: normal_(0, 1)"),
        "batch_size": (64, "algorithm 1: m = 64"),
        "learning_rate": (5e-5, "algorithm 1: α = 0.00005"),
        "critic_steps": (5, "algorithm 1: n_critic = 5"),
        "clip": (0.01, "algorithm 1: c = 0.01"),
        "flip": (False, NONE),
        "ema": (0, NONE),
    },
    "wgan_gp": {  # Gulrajani et al. 2017
        "arch": ("resnet", "appendix F"),
        "width": (128, "appendix F, table 3"),
        "critic_norm": ("none", "appendix F: no normalisation in the critic"),
        "image_size": (32, "section 5.4: CIFAR-10"),
        "latent_size": (128, "appendix F, table 3"),
        "batch_size": (64, "algorithm 1: m = 64"),
        "learning_rate": (2e-4, "appendix F: α = 0.0002"),
        "beta1": (0.0, "algorithm 1: β1 = 0"),
        "beta2": (0.9, "algorithm 1: β2 = 0.9"),
        "critic_steps": (5, "algorithm 1: n_critic = 5"),
        "penalty": (10.0, "algorithm 1: λ = 10"),
        "schedule": ("linear", "appendix F: decays linearly to 0"),
        "steps": (100_000, "appendix F: over 100K generator iterations"),
        "flip": (False, NONE),
        "ema": (0, NONE),
    },
    "alphagan": {  # Rosca et al. 2017
        "image_size": (64, "section 5: CelebA at 64x64"),
        "latent_size": (128, "appendix: latents of 128 for CelebA"),
        "code_width": (750, "appendix: a code discriminator of two layers of 750 units"),
        "generator_turns": (1, "algorithm 1"),
        "batch_size": (64, "appendix: mini-batches of 64"),
        "reconstruction": (10.0, OURS + ": λ was searched for"),
        "error": ("mean", OURS + ": the norm of algorithm 1 is a sum"),
        "learning_rate": (2e-4, OURS + ": searched for"),
        "beta1": (0.5, "appendix: Adam with β1 = 0.5"),
        "flip": (False, NONE),
        "ema": (0, NONE),
    },
    "vaegan": {  # Larsen et al. 2016
        "arch": ("paper", "table 1"),
        "image_size": (64, "section 4.1: 64x64"),
        "latent_size": (128, "CODE celeba_aegan.py: n_hidden 128"),
        "batch_size": (64, "section 4: batch size 64"),
        "reconstruction": ("features", "equation 8"),
        "judged": ("both", "algorithm 1: Dis(X~) and Dis(Xp)"),
        "adversarial_into": ("decoder", "section 2.3.1 and algorithm 1: no adversarial error to the encoder"),
        "gamma": (1e-6, "CODE celeba_aegan.py: recon_vs_gan_weight 1e-6"),
        "divergence": (128.0, "algorithm 1: the divergence in nats, here a mean over 128 latents times 128"),
        "rule": ("rmsprop", "section 4: RMSProp"),
        "learning_rate": (3e-4, "section 4: learning rate 0.0003"),
        "steps": (62_500, "CODE celeba_aegan.py: 250 epochs of 250 batches"),
        "rotate": (0.0, NONE),
        "flip": (False, NONE),
        "ema": (0, NONE),
    },
    "r3gan": {  # Huang et al. 2024; train.py of its program, preset CIFAR10
        "width": (768, "CODE train.py: WidthPerStage 3/4 of 1024"),
        "growth": (1, "CODE train.py: WidthPerStage, all alike"),
        "blocks": (2, "CODE train.py: BlocksPerStage 2"),
        "classes": (True, "CODE README.md: --cond=1"),
        "image_size": (32, "CIFAR-10"),
        "latent_size": (64, "CODE train.py: NoiseDimension 64"),
        "batch_size": (512, "CODE README.md: --batch=512"),
        "gamma": (0.05, "CODE train.py: gamma_scheduler from 0.05"),
        "gamma_to": (0.1, "CODE train.py: gamma_scheduler to 0.005"),
        "learning_rate": (2e-4, "CODE train.py: lr_scheduler from 2e-4"),
        "decay_to": (0.25, "CODE train.py: lr_scheduler to 5e-5"),
        "beta1": (0.0, "CODE train.py: betas (0, …)"),
        "beta2": (0.9, "CODE train.py: beta2_scheduler from 0.9"),
        "beta2_to": (0.99, "CODE train.py: beta2_scheduler to 0.99"),
        "schedule": ("cosine", "CODE training_loop.py: cosine_decay_with_warmup"),
        "steps": (39_063, "CODE train.py: decay_nimg 2e7, of 512"),
        "ema": (5_000_000, "CODE train.py: ema_nimg 5000 * 1000"),
    },
    "ddpm": {  # Ho et al. 2020
        "image_size": (32, "section 4: CIFAR-10"),
        "width": (128, "CODE run_cifar.py: ch 128"),
        "multipliers": ([1, 2, 2, 2], "CODE run_cifar.py: ch_mult; appendix B: four resolutions"),
        "dropout": (0.1, "appendix B: 0.1 on CIFAR10"),
        "noise_schedule": ("linear", "section 4: β from 1e-4 to 0.02, linearly"),
        "noise_steps": (1000, "section 4: T = 1000"),
        "prediction": ("epsilon", "section 3.2, equation 11"),
        "loss": ("l2", "equation 14: L_simple"),
        "min_snr": (0.0, "equation 14: all weights are 1"),
        "classes": (False, "section 4: unconditional"),
        "flip": (True, "appendix B: random horizontal flips"),
        "batch_size": (128, "appendix B: batch size 128"),
        "learning_rate": (2e-4, "appendix B: 2e-4"),
        "beta1": (0.9, "appendix B: Adam's standard values"),
        "warmup": (5000, "CODE run_cifar.py: warmup 5000"),
        "clip_norm": (1.0, "CODE run_cifar.py: grad_clip 1"),
        "ema": (887_000.0, "appendix B: decay 0.9999 a step, a half-life of 6931 steps of 128"),
        "steps": (800_000, "appendix B: 800k steps"),
    },
    "pix2pix": {  # Isola et al. 2017
        "image_size": (256, "appendix 6.2: 256x256"),
        "enlarge": (286 / 256, "appendix 6.2: resized to 286x286 and cropped"),
        "width": (64, "appendix 6.1: C64"),
        "norm": ("batch", "appendix 6.1"),
        "dropout": (0.5, "appendix 6.1: a dropout rate of 50 %"),
        "objective": ("vanilla", "equation 1"),
        "l1": (100.0, "section 4.2, of equation 4: λ = 100"),
        "flip": (True, "appendix 6.2: mirroring"),
        "batch_size": (1, "appendix 6.2: batch size 1 for facades"),
        "learning_rate": (2e-4, "section 3.3: 0.0002"),
        "beta1": (0.5, "section 3.3: β1 = 0.5"),
        "schedule": ("linear", "CODE train.lua, options niter 100, niter_decay 100"),
        "decay_from": (0.5, "CODE: the rate is held for the first 100 epochs of 200"),
        "steps": (80_000, "appendix 6.2: 400 images, 200 epochs"),
        "ema": (0, NONE),
    },
    "srgan": {  # Ledig et al. 2017
        "scale": (4, "section 3.2: r = 4"),
        "crop_size": (96, "section 3.2: 96x96 HR sub images"),
        "batch_size": (16, "section 3.2: 16 per mini-batch"),
        "blocks": (16, "section 3.2: B = 16"),
        "features": (64, "section 2.1.1: 64 feature maps"),
        "norm": ("batch", "section 2.1.1"),
        "difference": ("mse", "equation 4"),
        "pixel": (0.0, "section 3.2: the VGG loss replaces it"),
        "perceptual": (512 * 0.006, "equation 5 and section 3.2: rescaled by 0.006, a sum over 512 channels"),
        "adversarial": (1e-3, "equation 3: 10^-3"),
        "learning_rate": (1e-4, "section 3.2: 10^-4"),
        "beta1": (0.9, "section 3.2: β1 = 0.9"),
        "pretrain": (1_000_000, "section 3.2: 10^6 update iterations"),
        "steps": (1_200_000, "section 3.2: then 10^5 at 10^-4 and 10^5 at 10^-5"),
        "schedule": ("tenth", "section 3.2: 10^-5 for the last 10^5"),
        "decay_from": (11 / 12, "section 3.2: after 1,100,000 of 1,200,000"),
        "flip": (False, "section 3.2 names no augmentation but crops"),
        "turn": (False, "section 3.2 names no augmentation but crops"),
        "ema": (0, NONE),
    },
    "vae": {  # Sønderby et al. 2016
        "arch": ("hierarchical", "section 2.1"),
        "reconstruction": ("bernoulli", "section 3: Bernoulli outputs on MNIST"),
        "divergence": ("sampled", "equation 8: the bound over samples of all layers"),
        "image_size": (28, "section 3: MNIST"),
        "latent_size": (64, "section 3: 64 units of the first layer"),
        "hidden_size": (512, "section 3: 512 units of the first layer's MLP"),
        "batch_size": (256, "section 3: batch size 256"),
        "learning_rate": (2e-4, "CODE README: -lr 0.00020"),
        "steps": (468_750, "CODE README: 2000 epochs of 60,000 images"),
        "flip": (False, NONE),
        "ema": (0, NONE),
    },
    "classifier": {},
    "hpf": {},
}  # fmt: skip


@pytest.mark.parametrize("name", PAPERS)
def test_a_preset_has_the_numbers_of_its_paper(name: str) -> None:
    """All of them: an option in one and not in the other is a mistake in either."""
    family, _, preset = name.partition(" ")
    found = presets_of(load_family(family).Config)[preset or "paper"]
    assert found.options.keys() == PAPERS[name].keys()
    for option, (value, where) in PAPERS[name].items():
        known = found.options[option]
        assert known == (pytest.approx(value, rel=1e-8) if isinstance(value, float) else value), f"{option}: {where}"
        if where.startswith("CODE"):
            assert "code" in found.source, f"{option} is of the program, which the source of the preset does not name"


def test_every_family_is_in_the_table() -> None:
    assert {name.partition(" ")[0] for name in PAPERS} == set(family_names())


def test_the_numbers_reach_the_run() -> None:
    for name, numbers in PAPERS.items():
        family, _, preset = name.partition(" ")
        config = parse(load_family(family).Config, ["--preset", preset or "paper"], "")
        for option, (value, _) in numbers.items():
            expected = pytest.approx(value, rel=1e-8) if isinstance(value, float) else value
            assert getattr(config, option) == (tuple(value) if isinstance(value, list) else expected)
