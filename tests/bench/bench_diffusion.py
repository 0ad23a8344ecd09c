"""Diffusion models: the time of a step in torch and in onnxruntime, and what fewer steps cost.

    python tests/bench/bench_diffusion.py --image-size 128
    python tests/bench/bench_diffusion.py --run runs/digits --features runs/classifier --samples 500

Without a run: milliseconds of one step of one image, torch in fp32 (the network as it is trained, and with constant
weights as it is exported) against the exported file, in alternating rounds on the same number of threads; and seconds
from noise to one image by 25 steps of DDIM with the viewer's sampler. With one: the Fréchet distance of its samples
to the images that it held out, in the features of a classifier's run, by sampler, all from the same noise and
labels, and as many times that of all steps.
"""

import argparse
import statistics
import tempfile
import time
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import torch
from torch import Tensor

from export.to_onnx import Origin, Output, export_networks
from trainer import metrics
from trainer.command_line import parse
from trainer.contract import samplers
from trainer.contract.errors import UserError
from trainer.contract.samplers import ddim
from trainer.data.batches import open_data
from trainer.data.batches.stream import ordered
from trainer.evaluation.features import open_features
from trainer.families.ddpm import DDPM
from trainer.family import DataSpec
from trainer.log import contact_sheet, write_image
from trainer.parts.denoiser_unet import folded
from trainer.runs.store import restore

BATCH = 50


def measure_steps(arguments: argparse.Namespace, rest: list[str]) -> None:
    torch.set_num_threads(arguments.threads)
    torch.manual_seed(0)
    size = arguments.image_size
    family = DDPM(parse(DDPM.Config, rest, ""))
    spec = DataSpec(image_size=(size, size), channels=3)
    nets = family.build(spec)
    for parameter in nets.denoiser.parameters():  # what begins at zero could be skipped
        parameter.data += 0.02 * torch.randn_like(parameter)
    nets.denoiser.eval().requires_grad_(False)
    constant = folded(nets.denoiser)
    with tempfile.TemporaryDirectory() as folder:
        origin = Origin(family="ddpm", spec=spec)
        output = Output(path=Path(folder) / "denoiser.onnx", precision=arguments.precision)
        (file,) = export_networks(family.exports(nets, {}), origin, output)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = arguments.threads
        session = onnxruntime.InferenceSession(str(file), options)
    x = torch.randn(1, 3, size, size)
    t = torch.tensor([500])
    sides: dict[str, Callable[[], Any]] = {
        "torch": lambda: nets.denoiser(x, t),
        "torch, constant weights": lambda: constant(x, t),
        f"onnxruntime, {arguments.precision}": lambda: session.run(None, {"noisy": x.numpy(), "t": t.numpy()}),
    }
    times: dict[str, list[float]] = {name: [] for name in sides}
    with torch.inference_mode():
        for call in sides.values():
            call()
        for _ in range(arguments.rounds):
            for name, call in sides.items():
                start = time.perf_counter()
                call()
                times[name].append((time.perf_counter() - start) * 1e3)
    medians = {name: statistics.median(values) for name, values in times.items()}
    *_, ours = medians.values()
    for name, values in times.items():
        print(f"{name:24} {medians[name]:8.1f} ms a step (min {min(values):.1f}), {medians[name] / ours:.2f} times")

    def predict(noisy: Any, t: int) -> Any:
        return session.run(None, {"noisy": noisy.astype(np.float32), "t": np.array([t])})[0]

    start = time.perf_counter()
    steps = sum(1 for _ in ddim(predict, family.config.diffusion.schedule(), x.numpy(), family.config.noise_steps, 25))
    print(
        f"one image of {size} px by {steps} steps: {time.perf_counter() - start:.2f} s, {arguments.threads} thread(s)"
    )


def in_batches(count: int) -> Iterator[slice]:
    return (slice(start, start + BATCH) for start in range(0, count, BATCH))


@torch.no_grad()
def measure_samplers(arguments: argparse.Namespace) -> None:
    restored = restore(arguments.run, arguments.weights)
    family = restored.family
    if not isinstance(family, DDPM):
        raise SystemExit(f"{arguments.run}: not the run of a diffusion model")
    config, count, device = family.config, arguments.samples, torch.device(arguments.device)
    net, schedule = folded(restored.nets.denoiser).to(device), config.diffusion.schedule()
    extractor = open_features(arguments.features, None, device)
    assert extractor is not None, "--features is required"
    dataset = open_data(config, family.reading(), progress=False)
    held_out = dataset.split(config.hold_out)[1]
    real = torch.cat(
        [
            extractor.embed((batch.image + 1) / 2).cpu()
            for batch in ordered(dataset, held_out, batch_size=BATCH, device=device, image_range=family.image_range)
        ]
    )
    inputs = family.sample_inputs(count, restored.spec, torch.Generator().manual_seed(0), iter(()))
    all_steps, chance = config.noise_steps, torch.Generator().manual_seed(1)

    def noise(shape: Any) -> Tensor:
        return torch.randn(tuple(shape), generator=chance).to(device)

    def draw(sampler: Callable[[Any, Tensor], Iterator[tuple[int, Tensor]]]) -> Tensor:
        parts = []
        for part in in_batches(count):
            x, *labels = (value[part].to(device) for value in inputs)
            image = deque(sampler(family.predictor(net, *labels), x), maxlen=1).pop()[1]
            parts.append((image.clamp(-1, 1) + 1) / 2)
        return torch.cat(parts)

    samplings: dict[str, Callable[[Any, Tensor], Iterator[tuple[int, Tensor]]]] = {
        f"DDPM, {arguments.all or all_steps} steps": lambda predict, x: samplers.ddpm(
            predict, schedule, x, all_steps, arguments.all or all_steps, noise=noise
        ),
        "DDIM, 25 steps": lambda predict, x: samplers.ddim(predict, schedule, x, all_steps, 25),
        "DDIM, 25 steps, eta 0.5": lambda predict, x: samplers.ddim(
            predict, schedule, x, all_steps, 25, eta=0.5, noise=noise
        ),
        "DDIM, 25 steps, eta 1": lambda predict, x: samplers.ddim(
            predict, schedule, x, all_steps, 25, eta=1.0, noise=noise
        ),
        "DPM-Solver++(2M), 15 steps": lambda predict, x: samplers.dpm_solver(predict, schedule, x, all_steps, 15),
        "DPM-Solver++(2M), 15 steps, eta 0.5": lambda predict, x: samplers.dpm_solver(
            predict, schedule, x, all_steps, 15, eta=0.5, noise=noise
        ),
        "DPM-Solver++(2M), 15 steps, eta 1": lambda predict, x: samplers.dpm_solver(
            predict, schedule, x, all_steps, 15, eta=1.0, noise=noise
        ),
    }
    print(f"{len(real)} held-out images, {count} samples; {real.shape[1]} features of {extractor.name}")
    most = 0.0
    for name, sampler in samplings.items():
        start = time.perf_counter()
        images = draw(sampler)
        seconds = time.perf_counter() - start
        features = torch.cat([extractor.embed(images[part]).cpu() for part in in_batches(count)])
        distance = metrics.frechet_distance(real, features)
        most = most or distance
        print(f"{name:36} Fréchet distance {distance:8.3f}, {distance / most:.2f} times; {seconds:.0f} s", flush=True)
        if arguments.sheets:
            arguments.sheets.mkdir(parents=True, exist_ok=True)
            file = name.replace("++(2M)", "").replace(",", "").replace(" ", "_").lower()
            write_image(arguments.sheets / f"{file}.png", contact_sheet(images[:64].cpu(), columns=8))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--image-size", type=int, default=128)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--precision", default="fp32", help="of the exported file")
    parser.add_argument("--run", type=Path)
    parser.add_argument("--features", help="run of a classifier, or an .onnx file that gives features")
    parser.add_argument("--weights", default="last")
    parser.add_argument("--samples", type=int, default=500)
    parser.add_argument("--all", type=int, default=0, help="steps to compare with; 0: all that the schedule has")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--sheets", type=Path, help="folder for the first samples")
    arguments, rest = parser.parse_known_args()
    try:
        if arguments.run is None:
            measure_steps(arguments, rest)
        else:
            measure_samplers(arguments)
    except UserError as error:
        raise SystemExit(f"error: {error}") from None


if __name__ == "__main__":
    main()
