"""Play with an exported model: ``python -m viewer grid cats.onnx``."""

import argparse
import contextlib
import io
import os
import signal
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any, Final, NoReturn

from trainer.contract.errors import INSTALL_LIBRARIES, ViewerError
from trainer.contract.text import printable
from viewer.flags import (
    BUILT_IN,
    add_animate_flags,
    add_dataset_flags,
    add_diffuse_flags,
    add_grid_flags,
    add_hpf_flags,
    add_info_flags,
    add_latent_flags,
    add_limit_flags,
    add_pick_flags,
    add_translate_flags,
    add_upscale_flags,
    check_beside_saved,
)
from viewer.keys import help_text
from viewer.worker import leave

if TYPE_CHECKING:
    from viewer.model import Model
    from viewer.modes.animate.session import AnimateSession
    from viewer.modes.grid.session import GridSession
    from viewer.replay import Start
    from viewer.sessions.classes import Classes
    from viewer.sessions.detail_layer import Layer
    from viewer.sessions.gain import Gain
    from viewer.sessions.session import Session


@dataclass(frozen=True)
class Mode:
    """A word of the command line."""

    summary: str
    add_flags: Callable[[argparse.ArgumentParser], None]
    run: Callable[[argparse.Namespace], None]
    has_model: bool = True


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; the result is the exit code. A person's mistake is one line and code 2."""
    options = _parse(arguments)
    for name in ("SIGTERM", "SIGHUP"):  # the display gives the terminal back on the way out
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), _stop)
    try:
        code = _run(options)
    except SystemExit as ending:  # by a signal
        code = int(ending.code or 0)
    leave(code)
    return code


def _run(options: argparse.Namespace) -> int:
    from viewer.graph.limits import GIB, limits

    try:
        with limits(round(options.max_memory * GIB), options.max_seconds):
            MODES[options.mode].run(options)
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        return 141
    except ViewerError as error:
        return _refuse(str(error))
    except MemoryError as error:
        return _refuse(f"not enough memory: {error}".removesuffix(": "))
    except ImportError as error:
        library, is_missing, _ = str(error).partition(": cannot open shared object file")
        if not is_missing:
            raise
        return _refuse(f"{library} is missing, expected it in the system: {INSTALL_LIBRARIES}")
    return 0


def _refuse(message: str) -> int:
    with contextlib.suppress(OSError):  # nobody may be listening
        print(f"error: {printable(message, 1000)}", file=sys.stderr, flush=True)
    return 2


def _stop(number: int, _: FrameType | None) -> NoReturn:
    raise SystemExit(128 + number)


def _parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m viewer", description=__doc__, allow_abbrev=False)
    modes = parser.add_subparsers(dest="mode", required=True, metavar="MODE")
    for name, mode in MODES.items():
        one = modes.add_parser(
            name,
            help=mode.summary,
            description=f"{mode.summary[0].upper()}{mode.summary[1:]}.",
            epilog=_epilog(name),
            formatter_class=argparse.RawDescriptionHelpFormatter,
            allow_abbrev=False,
        )
        mode.add_flags(one)
        if mode.has_model:
            add_limit_flags(one)
        else:
            one.set_defaults(max_memory=0.0, max_seconds=0.0)
    words = list(sys.argv[1:] if arguments is None else arguments)
    if "--keys" in words[:-1]:  # a script may begin with the minus key, which argparse takes for an option
        place = words.index("--keys")
        words[place : place + 2] = [f"--keys={words[place + 1]}"]
    return parser.parse_args(words)


def _epilog(name: str) -> str | None:
    if name == "info":
        return None
    drawing = f"\n\nkeys with --draw:\n{help_text('draw')}" if name == "translate" else ""
    return f"keys:\n{help_text(name)}{drawing}"


def _run_grid(options: argparse.Namespace) -> None:
    from viewer.files.png import fit
    from viewer.frame.sheet import auto_scale
    from viewer.model import ModelError, open_model, open_sibling_encoder
    from viewer.modes.grid.session import GridSession
    from viewer.replay import read_start
    from viewer.sessions.detail_layer import open_layer
    from viewer.sessions.model_session import make_sheet
    from viewer.state import LEAST_SAMPLES, GridMode, GridState

    path, threads = _model_path(options), _threads(options)
    model = open_model(path, threads=threads, wanted="generator")
    layer = open_layer(model, options.detail, threads=threads) if options.mode == "hpf" else None
    encoded = None
    if options.encode is not None:
        from viewer.files.inputs import read_photo  # and Pillow, here alone

        image = read_photo(options.encode).on_white()
        encoder = open_sibling_encoder(path, threads=threads)
        encoded = encoder.encode(fit(image, *encoder.image_size)[None])[0]
        if encoded.size != model.latent.size:
            raise ModelError(f"{path}: its encoder gives {encoded.size} numbers, expected {model.latent.size}")
    source = "" if options.encode is None else options.encode.name
    start = None if options.start is None else read_start(options.start, options.mode, model)
    rows, columns = (options.rows, options.cols) if start is None else (start.rows, start.columns)
    sheet = make_sheet(model, rows, columns, options.scale or auto_scale(rows, columns, *model.image_size))
    can_mix, kept = len(model.samples) >= LEAST_SAMPLES, len(model.samples)
    mode: GridMode = "mix" if options.mix else "random" if encoded is None else "interpolation"
    state = GridState(
        sheet,
        options.seed,
        mode=mode,
        classes=_classes(options, model, start),
        can_mix=can_mix,
        gain=_gain(options, layer, start),
    )
    if start is not None:
        saved = {"rows": start.rows, "cols": start.columns, "seed": start.seed, "mix": start.way == "mix"}
        check_beside_saved(options, add_grid_flags, saved)
        if start.encoded != source and start.way == "interpolation":
            raise ModelError(f"{options.start}: made with --encode {start.encoded!r}, found {source!r}")
        mode = "mix" if start.way == "mix" else "random" if start.way == "random" else "interpolation"
        state = replace(state, seed=start.seed, cursor=start.cursor, mode=mode, truncation_steps=start.truncation_steps)
    if state.mode == "mix" and not can_mix:
        raise ModelError(f"{path}: keeps {kept} latents of training images, expected {LEAST_SAMPLES} for mixes")
    session = GridSession(model, state, options.out, encoded, printable(source), layer)
    _notify_other_low(session)
    _show(options, session)


def _run_animate(options: argparse.Namespace) -> None:
    from viewer.model import ModelError, open_model
    from viewer.modes.animate.session import LEG_FRAMES, AnimateSession
    from viewer.replay import read_start
    from viewer.sessions.detail_layer import open_layer
    from viewer.sessions.model_session import make_sheet
    from viewer.state import AnimateState

    model = open_model(_model_path(options), threads=_threads(options), wanted="generator")
    if options.gain is not None and options.detail is None:
        raise ViewerError("--gain is for --detail, found it without")
    layer = None if options.detail is None else open_layer(model, options.detail, threads=_threads(options))
    start = None if options.start is None else read_start(options.start, "animate", model)
    rows, columns = (options.rows, options.cols) if start is None else (start.rows, start.columns)
    sheet = make_sheet(model, rows, columns, options.scale or 3.0, gap=0 if rows * columns == 1 else 2)
    headless = options.display == "none"
    frames = options.frames or (2 * LEG_FRAMES if headless or options.loop else 0)
    legs = frames // LEG_FRAMES if options.loop else 0
    if options.loop and (frames % LEG_FRAMES or legs < 2):
        raise ModelError(f"--loop with --frames {frames}, expected 60, 90, 120 ...: {LEG_FRAMES} frames a leg")
    classes, gain, straight = _classes(options, model, start), _gain(options, layer, start), options.lerp
    state = AnimateState(sheet, options.seed, classes=classes, gain=gain)
    if start is not None:
        saved = {"rows": start.rows, "cols": start.columns, "seed": start.seed, "lerp": start.way == "lerp"}
        check_beside_saved(options, add_animate_flags, saved)
        state = replace(state, seed=start.seed, cursor=start.cursor, position=start.position, paused=True)
        straight, legs = start.way == "lerp", start.legs
    session = AnimateSession(model, state, options.out, straight=straight, legs=legs, layer=layer)
    _notify_other_low(session)
    _show(options, session, frames)


def _run_latent(options: argparse.Namespace) -> None:
    from viewer.model import ModelError, open_model, open_sibling_encoder
    from viewer.modes.latent.layout import make_layout
    from viewer.modes.latent.scatter import open_cloud
    from viewer.modes.latent.session import LatentSession, check_layout
    from viewer.modes.latent.space import space_of
    from viewer.modes.latent.state import VIEWS, begin
    from viewer.replay import read_latent_start

    if options.bgr and options.data is None:
        raise ViewerError("--bgr is for the .npy file of --data, found it without")
    path, threads = _model_path(options), _threads(options)
    model = open_model(path, threads=threads, wanted="generator")
    if model.latent.size < 2:
        raise ModelError(f"{path}: a latent of {model.latent.size} number, expected 2 at least")
    space = space_of(model.card, model.latent)
    start = None if options.start is None else read_latent_start(options.start, model, space)
    encoder = None if options.data is None else open_sibling_encoder(path, threads=threads)
    most, bgr = (options.points, options.bgr) if start is None else (start.points, options.bgr or start.bgr)
    cloud = open_cloud(model, encoder, options.data, most, bgr)
    views = VIEWS if cloud.count else tuple(view for view in VIEWS if view != "scatter")
    if start is None:
        layout = make_layout(*model.image_size, options.rows, options.cols, options.scale or 1.0)
        state = begin(space, layout, seed=options.seed, reach=options.reach, straight=options.lerp, view=options.view)
        state = replace(state, classes=_classes(options, model, None))
    else:
        state = start.state
        if state.view == "scatter" and start.data != cloud.name:
            raise ModelError(f"{options.start}: made with --data {start.data!r}, found {cloud.name!r}")
        if options.label is not None:
            state = replace(state, classes=_classes(options, model, None))
    if state.view not in views:
        raise ModelError(f"{path}: keeps no latents of training images; to scatter others, give --data")
    check_layout(state.layout)
    _show(options, LatentSession(model, replace(state, views=views), options.out, cloud))


def _run_translate(options: argparse.Namespace) -> None:
    from viewer.files.inputs import find_photos
    from viewer.model import open_model
    from viewer.modes.translate.session import TranslateSession, Wanted, start_sigma
    from viewer.modes.translate.state import TranslateState
    from viewer.sessions.headless import readable, translate_files
    from viewer.sessions.translation import Translator

    if options.draw:
        _run_draw(options)
        return
    if options.start is not None:
        raise ViewerError("--start is for --draw, found it without")
    paths = find_photos(_named_images(options, "some, or --draw"))
    model = open_model(options.model, threads=_threads(options, all_cores=True), wanted="translator", many_sizes=True)
    translator = Translator(model, options.condition, options.size)
    sigma, has_latent = start_sigma(translator), translator.latent_size > 0
    if _without_screen(options):
        wanted = Wanted(0, sigma, (options.seed,) if has_latent else ())
        translate_files(translator, wanted, paths, options.output or options.out)
        return
    paths = list(readable(paths))
    state = TranslateState(len(paths), sigma=sigma, has_latent=has_latent, seed=options.seed)
    _show(options, TranslateSession(translator, state, options.out, paths))


def _run_draw(options: argparse.Namespace) -> None:
    from viewer.files.inputs import read_photo
    from viewer.files.png import is_drawing
    from viewer.model import open_model
    from viewer.modes.draw.session import DrawSession, begin, page_of
    from viewer.sessions.translation import Translator

    if options.images or options.output is not None:
        found = "-o" if options.output is not None else options.images[0]
        raise ViewerError(f"--draw begins with an empty page, found {found!r} beside it; to begin with one: --start")
    model = open_model(options.model, threads=_threads(options, all_cores=True), wanted="translator")
    translator = Translator(model, options.condition, options.size)
    state = begin(translator, options.size, options.seed)
    start = None
    if options.start is not None:
        photo = read_photo(options.start).on_white()
        start = page_of(translator, state, photo, is_drawing(options.start))
    _show(options, DrawSession(translator, state, options.out, start))


def _run_upscale(options: argparse.Namespace) -> None:
    from viewer.files.inputs import find_photos, is_film
    from viewer.model import open_model
    from viewer.modes.upscale.session import UpscaleSession, begin
    from viewer.sessions.headless import readable, upscale_files
    from viewer.sessions.translation import Upscaler

    paths = find_photos(_named_images(options, "some"))
    model = open_model(options.model, threads=_threads(options, all_cores=True), wanted="translator", many_sizes=True)
    upscaler = Upscaler(model, options.tile)
    if _without_screen(options):
        one = paths == [Path(options.images[0])]  # no folder, and no pattern
        upscale_files(upscaler, paths, options.output or options.out, one)
        return
    films = [path for path in paths if is_film(path)]
    if films:
        raise ViewerError(f"{films[0]}: is a film, which is enlarged without a screen: add -o FILE")
    paths = list(readable(paths))
    _show(options, UpscaleSession(upscaler, begin(len(paths)), options.out, paths))


def _run_diffuse(options: argparse.Namespace) -> None:
    from viewer.modes.diffuse.headless import diffuse_files
    from viewer.modes.diffuse.opening import begin
    from viewer.modes.diffuse.session import DiffuseSession, page_of

    alone = _without_screen(options)
    diffusion, state = begin(options, _threads(options, all_cores=True))
    if alone:
        photos = tuple(range(state.photos))
        diffuse_files(diffusion, replace(page_of(state), photos=photos), options.output or options.out,
                      options.keep_steps)  # fmt: skip
        return
    _show(options, DiffuseSession(diffusion, state, options.out, options.keep_steps))


def _run_dataset(options: argparse.Namespace) -> None:
    from viewer.frame.sheet import auto_scale, fitting_sheet
    from viewer.modes.dataset.collection import catalogue_of, common_size, open_sets
    from viewer.modes.dataset.selection import Marks
    from viewer.modes.dataset.session import DatasetSession
    from viewer.modes.dataset.state import DatasetState

    sets = open_sets(options.files, options.bgr)
    if options.marks is not None and len(sets) > 1:
        raise ViewerError(f"--marks is the list of one set, found {len(sets)}: each has its own beside it")
    height, width = common_size(sets)
    scale = options.scale or auto_scale(options.rows, options.cols, height, width)
    sheet = fitting_sheet(options.rows, options.cols, height, width, scale)
    state = DatasetState(catalogue_of(sets), sheet, seed=options.seed)
    marks = [Marks(one, options.marks) for one in sets]
    _show(options, DatasetSession(sets, marks, state, options.out, (height, width)))


def _run_pick(options: argparse.Namespace) -> None:
    from trainer.contract.errors import ImageError
    from viewer.files.inputs import read_photo
    from viewer.files.png import read_recipe
    from viewer.files.table import find_table
    from viewer.modes.pick.session import PickSession
    from viewer.modes.pick.state import begin

    photo = read_photo(options.table)
    try:
        recipe = read_recipe(options.table)
    except ImageError:  # most tables do not say what they are made of
        recipe = {}
    table = find_table(options.table, photo.image, recipe, options.rows, options.cols, options.margin)
    state = begin(table, photo.image.shape[1], photo.image.shape[0], options.scale)
    _show(options, PickSession(options.table, photo, recipe, state, options.out))


def _named_images(options: argparse.Namespace, expected: str) -> list[str]:
    if not options.images:
        raise ViewerError(f"no images named, expected {expected}")
    named: list[str] = options.images
    return named


def _without_screen(options: argparse.Namespace) -> bool:
    """Whether all results are to be written: with -o, or where there is neither a screen nor a script for one."""
    headless = options.display == "none" and not options.keys and options.record is None
    if options.output is not None and (options.keys or options.record is not None):
        raise ViewerError("-o writes all results without a screen, found --keys or --record beside it")
    return options.output is not None or headless


def _classes(options: argparse.Namespace, model: "Model", start: "Start | None") -> "Classes":
    """Which class is drawn first: that of the flag, else that of the image to begin from, else the first."""
    from viewer.sessions.classes import Classes, find_label

    classes = Classes(len(model.classes))
    if start is not None and classes.count:
        classes = replace(classes, label=start.label, by_row=start.by_class)
    if options.label is not None:
        classes = replace(classes, label=find_label(model.classes, options.label, str(model.path)))
    return classes


def _gain(options: argparse.Namespace, layer: "Layer | None", start: "Start | None") -> "Gain | None":
    """How much of a layer is added to begin with: as the flag says, else the image to begin from, else the layer."""
    detail = layer.facts["detail"] if layer is not None else {"file": "", "sha256": ""}
    if start is not None and start.detail != detail["sha256"]:
        found = repr(detail["file"]) if detail["file"] else "none"
        raise ViewerError(f"{options.start}: made with another detail network, found {found}")
    if layer is None:
        return None
    wanted = options.gain if options.gain is not None else start.gain if start is not None else None
    if wanted is not None and wanted > layer.gain.scale[-1]:
        raise ViewerError(f"--gain is {wanted:g}, expected 0..{layer.gain.scale[-1]:g} for sharpening")
    return layer.gain if wanted is None else layer.gain.at(wanted)


def _notify_other_low(session: "GridSession | AnimateSession") -> None:
    """Say where a detail network was not trained beside this model: what it adds may not fit the images."""
    from viewer.sessions.detail_layer import other_low

    said = other_low(session.model, session.layer) if session.layer is not None else ""
    if said:
        session.notify(said)


def _run_info(options: argparse.Namespace) -> None:
    from viewer.files.png import is_png, read_recipe

    if is_png(options.model):
        lines = [(name, str(value)) for name, value in read_recipe(options.model).items()]
    else:
        from viewer.model import open_model
        from viewer.modes.info.describe import describe_model

        lines = list(describe_model(open_model(_model_path(options))))
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # a model's own words may not fit the terminal's alphabet
    shown = [(printable(name, 40), printable(text, 20_000)) for name, text in lines]
    width = max((len(name) for name, _ in shown), default=0)
    for name, text in shown:
        print(f"{name:<{width}}  {text}")


MODES: Final = {
    "grid": Mode("a page of images to choose from, random or interpolated", add_grid_flags, _run_grid),
    "hpf": Mode("a page of images, with fine detail of a second network, or sharpened", add_hpf_flags, _run_grid),
    "animate": Mode("a walk through latent space", add_animate_flags, _run_animate),
    "latent": Mode("latent space itself: planes, lines, points, sliders", add_latent_flags, _run_latent),
    "translate": Mode(
        "images, or what you draw, beside what a model makes of them", add_translate_flags, _run_translate
    ),
    "upscale": Mode("images twice as large or more, beside plain enlargements", add_upscale_flags, _run_upscale),
    "diffuse": Mode("images out of noise, or out of other images, as you watch", add_diffuse_flags, _run_diffuse),
    "dataset": Mode(
        "pages of a data set, to look through and to mark images", add_dataset_flags, _run_dataset, has_model=False
    ),
    "pick": Mode("a saved table of images, to cut some out", add_pick_flags, _run_pick, has_model=False),
    "info": Mode("what a model file is, or what a saved image was made from", add_info_flags, _run_info),
}


def _show(options: argparse.Namespace, session: "Session[Any, Any, Any]", frames: int = 0) -> None:
    """Open the display and run a session on it to its end."""
    from trainer.contract.errors import ImageError
    from viewer.app import DELAY_MS, run_live, run_scripted
    from viewer.displays import open_display

    try:
        display = open_display(
            options.display,
            title=session.title(),
            record=options.record,
            delay_ms=DELAY_MS,
            motion=session.follows_mouse,
            strokes=session.draws,
        )
        try:
            run = run_live if display.interactive else run_scripted
            run(session, display, options.keys, frames)
        finally:
            display.close()
        if session.failures and not display.interactive:  # nobody has seen them
            raise ImageError(session.failures[0])
    finally:
        session.close()


def _model_path(options: argparse.Namespace) -> Path:
    from viewer.model import ModelError

    path: Path = options.model
    if path == BUILT_IN and not path.is_file():
        raise ModelError(f"{path}: the built-in model is missing from this installation, expected; name an ONNX file")
    return path


def _threads(options: argparse.Namespace, all_cores: bool = False) -> int:
    if options.threads:
        return int(options.threads)
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(cores, 8) if all_cores else min(max(cores // 2, 1), 4)


if __name__ == "__main__":
    sys.exit(main())
