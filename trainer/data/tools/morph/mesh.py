"""Morphing in three dimensions: two faces that look in different directions become one that looks between.

Points of an image have no depth, so that of a mean face is lent to them: ``depth`` is a smooth formula. The mean face
says how a head is turned (a scaled orthographic projection fitted by least squares); undone, that gives each face's own
shape, seen from the front. Shapes and poses are averaged each by themselves and projected back. The mesh is textured
from both images, and where the one sees a cheek only at a slant, more from the other. What is round the face follows
by a thin-plate spline."""

import cv2
import numpy as np

from trainer.data.faces.landmarks import MIRRORED
from trainer.data.tools.morph.warp import WarpField, frame, inside, piecewise, triangulate, warp_between, with_forehead

_LEFT = [  # of the mean face, the viewer's left half and the middle
    (0, -1.00, 0.09), (1, -1.00, 0.36), (2, -0.98, 0.63), (3, -0.91, 0.91), (4, -0.81, 1.16), (5, -0.65, 1.40),
    (6, -0.47, 1.61), (7, -0.25, 1.75), (8, 0.00, 1.79), (17, -0.76, -0.18), (18, -0.62, -0.26), (19, -0.45, -0.28),
    (20, -0.28, -0.24), (21, -0.12, -0.16), (27, 0.00, 0.00), (28, 0.00, 0.19), (29, 0.00, 0.36), (30, 0.00, 0.55),
    (31, -0.22, 0.68), (32, -0.12, 0.72), (33, 0.00, 0.75), (36, -0.60, 0.02), (37, -0.49, -0.04), (38, -0.36, -0.05),
    (39, -0.25, 0.02), (40, -0.37, 0.05), (41, -0.49, 0.05), (48, -0.41, 1.06), (49, -0.26, 0.99), (50, -0.11, 0.97),
    (51, 0.00, 0.99), (57, 0.00, 1.29), (58, -0.12, 1.28), (59, -0.29, 1.21), (60, -0.35, 1.07), (61, -0.11, 1.05),
    (62, 0.00, 1.06), (66, 0.00, 1.15), (67, -0.11, 1.14),
]  # fmt: skip
SLANT = 0.05  # least weight of an image for what it sees edge-on
SEAM = 0.12  # of the face's width, along which the mesh is blended into what is round it


def mean_face() -> np.ndarray:
    """The mean face in three dimensions, f64 [73, 3]: x to the right, y down, z to the viewer, the root of the nose at
    0; the face is 2 wide. x and y are what the finder of 68 points gives for a blank image, the middle of the faces
    that it has learnt from, made symmetric; five points of the forehead follow."""
    flat = np.zeros((68, 2))
    for number, x, y in _LEFT:
        flat[number] = x, y
        flat[MIRRORED[number]] = -x, y
    flat = with_forehead(flat)
    return np.column_stack([flat, depth(flat[:, 0], flat[:, 1])])


def depth(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """How far to the front a mean face is, z of the above at x and y: an upright ellipsoid, a nose that rises to its
    tip and falls below, sockets of the eyes, lips. The ears end 1.2 behind the tip of the nose, which protrudes by 0.3,
    as heads have it (about 11 and 2 cm of a face 14 cm wide)."""
    head = 1.2 * (np.sqrt(np.maximum(1 - 0.95 * x**2, 0)) - 1) - 0.12 * (y - 0.6) ** 2
    slope = np.clip(y / 0.55, 0, 1) * np.clip((0.95 - y) / 0.35, 0, 1)
    nose = 0.33 * slope * np.exp(-((x / 0.17) ** 2))
    eyes = -0.1 * np.exp(-(((np.abs(x) - 0.42) / 0.2) ** 2) - (y / 0.12) ** 2)
    lips = 0.08 * np.exp(-((x / 0.35) ** 2) - ((y - 1.1) / 0.18) ** 2)
    return head + nose + eyes + lips


def by_mesh(first: np.ndarray, second: np.ndarray, alpha: float, height: int, width: int) -> WarpField:
    """How to warp two images whose faces have the points f32 [68, 2]; ``alpha`` 0 is the first one, 1 the second."""
    mean = mean_face()
    faces = [inside(with_forehead(points), height, width) for points in (first, second)]
    poses = [Pose.fit(points, mean) for points in faces]
    shapes = [pose.shape(points, mean[:, 2]) for pose, points in zip(poses, faces, strict=True)]
    shape = (1 - alpha) * shapes[0] + alpha * shapes[1]
    pose = poses[0].towards(poses[1], alpha)
    seen = pose.project(shape)
    between = inside(seen[:, :2], height, width)
    rim = frame(height, width)
    with_rim = [np.concatenate([points, rim]) for points in (between, *faces)]
    around = warp_between(with_rim[0], with_rim[1], with_rim[2], alpha, height, width)

    corners = triangulate(mean[:, :2] * 100)
    weights = np.stack([_facing(points, one, corners) for points, one in zip(faces, shapes, strict=True)], 1)
    weights *= (1 - alpha, alpha)
    second_weight = weights[:, 1:] / weights.sum(1, keepdims=True)
    front = corners[_area(between[corners]) * _area(mean[corners][..., :2]) > 0]
    front = front[np.argsort(seen[front, 2].mean(1))]  # what is nearer is drawn later
    values = piecewise(between, np.concatenate([*faces, second_weight], 1), front, height, width)
    near = _within(between, front, height, width)[..., None]
    return WarpField(
        near * values[..., :2] + (1 - near) * around.first,
        near * values[..., 2:4] + (1 - near) * around.second,
        (near * values[..., 4:].clip(0, 1) + (1 - near) * alpha)[..., 0],
    )


class Pose:
    """How a head is turned, how large it is and where: a scaled orthographic projection."""

    def __init__(self, rotation: np.ndarray, scale: float, place: np.ndarray) -> None:
        self.rotation, self.scale, self.place = rotation, scale, place

    @classmethod
    def fit(cls, points: np.ndarray, mean: np.ndarray) -> "Pose":
        """The pose in which the mean face [n, 3] comes nearest to points [n, 2]."""
        centre, middle = points.mean(0), mean.mean(0)
        affine = np.linalg.lstsq(mean - middle, points - centre, rcond=None)[0].T  # [2, 3]
        left, sizes, right = np.linalg.svd(affine, full_matrices=False)
        scale = max(float(sizes.mean()), 1e-3)
        rows = left @ right
        rotation = np.stack([rows[0], rows[1], np.cross(rows[0], rows[1])])
        return cls(rotation, scale, centre - scale * rows @ middle)

    def shape(self, points: np.ndarray, depths: np.ndarray) -> np.ndarray:
        """Points [n, 2] of an image in the frame of the mean face, where they have these depths: [n, 3]."""
        seen = (points - self.place) / self.scale - depths[:, None] * self.rotation[:2, 2]
        flat = np.linalg.solve(self.rotation[:2, :2], seen.T).T
        return np.column_stack([flat, depths])

    def project(self, shape: np.ndarray) -> np.ndarray:
        """A shape [n, 3] as seen: x and y in pixels, z to the viewer in the shape's units."""
        turned = shape @ self.rotation.T
        return np.column_stack([self.scale * turned[:, :2] + self.place, turned[:, 2]])

    def towards(self, other: "Pose", alpha: float) -> "Pose":
        """The pose between this (0) and another (1)."""
        axis = cv2.Rodrigues(other.rotation @ self.rotation.T)[0]
        rotation = cv2.Rodrigues(alpha * axis)[0] @ self.rotation
        scale = self.scale ** (1 - alpha) * other.scale**alpha
        return Pose(rotation, scale, (1 - alpha) * self.place + alpha * other.place)


def _facing(points: np.ndarray, shape: np.ndarray, corners: np.ndarray) -> np.ndarray:
    """How much of each point's surroundings an image sees, [n]: 1 from the front, ``SLANT`` edge-on and behind."""
    edges = shape[corners][:, 1:] - shape[corners][:, :1]
    solid = np.linalg.norm(np.cross(edges[:, 0], edges[:, 1]), axis=1)
    seen = _area(points[corners])
    seen *= np.sign(np.median(seen))  # triangles that are seen from behind have the other sign
    seen /= max(float(np.median(seen / np.maximum(solid, 1e-9))), 1e-9)
    total, facing = np.full(len(points), 1e-9), np.zeros(len(points))
    for corner in corners.T:
        np.add.at(total, corner, solid)
        np.add.at(facing, corner, seen)
    return np.clip(facing / total, SLANT, 1) ** 2


def _area(triangles: np.ndarray) -> np.ndarray:
    """Twice the signed areas of triangles [m, 3, 2]."""
    first, second = triangles[:, 1] - triangles[:, 0], triangles[:, 2] - triangles[:, 0]
    return first[:, 0] * second[:, 1] - first[:, 1] * second[:, 0]


def _within(points: np.ndarray, corners: np.ndarray, height: int, width: int) -> np.ndarray:
    """1 within a mesh, 0 outside, f32 [h, w], rising along its edge."""
    mask = np.zeros((height, width), np.uint8)
    for triangle in np.rint(points[corners] * 16).astype(np.int32):
        cv2.fillConvexPoly(mask, triangle, 1, shift=4)
    # One pixel of rim: a mesh that reaches the end of the image is blended there as well.
    far = cv2.distanceTransform(np.pad(mask, 1), cv2.DIST_L2, 5)[1:-1, 1:-1] - 1
    return (far / max(1.0, SEAM * float(np.ptp(points[:, 0])))).clip(0, 1).astype(np.float32)
