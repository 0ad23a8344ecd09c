"""FSDP2: weights, gradients and optimiser states sharded over all ranks, along dimension 0.

A network is gathered while it computes; each rank keeps and steps its own shard. A ``state_dict`` of the network or of
its optimiser is whole, so that checkpoints are the same with and without FSDP; all ranks must ask for it together.
"""

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard
from torch.distributed.tensor import DTensor, distribute_tensor


def shard(net: nn.Module, device: torch.device, ranks: int) -> None:
    """Shard the weights of a network that is the same on all ranks, in place."""
    fully_shard(net.to(memory_format=torch.contiguous_format), mesh=init_device_mesh(device.type, (ranks,)))
    net.register_state_dict_post_hook(gather_weights)
    net.register_load_state_dict_pre_hook(cut_weights)


def whole(tensor: Tensor) -> Tensor:
    """Gather a sharded tensor from all ranks; return any other as it is."""
    return tensor.full_tensor() if isinstance(tensor, DTensor) else tensor


def piece(tensor: Tensor) -> Tensor:
    """This rank's shard, which shares its memory."""
    return tensor.to_local() if isinstance(tensor, DTensor) else tensor


def cut(tensor: Tensor, like: Tensor) -> Tensor:
    """Shard a tensor that all ranks have, the inverse of ``whole``."""
    if not isinstance(like, DTensor) or tensor.shape != like.shape:
        return tensor
    return distribute_tensor(tensor.to(like.device), like.device_mesh, like.placements, src_data_rank=None)


def rows_of(tensors: Iterable[Tensor], parameters: Iterable[Tensor]) -> list[Tensor]:
    """Views of whole tensors: the rows that this rank keeps of each parameter of the same shape."""
    found = []
    for tensor, parameter in zip(tensors, parameters, strict=True):
        if isinstance(parameter, DTensor):
            ranks, rank = parameter.device_mesh.size(), parameter.device_mesh.get_local_rank()
            count = -(-len(tensor) // ranks)
            found.append(tensor[rank * count : (rank + 1) * count])
        else:
            found.append(tensor)
    return found


@torch.no_grad()
def gather_rows(net: nn.Module, sharded: nn.Module) -> None:
    """Fill a whole network with the rows that other ranks keep of a sharded one: see ``rows_of``."""
    own = rows_of(net.parameters(), sharded.parameters())
    for tensor, rows, parameter in zip(net.parameters(), own, sharded.parameters(), strict=True):
        if isinstance(parameter, DTensor):
            mesh, placements = parameter.device_mesh, parameter.placements
            parts = DTensor.from_local(rows, mesh, placements, shape=tensor.shape, stride=parameter.stride())
            tensor.copy_(parts.full_tensor())


def gather_weights(net: nn.Module, state: dict[str, Any], prefix: str, metadata: dict[str, Any]) -> None:
    for name, value in state.items():
        state[name] = whole(value)


def cut_weights(net: nn.Module, state: dict[str, Any], prefix: str, *_: Any) -> None:
    for name, parameter in net.named_parameters():
        if prefix + name in state:
            state[prefix + name] = cut(state[prefix + name], parameter)


def gather_states(optimizer: torch.optim.Optimizer, state: dict[str, Any]) -> dict[str, Any]:
    states = {
        number: {key: whole(value).cpu() if isinstance(value, DTensor) else value for key, value in own.items()}
        for number, own in state["state"].items()
    }
    return {**state, "state": states}


def cut_states(optimizer: torch.optim.Optimizer, state: dict[str, Any]) -> dict[str, Any]:
    parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    states = {
        number: {
            key: cut(value, parameters[number]) if isinstance(value, Tensor) else value for key, value in own.items()
        }
        for number, own in state["state"].items()
    }
    return {**state, "state": states}
