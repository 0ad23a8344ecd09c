"""What a saved image was made from: a JSON object in a text chunk of its PNG (PNG specification, 11.3.3).

``utsuroi`` is the keyword of the chunk."""

import contextlib
import json
import struct
import zlib
from collections.abc import Mapping
from typing import Any, Final

from trainer.contract.headers import Unreadable, png_chunks

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
    chunks = png_chunks(data) if data.startswith(PNG_SIGNATURE) else iter(())
    with contextlib.suppress(struct.error):  # it ends before its time
        for kind, start, end in chunks:
            if kind != b"tEXt" or not data.startswith(_KEYWORD, start + 8):
                continue
            body = data[start + 8 : end - 4]
            try:
                if len(body) > _MOST_BYTES or data[start:end] != chunk(kind, body):
                    raise ValueError
                recipe = json.loads(body[len(_KEYWORD) :])
            except (ValueError, RecursionError):
                recipe = None
            if not isinstance(recipe, dict):
                raise Unreadable("what it was made from is damaged")
            if "picture" in recipe:  # the key of version 0.1
                recipe["image"] = recipe.pop("picture")
            return recipe
    return None
