"""Make images smaller by a whole number, as super-resolution is trained and measured: bicubic with antialiasing.

IN is a folder (all images in and below it), a quoted pattern, or files. Every image becomes OUT/<same name>.png, in
the folders that it lay in; the pixels at its right and below that make no whole pixel are left off. With --move the
original is set aside once its result is safely on the disk. Nothing is overwritten but results, with --force; a file
that cannot be used is named, left out, and stays where it is.

    python -m trainer.data downscale photos/ -o smaller --scale 2
    python -m trainer.data downscale inbox/ -o smaller --scale 2 --move done
"""

import errno
import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from trainer.contract.errors import UserError, require
from trainer.contract.files import make_folder, real, replacing
from trainer.contract.headers import Header, Unreadable
from trainer.contract.images import decode
from trainer.contract.options import flag
from trainer.contract.resample import shrink
from trainer.contract.text import printable
from trainer.data.tools._convert import ConvertOptions, convert, plan


@dataclass(frozen=True, kw_only=True)
class Options(ConvertOptions):
    """What to make smaller, and by how much."""

    scale: int = flag("how many times smaller (2)", default=2, within=(2, 16))
    move: Path | None = flag("move the originals here; never over other files", metavar="FOLDER")


def run(options: Options) -> None:
    """Make them all."""
    scale, aside = options.scale, options.move
    if aside is not None:
        require(aside.is_dir() or not aside.exists(), "move", f"{aside}, a file", "a folder")
        require(real(aside) != real(options.output), "move", f"{aside}, the folder of the results", "another")
    targets, skipped = plan(options.inputs, options.output, options.force)
    originals: dict[Path, Path] = {}  # where they are set aside
    if aside is not None:
        targets = {path: target for path, target in targets.items() if real(aside) not in real(path).parents}
        if not targets:
            raise UserError(f"all images lie in {aside} already")
        for path, target in targets.items():
            originals[path] = aside / target.relative_to(options.output).with_suffix(path.suffix)
            if originals[path].exists():
                raise UserError(f"{originals[path]} exists; the original of that name cannot go there")

    def make(data: bytes, header: Header) -> np.ndarray:
        if min(header.shape) < scale:
            raise Unreadable(f"{header.width}x{header.height} px, expected at least {scale} px along both")
        return shrink(decode(data, header), scale)

    written = 0
    for path in convert(targets, make, options):
        if path in originals:
            make_folder(originals[path].parent)
            move(path, originals[path])
        written += 1
    skipped += len(targets) - written
    where = f", originals in {printable(aside)}" if aside is not None else ""
    print(f"{printable(options.output)}: {written} images, {scale} times smaller, {skipped} skipped{where}")


def move(path: Path, target: Path) -> None:
    """Move a file, to another disk too, but never over another file. Raises ``UserError``; it then is where it was."""
    try:
        try:
            target.hardlink_to(path)
        except FileExistsError:
            raise
        except OSError:  # another disk, or one without links
            with path.open("rb") as source, replacing(target, force=False) as copy:
                shutil.copyfileobj(source, copy)
            shutil.copystat(path, target)
        path.unlink()
    except OSError as error:
        reason = "it exists" if error.errno == errno.EEXIST else (error.strerror or str(error))
        raise UserError(f"cannot move {path} to {target}: {reason}") from None
