"""The inputs of a graph without a card beside the one that an image is made of: what each is given.

The arrays of a run follow from that of the first input. ``viewer.graph.roles`` says which input is what.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from trainer.contract.text import printable
from viewer.graph.screening import ScreeningError
from viewer.latents import normal

Role = Literal["latent", "label", "onehot", "step", "noise", "image", "fill"]
Settings = Mapping[str, float]  # values of scalars by names of inputs

LARGEST_INPUT: Final = 2**28  # numbers
_TENTHS: Final = 10  # steps of a key in the usual value of a scalar
TYPES: Final[Mapping[str, type[np.generic]]] = {
    "tensor(float)": np.float32,
    "tensor(float16)": np.float16,
    "tensor(double)": np.float64,
    "tensor(uint8)": np.uint8,
    "tensor(int64)": np.int64,
    "tensor(int32)": np.int32,
    "tensor(bool)": np.bool_,
}


@dataclass(frozen=True)
class Extra:
    """An input beside the first one."""

    name: str
    role: Role
    type: type[np.generic]
    shape: tuple[int | str | None, ...]  # as the graph declares it
    value: float = 0.0  # that it is filled with
    truncation: bool = False  # a scalar that brings latents nearer to the mean

    @property
    def batched(self) -> bool:
        """Whether it has an entry an image."""
        return bool(self.shape) and not isinstance(self.shape[0], int)

    @property
    def scalar(self) -> bool:
        """Whether it is one number, for all images or for each, and no yes or no."""
        return self.role == "fill" and self.type is not np.bool_ and is_scalar(self.shape)

    @property
    def choices(self) -> tuple[float, ...]:
        """Values that keys go through: from 0 to twice the usual one, or whole numbers."""
        if np.issubdtype(self.type, np.integer):
            return tuple(sorted({*map(float, range(21)), self.value}))
        unit = abs(self.value) or 1.0
        return tuple(sorted({*(round(unit * tenth / _TENTHS, 6) for tenth in range(2 * _TENTHS + 1)), self.value}))


@dataclass(frozen=True)
class Ports:
    """The inputs of a graph: the first, and what the others are given."""

    source: str  # name of the input that an image is made of
    shape: tuple[int | str | None, ...] = ()  # of the same, as the graph declares it
    extras: tuple[Extra, ...] = ()
    classes: int = 0  # that can be asked for; 0: none
    remarks: tuple[str, ...] = field(default=(), compare=False)

    def of_role(self, role: Role) -> list[Extra]:
        """The inputs of a role."""
        return [extra for extra in self.extras if extra.role == role]

    @property
    def settings(self) -> dict[str, float]:
        """What can be set: values by names of inputs."""
        return {extra.name: extra.value for extra in self.extras if extra.role == "fill"}

    def describe(self) -> str:
        """What each input beside the first is given, in words."""
        words = {
            "label": "the class",
            "onehot": "the class, as a one-hot row",
            "step": "the step",
            "image": "the image",
            "noise": "noise, the same for every image",
            "latent": "a part of the latent",
        }
        return ", ".join(f"{shown(one.name)}: {words.get(one.role, f'{one.value:g}')}" for one in self.extras)

    @property
    def knob(self) -> Extra | None:
        """The scalar that keys change: the truncation, or the first one."""
        scalars = [extra for extra in self.extras if extra.scalar]
        return next((extra for extra in scalars if extra.truncation), scalars[0] if scalars else None)

    @property
    def alone(self) -> bool:
        """Whether one run can only make images of one class."""
        return any(not extra.batched for extra in (*self.of_role("label"), *self.of_role("onehot")))

    def one_by_one(self, labels: NDArray[np.int64] | None = None, t: NDArray[np.int64] | None = None) -> bool:
        """Whether images of these classes, at these steps, cannot be made in one run: all would have the same one."""
        one_step = any(not extra.batched for extra in self.of_role("step"))
        return (self.alone and _vary(labels)) or (one_step and _vary(t))

    @property
    def more_latent(self) -> int:
        """Numbers of a latent that go into inputs beside the first one."""
        return sum(math.prod(whole_shape(extra.shape)) for extra in self.of_role("latent"))

    def feeds(
        self,
        array: NDArray[Any],
        *,
        labels: Sequence[int] | NDArray[np.int64] = (),
        latents: NDArray[np.float32] | None = None,
        t: Sequence[int] | NDArray[np.int64] = (),
        settings: Settings | None = None,
    ) -> dict[str, NDArray[Any]]:
        """The arrays of a run, by names of inputs.

        ``array``: of the first input. ``labels``, ``t``: one an image, fewer: the last one for the rest; none: 0.
        ``latents``: [n, d], what goes into inputs beside the first; ``None``: zeros. ``settings``: values instead of
        the usual ones. Raises ``ScreeningError`` where one would be too large.
        """
        found: dict[str, NDArray[Any]] = {self.source: array}
        taken = 0
        for extra in self.extras:
            shape = self._resolved(extra, array.shape)
            match extra.role:
                case "label" | "step":
                    found[extra.name] = _spread(labels if extra.role == "label" else t, shape, extra.type)
                case "onehot":
                    chosen = _spread(labels, shape[:1] if len(shape) > 1 else (1,), np.int64)
                    hot = chosen[:, None] == np.arange(shape[-1])
                    found[extra.name] = hot.astype(extra.type).reshape(shape)
                case "latent":
                    size = math.prod(shape[1:])
                    part = np.zeros((1, size)) if latents is None else latents[:, taken : taken + size]
                    rows = np.pad(part, ((0, shape[0] - len(part)), (0, 0)), mode="edge")
                    found[extra.name] = rows.astype(extra.type).reshape(shape)
                    taken += size
                case "noise":
                    own = (1, *shape[1:]) if extra.batched else shape  # the same for every image
                    drawn = _noise(extra.name, own)
                    found[extra.name] = np.ascontiguousarray(np.broadcast_to(drawn, shape), extra.type)
                case "image":
                    found[extra.name] = array.astype(extra.type, copy=False)
                case _:
                    found[extra.name] = np.full(shape, (settings or {}).get(extra.name, extra.value), extra.type)
        return found

    def _resolved(self, extra: Extra, shape: tuple[int, ...]) -> tuple[int, ...]:
        """The shape of an input in a run whose first input has this one."""
        named = {name: size for name, size in zip(self.shape, shape, strict=False) if isinstance(name, str)}
        like_source = len(extra.shape) == len(self.shape)
        sizes = []
        for axis, size in enumerate(extra.shape):
            if isinstance(size, int):
                sizes.append(size)
            elif axis == 0:
                sizes.append(shape[0] if shape else 1)
            else:
                known = shape[axis] if like_source and axis < len(shape) else 1
                sizes.append(named.get(size, known) if isinstance(size, str) else known)
        if math.prod(sizes) > LARGEST_INPUT:
            raise ScreeningError(f"input {shown(extra.name)} of {sizes}, expected at most {LARGEST_INPUT} numbers")
        return tuple(sizes)


def _vary(values: NDArray[np.int64] | None) -> bool:
    return values is not None and values.size > 1 and bool(values.min() < values.max())


@lru_cache(maxsize=32)
def _noise(name: str, shape: tuple[int, ...]) -> NDArray[np.float32]:
    """The noise of an input; not to be written to."""
    return normal(f"noise {name}", math.prod(shape)).reshape(shape)


def _spread(values: Sequence[int] | NDArray[np.int64], shape: tuple[int, ...], kind: type[np.generic]) -> NDArray[Any]:
    """One value an entry of the first axis, the last one for the rest."""
    count = shape[0] if shape else 1
    known = np.asarray(values, np.int64)[:count] if len(values) else np.zeros(1, np.int64)
    return np.pad(known, (0, count - len(known)), mode="edge").astype(kind).reshape(shape)


def shown(name: str) -> str:
    """The name of an input, fit to be printed."""
    return printable(name, 60)


def is_scalar(shape: Sequence[Any]) -> bool:
    """Whether an input is one number, or one an image."""
    sizes = shape if shape and isinstance(shape[0], int) else shape[1:]
    return all(size == 1 for size in sizes)


def whole_shape(shape: Sequence[Any]) -> tuple[int, ...]:
    """Of one entry of a batch: the sizes after the first axis, unknown ones left out."""
    return tuple(size for size in shape[1:] if isinstance(size, int))
