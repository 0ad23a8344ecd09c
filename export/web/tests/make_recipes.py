"""Write ``recipes.json``: small PNGs with recipes as the viewer saves them.

python export/web/tests/make_recipes.py
"""

import base64
import json
from pathlib import Path
from typing import Any, Final

import numpy as np

from viewer.files.png import encode_png

RECIPES: Final[list[dict[str, Any]]] = [
    {"model": "cats", "file": "cats.onnx", "seed": 7, "rows": 2, "latent": [0.5, -1.25], "sha256": "ab" * 32},
    {"model": "猫\n\x7f🐈", "by_class": True, "labels": [0, 1], "none": None, "large": 2**53 - 1},
]

if __name__ == "__main__":
    image = np.arange(12, dtype=np.uint8).reshape(2, 2, 3)
    made = [{"png": base64.b64encode(encode_png(image, one)).decode(), "recipe": one} for one in RECIPES]
    Path(__file__).with_name("recipes.json").write_text(json.dumps(made, indent=1) + "\n")
