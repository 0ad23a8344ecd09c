"""Two images morphed into one: each is warped to a shape between theirs, and their colours are mixed.

Of points that are known in both, what lies between follows by triangles, those of Delaunay on the points between, each
filled from both images by affine maps; or by thin-plate splines, the smoothest map that moves the points where they
should go (Bookstein 1989, "Principal Warps: Thin-Plate Splines and the Decomposition of Deformations").

Where nothing is known of what they show, each place of one is found in the other by likeness: Farnebäck 2003,
"Two-Frame Motion Estimation Based on Polynomial Expansion", finds more on cats than a dense inverse search does."""

from dataclasses import dataclass

import cv2
import numpy as np

from trainer.data.faces.affine import grid, moved
from trainer.data.faces.landmarks import BROWS, JAW

FRAME = 5  # points along each edge of an image, which stay where they are
FINE = 4  # bits below the pixel in which corners are drawn
STIFFNESS = 1e-4  # how little points have to be met exactly: lips that touch would tear
SEEN = 128  # longest edge in pixels of what is compared
EVEN = 0.1  # of the side: light is evened out over so much
FARNEBACK = (0.6, 5, 25, 5, 7, 1.5)
"""The pyramid's scale and levels, window in pixels, iterations, the polynomials' neighbourhood in pixels and std."""
SMOOTH = 0.03  # of the side: the flow is smoothed over so much
ROUNDS = 12


@dataclass(frozen=True, eq=False)
class WarpField:
    """Where each pixel of a mixture comes from."""

    first: np.ndarray  # f32 [h, w, 2]: places x, y in the first image
    second: np.ndarray  # and in the second one
    weight: np.ndarray | float  # of the second one's colour, 0..1: f32 [h, w], or one of all


def mix(first: np.ndarray, second: np.ndarray, field: WarpField) -> np.ndarray:
    """The mixture u8 [h, w, c] of two images of that shape."""
    weight = field.weight if isinstance(field.weight, float) else field.weight[..., None]
    parts = [moved(first, field.first).astype(np.float32), moved(second, field.second).astype(np.float32)]
    return np.rint((1 - weight) * parts[0] + weight * parts[1]).astype(np.uint8)


def with_forehead(points: np.ndarray) -> np.ndarray:
    """The 68 points of a face, and five along its forehead: f32 [73, 2]. Foreheads are about half as high as what is
    from the brows to the chin."""
    up = (points[BROWS].mean(0) - points[JAW][8]) / 2
    root = points[[17, 19, 24, 26]]
    middle = points[[21, 22]].mean(0, keepdims=True)
    arc = np.concatenate([root[:2], middle, root[2:]]) + np.array([[0.45], [0.85], [1], [0.85], [0.45]]) * up
    return np.concatenate([points, arc]).astype(np.float32)


def frame(height: int, width: int) -> np.ndarray:
    """Points on the rim of an image, f32 [16, 2]."""
    along = np.linspace(0, 1, FRAME)
    rim = [(x, y) for x in along for y in along if x in (0, 1) or y in (0, 1)]
    return (np.array(rim) * (width - 1, height - 1)).astype(np.float32)


def anchors(points: np.ndarray, height: int, width: int) -> np.ndarray:
    """The points f32 [68, 2] of a face, those of its forehead and of the image's rim: f32 [89, 2], within the image."""
    return np.concatenate([inside(with_forehead(points), height, width), frame(height, width)])


def inside(points: np.ndarray, height: int, width: int) -> np.ndarray:
    """Points moved into an image where they are beyond it."""
    return points.clip(1, (width - 2, height - 2)).astype(np.float32)


def by_triangles(first: np.ndarray, second: np.ndarray, alpha: float, height: int, width: int) -> WarpField:
    """How to warp two images whose faces have the points f32 [68, 2]; ``alpha`` 0 is the first one, 1 the second."""
    start, end = anchors(first, height, width), anchors(second, height, width)
    between = (1 - alpha) * start + alpha * end
    corners = triangulate(between)
    places = piecewise(between, np.concatenate([start, end], 1), corners, height, width)
    return WarpField(places[..., :2], places[..., 2:], alpha)


def triangulate(points: np.ndarray) -> np.ndarray:
    """Delaunay's triangles i64 [m, 3] of points f32 [n, 2]: their numbers. Of points in one place one counts."""
    low, high = points.min(0), points.max(0)
    left, top = np.floor(low).astype(int) - 2
    right, bottom = np.ceil(high).astype(int) + 2
    plane = cv2.Subdiv2D((int(left), int(top), int(right - left), int(bottom - top)))
    numbers: dict[tuple[float, ...], int] = {}
    for number, point in enumerate(points.astype(np.float32).tolist()):
        if numbers.setdefault(tuple(point), number) == number:
            plane.insert(point)
    found = []
    for corners in np.reshape(plane.getTriangleList(), (-1, 3, 2)).tolist():  # also those of the far corners of its own
        triangle = [numbers.get(tuple(corner), -1) for corner in corners]
        if min(triangle) >= 0:
            found.append(triangle)
    return np.array(found)


def piecewise(points: np.ndarray, values: np.ndarray, corners: np.ndarray, height: int, width: int) -> np.ndarray:
    """Values f32 [n, k] at points [n, 2] → f32 [h, w, k] at all pixels, linear in each triangle of ``corners`` [m, 3].
    Where triangles overlap the last one counts. What lies in none gets the values of the nearest edge's plane."""
    shapes = points[corners]  # [m, 3, 2]
    flat = np.abs(np.linalg.det(shapes[:, 1:] - shapes[:, :1])) < 1e-6
    corners, shapes = corners[~flat], shapes[~flat]
    planes = np.linalg.solve(
        np.concatenate([shapes, np.ones((*shapes.shape[:2], 1))], 2).astype(np.float64), values[corners]
    )  # [m, 3, k]: of x, y and 1
    owner = np.zeros((height, width), np.int32)
    for number, shape in enumerate(np.rint(shapes * (1 << FINE)).astype(np.int32)):
        cv2.fillConvexPoly(owner, shape, number, shift=FINE)
    places = grid(height, width)
    result = np.empty((height, width, values.shape[1]), np.float32)
    rows = max(1, (1 << 17) // width)
    for top in range(0, height, rows):
        part = planes[owner[top : top + rows]]
        xy = places[top : top + rows, :, None]
        result[top : top + rows] = part[..., 0, :] * xy[..., 0] + part[..., 1, :] * xy[..., 1] + part[..., 2, :]
    return result


def by_spline(first: np.ndarray, second: np.ndarray, alpha: float, height: int, width: int) -> WarpField:
    """How to warp two images whose faces have the points f32 [68, 2]; ``alpha`` 0 is the first one, 1 the second."""
    start, end = anchors(first, height, width), anchors(second, height, width)
    return warp_between((1 - alpha) * start + alpha * end, start, end, alpha, height, width)


def warp_between(
    between: np.ndarray, first: np.ndarray, second: np.ndarray, alpha: float, height: int, width: int
) -> WarpField:
    """How to warp two images so that what is at their points [n, 2] comes to those between."""
    moves = spline(between, np.concatenate([first - between, second - between], 1), height, width)
    places = grid(height, width)
    return WarpField(places + moves[..., :2], places + moves[..., 2:], alpha)


def spline(points: np.ndarray, values: np.ndarray, height: int, width: int) -> np.ndarray:
    """Values [n, k] at points [n, 2] → f32 [h, w, k] at all pixels, smoothly."""
    count, unit = len(points), float(max(height, width))
    at = points.astype(np.float64) / unit
    system = np.zeros((count + 3, count + 3))
    system[:count, :count] = _bending(at, at) + STIFFNESS * np.eye(count)
    system[:count, count:] = np.column_stack([np.ones(count), at])
    system[count:, :count] = system[:count, count:].T
    weights = np.linalg.solve(system, np.concatenate([values.astype(np.float64), np.zeros((3, values.shape[1]))]))
    pixels = grid(height, width).reshape(-1, 2) / unit
    result = np.empty((len(pixels), values.shape[1]), np.float32)
    weights = weights.astype(np.float32)
    step = max(1, (1 << 20) // count)
    for start in range(0, len(pixels), step):
        part = pixels[start : start + step]
        bent = _bending(part, at.astype(np.float32)) @ weights[:count]
        result[start : start + step] = bent + weights[count] + part @ weights[count + 1 :]
    return result.reshape(height, width, -1)


def _bending(these: np.ndarray, those: np.ndarray) -> np.ndarray:
    """U(r) = r² log r² between points [a, 2] and [b, 2] → [a, b]."""
    squares = ((these[:, None] - those[None]) ** 2).sum(2)
    return squares * np.log(np.maximum(squares, 1e-12))


def by_flow(first: np.ndarray, second: np.ndarray, alpha: float) -> WarpField:
    """How to warp two images u8 [h, w, c]; ``alpha`` 0 is the first one, 1 the second."""
    height, width = first.shape[:2]
    there = consistent_flow(first, second)
    places = grid(height, width)
    start = _undone(places, alpha * there)
    moves = moved(there, start, cv2.INTER_LINEAR)
    return WarpField(places - alpha * moves, places + (1 - alpha) * moves, alpha)


def consistent_flow(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Where each pixel of the first image has gone in the second, f32 [h, w, 2] in pixels.
    The mean of the flow and of that from the second back, turned round, so that it hardly matters which comes first."""
    height, width = first.shape[:2]
    scale = SEEN / max(height, width)
    size = (max(16, round(width * scale)), max(16, round(height * scale)))
    a, b = (_evened(cv2.resize(image, size, interpolation=cv2.INTER_AREA)) for image in (first, second))
    there, back = _flow(a, b), _flow(b, a)
    places = grid(size[1], size[0])
    turned = _undone(places, back) - places
    mean = cv2.GaussianBlur((there + turned) / 2, (0, 0), SMOOTH * max(size))
    large = cv2.resize(mean, (width, height), interpolation=cv2.INTER_CUBIC)
    return large * np.array([width / size[0], height / size[1]], np.float32)


def _flow(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    nothing, kernel = np.zeros((*first.shape, 2), np.float32), cv2.OPTFLOW_FARNEBACK_GAUSSIAN
    flow = cv2.calcOpticalFlowFarneback(first, second, nothing, *FARNEBACK, kernel)
    return cv2.GaussianBlur(flow, (0, 0), SMOOTH * max(first.shape))


def _evened(image: np.ndarray) -> np.ndarray:
    """Light and contrast made even: u8 [h, w]."""
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY) if image.ndim == 3 else image
    values, sigma = grey.astype(np.float32), EVEN * max(grey.shape)
    values -= cv2.GaussianBlur(values, (0, 0), sigma)
    values /= np.sqrt(cv2.GaussianBlur(values**2, (0, 0), sigma)) + 4
    return np.rint(128 + 50 * values).clip(0, 255).astype(np.uint8)


def _undone(places: np.ndarray, flow: np.ndarray) -> np.ndarray:
    """Where each place was before ``flow`` moved it: x with x + flow(x) = place, by repetition."""
    start = places.copy()
    for _ in range(ROUNDS):
        back = places - moved(flow, start, cv2.INTER_LINEAR)
        start = (start + back) / 2  # half a step: no overshooting where the flow is steep
    return start
