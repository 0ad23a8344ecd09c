"""Which packed format a name stands for: found out by looking at the file, not by trusting its name. No torch."""

from pathlib import Path

from trainer.contract.errors import UserError
from trainer.contract.images import Fit, resize
from trainer.contract.text import printable
from trainer.data.sources import cifar, hub, hub_stream, idx
from trainer.data.sources import shards as sharded
from trainer.data.sources.base import Packed, of_stored, resized
from trainer.data.sources.npy_set import ImageSet
from trainer.data.sources.sidecar import Facts

PICKLE = b"\x80"


def open_set(name: str, image_size: int = 0, fit: Fit = resize, workers: int = 0) -> tuple[Packed, Facts] | None:
    """A .npy file or a packed set, its images brought to ``image_size`` (0: theirs), and what is known of them; None
    for anything else. The labels of a .npy file are among the facts, those of a packed set come with its pieces.

    Raises ``UserError`` for one that is not sound.
    """
    path = Path(name)
    if path.suffix == ".npy" and path.is_file():
        stored = ImageSet(path)
        return resized(of_stored(stored), image_size, fit, workers), stored.facts
    packed = open_packed(name, image_size, fit)
    return None if packed is None else (packed, Facts(classes=packed.classes))


def open_packed(data: str, image_size: int = 0, fit: Fit = resize) -> Packed | None:
    """A set in one of the packed formats, its images brought to ``image_size`` (0: theirs); None for anything else.

    Raises ``UserError`` for one that is not sound.
    """
    if data.startswith("hub:"):
        return hub.open_hub(data, image_size, fit)
    if data.startswith("hubstream:"):
        return hub_stream.open_hub_stream(data, image_size, fit)
    path = Path(data)
    try:
        shards = sharded.open_shards(data, image_size, fit)
        if shards is not None:
            return shards
        if path.is_dir():
            return _open_folder(path, image_size, fit)
        if path.is_file():
            return _open_file(path, image_size, fit)
    except OSError as error:  # a name that is too long, a folder that may not be read
        raise UserError(f"cannot read {printable(data)}: {error.strerror or error}") from None
    return None


def _open_folder(folder: Path, image_size: int, fit: Fit) -> Packed | None:
    images = idx.find_images(folder)
    if images is not None:
        return resized(idx.open_idx(images), image_size, fit)
    batches = cifar.find_batches(folder)
    if batches:
        return resized(cifar.open_cifar(batches), image_size, fit)
    tables = hub.find_parquet(folder)
    return hub.open_parquet(tables, image_size, fit) if tables else None


def _open_file(path: Path, image_size: int, fit: Fit) -> Packed | None:
    if path.suffix == ".npy":
        return None
    if idx.is_idx(path):
        return resized(idx.open_idx(path), image_size, fit)
    if hub.is_parquet(path):
        return hub.open_parquet([path], image_size, fit)
    if cifar.is_batch(path):
        return resized(cifar.open_cifar([path]), image_size, fit)
    with path.open("rb") as file:
        if file.read(1) == PICKLE:
            raise UserError(f"{printable(path)} is pickled, which is never loaded: it could run anything")
    return None
