"""Shards that were made elsewhere: read through once, by the conventions of WebDataset, to know where all images lie.

Members of an archive of the same name, up to the first dot of its last part, belong together: KEY.jpg with KEY.cls,
which holds a number or the name of a class, or with KEY.json, in any order. Where that is no sample but a name with
dots, as 2023.01.02.jpg, the image is one of its own (see ``choose``). Without any label, folders are classes. Nothing
is ever unpacked: a member's name is a text to compare, and no path. What was found is kept in the cache while the files
stay the same. No torch."""

import contextlib
import hashlib
import json
import os
import re
import tarfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from trainer.contract.errors import UserError
from trainer.contract.files import cache, reading, replace_bytes
from trainer.contract.headers import SUFFIXES, Unreadable, read_header, readable
from trainer.contract.images import MOST_BYTES
from trainer.contract.text import natural, printable
from trainer.data.sources._labels import LABEL_NAMES, Labels, numbered_values
from trainer.data.sources._named import is_odd
from trainer.data.sources._threads import counted, counts_note, in_threads, say, summary
from trainer.data.sources.shards.index import Index, Shard, read_index

MOST_LABEL_BYTES = 1 << 20
MOST_SIZES = 3  # that are distinguished
MOST_HEADER_BYTES = 1 << 14  # with a long name, or in pax format
COMPRESSED = (b"\x1f\x8b", b"BZh", b"\xfd7zXZ", b"\x28\xb5\x2f\xfd")
ODD = {b"1": "a link", b"2": "a link", b"3": "a device", b"4": "a device", b"6": "a FIFO"}  # none of them has data
SHOWN = 4  # members left out that are named, of each shard

MAIN = ("image", "img", "input", "rgb", "photo")  # of several images of one sample, as KEY.img.png: likeliest first
RULES = "2"  # changes with what is made of the same archive
WORD = re.compile(r"[A-Za-z_][\w-]*", re.ASCII)

Place = tuple[int, int, tuple[int, int], Any, str, str]
"""An image's first byte, its bytes, its height and width, its label or None, the folder that it lies in, and its name
where that has more dots than one."""
Stored = tuple[int, int, tuple[int, int]]


class _Headers:
    """A file of which ``tarfile`` reads headers alone. Raises ``tarfile.ReadError`` for one that is absurdly long."""

    def __init__(self, file: BinaryIO) -> None:
        self.file, self.seek, self.tell = file, file.seek, file.tell

    def read(self, size: int) -> bytes:
        if not 0 <= size <= MOST_HEADER_BYTES:
            raise tarfile.ReadError(f"a header of {size} bytes")
        return self.file.read(size)


def members(file: BinaryIO, what: str, skipped: Callable[[str, str], None]) -> Iterator[tarfile.TarInfo]:
    """The regular files of an archive, in order. ``skipped`` takes the name of what else it holds, and what that is.
    The file may be read elsewhere in between. Raises ``UserError`` where it is no tar, is damaged or cut short."""
    total = file.seek(0, os.SEEK_END)
    file.seek(0)
    position = 0  # of the next header
    with contextlib.suppress(tarfile.TarError, ValueError, IndexError, OverflowError):  # tarfile ends silently as often
        archive = tarfile.TarFile(fileobj=_Headers(file), encoding="utf-8")  # type: ignore[arg-type]
        while (member := archive.next()) is not None:
            archive.members.clear()  # type: ignore[attr-defined]
            if archive.offset <= position or (member.size < 0 and not member.issparse()):
                break
            name, end = member.name, member.offset_data + member.size
            if member.issparse() or any(key.startswith("GNU.sparse.") for key in member.pax_headers):
                skipped(name, "a sparse file")
            elif member.type in ODD:
                skipped(name, ODD[member.type])
            elif end > total and not member.isdir():
                raise UserError(f"{what} is cut short: {total} bytes, expected {end} or more")
            elif not member.isfile() and not member.isdir():
                skipped(name, f"of the unknown kind {member.type!r}")
            elif name.startswith("/") or ".." in name.split("/"):
                skipped(name, "a name that leads out of the archive")
            elif member.isfile() and not name.endswith("/"):
                yield member
            position = archive.offset
    file.seek(position)
    block = file.read(tarfile.BLOCKSIZE)
    if block == bytes(tarfile.BLOCKSIZE):
        return
    if len(block) < tarfile.BLOCKSIZE:
        raise UserError(f"{what} is cut short: it ends at byte {total} without a tar's end mark")
    if position:
        raise UserError(f"{what} is damaged at byte {position}: expected the header of a member")
    hint = " (it is compressed: unpack it once, with gunzip or zstd -d)" if block.startswith(COMPRESSED) else ""
    raise UserError(f"{what} is not a tar archive{hint}")


def scan_shards(paths: Sequence[Path], what: str) -> Index:
    """The index of shards that were made elsewhere: all of them are read once, and what cannot be used is named.
    Raises ``UserError`` for an archive that is not sound, where no image is left, and for gaps among the labels."""
    known = _cache_of(paths)
    with contextlib.suppress(UserError):
        if known.is_file():
            index = read_index(known)
            with contextlib.suppress(OSError):  # what was said when it was made
                for line in known.with_suffix(".notes").read_text("utf-8", "replace").splitlines()[:2]:
                    say(line)
            return index
    shards: list[Shard] = []
    places, sizes = [], dict[tuple[int, int], None]()
    values: list[Any] = []
    folders: list[str] = []
    total = Counted()
    found: list[tuple[int, int, int, tuple[int, int], Any, str, str]] = []  # of which shard, and a place
    scanned = counted(in_threads(paths, _scan_one), len(paths), lambda _: 1, "indexing")
    for path, (size, images, complaints, counts) in scanned:
        for line in complaints:
            say(f"skipped {line}")
        total.add(counts)
        number = len(shards)
        shards.append(Shard(name=path.name, size=size, images=0))
        found += [(number, *image) for image in images]
    if any(image[4] is not None for image in found):  # those beside a labelled set's samples are none of it
        for image in found:
            if image[4] is None and image[6]:
                total.skip("without the label that others have", image[6])
        found = [image for image in found if image[4] is not None or not image[6]]
    for number, offset, length, shape, value, folder, dotted in found:
        shards[number] = replace(shards[number], images=shards[number].images + 1)
        places.append((offset, length))
        if len(sizes) < MOST_SIZES:
            sizes[shape[1], shape[0]] = None
        values.append(value)
        folders.append(folder)
        total.dotted += [dotted] * bool(dotted)
    if not places:
        raise UserError(f"{what} holds no readable image")
    notes = [counts_note(what, len(places), total.members, total.left_out, "members")] if total.left_out else []
    if total.dotted:
        notes.append(
            f"note: {what}: names with dots ({total.dotted[0]}) are taken as {len(total.dotted):,} images of their own"
        )
    for note in notes:
        say(note)
    if all(value is None for value in values):
        values = classes_of(folders) or values
    labels, classes = numbered_values(values, what, None)
    if labels is not None and folders and isinstance(values[0], str):
        labels, classes = renumbered(labels, classes)
    rows = np.array(places, np.int64).T
    rows = rows if labels is None else np.vstack([rows, labels])
    index = Index(shards=tuple(shards), places=rows, classes=classes, sizes=tuple(sizes))
    if len({path.name for path in paths}) == len(paths):
        with contextlib.suppress(OSError):  # a cache that cannot be written to costs time, nothing else
            known.parent.mkdir(parents=True, exist_ok=True)
            if notes:
                replace_bytes(known.with_suffix(".notes"), "\n".join(map(printable, notes)).encode())
            replace_bytes(known, json.dumps(index.to_json()).encode())
    return index


def _cache_of(paths: Sequence[Path]) -> Path:
    """Where the index of these very files is kept."""
    digest = hashlib.sha256(repr((RULES, readable())).encode())  # with another decoder, other images are left out
    for path in paths:
        with contextlib.suppress(OSError):
            found = path.stat()
            digest.update(f"{os.path.realpath(path)}\0{found.st_size}\0{found.st_mtime_ns}\0".encode(errors="replace"))
    return cache() / "shards" / f"{digest.hexdigest()}.json"


@dataclass
class Counted:
    """What archives hold beside what is offered of them."""

    members: int = 0  # but for labels
    left_out: dict[str, list[str]] = field(default_factory=dict)  # names by reason
    dotted: list[str] = field(default_factory=list)  # images whose names have more dots than that of their ending

    def skip(self, reason: str, name: str) -> None:
        self.left_out.setdefault(summary(reason), []).append(printable(name)[:80])

    def add(self, other: "Counted") -> None:
        self.members += other.members
        for reason, names in other.left_out.items():
            self.left_out.setdefault(reason, []).extend(names)


def _scan_one(path: Path) -> tuple[int, list[Place], list[str], Counted]:
    """The size of a shard, its images, and what is left out of it. Raises ``UserError``."""
    what = printable(path)
    complaints: list[str] = []
    counts = Counted()

    def skipped(name: str, reason: str) -> None:
        counts.skip(reason, name)
        if len(complaints) < SHOWN:
            complaints.append(f"{what}, {printable(name)[:80]}: {reason}")
        elif len(complaints) == SHOWN:
            complaints.append(f"{what}: more of its members ...")

    def odd(name: str, reason: str) -> None:
        counts.members += 1
        skipped(name, reason)

    samples: dict[str, dict[str, Stored | None]] = {}  # by what comes before the first dot and between it and the last
    labels: dict[str, Any] = {}
    with reading(path):
        if not path.is_file():
            raise UserError(f"{what} is not a regular file" if os.path.lexists(path) else f"there is no file {what}")
        with path.open("rb") as file:
            for member in members(file, what, odd):
                folder, slash, name = member.name.rpartition("/")
                stem, _, kind = name.partition(".")
                middle, _, ending = kind.rpartition(".")
                is_label = ending.lower() in ("cls", "json")
                counts.members += not is_label
                if is_odd(member.name):  # hidden, as the notes that some systems put beside each file
                    counts.skip("of the system", name)
                    continue
                key = folder + slash + stem
                try:
                    if f".{ending.lower()}" in SUFFIXES:
                        sample = samples.setdefault(key, {})
                        if middle in sample:
                            if sample[middle] is not None:
                                counts.skip("of one name twice", name)  # the one before
                            sample[middle] = None
                            raise Unreadable("a second image of this name: neither is used")
                        data = _read(file, member.offset_data, member.size, MOST_BYTES)
                        sample[middle] = (member.offset_data, member.size, read_header(data).shape)
                    elif is_label:
                        long = f"{key}.{middle}" if middle else key
                        if ending.lower() == "cls" or long not in labels:
                            label = _label(
                                _read(file, member.offset_data, member.size, MOST_LABEL_BYTES), ending.lower()
                            )
                            if label is not None:
                                labels[long] = label
                    else:
                        counts.skip("no image", name)
                except Unreadable as error:
                    skipped(member.name, str(error))
            size = file.seek(0, os.SEEK_END)
    images: list[Place] = []
    for key, sample in samples.items():
        whole = {middle: place for middle, place in sample.items() if place is not None}
        chosen = choose(list(whole))
        for middle, place in whole.items():
            long = f"{key}.{middle}" if middle else key
            if middle not in chosen:
                counts.skip("beside the image of their sample", f"{long}.*")
                continue
            dotted = printable(long.rpartition("/")[2])[:80] if middle else ""
            images.append((*place, labels.get(long, labels.get(key)), key.rpartition("/")[0], dotted))
    images.sort(key=lambda image: image[0])
    return size, images, complaints, counts


def choose(middles: Sequence[str]) -> list[str]:
    """Which images of one key are offered, by what stands between the first dot and the ending of their names.

    WebDataset's key ends at the first dot: of ``a.jpg`` and ``a.seg.png`` the first is the image, the other belongs to
    it; of ``a.img.png`` and ``a.seg.png`` the usual word tells. But ``2023.01.02.jpg`` is a date: what begins with no
    letter is a part of the name. A word alone (``cat.final.jpg``) is one, too."""
    words = [middle for middle in middles if WORD.fullmatch(middle)]
    others = [middle for middle in middles if middle not in words]
    if "" in others or len(words) < 2:
        return others if "" in others else list(middles)
    main = next((word for name in MAIN for word in words if word.lower() == name), None)
    return list(middles) if main is None else [*others, main]


def classes_of(folders: Sequence[str]) -> list[str]:
    """A label for each image by the first folder that tells some apart; none where they lie in one, or beside it."""
    parts = [folder.split("/") if folder else [] for folder in folders]
    depth = next((k for k, one in enumerate(zip(*parts, strict=False)) if len(set(one)) > 1), min(map(len, parts)))
    if len({tuple(part) for part in parts}) < 2 or any(len(part) <= depth for part in parts):
        return []
    return [part[depth] for part in parts]


def renumbered(labels: np.ndarray, classes: tuple[str, ...]) -> Labels:
    """The same labels, classes in their natural order: 2 before 10."""
    order = sorted(range(len(classes)), key=lambda label: natural(classes[label]))
    return np.argsort(order)[labels], tuple(classes[label] for label in order)


def _read(file: BinaryIO, offset: int, size: int, most: int) -> bytes:
    if size > most:
        raise Unreadable(f"{size} bytes, at most {most}")
    if not size:
        raise Unreadable("an empty file")
    file.seek(offset)
    return file.read(size)


def _label(data: bytes, kind: str) -> int | str | None:
    """What a KEY.cls says, a number or a name; or one of the usual columns of a KEY.json."""
    text = data.decode("utf-8", "replace").strip()
    if kind == "cls":
        if not text or len(text) > 200:
            raise Unreadable("no number of a class, and no name of one")
        return int(text) if text.removeprefix("-").isdecimal() and len(text) < 12 else printable(text)
    try:
        values = json.loads(text)
    except (ValueError, RecursionError):
        raise Unreadable("no JSON") from None
    if isinstance(values, dict):
        for name in LABEL_NAMES:
            value = values.get(name)
            if type(value) is int or (isinstance(value, str) and value):
                return value if isinstance(value, int) else printable(value)[:200]
    return None
