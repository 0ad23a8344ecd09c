"""Take images out of a set, or cut them out of a saved table.

IN is a .npy file, or images of tables: a sheet that the viewer saved with S says its own layout, others need --rows
and --columns. --keep and --drop take numbers, from 0 on ('3,7,10-12'), or a file with a number or a name a line. OUT is
a .npy file, or a folder for a PNG of each. A list of the viewer says which file it was made for, and fits no other.

    python -m trainer.data select cats.npy --drop blurred.txt -o clean.npy
    python -m trainer.data select cats-0001.png --keep 3,7 -o chosen/
    python -m trainer.data select sheet.png --rows 6 --columns 8 --margin 2 -o cut.npy
"""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import MISSING, dataclass, replace
from pathlib import Path

import numpy as np

from trainer.contract.errors import UserError, require
from trainer.contract.options import argument, flag
from trainer.contract.sheet import read_sheet
from trainer.contract.text import printable
from trainer.data.sources._sidecar import SELECTION_OF, Sidecar, fingerprint, read_small
from trainer.data.sources._threads import counted
from trainer.data.sources.npy_set import ImageSet, writing
from trainer.data.tools import ForceOption
from trainer.data.tools._files import check_set_or_folder, check_targets, numbered_stems, stems_of, write_png

NUMBERS = re.compile(r"\d{1,12}(?:-\d{1,12})?(?:,\d{1,12}(?:-\d{1,12})?)*", re.ASCII)
MOST_BYTES = 1 << 28  # of a list


@dataclass(frozen=True, kw_only=True)
class Options(ForceOption):
    """What to take images out of, and which."""

    inputs: Sequence[Path] = argument("a .npy file, or images of tables", metavar="IN")
    output: Path = flag("a .npy file, or a folder", "-o", "--output", default=MISSING, metavar="OUT")
    keep: str | None = flag("take these, in the order of the set: numbers, or a file of them", metavar="LIST")
    drop: str | None = flag("take all but these", metavar="LIST")
    rows: int | None = flag("of a table (as its recipe says, or by the lines in it)", within=(1, 10_000))
    columns: int | None = flag("of a table (as its recipe says, or by the lines in it)", within=(1, 10_000))
    margin: int | None = flag("pixels between the images of a table (likewise)", within=(0, 10_000))


def run(options: Options) -> None:
    """Write the chosen ones."""
    path, inputs = options.output, options.inputs
    a_set = [file for file in inputs if file.suffix.lower() == ".npy"]
    if a_set and len(inputs) > 1:
        raise UserError(f"found {len(inputs)} inputs, {a_set[0]} among them: expected one set, or tables")
    check_set_or_folder(path, options.force, inputs)
    images: ImageSet | np.ndarray
    if a_set:
        images = ImageSet(inputs[0])
        sidecar = images.sidecar
    else:
        images, sidecar = open_tables(options)
    taken = np.full(len(images), options.keep is None)
    for option, listed in (("keep", options.keep), ("drop", options.drop)):
        if listed is not None:
            taken[read_list(option, listed, len(images), sidecar.names, inputs[0])] = option == "keep"
    chosen = np.flatnonzero(taken)
    if not len(chosen):
        raise UserError(f"nothing is left of {len(images)} images")
    sidecar = replace(sidecar.take(chosen), made={"tool": "select", "of": [file.name for file in inputs]})
    each = counted((images[np.array([k])][0] for k in chosen), len(chosen), lambda _: 1)
    if path.suffix.lower() == ".npy":
        with writing(path, images.shape[1:], options.force) as writer:
            for image in each:
                writer.append(image)
            writer.sidecar = sidecar
    else:
        stems = stems_of(sidecar.names)
        if not all(stems) or len(set(stems)) < len(chosen):  # the names of a table's images have their numbers already
            stems = numbered_stems(sidecar.names, chosen.tolist(), len(images), inputs[0].stem)
        targets = [path / f"{stem}.png" for stem in stems]
        check_targets(targets, inputs, options.force)
        for target, image in zip(targets, each, strict=True):
            write_png(target, image, options.force)
    print(f"{printable(path)}: {len(chosen)} of {len(images)} images")


def open_tables(options: Options) -> tuple[np.ndarray, Sidecar]:
    """The images of all tables, u8 [n, h, w, 3]. Raises ``UserError`` where they are of several sizes."""
    tables = []
    for path in options.inputs:
        tables.append(read_sheet(path, options.rows, options.columns, options.margin))
        found, expected = ("{1}x{0} px".format(*table.shape[1:3]) for table in (tables[-1], tables[0]))
        if found != expected:
            raise UserError(f"{path} has images of {found}, expected {expected} as {options.inputs[0]} has")
    names = [f"{path.stem}-{k}" for path, table in zip(options.inputs, tables, strict=True) for k in range(len(table))]
    return np.concatenate(tables), Sidecar(names=tuple(names))


def read_list(option: str, text: str, count: int, names: Sequence[str], source: Path) -> list[int]:
    """The numbers that a list or a file of numbers and names stands for, of the images of ``source``.
    Raises ``UserError``, also where the file says itself that it is of other images."""
    numbers: list[int] = []
    if NUMBERS.fullmatch(text):
        for part in text.split(","):
            first, _, last = part.partition("-")
            _check(f"--{option} {part}", max(int(first), int(last or first)), count)
            if last and int(last) < int(first):
                raise UserError(f"--{option} {part} ends before it begins, expected {last}-{first}")
            numbers += range(int(first), int(last or first) + 1)
        return numbers
    path = Path(text)
    require(path.is_file(), option, text, "numbers as 3,7,10-12 or a file of them; there is none")
    lines = read_small(path, MOST_BYTES).decode("utf-8-sig", "surrogateescape").replace("\r\n", "\n").split("\n")
    selected = SELECTION_OF.fullmatch(lines[0].strip())
    if selected is not None and selected[1] != fingerprint(source):
        why = f"selected from other images than {source.name} holds now"
        raise UserError(f"{text}: {why}; where they are right all the same, remove its first line")
    index = {name: number for number, name in enumerate(names) if name}
    several = {name: times for name, times in Counter(names).items() if times > 1}
    for number, whole in enumerate(lines, 1):
        line = whole if whole in index else whole.strip()
        if line.isdecimal() and line.isascii() and len(line) <= 12:
            _check(f"{text}, line {number}", int(line), count)
            numbers.append(int(line))
        elif line in several and line:
            name = f"{printable(line)[:80]!r} is the name of {several[line]} images here"
            raise UserError(f"{text}, line {number}: {name}, expected their numbers")
        elif line in index:
            numbers.append(index[line])
        elif line and not line.startswith("#"):
            raise UserError(f"{text}, line {number}: {printable(line)[:80]!r} is the name of no image here")
    return numbers


def _check(where: str, number: int, count: int) -> None:
    if number >= count:
        raise UserError(f"{where}: there is no image {number}, expected 0 to {count - 1}")
