"""Draw the edges of pictures, white on black, as networks that turn drawings into pictures are trained on them.

Canny's edges, with thresholds a share below and above the picture's median brightness, after a light blur. IN is a
folder (all pictures in and below it), a quoted pattern, or files; photographs and illustrations, on white too. Every
picture becomes OUT/<same name>.png, in the folders that it lay in; a file that cannot be used is named and left out.

    python -m trainer.data edges illustrations/ -o edges --size 256
"""

import argparse
import sys
from pathlib import Path

import cv2
import numpy as np
from tqdm import tqdm

from trainer.config import UserError, require
from trainer.data.create import find, in_threads
from trainer.data.npy import check_free, output, printable
from trainer.data.pictures import Unreadable, decode, pad, read_bytes, read_header, resize

SIGMA = 0.33
BLUR_PX = 3


def edge_map(image: np.ndarray, sigma: float = SIGMA, blur: int = BLUR_PX, invert: bool = False) -> np.ndarray:
    """Edges u8 [h, w], 255 on 0 (or the other way round), of a picture u8 [h, w, 3] RGB or [h, w, 1].

    Canny 1986, "A Computational Approach to Edge Detection"; thresholds (1 ∓ ``sigma``) times the median of the
    brightness, blurred by a Gaussian kernel of ``blur`` pixels (odd; 0: not at all).
    """
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY) if image.shape[2] == 3 else np.ascontiguousarray(image[..., 0])
    if blur:
        grey = cv2.GaussianBlur(grey, (blur, blur), 0)
    median = float(np.median(grey))
    edges = cv2.Canny(grey, max(0.0, (1 - sigma) * median), min(255.0, (1 + sigma) * median))
    return 255 - edges if invert else edges


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of the command."""
    parser.add_argument("inputs", nargs="+", metavar="IN", help="folders, quoted patterns, or picture files")
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="OUT", help="folder to write to")
    parser.add_argument("--size", type=int, default=0, help="side in pixels to bring pictures to first (0: theirs)")
    parser.add_argument("--keep-aspect", action="store_true", help="pad by repeating the edge instead of stretching")
    parser.add_argument("--sigma", type=float, default=SIGMA, help="how far the thresholds are from the median, 0 to 1")
    parser.add_argument("--blur", type=int, default=BLUR_PX, help="pixels of the blur, an odd number (0: none)")
    parser.add_argument("--invert", action="store_true", help="black on white")
    parser.add_argument("--workers", type=int, default=0, help="pictures at once (0: one a core)")
    parser.add_argument("--force", action="store_true", help="replace files that exist")


def run(arguments: argparse.Namespace) -> int:
    """Draw them all; returns the exit code."""
    require(arguments.size == 0 or 8 <= arguments.size <= 4096, "size", arguments.size, "8 to 4096, or 0")
    require(0 <= arguments.sigma <= 1, "sigma", arguments.sigma, "0 to 1")
    odd = arguments.blur == 0 or (arguments.blur % 2 == 1 and 0 < arguments.blur < 100)
    require(odd, "blur", arguments.blur, "0, or an odd number under 100")
    require(0 <= arguments.workers <= 256, "workers", arguments.workers, "0 to 256")
    targets, skipped = plan(arguments.inputs, arguments.output, ".png")
    for target in targets.values():
        if target.exists() or target.parent.exists():
            check_free(target, arguments.force)

    def draw(path: Path) -> bytes | str:
        try:
            data = read_bytes(path)
            header = read_header(data)
            image = cv2.cvtColor(decode(data, header), cv2.COLOR_BGR2RGB)
            if arguments.size:
                image = (pad if arguments.keep_aspect else resize)(image, arguments.size, arguments.size)
            edges = edge_map(image, arguments.sigma, arguments.blur, arguments.invert)
        except Unreadable as error:
            return str(error)
        except (cv2.error, MemoryError):
            return "too large to decode here"
        return cv2.imencode(".png", edges)[1].tobytes()

    written = 0
    try:
        drawn = in_threads(list(targets), draw, arguments.workers)
        for path, result in tqdm(drawn, "edges", len(targets), unit="picture", disable=None):
            if isinstance(result, str):
                skipped += 1
                tqdm.write(f"skipped {printable(path)}: {result}", file=sys.stderr)
                continue
            make_folder(targets[path].parent)
            with output(targets[path], arguments.force) as file:
                file.write(result)
            written += 1
    except KeyboardInterrupt:
        print(f"interrupted: {written} of {len(targets)} were written, each whole", file=sys.stderr)
        return 130
    if not written:
        raise UserError(f"none of the {skipped} files is a readable picture; nothing was written")
    print(f"{printable(arguments.output)}: edges of {written} pictures, {skipped} skipped")
    return 0


def plan(inputs: list[str], folder: Path, suffix: str) -> tuple[dict[Path, Path], int]:
    """Where each picture's result goes: source → target in ``folder``, by its place in the folder that was named; and
    how many were left out, with a line on each, since another of the same name goes there.

    Raises ``UserError`` where there is no file, or a result would take the place of a source.
    """
    if folder.exists() and not folder.is_dir():
        raise UserError(f"{printable(folder)} is a file, expected a folder to write to")
    whole = folder.resolve()
    targets: dict[Path, Path] = {}
    taken: dict[Path, Path] = {}
    skipped = 0
    for pattern in inputs:
        root = Path(pattern) if Path(pattern).is_dir() else None
        for path in find([pattern], folder):
            if path in targets or (root and whole != root.resolve() and whole in path.resolve().parents):
                continue  # named twice, or of an earlier run
            target = (folder / (path.relative_to(root) if root else path.name)).with_suffix(suffix)
            if target in taken:
                print(f"skipped {printable(path)}: {printable(taken[target])} has the same name", file=sys.stderr)
                skipped += 1
                continue
            targets[path], taken[target] = target, path
    if not targets:
        raise UserError(f"no file matches {' '.join(map(printable, inputs))}")
    sources = {path.resolve() for path in targets}
    for path, target in targets.items():
        if target.resolve() in sources:
            raise UserError(f"{printable(target)}: would take the place of {printable(path)}; choose another --output")
    return targets, skipped


def make_folder(folder: Path) -> None:
    """Raises ``UserError`` where a folder cannot be made."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"cannot make the folder {printable(folder)}: {error.strerror}") from None
