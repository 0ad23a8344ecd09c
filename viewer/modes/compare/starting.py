"""A comparison as its options, or the image of ``--from``, ask for it: what is compared, and the first state."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from trainer.contract.errors import ImageError, UserError
from viewer.files.tree import find_images
from viewer.model import Model, open_model
from viewer.modes.compare.figures import Measuring, open_measuring
from viewer.modes.compare.makers import DenoiserMaker, GeneratorMaker, Maker, Photos, TranslatorMaker
from viewer.modes.compare.opening import exported, names_of, open_all, sources_of
from viewer.modes.compare.options import Options
from viewer.modes.compare.state import INPUT, LARGEST_AMPLIFICATION, MODES, VIEWS, CompareState, Mode
from viewer.modes.compare.views import letter
from viewer.options import model_threads, with_saved
from viewer.room import Room, Tiling
from viewer.sessions.classes import NO_CLASSES, Classes, find_label
from viewer.sessions.denoiser import NO_CLASS
from viewer.sessions.generator_page.session import LARGEST_TRUNCATION, TRUNCATION_STEPS
from viewer.sessions.headless import readable
from viewer.sessions.replay import SavedRecipe, read_saved
from viewer.sessions.sampling import USUAL_STEPS, Settings
from viewer.sheet import Sheet

_ACROSS: Final = {"generator": 8, "translator": 4, "denoiser": 6}  # images beside each other, by default
_ROWS: Final = {"generator": 4, "translator": 2, "denoiser": 3}
_LOOKED_AT: Final = 500  # images, for their sizes
_MOST_STEPS: Final = 10_000


@dataclass(frozen=True, eq=False)
class Comparison:
    """What makes the images of a comparison, and what measures it."""

    makers: Sequence[Maker]
    photos: Photos
    measuring: Measuring | None
    tilings: tuple[Tiling, Tiling]  # with all beside each other in a cell, and with one image in a cell


def begin(options: Options) -> tuple[Comparison, CompareState]:
    """The comparison, and its first state. Raises ``UserError``."""
    threads = model_threads(options.threads)
    sources = sources_of(options.models, options.weights)
    words = [*options.encode, *options.images]
    if options.encode and options.images:
        raise UserError("--encode is for generators, --images for translators, expected one of them")
    for name, value in (("features", options.features), ("pairs", options.pairs), ("output", options.output)):
        if value and not options.data:
            raise UserError(f"--{name} is {value}: figures need a set, expected --data beside it")
    if options.view == "figures" and not options.data:
        raise UserError("--view figures: figures need a set, expected --data beside it")
    paths = list(readable(find_images(words).paths)) if words else []
    with exported(sources) as files:
        models = open_all(files, threads, many_sizes=bool(options.images), reading=options.reading)
        saved = None if options.saved is None else read_saved(options.saved, "compare", MODES, *models)
        if saved is not None:
            options = with_saved(options, _options_of(saved, models[0].kind))
            paths = _named_photos(saved, paths)
        makers = make_makers(models, options, Photos(paths), threads)
        network = None if options.features is None else open_model(options.features, threads=threads)
        measuring = None
        if options.data is not None:
            measuring = open_measuring(
                makers, options.data, options.pairs, network, bgr=options.bgr, count=options.count, seed=options.seed
            )
    comparison = Comparison(makers, makers[0].photos, measuring, tilings_of(makers, options))
    return comparison, first_state(comparison, options, saved)


def make_makers(models: Sequence[Model], options: Options, photos: Photos, threads: int) -> list[Maker]:
    """One for each model. Raises ``UserError``."""
    kind = models[0].kind
    if options.encode and kind != "generator":
        raise UserError(f"--encode is for generators with encoders, found {kind}s: translators take --images")
    if options.images and kind != "translator":
        way = "generators take --encode" if kind == "generator" else "denoisers begin with noise"
        raise UserError(f"--images are for translators, found {kind}s: {way}")
    if kind != "denoiser" and (options.sampler or options.steps):
        raise UserError(f"--{'sampler' if options.sampler else 'steps'} is for denoisers, found {kind}s")
    if kind == "generator":
        return [GeneratorMaker(model, photos, threads) for model in models]
    if kind == "denoiser":
        settings = Settings(sampler=options.sampler or "ddim")
        return [DenoiserMaker(model, photos, settings) for model in models]
    if not photos.paths and not options.without_screen:
        raise UserError("no images named, expected --images and some for the models to translate")
    return [TranslatorMaker(model, photos, options.size) for model in models]


def first_state(comparison: Comparison, options: Options, saved: SavedRecipe | None) -> CompareState:
    """Before the first key. Raises ``UserError``."""
    makers, photos = comparison.makers, comparison.photos
    models = [maker.model for maker in makers]
    kind = models[0].kind
    mode: Mode = "images" if photos.paths else "random"
    columns = [f"{letter(place)} {name}" for place, name in enumerate(names_of(models))]
    columns = ([INPUT] if photos.paths else []) + columns
    first_model = len(columns) - len(models)
    level, most = TRUNCATION_STEPS, LARGEST_TRUNCATION
    if kind == "denoiser":
        sampler = options.sampler or "ddim"
        most = min(len(maker.denoiser.schedule["alpha_bar"]) for maker in makers if isinstance(maker, DenoiserMaker))
        level = min(options.steps or USUAL_STEPS[sampler], most)
    state = CompareState(
        (sheets := sheets_of(comparison.tilings))[0],
        kind=kind,
        columns=tuple(columns),
        sheets=sheets,
        mode=mode,
        level=level,
        most_level=most,
        pair=(first_model, first_model + 1),
        amplification=options.amplify.bit_length() - 1,
        photos=len(photos.paths),
        seed=options.seed,
        classes=_classes(models, options.label, saved),
        has_latent=mode != "images" or any(maker.has_latent for maker in makers if kind == "translator"),
        can_measure=comparison.measuring is not None,
    )
    state = replace(state, cursor=0).shown(options.view)
    return state if saved is None else _returned(state, saved)


def tilings_of(makers: Sequence[Maker], options: Options) -> tuple[Tiling, Tiling]:
    """How large the images are and how many, beside each other and alone in a cell."""
    photos = makers[0].photos
    kind, count = makers[0].model.kind if not photos.paths else "translator", len(photos.paths)
    across = len(makers) + (count > 0)
    usual = max(_ACROSS[kind] // across, 1)
    columns = options.cols or (min(usual, count) if count else usual)
    most = min(_ROWS[kind], columns + 1)  # else images that are alone in a cell would make a narrow page
    rows = options.rows or (min(-(-count // columns), most) if count else most)
    height, width = _largest_size(makers, photos)
    alone = min(1100 / (columns * width), 800 / (rows * height), 8)
    side = Tiling(height, width, options.rows, options.cols, (rows, columns), options.scale, across=across)
    return side, side._replace(across=1, without_room=alone)


def sheets_of(tilings: tuple[Tiling, Tiling], room: Room | None = None) -> tuple[Sheet, Sheet]:
    """The sheets for a display, or for none, of one number of rows and of columns. Raises ``UserError``."""
    side, alone = tilings
    sheet = side.sheet(room)
    return sheet, alone._replace(rows=sheet.rows, columns=sheet.columns).sheet(room)


def _largest_size(makers: Sequence[Maker], photos: Photos) -> tuple[int, int]:
    """Height and width in pixels that a comparison has room for: those of the largest image of the first page."""
    shapes = [(512, 512)]
    if photos.paths:
        shapes = list(readable(photos.paths[:1]).values())
    sizes = [maker.size_of(*shape) for maker in makers for shape in shapes]
    return max(height for height, _ in sizes), max(width for _, width in sizes)


def _classes(models: Sequence[Model], label: str | None, saved: SavedRecipe | None) -> Classes:
    """The classes that all models with classes know, and those of the image to begin from."""
    known = [model for model in models if model.classes]
    if not known:
        if label is not None:
            find_label((), label, str(models[0].path))
        return NO_CLASSES
    names = known[0].classes
    count = min(len(model.classes) for model in known)
    alike = all(model.classes == names for model in known)
    none = models[0].kind == "denoiser" and alike and all(model.free_label for model in known)
    classes = Classes(count + none, count if none else 0)  # the last is none of the classes
    classes = classes if saved is None else saved.classes(classes.count)
    if label is None:
        return classes
    wanted = find_label((*names[:count], *([NO_CLASS] if none else [])), label, str(known[0].path))
    return replace(classes, label=wanted)


def _options_of(saved: SavedRecipe, kind: str) -> dict[str, Any]:
    """What a saved image says, by names of options. Raises ``ImageError``."""
    found: dict[str, Any] = saved.page()
    view = saved.values.get("view", "side")
    if view not in VIEWS[:-1]:
        raise ImageError(f"{saved.path}: view is {view!r}, expected one of {', '.join(VIEWS[:-1])}")
    found["view"] = view
    if kind == "denoiser":
        sampler = saved.values.get("sampler")
        if sampler not in USUAL_STEPS:
            raise ImageError(f"{saved.path}: sampler is {sampler!r}, expected one of {', '.join(USUAL_STEPS)}")
        found |= {"sampler": sampler, "steps": saved.whole("steps", 1, _MOST_STEPS)}
    if kind == "translator":
        found["size"] = saved.whole("size", 0, 4096)
    return found


def _named_photos(saved: SavedRecipe, paths: Sequence[Path]) -> list[Path]:
    """The images that a saved page was made of, in its order. Raises ``ImageError`` where they are not among those
    named, or there were none."""
    names = saved.values.get("encoded") or saved.values.get("images") or []
    there = {path.name: path for path in reversed(paths)}
    known = isinstance(names, list) and all(isinstance(name, str) and name in there for name in names)
    if not known or bool(names) != bool(paths):
        found = str(names)[:200] if names else "no images"
        raise ImageError(f"{saved.path}: made of {found}, expected the same with --encode or --images")
    return [there[name] for name in names]


def _returned(state: CompareState, saved: SavedRecipe) -> CompareState:
    """The state that an image was saved in."""
    mode: Mode = next(one for one in MODES if one == saved.kind)
    if (mode == "images") != (state.mode == "images"):
        raise ImageError(f"{saved.path}: made of {'' if mode == 'images' else 'no '}images, expected the same")
    if state.kind == "generator":
        level = saved.whole("truncation", 0, LARGEST_TRUNCATION, 1, TRUNCATION_STEPS)
        state = replace(state, level=level)
    pair = saved.values.get("pair", list(state.pair))
    places = range(len(state.columns))
    if not (isinstance(pair, list) and len(pair) == 2 and all(one in places for one in pair) and pair[0] != pair[1]):
        raise ImageError(f"{saved.path}: pair is {str(pair)[:80]}, expected two places of {len(places)}")
    factor = saved.number("amplified", 1, 2**LARGEST_AMPLIFICATION, state.factor)
    return replace(
        state,
        mode=mode,
        cursor=saved.whole("image", 0, state.sheet.count - 1),
        pair=(int(pair[0]), int(pair[1])),
        divider=saved.number("divider", 0, 1, state.divider),
        amplification=round(math.log2(factor)),
    )


def notes_of(makers: Sequence[Maker], state: CompareState) -> list[str]:
    """What a user should know before comparing."""
    models = [maker.model for maker in makers]
    notes = []
    if state.kind == "generator" and state.mode != "images":
        kinds = {(model.latent.size, model.latent.prior) for model in models}
        if len(kinds) > 1:
            found = ", ".join(f"{model.latent.size} {model.latent.prior}" for model in models)
            notes.append(f"latents differ ({found}): the same seed, each its own latent")
    if state.mode != "images":
        sizes = [maker.size_of(0, 0) for maker in makers]
        if len(set(sizes)) > 1:
            notes.append(f"sizes differ ({', '.join(f'{w}x{h}' for h, w in sizes)}): shown at one scale")
            if state.kind == "denoiser":
                notes.append("each size has its own noise")
    elif len({maker.size_of(512, 512) for maker in makers}) > 1:
        notes.append("results differ in size: shown at one scale")
    if state.mode == "images" and state.kind == "translator":
        sizes = list(readable(makers[0].photos.paths[:_LOOKED_AT]).values())
        notes += dict.fromkeys(filter(None, (maker.remark(sizes) for maker in makers)))
    known = {model.classes for model in models if model.classes}
    if len(known) > 1:
        notes.append("classes differ: chosen by number")
    elif known and not all(model.classes for model in models):
        notes.append("not all models draw classes")
    return notes
