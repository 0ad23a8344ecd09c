"""Read files of weights of unknown origin: nothing in them is ever run, and what they may take is bounded."""

import argparse
import contextlib
import io
import json
import pickle
import pickletools
import re
import struct
import zipfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath, PureWindowsPath
from types import SimpleNamespace
from typing import IO, Any, Final

import numpy as np
import torch

from export.graph import quiet
from export.weight_folder import SHARDS
from trainer.contract.errors import UserError

MAX_BYTES = 4 << 30  # of a file, of its contents unpacked, and of its tensors: far above any small generator
MAX_CONTENTS = 16 << 20  # bytes of a file's table of contents: about a hundred thousand tensors
SUFFIXES: Final = (".pth", ".pt", ".bin", ".ckpt", ".tar", ".safetensors")
_END: Final = 22 + (1 << 16)  # the most that a zip's last record can take, with its comment


def read_content(file: Path) -> Any:
    """What a file of weights holds, on the CPU: tensors by name, or whatever a program has put round them. Raises
    ``UserError`` with one line."""
    suffix = file.suffix.lower()
    try:
        if file.exists() and not file.is_file():
            raise UserError(f"{file}: is no file")
        if file.name.endswith(SHARDS):
            return _read_shards(file)
        if suffix == ".pkl":
            raise UserError(
                f"{file}: is a pickle, which only its own program can open: unpickling it would run code, which is "
                "refused; expected a state_dict (torch.save(model.state_dict(), 'weights.pth')) or .safetensors"
            )
        if suffix not in SUFFIXES:
            raise UserError(f"{file}: the name ends in {suffix or 'nothing'!r}, expected {', '.join(SUFFIXES)}")
        check_size(file, file.stat().st_size, "file")
        return _read_safetensors(file) if suffix == ".safetensors" else _read_torch(file)
    except OSError as error:
        raise UserError(f"{file}: {error.strerror or error}") from None


def check_size(file: Path, found: int, what: str) -> None:
    """Raise ``UserError`` where something of a file takes more bytes than any small network."""
    if found > MAX_BYTES:
        raise UserError(f"{file}: the {what} takes {found / 2**30:.1f} GiB, expected at most {MAX_BYTES >> 30} GiB")


def _check_contents(file: Path, found: int) -> None:
    if found > MAX_CONTENTS:
        raise UserError(
            f"{file}: its table of contents takes {found / 2**20:.0f} MiB, expected at most {MAX_CONTENTS >> 20} MiB: "
            "that of a network has some thousands of tensors"
        )


def _read_safetensors(file: Path) -> dict[str, Any]:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    with file.open("rb") as stream:
        head = stream.read(8)
    if len(head) == 8:
        (length,) = struct.unpack("<Q", head)
        if length <= file.stat().st_size:  # else damaged, as below
            _check_contents(file, length)
    try:
        return dict(load_file(file))
    except (SafetensorError, ValueError, KeyError) as error:
        raise UserError(f"{file}: damaged, or not a safetensors file: {error}") from None


def _read_shards(file: Path) -> dict[str, Any]:
    """All files that an index names, which lie beside it."""
    _check_contents(file, file.stat().st_size)
    try:
        names = sorted(set(json.loads(file.read_bytes())["weight_map"].values()))
        if not all(isinstance(name, str) and Path(name).name == name for name in names):
            raise ValueError("it names files of other folders")
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise UserError(f"{file}: damaged, or not an index of shards: {error}") from None
    shards = [file.with_name(name) for name in names]
    missing = [shard.name for shard in shards if not shard.is_file()]
    if missing:
        raise UserError(f"{file}: names {len(names)} files, and {missing[0]} is not there")
    check_size(file, sum(shard.stat().st_size for shard in shards), "set of shards")
    return {key: value for shard in shards for key, value in _read_safetensors(shard).items()}


def _read_torch(file: Path) -> Any:
    if zipfile.is_zipfile(file):
        _check_archive(file)
    else:
        _check_pickles(file)
    try:
        with quiet(), _harmless():
            return torch.load(file, map_location="cpu", weights_only=True)
    except OSError:
        raise
    except Exception as error:  # damaged files raise nearly every type
        code = re.search(r"GLOBAL ([\w.]+)", str(error)) or re.search(r"<?class '?([\w.]+)", str(error))
        if code is None or not isinstance(error, pickle.UnpicklingError):
            raise UserError(f"{file}: damaged, cut short, or not a PyTorch file") from None
        raise UserError(_unsafe(file, code[1])) from None


def _unsafe(file: Path, code: str) -> str:
    return (
        f"{file}: needs the code of {code} to be unpickled, which is refused as unsafe; "
        "expected a state_dict (torch.save(model.state_dict(), …)) or .safetensors"
    )


@contextlib.contextmanager
def _harmless() -> Iterator[None]:
    """Let ``torch.load`` make values that programs keep beside their weights, and that can do nothing.

    NumPy's scalars and arrays (a best score, a learning rate, the state of a random generator) are made of a type and
    bytes; NumPy itself refuses those that would hold objects. Namespaces and default dictionaries (options of a command
    line) are plain containers. Paths become such as never touch a disk.
    """
    scalar, array = np.float64(0).__reduce__()[0], np.zeros(0).__reduce__()[0]
    allowed: list[Any] = [
        np.ndarray, np.dtype, *{type(np.dtype(code)) for code in "?bBhHiIlLqQefdSU"},
        argparse.Namespace, SimpleNamespace, dict, list, int, float,
        (lambda *_: {}, "collections.defaultdict"),
    ]  # fmt: skip
    for module in ("numpy.core.multiarray", "numpy._core.multiarray"):  # before NumPy 2, and since
        allowed += [(scalar, f"{module}.scalar"), (array, f"{module}._reconstruct")]
    for module in ("pathlib", "pathlib._local"):
        for pure, names in ((PurePosixPath, ("Path", "PosixPath", "PurePosixPath")),
                            (PureWindowsPath, ("WindowsPath", "PureWindowsPath"))):  # fmt: skip
            allowed += [(pure, f"{module}.{name}") for name in names]
    with torch.serialization.safe_globals(allowed):
        yield


def _check_archive(file: Path) -> None:
    """Check the unpacked size before anything is unpacked. Raises ``UserError``."""
    try:
        _check_contents(file, _directory_size(file))
        with zipfile.ZipFile(file) as archive:
            entries = archive.infolist()
            check_size(file, sum(entry.file_size for entry in entries), "unpacked archive")
            for entry in entries:
                if entry.filename.endswith("data.pkl"):
                    _check_contents(file, entry.file_size)
                    _check_globals(file, archive.read(entry))
    except UserError:
        raise
    except Exception as error:  # zipfile raises a dozen kinds for damaged archives
        raise UserError(f"{file}: damaged archive: {' '.join(str(error).split())[:100]}") from None


def _directory_size(file: Path) -> int:
    """Bytes of a zip's directory, which ``zipfile`` would read at once; 0 where it does not tell."""
    with file.open("rb") as stream:
        size = stream.seek(0, io.SEEK_END)
        stream.seek(max(size - _END, 0))
        tail = stream.read(_END)
        start = tail.rfind(b"PK\x05\x06")
        if start < 0 or len(tail) < start + 16:
            return 0
        (length,) = struct.unpack_from("<I", tail, start + 12)
        if start >= 20 and tail[start - 20 : start - 16] == b"PK\x06\x07":  # zip64: its own record has the size
            (offset,) = struct.unpack_from("<Q", tail, start - 12)
            if offset + 48 > size:
                return 0
            stream.seek(offset + 40)
            (length,) = struct.unpack("<Q", stream.read(8))
    return int(length)


def _check_pickles(file: Path) -> None:
    """Check that what a file of the older format begins with is short: four pickles, and the names of its parts."""
    with file.open("rb") as stream:
        head = stream.read(MAX_CONTENTS + 1)
    stream_of: IO[bytes] = io.BytesIO(head)
    try:
        with quiet():
            for _ in range(5):
                for _ in pickletools.genops(stream_of):
                    pass
    except Exception:  # damaged, which torch finds too, or too long
        if len(head) > MAX_CONTENTS and stream_of.tell() > MAX_CONTENTS - (1 << 10):
            _check_contents(file, len(head))
    _check_globals(file, head[: stream_of.tell()])


def _check_globals(file: Path, pickled: bytes) -> None:
    """Refuse ``bytearray``, which torch allows: ``bytearray(10**12)`` is twenty bytes of a file, and all memory."""
    if re.search(rb"c(builtins|__builtin__)\nbytearray\n", pickled):
        raise UserError(_unsafe(file, "builtins.bytearray"))
