"""Sets of images with labels: .npy, idx and folders; what is damaged or hostile is one line."""

import gzip
import io
import json
import tarfile
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from small_models import make_encoder, make_generator

from trainer.contract.errors import ImageError
from trainer.contract.images import crop
from trainer.data.sources import need_source
from viewer.files.image_set import open_set
from viewer.model import open_model, open_sibling_encoder
from viewer.modes.dataset.session import common_size
from viewer.modes.latent.scatter import open_scatter
from viewer.opening import choose

IMAGES = np.random.default_rng(0).integers(0, 256, (7, 6, 5, 3), np.uint8)
LABELS = [0, 1, 2, 0, 1, 2, 0]


def idx(array: np.ndarray) -> bytes:
    sizes = b"".join(side.to_bytes(4, "big") for side in array.shape)
    return bytes((0, 0, 8, array.ndim)) + sizes + array.tobytes()


def test_npy_with_labels_beside_it(tmp_path: Path) -> None:
    np.save(tmp_path / "set.npy", IMAGES)
    sidecar = {"labels": LABELS, "classes": ["a", "b\x1b[31m", "c"]}
    (tmp_path / "set.json").write_text(json.dumps(sidecar))
    found = open_set(tmp_path / "set.npy")
    assert found.count == 7
    assert found.labels is not None
    assert found.labels.tolist() == LABELS
    assert found.classes[0] == "a"
    assert "\x1b" not in found.classes[1]
    assert np.array_equal(found.fetch(3), IMAGES[3, ..., ::-1])
    assert found.read(1, 6, 6, crop).shape == (6, 6, 3)


@pytest.mark.parametrize("shape", [(7, 6, 5), (7, 6, 5, 1)])
def test_grey_images_and_no_labels(tmp_path: Path, shape: tuple[int, ...]) -> None:
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
        assert (found.count, found.classes, found.labels.tolist()) == (7, tuple("0123456789"), LABELS)
        assert np.array_equal(found.fetch(2)[..., 0], IMAGES[2, ..., 0])


def test_what_is_transparent_is_white_as_in_training(tmp_path: Path) -> None:
    (tmp_path / "set").mkdir()
    cv2.imwrite(str(tmp_path / "set" / "clear.png"), np.zeros((4, 4, 4), np.uint8))
    assert (open_set(tmp_path / "set").fetch(0) == 255).all()


def test_folders_are_classes(tmp_path: Path) -> None:
    for number, name in enumerate(("newt", "cat", "cat")):
        (tmp_path / name).mkdir(exist_ok=True)
        cv2.imwrite(str(tmp_path / name / f"{number}.png"), IMAGES[number])
    (tmp_path / "cat" / "notes.txt").write_text("no image")
    found = open_set(tmp_path)
    assert found.labels is not None
    assert (found.classes, found.labels.tolist()) == (("cat", "newt"), [0, 0, 1])
    assert np.array_equal(found.fetch(2), IMAGES[0])
    assert open_set(tmp_path / "cat").labels is None


def save(path: Path, number: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), IMAGES[number])


def layout_of(kind: str, folder: Path) -> Path:
    """A set of images that lies in a folder as sets do."""
    match kind:
        case "hidden and empty folders":
            for number, name in enumerate((".cache/a", ".cache/b", "newt/.hidden", "cat/b", "newt/deep/c", "cat/a")):
                save(folder / f"{name}.png", number)
            (folder / "ant").mkdir()
        case "train and test":
            for number, name in enumerate(("test/ant/a", "train/newt/a", "train/cat/b", "test/cat/c", "train/newt/d")):
                save(folder / f"{name}.png", number)
        case "only parts of another kind":
            for number, name in enumerate(("train/a", "other/b", "test/c")):
                save(folder / f"{name}.png", number)
        case "one folder":
            save(folder / "train" / "a.png", 0)
            save(folder / "train" / "b.png", 1)
        case "images beside folders":
            for number, name in enumerate(("cat/a", "b", "newt/c")):
                save(folder / f"{name}.png", number)
        case "files beside folders that are no images":
            for number, name in enumerate(("cat/a", "newt/c", "cat/b")):
                save(folder / f"{name}.png", number)
            (folder / "Thumbs.db").write_bytes(b"thumbs")
            (folder / "cover.png").write_bytes((folder / "cat" / "a.png").read_bytes()[:-30])
            for name in ("notes/readme.txt", "olm/a.png"):
                (folder / name).parent.mkdir()
                (folder / name).write_text("no image")
        case "links to folders":
            for number, name in enumerate(("real/cat/a", "real/newt/c", "real/cat/b", "set/dog/d", "set/.kept/e")):
                save(folder / f"{name}.png", number)
            for name, target in (("cat", "../real/cat"), ("best", "dog"), ("newt", "../real/newt"), ("up", "..")):
                (folder / "set" / name).symlink_to(target)
            (folder / "set" / "pug").symlink_to(".kept")
            (folder / "real" / "cat" / "circle").symlink_to(".")
            return folder / "set"
        case "idx in raw":
            (folder / "raw").mkdir()
            for part, count in (("t10k", 3), ("train", 7)):
                images, labels = IMAGES[:count, ..., 0], np.array(LABELS[:count], np.uint8)
                (folder / "raw" / f"{part}-images-idx3-ubyte.gz").write_bytes(gzip.compress(idx(images)))
                (folder / "raw" / f"{part}-labels-idx1-ubyte").write_bytes(idx(labels))
        case "an idx file of any name":
            (folder / "digits").write_bytes(gzip.compress(idx(IMAGES[..., 0])))
            return folder / "digits"
    return folder


@pytest.mark.parametrize(
    "kind",
    [
        "hidden and empty folders",
        "train and test",
        "only parts of another kind",
        "one folder",
        "images beside folders",
        "files beside folders that are no images",
        "links to folders",
        "idx in raw",
        "an idx file of any name",
    ],
)
@pytest.mark.parametrize("size", [0, 4, 9])
def test_a_set_is_what_it_is_in_training(tmp_path: Path, kind: str, size: int) -> None:
    pytest.importorskip("torch")
    from trainer.data.batches.dataset import open_dataset

    path = layout_of(kind, tmp_path)
    found, trained = open_set(path), open_dataset(str(path), image_size=size, progress=False)
    assert found.classes == trained.classes
    assert (found.labels is None) == (trained.labels is None)
    if found.labels is not None and trained.labels is not None:
        assert found.labels.tolist() == trained.labels.tolist()
    _, height, width, _ = trained.images.shape
    images = np.stack([found.read(number, height, width, crop)[..., ::-1] for number in range(found.count)])
    assert np.array_equal(images, np.broadcast_to(trained.images[np.arange(len(trained))], images.shape))


def test_a_set_of_one_image_and_bytes_too_many_are_refused_as_in_training(tmp_path: Path) -> None:
    np.save(tmp_path / "one.npy", np.zeros((128, 128, 3), np.uint8))
    np.save(tmp_path / "long.npy", IMAGES)
    with (tmp_path / "long.npy").open("ab") as file:
        file.write(b"more")
    for name, words in (("one.npy", "one image and not a set"), ("long.npy", "has bytes too many")):
        with pytest.raises(ImageError, match=words) as failure:
            open_set(tmp_path / name)
        assert "\n" not in str(failure.value)


@pytest.mark.parametrize("suffix", [".png", ".tif", ".ppm"])
def test_a_folder_has_the_classes_that_it_has_in_training(tmp_path: Path, suffix: str) -> None:
    for number, name in enumerate(("newt", "cat", "cat")):
        (tmp_path / name).mkdir(exist_ok=True)
        cv2.imwrite(str(tmp_path / name / f"{number}{suffix}"), IMAGES[number])
    found, trained = open_set(tmp_path), need_source(str(tmp_path)).open()
    assert (found.classes, found.count) == (trained.classes, trained.shape[0]) == (("cat", "newt"), 3)
    images = np.concatenate([images for images, _ in trained.pieces()])
    assert all(np.array_equal(found.fetch(number)[..., ::-1], images[number]) for number in range(3))


def cifar(path: Path) -> Path:
    records = np.random.default_rng(0).integers(0, 256, (7, 3073), np.uint8)
    records[:, 0] = LABELS
    (path / "cifar").mkdir()
    (path / "cifar" / "data_batch_1.bin").write_bytes(records.tobytes())
    return path / "cifar"


def shards(path: Path, sizes: Sequence[int] = (6,)) -> Path:
    (path / "shards").mkdir()
    with tarfile.open(path / "shards" / "x-0.tar", "w") as archive:
        for number, label in enumerate(LABELS):
            image = cv2.resize(IMAGES[number], (5, sizes[number % len(sizes)]))
            for ending, data in (("png", cv2.imencode(".png", image)[1].tobytes()), ("cls", str(label).encode())):
                member = tarfile.TarInfo(f"{number:03}.{ending}")
                member.size = len(data)
                archive.addfile(member, io.BytesIO(data))
    return path / "shards" / "x-{0..0}.tar"


def parquet(path: Path) -> Path:
    datasets = pytest.importorskip("datasets")
    kinds = datasets.Features({"image": datasets.Image(), "label": datasets.ClassLabel(names=["a", "b", "c"])})
    rows = [{"bytes": cv2.imencode(".png", image)[1].tobytes(), "path": None} for image in IMAGES]
    datasets.Dataset.from_dict({"image": rows, "label": LABELS}, features=kinds).to_parquet(str(path / "x.parquet"))
    return path / "x.parquet"


@pytest.mark.parametrize("make", [cifar, shards, parquet])
def test_sets_that_only_training_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, make: Any) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    path = make(tmp_path)
    found, trained = open_set(path), need_source(str(path)).open()
    assert found.labels is not None
    assert (found.count, found.labels.tolist(), found.size) == (7, LABELS, trained.shape[1:3])
    assert found.classes == trained.classes
    images = np.concatenate([images for images, _ in trained.pieces()])
    for number in (5, 0, 6):
        assert np.array_equal(found.fetch(number)[..., ::-1], images[number])


def test_shards_of_several_sizes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    found = open_set(shards(tmp_path, (6, 9)))
    assert found.size is None
    assert [found.fetch(number).shape for number in range(3)] == [(6, 5, 3), (9, 5, 3), (6, 5, 3)]
    assert common_size([found]) == (6, 6), "the median of the larger lengths"


def test_drawn_cats_are_drawn_when_they_are_looked_at() -> None:
    found = open_set(Path("toycats:1000"))
    assert (found.count, found.classes[0], found.fetch(999).shape) == (1000, "solid", (128, 128, 3))


def test_a_set_that_has_to_be_held_is_not_too_large(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("viewer.files.image_set._LARGEST_IN_MEMORY", 1000)
    with pytest.raises(ImageError, match="21504 bytes of images, expected at most 1000"):
        open_set(cifar(tmp_path))


def test_several_idx_sets_in_a_folder_are_one_line(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / f"{name}-images-idx3-ubyte").write_bytes(idx(IMAGES[..., 0]))
    with pytest.raises(ImageError, match="holds 2 sets") as failure:
        open_set(tmp_path)
    assert "\n" not in str(failure.value)


def test_images_are_cropped_or_stretched_as_in_the_training_of_a_model(model_folder: Path, tmp_path: Path) -> None:
    wide = np.zeros((8, 32, 3), np.uint8)
    wide[:, :8], wide[:, 24:] = 255, 100
    cv2.imwrite(str(tmp_path / "wide.png"), wide)
    make_generator(model_folder / "fits.onnx")
    for training, whole in (({}, True), ({"fit": "crop"}, False), ({"fit": "rubbish"}, True)):
        make_encoder(model_folder / "fits.encoder.onnx", training=training)
        model, encoder = open_model(model_folder / "fits.onnx"), open_sibling_encoder(model_folder / "fits.onnx")
        found = open_scatter(model, encoder, tmp_path, 10).image(0)
        assert found is not None
        assert (found[:, :2].min() == 255) == whole
        assert (found[:, 14:].max() == 100) == whole


def test_npy_of_plain_opencv_scripts(tmp_path: Path) -> None:
    np.save(tmp_path / "set.npy", IMAGES)
    assert np.array_equal(open_set(tmp_path / "set.npy", bgr=True).fetch(3), IMAGES[3])
    np.save(tmp_path / "grey.npy", IMAGES[..., 0])
    with pytest.raises(ImageError, match="1 channel"):
        open_set(tmp_path / "grey.npy", bgr=True)
    with pytest.raises(ImageError, match=r"expected a \.npy file"):
        open_set(tmp_path, bgr=True)


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
    (tmp_path / "a.txt").write_text("no images")
    (tmp_path / "b-images-idx3-ubyte").write_bytes(b"\0\0\x0d\3" + b"\1" * 12)
    (tmp_path / "c-images-idx3-ubyte").write_bytes(idx(IMAGES[..., 0])[:-1])
    (tmp_path / "d-images-idx3-ubyte").write_bytes(bytes((0, 0, 8, 3)) + b"\xff" * 12)
    (tmp_path / "e-images-idx3-ubyte.gz").write_bytes(gzip.compress(idx(IMAGES[..., 0]))[:-20])
    (tmp_path / "f-images-idx3-ubyte.gz").write_bytes(b"rubbish")
    for path in (*tmp_path.iterdir(), tmp_path / "missing.npy"):
        with pytest.raises(ImageError, match=path.name) as failure:
            open_set(path)
        assert "\n" not in str(failure.value)


@pytest.mark.parametrize(
    "sidecar",
    [
        "[",
        {"labels": LABELS},
        {"labels": LABELS[1:], "classes": ["a", "b", "c"]},
        {"labels": LABELS, "classes": ["a", "b"]},
        {"labels": [0.5] * 7, "classes": ["a"]},
        {"labels": 3, "classes": ["a"]},
    ],
)
def test_labels_that_do_not_fit_are_one_line(tmp_path: Path, sidecar: object) -> None:
    np.save(tmp_path / "set.npy", IMAGES)
    (tmp_path / "set.json").write_text(sidecar if isinstance(sidecar, str) else json.dumps(sidecar))
    with pytest.raises(ImageError, match=r"set\.json") as failure:
        open_set(tmp_path / "set.npy")
    assert "\n" not in str(failure.value)


def test_facts_without_labels_are_no_mistake(tmp_path: Path) -> None:
    np.save(tmp_path / "set.npy", IMAGES)
    (tmp_path / "set.json").write_text('{"origin": "drawn"}')
    assert open_set(tmp_path / "set.npy").labels is None


def test_masks_of_ids_and_sets_of_other_programs_are_shown(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ids = np.zeros((16, 16), np.uint8)
    ids[4:12, 4:12] = 1
    (tmp_path / "masks").mkdir()
    for name, mask in (("a", ids), ("b", np.ones_like(ids))):
        cv2.imwrite(str(tmp_path / "masks" / f"{name}.png"), mask)
    found = open_set(tmp_path / "masks")
    assert "numbers of classes" in capsys.readouterr().err
    assert (found.fetch(1) == (0, 0, 128)).all(), "of one class alone, which the others tell"
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        for label in (10, 2):
            archive.writestr(f"{label}/x.png", cv2.imencode(".png", IMAGES[label % 3])[1].tobytes())
    np.savez(tmp_path / "b.npz", images=IMAGES, labels=LABELS)
    found = open_set(tmp_path / "a.zip")
    assert (found.count, found.classes) == (2, ("2", "10"))
    assert np.array_equal(found.fetch(0), IMAGES[1])
    found = open_set(tmp_path / "b.npz")
    assert (found.count, len(found.classes)) == (7, 3)
    for name in ("a.zip", "b.npz"):
        opening = choose([str(tmp_path / name)], "viewer")
        assert opening.mode == "dataset"
