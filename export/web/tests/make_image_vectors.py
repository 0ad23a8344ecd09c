"""Write ``vectors/images.json``: what the Python functions make of small images, strokes, tiles and noise, for the
tests of their counterparts in TypeScript. ``python export/web/tests/make_image_vectors.py``; needs only the viewer."""

import base64
import json
import zlib
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np

from trainer.contract import images, samplers
from trainer.contract.edges import edge_map
from viewer.files import resizing
from viewer.files.inputs import Photo
from viewer.files.results import bicubic
from viewer.frame.area import Area
from viewer.graph.layout import ImageLayout
from viewer.modes.translate.draw.session import COLOURS, DrawState, Easel, Stroke, add_strokes
from viewer.sessions.sampling import Page
from viewer.sessions.translation import Tile, Upscaler, plan_tiles

_TARGET: Final = Path(__file__).parent / "vectors" / "images.json"
_RANDOM: Final = np.random.default_rng(19)


def packed(array: np.ndarray) -> dict[str, Any]:
    """An array as its shape and the base64 of its packed bytes (zlib); images in the order RGB."""
    if array.dtype == np.uint8 and array.ndim == 3 and array.shape[2] in (3, 4):
        array = array[..., [2, 1, 0, *range(3, array.shape[2])]]
    return {"shape": array.shape, "bytes": base64.b64encode(zlib.compress(np.ascontiguousarray(array), 9)).decode()}


def drawn(height: int, width: int, channels: int = 3, blur: float = 1.2) -> np.ndarray:
    """An image with edges, areas and fine noise, u8 [h, w, c]."""
    image = cv2.GaussianBlur(_RANDOM.integers(0, 256, (height, width, channels), np.uint8), (0, 0), blur)
    image = cv2.normalize(image, None, 0, 255, cv2.NORM_MINMAX).reshape(height, width, channels)
    places = _RANDOM.integers(0, min(height, width), (3, 2)).tolist()
    for number, place in enumerate(places):
        canvas = np.ascontiguousarray(image)
        cv2.circle(canvas, place, min(height, width) // (3 + number), _RANDOM.integers(0, 256, channels).tolist(), -1)
        image = canvas
    return np.asarray(image, np.uint8)


def resizings() -> list[dict[str, Any]]:
    """Images at other sizes, by every function."""
    cases = []
    functions = {
        "resize": resizing.resize,
        "nearest": resizing.resize_nearest,
        "sides": images.resize,
        "cubic": bicubic,
        "pad": images.pad,
        "centre": images.centre,
        "fit": resizing.fit,
        "fitNearest": lambda image, height, width: resizing.fit(image, height, width, nearest=True),
    }
    sizes = [(31, 41, 15, 20), (24, 32, 8, 16), (24, 32, 12, 16), (15, 20, 31, 40), (23, 27, 13, 34), (34, 20, 16, 16)]
    for height, width, new_height, new_width in sizes:
        image, made = drawn(height, width), []
        for name, function in functions.items():
            if name == "cubic" and new_height < height:
                continue  # for enlarging alone
            if name == "resize" and (new_height < height) != (new_width < width):
                continue  # for one proportion alone
            result = packed(np.asarray(function(image, new_height, new_width)))
            made.append({"function": name, "made": result})
        cases.append({"image": packed(image), "size": [new_height, new_width], "cases": made})
    return cases


def colours() -> dict[str, Any]:
    """Other colours, and alpha."""
    image, alpha = drawn(23, 31), drawn(23, 31, 1, 3.0)
    both = np.dstack([image, alpha])
    return {
        "image": packed(image),
        "grey": packed(np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY))[..., None]),
        "withAlpha": packed(both),
        "onWhite": packed(images.on_white(both)),
        "bled": packed(images._bled(image, np.where(alpha > 190, alpha, 0)[..., 0])),
        "clear": packed(np.where(alpha > 190, alpha, 0)),
    }


def edges() -> list[dict[str, Any]]:
    """Edge maps."""
    cases = []
    for blur, sigma, invert in ((3, 0.33, False), (0, 0.33, False), (5, 0.1, True), (7, 0.6, False), (9, 0.33, False),
                                (3, 1.0, False), (3, 0.0, False), (15, 0.33, False)):  # fmt: skip
        for height, width, channels in ((40, 40, 3), (29, 51, 1)):
            image = drawn(height, width, channels, 2.0)
            rgb = image[..., ::-1] if channels == 3 else image
            made = edge_map(np.ascontiguousarray(rgb), sigma, blur, invert)[..., None]
            cases.append({"image": packed(image), "blur": blur, "sigma": sigma, "invert": invert, "made": packed(made)})
    return cases


def strokes() -> list[dict[str, Any]]:
    """Pages with strokes of every width that reach no further than the border: beyond it OpenCV's outlines of thick
    lines begin at another pixel, depending on where they are cut."""
    cases = []
    for number in range(24):
        page = np.zeros((48, 64, 3), np.uint8)
        found = []
        for _ in range(3):
            size = int(_RANDOM.choice([1, 1, 2, 3, 4, 6, 8, 12, 16]))
            places = _RANDOM.integers((size, size), (64 - size, 48 - size), (4, 2))
            points = places[: int(_RANDOM.integers(1, 5))].tolist()
            found.append(Stroke(int(_RANDOM.integers(1, 10)), size, tuple(map(tuple, points))))
        if number == 5:
            found.insert(2, Stroke(4, 0))
        add_strokes(page, DrawState(Easel(Area(0, 0, 64, 48), 64, 48), COLOURS), found)
        told = [[stroke.colour, stroke.size, stroke.points] for stroke in found]
        cases.append({"strokes": told, "page": packed(page)})
    return cases


def tiles() -> list[dict[str, Any]]:
    """Plans, and the busiest places of images."""
    cases = []
    for height, width, tile, context, multiple in ((100, 130, 32, 10, 1), (500, 333, 128, 10, 1), (61, 1000, 96, 7, 8),
                                                   (40, 40, 384, 64, 4), (777, 778, 128, 64, 2)):  # fmt: skip
        plan = [[*_of(one.kept), *_of(one.window)] for one in plan_tiles(height, width, tile, context, multiple)]
        cases.append({"arguments": [height, width, tile, context, multiple], "plan": plan})
    return cases


def _of(area: Area) -> list[int]:
    return [area.left, area.top, area.width, area.height]


class _Probe(Upscaler):
    """An upscaler that tells which place it looks at first."""

    def __init__(self, context: int) -> None:
        self.layout, self.context = ImageLayout(), context
        self.seen: list[Tile] = []

    def enlarge(self, photo: Photo, tile: Tile, settings: Any = None) -> np.ndarray:
        self.seen.append(tile)
        return np.zeros((1, 1, 3), np.uint8)


def busiest() -> list[dict[str, Any]]:
    """Where images are probed."""
    cases = []
    for height, width, context in ((90, 80, 10), (60, 120, 6)):
        image, probe = np.repeat(drawn(height, width, 1, 3.0), 3, axis=2), _Probe(context)
        found = probe._needed_context(Photo(image))
        assert found == round(context * 0.5)
        cases.append({"image": packed(image), "context": context, "kept": _of(probe.seen[0].kept)})
    return cases


def sampled() -> list[dict[str, Any]]:
    """Trajectories of a network that is a line."""
    cases = []
    ratios = np.cos((np.arange(1, 41) / 41) * np.pi / 2) ** 2
    x = _RANDOM.standard_normal((2, 3, 4, 4)).astype(np.float32)
    noise = _RANDOM.standard_normal((40, 2, 3, 4, 4)).astype(np.float32)
    for name, sampler in samplers.SAMPLERS.items():
        for prediction in ("epsilon", "v", "x0"):
            for start, steps, eta in ((40, 7, 0.0), (40, 40, 0.5), (13, 50, 1.0), (9, 1, 0.0)):
                schedule, stage = {"prediction": prediction, "alpha_bar": ratios.tolist()}, iter(noise)
                given = {} if name == "ddpm" else {"eta": eta}
                predict = lambda x, t: np.float32(0.7) * x + np.float32(t / 100)  # noqa: E731
                run = sampler(predict, schedule, x, start, steps, **given, noise=lambda _, stage=stage: next(stage))
                *_, (_, last) = run
                cases.append({"sampler": name, "prediction": prediction, "start": start, "steps": steps, "eta": eta,
                              "made": packed(last)})  # fmt: skip
    return [{"alpha_bar": ratios.tolist(), "x": packed(x), "noise": packed(noise), "cases": cases}]


def noises() -> list[dict[str, Any]]:
    """The noise of pages."""
    cases = []
    for seed, interpolated, numbers, stage in ((0, False, [0, 5], 0), (7, False, [3], 2), (2**62, True, [0, 4, 11], 1)):
        page = Page(seed, 10, 3, 4, interpolated)
        made = page.noise((3, 5, 5), numbers, stage)
        cases.append({"seed": str(seed), "rows": 3, "columns": 4, "interpolated": interpolated, "numbers": numbers,
                      "stage": stage, "size": 75, "made": packed(made)})  # fmt: skip
    return cases


def main() -> None:
    """Write the file."""
    cv2.setNumThreads(1)
    found = {"resizings": resizings(), "colours": colours(), "edges": edges(), "strokes": strokes(), "tiles": tiles(),
             "busiest": busiest(), "samplers": sampled(), "noise": noises()}  # fmt: skip
    _TARGET.parent.mkdir(exist_ok=True)
    lines = (f"{json.dumps(name)}: {json.dumps(cases)}" for name, cases in found.items())
    _TARGET.write_text("{\n" + ",\n".join(lines) + "\n}\n")


if __name__ == "__main__":
    main()
