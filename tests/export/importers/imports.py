"""Read weights as the command does, and export what was read."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from export.card import Card
from export.from_weights import export_weights
from export.given import Given
from export.importers import import_weights
from export.importers.base import Imported
from export.to_onnx import Output
from export.weights import Weights, read_weights
from tests.export.small_networks import card_of, run

WRAPPED = {  # as programs save a network
    "plain": lambda state: state,
    "state_dict": lambda state: {"state_dict": state, "epoch": 3, "optimizer": {"param_groups": [{"lr": 1e-4}]}},
    "DataParallel": lambda state: {f"module.{key}": value for key, value in state.items()},
    "generator beside discriminator": lambda state: {
        "generator": state, "discriminator": {"main.0.weight": torch.zeros(4, 3, 4, 4)}
    },
    "lightning": lambda state: {
        "state_dict": {**{f"generator.{key}": value for key, value in state.items()},
                       "discriminator.main.0.weight": torch.zeros(4, 3, 4, 4)},
        "pytorch-lightning_version": "2.0",
    },
    "averaged": lambda state: {"ema": state, "model": {key: torch.zeros_like(value) for key, value in state.items()}},
    "sorted": lambda state: dict(sorted(state.items())),
}  # fmt: skip


def read(state: dict[str, Tensor], family: str = "", **given: object) -> Imported:
    """What an importer makes of a state_dict."""
    return import_weights([Weights(path=Path("w.pth"), state=state, given=Given(**given))], family)[0]


def saved(path: Path, content: object, **given: object) -> tuple[Imported, Weights]:
    """What an importer makes of a file."""
    torch.save(content, path)
    return import_weights([replace(weights, given=Given(**given)) for weights in read_weights(path)])


def exported(state: dict[str, Tensor], folder: Path, **given: object) -> tuple[Path, Card]:
    """The file that the command writes of a state_dict; its parity with torch was checked by the export."""
    torch.save(state, folder / "w.pth")
    path = export_weights(folder / "w.pth", Output(path=folder / "x.onnx"), given=Given(**given))[0]
    return path, card_of(path)


def drawn(path: Path, **inputs: Tensor) -> np.ndarray:
    """Images of a file, as floats 0..1, [n, c, h, w]."""
    result = run(path, **{name: value.numpy() for name, value in inputs.items()})
    return result.transpose(0, 3, 1, 2) / 255


def difference(one: Tensor, other: Tensor) -> float:
    assert one.shape == other.shape
    return float((one - other).abs().max())


def inputs_of(imported: Imported, count: int = 3) -> list[Tensor]:
    """Other inputs like the examples, for comparisons."""
    torch.manual_seed(1)
    made = []
    for name, example in imported.exportables[0].inputs.items():
        shape = (count, *example.shape[1:])
        if example.dtype == torch.int64:
            made.append(torch.randint(0, int(example.max()) + 1, shape))
        else:
            made.append(torch.rand(shape) if name == "image" else torch.randn(shape))
    return made


def apply(network: nn.Module, imported: Imported) -> Tensor:
    """What a published network gives for the inputs of ``inputs_of``."""
    return network(*inputs_of(imported))
