"""Take images out of a set, or cut them out of a saved table.

IN is a .npy file, or images of tables: a sheet that the viewer saved with S says its own layout, others need --rows
and --columns. --keep and --drop take numbers, from 0 on ('3,7,10-12'), or a file with a number or a name a line. OUT is
a .npy file, or a folder for a PNG of each. A list of the viewer says which file its marks are of, and fits no other.

    python -m trainer.data select cats.npy --drop blurred.txt -o clean.npy
    python -m trainer.data select cats-0001.png --keep 3,7 -o chosen/
    python -m trainer.data select sheet.png --rows 6 --columns 8 --margin 2 -o cut.npy
"""

import argparse
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
from tqdm import tqdm

from trainer.contract.errors import UserError, require
from trainer.contract.sheet import read_table
from trainer.contract.text import printable
from trainer.data.sources.npy import check_free, output
from trainer.data.sources.npy_set import ImageSet, check_not_input, check_set, writing
from trainer.data.sources.sidecar import Facts, fingerprint
from trainer.data.tools._convert import make_folder

NUMBERS = re.compile(r"\d{1,12}(?:-\d{1,12})?(?:,\d{1,12}(?:-\d{1,12})?)*", re.ASCII)
MARKED = re.compile(r"# marked in .* (\d+-[0-9a-f]{8})")  # how a list of the viewer begins
MOST_BYTES = 1 << 28  # of a list


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of the command."""
    parser.add_argument("inputs", nargs="+", type=Path, metavar="IN", help="a .npy file, or images of tables")
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="OUT", help="a .npy file, or a folder")
    parser.add_argument(
        "--keep", metavar="LIST", help="take these, in the order of the set: numbers, or a file of them"
    )
    parser.add_argument("--drop", metavar="LIST", help="take all but these")
    parser.add_argument("--rows", type=int, help="of a table; that which the viewer wrote into it")
    parser.add_argument("--columns", type=int, help="of a table; that which the viewer wrote into it")
    parser.add_argument("--margin", type=int, help="pixels between the images of a table (2)")
    parser.add_argument("--force", action="store_true", help="replace outputs that exist")


def run(arguments: argparse.Namespace) -> int:
    """Write the chosen ones; returns the exit code."""
    for name, least in (("rows", 1), ("columns", 1), ("margin", 0)):
        value = getattr(arguments, name)
        require(value is None or least <= value <= 10_000, name, value, f"{least} to 10000")
    path, inputs = arguments.output, arguments.inputs
    a_set = [file for file in inputs if file.suffix == ".npy"]
    if a_set and len(inputs) > 1:
        raise UserError(
            f"found {len(inputs)} inputs with {printable(a_set[0])} among them, expected one set, or tables"
        )
    if path.suffix == ".npy":
        check_set(path, arguments.force, inputs)
    elif path.exists() and not path.is_dir():
        raise UserError(f"the output is {printable(path)}, a file, expected a name that ends in .npy, or a folder")
    images, facts = open_set(inputs[0]) if a_set else open_tables(arguments)
    chosen = choose(arguments.keep, arguments.drop, len(images), facts.names, inputs[0])
    if not len(chosen):
        raise UserError(f"nothing is left of {len(images)} images")
    facts = replace(facts.take(chosen), made={"tool": "select", "of": [file.name for file in inputs]})
    if path.suffix == ".npy":
        with writing(path, images.shape[1:], arguments.force) as writer:
            for image in chosen_of(images, chosen):
                writer.append(image)
            writer.facts = facts
    else:
        write_folder(images, chosen, facts, arguments)
    print(f"{printable(path)}: {len(chosen)} of {len(images)} images")
    return 0


def open_set(path: Path) -> tuple[ImageSet, Facts]:
    """The images of a set, and what is known of them."""
    stored = ImageSet(path)
    return stored, stored.facts


def open_tables(arguments: argparse.Namespace) -> tuple[np.ndarray, Facts]:
    """The images of all tables, u8 [n, h, w, 3]. Raises ``UserError`` where tables hold images of several sizes."""
    tables = []
    for path in arguments.inputs:
        tables.append(read_table(path, arguments.rows, arguments.columns, arguments.margin))
        height, width = tables[-1].shape[1:3]
        if (height, width) != tables[0].shape[1:3]:
            wanted = tables[0].shape[1:3]
            raise UserError(
                f"{printable(path)} has images of {width}x{height} px, expected {wanted[1]}x{wanted[0]} px as "
                f"{printable(arguments.inputs[0])} has"
            )
    names = [
        f"{path.stem}-{k}" for path, table in zip(arguments.inputs, tables, strict=True) for k in range(len(table))
    ]
    return np.concatenate(tables), Facts(names=tuple(names))


def chosen_of(images: ImageSet | np.ndarray, chosen: np.ndarray) -> Iterator[np.ndarray]:
    """One by one."""
    for k in tqdm(chosen, "images", unit="image", disable=None):
        yield images[np.array([k])][0]


def write_folder(
    images: ImageSet | np.ndarray, chosen: np.ndarray, facts: Facts, arguments: argparse.Namespace
) -> None:
    """A PNG of each image, named by it and its number. Raises ``UserError``."""
    folder: Path = arguments.output
    digits = len(str(len(images) - 1))
    stems = [re.sub(r"[^\w.-]+", "_", Path(name).stem)[:80].lstrip(".") for name in facts.names] or [""] * len(chosen)
    numbered = [f"{k:0{digits}}" for k in chosen.tolist()]
    plain = len(set(stems)) == len(stems) and all(stems)  # the names of a table's images have their numbers already
    targets = [
        folder / f"{stem if plain else f'{stem or arguments.inputs[0].stem}-{number}'}.png"
        for stem, number in zip(stems, numbered, strict=True)
    ]
    make_folder(folder)
    for target in targets:
        check_free(target, arguments.force)
        check_not_input(target, arguments.inputs)
    for target, image in zip(targets, chosen_of(images, chosen), strict=True):
        stored = cv2.cvtColor(image, cv2.COLOR_RGB2BGR) if image.shape[2] == 3 else image
        with output(target, arguments.force) as file:
            file.write(cv2.imencode(".png", stored)[1].tobytes())


def choose(keep: str | None, drop: str | None, count: int, names: Sequence[str], source: Path) -> np.ndarray:
    """The numbers i64 [k] of those to take, of the ``count`` images of ``source`` with or without names.

    Raises ``UserError``.
    """
    chosen = np.ones(count, bool)
    if keep is not None:
        chosen[:] = False
        chosen[read_list("keep", keep, count, names, source)] = True
    if drop is not None:
        chosen[read_list("drop", drop, count, names, source)] = False
    return np.flatnonzero(chosen)


def read_list(option: str, text: str, count: int, names: Sequence[str], source: Path) -> list[int]:
    """The numbers that a list or a file of numbers and names stands for, of the images of ``source``.

    Raises ``UserError``, also where the file says itself that it is of other images.
    """
    numbers: list[int] = []
    if NUMBERS.fullmatch(text):
        for part in text.split(","):
            first, _, last = part.partition("-")
            _check(f"--{option} {part}", max(int(first), int(last or first)), count)
            if last and int(last) < int(first):
                raise UserError(f"--{option} {part} ends before it begins, expected {last}-{first}")
            numbers += range(int(first), int(last or first) + 1)
        return numbers
    path, shown = Path(text), printable(text)
    try:
        if not path.is_file():
            raise UserError(f"--{option} is {shown}, expected numbers as 3,7,10-12 or a file of them; there is none")
        if path.stat().st_size > MOST_BYTES:
            raise UserError(f"{shown} holds {path.stat().st_size} bytes, expected a list of at most {MOST_BYTES}")
        lines = path.read_text("utf-8-sig", "surrogateescape").split("\n")
        marked = MARKED.fullmatch(lines[0].strip())
        if marked is not None and marked[1] != fingerprint(source):
            raise UserError(
                f"{shown}: marks of other images than {printable(source.name)} holds now; where they are right all "
                "the same, remove its first line"
            )
    except OSError as error:
        raise UserError(f"cannot read {shown}: {error.strerror}") from None
    index = {name: number for number, name in enumerate(names) if name}
    several = {name: times for name, times in Counter(names).items() if times > 1}
    for number, whole in enumerate(lines, 1):
        line = whole if whole in index else whole.strip()
        if line.isdecimal() and line.isascii() and len(line) <= 12:
            _check(f"{shown}, line {number}", int(line), count)
            numbers.append(int(line))
        elif line in several and line:
            raise UserError(
                f"{shown}, line {number}: {printable(line)[:80]!r} is the name of {several[line]} images here, "
                "expected their numbers"
            )
        elif line in index:
            numbers.append(index[line])
        elif line and not line.startswith("#"):
            raise UserError(f"{shown}, line {number}: {printable(line)[:80]!r} is the name of no image here")
    return numbers


def _check(where: str, number: int, count: int) -> None:
    if number >= count:
        raise UserError(f"{where}: there is no image {number}, expected 0 to {count - 1}")
