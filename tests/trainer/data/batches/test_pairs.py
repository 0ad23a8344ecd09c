"""Pairs of images: where they come from, that both change alike, and what is said of those that are none."""

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch

from trainer.config import RunConfig
from trainer.contract.edges import edge_map
from trainer.contract.errors import UserError
from trainer.data.batches import open_data
from trainer.data.batches.augment import Augment, cut, quarter_turns
from trainer.data.batches.dataset import ImageDataset
from trainer.data.batches.stream import Stream, ordered
from trainer.data.sources.folder import FolderImages
from trainer.family import Pairs

CPU = torch.device("cpu")


def write(path: Path, image: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), image[..., ::-1] if image.ndim == 3 else image)


def smooth(seed: int, size: tuple[int, int] = (40, 40)) -> np.ndarray:
    """A smooth image u8 [h, w, 3] that no mirror or turn leaves as it is."""
    coarse = np.random.default_rng(seed).integers(0, 256, (4, 4, 3), np.uint8)
    return cv2.resize(coarse, size[::-1], interpolation=cv2.INTER_LINEAR)


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    """Six images in two folders, and their negatives of other endings."""
    for number in range(6):
        name = f"{'ab'[number % 2]}/{number}"
        write(tmp_path / "images" / f"{name}.png", smooth(number))
        write(tmp_path / "masks" / f"{name}.bmp", 255 - smooth(number))
    return tmp_path / "images", tmp_path / "masks"


def opened(
    data: Path | str, condition: Path | str, image_size: int = 32, memory: float = 4.0, **pairing: Any
) -> ImageDataset:
    config = RunConfig(data=str(data), image_size=image_size, memory=memory)
    return open_data(config, Pairs(condition=str(condition), **pairing), progress=False)


def negatives(images: ImageDataset, least: float = 250.0) -> None:
    """Each condition is the negative of its image."""
    assert images.conditions is not None
    indices = np.arange(len(images))
    total = images.images[indices].astype(int) + images.conditions[indices]
    assert least <= total.mean() <= 260
    assert total.std() < 3


@pytest.mark.parametrize("memory", [0.0, 4.0])
def test_folders_match_by_name_whatever_the_ending(folders: tuple[Path, Path], memory: float) -> None:
    images = opened(*folders, memory=memory)
    assert len(images) == 6
    assert images.spec.image_size == (32, 32)
    assert (images.spec.channels, images.spec.condition_channels) == (3, 3)
    assert isinstance(images.images, np.ndarray if memory else FolderImages)
    negatives(images)


def test_the_other_direction_swaps_the_sides(folders: tuple[Path, Path]) -> None:
    one, other = opened(*folders), opened(*folders, swapped=True)
    assert one.conditions is not None
    assert other.conditions is not None
    assert (one.images[np.arange(6)] == other.conditions[np.arange(6)]).all()
    assert (one.conditions[np.arange(6)] == other.images[np.arange(6)]).all()


@pytest.mark.parametrize("memory", [0.0, 4.0])
@pytest.mark.parametrize("swapped", [False, True])
def test_halves(tmp_path: Path, memory: float, swapped: bool) -> None:
    for number in range(3):
        image = smooth(number)
        write(tmp_path / f"{number}.png", np.hstack([255 - image // 2, image // 2]))
    images = opened(tmp_path, "halves", memory=memory, swapped=swapped)
    assert images.conditions is not None
    assert len(images) == 3
    light, dark = (images.images, images.conditions) if swapped else (images.conditions, images.images)
    indices = np.arange(3)
    assert light[indices].min() >= 127 >= dark[indices].max(), "no column of one half is in the other"


@pytest.mark.parametrize("memory", [0.0, 4.0])
def test_edges_are_drawn_on_the_fly_of_what_is_seen(memory: float) -> None:
    images = opened("toycats:5", "edges", enlarge=1.25, memory=memory or 1e-4)
    assert images.spec.image_size == (32, 32)
    assert images.spec.condition_channels == 1
    assert images.images.shape[1:3] == (40, 40)
    assert images.conditions is not None
    for image, edges in zip(images.images[np.arange(5)], images.conditions[np.arange(5)], strict=True):
        assert (edge_map(image) == edges[..., 0]).all()


def test_two_arrays(tmp_path: Path) -> None:
    images = np.stack([smooth(number, (16, 16)) for number in range(4)])
    np.save(tmp_path / "a.npy", images)
    np.save(tmp_path / "b.npy", 255 - images[..., :1])
    dataset = opened(tmp_path / "a.npy", tmp_path / "b.npy", image_size=0)
    assert (dataset.spec.channels, dataset.spec.condition_channels) == (3, 1)
    np.save(tmp_path / "b.npy", images[:3])
    with pytest.raises(UserError, match=r"holds 3 images of 16x16 px, expected the 4 images of 16x16 px of --data"):
        opened(tmp_path / "a.npy", tmp_path / "b.npy", image_size=0)


@pytest.mark.parametrize("memory", [0.0, 4.0])
def test_either_side_can_be_grey_or_rgb(folders: tuple[Path, Path], memory: float) -> None:
    grey = opened(*folders, channels=1, condition_channels=1, memory=memory)
    assert (grey.spec.channels, grey.spec.condition_channels) == (1, 1)
    negatives(grey)
    rgb = opened("toycats:3", "edges", condition_channels=3)
    assert rgb.spec.condition_channels == 3


def stream(images: ImageDataset, **changes: Any) -> Stream:
    defaults: dict[str, Any] = {
        "batch_size": 4, "rank": 0, "world_size": 1, "seed": 0, "device": CPU, "image_range": (0.0, 255.0),
        "augment": Augment(),
    }  # fmt: skip
    return Stream(images, np.arange(len(images)), **{**defaults, **changes})


@pytest.mark.parametrize(("memory", "workers"), [(4.0, 0), (0.0, 0), (0.0, 1)])
def test_both_sides_change_alike(folders: tuple[Path, Path], memory: float, workers: int) -> None:
    images = opened(*folders, enlarge=1.25, memory=memory)
    everything = Augment(flip=True, rotate=20, crop=0.3, turn=True)
    source = stream(images, augment=everything, memory_gib=memory, workers=workers)
    seen = [next(source) for _ in range(3)]
    source.close()
    for batch in seen:
        assert batch.condition is not None
        assert batch.image.shape == batch.condition.shape == (4, 3, 32, 32)
        assert float((batch.image + batch.condition - 255).abs().max()) < 12, "rounding of two images made smaller"
    late = stream(images, augment=everything, memory_gib=memory, workers=workers, position=8)
    repeated = next(late)
    late.close()
    assert torch.equal(repeated.image, seen[2].image)
    assert torch.equal(repeated.condition, seen[2].condition)


def test_training_sees_windows_anywhere_and_scoring_the_middle(folders: tuple[Path, Path]) -> None:
    images = opened(*folders, enlarge=1.25)
    (scored,) = ordered(images, np.arange(6), batch_size=8, device=CPU, image_range=(0.0, 255.0))
    middle = torch.from_numpy(images.images[np.arange(6)][:, 4:36, 4:36]).permute(0, 3, 1, 2).float()
    assert torch.equal(scored.image, middle)
    numbers = torch.arange(40, dtype=torch.uint8)
    grid = torch.stack(torch.meshgrid(numbers, numbers, indexing="ij"), 2).repeat(200, 1, 1, 1)
    corners = cut(grid, (32, 36), torch.Generator().manual_seed(0))[:, 0, 0]
    assert corners[:, 0].unique().tolist() == list(range(9))
    assert corners[:, 1].unique().tolist() == list(range(5))


def test_quarter_turns_are_all_four() -> None:
    corner = torch.arange(9, dtype=torch.uint8).view(1, 3, 3, 1)
    turned = quarter_turns(corner.repeat(100, 1, 1, 1), torch.Generator().manual_seed(0))
    assert {tuple(image.flatten().tolist()) for image in turned} == {
        tuple(corner[0].rot90(turn).flatten().tolist()) for turn in range(4)
    }


def test_what_makes_no_pair_is_named_and_counted(
    folders: tuple[Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    data, masks = folders
    (masks / "a" / "0.bmp").unlink()
    (data / "b" / "1.png").unlink()
    write(masks / "a" / "2.bmp", smooth(2, (40, 50)))  # of other proportions
    (masks / "b" / "3.bmp").write_text("hello")
    (data / "a" / "4.png").write_bytes((data / "a" / "4.png").read_bytes()[:-40])
    (data / "notes.txt").write_text("about")
    images = opened(data, masks)
    assert len(images) == 1
    printed = capsys.readouterr().err
    assert f"{data}: left out 2 with no condition of the same name: a/0.png, notes.txt" in printed
    assert f"{masks}: left out 1 with no image of the same name: b/1.bmp" in printed
    assert f"skipped {data / 'a' / '2.png'}: 40x40 px, its condition 50x40 px" in printed
    assert f"skipped {masks / 'b' / '3.bmp'}: not an image" in printed
    assert f"skipped {data / 'a' / '4.png'}: truncated" in printed


def test_a_mask_may_be_smaller_than_its_image(folders: tuple[Path, Path], capsys: pytest.CaptureFixture[str]) -> None:
    data, masks = folders
    write(masks / "a" / "0.bmp", smooth(0, (20, 20)))
    assert len(opened(data, masks)) == 6
    assert not capsys.readouterr().err


def test_conditions_may_lie_inside_of_the_folder_of_images(folders: tuple[Path, Path]) -> None:
    data, masks = folders
    masks.rename(data / "masks")
    assert len(opened(data, data / "masks")) == 6


def test_what_leaves_nothing_is_refused_in_one_line(folders: tuple[Path, Path], tmp_path: Path) -> None:
    data, masks = folders
    (tmp_path / "empty").mkdir()
    write(tmp_path / "odd" / "a.png", smooth(0, (8, 9)))
    write(tmp_path / "sizes" / "a" / "0.png", smooth(0, (40, 40)))
    write(tmp_path / "sizes" / "a" / "2.png", smooth(0, (30, 30)))
    np.save(tmp_path / "a.npy", np.zeros((2, 8, 8, 3), np.uint8))
    for first, second, size, words in (
        (data, tmp_path / "nothing", 32, "there is no such folder"),
        (data, tmp_path / "empty", 32, "no file in"),
        (data, data, 32, "the folder of --data itself"),
        (tmp_path / "a.npy", masks, 32, "expected a folder of images"),
        (tmp_path / "odd", "halves", 32, "none of 1 pairs"),
        (tmp_path / "empty", "halves", 32, "none of 0 pairs"),
        (tmp_path / "sizes", masks, 0, "give --image-size"),
        (tmp_path / "nothing", "edges", 32, "there is no such file"),
    ):
        with pytest.raises(UserError, match=words) as refused:
            opened(first, second, image_size=size)
        assert "\n" not in str(refused.value)


def test_pairs_that_are_no_squares_are_cropped_alike(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    image = np.zeros((40, 80, 3), np.uint8)
    image[:, 20:60] = smooth(0)
    write(tmp_path / "images" / "a.png", image)
    write(tmp_path / "masks" / "a.png", 255 - image)
    write(tmp_path / "halves" / "a.png", np.hstack([255 - image, image]))
    for data, condition in ((tmp_path / "images", tmp_path / "masks"), (tmp_path / "halves", "halves")):
        found = opened(data, condition, 40)
        note = "1 of 1 images cropped to a square: up to 50 % of an image cut off (--fit pad or --fit stretch"
        assert note in capsys.readouterr().err
        sides = [part[np.array([0])][0] for part in (found.images, found.conditions)]
        assert any((side == smooth(0)).all() for side in sides)
        negatives(found)


def test_masks_of_ids_beside_their_images_have_a_colour_for_each_class(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ids = np.zeros((40, 40), np.uint8)
    ids[8:32, 8:32], ids[16:24, 16:24] = 1, 2
    for number in range(4):
        write(tmp_path / "train" / "JPEGImages" / f"{number}.jpg", smooth(number))
        write(tmp_path / "train" / "SegmentationClass" / f"{number}.png", np.roll(ids, number, 1))
        write(tmp_path / "test" / "JPEGImages" / f"{number}.jpg", smooth(number))
    (tmp_path / "train" / "Annotations").mkdir()
    (tmp_path / "train" / "Annotations" / "0.xml").write_text("<a/>")
    for memory in (0.0, 4.0):
        images = opened(tmp_path, "given", memory=memory)
        assert len(images) == 4
        assert images.conditions is not None
        shown = images.conditions[np.arange(4)].reshape(-1, 3)
        colours = {tuple(colour) for colour in np.unique(shown, axis=0).tolist()}
        assert colours == {(0, 0, 0), (128, 0, 0), (0, 128, 0)}, "of the classes, and none between two"
        said = capsys.readouterr().err
        assert "conditions are in train/SegmentationClass" in said
        assert "the conditions: grey values are taken as numbers of classes" in said
    config = RunConfig(data=str(tmp_path), image_size=32, values="stored")
    plain = open_data(config, Pairs(condition="given"), progress=False)
    assert plain.conditions is not None
    assert plain.conditions[np.arange(4)].max() <= 2
    with pytest.raises(UserError, match=r"expected two folders in .* with files of the same names"):
        opened(tmp_path / "test", "given")
