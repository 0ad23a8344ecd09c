"""A bound on what a network may take, of whose size a file of unknown origin decides."""

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

_SPARE: Final = 256 << 20  # bytes beside the weights: masks, positions, and what initialisations make
_TIMES: Final = 4  # the weights are made, initialised, and replaced
_MAKERS: Final = ("empty", "zeros", "ones", "full", "rand", "arange", "linspace", "new_", "eye", "tri", "repeat")


class _Bound(TorchDispatchMode):
    """Counts what is about to be made, and refuses before the memory is taken."""

    def __init__(self, left: int) -> None:
        super().__init__()
        self.left = left

    def __torch_dispatch__(self, func: Any, types: Any, args: Sequence[Any] = (), kwargs: Any = None) -> Any:
        name = str(func)
        if any(maker in name for maker in _MAKERS):
            for argument in args:
                if isinstance(argument, Sequence) and argument and all(isinstance(size, int) for size in argument):
                    self._take(argument)
                    break
            else:
                numbers = [argument for argument in args if isinstance(argument, int | float)]
                if numbers and "empty" not in name:
                    self._take([int(max(map(abs, numbers)))])
        return func(*args, **(kwargs or {}))

    def _take(self, sizes: Sequence[int]) -> None:
        count = 4
        for size in sizes:
            count *= max(int(size), 1)
        self.left -= count
        if self.left < 0:
            raise ValueError("its names and shapes tell of a network far larger than its weights")


@contextlib.contextmanager
def bounded(state: Mapping[str, Tensor]) -> Iterator[None]:
    """Bound the memory of a network that is built of these weights. Raises ``ValueError`` within."""
    held = sum(value.numel() * 4 for value in state.values())
    with torch.no_grad(), _Bound(_TIMES * held + _SPARE):
        yield
