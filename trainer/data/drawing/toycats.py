"""Toy cats, drawn: cartoon faces from a seed, with their factors. Cat ``k`` of a seed is the same cat at every size."""

from collections.abc import Collection
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import cv2
import numpy as np

Colour = tuple[int, int, int]
"""Red, green, blue, 0..255."""
CLASSES = ("solid", "tabby", "tuxedo", "calico", "siamese")
"""Coat patterns; the index is the label."""


@dataclass(frozen=True)
class Coat:
    """Colours of one coat, RGB."""

    fur: Colour
    dark: Colour  # stripes, patches
    light: Colour  # muzzle and chest
    line: Colour  # outlines
    nose: Colour


COATS = {
    "ginger": Coat((246, 170, 92), (217, 122, 52), (255, 232, 203), (140, 72, 34), (238, 122, 118)),
    "cream": Coat((250, 222, 184), (226, 180, 130), (255, 246, 232), (150, 104, 70), (244, 148, 148)),
    "blue": Coat((150, 166, 190), (104, 120, 150), (222, 230, 240), (62, 72, 98), (226, 130, 142)),
    "cocoa": Coat((176, 130, 100), (124, 84, 62), (240, 218, 196), (82, 52, 40), (214, 116, 112)),
    "night": Coat((86, 84, 108), (54, 52, 70), (178, 174, 198), (40, 37, 54), (206, 120, 136)),
    "snow": Coat((250, 248, 246), (222, 216, 216), (255, 255, 255), (128, 118, 128), (246, 150, 158)),
}
COATS_OF = {  # which coats a pattern looks right on
    "solid": ("ginger", "cream", "blue", "cocoa", "night", "snow"),
    "tabby": ("ginger", "cream", "blue", "cocoa"),
    "tuxedo": ("night", "blue", "ginger", "cocoa"),
    "calico": ("snow",),
    "siamese": ("cream", "snow"),
}
EYES: dict[str, tuple[Colour, Colour]] = {  # rim of the iris, its lower glow
    "green": ((66, 150, 98), (178, 232, 140)),
    "gold": ((222, 148, 36), (255, 226, 120)),
    "sky": ((64, 140, 214), (166, 224, 255)),
    "violet": ((124, 104, 206), (208, 190, 255)),
}
BACKGROUNDS: dict[str, tuple[Colour, Colour]] = {  # top, bottom
    "peach": ((255, 226, 208), (255, 196, 180)),
    "mint": ((218, 244, 228), (172, 222, 204)),
    "sky": ((216, 236, 252), (170, 206, 240)),
    "lilac": ((236, 226, 250), (204, 186, 236)),
    "lemon": ((255, 246, 208), (250, 222, 150)),
}
COLLARS: dict[str, Colour] = {"red": (226, 84, 92), "teal": (52, 164, 164), "navy": (84, 104, 178)}
MOUTHS = ("smile", "open", "small")
WHITE: Colour = (255, 255, 255)
PINK: Colour = (246, 160, 160)
INK: Colour = (36, 28, 44)
SOOT: Colour = (84, 76, 92)
SEAL: Colour = (142, 100, 84)
SEAL_NOSE: Colour = (66, 46, 50)
CIRCLE = np.stack([np.cos(np.linspace(0, 2 * np.pi, 40, False)), np.sin(np.linspace(0, 2 * np.pi, 40, False))], 1)


class Brush:
    """Fills shapes, in units of half the image's side (-1..1), through one affine pose into an image."""

    def __init__(self, canvas: np.ndarray, pose: np.ndarray) -> None:
        self.canvas = canvas
        self.half = canvas.shape[0] / 2
        # The pixel of (-1, -1) is the corner of pixel 0, hence the half pixel.
        self.matrix = pose[:, :2] * self.half
        self.offset = (pose[:, 2] + 1) * self.half - 0.5

    def points(self, shape: np.ndarray) -> np.ndarray:
        """[m, 2] units → i32 [m, 2] in 1/16 pixels, as OpenCV's ``shift=4`` wants it."""
        return np.rint((shape @ self.matrix.T + self.offset) * 16).astype(np.int32)

    def fill(self, shape: np.ndarray, colour: Colour | int) -> None:
        """Fill a closed shape."""
        cv2.fillPoly(self.canvas, [self.points(shape)], colour, cv2.LINE_8, 4)

    def stroke(self, shape: np.ndarray, colour: Colour, width: float, closed: bool = False) -> None:
        """Draw a line ``width`` units wide."""
        pixels = max(1, round(width * self.half))
        cv2.polylines(self.canvas, [self.points(shape)], closed, colour, pixels, cv2.LINE_AA, 4)


@lru_cache
def _spline_basis(count: int, steps: int, closed: bool) -> np.ndarray:
    """Catmull-Rom as one matrix: control points [count, 2] → curve [m, 2]."""
    rows = []
    for k in range(count if closed else count - 1):
        for t in np.arange(steps) / steps:
            weights = np.array([-t + 2 * t**2 - t**3, 2 - 5 * t**2 + 3 * t**3, t + 4 * t**2 - 3 * t**3, -(t**2) + t**3])
            row = np.zeros(count)
            for offset, weight in enumerate(weights, -1):
                row[(k + offset) % count if closed else min(max(k + offset, 0), count - 1)] += weight / 2
            rows.append(row)
    if not closed:
        rows.append(np.eye(count)[-1])
    return np.array(rows)


def curve(points: Any, closed: bool = True, steps: int = 8) -> np.ndarray:
    """A smooth curve through points [count, 2] → [m, 2]."""
    controls = np.asarray(points, float)
    return _spline_basis(len(controls), steps, closed) @ controls


def ellipse(x: float, y: float, width: float, height: float) -> np.ndarray:
    """An ellipse by its centre and half axes."""
    return CIRCLE * (width, height) + (x, y)


def mirrored(half: list[tuple[float, float]]) -> np.ndarray:
    """Close a right half, listed from the top to the bottom of the middle line, with its mirror image."""
    right = np.array(half)
    return np.concatenate([right, right[-2:0:-1] * (-1, 1)])


def leaf(start: tuple[float, float], end: tuple[float, float], width: float) -> np.ndarray:
    """A stripe that is blunt at the start and tapers to its end."""
    a, b = np.array(start), np.array(end)
    along = b - a
    across = np.array([-along[1], along[0]]) / np.hypot(*along) * width
    return curve([a, a + along * 0.25 + across, a + along * 0.6 + across * 0.7, b, a + along * 0.6 - across * 0.7,
                  a + along * 0.25 - across], steps=5)  # fmt: skip


def mix(a: Colour, b: Colour, amount: float) -> Colour:
    """Colour between ``a`` (0) and ``b`` (1)."""
    return tuple(round(x + (y - x) * amount) for x, y in zip(a, b, strict=True))  # type: ignore[return-value]


def choose(seed: int, k: int) -> dict[str, Any]:
    """Draw the factors of cat ``k``: plain names and numbers, the same at every size and count."""
    random = np.random.default_rng((seed, k))

    def around(middle: float, spread: float) -> float:
        return round(float(random.uniform(middle - spread, middle + spread)), 4)

    def one_of(names: Collection[str]) -> str:
        return list(names)[int(random.integers(len(names)))]

    pattern = one_of(CLASSES)
    coat = one_of(COATS_OF[pattern])
    eyes = one_of(EYES)
    return {
        "pattern": pattern,
        "coat": coat,
        "eyes": "sky" if pattern == "siamese" else eyes,
        "background": one_of(BACKGROUNDS),
        "collar": one_of(COLLARS),
        "ears": one_of(EARS),
        "face": one_of(HEADS),
        "mouth": one_of(MOUTHS),
        "patch_side": one_of(("left", "right")),
        "tilt_degrees": around(0, 9),
        "x": around(0, 0.05),
        "y": around(0, 0.03),
        "scale": around(1, 0.05),
        "turn": around(0, 1),  # where it looks: -1 left .. 1 right
        "nod": around(0, 1),  # -1 up .. 1 down
        "eye_size": around(1, 0.09),
        "eye_height": around(1, 0.08),
        "pupil": around(1, 0.2),  # width
        "whiskers": around(1, 0.15),  # length
        "blush": around(0.55, 0.35),
    }


HEADS = {
    "round": [(0, -0.46), (0.34, -0.43), (0.64, -0.18), (0.71, 0.14), (0.56, 0.43), (0.26, 0.56), (0, 0.58)],
    "wide": [(0, -0.43), (0.36, -0.40), (0.68, -0.14), (0.78, 0.19), (0.62, 0.44), (0.28, 0.54), (0, 0.56)],
    "heart": [(0, -0.46), (0.38, -0.44), (0.70, -0.18), (0.74, 0.10), (0.53, 0.40), (0.23, 0.56), (0, 0.60)],
}
EARS = {  # inner base, bulge, tip (three points set its roundness), bulge, outer base
    "pointed": [(0.1, -0.36), (0.3, -0.6), (0.52, -0.79), (0.58, -0.81), (0.63, -0.77), (0.7, -0.46), (0.66, -0.1)],
    "rounded": [(0.1, -0.36), (0.25, -0.6), (0.41, -0.73), (0.55, -0.75), (0.66, -0.66), (0.72, -0.42), (0.66, -0.1)],
    "wide": [(0.12, -0.36), (0.36, -0.58), (0.65, -0.73), (0.71, -0.74), (0.75, -0.69), (0.76, -0.42), (0.67, -0.08)],
}


@lru_cache
def _background(name: str, side: int) -> np.ndarray:
    """A soft gradient with a pale glow behind the head, u8 [side, side, 3]."""
    top, bottom = (np.array(colour, np.float32) for colour in BACKGROUNDS[name])
    y, x = np.mgrid[-1 : 1 : side * 1j, -1 : 1 : side * 1j].astype(np.float32)
    image = top + (bottom - top) * ((y + 1) / 2)[..., None]
    glow = np.exp(-(x**2 + (y + 0.1) ** 2) / 0.7)[..., None]
    return np.rint(image + (255 - image) * 0.45 * glow).astype(np.uint8)


@lru_cache
def _shade(level: int) -> np.ndarray:
    """What soft light and blush (0..3) leave of each colour, u8 [256, 256, 3], for an upright head."""
    y, x = np.mgrid[-1:1:256j, -1:1:256j].astype(np.float32)
    rim = np.clip(np.hypot(x / 0.78, (y + 0.06) / 0.72) - 0.62, 0, 0.5) * np.clip(0.6 + 0.6 * y + 0.15 * x, 0, 1)
    shade = 1 - 0.55 * rim[..., None] * np.array([0.75, 1.0, 0.85], np.float32)
    for side in (-1, 1):
        cheek = np.exp(-(((x - side * 0.47) / 0.15) ** 2) - ((y - 0.27) / 0.10) ** 2)[..., None]
        shade = shade * (1 - cheek * level / 3 * np.array([0.02, 0.34, 0.28], np.float32))
    return np.rint(np.clip(shade, 0, 1) * 255).astype(np.uint8)


def paint(factors: dict[str, Any], size: int) -> np.ndarray:
    """Paint one cat, u8 [size, size, 3] RGB."""
    side = size * (4 if size <= 64 else 3)  # drawn larger, then averaged down: smooth edges
    canvas = _background(factors["background"], side).copy()
    coat = COATS[factors["coat"]]
    flip = -1 if factors["patch_side"] == "left" else 1
    angle, zoom = np.deg2rad(factors["tilt_degrees"]), factors["scale"]
    turn = zoom * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    pose = np.column_stack([turn, (factors["x"], factors["y"])])
    still = np.array([[zoom, 0, factors["x"] * 0.5], [0, zoom, factors["y"] * 0.5]])

    _paint_body(Brush(canvas, still), factors, coat)
    brush = Brush(canvas, pose)
    _paint_ears(brush, factors, coat, flip)
    head = curve(mirrored(HEADS[factors["face"]]))
    brush.stroke(head, coat.line, 0.045, closed=True)

    face = canvas.copy()
    layer = Brush(face, pose)
    layer.fill(head, coat.fur)
    _paint_pattern(layer, factors, coat, flip)
    mask = np.zeros((side, side), np.uint8)
    Brush(mask, pose).fill(head, 255)
    # The shade is drawn once for an upright head, [-1, 1] over its 256 pixels, and moved into the pose.
    linear = brush.matrix / 128
    in_pixels = np.column_stack([linear, brush.offset - linear @ (127.5, 127.5)])
    shade = _shade(round(factors["blush"] * 3))
    moved = cv2.warpAffine(shade, in_pixels, (side, side), borderMode=cv2.BORDER_REPLICATE)
    cv2.copyTo(cv2.multiply(face, moved, scale=1 / 255), mask, canvas)
    _paint_features(brush, factors, coat)
    return cv2.resize(canvas, (size, size), interpolation=cv2.INTER_AREA)


def _paint_body(brush: Brush, factors: dict[str, Any], coat: Coat) -> None:
    """Shoulders, chest and a collar with a bell, behind the head."""
    fur = mix(coat.fur, coat.line, 0.08)
    body = curve(mirrored([(0, 0.34), (0.30, 0.42), (0.46, 0.66), (0.60, 0.96), (0.64, 1.3), (0, 1.35)]))
    brush.stroke(body, coat.line, 0.045, closed=True)
    brush.fill(body, fur)
    chest = WHITE if factors["pattern"] in ("tuxedo", "calico") else coat.light
    bib = curve(mirrored([(0, 0.5), (0.24, 0.62), (0.31, 0.85), (0.26, 1.3), (0, 1.35)]))
    brush.fill(bib, mix(chest, coat.line, 0.05))
    collar = COLLARS[factors["collar"]]
    band = curve([(-0.42, 0.55), (-0.22, 0.675), (0, 0.71), (0.22, 0.675), (0.42, 0.55)], closed=False)
    brush.stroke(band, mix(collar, INK, 0.4), 0.125)
    brush.stroke(band, collar, 0.09)
    brush.fill(ellipse(0, 0.80, 0.098, 0.098), (168, 108, 30))
    brush.fill(ellipse(0, 0.795, 0.08, 0.08), (255, 206, 84))
    brush.fill(ellipse(-0.025, 0.765, 0.025, 0.02), (255, 246, 204))
    brush.fill(ellipse(0, 0.825, 0.022, 0.022), (150, 92, 30))


def _paint_ears(brush: Brush, factors: dict[str, Any], coat: Coat, flip: int) -> None:
    """Both ears; the head covers their bases."""
    for side in (-1, 1):
        ear = curve(EARS[factors["ears"]], closed=False) * (side, 1)
        colour = coat.fur
        if factors["pattern"] == "siamese":
            colour = SEAL
        elif factors["pattern"] == "calico":
            colour = COATS["ginger"].fur if side == flip else SOOT
        brush.stroke(ear, coat.line, 0.09)
        brush.fill(ear, colour)
        base = ear[[0, -1]].mean(0)
        brush.fill(base + (ear - base) * (0.62, 0.70), mix(colour, PINK, 0.75))
        tuft = [ear[0], ear[0] * 0.3 + ear[20] * 0.7, base * 0.75 + ear[20] * 0.25, base]
        brush.fill(np.array(tuft), mix(colour, coat.light, 0.85))


def _paint_pattern(brush: Brush, factors: dict[str, Any], coat: Coat, flip: int) -> None:
    """The markings of the head; what falls outside of it is cut off later."""
    pattern = factors["pattern"]
    muzzle = coat.light
    if pattern == "tabby":
        brush.fill(leaf((0, -0.54), (0, -0.20), 0.055), coat.dark)
        for side in (-1, 1):
            brush.fill(leaf((side * 0.17, -0.54), (side * 0.12, -0.24), 0.05), coat.dark)
            brush.fill(leaf((side * 0.34, -0.52), (side * 0.25, -0.30), 0.045), coat.dark)
            brush.fill(leaf((side * 0.80, 0.02), (side * 0.53, 0.08), 0.042), coat.dark)
            brush.fill(leaf((side * 0.80, 0.17), (side * 0.55, 0.19), 0.042), coat.dark)
            brush.fill(leaf((side * 0.76, 0.32), (side * 0.53, 0.30), 0.042), coat.dark)
    elif pattern == "tuxedo":
        blaze = [(0, -0.33), (0.055, -0.2), (0.09, 0.02), (0.24, 0.16), (0.44, 0.26), (0.5, 0.48), (0.2, 0.7), (0, 0.7)]
        brush.fill(curve(mirrored(blaze)), WHITE)
        muzzle = WHITE
    elif pattern == "calico":
        orange = [(0.06, -0.7), (0.10, -0.34), (0.16, -0.06), (0.32, 0.16), (0.56, 0.20), (0.9, 0.05), (0.8, -0.6)]
        dark = [(-0.10, -0.7), (-0.14, -0.40), (-0.30, -0.26), (-0.46, -0.02), (-0.62, 0.10), (-0.9, 0.1), (-0.8, -0.6)]
        brush.fill(curve(orange) * (flip, 1), COATS["ginger"].fur)
        brush.fill(curve(dark) * (flip, 1), SOOT)
    elif pattern == "siamese":
        point = [(0, -0.08), (0.11, -0.03), (0.17, 0.12), (0.32, 0.21), (0.36, 0.36), (0.24, 0.53), (0, 0.58)]
        point_middle = np.array([0, 0.28])
        for part in (0.2, 0.4, 0.6, 0.8, 1.0):
            grown = (curve(mirrored(point)) - point_middle) * (1.32 - 0.42 * part) + point_middle
            brush.fill(grown, mix(coat.fur, SEAL, part * 0.85))
        muzzle = mix(SEAL, coat.fur, 0.32)
    brush.fill(ellipse(0, 0.47, 0.13, 0.11), muzzle)
    for side in (-1, 1):
        brush.fill(ellipse(side * 0.11, 0.34, 0.16, 0.125), muzzle)


def _paint_features(brush: Brush, factors: dict[str, Any], coat: Coat) -> None:
    """Eyes, nose, mouth and whiskers. They slide with the gaze, as they would on a turning ball."""
    slide = np.array([factors["turn"] * 0.045, factors["nod"] * 0.025])
    gaze = np.array([factors["turn"] * 0.03, factors["nod"] * 0.022])
    rim, glow = EYES[factors["eyes"]]
    width, height = 0.175 * factors["eye_size"], 0.195 * factors["eye_size"] * factors["eye_height"]
    dark = mix(coat.line, INK, 0.7)
    for side in (-1, 1):
        centre = np.array([side * 0.33, 0.06]) + slide
        brush.fill(CIRCLE * (width + 0.026, height + 0.026) + centre + (0, -0.006), dark)
        wing = [(-0.10, -0.15), (0.06, -0.195), (0.17, -0.13), (0.235, -0.125), (0.20, -0.04), (0.10, 0)]
        brush.fill(curve(wing) * (side * factors["eye_size"], factors["eye_size"]) + centre, dark)
        brush.fill(CIRCLE * (width, height) + centre, mix(rim, INK, 0.25))
        brush.fill(CIRCLE * (width * 0.94, height * 0.84) + centre + (0, height * 0.14), rim)
        brush.fill(CIRCLE * (width * 0.84, height * 0.64) + centre + (0, height * 0.31), mix(rim, glow, 0.5))
        brush.fill(CIRCLE * (width * 0.64, height * 0.40) + centre + (0, height * 0.51), glow)
        brush.fill(CIRCLE * (width * 0.52 * factors["pupil"], height * 0.68) + centre + gaze, INK)
        brush.fill(CIRCLE * (0.062, 0.066) + centre + gaze * 0.5 + (-0.058, -0.078), WHITE)
        brush.fill(CIRCLE * 0.030 + centre + gaze * 0.5 + (0.066, 0.084), WHITE)

    middle = slide * 1.25
    line = mix(coat.line, INK, 0.35) if factors["pattern"] != "siamese" else INK
    lip = 0.315
    if factors["mouth"] == "open":
        opening = [(-0.075, 0.375), (0, 0.36), (0.075, 0.375), (0.05, 0.455), (0, 0.475), (-0.05, 0.455)]
        brush.fill(curve(opening) + middle, (150, 50, 64))
        brush.fill(ellipse(0, 0.448, 0.038, 0.026) + middle, (244, 132, 140))
    reach = 0.10 if factors["mouth"] == "small" else 0.145
    brush.stroke(np.array([(0, 0.28), (0, lip + 0.03)]) + middle, line, 0.026)
    for side in (-1, 1):
        smile = [(0, lip + 0.03), (reach * 0.35, lip + 0.072), (reach * 0.75, lip + 0.062), (reach, lip + 0.01)]
        brush.stroke(curve(smile, closed=False) * (side, 1) + middle, line, 0.026)
    nose = [(-0.068, 0.218), (0, 0.208), (0.068, 0.218), (0.045, 0.262), (0, 0.288), (-0.045, 0.262)]
    brush.fill(curve(nose) + middle, SEAL_NOSE if factors["pattern"] == "siamese" else coat.nose)
    brush.fill(ellipse(-0.02, 0.226, 0.022, 0.009) + middle, (255, 226, 226))
    whisker = mix(coat.line, WHITE, 0.25) if factors["coat"] in ("snow", "cream") else (255, 250, 244)
    for side in (-1, 1):
        for rise, drop in ((-0.05, -0.03), (0.02, 0.07)):
            tip = 0.36 + 0.50 * factors["whiskers"]
            arc = [(0.36, 0.32 + rise), (0.58, 0.31 + 1.8 * rise), (tip, 0.33 + 2 * rise + drop)]
            brush.stroke(curve(arc, closed=False) * (side, 1) + slide * 0.5, whisker, 0.017)
