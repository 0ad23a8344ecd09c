"""Arrays of images that a notebook shows."""

import base64
import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

_SHOWN = 64  # images on the sheet of a notebook, at most
_GAP = 2  # pixels between them


class Images(np.ndarray[Any, np.dtype[np.uint8]]):
    """RGB images, u8 [n, height, width, 3]: a NumPy array that a notebook shows as a sheet. What is computed from it,
    such as ``images / 255``, is shown as numbers.

    >>> import numpy as np, utsuroi
    >>> utsuroi.Images.of(np.zeros((2, 8, 8, 3), np.uint8)).sheet().shape
    (8, 18, 3)
    """

    @classmethod
    def of(cls, images: NDArray[np.uint8]) -> "Images":
        """The same memory as ``Images``."""
        return images.view(cls)

    def sheet(self, columns: int = 0) -> NDArray[np.uint8]:
        """All images side by side and below each other, u8 [height, width, 3]. ``columns``: 0: about square.

        Raises ``ValueError`` where this is no array [n, h, w, 3] with at least one image.
        """
        images = np.asarray(self)
        if images.ndim != 4 or images.shape[3] != 3 or not len(images):
            raise ValueError(f"images are {list(images.shape)}, expected [n, height, width, 3] with n >= 1")
        count, height, width, _ = images.shape
        columns = min(columns or math.ceil(math.sqrt(count)), count)
        rows = -(-count // columns)
        sheet = np.full((rows * (height + _GAP) - _GAP, columns * (width + _GAP) - _GAP, 3), 24, np.uint8)
        for index, image in enumerate(images):
            top, left = (index // columns) * (height + _GAP), (index % columns) * (width + _GAP)
            sheet[top : top + height, left : left + width] = image
        return sheet

    def _repr_html_(self) -> str | None:
        """One image, or a sheet of the first ones, for notebooks; ``None`` (the plain text is shown) for arrays of
        other shapes and of other numbers than u8."""
        if self.dtype != np.uint8 or self.ndim not in (3, 4) or self.shape[-1] != 3 or not self.size:
            return None
        if self.ndim == 3:
            return img_tag(np.asarray(self))
        more = f"<br>and {len(self) - _SHOWN} more" if len(self) > _SHOWN else ""
        return f"{img_tag(Images.of(self[:_SHOWN]).sheet())}{more}"


def img_tag(image: NDArray[np.uint8]) -> str:
    """An RGB image u8 [h, w, 3] as an HTML element that needs no file."""
    import cv2

    data = base64.b64encode(cv2.imencode(".png", np.ascontiguousarray(image[..., ::-1]))[1].tobytes()).decode()
    height, width = image.shape[:2]
    return f'<img src="data:image/png;base64,{data}" width="{width}" height="{height}" style="max-width: 100%">'
