"""Images turned, scaled and bent, without losing what lies between the pixels. No torch."""

import cv2
import numpy as np


def apply(matrix: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Points [n, 2] through an affine transform [2, 3], f32."""
    return (points @ matrix[:, :2].T + matrix[:, 2]).astype(np.float32)


def turned(size: tuple[int, int], degrees: float, scale: float, room: float = 0) -> tuple[np.ndarray, tuple[int, int]]:
    """The transform [2, 3] that turns an image of a width and height anticlockwise, and the size that holds it all.
    room: pixels more on each side, of the result."""
    centre = (np.array(size) - 1) / 2
    matrix = cv2.getRotationMatrix2D(centre.tolist(), degrees, scale)
    inner = np.abs(matrix[:, :2]) @ np.array(size) + 2 * room
    whole = np.ceil(inner - 1e-6).astype(int)
    matrix[:, 2] += (whole - 1) / 2 - centre
    return matrix, (int(whole[0]), int(whole[1]))


def sampled(image: np.ndarray, matrix: np.ndarray, size: int) -> np.ndarray:
    """A square of so many pixels of an image u8 [h, w, c], through a transform [2, 3] from the image to it.
    What is made smaller is averaged. Beyond the image its edges are repeated."""
    scale = float(np.sqrt(abs(np.linalg.det(matrix[:, :2]))))
    finer = min(max(1, round(1 / scale)), max(1, 4096 // size))
    wide = matrix * finer
    wide[:, 2] += (finer - 1) / 2  # pixel centres
    method = cv2.INTER_CUBIC if scale * finer > 1 else cv2.INTER_LINEAR
    result = cv2.warpAffine(image, wide, (size * finer, size * finer), flags=method, borderMode=cv2.BORDER_REPLICATE)
    return result if finer == 1 else cv2.resize(result, (size, size), interpolation=cv2.INTER_AREA)


def moved(image: np.ndarray, places: np.ndarray, method: int = cv2.INTER_CUBIC) -> np.ndarray:
    """What an image [h, w, c] has at ``places``, f32 [h', w', 2] x and y: [h', w', c]. Its edges are repeated."""
    across, down = cv2.split(places)
    result = cv2.remap(image, across, down, method, borderMode=cv2.BORDER_REPLICATE)
    return result.reshape(*places.shape[:2], image.shape[2])


def grid(height: int, width: int) -> np.ndarray:
    """Where the pixels of an image are, x and y, f32 [h, w, 2]."""
    return np.stack(np.meshgrid(np.arange(width), np.arange(height)), axis=2).astype(np.float32)
