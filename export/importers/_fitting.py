"""Fit a network to a state_dict: built without memory, compared key by key, and only then given the weights."""

from collections.abc import Callable, Mapping
from typing import TypeVar

import torch
from torch import Tensor, nn

Network = TypeVar("Network", bound=nn.Module)
IGNORED = ("num_batches_tracked",)  # last parts of keys that no network computes with


def fitted(
    make: Callable[[], Network], state: Mapping[str, Tensor], what: str, names: Mapping[str, str] | None = None
) -> Network:
    """The network of ``make`` with the weights of ``state``, in eval mode.

    ``what``: the network's name, for the line; ``names``: of layers in the file, where they are others. Raises
    ``ValueError`` that names the first key that does not fit.
    """
    try:
        with torch.device("meta"):  # no memory is taken before all sizes are known to be those of the file
            network = make()
    except (RuntimeError, ValueError, TypeError, LookupError, AttributeError, ArithmeticError) as error:
        raise ValueError(f"no {what}: {' '.join(str(error).split())[:200]}") from None
    own = {key: value for key, value in network.state_dict().items() if key.rpartition(".")[2] not in IGNORED}
    given = {key: value for key, value in state.items() if key.rpartition(".")[2] not in IGNORED}

    def called(key: str) -> str:
        layer, _, last = key.rpartition(".")
        return f"{(names or {}).get(layer, layer)}.{last}"

    for key, value in own.items():
        found = given.get(key)
        if found is None:
            raise ValueError(f"nearly {what}, but {called(key)} is missing, expected {_shape(value)}")
        if found.shape != value.shape:
            raise ValueError(f"nearly {what}, but {called(key)} is {_shape(found)}, expected {_shape(value)}")
        if value.is_floating_point() and not found.is_floating_point():
            raise ValueError(f"{called(key)} holds {found.dtype}, expected floats: what is quantised has scales, too")
    if odd := next((key for key in given if key not in own), None):
        raise ValueError(f"nearly {what}, but there is no place for {called(odd)} {_shape(given[odd])}")
    for part in network.modules():  # counters, which would stay without memory
        if isinstance(part, nn.modules.batchnorm._NormBase):
            part.num_batches_tracked = torch.zeros((), dtype=torch.long) if part.track_running_stats else None
    network.load_state_dict({key: given[key].float() for key in own}, strict=False, assign=True)
    return network.eval().requires_grad_(False)


def _shape(tensor: Tensor) -> str:
    return "x".join(map(str, tensor.shape)) or "a single number"
