"""What is pushed: the models, a sheet of samples, the player, the README."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from export.player.models import Models, open_models
from trainer.contract.directions import beside as directions_beside
from trainer.contract.errors import UserError
from trainer.contract.text import printable
from utsuroi.push.readme import PLAYER, SHEET, UNKNOWN, Facts, marked, write_readme

README: Final = "README.md"
_LARGEST_PAGE: Final = 100_000_000  # bytes of models that go into one HTML page
_SAMPLES: Final = 24
_MOST_SHOWN: Final = 8  # results of a translator
_SAMPLED: Final = 12  # images that take many steps

Say = Callable[[str], None]


@dataclass(frozen=True, kw_only=True)
class Wishes:
    """What the user says of a push."""

    repository: str
    revision: str
    address: str  # of the hub
    licence: str = ""
    images: Sequence[str] = ()  # that a translator is to show
    html: bool = True
    space: bool = False


@dataclass(frozen=True)
class Contents:
    """All files, by their paths in the repository."""

    files: Mapping[str, bytes]
    space: Mapping[str, bytes]  # of a Space that shows the player; empty: none
    parts: Sequence[str]  # names of what could lie beside the model, and does not

    @property
    def readme(self) -> str:
        """Its text."""
        return self.files[README].decode()


def collect(path: Path, wishes: Wishes, metadata: type, say: Say) -> Contents:
    """All that is pushed for a model file. ``metadata``: as ``write_readme`` takes it. Raises ``UserError``."""
    models = open_models([str(path)])
    licence = _licence(models, wishes.licence)
    for remark in models.remarks:
        say(f"{path}: {remark}")
    if directions_beside(path).is_file():
        say(
            f"note: {directions_beside(path).name} stays here: python -m export {path.name} -o OUT.onnx --directions "
            "FILE puts its directions into the model"
        )
    files = {model.path.name: model.path.read_bytes() for model in models.all}
    if strange := [name for name in files if not name.isascii() or any(letter in name for letter in ' "<>|?*:\\%#')]:
        raise UserError(
            f"{strange[0]}: expected a name of plain letters, digits, dots and dashes, to be part of an address"
        )
    whole = dict(files)
    sheet, what = _sheet(models, wishes.images, say)
    if sheet:
        files[SHEET] = sheet
    page = _page(models, whole, say) if wishes.html else b""
    if page:
        files[PLAYER] = page
    space = wishes.repository if wishes.space else ""
    if space and not page:
        raise UserError(
            "--space shows the player in a Space of the hub, expected no --no-html, and a model of fewer bytes"
        )
    facts = Facts(
        card=models.card,
        repository=wishes.repository,
        revision=wishes.revision,
        address=wishes.address,
        licence=licence,
        files={name: (len(data), hashlib.sha256(data).hexdigest()) for name, data in whole.items()},
        sheet=what,
        has_player=bool(page),
        space=space,
    )
    files[README] = write_readme(facts, metadata).encode()
    stem = path.name[: -len(path.suffix)]
    parts = [f"{stem}.{part}.onnx" for part in ("encoder", "detail")]
    return Contents(files, _space(facts, page) if space else {}, [name for name in parts if name not in files])


def _licence(models: Models, said: str) -> str:
    own = models.card.licence.strip()
    if own and said and own.lower() != said.strip().lower():
        raise UserError(
            f"--licence is {said}, the card of {models.first.path} says {own}: export it again to change that"
        )
    if not own and not said.strip():
        raise UserError(
            f"{models.first.path}: its card names no licence, expected --licence with the terms, such as "
            f"--licence cc-by-4.0; --licence {UNKNOWN} says that nobody knows"
        )
    return own or said.strip()


def _sheet(models: Models, images: Sequence[str], say: Say) -> tuple[bytes, str]:
    """A PNG of samples, and what they are; empty where there is nothing to show."""
    import utsuroi

    model: Any = utsuroi.load(models.first.path)
    match models.card.kind:
        case "generator":
            shown, what = model.sample(_SAMPLES), "Samples: the first images of page 0, none left out"
            columns = 6
        case "denoiser":
            say(f"{models.first.path}: sampling {_SAMPLED} images")
            shown, what, columns = model.denoise(_SAMPLED), "Samples of seed 0, none left out", 4
        case _:
            if not images:
                say("note: without --images there are no samples: this model has none before an image goes in")
                return b"", ""
            shown, what, columns = _translated(model, images, models.card.scale), "Input, result", 2
    import cv2
    import numpy as np

    sheet = np.ascontiguousarray(shown.sheet(columns)[..., ::-1])
    return cv2.imencode(".png", sheet, [cv2.IMWRITE_PNG_COMPRESSION, 9])[1].tobytes(), what


def _translated(model: Any, names: Sequence[str], scale: int) -> Any:
    """Images and what the model makes of them, in turn, all of one size."""
    import cv2
    import numpy as np

    from utsuroi.arrays import Images
    from viewer.files.inputs import read_photo
    from viewer.files.tree import find_images

    shown: list[Any] = []
    for path in find_images(names).paths[:_MOST_SHOWN]:
        rgb = np.ascontiguousarray(read_photo(path).on_white()[..., ::-1])
        (result,) = model.upscale(rgb) if scale > 1 else model.translate(rgb)
        height, width = result.shape[:2]
        shown += [cv2.resize(rgb, (width, height), interpolation=cv2.INTER_NEAREST), result]
    height, width = np.min([one.shape[:2] for one in shown], axis=0)
    return Images.of(
        np.stack([cv2.resize(one, (int(width), int(height)), interpolation=cv2.INTER_AREA) for one in shown])
    )


def _page(models: Models, files: Mapping[str, bytes], say: Say) -> bytes:
    """The player with the models in it. Raises ``UserError`` where it is not there."""
    from export.player import built
    from export.player.page import ModelFile, Page
    from export.player.poster import draw

    size = sum(map(len, files.values()))
    if size > _LARGEST_PAGE:
        say(f"note: no {PLAYER}: its models have {size / 1e6:.0f} MB, a page can have {_LARGEST_PAGE / 1e6:.0f}")
        return b""
    if problem := built.missing():
        raise UserError(f"{problem}; or push without it: --no-html")
    poster = draw(models, "", 0, say)
    title = printable(models.card.name or models.first.path.stem, 200)
    page = Page(
        title=title,
        models=[ModelFile(name, data) for name, data in files.items()],
        poster=None if isinstance(poster, str) else poster,
    )
    return b"".join(page.html("file"))


def _space(facts: Facts, page: bytes) -> dict[str, bytes]:
    """The files of a Space of the hub that shows the player."""
    title = "".join(letter if letter.isalnum() or letter in " -_." else " " for letter in facts.card.name)[:60].strip()
    head = (
        f'---\ntitle: "{title or facts.repository}"\nsdk: static\npinned: false\nmodels:\n- {facts.repository}\n---\n'
    )
    text = f"{head}\nPlays [{facts.repository}]({facts.address}/{facts.repository}) in your browser.\n"
    return {PLAYER: page, README: marked(text).encode()}
