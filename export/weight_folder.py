"""Folders in which the field's libraries save one network. Standard library only: asked before torch is loaded."""

from pathlib import Path
from typing import Final

from trainer.contract.errors import UserError

SHARDS: Final = ".safetensors.index.json"  # the end of the name of an index of several files
# Of a folder, what is read: the names that programs of the field save networks under, best first
_IN_FOLDER: Final = tuple(
    f"{folder}{name}{suffix}"
    for folder in ("", "unet/")
    for name in ("diffusion_pytorch_model", "model", "pytorch_model")
    for suffix in (".safetensors", SHARDS, ".bin")
)


def is_weights_folder(path: Path) -> bool:
    """Whether a folder holds a network as the field's libraries save them."""
    return any((path / name).is_file() for name in _IN_FOLDER)


def file_of(path: Path) -> Path:
    """The file with the weights: of a folder that which the field's libraries write. Raises ``UserError``."""
    if not path.is_dir() or path.suffix.lower() in (".pth", ".pt"):
        return path
    found = next((path / name for name in _IN_FOLDER if (path / name).is_file()), None)
    if found is None:
        raise UserError(f"{path}: has no weights, expected a file such as {_IN_FOLDER[0]}")
    return found
