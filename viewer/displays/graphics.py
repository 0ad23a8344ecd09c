"""Images on terminals that can show them, pixel by pixel: Kitty's, iTerm2's, and sixels.

Kitty's: https://sw.kovidgoyal.net/kitty/graphics-protocol; iTerm2's: https://iterm2.com/documentation-images.html
"""

import base64
from dataclasses import dataclass
from typing import Final, Literal

import cv2

from viewer.labels import Image

Protocol = Literal["kitty", "iterm", "sixel", ""]

USUAL_CELL: Final = (10, 20)  # width and height of a character cell in pixels, where the terminal does not tell
_KITTY_CHUNK: Final = 4096


@dataclass(frozen=True)
class Place:
    """Where an image lies on the screen, in character cells."""

    left: int
    top: int
    columns: int
    rows: int


class Graphics:
    """Writes images for a terminal with this protocol."""

    def __init__(self, protocol: Protocol) -> None:
        self._protocol = protocol
        self._kitty_image = 0  # number of the image on the screen
        self._sixels: Image | None = None  # on the screen
        self.place: Place | None = None  # of the image on the screen

    def cleared(self) -> bytes:
        """Escape sequences that take the image off a screen that is cleared."""
        self._sixels = self.place = None
        return f"\x1b_Ga=d,d=I,i={self._kitty_image},q=2\x1b\\".encode() if self._kitty_image else b""

    def written(self, image: Image, place: Place) -> bytes:
        """Escape sequences that show an image [h, w, 3] BGR, which fills a place; none where it is there already."""
        self.place = place
        move = f"\x1b[{place.top + 1};{place.left + 1}H".encode()
        if self._protocol == "sixel":
            if self._sixels is not None and self._sixels.shape == image.shape and (self._sixels == image).all():
                return b""
            from viewer.displays.sixel import HIGHEST, WIDEST, encode_sixel

            self._sixels = image
            return move + encode_sixel(image[:HIGHEST, :WIDEST])
        encoded = base64.b64encode(cv2.imencode(".png", image, [cv2.IMWRITE_PNG_COMPRESSION, 1])[1].tobytes())
        if self._protocol == "kitty":
            return move + self._kitty(encoded, place)
        size = f"inline=1;width={place.columns};height={place.rows};preserveAspectRatio=0;doNotMoveCursor=1"
        return move + f"\x1b]1337;File={size}:".encode() + encoded + b"\x07"

    def _kitty(self, encoded: bytes, place: Place) -> bytes:
        """The image as a new one over the last, which then goes, so that nothing flickers."""
        old, self._kitty_image = self._kitty_image, self._kitty_image % 2 + 1
        keys = f"a=T,f=100,i={self._kitty_image},q=2,C=1,c={place.columns},r={place.rows},"
        parts = []
        for start in range(0, len(encoded), _KITTY_CHUNK):
            more = int(start + _KITTY_CHUNK < len(encoded))
            chunk = encoded[start : start + _KITTY_CHUNK]
            parts.append(f"\x1b_G{keys if start == 0 else ''}m={more};".encode() + chunk + b"\x1b\\")
        if old:
            parts.append(f"\x1b_Ga=d,d=I,i={old},q=2\x1b\\".encode())
        return b"".join(parts)
