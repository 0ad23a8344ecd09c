r"""What more GPUs bring: images a second and bytes sent a step, computed for every family's default options.

    python tests/bench/bench_scaling.py > scaling.txt
    python tests/bench/bench_scaling.py --write docs/clusters.md
    python tests/bench/bench_scaling.py --families ddpm pix2pix --step-ms 95 140 --between 50

Counted: weights, turns and floating-point operations of a training step, by taking one with tensors that hold
nothing.
Assumed: how fast a GPU computes (``--tflops``, or milliseconds a step measured on one, ``--step-ms``), and how fast
the GPUs of a machine (``--within``) and machines (``--between``) send. A ring of N that adds up G bytes of gradients
has each of them send and receive 2 (N-1)/N G, once a network and turn; nothing is assumed to be hidden behind the
computing.
"""

import argparse
import dataclasses
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry

from trainer.families import family_names, load_family
from trainer.family import Batch, Crops, DataSpec, Family, Nets, Pairs

sys.path.insert(0, str(Path(__file__).parent.parent / "trainer"))
from base_runs import blurring

GPUS = (1, 2, 4, 8, 16, 32, 64)
MACHINE = 8  # GPUs of one
SIDE_PX = 64  # of images, where a family has no size of its own
BYTES = 4  # of a gradient: fp32, with --precision bf16 as well
START, END = "<!-- bench_scaling: begin -->", "<!-- bench_scaling: end -->"
# SRGAN's first stage has no discriminator and no VGG19, whose weights are not at hand here.
OPTIONS: dict[str, dict[str, Any]] = {
    "srgan": {"perceptual": 0.0, "pixel": 1.0, "pretrain": 0},
    "hpf": {"low": Path("low")},
}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Step:
    """A training step of one family on one GPU."""

    family: str
    side_px: int
    images: int
    parameters: dict[str, int]  # by network
    turns: dict[str, int]
    flop: float

    @property
    def gradient_bytes(self) -> int:
        """Added up over ranks."""
        return BYTES * sum(self.parameters[name] * count for name, count in self.turns.items())

    def sent_bytes(self, gpus: int) -> float:
        """By each GPU, in a ring."""
        return 2 * (gpus - 1) / gpus * self.gradient_bytes

    def images_a_second(self, gpus: int, step_seconds: float, within: float, between: float) -> float:
        """``within``, ``between``: bytes a second of the slowest link of a ring in one machine, and over several."""
        sending = self.sent_bytes(gpus) / (within if gpus <= MACHINE else between)
        return gpus * self.images / (step_seconds + sending)


class CountedTurns:
    """Turns that learn nothing."""

    step, progress = 0, 0.0

    def __init__(self, nets: Nets) -> None:
        self.nets = nets
        self.taken = dict.fromkeys(nets, 0)

    @contextmanager
    def __call__(self, name: str) -> Iterator[dict[str, Tensor]]:
        for other, net in self.nets.items():
            net.requires_grad_(other == name)
        loss: dict[str, Tensor] = {}
        yield loss
        torch.stack([value.float() for value in loss.values()]).sum().backward()
        self.taken[name] += 1
        for net in self.nets.values():
            net.zero_grad()
            net.requires_grad_(True)


class Operations(TorchDispatchMode):
    """Counts floating-point operations. Torch's own counter follows modules too, and so cannot take gradients of
    gradients."""

    def __init__(self) -> None:
        super().__init__()
        self.total = 0

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        result = function(*args, **kwargs)
        if function._overloadpacket in flop_registry:
            self.total += flop_registry[function._overloadpacket](*args, **kwargs, out_val=result)
        return result


def names() -> list[str]:
    return family_names()


def family_class(name: str) -> type[Family]:
    return load_family(name)


def take_step(name: str) -> Step:
    """One step with the default options."""
    return step_of(name, family_class(name)(family_class(name).Config(**OPTIONS.get(name, {}))))


def step_of(name: str, family: Family) -> Step:
    """One step of a family with its options."""
    config, reading = family.config, family.reading()
    side = reading.size_px if isinstance(reading, Crops) else config.image_size or SIDE_PX
    paired = isinstance(reading, Pairs | Crops)
    spec = DataSpec(
        image_size=(side, side), channels=3, classes=tuple("0123456789"), condition_channels=3 if paired else 0
    )
    with torch.device("meta"):
        if family.base_run() is not None:
            family.use_base(blurring(spec))
        nets = family.build(spec)
        image = torch.empty(config.batch_size, 3, side, side)
        small = side // reading.scale if isinstance(reading, Crops) else side
        condition = torch.empty(config.batch_size, 3, small, small) if paired else None
        label = torch.zeros(config.batch_size, dtype=torch.int64)
        turns = CountedTurns(nets)
        with Operations() as counter:
            family.step(nets, iter(lambda: Batch(image=image, label=label, condition=condition), None), turns)
    return Step(
        family=name,
        side_px=side,
        images=config.batch_size,
        parameters={name: sum(value.numel() for value in net.parameters()) for name, net in nets.items()},
        turns={name: count for name, count in turns.taken.items() if count},
        flop=counter.total,
    )


def networks(step: Step) -> str:
    """``generator 3.58 M, critic 2.77 M x 5``."""
    parts = []
    for name, count in step.turns.items():
        parts.append(f"{name} {step.parameters[name] / 1e6:.3g} M" + (f" x {count}" if count > 1 else ""))
    return ", ".join(parts)


def weights_table(steps: Sequence[Step]) -> list[str]:
    lines = [
        "| family | images a step and GPU | networks, turns of each a step | gradients a step | GFLOP an image |",
        "|---|---|---|---|---|",
    ]
    for step in steps:
        lines.append(
            f"| `{step.family}` | {step.images} of {step.side_px} px | {networks(step)} "
            f"| {step.gradient_bytes / 1e6:.4g} MB | {step.flop / step.images / 1e9:.3g} |"
        )
    return lines


def speeds_table(steps: Sequence[Step], seconds: Sequence[float], within: float, between: float) -> list[str]:
    lines = [
        "| family | step on one GPU | MB sent by each of 2, 8, 64 | " + " | ".join(f"{n} GPU" for n in GPUS) + " |",
        "|---|---|---|" + "---|" * len(GPUS),
    ]
    for step, alone in zip(steps, seconds, strict=True):
        sent = ", ".join(f"{step.sent_bytes(gpus) / 1e6:.3g}" for gpus in (2, 8, 64))
        speeds = [step.images_a_second(gpus, alone, within, between) for gpus in GPUS]
        shown = " | ".join(
            f"{speed:,.0f} ({speed / speeds[0] / gpus:.0%})" for speed, gpus in zip(speeds, GPUS, strict=True)
        )
        lines.append(f"| `{step.family}` | {alone * 1e3:.3g} ms | {sent} | {shown} |")
    return lines


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--families", nargs="+", default=names(), choices=names(), help="which (all)")
    parser.add_argument("--step-ms", nargs="+", type=float, help="milliseconds a step of each of them on one GPU")
    parser.add_argument(
        "--tflops", type=float, default=20, help="what a GPU does a second, where that is not given (20)"
    )
    parser.add_argument("--least-ms", type=float, default=5, help="no step is faster: kernels must be launched (5)")
    parser.add_argument("--within", type=float, default=200, help="GB/s between the GPUs of a machine (200)")
    parser.add_argument("--between", type=float, default=12.5, help="GB/s between machines (12.5)")
    parser.add_argument("--write", type=Path, help="put the tables between the marks of this page")
    options = parser.parse_args(arguments)
    if options.step_ms and len(options.step_ms) != len(options.families):
        parser.error(f"--step-ms has {len(options.step_ms)} numbers for {len(options.families)} families")
    steps = [take_step(name) for name in options.families]
    milliseconds = options.step_ms or [max(step.flop / options.tflops / 1e9, options.least_ms) for step in steps]
    seconds = [ms / 1e3 for ms in milliseconds]
    within, between = options.within * 1e9, options.between * 1e9
    lines = [*weights_table(steps), "", *speeds_table(steps, seconds, within, between)]
    if options.write is None:
        print("\n".join(lines))
        return
    page = options.write.read_text(encoding="utf-8")
    before, after = page.split(START)[0], page.split(END)[1]
    options.write.write_text("\n".join([before + START, "", *lines, "", END + after]), encoding="utf-8")


if __name__ == "__main__":
    main()
