"""Guesses of value ranges on networks that were trained, of many architectures, none of which set a weight of them.

    python tests/bench/bench_guesses.py photographs models --count 120 --seed 1
    python tests/bench/bench_guesses.py photographs models --look

The first trains so many small networks on a folder of photographs, some seconds each, and writes them as ONNX files
without a card, with what is true of them in ``truth.json``; those that are there already are kept. Both then open each
as the viewer does, and print those guessed wrong, and how sure that was. A guess is right by which images come out
within two levels of those of the true ranges.
"""

import argparse
import json
import os
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from viewer.graph import ranges
from viewer.graph.reading import Reading
from viewer.graph.trails import RANGES
from viewer.model import open_model

WIDTH, SIDE, BATCH = 16, 24, 6  # SIDE: of crops that go in, in pixels, of a network that does not enlarge
ALIKE = 2.0  # levels
POOR = 19.0  # dB, below which a network has not learned its task
MEANS: Final = {"div2k": (0.4488, 0.4371, 0.4040), "imagenet": (0.485, 0.456, 0.406)}
DEVIATIONS: Final = (0.229, 0.224, 0.225)
LPIPS: Final = ((-0.030, -0.088, -0.188), (0.458, 0.448, 0.450))
ACTIVATIONS: Final[dict[str, Callable[[], nn.Module]]] = {
    "relu": nn.ReLU,
    "leaky": lambda: nn.LeakyReLU(0.2),
    "prelu": lambda: nn.PReLU(WIDTH),
    "gelu": nn.GELU,
    "silu": nn.SiLU,
    "elu": nn.ELU,
    "tanh": nn.Tanh,
}
STARTS: Final = (
    "none", "none", "none", "mean", "mean", "mean01", "imagenet", "imagenet01", "lpips", "half", "unit", "sym255",
    "unsym", "double", "grey", "levels", "batchnorm",
)  # fmt: skip
ENDS: Final = ("plain", "plain", "undo", "undo", "clip", "tanh", "sigmoid", "relu", "mean")
BODIES: Final = (
    "chain", "chain", "residual", "residual", "batchnorm", "dense", "attention", "unet", "instance", "depthwise",
    "norms", "wide", "transposed",
)  # fmt: skip
TASKS: Final = ("enlarge", "enlarge", "enlarge", "denoise", "sharpen", "brighten", "colour", "repeat", "recolour")
SKIPS: Final = ("none", "none", "input", "input", "minus")
PADDINGS: Final = ("zeros", "zeros", "reflect", "replicate")


class Residual(nn.Module):
    """x + body(x), perhaps weighted by channel."""

    def __init__(self, *body: nn.Module, attention: bool = False, share: float = 1.0) -> None:
        super().__init__()
        self.body, self.share = nn.Sequential(*body), share
        self.attention = nn.Conv2d(WIDTH, WIDTH, 1) if attention else None

    def forward(self, x: Tensor) -> Tensor:
        made = self.body(x)
        if self.attention is not None:
            made = made * torch.sigmoid(self.attention(made.mean((2, 3), keepdim=True)))
        return x + self.share * made


class Dense(nn.Module):
    def __init__(self, conv: Callable[..., nn.Module], act: Callable[[], nn.Module]) -> None:
        super().__init__()
        self.first, self.second, self.third = conv(WIDTH), conv(2 * WIDTH), conv(3 * WIDTH)
        self.act = act()

    def forward(self, x: Tensor) -> Tensor:
        one = self.act(self.first(x))
        two = self.act(self.second(torch.cat([x, one], 1)))
        return x + 0.2 * self.third(torch.cat([x, one, two], 1))


class Unet(nn.Module):
    def __init__(self, conv: Callable[..., nn.Module], act: Callable[[], nn.Module]) -> None:
        super().__init__()
        self.down, self.middle, self.up = conv(WIDTH), conv(WIDTH), conv(2 * WIDTH)
        self.act = act()

    def forward(self, x: Tensor) -> Tensor:
        small = self.act(self.middle(F.avg_pool2d(self.act(self.down(x)), 2)))
        return self.act(self.up(torch.cat([F.interpolate(small, scale_factor=2.0, mode="nearest"), x], 1)))


class Network(nn.Module):
    """Of a description: a start of its own operators, a body, and an end; where weights are folded, ``fold`` makes them
    what they would be had they been trained so."""

    def __init__(self, about: dict[str, Any]) -> None:
        super().__init__()
        self.about = about
        low, high = about["takes"]
        self.half_in = (high - low) / 2
        act = ACTIVATIONS[about["activation"]]

        def conv(channels: int, out: int = WIDTH, side: int = 3, **more: Any) -> nn.Conv2d:
            return nn.Conv2d(channels, out, side, padding=side // 2, padding_mode=about["padding"], **more)

        self.register_buffer("factor", torch.ones(1, 3, 1, 1))
        self.register_buffer("term", torch.zeros(1, 3, 1, 1))
        self._set_start(about["start"], low, high)
        self.input_norm = nn.BatchNorm2d(3) if about["start"] == "batchnorm" else None
        # about how large numbers are that go into the body; the first weights are that much smaller
        unit = torch.tensor([low, high])[:, None] * self.factor.mean() + self.term.mean()
        self.spread = 1.0 if self.input_norm is not None else float(unit.abs().max()) / 1.5
        scale = about["scale"]
        times = scale if about["body"] != "wide" else 1
        layers: list[nn.Module] = []
        for _ in range(about["depth"]):
            if about["body"] in ("chain", "wide", "transposed"):
                layers += [conv(WIDTH), act()]
            elif about["body"] in ("residual", "attention"):
                layers.append(Residual(conv(WIDTH), act(), conv(WIDTH), attention=about["body"] == "attention"))
            elif about["body"] == "batchnorm":
                layers.append(Residual(conv(WIDTH), nn.BatchNorm2d(WIDTH), act(), conv(WIDTH), nn.BatchNorm2d(WIDTH)))
            elif about["body"] == "instance":
                layers.append(Residual(conv(WIDTH), nn.InstanceNorm2d(WIDTH), act(), conv(WIDTH)))
            elif about["body"] == "dense":
                layers.append(Dense(conv, act))
            elif about["body"] == "unet":
                layers.append(Unet(conv, act))
            elif about["body"] == "depthwise":
                layers.append(Residual(conv(WIDTH, side=5, groups=WIDTH), conv(WIDTH, side=1), act()))
            else:
                layers.append(Residual(nn.GroupNorm(1, WIDTH), conv(WIDTH, side=1), act(), conv(WIDTH)))
        self.first, self.act, self.body = conv(3, side=about["first"]), act(), nn.Sequential(*layers)
        if about["body"] == "transposed" and scale in (2, 4):
            self.last: nn.Module = nn.ConvTranspose2d(WIDTH, 3, 2 * scale, scale, scale // 2)
        else:
            self.last = conv(WIDTH, 3 * times * times)
        self.shuffle = nn.PixelShuffle(times) if times > 1 and isinstance(self.last, nn.Conv2d) else nn.Identity()
        self.before = scale if about["body"] == "wide" else 1  # enlarged before the network, as in the first ones
        if about["skip"] != "none":
            with torch.no_grad():
                self.last.weight.mul_(0.1)
                self.last.bias.zero_()

    def _set_start(self, start: str, low: float, high: float) -> None:
        """Operators that bring the input to what the body takes: x · factor + term."""
        width = high - low

        def normalise(mean: Any, deviation: Any, lowest: float, times: float) -> None:
            mean, deviation = (torch.tensor(one).reshape(1, 3, 1, 1) for one in (mean, deviation))
            self.factor = 1 / (deviation * times)
            self.term = -(mean * times + lowest) / (deviation * times)

        ones = (1.0, 1.0, 1.0)
        if start == "mean":
            normalise(tuple(one * width + low for one in MEANS["div2k"]), ones, 0.0, 1.0)
        elif start == "mean01":  # that of 0..1, whatever goes in
            normalise(MEANS["div2k"], ones, 0.0, 1.0)
        elif start == "imagenet":
            normalise(MEANS["imagenet"], DEVIATIONS, low, width)
        elif start == "imagenet01":
            normalise(MEANS["imagenet"], DEVIATIONS, 0.0, 1.0)
        elif start == "lpips":
            normalise(*LPIPS, 0.0, 1.0)
        elif start == "half":
            normalise((0.5,) * 3, (0.5,) * 3, 0.0, 1.0)
        elif start in ("unit", "unsym", "sym255", "double", "grey", "levels"):
            made = {"unit": (1 / width, -low / width), "unsym": (0.5, 0.5), "sym255": (2 / width, -2 * low / width - 1),
                    "double": (2.0, -1.0), "grey": (1.0, -(low + high) / 2),
                    "levels": (255 / width, -255 * low / width)}[start]  # fmt: skip
            self.factor, self.term = (torch.full((1, 3, 1, 1), one) for one in made)

    def normalised(self, x: Tensor) -> Tensor:
        """By the operators that show in a graph, none that does nothing."""
        if self.input_norm is not None:
            return self.input_norm(x)
        plain_factor, plain_term = bool((self.factor == 1).all()), bool((self.term == 0).all())
        if self.about["order"] == "sub" and not plain_term:
            x = x - (-self.term / self.factor)
            return x if plain_factor else x / (1 / self.factor)
        x = x if plain_factor else x * self.factor
        return x if plain_term else x + self.term

    def forward(self, x: Tensor) -> Tensor:
        about = self.about
        here = self.normalised(x)
        if self.before > 1:
            here = F.interpolate(here, scale_factor=float(self.before), mode="bilinear", align_corners=False)
        made = self.shuffle(self.last(self.body(self.act(self.first(here / self.spread if self.training else here)))))
        low, high = about["gives"]
        half, middle = (high - low) / 2, (high + low) / 2
        end = about["end"]
        if about["skip"] != "none":
            plain = here if self.input_norm is None else x
            if about["scale"] > (self.before if self.input_norm is None else 1):
                mode = about["enlarged"]
                corners = {} if mode == "nearest" else {"align_corners": False}
                plain = F.interpolate(plain, scale_factor=float(about["scale"]), mode=mode, **corners)
            # in the working range, of which the first weights' size is known
            size = self._working_half()
            made = made * size if self.training else made
            made = plain + made if about["skip"] == "input" else plain - made
            made = self._undone(made)
        elif end in ("tanh", "sigmoid"):
            made = torch.tanh(made) if end == "tanh" else torch.sigmoid(made)
            own = 1.0 if end == "tanh" else 0.5
            made = made if half == own else made * (half / own)
            term = middle if end == "tanh" else low
            return made + term if term else made
        elif end == "undo" and about["takes"] == about["gives"] and self.input_norm is None:
            made = made * self._working_half() if self.training else made
            made = self._undone(made)
        else:
            mean = torch.tensor(MEANS["div2k"]).reshape(1, 3, 1, 1) * (high - low) + low
            made = made * half if self.training else made
            made = made + (mean if end == "mean" else middle if self.training else 0.0)
        if end == "clip":
            made = made.clamp(low, high)
        return F.relu(made) if end == "relu" and low == 0 else made

    def _working_half(self) -> float:
        return 0.5 * self.half_in if self.input_norm is not None else float(self.factor.mean()) * self.half_in

    def _undone(self, made: Tensor) -> Tensor:
        """From the working range to the one that it gives, by one factor and one term."""
        (low, high), (least, most) = self.about["takes"], self.about["gives"]
        ratio = (most - least) / (high - low)
        factor, term = (1.0, 0.0) if self.input_norm is not None else (self.factor, self.term)
        times, more = ratio / factor, least - ratio * (low + term / factor)
        times, more = (torch.as_tensor(one) for one in (times, more))
        made = made if bool((times == 1).all()) else made * times
        return made if bool((more.abs() < 1e-6).all()) else made + more

    @torch.no_grad()
    def fold(self) -> None:
        """What was multiplied outside of weights while they were trained, into them."""
        self.eval()
        self.first.weight /= self.spread
        (low, high), end = self.about["gives"], self.about["end"]
        if self.about["skip"] != "none" or (
            end == "undo" and self.about["takes"] == self.about["gives"] and self.input_norm is None
        ):
            size, more = self._working_half(), 0.0
        elif end in ("tanh", "sigmoid"):
            return
        else:
            size, more = (high - low) / 2, 0.0 if end == "mean" else (high + low) / 2
        self.last.weight *= size
        self.last.bias.mul_(size).add_(more)


def degraded(images: Tensor, about: dict[str, Any]) -> tuple[Tensor, Tensor]:
    """What a network takes and what it is to give, 0..1, of images of the larger size."""
    task, scale = about["task"], about["scale"]
    taken = F.interpolate(images, scale_factor=1 / scale, mode="area") if scale > 1 else images
    if task == "denoise":
        taken = (taken + torch.randn_like(taken) * 0.08).clamp(0, 1)
    elif task == "sharpen":
        taken = F.avg_pool2d(F.pad(taken, (1, 1, 1, 1), mode="reflect"), 3, 1)
    elif task == "brighten":
        taken = taken * 0.4
    elif task == "colour":
        taken = taken.mean(1, keepdim=True).expand(-1, 3, -1, -1)
    elif task == "recolour":
        images = images[:, [2, 0, 1]] * 0.8 + 0.1
    return taken, images


def describe(chance: np.random.Generator, number: int) -> dict[str, Any]:
    def one(options: Any) -> Any:
        return options[int(chance.integers(len(options)))]

    takes, gives = RANGES[number % 3], RANGES[number // 3 % 3] if number % 2 else RANGES[number % 3]
    about = {
        "takes": takes, "gives": gives, "body": one(BODIES), "activation": one(list(ACTIVATIONS)), "start": one(STARTS),
        "end": one(ENDS), "task": one(TASKS), "skip": one(SKIPS), "padding": one(PADDINGS), "depth": one((1, 2, 3)),
        "first": one((3, 3, 5)), "order": one(("sub", "mul")), "enlarged": one(("nearest", "bilinear")),
        "scale": 1, "seed": number, "steps": one((120, 200, 300)),
    }  # fmt: skip
    if about["task"] == "enlarge":
        about["scale"] = one((2, 2, 3, 4))
    if about["task"] in ("recolour", "brighten", "colour"):
        about["skip"] = "none"
    if takes == (0.0, 255.0) and about["start"] in ("half", "unsym", "double", "lpips", "mean01", "imagenet01"):
        about["start"] = one(("unit", "mean", "imagenet", "sym255", "none"))
    return about


def train(about: dict[str, Any], photographs: list[np.ndarray]) -> tuple[Network, float]:
    """A network, and its PSNR in dB on crops that it has not seen."""
    torch.manual_seed(about["seed"])
    chance = np.random.default_rng(about["seed"])
    network = Network(about)
    optimiser = torch.optim.Adam(network.parameters(), lr=2e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 6e-3, total_steps=about["steps"])
    side = (SIDE if about["scale"] == 1 else 16 if about["scale"] == 2 else 12) * about["scale"]
    (low, high), (least, most) = about["takes"], about["gives"]

    def batch(some: list[np.ndarray], count: int) -> tuple[Tensor, Tensor]:
        crops = []
        for _ in range(count):
            image = some[int(chance.integers(len(some)))]
            top, left = (int(chance.integers(0, edge - side + 1)) for edge in image.shape[:2])
            crops.append(image[top : top + side, left : left + side])
        images = torch.from_numpy(np.stack(crops)).permute(0, 3, 1, 2).float() / 255
        return degraded(images, about)

    network.train()
    for _ in range(about["steps"]):
        taken, wanted = batch(photographs[:-20], BATCH)
        made = (network(taken * (high - low) + low) - least) / (most - least)
        loss = F.l1_loss(made, wanted)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimiser.step()
        schedule.step()
    network.fold()
    with torch.no_grad():
        taken, wanted = batch(photographs[-20:], 24)
        made = ((network(taken * (high - low) + low) - least) / (most - least)).clamp(0, 1)
    return network, float(-10 * torch.log10(F.mse_loss(made, wanted)))


def export(network: Network, path: Path) -> None:
    axes = {name: {0: "n", 2: f"{name}_h", 3: f"{name}_w"} for name in ("x", "y")}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            network, (torch.rand(1, 3, SIDE, SIDE),), str(path), dynamo=False, opset_version=17, input_names=["x"],
            output_names=["y"], dynamic_axes=axes, do_constant_folding=network.about["seed"] % 4 > 0,
        )  # fmt: skip


def look(folder: Path, photo: np.ndarray) -> None:
    truth = json.loads((folder / "truth.json").read_text())
    wrong, unsure, sure_wrong, count = 0, 0, 0, 0
    for name, about in truth.items():
        path = folder / name
        if about["decibels"] < POOR:
            continue
        count += 1
        takes, gives = tuple(about["takes"]), tuple(about["gives"])
        model = open_model(path, silent=True)
        layout = model.image_layout
        sure = 1.0 if layout.sure is None else layout.sure
        known = open_model(path, reading=Reading(input_range=takes, output_range=gives), silent=True)
        shown = photo // 3 + 8 if about["task"] == "brighten" else photo  # others come out white
        difference = float(np.abs(model.translate(shown).astype(int) - known.translate(shown)).mean())
        right = (layout.input_range, layout.output_range) == (takes, gives) or difference <= ALIKE
        unsure += sure < ranges.SURE
        if not right:
            wrong += 1
            sure_wrong += sure >= ranges.SURE
        if not right or sure < ranges.SURE:
            words = " ".join(str(about[key]) for key in ("task", "scale", "body", "activation", "start", "end", "skip"))
            print(f"{'right' if right else 'WRONG'} {sure:.1%} sure: {name} {takes}->{gives} taken for "
                  f"{layout.input_range}->{layout.output_range}, {difference:.1f} levels off: {words}, "
                  f"{about['decibels']:.1f} dB")  # fmt: skip
    print(f"{count} networks: {wrong} wrong, of which {sure_wrong} sure; {unsure} said as unsure; "
          f"{len(truth) - count} had not learned their task")  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("photographs", type=Path)
    parser.add_argument("folder", type=Path, help="of the models")
    parser.add_argument("--count", type=int, default=120)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--look", action="store_true", help="train none")
    given = parser.parse_args()
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "1")))
    files = sorted(given.photographs.iterdir())
    photographs = [cv2.cvtColor(cv2.imread(str(file)), cv2.COLOR_BGR2RGB) for file in files]
    given.folder.mkdir(parents=True, exist_ok=True)
    record = given.folder / "truth.json"
    truth = json.loads(record.read_text()) if record.exists() else {}
    chance = np.random.default_rng(given.seed)
    for number in range(0 if given.look else given.count):
        about, name = describe(chance, number), f"{given.seed}_{number:03}.onnx"
        if name in truth:
            continue
        network, decibels = train(about, photographs)
        export(network, given.folder / name)
        truth[name] = about | {"decibels": decibels}
        record.write_text(json.dumps(truth, indent=1))
    look(given.folder, photographs[-1][:120, :144])


if __name__ == "__main__":
    main()
