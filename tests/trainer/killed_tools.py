"""Commands of the data tools that are ended halfway, and what a reader finds in their outputs."""

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from trainer.contract.errors import UserError
from trainer.data.batches.dataset import open_dataset
from trainer.data.sources._sidecar import Sidecar
from trainer.data.sources.npy_set import ImageSet, writing

TOOLS: dict[str, tuple[list[str], list[str]]] = {  # arguments, outputs
    "create": (["create", "inputs/cats", "-o", "out.npy", "--size", "16", "--labels", "folders"], ["out.npy"]),
    "create-of-set": (["create", "inputs/a.npy", "-o", "out.npy", "--size", "8"], ["out.npy"]),
    "merge": (["merge", "inputs/a.npy", "inputs/b.npy", "-o", "out.npy"], ["out.npy"]),
    "split": (["split", "inputs/a.npy", "-o", "out.npy", "--held-out", "held.npy", "--share", "0.34"],
              ["out.npy", "held.npy"]),
    "select": (["select", "inputs/a.npy", "--drop", "0,2", "-o", "out.npy"], ["out.npy"]),
    "select-to-folder": (["select", "inputs/a.npy", "--keep", "1-2", "-o", "out"], ["out/a-1.png", "out/a-2.png"]),
    "filter": (["filter", "inputs/a.npy", "-o", "out.npy", "--kind", "sharpen"], ["out.npy"]),
    "filter-to-folder": (["filter", "inputs/cats", "-o", "out", "--kind", "blur"], ["out/0.png", "out/1.png"]),
    "stats": (["stats", "inputs/a.npy", "-o", "out.png"], ["out.png"]),
    "morph": (["morph", "inputs/a.npy", "-o", "out.npy", "--method", "flow", "--pairs", "5"], ["out.npy"]),
    "align": (["align", "inputs/faces", "-o", "out.npy", "--size", "16"], ["out.npy"]),
    "align-to-folder": (["align", "inputs/faces", "-o", "out", "--size", "16", "--flip"],
                        ["out/face0.png", "out/face0-mirrored.png", "out/face1.png", "out/face1-mirrored.png"]),
    "toycats": (["toycats", "-o", "out.npy", "--count", "3", "--size", "16"], ["out.npy"]),
    "edges": (["edges", "inputs/cats", "-o", "out"], ["out/0.png", "out/1.png"]),
    "downscale": (["downscale", "inputs/cats", "-o", "out"], ["out/0.png", "out/1.png"]),
    "shards": (["shards", "inputs/a.npy", "-o", "out/x-{0..2}.tar", "--format", "png"], ["out/x.index.json"]),
}  # fmt: skip
NEVER_REPLACE = ("shards",)


def write_labelled(path: Path, images: np.ndarray, labels: list[int], classes: tuple[str, ...]) -> None:
    with writing(path, images.shape[1:], force=True) as writer:
        writer.append(images)
        names = tuple(f"{path.stem}-{k}" for k in range(len(images)))
        writer.sidecar = Sidecar(labels=np.array(labels), classes=classes, names=names)


def state_of(path: Path) -> Any:
    """All that a reader finds in an output: a set, an image, or None."""
    if not path.exists():
        return None
    if path.suffix == ".json":
        return state_of_shards(path)
    if path.suffix == ".png":
        image = cv2.imread(str(path))
        return "damaged" if image is None else image.tobytes()
    found = ImageSet(path)
    sidecar = found.sidecar
    labels = None if sidecar.labels is None else sidecar.labels.tolist()
    return found[np.arange(len(found))].tobytes(), labels, sidecar.classes, sidecar.names, dict(sidecar.made)


def state_of_shards(index: Path) -> Any:
    """All images and labels of finished shards; None while none of them can be read."""
    values = json.loads(index.read_text())
    pattern = str(index).replace(".index.json", "-{0..2}.tar")
    if "unfinished" in values:
        with pytest.raises(UserError, match="never finished"):
            open_dataset(pattern, progress=False)
        return None
    images = open_dataset(pattern, progress=False)
    sizes = {path.name: path.stat().st_size for path in index.parent.glob("*.tar")}
    assert images.labels is not None
    return images.images[np.arange(len(images))].tobytes(), images.labels.tolist(), images.classes, sizes
