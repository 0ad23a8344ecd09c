"""Copies of one original stay together where images are held out, and mixtures are trained on only."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from small_sets import flat, levels, run, write_set

from trainer.config import RunConfig
from trainer.data.batches.crops import open_crops
from trainer.data.batches.dataset import ImageDataset, open_dataset
from trainer.data.sources._sidecar import originals
from trainer.data.sources.npy_set import ImageSet
from trainer.family import Crops

TWINS = np.repeat(np.arange(10), 2)  # as align --flip writes them


def opened(path: Path) -> ImageDataset:
    return open_dataset(str(path), progress=False)


def groups_of(path: Path) -> list[int] | None:
    found = ImageSet(path).sidecar.groups
    return None if found is None else found.tolist()


@given(groups=st.lists(st.integers(-1, 6), max_size=40), hold_out=st.integers(2, 5))
@settings(max_examples=60)
def test_every_nth_group_is_held_out_whole_and_no_mixture(groups: list[int], hold_out: int) -> None:
    images = ImageDataset(images=flat(*range(len(groups))), groups=np.array(groups, np.int64), name="x")
    training, held_out = (indices.tolist() for indices in images.split(hold_out))
    assert sorted(training + held_out) == list(range(len(groups)))
    first_seen = [group for group in dict.fromkeys(groups) if group >= 0]
    assert sorted({groups[k] for k in held_out}) == sorted(first_seen[hold_out - 1 :: hold_out])
    assert not {groups[k] for k in held_out} & {groups[k] for k in training}


def test_a_set_without_groups_is_held_out_as_ever() -> None:
    images = flat(*range(23))
    plain, alone = (ImageDataset(images=images, groups=groups, name="x") for groups in (None, np.arange(23)[::-1]))
    for hold_out in (0, 2, 5, 23, 30):
        expected = [k for k in range(23) if hold_out and k % hold_out == hold_out - 1]
        for dataset in (plain, alone):
            assert dataset.split(hold_out)[1].tolist() == expected


def test_groups_are_numbered_as_they_come() -> None:
    numbers, firsts = originals(np.array([7, -1, 3, 7, 9, 3]))
    assert (numbers.tolist(), firsts.tolist()) == ([0, -1, 1, 0, 2, 1], [0, 2, 4])


def test_twins_and_morphs_never_come_between_the_halves(tmp_path: Path) -> None:
    twins = write_set(
        tmp_path / "twins.npy", flat(*range(20), side=16), groups=TWINS, names=tuple("abcdefghijklmnopqrst")
    )
    assert run("morph", twins, "-o", tmp_path / "morphs.npy", "--method", "flow", "--pairs", 7) == 0
    plain = write_set(tmp_path / "plain.npy", flat(*range(100, 105), side=16))
    assert run("merge", twins, tmp_path / "morphs.npy", plain, "-o", tmp_path / "all.npy") == 0
    expected = [*TWINS.tolist(), *[-1] * 7, *range(10, 15)]
    assert groups_of(tmp_path / "all.npy") == expected

    training, held_out = opened(tmp_path / "all.npy").split(2)
    assert len(held_out) == 5 * 2 + 2
    groups = np.array(expected)
    assert not set(groups[training]) & set(groups[held_out])
    assert groups[held_out].min() >= 0

    paths = tmp_path / "training.npy", tmp_path / "held-out.npy"
    for seed in range(3):
        command = ("split", tmp_path / "all.npy", "-o", paths[0], "--held-out", paths[1], "--share", "0.4", "--force")
        assert run(*command, "--seed", seed) == 0
        left, out = (groups_of(path) for path in paths)
        assert left is not None
        assert out is not None
        assert len(set(out)) == 6, "0.4 of the 15 originals"
        assert not set(left) & set(out)
        assert left.count(-1) == 7

    assert run("select", tmp_path / "all.npy", "--drop", "1,20", "-o", tmp_path / "some.npy") == 0
    assert groups_of(tmp_path / "some.npy") == [*expected[:1], *expected[2:20], *expected[21:]]
    assert run("filter", tmp_path / "all.npy", "--kind", "blur", "-o", tmp_path / "soft.npy") == 0
    assert groups_of(tmp_path / "soft.npy") == expected
    assert run("create", tmp_path / "all.npy", "--size", 8, "-o", tmp_path / "small.npy") == 0
    assert groups_of(tmp_path / "small.npy") == expected


def test_groups_of_several_sets_are_not_mixed_up(tmp_path: Path) -> None:
    a = write_set(tmp_path / "a.npy", flat(1, 2, 3), groups=np.array([5, 5, -1]))
    b = write_set(tmp_path / "b.npy", flat(4, 5, 6), groups=np.array([0, 5, 0]))
    assert run("merge", a, b, "-o", tmp_path / "c.npy") == 0
    assert groups_of(tmp_path / "c.npy") == [0, 0, -1, 1, 2, 1]
    bare = write_set(tmp_path / "bare.npy", flat(7, 8))
    other = write_set(tmp_path / "other.npy", flat(7, 8))
    assert run("merge", bare, other, "-o", tmp_path / "d.npy") == 0
    assert groups_of(tmp_path / "d.npy") is None


def test_a_split_by_class_is_one_of_groups(tmp_path: Path) -> None:
    labels = np.repeat([0, 1], [12, 8])
    whole = write_set(tmp_path / "in.npy", flat(*range(20)), groups=TWINS, labels=labels, classes=("cat", "dog"))
    assert run("split", whole, "-o", tmp_path / "a.npy", "--held-out", tmp_path / "b.npy", "--share", "0.5") == 0
    assert np.bincount(labels[levels(tmp_path / "b.npy")]).tolist() == [6, 4]


def test_images_cut_to_windows_are_held_out_by_group(tmp_path: Path) -> None:
    path = write_set(tmp_path / "in.npy", flat(*range(20), side=16), groups=TWINS)
    images = open_crops(RunConfig(data=str(path)), Crops(size_px=8, scale=2), progress=False)
    assert images.split(10)[1].tolist() == [18, 19]


def test_shards_which_know_no_groups_say_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write_set(tmp_path / "in.npy", flat(1, 2, 3, 4), groups=TWINS[:4])
    assert run("shards", path, "-o", tmp_path / "shards") == 0
    assert "in.npy are copies or made of others: hold some out with 'split' before" in capsys.readouterr().err


def test_of_mixtures_alone_nothing_is_held_out_and_that_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write_set(tmp_path / "in.npy", flat(1, 2, 3), groups=np.full(3, -1))
    assert len(opened(path).split(2)[1]) == 0
    assert "made of other images" in capsys.readouterr().err
    assert run("split", path, "-o", tmp_path / "a.npy", "--held-out", tmp_path / "b.npy") == 2
    assert "one part of 3 images empty" in capsys.readouterr().err
