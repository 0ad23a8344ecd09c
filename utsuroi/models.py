"""Exported models as Python objects; ``load`` opens them."""

import html
import operator
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar, Unpack, overload

import numpy as np
from numpy.typing import NDArray

from export.card import Card
from trainer.contract.errors import UserError
from utsuroi.arrays import Images, img_tag
from utsuroi.keywords import ReadingWords, naming_arguments, reading_of

if TYPE_CHECKING:
    from utsuroi.notebook.player import Player, Runs
    from viewer.model import Model as Graph
    from viewer.sessions.detail_layer import Layer
    from viewer.sessions.translation import Upscaler

UtsuroiError = UserError  # its message is one line: what was found, what was expected
Latents: TypeAlias = NDArray[np.float32]  # [n, size]
AnyImages: TypeAlias = NDArray[np.uint8]  # [n, h, w, 3] or [h, w, 3], RGB
AnyPath: TypeAlias = str | Path

BUILT_IN = "toycats"


class Model:
    """An open model file. ``load`` makes the right kind of it."""

    def __init__(self, graph: "Graph") -> None:
        self._graph = graph

    @property
    def path(self) -> Path:
        """Of the file."""
        return self._graph.path

    @property
    def name(self) -> str:
        """As the card says, or the file's name without its ending."""
        return self._graph.name

    @property
    def card(self) -> Card | None:
        """What the file says of itself; of a file without a card, what was inferred. ``None``: nothing could be."""
        return self._graph.card

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the classes that can be asked for with ``label=``, by number; empty: there are none."""
        return self._graph.classes

    @property
    def remarks(self) -> tuple[str, ...]:
        """Of a file without a card: sentences on what was guessed, and how sure that is."""
        return self._graph.remarks

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name!r} of {self.path}>"

    def _facts(self) -> Iterator[tuple[str, str]]:
        """Lines of the table that a notebook shows."""
        card = self.card
        if card is None:
            return
        yield "kind", card.kind
        yield "family", card.family
        if card.image_size is not None:
            yield "image size", f"{card.image_size[1]}x{card.image_size[0]}"
        if card.latent is not None:
            yield "latent", f"{card.latent.size} numbers, {card.latent.prior}"
        if self.classes:
            yield "classes", ", ".join(self.classes)
        for name in ("data", "licence"):
            if getattr(card, name):
                yield name, getattr(card, name)

    def _preview(self) -> Images | None:
        """Images that a notebook shows below the card."""
        return None

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr><th>{html.escape(name)}</th><td>{html.escape(text)}</td></tr>" for name, text in self._facts()
        )
        preview = self._preview()
        sheet = "" if preview is None else img_tag(preview.sheet(columns=8))
        return f"<b>{html.escape(self.name)}</b><table>{rows}</table>{sheet}"

    def player(self, mode: str = "", *, seed: int = 0, height: int = 600, runs: "Runs" = "") -> "Player":
        """The player in a notebook, as the viewer has it: the same modes, keys and buttons.

        A model as the last line of a cell shows it, too. ``mode``: grid, animate, latent…, to begin with; empty: the
        usual one. ``seed``: of the page of images. ``height``: in pixels. ``runs``: ``"browser"``: the model is sent to
        the browser and runs there, even after Python has ended; ``"python"``: it runs here; empty: in the browser if
        it has 64 MiB at most. Raises ``UtsuroiError``, where anywidget (extra ``notebook``) is missing, too.
        """
        from utsuroi.notebook import why_not

        if why := why_not():
            raise UtsuroiError(why)
        from export.player.models import together
        from utsuroi.notebook.player import Player

        return Player(together(self._graph, self._beside()), mode=mode, seed=seed, height=height, runs=runs)

    def _beside(self) -> Sequence["Graph"]:
        """Models that belong to it, for its player."""
        return ()

    def _repr_mimebundle_(self, **_: Any) -> Any:
        """The player for a notebook that has widgets; for others, and where there can be none, table and images."""
        from utsuroi.notebook import why_not

        still = {"text/plain": repr(self), "text/html": self._repr_html_()}
        try:
            shown = None if why_not() else self.player()._repr_mimebundle_()
        except UtsuroiError:
            shown = None  # such as an encoder alone
        if shown is None:
            return still
        data, *metadata = shown if isinstance(shown, tuple) else (shown,)
        return ({**data, **still}, *metadata)

    def _display_(self) -> Any:
        """What marimo shows, which reads no bundles of widgets."""
        from utsuroi.notebook import Still, why_not

        try:
            return Still(self._repr_html_()) if why_not() else self.player()
        except UtsuroiError:
            return Still(self._repr_html_())

    @naming_arguments()
    def _label(self, label: str | int | None, count: int, extra: Sequence[str] = ()) -> NDArray[np.int64] | None:
        """A class for each of ``count`` images, i64 [n]. Raises ``UtsuroiError`` where there is none such."""
        from viewer.sessions.classes import find_label

        names = (*self.classes, *extra) if self.classes else ()
        if label is None:
            return np.full(count, 0 if not extra else len(names) - 1, np.int64) if names else None
        return np.full(count, find_label(names, str(label), str(self.path)), np.int64)


class Encoder(Model):
    """Turns images into latents. A generator's own is its ``encoder``."""

    def encode(self, images: AnyImages) -> Latents:
        """Latents f32 [n, size] of RGB images u8 [n, h, w, 3] or [h, w, 3].

        Images of another size are cut to the model's proportions and scaled, as the viewer's ``--encode`` does.
        Raises ``UtsuroiError``.
        """
        from viewer.files.resizing import fit

        height, width = self._graph.image_size
        return self._graph.encode(np.stack([fit(image, height, width) for image in _to_bgr(images)]))


class Generator(Model):
    """Draws images from latents.

    >>> import utsuroi
    >>> cats = utsuroi.load()
    >>> cats.sample(3, seed=5).shape
    (3, 128, 128, 3)
    """

    def __init__(self, graph: "Graph", encoder: Encoder | None = None, detail: "Layer | None" = None) -> None:
        """``encoder``: the one that was exported with it. ``detail``: adds detail to the images."""
        super().__init__(graph)
        self.encoder = encoder
        self._detail = detail

    @property
    def latent_size(self) -> int:
        """Numbers of a latent."""
        return self._graph.latent.size

    def latents(self, n: int, seed: int = 0) -> Latents:
        """The latents of the first ``n`` images of page ``seed``, f32 [n, size], from the model's prior.

        >>> import utsuroi
        >>> utsuroi.load().latents(2).shape
        (2, 20)
        """
        from viewer import latents

        return latents.draw_many(self._graph.latent, seed, range(_at_least_one(n)))

    def sample(
        self, n: int, seed: int = 0, *, truncation: float = 1.0, label: str | int | None = None, gain: float = 1.0
    ) -> Images:
        """Draw ``n`` images: those of page ``seed`` of the viewer's grid.

        ``truncation``: below 1, more typical images; above, more varied ones. ``label``: name or number of a class.
        ``gain``: of the detail network, where there is one. Returns u8 [n, h, w, 3]. Raises ``UtsuroiError``.
        """
        from viewer import latents

        return self.generate(latents.truncate(self._graph.latent, self.latents(n, seed), truncation),
                             label=label, gain=gain)  # fmt: skip

    def generate(self, latents: Latents, *, label: str | int | None = None, gain: float = 1.0) -> Images:
        """Images u8 [n, h, w, 3] of latents [n, size], or of one [size].

        Raises ``UtsuroiError`` where latents have another size or are not finite.

        >>> import numpy as np, utsuroi
        >>> utsuroi.load().generate(np.zeros(20)).shape
        (1, 128, 128, 3)
        """
        rows = np.atleast_2d(np.asarray(latents, np.float32))
        if rows.ndim != 2 or rows.shape[1] != self.latent_size or not len(rows) or not np.isfinite(rows).all():
            raise UtsuroiError(
                f"{self.path}: latents are {list(np.shape(latents))}, expected finite [n, {self.latent_size}]"
            )
        images = self._graph.generate(rows, self._label(label, len(rows)))
        if self._detail is not None:
            from viewer.render import with_detail

            images = with_detail(images, self._detail.of(rows, images), gain)
        return _to_rgb(images)

    def encode(self, images: AnyImages) -> Latents:
        """Latents f32 [n, size] of RGB images, by the encoder beside the model. Raises ``UtsuroiError``."""
        if self.encoder is None:
            from viewer.model import encoder_beside

            name = encoder_beside(self.path).name
            raise UtsuroiError(f"{self.path}: has no encoder beside it, expected {name}, or load(encoder=...)")
        return self.encoder.encode(images)

    @cached_property
    def directions(self) -> Mapping[str, Latents]:
        """Directions of latent space by name, f32 [size], each one std long: those that were named in the viewer's
        latent mode, from the card and the file beside the model; then the principal ones. Raises ``UtsuroiError``.

        >>> import utsuroi
        >>> list(utsuroi.load().directions)[:2]
        ['principal 1', 'principal 2']
        """
        from viewer.named_directions import file_of, known_directions

        named = known_directions(self._graph, file_of(self._graph, None, Path())).vectors
        principal = () if self.card is None else self.card.directions
        rows = {f"principal {number}": row for number, row in enumerate(principal, 1)}
        return {name: np.array(row, np.float32) for name, row in {**named, **rows, **named}.items()}

    def move(self, latents: Latents, direction: str | Latents, by: float = 1.0) -> Latents:
        """Latents f32 [n, size] moved along a direction: the name of one of ``directions``, or a vector [size].

        ``by``: how far, in stds; the sliders of the viewer go from -4 to 4. Raises ``UtsuroiError``.

        >>> import utsuroi
        >>> cats = utsuroi.load()
        >>> cats.generate(cats.move(cats.latents(3), "principal 1", 2.0)).shape
        (3, 128, 128, 3)
        """
        if isinstance(direction, str) and direction not in self.directions:
            known = ", ".join(self.directions) or "none: it has no named ones"
            raise UtsuroiError(f"{self.path}: direction is {direction!r}, expected one of {known}")
        step = self.directions[direction] if isinstance(direction, str) else np.asarray(direction, np.float32)
        if step.shape != (self.latent_size,):
            raise UtsuroiError(f"{self.path}: direction is {list(step.shape)}, expected [{self.latent_size}]")
        moved: Latents = (np.atleast_2d(latents) + by * step).astype(np.float32)
        return moved

    def interpolate(
        self, a: Latents, b: Latents, n: int = 8, *, straight: bool = False, label: str | int | None = None
    ) -> Images:
        """``n`` images between latents ``a`` [size] and ``b``, both included: on a great circle, or ``straight``.

        >>> import utsuroi
        >>> cats = utsuroi.load()
        >>> a, b = cats.latents(2)
        >>> cats.interpolate(a, b, 5).shape
        (5, 128, 128, 3)
        """
        from viewer import latents

        between = latents.lerp if straight else latents.slerp
        start, end = np.asarray(a, np.float32), np.asarray(b, np.float32)
        fractions = np.linspace(0, 1, n) if _at_least_one(n) > 1 else [0.5]
        return self.generate(np.stack([between(start, end, float(t)) for t in fractions]), label=label)

    def mix(self, n: int, seed: int = 0, *, label: str | int | None = None) -> Images:
        """``n`` images between three training images each, whose latents the model keeps: key m of the viewer.

        Raises ``UtsuroiError`` where it keeps none.
        """
        from viewer import latents
        from viewer.sessions.generator_page.session import samples_to_mix

        return self.generate(latents.mix(samples_to_mix(self._graph), seed, range(_at_least_one(n))), label=label)

    def _preview(self) -> Images:
        return self.sample(16)

    def _beside(self) -> Sequence["Graph"]:
        encoder = [] if self.encoder is None else [self.encoder._graph]
        detail = None if self._detail is None else self._detail.model
        return [*encoder, *([] if detail is None else [detail])]


class Translator(Model):
    """Turns images into images: edges into photographs, small images into larger ones."""

    @property
    def scale(self) -> float:
        """Result pixels an input pixel."""
        scale = self._graph.image_layout.scale
        return scale if isinstance(scale, int) else float(scale)

    @naming_arguments()
    def translate(
        self, image: AnyImages, *, seed: int = 0, sigma: float | None = None, condition: str = "", size: int = 0
    ) -> Images:
        """The results [n, h, w, 3] of RGB images u8 [n, h, w, 3], or of one [h, w, 3].

        ``seed``: of the latent, for models that have one. ``sigma``: of the edges, for models that take edges.
        ``condition``: ``"given"`` takes images as they are, ``"edges"`` makes edges of them, instead of what the card
        says. ``size``: the longer side at most, in pixels (that of the training; restorers, which look at a part of an
        image, take any). Raises ``UtsuroiError``.
        """
        from viewer.sessions.translation import Translator as Translation

        work = Translation(self._graph, condition, size)
        sigma = work.how.sigma if sigma is None else sigma
        latent = work.latent(seed)
        if work.whole is not None:
            return _by_tiles(work.whole, image)
        return _to_rgb(np.stack([work.translate(work.condition_of(one, sigma), latent) for one in _to_bgr(image)]))

    def upscale(self, image: AnyImages, *, tile: int = 0) -> Images:
        """Images enlarged ``scale`` times, tile by tile: u8 [n, h·scale, w·scale, 3] of u8 [n, h, w, 3] or [h, w, 3].

        ``tile``: side of a tile in input pixels; 0: as measured to be good. Raises ``UtsuroiError``.
        """
        from viewer.sessions.translation import Upscaler

        return _by_tiles(Upscaler(self._graph, tile), image)


def _by_tiles(work: "Upscaler", image: AnyImages) -> Images:
    from viewer.files.inputs import Photo

    return _to_rgb(np.stack([work.result_of(work.prepared(Photo(one)))[..., :3] for one in _to_bgr(image)]))


class Denoiser(Model):
    """Makes images out of noise, step by step."""

    @naming_arguments()
    def denoise(
        self,
        n: int = 12,
        seed: int = 0,
        *,
        steps: int = 0,
        sampler: str = "ddim",
        label: str | int | None = None,
        guidance: float = 0.0,
        eta: float = 0.0,
        init: AnyImages | Generator | None = None,
        start: int = 0,
    ) -> Images:
        """``n`` images u8 [n, h, w, 3] out of noise: those of page ``seed`` of the viewer's diffuse.

        ``steps``: 0: 25, or 250 with ``sampler="ddpm"``. ``sampler``: ddim, dpm (DPM-Solver++) or ddpm. ``label``: of
        models with classes; ``None``: images of any class. ``guidance``: towards the class. ``eta``: new noise in each
        step of ddim and dpm, 0..1. ``init``: begin with these RGB images (then there are as many results), or with
        those of a generator, with the noise of step ``start`` (0: three tenths of all). Raises ``UtsuroiError``.
        """
        from viewer.sessions.classes import Classes
        from viewer.sessions.denoiser import NO_CLASS
        from viewer.sessions.denoiser import Denoiser as Predictor
        from viewer.sessions.sampling import USUAL_STEPS, Diffusion, Page, Settings, usual_start

        if sampler not in USUAL_STEPS:
            raise UtsuroiError(f"sampler is {sampler!r}, expected {', '.join(USUAL_STEPS)}")
        predictor = Predictor(self._graph, guidance)
        generator = init._graph if isinstance(init, Generator) else None
        given = () if init is None or isinstance(init, Generator) else _to_bgr(init)
        photos = {Path(str(number)): image for number, image in enumerate(given)}
        beginning = usual_start(predictor) if init is not None else 0

        settings = Settings(sampler=sampler, eta=eta, start=start or beginning)
        diffusion = Diffusion(predictor, settings, generator, list(photos), photos.__getitem__)
        n = len(photos) or _at_least_one(n)
        wanted = self._label(label, n, [NO_CLASS] * self._graph.free_label)
        classes = Classes(len(predictor.names), 0 if wanted is None else int(wanted[0]))
        page = Page(seed, steps or USUAL_STEPS[sampler], 1, n, classes=classes, photos=tuple(range(len(photos))))
        run = diffusion.begin(page)
        while run.advance():
            pass
        return _to_rgb(run.images())


_KINDS: dict[str, type[Model]] = {
    "generator": Generator,
    "encoder": Encoder,
    "translator": Translator,
    "denoiser": Denoiser,
}

AnyModel = TypeVar("AnyModel", bound=Model)


@overload
def load(
    path: AnyPath = ...,
    *,
    encoder: AnyPath | None = ...,
    detail: AnyPath | None = ...,
    threads: int = ...,
    **reading: Unpack[ReadingWords],
) -> Any: ...


@overload
def load(
    path: AnyPath,
    kind: type[AnyModel],
    *,
    encoder: AnyPath | None = ...,
    detail: AnyPath | None = ...,
    threads: int = ...,
    **reading: Unpack[ReadingWords],
) -> AnyModel: ...


def load(
    path: AnyPath = BUILT_IN,
    kind: type[Model] = Model,
    *,
    encoder: AnyPath | None = None,
    detail: AnyPath | None = None,
    threads: int = 0,
    **reading: Unpack[ReadingWords],
) -> Any:
    """Open an exported model: a ``Generator``, ``Encoder``, ``Translator`` or ``Denoiser``, as its card says.

    ``path``: an ONNX file; ``"hub:OWNER/NAME"``, a model of the Hugging Face hub, perhaps with ``@REVISION`` and
    ``/FILE.onnx``; or ``"toycats"``, the built-in model. ``kind``: one of these classes, where no other will
    do. ``encoder``: of a generator; without, ``<name>.encoder.onnx`` beside it, if it is there. ``detail``: a network
    trained by ``train_hpf.py``, whose detail is added to a generator's images. ``threads``: cores; 0: half of them,
    4 at most. ``reading``: of files without a card, what is not to be guessed: ``input_range`` and ``output_range``
    ("-1..1" or (-1, 1)), ``layout`` ("chw", "hwc"), ``channels`` ("rgb", "bgr"), ``output_name``,
    ``external_data``; what the viewer keeps
    beside the file comes second, and nothing is kept by this. Raises ``UtsuroiError``, whose message is one line.

    >>> import utsuroi
    >>> utsuroi.load("toycats").card.family
    'vae'
    """
    from viewer.description import an
    from viewer.model import encoder_beside, open_model
    from viewer.options import model_threads

    threads = model_threads(threads)
    file = _file(path)
    graph = open_model(file, threads=threads, reading=reading_of(reading), silent=True)
    made = _KINDS.get(graph.kind)
    if made is None or not issubclass(made, kind):
        expected = " or ".join(an(name) for name, one in sorted(_KINDS.items()) if issubclass(one, kind))
        raise graph.error(f"found {graph.what}, expected {expected}")
    if made is not Generator:
        if encoder is not None or detail is not None:
            raise graph.error(f"found {graph.what}, expected a generator beside encoder= or detail=")
        return made(graph)
    beside = encoder_beside(file) if encoder is None else _file(encoder)
    encoding = None
    if encoder is not None or beside.is_file():
        encoding = Encoder(open_model(beside, threads=threads, wanted="encoder", silent=True))
    layer = None
    if detail is not None:
        from viewer.sessions.detail_layer import open_layer

        layer = open_layer(graph, _file(detail), threads=threads)
    return Generator(graph, encoding, layer)


def _file(path: AnyPath) -> Path:
    """The file of a model by its name; one of the hub is fetched. Raises ``UtsuroiError``."""
    from trainer.contract.hub.names import is_hub_name
    from viewer.options import model_file

    if not is_hub_name(path):
        return model_file(str(path))
    from trainer.contract.hub.files import fetch

    return fetch(str(path))


def _at_least_one(n: int) -> int:
    try:
        count = operator.index(n)
    except TypeError:
        raise UtsuroiError(f"n is {n!r}, expected a whole number of images") from None
    if count < 1:
        raise UtsuroiError(f"n is {count}, expected at least 1 image")
    return count


def _to_rgb(images: NDArray[np.uint8]) -> Images:
    return Images.of(np.ascontiguousarray(images[..., ::-1]))


def _to_bgr(images: AnyImages) -> NDArray[np.uint8]:
    """Images [n, h, w, 3] BGR of RGB ones [n, h, w, 3] or [h, w, 3]. Raises ``UtsuroiError``."""
    if isinstance(images, str | Path):
        read = f'numpy.asarray(PIL.Image.open("{images}").convert("RGB"))'
        raise UtsuroiError(f"images are the name {str(images)!r}, expected arrays, such as {read}")
    array = np.asarray(images)
    if array.dtype != np.uint8 or array.ndim not in (3, 4) or array.shape[-1] != 3 or not array.size:
        raise UtsuroiError(f"images are {array.dtype} {list(array.shape)}, expected u8 [n, h, w, 3] or [h, w, 3], RGB")
    return np.ascontiguousarray((array if array.ndim == 4 else array[None])[..., ::-1])
