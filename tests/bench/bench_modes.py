"""How many modes of its data a GAN draws, at equal CPU time: a grid of Gaussians, and stacks of three digits.

    python tests/bench/bench_modes.py grid --minutes 2 --seeds 3 --folder modes/
    python tests/bench/bench_modes.py digits --data mnist/ --minutes 20 --seeds 3 --folder modes/

``grid``: 25 Gaussians of standard deviation 0.05, one unit apart. As the models draw images, a point is a grey image of
8x8 px: the brightness of its left half is x, that of its right half y, and a drawn image is read as the point of the
means of its halves. A sample is of high quality within three standard deviations of a centre, and a mode is found
where there is one such sample of 2,500 (Srivastava et al. 2017, "VEEGAN", section 5.1).

``digits``: three digits, drawn at random, as the channels of one image: 1,000 modes (Metz et al. 2017, "Unrolled
Generative Adversarial Networks", section 3.3.1). Each channel of 26,000 samples is read by this project's classifier,
trained on the same digits (``--classifier RUN``: one that has been trained already). Modes found, and the KL
divergence of the modes that were drawn from the uniform distribution, in nats; for comparison, that of as many stacks
of real digits.

A training has as many steps as fit into ``--minutes`` of one core's CPU time, start-up aside, by the cost of a step in
two short trainings of the same model: other programs that are running cost no model steps, and schedules of learning
rates end with the training. Averaged weights draw, as exported. Sheets of samples are written to ``--folder``, with all
figures in a file of JSON.
"""

import argparse
import json
import math
import os
import shlex
import statistics
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from trainer.config import RunConfig
from trainer.contract.errors import UserError, fail
from trainer.data.batches import open_data
from trainer.evaluation.features import open_network
from trainer.family import Reading
from trainer.log import contact_sheet, write_image
from trainer.runs.store import restore

ROOT = Path(__file__).resolve().parents[2]
SIDE = 5  # Gaussians along each side of the grid
STD = 0.05  # of a Gaussian, in distances between them
RANGE = SIDE / 2 + 0.25  # what black and white are, in the same
POINTS, POINT_SAMPLES = 20_000, 2500
STACKS, STACK_SAMPLES = 25_600, 26_000
DIGIT_PX = 28
PILOT = (10, 40)  # steps of the two trainings that tell the cost of one
SETTINGS = {  # of networks about as large; otherwise the defaults of each model
    "grid": {
        "dcgan": "--arch conv --width 32 --batch-size 64",
        "wgan_gp": "--width 32 --batch-size 64",
        "r3gan": "--width 16 --growth 2 --batch-size 64 --learning-rate 1e-3",
    },
    "digits": {
        "dcgan": "--arch conv --width 32 --batch-size 64 --precision bf16",
        "wgan_gp": "--width 32 --batch-size 64 --precision bf16",
        "r3gan": "--width 16 --growth 8 --batch-size 32 --learning-rate 5e-4 --precision bf16",
    },
}

Measure = Callable[[Tensor], dict[str, float]]  # of samples [n, c, h, w] in 0..1


def cpu_seconds(command: list[str]) -> float:
    """Run a command; processor time of it and of what it started. Raises ``UserError`` where it fails."""
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        said = process.stderr.read()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        last = said.strip().rpartition("\n")[2]
        raise UserError(f"{shlex.join(command)} ended with code {process.returncode}: {last}")
    return usage.ru_utime + usage.ru_stime


def training(model: str, data: Path | str, run: Path, steps: int, flags: str) -> list[str]:
    return [
        sys.executable, str(ROOT / "trainer" / f"train_{model}.py"), "--data", str(data), "--out", str(run),
        "--steps", str(steps), "--save-every", str(steps), "--sample-every", str(steps), "--save-minutes", "0",
        "--hold-out", "0", "--no-flip", "--threads", "1", "--device", "cpu", *flags.split(),
    ]  # fmt: skip


def cost_of_a_step(model: str, data: Path, folder: Path, flags: str) -> float:
    """CPU-seconds, without start-up."""
    few, many = (cpu_seconds(training(model, data, folder / f"pilot-{steps}", steps, flags)) for steps in PILOT)
    return max(many - few, 1e-4) / (PILOT[1] - PILOT[0])


@torch.no_grad()
def drawn(run: Path, count: int, seed: int) -> Tensor:
    """Samples [count, c, h, w] in 0..1 of a run, as its exported file would draw them."""
    restored = restore(run, "last")
    generator = torch.Generator().manual_seed(seed)
    parts = []
    for begin in range(0, count, 500):
        latent = restored.family.sample_inputs(min(500, count - begin), restored.spec, generator, iter(()))
        parts.append(restored.family.sample(restored.nets, restored.state.description, *latent))
    return torch.cat(parts)


def centres() -> NDArray[np.float64]:
    """Of the Gaussians, [25, 2]."""
    place = np.arange(SIDE) - (SIDE - 1) / 2
    return np.stack(np.meshgrid(place, place), -1).reshape(-1, 2)


def write_points(path: Path) -> None:
    """Points of the grid as images."""
    random = np.random.default_rng(0)
    points = centres()[random.integers(SIDE**2, size=POINTS)] + STD * random.standard_normal((POINTS, 2))
    levels = ((points / RANGE + 1) / 2 * 255).round().clip(0, 255).astype(np.uint8)
    np.save(path, levels[:, None, :].repeat(8, 1).repeat(4, 2))


def measure_points(samples: Tensor) -> dict[str, float]:
    halves = samples[:, 0].unflatten(2, (2, 4)).mean((1, 3)).double().numpy()
    points = (halves * 2 - 1) * RANGE
    distance = np.linalg.norm(points[:, None] - centres(), axis=2)
    good = distance.min(1) <= 3 * STD
    found = np.unique(distance.argmin(1)[good])
    return {"modes": len(found), "high_quality": float(good.mean())}


def scatter(samples: Tensor, path: Path) -> None:
    """The samples as points of an image of 256 px."""
    halves = samples[:, 0].unflatten(2, (2, 4)).mean((1, 3))
    x, y = (halves * 255).round().long().clamp(0, 255).T
    image = np.full((256, 256, 3), 255, np.uint8)
    image[y.numpy(), x.numpy()] = (160, 60, 20)
    write_image(path, image)


def digits(data: str) -> NDArray[np.uint8]:
    """Grey images [n, h, w] of ten classes. Raises ``UserError``."""
    if not data:
        raise UserError("digits needs --data, a set of ten classes such as MNIST's folder")
    found = open_data(RunConfig(data=data, image_size=DIGIT_PX), Reading(), progress=False)
    if len(found.classes) != 10:
        raise UserError(f"--data {data}: {len(found.classes)} classes, expected the ten digits, as in MNIST's folder")
    (images,) = found.read(np.arange(len(found)))
    return images[..., 0].numpy()


def write_stacks(images: NDArray[np.uint8], path: Path, seed: int, count: int) -> None:
    """Stacks of three of the images at random, as the channels of one."""
    chosen = np.random.default_rng(seed).integers(len(images), size=(count, 3))
    np.save(path, images[chosen].transpose(0, 2, 3, 1))


def measure_stacks(classifier: Path) -> Measure:
    network = open_network(classifier, torch.device("cpu"), "classifier")

    @torch.no_grad()
    def measure(samples: Tensor) -> dict[str, float]:
        seen_as = torch.cat(
            [network.embed(part.reshape(-1, 1, *part.shape[2:])).argmax(1) for part in samples.split(500)]
        )
        stack = seen_as.view(-1, 3) @ torch.tensor([100, 10, 1])
        share = torch.bincount(stack, minlength=1000).double() / len(stack)
        seen = share[share > 0]
        return {"modes": int((share > 0).sum()), "kl": float((seen * (seen * 1000).log()).sum())}

    return measure


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("task", choices=tuple(SETTINGS))
    parser.add_argument("--models", nargs="+", default=["dcgan", "wgan_gp", "r3gan"], metavar="MODEL")
    parser.add_argument("--minutes", type=float, default=2.0, help="CPU time of each training")
    parser.add_argument("--seeds", type=int, default=1, help="trainings of each model")
    parser.add_argument("--set", action="append", default=[], metavar="MODEL=FLAGS", help="more flags of a model")
    parser.add_argument("--data", default="", help="of digits: a set of ten classes, such as MNIST's folder")
    parser.add_argument("--classifier", type=Path, help="of digits: a run of train_classifier.py on them")
    parser.add_argument("--folder", type=Path, required=True, help="for data, runs, sheets and figures")
    options = parser.parse_args()
    try:
        bench(options)
    except UserError as error:
        fail(str(error))


def bench(options: argparse.Namespace) -> None:
    task, folder = options.task, options.folder / options.task
    more = dict(one.partition("=")[::2] for one in options.set)
    if unknown := [model for model in (*options.models, *more) if model not in SETTINGS[task]]:
        raise UserError(f"{unknown[0]} is none of {', '.join(SETTINGS[task])}")
    if (folder / "figures.json").exists():
        raise UserError(f"{folder}: holds figures already; name another --folder")
    folder.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(1)
    data = folder / "data.npy"
    if task == "grid":
        write_points(data)
        measure, samples = measure_points, POINT_SAMPLES
    else:
        images = digits(options.data)
        write_stacks(images, data, 0, STACKS)
        classifier = options.classifier or folder / "classifier"
        if options.classifier is None:
            cpu_seconds(training("classifier", options.data, classifier, 1200, "--preset digits"))
        measure, samples = measure_stacks(classifier), STACK_SAMPLES
        write_stacks(images, folder / "real.npy", 1, STACK_SAMPLES)
        real = torch.from_numpy(np.load(folder / "real.npy")).permute(0, 3, 1, 2).float() / 255
        print("real stacks", measure(real), flush=True)
    figures: list[dict[str, Any]] = []
    for model in options.models:
        flags = f"{SETTINGS[task][model]} {more.get(model, '')}"
        cost = cost_of_a_step(model, data, folder / "pilots" / model, flags)
        steps = math.ceil(60 * options.minutes / cost)
        for seed in range(options.seeds):
            run = folder / f"{model}-{seed}"
            seconds = cpu_seconds(training(model, data, run, steps, f"{flags} --seed {seed}"))
            images_drawn = drawn(run, samples, seed)
            found = {"model": model, "seed": seed, "steps": steps, "cpu_seconds": round(seconds, 1)}
            figures.append({**found, "flags": flags.strip(), **measure(images_drawn)})
            print(*(f"{name} {value}" for name, value in figures[-1].items()), flush=True)
            sheet = folder / f"{model}-{seed}.png"
            if task == "grid":
                scatter(images_drawn, sheet)
            else:
                write_image(sheet, contact_sheet(images_drawn[:100]))
    names = [name for name in figures[0] if name not in ("model", "seed", "steps", "cpu_seconds", "flags")]
    for model in options.models:
        own = [one for one in figures if one["model"] == model]
        means = {name: statistics.fmean(one[name] for one in own) for name in names}
        spread = {name: (min(one[name] for one in own), max(one[name] for one in own)) for name in names}
        print(model, *(f"{name} {means[name]:.4g} ({low:.4g}–{high:.4g})" for name, (low, high) in spread.items()))
    (folder / "figures.json").write_text(json.dumps(figures, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
