"""Make images between images: all pairs of a set, or some, each mixed into one.

IN is a .npy file of images that lie alike, faces as the tool align cuts them for one. --alpha says how far a mixture
lies between the first of a pair, the one that comes earlier in the set, and the second. Methods:

  delaunay  68 points of each face, triangles between them, filled by affine maps
  spline    the same points, and the smoothest map that moves them (a thin-plate spline)
  mesh      the points with depth: heads that are turned differently meet halfway, textured from both images
  flow      for animals and all that is no face of a person: what looks alike is brought together (optical flow)

The first three leave out images without a face, and count them; they need the extra data (dlib-bin). Pairs of one
class keep it, others are of a class of their own, 'cat + dog'; --within pairs only within classes. Mixtures are trained
on and never held out, but show the images that they are made of: split a set first, and morph its training part.

    python -m trainer.data morph faces.npy -o morphs.npy --pairs 500
    python -m trainer.data morph cats.npy -o morphs.npy --method flow --alpha 0.3 --pairs 500 --seed 1
"""

import math
import shutil
from collections.abc import Callable, Mapping
from dataclasses import MISSING, dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np

from trainer.contract.errors import UserError
from trainer.contract.options import argument, flag
from trainer.contract.text import printable
from trainer.data.faces.landmarks import Finder, say_faceless
from trainer.data.sources._labels import MOST_CLASSES
from trainer.data.sources._sidecar import MADE, Sidecar
from trainer.data.sources._threads import counted, in_threads, say
from trainer.data.sources.npy_set import ImageSet, check_set, writing
from trainer.data.tools import ForceOption, LandmarksOption, WorkersOption
from trainer.data.tools.morph.mesh import by_mesh
from trainer.data.tools.morph.warp import WarpField, by_flow, by_spline, by_triangles, mix

ByPoints = Callable[[np.ndarray, np.ndarray, float, int, int], WarpField]
BY_POINTS: dict[str, ByPoints] = {"delaunay": by_triangles, "spline": by_spline, "mesh": by_mesh}
MOST_PAIRS = 2_000_000
LEAST_PX = 16


@dataclass(frozen=True, kw_only=True)
class Options(LandmarksOption, WorkersOption, ForceOption):
    """What to morph, and how."""

    input: Path = argument("a .npy file", metavar="IN")
    output: Path = flag("the .npy file to write", "-o", "--output", default=MISSING)
    method: Literal["delaunay", "spline", "mesh", "flow"] = flag("how images are warped (delaunay)", default="delaunay")
    alpha: float = flag("0: the first of a pair, 1: the second (0.5)", default=0.5, within=(0, 1))
    pairs: int = flag("so many, at random, no pair twice (0: all)", default=0, metavar="N", within=(0, MOST_PAIRS))
    within: bool = flag("only pairs of one class", default=False)
    seed: int = flag("another seed, other pairs (0)", default=0, within=(0, 2**63 - 1))


def pairs_of(items: np.ndarray, labels: np.ndarray | None, count: int, random: np.random.Generator) -> np.ndarray:
    """Pairs of distinct items, i64 [m, 2], each once, the lower number first; in a fixed order.
    ``items``: numbers i64 [n], rising. ``labels``: by number; pairs are then of one label. ``count``: how many of all
    pairs, drawn at random; 0 for all, as is more than there are. Raises ``UserError`` for more than ``MOST_PAIRS``."""
    kinds = np.zeros(len(items), np.int64) if labels is None else labels[items]
    order = np.argsort(kinds, kind="stable")
    items, kinds = items[order], kinds[order]
    # Each item makes a pair with all those of its kind that lie before it.
    ends = np.cumsum(np.arange(len(items)) - np.searchsorted(kinds, kinds))
    whole = int(ends[-1]) if len(items) else 0
    drawn = min(count or whole, whole)
    if drawn > MOST_PAIRS:
        raise UserError(f"the set has {whole} pairs, expected --pairs {MOST_PAIRS} or less")
    numbers = np.arange(whole) if drawn == whole else distinct(random, count, whole)
    second = np.searchsorted(ends, numbers, "right")
    return np.stack([items[second - (ends[second] - numbers)], items[second]], 1)


def distinct(random: np.random.Generator, count: int, below: int) -> np.ndarray:
    """``count`` different numbers below another, i64, rising; in memory of the order of ``count``."""
    if count > below // 2:
        return np.sort(random.permutation(below)[:count])
    chosen = np.empty(0, np.int64)
    while len(chosen) < count:
        chosen = np.union1d(chosen, random.integers(below, size=count))
    return np.sort(random.permutation(chosen)[:count])


def run(options: Options) -> None:
    """Morph them."""
    path, method, alpha = options.output, options.method, options.alpha
    check_set(path, options.force, [options.input])
    source = ImageSet(options.input)
    height, width = source.shape[1:3]
    if min(height, width) < LEAST_PX:
        raise UserError(f"{source.path} has images of {width}x{height} px, expected {LEAST_PX} at least")
    if options.within and source.sidecar.labels is None:
        raise UserError(f"--within: {source.path} has no labels")
    # A mixture takes about 200 bytes a pixel while it is made: of large ones there are fewer at a time.
    workers = min(options.workers or 256, max(1, (1 << 29) // (200 * height * width))) % 256
    finder = None if method == "flow" else Finder(options.landmarks_model)
    kept, points, missing = np.arange(len(source)), None, ""
    pairs = plan(options, source, kept)  # raises early
    if finder is not None:
        points = find_points(source, finder, options.workers)
        kept = np.flatnonzero(~np.isnan(points[:, 0, 0]))
        pairs = plan(options, source, kept)
        missing = f", {len(source) - len(kept)} images without a face"
    if options.pairs > len(pairs):
        say(f"note: there are only {len(pairs)} pairs{' of one class' if options.within else ''}")

    def one(pair: np.ndarray) -> np.ndarray:
        first, second = source[pair]
        if points is None:
            return mix(first, second, by_flow(first, second, alpha))
        here, there = points[pair]
        return mix(first, second, BY_POINTS[method](here, there, alpha, height, width))

    with writing(path, source.shape[1:], options.force) as writer:
        made = in_threads(pairs, one, workers)
        for _, image in counted(made, len(pairs), lambda _: 1, "morphs"):
            writer.append(image)
        chosen = {name: getattr(options, name) for name in ("method", "alpha", "pairs", "within", "seed")}
        made_by = {"tool": "morph", "of": source.path.name, "options": chosen}
        writer.sidecar = sidecar_of(source.sidecar, pairs, alpha, made_by)
    found = f"{printable(path)}: {writer.count} images of {width}x{height} px"
    print(f"{found}, between {len(kept)} by {method}, alpha {alpha:g}{missing}")


def find_points(source: ImageSet, finder: Finder, workers: int) -> np.ndarray:
    """The points of each image's face, f32 [n, 68, 2], not a number where there is none, which is reported."""
    points = np.full((len(source), 68, 2), np.nan, np.float32)
    found = in_threads(range(len(source)), lambda number: finder.find(source.read(number)), workers)
    for number, face in counted(found, len(source), lambda _: 1, "faces"):
        points[number] = np.nan if face is None else face
    names = source.sidecar.names or [f"image {number}" for number in range(len(source))]
    say_faceless([names[number] for number in np.flatnonzero(np.isnan(points[:, 0, 0])).tolist()])
    return points


def plan(options: Options, source: ImageSet, usable: np.ndarray) -> np.ndarray:
    """Which pairs to make of those images. Raises ``UserError`` where there are none, too many, or no room."""
    labels = source.sidecar.labels if options.within else None
    pairs = pairs_of(usable, labels, options.pairs, np.random.default_rng(options.seed))
    if not len(pairs):
        kind = " of one class" if options.within else ""
        face = "" if options.method == "flow" else " with a face; --method flow needs none"
        found = f"{len(usable)} of the {len(source)} images of {source.path} can be used"
        raise UserError(f"{found}, expected two or more{kind}{face}")
    folder = options.output.parent
    needed, free = len(pairs) * math.prod(source.shape[1:]), shutil.disk_usage(folder).free
    if needed > free:
        room = f"{len(pairs)} pairs take {needed / 1e9:.1f} GB, there are {free / 1e9:.1f} GB free at {folder}"
        raise UserError(f"{room}: expected fewer --pairs")
    return pairs


def sidecar_of(known: Sidecar, pairs: np.ndarray, alpha: float, made: Mapping[str, object]) -> Sidecar:
    """What is known of mixtures: who is mixed, and a class where the images have some.
    Raises ``UserError`` where there would be too many classes."""
    firsts, seconds = pairs.T
    names = known.names or tuple(map(str, range(int(seconds.max()) + 1)))
    joined = tuple(f"{names[a]} + {names[b]}" for a, b in zip(firsts.tolist(), seconds.tolist(), strict=True))
    mixtures = Sidecar(names=joined, groups=np.full(len(joined), MADE), made=made)
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
