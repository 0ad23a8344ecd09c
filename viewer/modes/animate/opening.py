"""From the command line, or an image that was saved, to the animate mode."""

from dataclasses import replace
from typing import Final

from trainer.contract.errors import ViewerError
from viewer.mode import Context, check_beside_saved, existing_model
from viewer.model import ModelError, open_model
from viewer.modes.animate.options import AnimateOptions
from viewer.modes.animate.session import LEG_FRAMES, AnimateSession
from viewer.modes.animate.state import LEG_TICKS, AnimateState
from viewer.sessions.detail_layer import open_layer
from viewer.sessions.sheet_session import make_sheet
from viewer.sessions.sheet_start import first_classes, first_gain, read_sheet_start

_PATHS: Final = ("slerp", "lerp")
_LAST_TICK: Final = 2**53


def open_animate(options: AnimateOptions, context: Context) -> AnimateSession:
    """The walk that the options ask for. Raises ``ViewerError``."""
    threads = context.threads(options.threads)
    model = open_model(existing_model(options.model), threads=threads, wanted="generator")
    if options.gain is not None and options.detail is None:
        raise ViewerError("--gain is for --detail, found it without")
    layer = None if options.detail is None else open_layer(model, options.detail, threads=threads)
    start = None if options.start is None else read_sheet_start(options.start, "animate", _PATHS, model)
    rows, columns = (options.rows, options.cols) if start is None else (start.rows, start.columns)
    sheet = make_sheet(model, rows, columns, options.scale or 3.0, gap=0 if rows * columns == 1 else 2)
    headless = options.display == "none"
    frames = options.frames or (2 * LEG_FRAMES if headless or options.loop else 0)
    legs = frames // LEG_FRAMES if options.loop else 0
    if options.loop and (frames % LEG_FRAMES or legs < 2):
        raise ModelError(f"--loop with --frames {frames}, expected 60, 90, 120 ...: {LEG_FRAMES} frames a leg")
    classes, gain = first_classes(options.label, model, start), first_gain(options.gain, layer, start)
    state, straight = AnimateState(sheet, options.seed, classes=classes, gain=gain), options.lerp
    if start is not None:
        straight = start.mode == "lerp"
        check_beside_saved(options, {**start.options, "lerp": straight})
        position = start.whole("position", 0, _LAST_TICK, 0, LEG_TICKS)
        state = replace(state, seed=start.seed, cursor=start.cursor, position=position, paused=True)
        legs = start.whole("legs", 0, _LAST_TICK)
    session = AnimateSession(model, state, options.out, straight=straight, legs=legs, layer=layer, frames=frames)
    session.say_other_low()
    return session
