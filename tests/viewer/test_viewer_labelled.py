"""Sets of pictures with labels: .npy, idx and folders; what is damaged or hostile is one line."""

import gzip
import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from viewer.labelled import open_set
from viewer.pictures import PictureError

IMAGES = np.random.default_rng(0).integers(0, 256, (7, 6, 5, 3), np.uint8)
LABELS = [0, 1, 2, 0, 1, 2, 0]


def idx(array: np.ndarray) -> bytes:
    sizes = b"".join(side.to_bytes(4, "big") for side in array.shape)
    return bytes((0, 0, 8, array.ndim)) + sizes + array.tobytes()


@pytest.mark.parametrize("suffix", [".json", ".factors.json"])
def test_npy_with_labels_beside_it(tmp_path: Path, suffix: str) -> None:
    np.save(tmp_path / "set.npy", IMAGES)
    facts = {"labels": LABELS, "classes": ["a", "b\x1b[31m", "c"]}
    (tmp_path / f"set{suffix}").write_text(json.dumps(facts))
    found = open_set(tmp_path / "set.npy")
    assert found.count == 7
    assert found.labels is not None
    assert found.labels.tolist() == LABELS
    assert found.classes[0] == "a"
    assert "\x1b" not in found.classes[1]
    assert np.array_equal(found.fetch(3), IMAGES[3, ..., ::-1])
    assert found.read([1, 2], 6, 6).shape == (2, 6, 6, 3)


@pytest.mark.parametrize("shape", [(7, 6, 5), (7, 6, 5, 1)])
def test_grey_pictures_and_no_labels(tmp_path: Path, shape: tuple[int, ...]) -> None:
    np.save(tmp_path / "set.npy", IMAGES[..., 0].reshape(shape))
    found = open_set(tmp_path / "set.npy")
    assert found.labels is None
    assert np.array_equal(found.fetch(6), np.repeat(IMAGES[6, ..., :1], 3, axis=2))


@pytest.mark.parametrize("packed", [True, False])
def test_idx_files_as_mnist_has_them(tmp_path: Path, packed: bool) -> None:
    pack, suffix = (gzip.compress, ".gz") if packed else (bytes, "")
    (tmp_path / f"train-images-idx3-ubyte{suffix}").write_bytes(pack(idx(IMAGES[..., 0])))
    (tmp_path / f"train-labels-idx1-ubyte{suffix}").write_bytes(pack(idx(np.array(LABELS, np.uint8))))
    for path in (tmp_path / f"train-images-idx3-ubyte{suffix}", tmp_path):
        found = open_set(path)
        assert found.labels is not None
        assert (found.count, found.classes, found.labels.tolist()) == (7, ("0", "1", "2"), LABELS)
        assert np.array_equal(found.fetch(2)[..., 0], IMAGES[2, ..., 0])


def test_folders_are_classes(tmp_path: Path) -> None:
    for number, name in enumerate(("newt", "cat", "cat")):
        (tmp_path / name).mkdir(exist_ok=True)
        cv2.imwrite(str(tmp_path / name / f"{number}.png"), IMAGES[number])
    (tmp_path / "cat" / "notes.txt").write_text("no picture")
    found = open_set(tmp_path)
    assert found.labels is not None
    assert (found.classes, found.labels.tolist()) == (("cat", "newt"), [0, 0, 1])
    assert np.array_equal(found.fetch(2), IMAGES[0])
    assert open_set(tmp_path / "cat").labels is None


def test_what_is_no_set_is_one_line(tmp_path: Path) -> None:
    def save(name: str, array: np.ndarray) -> None:
        np.save(tmp_path / name, array)

    save("float.npy", np.zeros((3, 4, 4, 3)))
    save("channels.npy", np.zeros((3, 3, 4, 4), np.uint8))
    save("objects.npy", np.array([{}], object))
    save("empty.npy", np.zeros((0, 4, 4, 3), np.uint8))
    save("order.npy", np.asfortranarray(np.zeros((3, 4, 4, 3), np.uint8)))
    save("short.npy", IMAGES)
    (tmp_path / "short.npy").write_bytes((tmp_path / "short.npy").read_bytes()[:-1])
    (tmp_path / "rubbish.npy").write_bytes(b"rubbish" * 9)
    (tmp_path / "nothing").mkdir()
    (tmp_path / "a.txt").write_text("no pictures")
    (tmp_path / "b-images-idx3-ubyte").write_bytes(b"\0\0\x0d\3" + b"\1" * 12)
    (tmp_path / "c-images-idx3-ubyte").write_bytes(idx(IMAGES[..., 0])[:-1])
    (tmp_path / "d-images-idx3-ubyte").write_bytes(bytes((0, 0, 8, 3)) + b"\xff" * 12)
    (tmp_path / "e-images-idx3-ubyte.gz").write_bytes(gzip.compress(idx(IMAGES[..., 0]))[:-20])
    (tmp_path / "f-images-idx3-ubyte.gz").write_bytes(b"rubbish")
    for path in (*tmp_path.iterdir(), tmp_path / "missing.npy"):
        with pytest.raises(PictureError, match=path.name) as failure:
            open_set(path)
        assert "\n" not in str(failure.value)


@pytest.mark.parametrize(
    "facts",
    [
        "[",
        {"labels": LABELS},
        {"labels": LABELS[1:], "classes": ["a", "b", "c"]},
        {"labels": LABELS, "classes": ["a", "b"]},
        {"labels": [0.5] * 7, "classes": ["a"]},
        {"labels": 3, "classes": ["a"]},
    ],
)
def test_labels_that_do_not_fit_are_one_line(tmp_path: Path, facts: object) -> None:
    np.save(tmp_path / "set.npy", IMAGES)
    (tmp_path / "set.json").write_text(facts if isinstance(facts, str) else json.dumps(facts))
    with pytest.raises(PictureError, match=r"set\.json") as failure:
        open_set(tmp_path / "set.npy")
    assert "\n" not in str(failure.value)


def test_facts_without_labels_are_no_mistake(tmp_path: Path) -> None:
    np.save(tmp_path / "set.npy", IMAGES)
    (tmp_path / "set.json").write_text('{"origin": "drawn"}')
    assert open_set(tmp_path / "set.npy").labels is None
