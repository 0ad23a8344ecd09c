"""Training sets and the stream of batches: colours, labels, unsound files, exactness over resumes and ranks."""

import json
import struct
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from drawn_cats import CLASSES, draw
from hypothesis import given, settings
from hypothesis import strategies as st

from trainer.contract.errors import UserError
from trainer.data.batches.augment import Augment, mirror, warp
from trainer.data.batches.dataset import ImageDataset, open_dataset
from trainer.data.batches.order import Order
from trainer.data.batches.stream import Stream, ordered
from trainer.data.sources.folder import FolderImages
from trainer.data.sources.npy_set import ImageSet

CPU = torch.device("cpu")
EVERYTHING = Augment(flip=True, rotate=10, crop=0.2)


def numbered(count: int) -> ImageDataset:
    """Image k is uniformly k."""
    images = np.broadcast_to(np.arange(count, dtype=np.uint8)[:, None, None, None], (count, 4, 4, 3)).copy()
    return ImageDataset(images=images, labels=np.arange(count) % 3, classes=("a", "b", "c"), name="numbered")


def stream(images: ImageDataset, indices: np.ndarray | None = None, **changes: Any) -> Stream:
    defaults: dict[str, Any] = {
        "batch_size": 4, "rank": 0, "world_size": 1, "seed": 0, "device": CPU, "image_range": (0.0, 255.0),
        "augment": Augment(),
    }  # fmt: skip
    return Stream(images, np.arange(len(images)) if indices is None else indices, **{**defaults, **changes})


def numbers(batches: list[Any]) -> list[int]:
    return [round(float(value)) for batch in batches for value in batch.image[:, 0, 0, 0]]


def take(source: Stream, count: int) -> list[Any]:
    return [next(source) for _ in range(count)]


@given(count=st.integers(1, 40), batch=st.integers(1, 9), world=st.integers(1, 3), seed=st.integers(-3, 2**40))
@settings(max_examples=40)
def test_each_image_once_an_epoch(count: int, batch: int, world: int, seed: int) -> None:
    images = numbered(count)
    ranks = [stream(images, batch_size=batch, world_size=world, rank=rank, seed=seed) for rank in range(world)]
    drawn: list[int] = []
    while len(drawn) < 3 * count:
        for rank in ranks:
            drawn += numbers(take(rank, 1))
    assert ranks[0].position == len(drawn)
    for epoch in range(3):
        assert sorted(drawn[epoch * count : (epoch + 1) * count]) == list(range(count))


def test_epochs_and_seeds_differ() -> None:
    order, other = Order(100, 0), Order(100, 1)
    assert order.take(0, 100).tolist() != order.take(100, 100).tolist() != other.take(0, 100).tolist()


@pytest.mark.parametrize("workers", [0, 1])
@pytest.mark.parametrize("memory_gib", [0.0, 1.0])
def test_resume_at_a_position_equals_the_uninterrupted_stream(workers: int, memory_gib: float) -> None:
    cats = draw(11, 16, 0)
    images = ImageDataset(images=cats.images, labels=cats.labels, classes=cats.classes, name="cats")
    whole = take(stream(images, augment=EVERYTHING, image_range=(-1.0, 1.0)), 8)
    late = stream(
        images, augment=EVERYTHING, image_range=(-1.0, 1.0), position=12, memory_gib=memory_gib, workers=workers
    )
    for expected, found in zip(whole[3:], take(late, 5), strict=True):
        assert torch.equal(expected.image, found.image)
        assert torch.equal(expected.label, found.label)
    late.position = 4
    assert torch.equal(next(late).image, whole[1].image)
    late.close()


def test_another_number_of_ranks_goes_on_with_the_remaining_images() -> None:
    images = numbered(29)
    first = numbers(take(stream(images), 3))
    ranks = [stream(images, batch_size=3, world_size=2, rank=rank, position=12) for rank in range(2)]
    rest = [number for _ in range(3) for rank in ranks for number in numbers(take(rank, 1))]
    assert sorted((first + rest)[:29]) == list(range(29))


def test_batches_are_channels_last_in_range_with_their_labels() -> None:
    batch = next(stream(numbered(29), image_range=(-1.0, 1.0)))
    assert batch.image.shape == (4, 3, 4, 4)
    assert batch.image.dtype == torch.float32
    assert batch.image.is_contiguous(memory_format=torch.channels_last)
    values = ((batch.image[:, 0, 0, 0] + 1) * 127.5).round().long()
    assert torch.equal(batch.label, values % 3)
    white = ImageDataset(images=np.full((1, 4, 4, 3), 255, np.uint8), name="white")
    for low, high in ((-1.0, 1.0), (0.0, 1.0)):
        image = next(stream(white, batch_size=1, image_range=(low, high))).image
        assert abs(float(image.max()) - high) < 1e-6


def test_only_the_training_indices_are_drawn() -> None:
    images = numbered(25)
    training, held_out = images.split(5)
    assert held_out.tolist() == [4, 9, 14, 19, 24]
    assert len(training) == 20
    assert set(numbers(take(stream(images, training), 10))) == set(training.tolist())
    assert len(images.split(0)[1]) == 0


@pytest.mark.parametrize("memory_gib", [0.0, 1.0])
def test_ordered_gives_each_once_over_ranks(memory_gib: float) -> None:
    images, chosen = numbered(25), np.arange(3, 20)
    seen: list[int] = []
    for rank in range(2):
        seen += numbers(list(ordered(
            images, chosen, batch_size=4, device=CPU, image_range=(0.0, 255.0), rank=rank, world_size=2,
            memory_gib=memory_gib,
        )))  # fmt: skip
    assert Counter(seen) == Counter(chosen.tolist())


def test_augmentation_is_its_generators_alone_and_leaves_the_set_unharmed() -> None:
    cats = draw(8, 24, 0)
    images = ImageDataset(images=cats.images.copy(), name="cats")
    one, two = (take(stream(images, augment=EVERYTHING), 6) for _ in range(2))
    other = take(stream(images, augment=EVERYTHING, seed=1), 6)
    assert all(torch.equal(a.image, b.image) for a, b in zip(one, two, strict=True))
    assert not any(torch.equal(a.image, b.image) for a, b in zip(one, other, strict=True))
    assert (images.images == cats.images).all()


def test_mirror_flips_about_half_left_to_right() -> None:
    images = torch.zeros(400, 3, 4, 3, dtype=torch.uint8)
    images[:, :, 0] = 9
    flipped = mirror(images.clone(), torch.Generator().manual_seed(0))
    right = (flipped[:, :, 3] == 9).all(-1).all(-1)
    assert 150 < int(right.sum()) < 250
    assert bool((flipped[~right] == images[0]).all())
    assert bool((flipped[right] == images[0].flip(1)).all())
    grey = torch.arange(6, dtype=torch.uint8).view(1, 2, 3, 1).repeat(50, 1, 1, 1)
    assert mirror(grey.clone(), torch.Generator().manual_seed(0)).shape == grey.shape


def test_warp_keeps_circles_round_and_nothing_is_a_no_op() -> None:
    y, x = np.mgrid[-1:1:33j, -2:2:65j]
    disc = torch.from_numpy((np.hypot(x, y) < 0.6).astype(np.float32))[None, None].repeat(16, 1, 1, 1)
    generator = torch.Generator().manual_seed(0)
    turned = warp(disc, Augment(rotate=90), generator)
    assert float((turned - disc).abs().mean()) < 0.01, "turned about the middle, a disc stays"
    assert torch.allclose(warp(disc, Augment(rotate=1e-9), generator), disc, atol=1e-4)
    larger = warp(disc, Augment(crop=0.5), generator)
    assert float(larger.mean()) > 1.3 * float(disc.mean())


def save(path: Path, images: np.ndarray) -> str:
    np.save(path, images)
    return str(path)


def red(count: int = 3, size: int = 8) -> np.ndarray:
    images = np.zeros((count, size, size, 3), np.uint8)
    images[..., 0] = 255
    return images


@pytest.mark.parametrize("memory", [0.0, 1.0])
@pytest.mark.parametrize("image_size", [0, 4])
def test_red_stays_red_and_bgr_is_turned(tmp_path: Path, memory: float, image_size: int) -> None:
    rgb, bgr = save(tmp_path / "rgb.npy", red()), save(tmp_path / "bgr.npy", red()[..., ::-1].copy())
    for path, flag in ((rgb, False), (bgr, True)):
        images = open_dataset(path, image_size=image_size, bgr=flag, memory=memory, progress=False)
        assert images.spec.image_size == ((image_size or 8,) * 2)
        assert images.spec.channels == 3
        image = next(stream(images, batch_size=2, memory_gib=memory)).image
        assert image[:, 0].min() == 255
        assert image[:, 1:].max() == 0


def test_a_large_file_is_mapped_and_reads_the_same(tmp_path: Path) -> None:
    cats = draw(9, 16, 0)
    path = save(tmp_path / "cats.npy", cats.images)
    in_memory = open_dataset(path, memory=1.0)
    mapped = open_dataset(path, memory=0.0)
    assert isinstance(mapped.images, ImageSet)
    assert isinstance(in_memory.images, np.ndarray)
    one, two = take(stream(in_memory, augment=EVERYTHING), 4), take(stream(mapped, augment=EVERYTHING, workers=1), 4)
    assert all(torch.equal(a.image, b.image) for a, b in zip(one, two, strict=True))


def test_resized_large_files_leave_no_temporary_ones(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temporary"))
    (tmp_path / "temporary").mkdir()
    path = save(tmp_path / "red.npy", red())
    images = open_dataset(path, image_size=4, memory=0.0, progress=False)
    assert len(list((tmp_path / "temporary").iterdir())) == 1
    del images
    assert not list((tmp_path / "temporary").iterdir())


def test_grey_is_one_channel(tmp_path: Path) -> None:
    for shape in ((4, 8, 8), (4, 8, 8, 1)):
        images = open_dataset(save(tmp_path / "grey.npy", np.full(shape, 7, np.uint8)), image_size=4)
        assert images.spec.channels == 1
        assert images.images.shape == (4, 4, 4, 1)


def test_labels_beside_a_file(tmp_path: Path) -> None:
    path = save(tmp_path / "red.npy", red(3))
    (tmp_path / "red.json").write_text(json.dumps({"labels": [0, 1, 0], "classes": ["x", "y"]}))
    images = open_dataset(path)
    assert images.labels is not None
    assert images.labels.tolist() == [0, 1, 0]
    assert images.classes == ("x", "y")
    for wrong in ([0, 1], [0, 1, 2], [0, 1, "0"], "abc"):
        (tmp_path / "red.json").write_text(json.dumps({"labels": wrong, "classes": ["x", "y"]}))
        with pytest.raises(UserError, match=r"red\.json"):
            open_dataset(path)


def lying(count: int, size: int = 100) -> bytes:
    header = f"{{'descr': '|u1', 'fortran_order': False, 'shape': ({count}, 8, 8, 3), }}".ljust(117) + "\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header.encode() + bytes(size)


def test_files_that_are_not_sound_are_refused_in_one_line(tmp_path: Path) -> None:
    np.save(tmp_path / "objects.npy", np.array([{}, []], dtype=object), allow_pickle=True)
    np.save(tmp_path / "floats.npy", np.zeros((2, 8, 8, 3), np.float32))
    np.save(tmp_path / "planar.npy", np.zeros((2, 3, 8, 8), np.uint8))
    np.save(tmp_path / "alpha.npy", np.zeros((2, 8, 8, 4), np.uint8))
    np.save(tmp_path / "single.npy", np.zeros((8, 8, 3), np.uint8))
    np.save(tmp_path / "none.npy", np.zeros((0, 8, 8, 3), np.uint8))
    np.save(tmp_path / "fortran.npy", np.asfortranarray(red()))
    (tmp_path / "lying.npy").write_bytes(lying(10**15))
    (tmp_path / "minus.npy").write_bytes(lying(-1))
    (tmp_path / "longer.npy").write_bytes(lying(1, 8 * 8 * 3 + 5))
    (tmp_path / "text.npy").write_text("hello")
    (tmp_path / "empty.npy").write_text("")
    (tmp_path / "folder.npy").mkdir()
    words = {
        "objects": "pickled", "floats": "float32", "planar": "transpose", "alpha": "alpha", "single": "one image",
        "none": "no images", "fortran": "Fortran", "lying": "cut short", "minus": "shape", "longer": "too many",
        "text": "not a .npy", "empty": "not a .npy", "folder": "no readable", "missing": "no such file",
    }  # fmt: skip
    for name, word in words.items():
        with pytest.raises(UserError) as error:
            open_dataset(str(tmp_path / f"{name}.npy"), progress=False)
        message = str(error.value)
        assert word in message, message
        assert f"{name}.npy" in message
        assert "\n" not in message


def write(path: Path, colour: tuple[int, int, int], size: tuple[int, int] = (8, 8)) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), np.full((*size, 3), colour[::-1], np.uint8))


def test_class_folders_become_labels(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(tmp_path / "red" / "a.png", (255, 0, 0))
    write(tmp_path / "blue" / "b.png", (0, 0, 255))
    write(tmp_path / "blue" / "c.png", (0, 0, 255))
    (tmp_path / "blue" / "readme.txt").write_text("about")
    for memory in (1.0, 0.0):
        images = open_dataset(str(tmp_path), memory=memory, progress=False)
        assert images.classes == ("blue", "red")
        assert images.labels is not None
        assert images.labels.tolist() == [0, 0, 1]
        assert "readme.txt: not an image" in capsys.readouterr().err
        assert isinstance(images.images, np.ndarray if memory else FolderImages)
        for batch in take(stream(images, batch_size=3, memory_gib=memory, workers=0 if memory else 1), 2):
            blue = batch.image[:, 2, 0, 0] == 255
            assert torch.equal(batch.label, (~blue).long())


def test_folders_of_several_sizes_need_a_size(tmp_path: Path) -> None:
    write(tmp_path / "a.png", (1, 2, 3), (8, 8))
    write(tmp_path / "b.png", (1, 2, 3), (8, 12))
    with pytest.raises(UserError, match=r"2 sizes \(8x8, 12x8 \.\.\.\): give --image-size"):
        open_dataset(str(tmp_path), progress=False)
    assert open_dataset(str(tmp_path), image_size=6, progress=False).images.shape == (2, 6, 6, 3)


def test_an_image_that_vanishes_while_training_is_named(tmp_path: Path) -> None:
    write(tmp_path / "a.png", (1, 2, 3))
    images = open_dataset(str(tmp_path), memory=0.0, progress=False)
    (tmp_path / "a.png").unlink()
    for workers in (0, 1):
        source = stream(images, memory_gib=0.0, workers=workers)
        with pytest.raises(UserError, match=r"^\S+a\.png: no such file or directory; it was readable before$"):
            next(source)
        source.close()


def test_toy_cats_are_the_same_whatever_the_count_and_differ() -> None:
    few, many = draw(3, 32, 7), draw(20, 32, 7)
    assert (few.images == many.images[:3]).all()
    assert (draw(2, 32, 7, start=5).images == many.images[5:7]).all()
    assert len({image.tobytes() for image in many.images}) == 20
    assert not (draw(3, 32, 8).images == few.images).all((1, 2, 3)).any()
    assert [many.classes[label] for label in many.labels] == many.factors["pattern"].tolist()
    small, large = draw(4, 32, 7).images, draw(4, 96, 7).images
    for k in range(4):
        reduced = cv2.resize(large[k], (32, 32), interpolation=cv2.INTER_AREA)
        assert np.abs(reduced.astype(int) - small[k]).mean() < 6, "the same cat at every size"


def test_toy_cats_as_a_source() -> None:
    images = open_dataset("toycats:12", image_size=16, progress=False)
    assert len(images) == 12
    assert images.spec.classes == CLASSES
    for wrong in ("toycats:many", "toycats:0", "toycats:-3"):
        with pytest.raises(UserError, match="toycats:COUNT"):
            open_dataset(wrong, progress=False)


def test_the_toycats_command_writes_images_and_facts(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "trainer.data", "toycats", "-o", "cats.npy", "--count", "7", "--size", "32"]
    subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)
    images = open_dataset(str(tmp_path / "cats.npy"))
    assert images.images.shape == (7, 32, 32, 3)
    assert images.classes == CLASSES
    assert (images.images[np.arange(7)] == draw(7, 32, 0).images).all()
    sidecar = json.loads((tmp_path / "cats.json").read_text())
    assert len(sidecar["factors"]["tilt_degrees"]) == 7
    assert subprocess.run(command, cwd=tmp_path, check=False, capture_output=True).returncode == 2
