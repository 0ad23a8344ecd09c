"""The flags of every mode, and how their values are read."""

import argparse
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from trainer.contract.errors import ViewerError
from viewer.keys import Event, parse_keys

BUILT_IN: Final = Path(__file__).parent / "models" / "toycats.onnx"


def _add_shared_flags(parser: argparse.ArgumentParser, rows: int | None, columns: int | None, scale: str) -> None:
    """``rows``, ``columns``: of images; ``None``: as fits the screen."""
    add = parser.add_argument
    fits = "as fits the screen"
    add(
        "model",
        nargs="?",
        type=Path,
        default=BUILT_IN,
        metavar="FILE",
        help="ONNX file; without: the built-in toy cats",
    )
    _add_session_flags(parser, "half of them, 4 at most")
    add("--rows", type=_whole(1, 64), default=rows, metavar="N", help=f"rows of images ({rows or fits})")
    add("--cols", type=_whole(1, 64), default=columns, metavar="N", help=f"columns of images ({columns or fits})")
    add("--scale", type=_number(0.05, 64), metavar="X", help=f"screen pixels an image's pixel ({scale})")
    add("--label", metavar="NAME|NUMBER", help="the class to draw, for models with classes (0)")
    add("--from", dest="start", type=Path, metavar="PNG", help="begin where this image was saved: its page and mode")


def _add_session_flags(parser: argparse.ArgumentParser, cores: str = "") -> None:
    """What every mode with a screen has. ``cores``: that the model takes unless it is told, in words; none without."""
    add = parser.add_argument
    add("--display", choices=("auto", "window", "terminal", "none"), default="auto", help="where to show (auto)")
    add("--seed", type=_whole(0, 2**63 - 1), default=0, metavar="N", help="first page of random numbers (0)")
    add("--out", type=Path, default=Path(), metavar="DIR", help="where saved images go (the current folder)")
    if cores:
        add("--threads", type=_whole(0, 256), default=0, metavar="N", help=f"cores for the model; 0: {cores} (0)")
    add("--keys", type=_script, default=(), metavar="KEYS", help="scripted keys, such as 'right,s,i,+,click:40:60,esc'")
    add("--record", type=Path, metavar="FILE", help="record to a .png (the last frame), .gif, .webp or .mp4 file")


def _add_images_flags(parser: argparse.ArgumentParser, output: str) -> None:
    """What the modes that take images share. ``output``: of what -o does, in words."""
    add = parser.add_argument
    add("model", type=Path, metavar="FILE", help="ONNX file")
    add("images", nargs="*", metavar="IMAGE", help="image files, folders, quoted patterns")
    _add_session_flags(parser, "all of them, 8 at most")
    add("-o", "--output", type=Path, metavar="PATH", help=output)


def add_translate_flags(parser: argparse.ArgumentParser) -> None:
    """Of ``translate``."""
    _add_images_flags(parser, "folder to write all results to, without a screen; nothing is ever overwritten")
    add = parser.add_argument
    add("--size", type=_whole(8, 4096), default=0, metavar="N",
        help="longer side of an image at most, in pixels (that of the training)")  # fmt: skip
    add("--condition", choices=("given", "edges"), default="",
        help="what goes into the model: the image as it is, or its edges (as the model's card says)")  # fmt: skip
    add("--draw", action="store_true", help="draw with the mouse on an empty page, and see the result beside it")
    add("--start", type=Path, metavar="IMAGE", help="draw on top of this image's edges, or on a saved drawing")


def add_upscale_flags(parser: argparse.ArgumentParser) -> None:
    """Of ``upscale``."""
    _add_images_flags(parser, "folder to write to, or file for one, without a screen; nothing is ever overwritten")
    parser.add_argument("--tile", type=_whole(16, 8192), default=0, metavar="N",
                        help="side of what is enlarged at a time, in input pixels: smaller takes less memory, larger "
                        "less time (384)")  # fmt: skip


def add_grid_flags(parser: argparse.ArgumentParser) -> None:
    """Of ``grid``."""
    _add_shared_flags(parser, 6, 8, "as fits the screen")
    add = parser.add_argument
    add("--encode", type=Path, metavar="IMAGE", help="interpolate from this image, by the encoder beside the model")
    add(
        "--mix",
        action="store_true",
        help="begin with mixes of three training images each, whose latents the model keeps",
    )


def add_hpf_flags(parser: argparse.ArgumentParser) -> None:
    """Of ``hpf``."""
    add_grid_flags(parser)
    parser.add_argument("detail", nargs="?", type=Path, metavar="DETAIL",
                        help="ONNX file of a detail network of the same latents; without, images are sharpened"
                        )  # fmt: skip
    _add_gain_flag(parser)


def _add_gain_flag(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--gain", type=_number(0, 128), metavar="X",
                        help="what detail is multiplied by to begin with, 0..128 (1: as trained); of sharpening, "
                        "0..1 (0.2)")  # fmt: skip


def add_animate_flags(parser: argparse.ArgumentParser) -> None:
    """Of ``animate``."""
    _add_shared_flags(parser, 1, 1, "3")
    add = parser.add_argument
    add("--detail", type=Path, metavar="FILE", help="ONNX file of a detail network of the same latents, to be added")
    _add_gain_flag(parser)
    add("--lerp", action="store_true", help="walk in straight lines, not on great circles")
    add("--frames", type=_whole(1, 10**6), metavar="N", help="stop after so many frames (60 with --display none)")
    add("--loop", action="store_true", help="a closed walk of --frames frames, 30 a leg, that ends where it began")


def add_latent_flags(parser: argparse.ArgumentParser) -> None:
    """Of ``latent``."""
    _add_shared_flags(parser, None, None, "as fits; 2 is twice that")
    add = parser.add_argument
    add(
        "--data",
        type=Path,
        metavar="SET",
        help="images to scatter by the encoder beside the model: .npy, idx, folder",
    )
    add("--bgr", action="store_true", help="a .npy file holds BGR, as plain OpenCV scripts write it")
    add("--points", type=_whole(1, 10**6), default=5000, metavar="N", help="of these, so many at most (5000)")
    add(
        "--range",
        dest="reach",
        type=_number(0.01, 100),
        metavar="X",
        help="of the axes, -X..X (4; 1 for a uniform prior)",
    )
    add("--lerp", action="store_true", help="straight lines, not great circles")
    views = ("plane", "line", "scatter", "sliders")
    add("--view", choices=views, default="plane", help="what is shown first (plane); Tab leads on")


def add_diffuse_flags(parser: argparse.ArgumentParser) -> None:
    """Of ``diffuse``."""
    add = parser.add_argument
    add("model", type=Path, metavar="FILE", help="ONNX file of a denoiser")
    _add_session_flags(parser, "all of them, 8 at most")
    add("--rows", type=_whole(1, 64), metavar="N", help="rows of images (3)")
    add("--cols", type=_whole(1, 64), metavar="N", help="columns of images (4; 2 of photographs)")
    add("--scale", type=_number(0.05, 64), metavar="X", help="screen pixels an image's pixel (as fits the screen)")
    add("--label", metavar="NAME|NUMBER", help="the class to draw, or none (none; with --guidance the first)")
    add("--from", dest="saved", type=Path, metavar="PNG", help="begin where this image was saved, with its settings")
    add("--sampler", choices=("ddim", "ddpm", "dpm"), default="ddim",
        help="how noise is taken away: DDIM, DDPM (ancestral), DPM-Solver++ (ddim)")  # fmt: skip
    add("--steps", type=_whole(1, 10_000), metavar="N", help="steps from the start to the image (25; ddpm: 250)")
    add("--eta", type=_number(0, 1), metavar="X", help="of ddim and dpm: how much new noise every step adds, 0..1 (0)")
    add("--guidance", type=_number(0, 100), default=0.0, metavar="W",
        help="how much further towards the class than the model says, for models with classes (0)")  # fmt: skip
    add("--init", nargs="+", default=[], metavar="FILE",
        help="begin with images instead of noise: those of a generator (.onnx), or photographs")  # fmt: skip
    add("--start", type=_whole(1, 10_000), metavar="N",
        help="with --init: so many steps of noise are put on the images, and taken away (300 of 1000)")  # fmt: skip
    add("--strength", type=_number(0, 4), metavar="X",
        help="with --init: what images are multiplied by, grey being 0 (1; less with --no-noise)")  # fmt: skip
    add("--no-noise", action="store_true", help="with --init: the images go in as they are, no noise is put on them")
    add("-o", "--output", type=Path, metavar="DIR",
        help="folder to write all images to, without a screen; nothing is ever overwritten")  # fmt: skip
    add("--keep-steps", choices=("png", "gif"), help="beside every image that is saved, its way out of the noise")


def add_dataset_flags(parser: argparse.ArgumentParser) -> None:
    """Of ``dataset``."""
    add = parser.add_argument
    add("files", nargs="+", type=Path, metavar="FILE", help=".npy and idx files, folders, images")
    _add_session_flags(parser)
    add("--rows", type=_whole(1, 64), default=8, metavar="N", help="rows of a page (8)")
    add("--cols", type=_whole(1, 64), default=8, metavar="N", help="columns of a page (8)")
    add("--scale", type=_number(0.05, 64), metavar="X", help="screen pixels an image's pixel (as fits the screen)")
    add("--bgr", action="store_true", help="a .npy file holds BGR, as plain OpenCV scripts write it")
    add("--marks", type=Path, metavar="LIST", help="list of the marked images (FILE.marks.txt beside FILE)")


def add_pick_flags(parser: argparse.ArgumentParser) -> None:
    """Of ``pick``."""
    add = parser.add_argument
    add("table", type=Path, metavar="TABLE", help="image of a table: a screen saved with S, a sheet of samples")
    _add_session_flags(parser)
    found = "as its recipe says, or by the lines between its images"
    add("--rows", type=_whole(1, 256), metavar="N", help=f"rows of the table ({found})")
    add("--cols", type=_whole(1, 256), metavar="N", help="columns of the table (likewise)")
    add("--margin", type=_whole(0, 4096), metavar="N", help="pixels between its images (likewise)")
    add("--scale", type=_number(0.05, 64), metavar="X", help="screen pixels a pixel of the table (as fits the screen)")


def add_limit_flags(parser: argparse.ArgumentParser) -> None:
    """Of all modes with a model: what it may take, since files come from anywhere."""
    add = parser.add_argument
    add("--max-memory", type=_number(0.05, 2**20), default=0.0, metavar="GIB",
        help="memory that the model may take (half of the machine's, 8 at most)")  # fmt: skip
    add("--max-seconds", type=_number(0.1, 10**6), default=0.0, metavar="S",
        help="time to open the model, or for one run of it, at most (3; 4 a run, 60 where images go in)")  # fmt: skip


def add_info_flags(parser: argparse.ArgumentParser) -> None:
    """Of ``info``."""
    parser.add_argument(
        "model",
        nargs="?",
        type=Path,
        default=BUILT_IN,
        metavar="FILE",
        help="ONNX file, or a PNG that the viewer saved",
    )


def _whole(low: int, high: int) -> Callable[[str], int]:
    def read(text: str) -> int:
        if not (text.isascii() and text.isdigit() and len(text) < 20 and low <= int(text) <= high):
            raise argparse.ArgumentTypeError(f"{text!r}, expected a whole number {low}..{high}")
        return int(text)

    return read


def _number(low: float, high: float) -> Callable[[str], float]:
    def read(text: str) -> float:
        try:
            number = float(text)
        except ValueError:
            number = low - 1
        if not low <= number <= high:
            raise argparse.ArgumentTypeError(f"{text!r}, expected a number {low:g}..{high:g}")
        return number

    return read


def _script(text: str) -> list[Event]:
    try:
        return parse_keys(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def check_beside_saved(
    options: argparse.Namespace, add_flags: Callable[[argparse.ArgumentParser], None], saved: Mapping[str, object]
) -> None:
    """Flags beside ``--from`` say what the image says, or nothing. ``saved``: what it says, by names of ``options``.

    Raises ``ViewerError``.
    """
    parser = argparse.ArgumentParser(add_help=False)
    add_flags(parser)
    for name, value in saved.items():
        given = getattr(options, name)
        if given not in (parser.get_default(name), value):
            flag = name.replace("_", "-")
            raise ViewerError(f"--{flag} is {given}, and the image of --from says {value}: expected one of them")
