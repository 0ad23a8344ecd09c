"""Make images between images: all pairs of a set, or some, each mixed into one.

IN is a .npy file of images that lie alike, faces as the tool align cuts them for one. --alpha says how far a mixture
is on its way from the first of a pair, the one that comes earlier in the set, to the second. Methods:

  delaunay  68 points of each face, triangles between them, filled by affine maps
  spline    the same points, and the smoothest map that moves them (a thin-plate spline)
  mesh      the points with depth: heads that are turned differently meet half-way, textured from both sides
  flow      for animals and all that is no face of a person: what looks alike is brought together (optical flow)

The first three leave out images without a face, and name them; they need pip install 'utsuroi[data]'. Pairs of one
class keep it, others are of a class of their own, 'cat + dog'; --within pairs only within classes. Mixtures are trained
on and never held out, but show the images that they are made of: split a set first, and morph its training part.

    python -m trainer.data morph faces.npy -o morphs.npy --pairs 500
    python -m trainer.data morph cats.npy -o morphs.npy --method flow --alpha 0.3 --pairs 500 --seed 1
"""

import argparse
import math
import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
from tqdm import tqdm

from trainer.contract.errors import UserError, require
from trainer.contract.text import printable
from trainer.data.faces.cutter import add_model_option
from trainer.data.faces.landmarks import Finder
from trainer.data.sources.labels import MOST_CLASSES
from trainer.data.sources.npy_set import ImageSet, check_set, writing
from trainer.data.sources.sidecar import MADE, Facts
from trainer.data.sources.threads import in_threads
from trainer.data.tools.morph.delaunay import by_triangles
from trainer.data.tools.morph.flow import by_flow
from trainer.data.tools.morph.mesh import by_mesh
from trainer.data.tools.morph.pairs import Pairing
from trainer.data.tools.morph.spline import by_spline
from trainer.data.tools.morph.warp_pair import Bend, mix

BY_POINTS: dict[str, Callable[[np.ndarray, np.ndarray, float, int, int], Bend]] = {
    "delaunay": by_triangles, "spline": by_spline, "mesh": by_mesh,
}  # fmt: skip
MOST_PAIRS = 2_000_000
LEAST_PX = 16


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of the command."""
    add = parser.add_argument
    add("input", type=Path, metavar="IN", help="a .npy file")
    add("-o", "--output", type=Path, required=True, help="the .npy file to write")
    add("--method", choices=(*BY_POINTS, "flow"), default="delaunay", help="how images are bent (delaunay)")
    add("--alpha", type=float, default=0.5, help="0: the first of a pair, 1: the second (0.5)")
    add("--pairs", type=int, default=0, metavar="N", help="so many, at random, no pair twice (0: all)")
    add("--within", action="store_true", help="only pairs of one class")
    add("--seed", type=int, default=0, help="another seed, other pairs (0)")
    add_model_option(parser)
    add("--workers", type=int, default=0, help="images at once (0: one a core)")
    add("--force", action="store_true", help="replace an output that exists")


def run(arguments: argparse.Namespace) -> int:
    """Morph them; returns the exit code."""
    path, method = arguments.output, arguments.method
    require(0 <= arguments.alpha <= 1, "alpha", arguments.alpha, "0 to 1")
    require(0 <= arguments.pairs <= MOST_PAIRS, "pairs", arguments.pairs, f"1 to {MOST_PAIRS}, or 0")
    require(0 <= arguments.seed < 2**63, "seed", arguments.seed, "0 to 2**63 - 1")
    require(0 <= arguments.workers <= 256, "workers", arguments.workers, "0 to 256")
    check_set(path, arguments.force, [arguments.input])
    source = ImageSet(arguments.input)
    height, width = source.shape[1:3]
    if min(height, width) < LEAST_PX:
        raise UserError(f"{printable(source.path)} has images of {width}x{height} px, expected {LEAST_PX} at least")
    labels = source.facts.labels
    if arguments.within and labels is None:
        raise UserError(f"--within: {printable(source.path)} has no labels")
    # What a mixture takes while it is made is about 200 bytes a pixel: of large ones there are fewer at a time.
    workers = min(arguments.workers or 256, max(1, (1 << 29) // (200 * height * width)))
    workers = 0 if workers == 256 else workers
    finder = None if method == "flow" else Finder(arguments.landmarks_model)
    _plan(arguments, source, np.arange(len(source)))  # raises early
    points = None if finder is None else find_points(source, finder, arguments.workers)
    usable = np.arange(len(source)) if points is None else np.flatnonzero(~np.isnan(points[:, 0, 0]))
    pairing = _plan(arguments, source, usable)

    def one(pair: tuple[int, int]) -> np.ndarray:
        first, second = source[np.array(pair)]
        if points is None:
            return mix(first, second, by_flow(first, second, arguments.alpha))
        bend = BY_POINTS[method](points[pair[0]], points[pair[1]], arguments.alpha, height, width)
        return mix(first, second, bend)

    with writing(path, source.shape[1:], arguments.force) as writer:
        made = in_threads(iter(pairing), one, workers)
        for _, image in tqdm(made, "morphs", len(pairing), unit="image", disable=None):
            writer.append(image)
        options = {name: getattr(arguments, name) for name in ("method", "alpha", "pairs", "within", "seed")}
        writer.facts = facts_of(source.facts, pairing, arguments.alpha, {
            "tool": "morph", "of": source.path.name, "options": options,
        })  # fmt: skip
    missing = f", {len(source) - len(usable)} images without a face" if points is not None else ""
    print(
        f"{printable(path)}: {writer.count} images of {width}x{height} px, between {len(usable)} by {method}, alpha "
        f"{arguments.alpha:g}{missing}"
    )
    return 0


def find_points(source: ImageSet, finder: Finder, workers: int) -> np.ndarray:
    """The points of each image's face, f32 [n, 68, 2], not a number where there is none, which is said."""
    points = np.full((len(source), 68, 2), np.nan, np.float32)

    def each() -> Iterator[np.ndarray]:
        for images in source.pieces(1 << 20):
            yield from images

    found = in_threads(each(), finder.find, workers)
    for number, (_, face) in enumerate(tqdm(found, "faces", len(source), unit="image", disable=None)):
        if face is not None:
            points[number] = face
        else:
            names = source.facts.names
            name = f", {printable(names[number])}" if names else ""
            tqdm.write(f"skipped image {number}{name}: no face found", file=sys.stderr)
    return points


def _plan(arguments: argparse.Namespace, source: ImageSet, usable: np.ndarray) -> Pairing:
    """Which pairs to make of those images. Raises ``UserError`` where there are none, too many, or no room."""
    labels = source.facts.labels
    pairing = Pairing(
        usable, labels if arguments.within else None, arguments.pairs, np.random.default_rng(arguments.seed)
    )
    kind = " of one class" if arguments.within else ""
    if not len(pairing):
        raise UserError(
            f"{len(usable)} of the {len(source)} images of {printable(source.path)} can be used, expected two or "
            f"more{kind}" + ("" if arguments.method == "flow" else " with a face; --method flow needs none")
        )
    if len(pairing) > MOST_PAIRS:
        raise UserError(
            f"{printable(source.path)} has {len(pairing)} pairs{kind}, expected --pairs {MOST_PAIRS} or less"
        )
    if arguments.pairs > len(pairing):
        tqdm.write(f"note: there are only {len(pairing)} pairs{kind}", file=sys.stderr)
    needed, free = len(pairing) * math.prod(source.shape[1:]), shutil.disk_usage(arguments.output.parent).free
    if needed > free:
        raise UserError(
            f"{len(pairing)} pairs take {needed / 1e9:.1f} GB, there are {free / 1e9:.1f} GB free at "
            f"{printable(arguments.output.parent)}: expected fewer --pairs"
        )
    return pairing


def facts_of(known: Facts, pairing: Pairing, alpha: float, made: dict[str, object]) -> Facts:
    """What is known of mixtures: who is mixed, and a class where the images have some.

    Raises ``UserError`` where there would be too many classes.
    """
    firsts, seconds = pairing.all()
    names = known.names or tuple(map(str, range(int(seconds.max()) + 1)))
    joined = tuple(f"{names[a]} + {names[b]}" for a, b in zip(firsts.tolist(), seconds.tolist(), strict=True))
    mixtures = Facts(names=joined, groups=np.full(len(joined), MADE), made=made)
    if known.labels is None:
        return mixtures
    count = len(known.classes)
    low, high = known.labels[firsts], known.labels[seconds]
    if alpha in (0, 1):
        return replace(mixtures, labels=high if alpha else low, classes=known.classes)
    low, high = np.minimum(low, high), np.maximum(low, high)
    mixed, where = np.unique(np.where(low == high, -1, low * count + high), return_inverse=True)
    kinds = [divmod(kind, count) for kind in mixed.tolist() if kind >= 0]
    if count + len(kinds) > MOST_CLASSES:
        raise UserError(f"there would be {count + len(kinds)} classes, expected at most {MOST_CLASSES}: use --within")
    classes = (*known.classes, *(f"{known.classes[a]} + {known.classes[b]}" for a, b in kinds))
    labels = np.where(low == high, low, count + where - (len(mixed) - len(kinds)))
    return replace(mixtures, labels=labels, classes=classes)
