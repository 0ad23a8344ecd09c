"""What a saved image was made from: a JSON object in a text chunk of its PNG (PNG specification, 11.3.3).

``utsuroi`` is the keyword of the chunk.
"""

import json
import zlib
from collections.abc import Mapping
from typing import Any, Final

from trainer.contract.headers import Unreadable

PNG_SIGNATURE: Final = b"\x89PNG\r\n\x1a\n"
_KEYWORD: Final = b"utsuroi\0"
_MOST_BYTES: Final = 1 << 24

# Keys about one image, and those of lists that say the same of all images of a sheet.
PER_IMAGE: Final = {
    "latent": "latents",
    "label": "labels",
    "class": "classes",
    "number": "numbers",
    "name": "names",
    "file": "files",
}


def text_chunks(recipe: Mapping[str, Any]) -> bytes:
    """The chunks of a PNG that carry a recipe and the name of this program."""
    body = _KEYWORD + json.dumps(recipe, ensure_ascii=True).encode()
    return chunk(b"tEXt", b"Software\0utsuroi") + chunk(b"tEXt", body)


def chunk(kind: bytes, body: bytes) -> bytes:
    """A chunk of a PNG: length, kind, body, CRC."""
    return len(body).to_bytes(4, "big") + kind + body + zlib.crc32(kind + body).to_bytes(4, "big")


def find_recipe(data: bytes) -> dict[str, Any] | None:
    """The recipe in a PNG's bytes; ``None`` where there is none. Raises ``Unreadable`` where it is damaged."""
    position = len(PNG_SIGNATURE)
    while data.startswith(PNG_SIGNATURE) and position + 12 <= len(data):
        end = position + 8 + int.from_bytes(data[position : position + 4], "big")
        kind = data[position + 4 : position + 8]
        if kind == b"tEXt" and data.startswith(_KEYWORD, position + 8):
            body = data[position + 8 : end]
            try:
                if len(body) > _MOST_BYTES or data[position : end + 4] != chunk(kind, body):
                    raise ValueError
                recipe = json.loads(body[len(_KEYWORD) :])
            except (ValueError, RecursionError):
                recipe = None
            if not isinstance(recipe, dict):
                raise Unreadable("what it was made from is damaged")
            if "picture" in recipe:  # the key of version 0.1
                recipe["image"] = recipe.pop("picture")
            return recipe
        position = end + 4
    return None
