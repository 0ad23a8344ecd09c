"""Read state_dicts of unknown origin safely."""

import pickle
import re
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeGuard

import torch
from torch import Tensor

from export.graph import quiet
from trainer.contract.errors import UserError

MAX_BYTES = 4 << 30  # of a file, of its contents unpacked, and of its tensors: far above any small generator
SUFFIXES = (".pth", ".pt", ".bin", ".ckpt", ".safetensors")
WRAPPERS = (
    "state_dict", "model_state_dict", "model", "net", "network", "params", "params_ema", "ema", "vae", "weights",
)  # fmt: skip
PREFIXES = ("module.", "_orig_mod.", "model.", "net.", "network.", "vae.")


def read_state_dict(file: Path) -> dict[str, Tensor]:
    """Tensors by key, with the usual wrappers (``{"state_dict": …}``) and prefixes (``module.``) taken off. No code in
    the file is ever run. Raises ``UserError`` with one line."""
    if file.suffix.lower() not in SUFFIXES:
        raise UserError(f"{file}: the name ends in {file.suffix or 'nothing'!r}, expected {', '.join(SUFFIXES)}")
    try:
        size = file.stat().st_size
        if not file.is_file():
            raise UserError(f"{file}: is no file")
        _check_size(file, size, "file")
        content = _read_safetensors(file) if file.suffix.lower() == ".safetensors" else _read_torch(file)
    except OSError as error:
        raise UserError(f"{file}: {error.strerror or error}") from None
    state = _unprefixed(_unwrapped(content, file))
    _check_tensors(state, file)
    return state


def _check_size(file: Path, found: int, what: str) -> None:
    if found > MAX_BYTES:
        raise UserError(f"{file}: the {what} takes {found / 2**30:.1f} GiB, expected at most {MAX_BYTES >> 30} GiB")


def _read_safetensors(file: Path) -> Any:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        return load_file(file)
    except SafetensorError as error:
        raise UserError(f"{file}: damaged, or not a safetensors file: {error}") from None


def _read_torch(file: Path) -> Any:
    if zipfile.is_zipfile(file):
        _check_archive(file)
    try:
        with quiet():
            return torch.load(file, map_location="cpu", weights_only=True)
    except OSError:
        raise
    except Exception as error:  # damaged files raise nearly every type
        code = re.search(r"GLOBAL ([\w.]+)", str(error)) or re.search(r"class ([\w.]+)", str(error))
        if code is None or not isinstance(error, pickle.UnpicklingError):
            raise UserError(f"{file}: damaged, cut short, or not a PyTorch file") from None
        raise UserError(
            f"{file}: needs the code of {code[1]} to be unpickled, which is refused as unsafe; "
            "expected a state_dict (torch.save(model.state_dict(), …)) or .safetensors"
        ) from None


def _check_archive(file: Path) -> None:
    """Check the unpacked size before anything is unpacked. Raises ``UserError``."""
    try:
        with zipfile.ZipFile(file) as archive:
            _check_size(file, sum(entry.file_size for entry in archive.infolist()), "unpacked archive")
    except (zipfile.BadZipFile, ValueError, NotImplementedError) as error:
        raise UserError(f"{file}: damaged archive: {error}") from None


def _is_state(value: Any) -> TypeGuard[Mapping[str, Tensor]]:
    if not isinstance(value, Mapping) or not value:
        return False
    return all(isinstance(key, str) and isinstance(item, Tensor) for key, item in value.items())


def _unwrapped(content: Any, file: Path) -> dict[str, Tensor]:
    found = f"a {type(content).__name__}"
    if isinstance(content, Mapping):
        for state in (content, *map(content.get, WRAPPERS)):
            if _is_state(state):
                return dict(state)
        found = f"a dictionary of {', '.join(sorted(str(key)[:40] for key in content)[:6]) or 'nothing'}"
    raise UserError(f"{file}: holds {found}, expected a state_dict: tensors by name")


def _unprefixed(state: dict[str, Tensor]) -> dict[str, Tensor]:
    while prefix := next((item for item in PREFIXES if all(key.startswith(item) for key in state)), ""):
        state = {key.removeprefix(prefix): value for key, value in state.items()}
    return state


def _check_tensors(state: Mapping[str, Tensor], file: Path) -> None:
    """Refuse tensors that no network here can take. Sizes come first: a broadcast tensor can claim any."""
    for key, value in state.items():
        if value.layout != torch.strided or value.is_quantized or value.device.type != "cpu":
            raise UserError(f"{file}: {key} is {value.layout} on {value.device}, expected a plain tensor")
        if value.is_complex():
            raise UserError(f"{file}: {key} holds {value.dtype}, expected real numbers")
    _check_size(file, sum(value.numel() * value.element_size() for value in state.values()), "set of tensors")
    for key, value in state.items():
        if value.is_floating_point() and not bool(torch.isfinite(value).all()):
            raise UserError(f"{file}: {key} holds values that are not finite")
