"""What every data source keeps to. Sources are found by listing, as families are; those that ``MAKERS`` can write a
set for are also opened, resumed and damaged."""

import gzip
import io
import json
import struct
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from trainer.contract.errors import UserError
from trainer.contract.images import resize
from trainer.data.sources import all_sources, find_source, help_of_data, need_source
from trainer.data.sources._identity import fingerprint
from trainer.data.sources.base import OpenOptions

SIDE = 32  # CIFAR-10's
IMAGES = np.random.default_rng(0).integers(0, 256, (7, SIDE, SIDE, 3), np.uint8)
GREY = np.ascontiguousarray(IMAGES[..., :1])
LABELS = np.array([0, 1, 2, 0, 1, 2, 0])
SOURCES = {source.__name__.rpartition(".")[2]: source for source in all_sources()}


def png(image: np.ndarray) -> bytes:
    return cv2.imencode(".png", image[..., ::-1])[1].tobytes()


def npy(folder: Path, images: np.ndarray) -> str:
    np.save(folder / "set.npy", images)
    sidecar = {"labels": LABELS.tolist(), "classes": ["a", "b", "c"], "names": [f"{k}.png" for k in range(len(images))]}
    (folder / "set.json").write_text(json.dumps(sidecar))
    return str(folder / "set.npy")


def idx_file(folder: Path, images: np.ndarray) -> str:
    for name, array in (("images-idx3", images[..., 0]), ("labels-idx1", LABELS.astype(np.uint8))):
        header = struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape)
        (folder / f"x-{name}-ubyte.gz").write_bytes(gzip.compress(header + array.tobytes(), mtime=0))
    return str(folder / "x-images-idx3-ubyte.gz")


def idx_folder(folder: Path, images: np.ndarray) -> str:
    idx_file(folder, images)
    return str(folder)


def cifar(folder: Path, images: np.ndarray) -> str:
    records = np.concatenate([LABELS[:, None], images.transpose(0, 3, 1, 2).reshape(len(images), -1)], 1)
    (folder / "data_batch_1.bin").write_bytes(records.astype(np.uint8).tobytes())
    return str(folder)


def class_folders(folder: Path, images: np.ndarray) -> str:
    for number, (image, label) in enumerate(zip(images, LABELS, strict=True)):
        (folder / "abc"[label]).mkdir(exist_ok=True)
        (folder / "abc"[label] / f"{number}.png").write_bytes(png(image))
    return str(folder)


def shards(folder: Path, images: np.ndarray) -> str:
    with tarfile.open(folder / "x-0.tar", "w") as archive:
        for number, (image, label) in enumerate(zip(images, LABELS, strict=True)):
            for ending, data in (("png", png(image)), ("cls", str(label).encode())):
                member = tarfile.TarInfo(f"{number:03}.{ending}")
                member.size = len(data)
                archive.addfile(member, io.BytesIO(data))
    return str(folder / "x-{0..0}.tar")


def table(images: np.ndarray) -> Any:
    datasets = pytest.importorskip("datasets")
    kinds = datasets.Features({"image": datasets.Image(), "label": datasets.ClassLabel(names=["a", "b", "c"])})
    rows = [{"bytes": png(image), "path": None} for image in images]
    return datasets.Dataset.from_dict({"image": rows, "label": LABELS.tolist()}, features=kinds)


def parquet(folder: Path, images: np.ndarray) -> str:
    table(images).to_parquet(str(folder / "train-0.parquet"))
    return str(folder)


def stylegan(folder: Path, images: np.ndarray, method: int = zipfile.ZIP_STORED) -> str:
    names = [f"00000/img{number:08}.png" for number in range(len(images))]
    with zipfile.ZipFile(folder / "set.zip", "w", method) as archive:
        for name, image in zip(names, images, strict=True):
            archive.writestr(name, png(image))
        labels = [[name, int(label)] for name, label in zip(names, LABELS, strict=True)]
        archive.writestr("dataset.json", json.dumps({"labels": labels}))
    return str(folder / "set.zip")


def packed(folder: Path, images: np.ndarray) -> str:
    return stylegan(folder, images, zipfile.ZIP_DEFLATED)


def npz(folder: Path, images: np.ndarray) -> str:
    np.savez_compressed(folder / "set.npz", x_train=images, y_train=LABELS[:, None], x_test=images[:1])
    return str(folder / "set.npz")


def lmdb_folder(folder: Path, images: np.ndarray) -> str:
    lmdb = pytest.importorskip("lmdb")
    with lmdb.open(str(folder), map_size=1 << 24) as database, database.begin(write=True) as writing:
        for number, image in enumerate(images):
            writing.put(f"{number:04}".encode(), png(image))
    (folder / "lock.mdb").unlink()
    (folder / "meta_info.txt").write_text("".join(f"{k:04}.png (32,32,3) 1\n" for k in range(len(images))))
    return str(folder)


MAKERS: dict[str, tuple[str, Callable[[Path, np.ndarray], str]]] = {
    "npy": ("npy_set", npy), "idx file": ("idx", idx_file), "idx folder": ("idx", idx_folder),
    "CIFAR-10": ("cifar", cifar), "folder": ("folder", class_folders), "shards": ("shards", shards),
    "parquet": ("parquet", parquet), "zip": ("zip_set", stylegan), "packed zip": ("zip_set", packed),
    "npz": ("npz", npz), "LMDB": ("lmdb_set", lmdb_folder),
}  # fmt: skip
BY_NAME = ("hub", "torchvision_sets", "toycats")  # by a prefix, and from elsewhere


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture(params=MAKERS)
def made(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[str, str, np.ndarray]:
    """The source's name, what ``--data`` is, and the images in their order."""
    name, make = MAKERS[request.param]
    (tmp_path / "set").mkdir()
    images = GREY if name == "idx" else IMAGES
    data = make(tmp_path / "set", images)
    return name, data, images[np.argsort(LABELS, kind="stable")] if name == "folder" else images


def of(data: str) -> str:
    return fingerprint([need_source(data)], None, Path("none"))


def test_the_sources_of_this_suite_are_found_by_listing() -> None:
    assert {name for name, _ in MAKERS.values()} | set(BY_NAME) <= SOURCES.keys()


@pytest.mark.parametrize("name", SOURCES)
def test_a_source_claims_by_looking(name: str, tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    (tmp_path / "noise").write_bytes(np.random.default_rng(1).bytes(5000))
    (tmp_path / "photo.jpg").write_bytes(png(IMAGES[0]))
    for data in ("missing", *map(str, tmp_path.iterdir())):
        assert not SOURCES[name].claims(data)


@pytest.mark.parametrize("name", SOURCES)
def test_a_source_says_what_it_opens(name: str, tmp_path: Path) -> None:
    source = SOURCES[name]
    assert source.HELP in help_of_data()
    assert isinstance(source.ORDER, int)
    (tmp_path / "text").write_text("neither images nor a table")
    for wrong in ("no such file", "x" * 5000, "a\0b", str(tmp_path / "text")):
        with pytest.raises(UserError) as failure:
            need_source(wrong).open()
        assert "\n" not in str(failure.value)
    with pytest.raises(UserError, match="--data is") as failure:
        need_source(str(tmp_path / "text")).open()
    assert source.HELP in str(failure.value)


def test_images_and_labels_are_those_that_were_written(made: tuple[str, str, np.ndarray]) -> None:
    name, data, images = made
    found = find_source(data)
    assert found is not None
    assert found.kind == name
    for source in (found.open(), found.open(OpenOptions(any_size=True, workers=2))):
        pieces = list(source.pieces())
        assert source.shape[0] == len(images)
        assert np.array_equal(np.concatenate([piece for piece, _ in pieces]), images)
        labels = [number for _, numbers in pieces if numbers is not None for number in numbers]
        assert labels == ([] if name == "lmdb_set" else sorted(LABELS) if name == "folder" else LABELS.tolist())
        assert len(source.classes) >= 3 or name in ("shards", "lmdb_set")
        assert np.concatenate([piece for piece, _ in source.pieces()]).shape == images.shape, "it is read once more"


def test_any_image_can_be_read_alone(made: tuple[str, str, np.ndarray]) -> None:
    _, data, images = made
    source = need_source(data).open()
    if source.images is not None:
        assert source.images.shape == images.shape
        for indices in ([5, 1, 1], [6], [0, 3]):  # a run is resumed anywhere
            assert np.array_equal(source.images[np.array(indices)], images[indices])
    if source.fetch is not None:
        assert all(np.array_equal(source.fetch(k), images[k]) for k in (6, 0, 2))
    assert source.labels is None or len(source.labels) == len(images)


def test_endings_in_capitals_are_the_same_set(made: tuple[str, str, np.ndarray], tmp_path: Path) -> None:
    name, data, images = made
    for file in [path for path in (tmp_path / "set").rglob("*") if path.is_file()]:
        file.rename(file.with_suffix(file.suffix.upper()))
    data = data if Path(data).is_dir() else str(Path(data).with_suffix(Path(data).suffix.upper()))
    found = find_source(data)
    assert found is not None
    assert found.kind == name
    for options in (OpenOptions(), OpenOptions(any_size=True)):
        source = found.open(options)
        pieces = list(source.pieces())
        assert np.array_equal(np.concatenate([piece for piece, _ in pieces]), images)
        labels = [number for _, numbers in pieces if numbers is not None for number in numbers]
        assert labels == ([] if name == "lmdb_set" else sorted(LABELS) if name == "folder" else LABELS.tolist())


@pytest.mark.parametrize("size", [8, 48])
def test_images_are_brought_to_a_size(made: tuple[str, str, np.ndarray], size: int) -> None:
    _, data, images = made
    source = need_source(data).open(OpenOptions(image_size=size))
    found = np.concatenate([piece for piece, _ in source.pieces()])
    assert source.shape == found.shape == (len(images), size, size, images.shape[3])
    expected = np.stack([resize(image, size, size).reshape(size, size, -1) for image in images])
    assert np.abs(found.astype(int) - expected).max() <= 1
    assert source.images is None or np.array_equal(source.images[np.arange(len(images))], found)


def test_only_npy_files_may_be_said_to_be_bgr(made: tuple[str, str, np.ndarray]) -> None:
    name, data, images = made
    if name == "npy_set":
        (piece, _), *_ = need_source(data).open(OpenOptions(bgr=True)).pieces()
        assert np.array_equal(piece, images[..., ::-1])
    else:
        with pytest.raises(UserError, match=r"--bgr: .* expected a \.npy file"):
            need_source(data).open(OpenOptions(bgr=True))


def test_it_is_known_by_what_it_holds(made: tuple[str, str, np.ndarray], tmp_path: Path) -> None:
    _, data, _ = made
    before = of(data)
    assert of(data) == before
    largest = max((tmp_path / "set").rglob("*.*"), key=lambda path: path.stat().st_size)
    largest.write_bytes(largest.read_bytes()[:-5] + bytes(9))
    assert of(data) != before


def test_what_is_damaged_is_one_line(made: tuple[str, str, np.ndarray], tmp_path: Path) -> None:
    _, data, _ = made
    for file in (tmp_path / "set").rglob("*.*"):
        if file.is_file() and file.suffix != ".json":
            file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    with pytest.raises(UserError) as failure:
        list(need_source(data).open().pieces())
    assert "\n" not in str(failure.value)


@pytest.mark.parametrize("name", [*BY_NAME, "hubstream"])
def test_sets_of_elsewhere_are_claimed_by_their_prefix(name: str) -> None:
    prefix = name.removesuffix("_sets") + ":"
    for wrong in ("?", "../x", "a/b/c/d"):
        found = find_source(prefix + wrong)
        assert found is not None
        assert found.kind == name.removesuffix("stream")
        with pytest.raises(UserError, match=prefix):
            found.open(OpenOptions(image_size=8))
        assert list(found.source.identity(found.data, "none")) == [], "known by its labels alone"


def test_drawn_cats_are_the_same_alone_and_in_a_row() -> None:
    source = need_source("toycats:3").open(OpenOptions(image_size=16))
    assert source.fetch is not None
    images = np.concatenate([piece for piece, _ in source.pieces()])
    assert all(np.array_equal(source.fetch(k), images[k]) for k in (2, 0))


def test_runs_of_version_0_1_know_their_data(tmp_path: Path) -> None:
    """Fingerprints as commit b699f0e computed them."""
    array = np.arange(3 * 4 * 4 * 3, dtype=np.uint8).reshape(3, 4, 4, 3)
    (tmp_path / "a.npy").write_bytes(npy_bytes(array))
    for name in ("train/x/1.png", "train/y/2.jpg", "test/x/3.png"):
        (tmp_path / "folder" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "folder" / name).write_bytes(name.encode() * 9)
    (tmp_path / "s").mkdir()
    (tmp_path / "s" / "c-000.tar").write_bytes(bytes(100))
    (tmp_path / "s" / "c.index.json").write_text('{"a": 1}')
    found = [of(str(tmp_path / name)) for name in ("a.npy", "folder", "s", "s/c-{000..000}.tar")]
    assert found == ["f1956fb9031ec375", "f1a3fd932a99f756", "3be2ccdb6faecceb", "3be2ccdb6faecceb"]
    labels = fingerprint([need_source("toycats")], np.arange(5), tmp_path)
    assert labels == "281b02b10f5f4997"


def npy_bytes(array: np.ndarray) -> bytes:
    stream = io.BytesIO()
    np.lib.format.write_array(stream, array, version=(1, 0))
    return stream.getvalue()
