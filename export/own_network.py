"""Somebody's own definition of a network, run as their own program would run it.

python -m export weights.pth --module model.py:Generator --kind generator --latent 100 -o x.onnx
"""

import hashlib
import importlib.util
import inspect
import json
import sys
import traceback
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import torch
from torch import Tensor, nn

from export.given import Given
from export.importers.base import Imported
from export.weights import Weights, shown_keys
from trainer.contract.errors import UserError, require
from trainer.contract.text import printable
from trainer.family import CardFields, DataSpec, Exportable, Latent
from trainer.parts.noise_schedule import Diffusion
from trainer.parts.superresolution import drawn_images

_SIDE: Final = 64  # pixels, of images where nothing is said
_SHOWN: Final = 3  # keys in a message
_UNIT: Final = (0.0, 1.0)


class Adapted(nn.Module):
    """A network with the shapes and ranges that its author chose, called with floats in 0..1 and latents [n, d]."""

    def __init__(
        self, network: nn.Module, latent: tuple[int, ...], takes: tuple[float, float], gives: tuple[float, float]
    ) -> None:
        super().__init__()
        self.network = network
        self.latent = latent
        self.takes, self.gives = takes, gives

    def forward(self, value: Tensor) -> Tensor:
        low, high = self.takes
        if value.ndim == 2:
            value = value.unflatten(1, self.latent)
        elif self.takes != _UNIT:
            value = value * (high - low) + low
        made = self.network(value)
        low, high = self.gives
        if made.ndim == 4 and self.gives != _UNIT and not self.is_code(made):
            made = (made - low) / (high - low)
        return made.flatten(1) if self.is_code(made) else made

    def is_code(self, made: Tensor) -> bool:
        """Whether a result is a latent, [n, d] or [n, d, 1, 1]."""
        return made.ndim == 2 or made.shape[2:].numel() == 1


def import_own(candidates: Sequence[Weights], given: Given) -> Imported:
    """The network that the user defined, with all of a file's weights. Raises ``UserError`` with one line."""
    require(bool(given.kind), "kind", "missing", "what --module makes: generator, translator, encoder or denoiser")
    network = _loaded(build(given.module, given.module_args), candidates, given.module).eval().requires_grad_(False)
    remarks = [f"{given.module} was run as your own code"]
    make = {"generator": _generator, "encoder": _encoder, "translator": _translator, "denoiser": _denoiser}
    require(given.kind in make, "kind", given.kind, f"{', '.join(make)} with --module")
    try:
        ways, spec = make[given.kind](network, given, remarks)
    except UserError:
        raise
    except Exception as error:  # whatever the user's code raises
        raise UserError(f"--module {given.module}: {_told(error)}") from None
    return Imported(exportables=ways[:1], otherwise=ways[1:], spec=spec, family="own", remarks=tuple(remarks))


def build(module: str, arguments: str) -> nn.Module:
    """Run FILE.py and call what it calls Class. ``arguments``: JSON by name. Raises ``UserError``."""
    name, _, attribute = module.rpartition(":")
    file = Path(name)
    if not name or not attribute.isidentifier():
        raise UserError(f"--module is {module!r}, expected FILE.py:Class")
    if not file.is_file():
        raise UserError(f"--module {file}: there is no such file")
    try:
        values = json.loads(arguments or "{}")
    except (ValueError, RecursionError) as error:
        raise UserError(f"--module-args is no JSON: {error}, expected such as '{{\"width\": 8}}'") from None
    if not isinstance(values, dict):
        raise UserError(f"--module-args is {printable(arguments, 60)}, expected such as '{{\"width\": 8}}'")
    folder = str(file.resolve().parent)
    own = f"own_network_{hashlib.sha256(str(file.resolve()).encode()).hexdigest()[:8]}"
    spec = importlib.util.spec_from_file_location(own, file)
    if spec is None or spec.loader is None:
        raise UserError(f"--module {file}: is no Python file, expected FILE.py:Class")
    code = importlib.util.module_from_spec(spec)
    sys.path.insert(0, folder)  # of what the file imports from beside it
    sys.modules[own] = code
    try:
        spec.loader.exec_module(code)
        kind = getattr(code, attribute, None)
        if not callable(kind):
            kinds = [
                key for key, value in vars(code).items() if inspect.isclass(value) and issubclass(value, nn.Module)
            ]
            raise UserError(
                f"--module {file}: has no {attribute}, expected one of {', '.join(kinds) or 'its networks'}"
            )
        made = kind(**values)
    except UserError:
        raise
    except (Exception, SystemExit) as error:  # whatever the user's code raises
        raise UserError(f"--module {module}: {_told(error, file)}") from None
    finally:
        sys.path.remove(folder)
    if not isinstance(made, nn.Module):
        raise UserError(f"--module {module}: gives a {type(made).__name__}, expected a torch.nn.Module")
    return made.float().cpu()


def _loaded(network: nn.Module, candidates: Sequence[Weights], module: str) -> nn.Module:
    """Load whichever weights fit, strictly. Raises ``UserError`` naming the keys that do not."""
    own = {key: value.shape for key, value in network.state_dict().items()}
    views = [view for weights in candidates for view in weights.views()]
    fitting = [view for view in views if {key: value.shape for key, value in view.state.items()} == own]
    if fitting:
        network.load_state_dict(dict(fitting[0].state))
        return network
    best = max(views, key=lambda view: len(view.state.keys() & own.keys()))
    parts = []
    for what, keys in (("lacks", sorted(own.keys() - best.state.keys())),
                       ("has besides", sorted(best.state.keys() - own.keys()))):  # fmt: skip
        if keys:
            more = f" and {len(keys) - _SHOWN} more" if len(keys) > _SHOWN else ""
            parts.append(f"{what} {', '.join(printable(key, 60) for key in keys[:_SHOWN])}{more}")
    for key in sorted(own.keys() & best.state.keys()):
        if own[key] != best.state[key].shape:
            parts.append(f"has {key} of {list(best.state[key].shape)}, expected {list(own[key])}")
            break
    raise UserError(
        f"{best.path}: does not fit {module}: it {'; it '.join(parts)} (it begins {shown_keys(best.state)})"
    )


def _generator(network: nn.Module, given: Given, remarks: list[str]) -> tuple[list[Exportable], DataSpec]:
    require(bool(given.latent), "latent", "missing", "the shape of a latent, such as 100 or 100x1x1")
    size = 1
    for length in given.latent:
        size *= length
    module = Adapted(network, given.latent, _UNIT, given.output_range or _UNIT).eval()
    latent = torch.randn(2, size, generator=torch.Generator().manual_seed(0))
    image = _image(module, latent, given, remarks)
    item = Exportable(
        kind="generator", module=module, inputs={"latent": latent}, card=CardFields(latent=Latent(size=size))
    )
    return [item], DataSpec(image_size=(image.shape[2], image.shape[3]), channels=image.shape[1])


def _encoder(network: nn.Module, given: Given, remarks: list[str]) -> tuple[list[Exportable], DataSpec]:
    module, examples = _of_images(network, given, remarks)
    with torch.no_grad():
        code = module(examples)
    if not isinstance(code, Tensor) or code.ndim != 2:
        raise UserError(f"--module {given.module}: gives {_shape(code)}, expected latents [2, d]")
    card = CardFields(latent=Latent(size=code.shape[1]))
    item = Exportable(kind="encoder", module=module, inputs={"image": examples}, card=card)
    return [item], DataSpec(image_size=(examples.shape[2], examples.shape[3]), channels=given.channels or 3)


def _translator(network: nn.Module, given: Given, remarks: list[str]) -> tuple[list[Exportable], DataSpec]:
    module, examples = _of_images(network, given, remarks)
    height, width = examples.shape[2:]
    made = _image(module, examples, given, remarks)
    scale, rest = divmod(made.shape[2], height)
    if rest or not scale or made.shape[3] != width * scale:
        raise UserError(
            f"--module {given.module}: makes {made.shape[3]}x{made.shape[2]} px of {width}x{height} px, expected as "
            "many or a whole number of times as many"
        )
    card = CardFields(channels=made.shape[1], input_channels=examples.shape[1], scale=scale)
    fixed = Exportable(kind="translator", module=module, inputs={"image": examples}, card=card)
    step = next((step for step in (1, 2, 4, 8, 16, 32, 64) if _takes(module, examples, step, scale)), 0)
    ways = [fixed]
    if step and not given.image_size:
        ways = [replace(fixed, card=replace(card, any_size=True, multiple=step)), fixed]
    ways = [replace(way, one_by_one=one) for way in ways for one in (False, True)]
    return ways, DataSpec(image_size=(height, width), channels=made.shape[1])


def _denoiser(network: nn.Module, given: Given, remarks: list[str]) -> tuple[list[Exportable], DataSpec]:
    channels, (height, width) = given.channels or 3, given.image_size or (_SIDE, _SIDE)
    require(channels == 3, "channels", channels, "3 for a denoiser of --module")
    takes = list(inspect.signature(network.forward).parameters)[:2]
    if len(takes) == 2 and "sigma" in takes[1].lower():
        raise UserError(
            f"--module {given.module}: takes ({', '.join(takes)}), the strength of noise as EDM does, expected "
            "(noisy, t) with steps t = 0, 1, 2, ...: no mode here samples by strengths"
        )
    diffusion: Any = Diffusion(
        kind=given.noise_schedule or "linear",  # type: ignore[arg-type]
        prediction=given.prediction or "epsilon",  # type: ignore[arg-type]
        steps=given.noise_steps or 1000,
    )
    if not (given.noise_schedule and given.prediction and given.noise_steps):
        remarks.append(
            f"the noise is taken for {diffusion.kind} over {diffusion.steps} steps, and the prediction for "
            f"{diffusion.prediction} (--noise-schedule, --noise-steps, --prediction)"
        )
    image = drawn_images(4, channels, max(height, width))[:, :, :height, :width] * 2 - 1
    t = torch.linspace(0, diffusion.steps - 1, 4).long()
    noisy = diffusion.add_noise(image, t, torch.randn(image.shape, generator=torch.Generator().manual_seed(0)))
    with torch.no_grad():
        made = network(noisy, t)
    if not isinstance(made, Tensor) or made.shape != noisy.shape:
        raise UserError(f"--module {given.module}: gives {_shape(made)}, expected {list(noisy.shape)} of (noisy, t)")
    card = CardFields(schedule=diffusion.schedule())
    item = Exportable(kind="denoiser", module=network, inputs={"noisy": noisy, "t": t}, card=card)
    return [item], DataSpec(image_size=(height, width), channels=channels)


def _of_images(network: nn.Module, given: Given, remarks: list[str]) -> tuple[Adapted, Tensor]:
    """A network that takes images, and a batch of two such."""
    height, width = given.image_size or (_SIDE, _SIDE)
    if not given.input_range:
        remarks.append("images go in as 0..1 (--input-range says otherwise)")
    module = Adapted(network, (), given.input_range or _UNIT, given.output_range or _UNIT).eval()
    return module, drawn_images(2, given.channels or 3, max(height, width))[:, :, :height, :width].contiguous()


def _image(module: Adapted, value: Tensor, given: Given, remarks: list[str]) -> Tensor:
    """What a network makes, which must be images; says how their range was taken."""
    with torch.no_grad():
        made = module.network(value.unflatten(1, module.latent)) if value.ndim == 2 else module(value)
    if not isinstance(made, Tensor) or made.ndim != 4 or made.shape[1] not in (1, 3) or made.shape[0] != len(value):
        raise UserError(f"--module {given.module}: gives {_shape(made)}, expected images [2, 1 or 3, h, w]")
    if given.output_range is None:
        low = float(made.min())
        if value.ndim == 4 and given.input_range:
            module.gives = given.input_range
            remarks.append("images come out in the range in which they go in (--output-range says otherwise)")
        elif low < -0.05 and value.ndim == 2:
            module.gives = (-1.0, 1.0)
            remarks.append(f"images come out as -1..1, since they reach {low:.2g} (--output-range says otherwise)")
        else:
            remarks.append("images come out as 0..1 (--output-range says otherwise)")
    return made


def _takes(module: nn.Module, examples: Tensor, step: int, scale: int) -> bool:
    """Whether images may be larger by ``step`` pixels, and whether the result is, too."""
    height, width = (side + step for side in examples.shape[2:])
    larger = nn.functional.pad(examples, (0, step, 0, step), "replicate")
    try:
        with torch.no_grad():
            return tuple(module(larger).shape[2:]) == (height * scale, width * scale)
    except Exception:  # whatever the user's code raises for a size that it is not made for
        return False


def _shape(value: Any) -> str:
    return str(list(value.shape)) if isinstance(value, Tensor) else f"a {type(value).__name__}"


def _told(error: BaseException, file: Path | None = None) -> str:
    """An error of the user's code in one line, with its place."""
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if file and Path(frame.filename) == file]
    place = f"line {frames[-1].lineno}: " if frames else ""
    return f"{place}{type(error).__name__}: {' '.join(str(error).split())[:200]}"
