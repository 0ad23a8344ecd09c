"""What fits a file: ``python -m viewer FILE...`` without a mode, and the way back to where an image was saved.

No mode is known here: each declares in its options what it opens (``OPENS``) and what leads back to what it saved
(``SAVED``).
"""

import hashlib
import os
import re
import shlex
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

from export.kinds import KINDS
from trainer.contract.errors import UserError
from trainer.contract.hub.names import HubName, is_hub_name, is_set_name, parse
from trainer.contract.recognise import recognise
from trainer.contract.text import printable, say
from viewer.graph.reading import Reading, flag_of
from viewer.mode import Mode, mode_names
from viewer.options import BUILT_IN, BUILT_IN_NAMES, model_file

WORDS: Final = {  # what a file can be, as patterns of ``OPENS`` name it, and what it is to people
    "generator": "a generator",
    "translator": "a translator",
    "upscaler": "a translator that enlarges",
    "denoiser": "a denoiser",
    "encoder": "an encoder",
    "detail": "a detail network",
    "other": "a model that no mode shows",
    "set": "a set of images",
    "images": "a folder of images",
    "image": "an image",
    "sheet": "a saved sheet of images",
    "saved": "a saved image",
    "run": "the folder of a run",
    "runs": "a folder of runs",
}
NO_MODELS: Final = tuple(WORDS)[tuple(WORDS).index("set") :]
_EXPECTED: Final = "a model, images, a run or a saved image"
_LARGEST_SIDE: Final = 64  # images in a row or column of a sheet that the viewer saves


@dataclass(frozen=True)
class Item:
    """A file of the command line."""

    name: str  # as it was typed
    word: str  # one of ``WORDS``, or another kind of model
    recipe: Mapping[str, Any] = field(default_factory=dict)  # of a saved image


@dataclass(frozen=True)
class Opening:
    """A mode, and the words of its command line."""

    mode: str
    words: Sequence[str]  # the files first, as they were typed
    what: str = ""  # what the files are, for people

    def command(self, program: str = "python -m viewer") -> str:
        """What to type."""
        return f"{program} {self.mode} {printable(shlex.join(self.words), 1000)}"


def choose(
    words: Sequence[str],
    program: str,
    *,
    max_memory: float = 0,
    max_seconds: float = 0,
    reading: Reading = Reading(),
) -> Opening:
    """The mode that opens the files which a command line begins with. ``max_memory``, ``max_seconds``, ``reading``: as
    the options of these names, for models without a card, which are opened to see what they are. Raises
    ``UserError``."""
    names = list(files_of(words))
    items = [identify(name, max_memory, max_seconds, reading) for name in names]
    items.sort(key=lambda item: item.word in NO_MODELS)  # models first
    opening = _opening(items)
    if opening is None:
        raise UserError(_refusal(items, program))
    return replace(opening, words=[*opening.words, *words[len(names) :]])


def files_of(words: Sequence[str]) -> Iterator[str]:
    """The files that a command line begins with."""
    for word in words:
        if word.startswith("-") and word != "-":
            return
        yield word


def identify(
    name: str,
    max_memory: float = 0,
    max_seconds: float = 0,
    reading: Reading = Reading(),
) -> Item:
    """What a file is. Raises ``UserError`` for what no mode can open."""
    if name == "-":
        raise UserError("-: nothing is read from the standard input, expected the name of a file")
    try:
        path = _file(name)
    except UserError as error:
        return _set_of_the_hub(name, error)
    if path == BUILT_IN:
        return Item(name, "generator")
    try:
        if not os.path.lexists(path):
            return Item(name, _word_of_no_file(name))
        found = recognise(path)
    except (OSError, ValueError) as error:
        raise UserError(f"{name}: cannot be read: {getattr(error, 'strerror', None) or error}") from None
    kind = "" if found is None else found.kind
    if kind == "model":
        return Item(name, _kind_of(path, max_memory, max_seconds, reading))
    if kind == "image":
        return _image(name, path)
    if kind in ("run", "runs", "images"):
        return Item(name, kind)
    from viewer.files.misfits import is_set, misfit

    if kind in ("", "array", "set", "folder") and is_set(name):
        return Item(name, "set")
    raise UserError(f"{name}: {misfit(path, _EXPECTED, found) or f'an unknown kind of file, expected {_EXPECTED}'}")


def _file(name: str) -> Path:
    """The file of a model by its name; one of the hub is fetched. Raises ``UserError``."""
    if not is_hub_name(name) or is_set_name(name):
        return model_file(name)
    from trainer.contract.hub.files import local

    return local(Path(name))


def _set_of_the_hub(name: str, error: UserError) -> Item:
    """What has the name of a model of the hub that cannot be had: sets of images have such names too. Raises
    ``error`` where that one cannot be meant."""
    from trainer.contract.hub.errors import NoSuchModelError, UnreachableError

    if not isinstance(error, NoSuchModelError | UnreachableError) or parse(name) != HubName(parse(name).repository):
        raise error
    say(f"{error}; taken for a set of images")
    return Item(name, "set")


def _word_of_no_file(name: str) -> str:
    """What is there to be opened that is no file: a set by a prefix, or what matches a pattern."""
    from trainer.contract.errors import ImageError
    from viewer.files.misfits import is_set

    if is_set(name):
        return "set"
    with suppress(ImageError):
        from viewer.files.tree import find_images

        if any(one.exists() for one in find_images([name]).paths):
            return "image"
    raise UserError(f"{name}: no such file, expected {_EXPECTED}")


def _kind_of(path: Path, max_memory: float, max_seconds: float, reading: Reading) -> str:
    """The word for a model."""
    from viewer.graph.properties import read_card

    card = read_card(path)
    if card is None:
        from viewer.graph.limits import GIB, limits
        from viewer.model import open_model

        with limits(round(max_memory * GIB), max_seconds):
            model = open_model(path, reading=reading, silent=True)
        card = model.card
        if model.enlarges:
            return "upscaler"
    if card is None:
        return "other"
    return "upscaler" if card.kind == "translator" and card.scale > 1 else card.kind


def _image(name: str, path: Path) -> Item:
    from trainer.contract.errors import ImageError
    from viewer.files.misfits import has_recipe
    from viewer.files.png import read_recipe

    with suppress(ImageError):
        if has_recipe(path):
            recipe = read_recipe(path)
            return Item(name, "sheet" if _is_sheet(recipe) else "saved", recipe)
    return Item(name, "image")


def _is_sheet(recipe: Mapping[str, Any]) -> bool:
    sides = recipe.get("rows"), recipe.get("cols")
    if "image" in recipe or "gap" not in recipe:  # one of a sheet
        return False
    return all(type(one) is int and 1 <= one <= _LARGEST_SIDE for one in sides) and sides != (1, 1)


def _opening(items: Sequence[Item]) -> Opening | None:
    saved, models = items[-1:], [item.name for item in items[:-1]]
    if saved and saved[0].recipe and all(item.word not in NO_MODELS for item in items[:-1]):
        way = way_back(saved[0].recipe, Path(saved[0].name), models)
        if way is not None:
            return way
    found = _matching(items)
    if found is None:
        found = _matching([replace(item, word="image") if item.recipe else item for item in items])
    return found


def _matching(items: Sequence[Item]) -> Opening | None:
    kinds, names = [item.word for item in items], [item.name for item in items]
    for mode in map(Mode, mode_names()):
        for pattern, more in mode.opens.items():
            if match := re.fullmatch(pattern, line := " ".join(kinds)):
                place = len(line[: match.start("rest")].split()) if "rest" in match.groupdict() else 1
                return Opening(mode.name, [*names[:place], *more.split(), *names[place:]], _described(items))
    usual = KINDS[kinds[0]].mode if len(kinds) == 1 and kinds[0] in KINDS else ""
    return Opening(usual, names, _described(items)) if usual in mode_names() else None


def _described(items: Sequence[Item]) -> str:
    counts = Counter(item.word for item in items)
    words = [f"{WORDS.get(word, f'a {word}')}{f' ({count})' * (count > 1)}" for word, count in counts.items()]
    return f"{printable(items[0].name, 200)}{' ...' * (len(items) > 1)}: {' and '.join(words)}"


def _refusal(items: Sequence[Item], program: str) -> str:
    """Why nothing opens these files: what they are, and what may be added to them."""
    kinds, first = [item.word for item in items], items[0]
    what = _described(items)
    name = shlex.join(item.name for item in items)
    if kinds[0] not in NO_MODELS:
        after = _opening_modes([*kinds, "image"])
        if after:
            return f"{what}, expected images after it: {program} {name} IMAGE... ({after})"
    elif before := _opening_modes(*([kind, *kinds] for kind in WORDS if kind not in NO_MODELS)):
        more = _opening_modes([*kinds, *kinds])
        others = f", or others beside it ({more})" if more else ""
        return f"{what}, expected a model before it: {program} MODEL.onnx {name} ({before}){others}"
    if len(items) > 1:
        return f"{what}, which no mode opens together; expected one file, or a mode first"
    from viewer.files.misfits import way_out

    found = recognise(Path(first.name))
    return f"{what}, which no mode opens; {(found and way_out(Path(first.name), found)) or 'expected a mode first'}"


def _opening_modes(*kinds: Sequence[str]) -> str:
    lines = [" ".join(one) for one in kinds]
    opening = [
        name
        for name in mode_names()
        if any(re.fullmatch(pattern, line) for pattern in Mode(name).opens for line in lines)
    ]
    return ", ".join(opening)


def way_back(recipe: Mapping[str, Any], path: Path, models: Sequence[str] = ()) -> Opening | None:
    """How to return to where an image was saved; ``None`` where its mode has no way back, or it is not of the
    ``models``, if any are given. ``path``: of the image.

    Files that the recipe names are looked for beside the image, beside its model and in the current folder; so is the
    model, unless it is given. Raises ``UserError`` where it is not there, or what it was given.
    """
    mode = mode_of(recipe)
    if mode is None:
        return None
    signers = models_of(recipe)
    if models:
        known = {sha256: one for one in models for sha256 in _hashes(_file(one))}
        if {known.get(str(one.get("sha256"))) for one in signers} != {*models}:
            return None
        models = [known[one["sha256"]] for one in signers]
    else:
        models = [_model_of(one, path) for one in signers]
    folders = [path.parent, *(_file(one).parent for one in models), Path()]

    def found(name: str, flag: str) -> list[str]:
        there = _beside(name, folders, but=path)
        if there is None and not flag:
            raise UserError(f"{path}: made of {printable(name, 100)!r}, found none beside it or here")
        return [] if there is None else [str(there)]  # without it the mode says what it needs

    words = words_back(mode, recipe, path, found)
    if not {one["sha256"] for one in signers} <= {_sha256(_file(one)) for one in models}:
        words.append("--external-data")  # with which the image was made: the hash is of both files
    return Opening(mode.name, [*models, *words], f"{printable(path, 200)}: saved in mode {mode.name}")


def models_of(recipe: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """What a recipe says of its model, or of each of several: ``file`` and ``sha256``."""
    several = recipe.get("models", [recipe] if "file" in recipe else [])
    return [one for one in several if isinstance(one, Mapping)] if isinstance(several, list) else []


def mode_of(recipe: Mapping[str, Any]) -> Mode | None:
    """The mode that leads back to where an image was saved."""
    word = word_of(recipe)
    return next((one for one in map(Mode, mode_names()) if word in one.saved), None)


def words_back(
    mode: Mode, recipe: Mapping[str, Any], path: Path, found: Callable[[str, str], Iterable[str]]
) -> list[str]:
    """The words after the model. ``found``: how a file of the recipe is written, by its name and its flag."""
    positional: list[str] = []
    flags: list[str] = []
    for key, flag in mode.saved[word_of(recipe)].items():
        value = recipe.get(key) if key else None
        value = value.get("file") if isinstance(value, Mapping) else value  # a file with its hash
        choices = mode.choices(flag)
        if value is True:
            flags.append(flag)
            continue
        words = [] if key else [str(path)]
        for one in value if isinstance(value, list) else [value]:
            if choices is not None:
                words += [str(one)] if one in choices else []
            elif isinstance(one, str) and one:
                words += found(one, flag)
            elif isinstance(one, int | float) and one is not False:
                words.append(str(one))
        if flag:
            flags += [*flag.split(), *words] if words else []
        else:
            positional += words
    return [*positional, *flags, *_read_as(recipe, mode)]


def _read_as(recipe: Mapping[str, Any], mode: Mode) -> Iterator[str]:
    """How the model was read and what its inputs were given, as flags of a mode without ``--from``, which knows."""
    told, given = recipe.get("reading"), recipe.get("settings")
    said = dict(told) if isinstance(told, dict) else {}
    if isinstance(given, dict):
        values = (f"{name}={value}" for name, value in given.items() if isinstance(value, int | float))
        said["set"] = ",".join(filter(None, (said.get("set"), *values)))
    for name, text in said.items():
        flag = flag_of(str(name))
        if isinstance(text, str) and text and mode.has(flag) and not mode.has("--from"):
            yield f"{flag}={text}"


def word_of(recipe: Mapping[str, Any]) -> str:
    """The word that ``mode`` begins with."""
    return str(recipe.get("mode", "")).partition(" ")[0]


def _beside(name: str, folders: Iterable[Path], but: Path | None = None) -> Path | None:
    """A file of a name, not of a path, in the first of some folders that has it; ``but``: not this one."""
    with suppress(OSError, ValueError):
        for folder in folders:
            there = folder / name
            if Path(name).name == name and there.exists() and not (but is not None and there.samefile(but)):
                return there
    return None


def _model_of(recipe: Mapping[str, Any], path: Path) -> str:
    """The file of the model that a recipe names. Raises ``UserError`` where it is not there, or another one of that
    name."""
    name = str(recipe.get("file", ""))
    there = [one for folder in (path.parent, Path()) if (one := _beside(name, [folder])) is not None]
    there += [BUILT_IN] * (name == BUILT_IN.name)
    for one in there:
        if str(recipe.get("sha256")) in _hashes(one):
            return str(one) if one != BUILT_IN or Path(BUILT_IN_NAMES[0]).exists() else BUILT_IN_NAMES[0]
    found = f"{there[0]} is another of this name" if there else "found none beside it or here"
    model = "MODEL.onnx"
    with suppress(UserError):
        model = str(parse(str(recipe.get("hub", ""))))  # not fetched unasked: the image may be a stranger's
    raise UserError(
        f"{path}: made by {printable(name, 100)!r}, {found}; "
        f"name the model first: python -m viewer {model} {shlex.quote(str(path))}"
    )


def _hashes(path: Path) -> Iterator[str]:
    """Of a model file; and of one with weights in files beside it, as it is with them."""
    from viewer.graph.screening import ElsewhereError, ScreeningError, screen

    yield _sha256(path)
    with suppress(OSError, ScreeningError):
        data = path.read_bytes()
        try:
            screen(data)
        except ElsewhereError:
            from viewer.graph.beside import with_weights

            yield hashlib.sha256(with_weights(path, data)).hexdigest()


def _sha256(path: Path) -> str:
    with suppress(OSError), path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
    return ""
