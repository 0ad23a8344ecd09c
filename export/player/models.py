"""Which models go into a page, what each is there for, and which modes of the player they give."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from export.card import Card
from trainer.contract.errors import UserError
from trainer.contract.text import printable
from viewer.model import Model, encoder_beside, open_model
from viewer.options import model_file
from viewer.sessions.detail_layer import open_layer

_OPENS: Final = ("generator", "translator", "denoiser")  # what a page can be about
_BESIDE: Final = {"generator": ("encoder", "detail"), "denoiser": ("generator",)}  # what can lie beside it
_WHY: Final = {
    "encoder": "it encodes images for a generator, expected that one: its encoder beside it goes along",
    "detail": "it adds detail to the images of a generator, expected that one, and this after it",
}


@dataclass(frozen=True)
class Models:
    """The open models of a page."""

    first: Model  # that the page is about
    beside: tuple[Model, ...] = ()
    remarks: tuple[str, ...] = ()  # what was found beside it, for people

    @property
    def all(self) -> tuple[Model, ...]:
        """In the order in which the page has them."""
        return self.first, *self.beside

    @property
    def card(self) -> Card:
        """Of the first."""
        return card_of(self.first)

    def of(self, kind: str) -> Model | None:
        """The model of a kind, if there is one."""
        return next((model for model in self.all if model.kind == kind), None)

    @property
    def modes(self) -> tuple[str, ...]:
        """The modes of the player that they open, the usual one first."""
        if self.card.kind == "translator":
            return ("upscale",) if self.card.scale > 1 else ("draw", "translate")
        if self.card.kind == "denoiser":
            return ("diffuse",)
        return "grid", "animate", "latent", *(["encode"] if self.of("encoder") else []), "hpf"


def card_of(model: Model) -> Card:
    """The card of a model that was opened for a page, which has one."""
    assert model.card is not None
    return model.card


def open_models(
    paths: Sequence[str], *, encoder: Path | None = None, detail: Path | None = None, init: str = ""
) -> Models:
    """Open the models of a page, and check that they belong together.

    ``paths``: of the model that the page is about, and others that belong to it, in any order. ``encoder``, ``detail``:
    of its generator; without, those that the export wrote beside it. ``init``: a generator whose images a denoiser
    begins with. Raises ``UserError``.
    """
    opened = [_open(path) for path in dict.fromkeys(paths)]
    first = next((one for kind in ("denoiser", *_OPENS) for one in opened if one.kind == kind), None)
    if first is None:
        raise opened[0].error(f"is {_a(opened[0])}, with which no page begins: {_why(opened[0])}")
    beside = [one for one in opened if one is not first]
    if init:
        if first.kind != "denoiser":
            raise first.error(f"is {_a(first)}, which begins with no image: --init is for denoisers")
        beside.append(_open(init, "generator"))
    for flag, path, kind in (("encoder", encoder, "encoder"), ("detail", detail, "detail")):
        if path is not None:
            if first.kind != "generator":
                raise first.error(f"is {_a(first)}: --{flag} is for generators")
            beside.append(_open(str(path), kind))
    _check_kinds(first, beside)
    return _with_siblings(first, beside)


def together(first: Model, beside: Sequence[Model]) -> Models:
    """Open models as a page has them. Raises ``UserError`` where no page can."""
    for model in (first, *beside):
        _check_card(model)
    if first.kind not in _OPENS:
        raise first.error(f"is {_a(first)}, with which no page begins: {_why(first)}")
    _check_kinds(first, beside)
    return _fitting(first, beside)


def _open(name: str, wanted: str = "") -> Model:
    model = open_model(model_file(name), wanted=wanted, silent=True)
    _check_card(model)
    return model


def _check_card(model: Model) -> None:
    """Raise ``UserError`` unless a page can read the model."""
    if model.inferred or model.card is None:
        if model.card is None:
            raise model.error(f"found {model.what}, expected one with a card, as python -m export writes them")
        raise model.error(f"has no card, which says how a page reads it; first: {model.export_command}")


def _check_kinds(first: Model, beside: Sequence[Model]) -> None:
    """Raise ``UserError`` unless the models belong to one page."""
    may = _BESIDE.get(first.kind, ())
    for number, model in enumerate(beside):
        if model.kind not in may or model.kind in [one.kind for one in beside[:number]]:
            others = f", and beside it {' and '.join(map(_article, may))}" if may else ""
            raise model.error(
                f"is {_a(model)}, beside {printable(first.path.name, 100)}: expected one page for one "
                f"{first.kind}{others}"
            )


def _with_siblings(first: Model, beside: Sequence[Model]) -> Models:
    """The models with those that lie beside a generator under the names that the export gives; all must fit it."""
    found, remarks = list(beside), []
    if first.kind == "generator":
        for kind, path in (("encoder", encoder_beside(first.path)), ("detail", _detail_beside(first.path))):
            if all(model.kind != kind for model in found) and path.is_file():
                found.append(_open(str(path), kind))
                remarks.append(f"with {printable(path.name, 100)}, which lies beside it")
    return _fitting(first, found, tuple(remarks))


def _fitting(first: Model, beside: Sequence[Model], remarks: tuple[str, ...] = ()) -> Models:
    """The models of a page in its order. Raises ``UserError`` unless they fit."""
    found = sorted(beside, key=lambda model: model.kind != "encoder")
    if first.kind == "generator":
        for model in found:
            _check_pair(first, model)
    names = [model.path.name for model in (first, *found)]
    if twice := next((name for name in names if names.count(name) > 1), ""):
        raise UserError(f"{twice}: two files of this name, expected a name of its own for each on a page")
    return Models(first, tuple(found), remarks)


def _check_pair(generator: Model, other: Model) -> None:
    """Raise ``UserError`` where a network is of other latents or images than the generator."""
    if other.kind == "detail":
        open_layer(generator, other.path)
    elif (other.latent.size, other.image_size) != (generator.latent.size, generator.image_size):
        sizes = [
            "{0} numbers, images of {2}x{1}".format(one.latent.size, *one.image_size) for one in (other, generator)
        ]
        raise other.error(f"is for latents of {sizes[0]}, expected {sizes[1]} as {generator.path} has them")


def _detail_beside(path: Path) -> Path:
    return path.with_name(f"{path.stem}.detail.onnx")


def _a(model: Model) -> str:
    return _article(model.kind)


def _article(kind: str) -> str:
    return f"{'an' if kind[0] in 'aeio' else 'a'} {kind}"


def _why(model: Model) -> str:
    return _WHY.get(model.kind, f"expected {', '.join(map(_article, _OPENS))}")
