"""Which files of a folder are its images, and which folders are its classes."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from bad_images import encoded, photo
from small_sets import run

from trainer.config import RunConfig
from trainer.contract.images import files_in
from trainer.contract.resample import shrink
from trainer.data.batches.crops import open_crops
from trainer.data.batches.dataset import ImageDataset, open_dataset
from trainer.data.sources.npy_set import ImageSet
from trainer.family import Crops


@pytest.fixture
def pets(tmp_path: Path) -> Path:
    """Two images in each of two class folders."""
    folder = tmp_path / "pets"
    for name in ("cats", "dogs"):
        (folder / name).mkdir(parents=True)
        for k in range(2):
            (folder / name / f"{k}.png").write_bytes(encoded(".png"))
    return folder


def trained_on(folder: Path, memory: float = 1.0) -> ImageDataset:
    return open_dataset(str(folder), memory=memory, progress=False)


def shards_of(folder: Path) -> ImageDataset:
    out = folder.with_name("shards")
    assert run("shards", folder, "-o", out) == 0
    return open_dataset(str(out), progress=False)


@pytest.mark.parametrize("memory", [1.0, 0.0])
def test_files_that_are_no_images_make_no_class_and_take_none_away(
    pets: Path, memory: float, capsys: pytest.CaptureFixture[str]
) -> None:
    (pets / "Thumbs.db").write_bytes(b"thumbs")
    (pets / "notes").mkdir()
    (pets / "notes" / "readme.txt").write_text("about")
    for found in (trained_on(pets, memory), shards_of(pets)):
        assert found.classes == ("cats", "dogs")
        assert found.labels is not None
        assert found.labels.tolist() == [0, 0, 1, 1]
    said = capsys.readouterr()
    assert "no classes" not in said.err
    assert run("info", pets) == 0
    assert "cats: 2" in capsys.readouterr().out
    assert run("create", pets, "-o", pets.with_name("pets.npy"), "--labels", "folders") == 0
    assert ImageSet(pets.with_name("pets.npy")).sidecar.classes == ("cats", "dogs")


def test_a_damaged_image_is_none(pets: Path) -> None:
    half = encoded(".png")[:-200]  # its header is sound
    (pets / "cover.png").write_bytes(half)
    (pets / "newts").mkdir()
    (pets / "newts" / "0.png").write_bytes(half)
    for found in (trained_on(pets), shards_of(pets)):
        assert (found.classes, len(found)) == (("cats", "dogs"), 4)


def test_an_image_beside_class_folders_is_named(pets: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (pets / "Thumbs.db").write_bytes(b"thumbs")
    (pets / "cover.png").write_bytes(encoded(".png"))
    for find in (trained_on, shards_of):
        assert find(pets).labels is None
        assert "2 folders" in (said := capsys.readouterr().err)
        assert "cover.png lies beside them" in said


def test_links_to_folders_are_followed(pets: Path, tmp_path: Path) -> None:
    linked = tmp_path / "linked"
    linked.mkdir()
    for name in ("cats", "dogs"):
        (linked / name).symlink_to(pets / name)
    found = trained_on(linked)
    assert (found.classes, len(found)) == (("cats", "dogs"), 4)
    assert run("create", linked, "-o", tmp_path / "linked.npy", "--labels", "folders") == 0
    assert ImageSet(tmp_path / "linked.npy").sidecar.classes == ("cats", "dogs")


def test_each_folder_comes_once_and_under_its_own_name(pets: Path, tmp_path: Path) -> None:
    expected = [pets / name for name in ("cats/0.png", "cats/1.png", "dogs/0.png", "dogs/1.png")]
    assert list(files_in(pets)) == expected
    (pets / "best").symlink_to("cats")  # would come before it
    (pets / "cats" / "again").symlink_to(pets)
    (pets / "dogs" / "up").symlink_to(tmp_path)
    (pets / "gone").symlink_to("nowhere")
    assert list(files_in(pets)) == [pets / "gone", *expected]
    store = tmp_path / "store"
    store.mkdir()
    (store / "a.png").write_bytes(encoded(".png"))
    (store / "circle").symlink_to(store)
    (store / "back").symlink_to(pets / "cats")
    (pets / "newts").symlink_to(store)
    (pets / "olms").symlink_to(store)
    (pets / ".kept").mkdir()
    (pets / ".kept" / "b.png").write_bytes(encoded(".png"))
    (pets / "pugs").symlink_to(".kept")
    assert list(files_in(pets)) == [pets / "gone", *expected, pets / "newts" / "a.png", pets / "pugs" / "b.png"]


@pytest.mark.parametrize("layout", [("train", "test"), ()], ids=["halves", "plain"])
def test_small_versions_lie_as_the_large_ones_do(tmp_path: Path, layout: tuple[str, ...]) -> None:
    large = photo(32, 32)
    for part in layout or ("",):
        for name, image in (("large", large), ("small", shrink(large, 2))):
            (tmp_path / name / part).mkdir(parents=True)
            (tmp_path / name / part / "a.png").write_bytes(encoded(".png", image))
    reading = dataclasses.replace(Crops(size_px=16, scale=2), condition=str(tmp_path / "small"))
    found = open_crops(RunConfig(data=str(tmp_path / "large")), reading, progress=False)
    assert len(found) == 1
    assert isinstance(found.images.whole(0)[1], np.ndarray)  # type: ignore[attr-defined]
