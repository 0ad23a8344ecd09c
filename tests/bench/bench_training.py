r"""Training steps of the real loop against a plain PyTorch loop of the same networks, in alternating rounds.

    python tests/bench/bench_training.py --model vae --arch hierarchical --precision bf16 --compile
    python tests/bench/bench_training.py --model dcgan --image-size 64 --batch-size 32 --precision bf16
    python tests/bench/bench_training.py --model wgan_gp --image-size 32 --batch-size 32 --precision bf16
    python tests/bench/bench_training.py --model pix2pix --image-size 128 --width 32 --precision bf16
    python tests/bench/bench_training.py --model srgan --crop-size 96 --blocks 4 --features 32 --pretrain 10000 \
        --precision bf16
    python tests/bench/bench_training.py --model srgan --crop-size 64 --blocks 4 --features 32 --pretrain 0 \
        --discriminator-width 16 --perceptual 0 --pixel 1 --precision bf16

The plain loop is what a tutorial writes: fp32, a DataLoader over images in memory, ``.item()`` every step, and for
WGAN-GP the critic once on real images and once on generated ones, as its algorithm box has it, where the family does
both at once. Both sides see the same images, batch size and optimiser. Prints
milliseconds a step (median of the rounds) and the ratio.
"""

import argparse
import importlib
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset

from trainer.checkpoint import FOLDER
from trainer.command_line import parse
from trainer.data.batches import open_data
from trainer.data.batches.dataset import ImageDataset
from trainer.data.drawing import toycats
from trainer.distributed import World
from trainer.family import Batch, Nets
from trainer.loop import Run
from trainer.parts.gan_losses import gradient_penalty
from trainer.progress import Progress
from trainer.runs.store import load_base


class Plain(Dataset[list[torch.Tensor]]):
    """Images, or images and their conditions, as a tutorial's ``ToTensor`` gives them; windows of them where the
    family's data are larger than what it learns from."""

    def __init__(
        self,
        sides: list[np.ndarray],
        window: tuple[int, int] | None,
        low: float,
        high: float,
        labels: np.ndarray | None = None,
    ) -> None:
        self.sides, self.window, self.low, self.high = sides, window, low, high
        self.labels = np.zeros(len(sides[0]), np.int64) if labels is None else labels

    def __len__(self) -> int:
        return len(self.sides[0])

    def __getitem__(self, index: int) -> list[torch.Tensor]:
        tensors = [torch.from_numpy(side[index]).permute(2, 0, 1).float().div(255) for side in self.sides]
        if self.window is not None:
            (height, width), (_, all_rows, all_columns) = self.window, tensors[0].shape
            y = int(torch.randint(all_rows - height + 1, ()))
            x = int(torch.randint(all_columns - width + 1, ()))
            tensors = [tensor[:, y : y + height, x : x + width] for tensor in tensors]
        images = [tensor * (self.high - self.low) + self.low for tensor in tensors]
        return [torch.tensor(self.labels[index]), *images]


def plain_wgan_gp(family: Any, nets: Nets, batches: Iterator[Batch], turn: Any) -> None:
    for _ in range(family.config.critic_steps):
        real = next(batches).image
        fake = nets.generator(family.noise(len(real), real.device)).detach()
        with turn("critic") as loss:
            loss["real"] = -nets.critic(real).mean()
            loss["fake"] = nets.critic(fake).mean()
            loss["penalty"] = family.config.penalty * gradient_penalty(nets.critic, real, fake)
    with turn("generator") as loss:
        loss["adversarial"] = -nets.critic(nets.generator(family.noise(len(real), real.device))).mean()


PLAIN_STEPS = {"WGANGP": plain_wgan_gp}


def plain_loop(
    family_class: Any, config: Any, images: ImageDataset, workers: int, device: str = "cpu"
) -> Callable[[int], None]:
    """A function that takes so many steps."""
    family = family_class(config)
    base = family.base_run()
    if base is not None:
        load_base(family, base)
    torch.manual_seed(0)
    nets = family.build(images.spec)
    family.begin(nets)
    for net in nets.values():
        net.to(device)
    optimizers = {name: family.optimizer(name, list(net.parameters()), False) for name, net in nets.items()}
    everything = np.arange(len(images))
    arrays = [part.numpy() for part in images.read(everything, seed=0)]  # windows cut once: cheaper than a tutorial
    data = Plain(arrays, images.window, *family.image_range, images.labels)
    loader = DataLoader(
        data, config.batch_size, shuffle=True, drop_last=True, num_workers=workers, persistent_workers=workers > 0
    )

    def batches() -> Iterator[Batch]:
        while True:
            for label, *sides in loader:
                image, *condition = (side.to(device) for side in sides)
                labels = None if images.labels is None else label.to(device)
                yield Batch(image=image, label=labels, condition=condition[0] if condition else None)

    class Turn:
        step, progress = 0, 0.0

        def __init__(self, name: str) -> None:
            self.name = name
            self.loss: dict[str, torch.Tensor] = {}

        def __enter__(self) -> dict[str, torch.Tensor]:
            for name, net in nets.items():
                net.requires_grad_(name == self.name)
            return self.loss

        def __exit__(self, *error: object) -> None:
            total = torch.stack(list(self.loss.values())).sum()
            optimizers[self.name].zero_grad()
            total.backward()
            optimizers[self.name].step()
            total.item()
            for net in nets.values():
                net.requires_grad_(True)

    stream = batches()
    step = PLAIN_STEPS.get(family_class.__name__, family_class.step)

    def steps(count: int) -> None:
        for _ in range(count):
            step(family, nets, stream, Turn)
            Turn.step += 1

    return steps


def real_loop(family_class: Any, config: Any) -> Callable[[int], None]:
    run = Run(family_class, config, World(config), Progress(speaks=False))
    for net in run.raw.values():
        net.train()

    def steps(count: int) -> None:
        for _ in range(count):
            run.advance()
            run.over()
            if run.progress.counts(run.step):
                run.progress.count(run.turns.loss(), run.images_seen)
            if run.step % config.log_every == 0:
                run.write_losses()

    return steps


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="vae", help="trainer.families.<model>")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--round-steps", type=int, default=10)
    parser.add_argument("--images", type=int, default=512)
    parser.add_argument("--warm-up", type=int, default=5, help="steps of each side before the clock starts")
    arguments, rest = parser.parse_known_args()
    module = importlib.import_module(f"trainer.families.{arguments.model}")
    family_class = next(
        value for value in vars(module).values() if getattr(value, "__module__", "") == module.__name__ and
        hasattr(value, "Config") and hasattr(value, "step")
    )  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        data, out = Path(folder) / "cats.npy", Path(folder) / "run"
        config = parse(family_class.Config, ["--data", str(data), "--out", str(out), "--hold-out", "0", *rest], "")
        size = config.image_size or 128
        np.save(data, np.stack([toycats.paint(toycats.choose(0, k), size) for k in range(arguments.images)]))
        images = open_data(config, family_class(config).reading(), progress=False)
        sides = {
            "plain, 0 workers": plain_loop(family_class, config, images, 0),
            "plain, 2 workers": plain_loop(family_class, config, images, 2),
            "loop": real_loop(family_class, config),
        }
        times: dict[str, list[float]] = {name: [] for name in sides}
        for steps in sides.values():
            steps(arguments.warm_up)  # compile, allocate
        for _ in range(arguments.rounds):
            for name, steps in sides.items():
                start = time.perf_counter()
                steps(arguments.round_steps)
                times[name].append((time.perf_counter() - start) / arguments.round_steps * 1e3)
        assert not (out / FOLDER).exists()
    medians = {name: statistics.median(values) for name, values in times.items()}
    plain = min(value for name, value in medians.items() if name.startswith("plain"))
    for name, values in times.items():
        print(f"{name:18} {medians[name]:8.1f} ms a step (min {min(values):.1f}, max {max(values):.1f})")
    print(f"{arguments.model}, {config.precision}{', compiled' if config.compile else ''}, batch {config.batch_size}, "
          f"{images.spec.image_size[0]} px: "
          f"{plain / medians['loop']:.2f} times the better plain loop")  # fmt: skip


if __name__ == "__main__":
    main()
