"""Data sets that torchvision knows where to find: ``torchvision:MNIST[:test]``, downloaded once, never unpickled.

Names, addresses and checksums are torchvision's; the files are read by ``idx`` and ``cifar``.
torchvision's CIFAR-10 is the pickled version, so the binary archive of the same page is taken in its place."""

import contextlib
import io
import re
import shutil
import tarfile
import tempfile
from pathlib import Path

from trainer.contract.errors import UserError
from trainer.contract.files import cache
from trainer.contract.packages import how_to_install
from trainer.data.sources import need_source
from trainer.data.sources._identity import of_name
from trainer.data.sources._tables import first_line
from trainer.data.sources.base import ImageSource, OpenOptions

HELP = "torchvision:NAME[:test]"
ORDER = 0
IDX_SETS = ("MNIST", "FashionMNIST", "KMNIST")
NAME = re.compile(rf"torchvision:({'|'.join((*IDX_SETS, 'CIFAR10'))})(?::(train|test))?")
CIFAR_ARCHIVE = "https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz"
CIFAR_MD5 = "c32a1d4ab5d03f1284b67883e8d87530"
CIFAR_FILES = (*(f"data_batch_{k}.bin" for k in range(1, 6)), "test_batch.bin", "batches.meta.txt")
MOST_MEMBER_BYTES = 10_000 * 3073  # a label and 32x32 pixels

identity = of_name


def claims(data: str) -> bool:
    """By its prefix."""
    return data.startswith("torchvision:")


def open(data: str, options: OpenOptions) -> ImageSource:
    """A set by its name. Raises ``UserError`` where it is unknown, or cannot be downloaded."""
    match = NAME.fullmatch(data)
    if match is None:
        names = ", ".join((*IDX_SETS, "CIFAR10"))
        raise UserError(f"--data is {data}, expected torchvision:NAME or torchvision:NAME:test of {names}")
    name, test = match[1], match[2] == "test"
    folder = cache() / name
    try:
        if not folder.is_dir():
            _download(name, folder)
    except ImportError:
        raise UserError(f"{data}: torchvision knows where it is: {how_to_install('train')}") from None
    except (OSError, RuntimeError, EOFError, tarfile.TarError) as error:  # no network, or bytes that are not those
        raise UserError(f"{data} cannot be downloaded to {folder}: {first_line(error)}") from None
    part = "test_batch.bin" if test else ""
    if name != "CIFAR10":
        part = f"{'t10k' if test else 'train'}-images-idx3-ubyte.gz"
    return need_source(str(folder / part)).open(options)


def _download(name: str, folder: Path) -> None:
    """Fetch a set whole or not at all: under a temporary name first. Several ranks may do so at once."""
    from torchvision import datasets
    from torchvision.datasets.utils import download_url

    folder.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(prefix=f".{name}-", dir=folder.parent))
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            if name == "CIFAR10":
                download_url(CIFAR_ARCHIVE, temporary, "archive.tar.gz", CIFAR_MD5)
                unpack(temporary / "archive.tar.gz", temporary)
                (temporary / "archive.tar.gz").unlink()
            else:
                source = getattr(datasets, name)
                for file, md5 in source.resources:
                    _from_any(source.mirrors, file, temporary, md5)
        with contextlib.suppress(OSError):  # another rank was first
            temporary.rename(folder)
        if not folder.is_dir():
            raise OSError(f"{folder} cannot be made")
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _from_any(mirrors: list[str], file: str, folder: Path, md5: str) -> None:
    from torchvision.datasets.utils import download_url

    failure: Exception | None = None
    for mirror in mirrors:
        try:
            return download_url(f"{mirror}{file}", folder, file, md5)
        except (OSError, RuntimeError) as error:
            failure = failure or error
    raise OSError(f"{mirrors[0]}{file}: {failure}")


def unpack(archive: Path, folder: Path) -> None:
    """Take the files wanted, and no other, out of CIFAR-10's archive; members' paths are not followed."""
    with tarfile.open(archive, "r:gz") as opened:
        for member in opened:
            name = Path(member.name).name
            if not member.isfile() or name not in CIFAR_FILES:
                continue
            content = opened.extractfile(member)
            if member.size > MOST_MEMBER_BYTES or content is None:
                raise tarfile.TarError(f"{name} holds {member.size} bytes, expected at most {MOST_MEMBER_BYTES}")
            with content, (folder / name).open("wb") as file:
                shutil.copyfileobj(content, file)
    missing = [name for name in CIFAR_FILES if not (folder / name).is_file()]
    if missing:
        raise tarfile.TarError(f"the archive lacks {missing[0]}")
