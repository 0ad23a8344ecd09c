"""Tables that are read while training, a local folder standing in for the hub: exactness over ranks and resumes."""

import pickle
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from trainer.contract.errors import UserError
from trainer.contract.images import resize
from trainer.data.batches.augment import Augment
from trainer.data.batches.dataset import ImageDataset, open_dataset
from trainer.data.batches.order import Order
from trainer.data.batches.stream import Stream
from trainer.data.sources import _tables as rows
from trainer.data.sources import hub, parquet
from trainer.data.sources._tables import RowImages
from trainer.data.sources.base import OpenOptions

datasets = pytest.importorskip("datasets")
COUNTS = (40, 9, 23)  # rows of each file, seven a group


def encoded(number: int) -> bytes:
    return cv2.imencode(".png", np.full((8, 8, 3), number, np.uint8))[1].tobytes()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A data set as it lies on the hub: image k of the training part is uniformly k, its label k % 3."""
    from pyarrow import parquet

    features = datasets.Features({"image": datasets.Image(), "label": datasets.ClassLabel(names=["a", "b", "c"])})
    (tmp_path / "set" / "data").mkdir(parents=True)
    first = 0
    for number, count in enumerate(COUNTS):
        table = datasets.Dataset.from_dict(
            {
                "image": [{"bytes": encoded(k), "path": None} for k in range(first, first + count)],
                "label": [k % 3 for k in range(first, first + count)],
            },
            features=features,
        ).with_format("arrow")[:]
        path = tmp_path / "set" / "data" / f"train-{number:05}-of-00003.parquet"
        parquet.write_table(table, path, row_group_size=7)
        first += count
    parquet.write_table(table.slice(0, 5), tmp_path / "set" / "data" / "test-00000-of-00001.parquet")
    return tmp_path / "set"


@pytest.fixture
def on_the_hub(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """``owner/name`` is that folder, found as the package finds the files of a data set."""
    builder = datasets.load_dataset_builder
    monkeypatch.setattr(datasets, "load_dataset_builder", lambda name: builder({"owner/name": str(folder)}[name]))
    monkeypatch.chdir(folder.parent)
    return folder


def numbers(batch: Any) -> list[int]:
    return [round(float(value)) for value in batch.image[:, 0, 0, 0]]


def stream(images: ImageDataset, **options: Any) -> Stream:
    defaults: dict[str, Any] = {
        "batch_size": 4, "rank": 0, "world_size": 1, "seed": 3, "device": torch.device("cpu"),
        "image_range": (0.0, 255.0), "augment": Augment(flip=False), "memory_gib": 0.0,
    }  # fmt: skip
    return Stream(images, images.split(6)[0], **{**defaults, **options})


@given(
    sizes=st.lists(st.integers(1, 300), min_size=1, max_size=30), chunk=st.integers(1, 9), lanes=st.integers(1, 4),
    seed=st.integers(-3, 2**40),
)  # fmt: skip
@settings(max_examples=60)
def test_by_blocks_each_image_comes_once_an_epoch(sizes: list[int], chunk: int, lanes: int, seed: int) -> None:
    count = sum(sizes)
    order = Order(count, seed, np.cumsum([0, *sizes[:-1]]), chunk, lanes)
    for epoch in range(2):
        assert sorted(order.take(epoch * count, count).tolist()) == list(range(count))
    middle = count // 2 + 1
    assert replace(order).take(middle, count).tolist() == order.take(0, count + middle)[middle:].tolist()


def test_by_blocks_ranks_draw_from_blocks_of_their_own() -> None:
    blocks, batch, ranks = np.arange(0, 100_000, 100), 8, 4
    order = Order(100_000, 0, blocks, batch, ranks)
    for epoch in (0, 1):
        drawn = order.take(epoch * 100_000, 100_000)
        rank = (np.arange(100_000) + epoch * 100_000) // batch % ranks
        read = [set((drawn[rank == number] // 100).tolist()) for number in range(ranks)]
        assert sum(map(len, read)) < 1.1 * len(blocks), "each block is read by about one rank"
        late = drawn[rank == 0][:4096] // 100
        assert len(set(late.tolist())) < 60, "from a few blocks at a time"
        assert np.corrcoef(drawn[:-1], drawn[1:])[0, 1] < 0.5, "and not one after the other"


@pytest.mark.parametrize("data", ["hubstream:owner/name", "set", "hub:owner/name"])
@pytest.mark.parametrize("workers", [0, 2])
def test_two_ranks_draw_each_row_once_an_epoch(
    on_the_hub: Path, monkeypatch: pytest.MonkeyPatch, data: str, workers: int
) -> None:
    """With files and groups of uneven sizes; and a start in the middle draws what is left."""
    if data == "hub:owner/name":
        files = {"train": sorted(map(str, on_the_hub.glob("data/train*")))}
        whole = datasets.load_dataset("parquet", data_files=files, cache_dir=str(on_the_hub / "cache"))
        monkeypatch.setattr(datasets, "load_dataset", lambda name: whole)
    images = open_dataset(data, image_size=8, memory=0, progress=False)
    assert isinstance(images.images, RowImages)
    assert (images.images.shape, images.classes) == ((72, 8, 8, 3), ("a", "b", "c"))
    assert images.labels is not None
    assert images.labels.tolist() == [k % 3 for k in range(72)]
    training = images.split(6)[0].tolist()
    ranks = [stream(images, rank=rank, world_size=2, workers=workers) for rank in range(2)]
    steps = [[next(rank) for rank in ranks] for _ in range(15)]  # 60 to train on, 8 a step: two epochs
    drawn = [number for step in steps for batch in step for number in numbers(batch)]
    assert sorted(drawn[:60]) == sorted(drawn[60:]) == training
    assert drawn[:60] != drawn[60:]
    for batch in (batch for step in steps for batch in step):
        assert batch.label.tolist() == [number % 3 for number in numbers(batch)]
    late = stream(images, rank=1, world_size=2, position=24, workers=workers)
    rest = [numbers(next(late)) for _ in range(12)]
    assert rest == [numbers(step[1]) for step in steps[3:]]
    for open_stream in (*ranks, late):
        open_stream.close()


def test_what_fits_into_memory_is_read_once(on_the_hub: Path) -> None:
    images = open_dataset("hubstream:owner/name", image_size=8, progress=False)
    assert isinstance(images.images, np.ndarray)
    assert images.blocks is None
    assert images.images[:, 0, 0, 0].tolist() == list(range(72))
    test = open_dataset("hubstream:owner/name:test", image_size=8, progress=False)
    assert test.images[np.arange(5)][:, 0, 0, 0].tolist() == list(range(49, 54))


def test_groups_of_rows_are_read_once_while_they_are_drawn_from(
    on_the_hub: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: Counter[tuple[str, int]] = Counter()
    original = rows._read_group

    def counted(opened: Any, column: str, file: str, group: int) -> list[Any]:
        read[file, group] += 1
        return original(opened, column, file, group)

    monkeypatch.setattr(rows, "_read_group", counted)
    images = open_dataset("hubstream:owner/name", image_size=8, memory=0, progress=False)
    assert sum(read.values()) == 1, "opening looks at the first ones"
    source = stream(images)
    for _ in range(15):
        next(source)
    assert set(read.values()) == {1}
    assert len(read) == sum(-(-count // 7) for count in COUNTS)
    unpickled = pickle.loads(pickle.dumps(images.images))  # as loader processes get it where they are not forked
    assert unpickled[np.array([71, 3])][:, 0, 0, 0].tolist() == [71, 3]


def refusal(data: str, **options: Any) -> str:
    with pytest.raises(UserError) as error:
        open_dataset(data, progress=False, **{"image_size": 8, **options})
    assert "\n" not in str(error.value)
    return str(error.value)


def test_what_cannot_be_streamed_is_one_line(on_the_hub: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for wrong in ("hubstream:", "hubstream:name", "hubstream:../x/y", "hubstream:a/../b", "hubstream:a/b/c"):
        assert "expected hubstream:OWNER/NAME" in refusal(wrong)
    assert "give --image-size" in refusal("hubstream:owner/name", image_size=0)
    assert "has no part other, expected one of" in refusal("hubstream:owner/name:other")
    monkeypatch.setattr(rows, "MOST_GROUP_BYTES", 100)
    monkeypatch.setattr(hub, "MOST_GROUP_BYTES", 100)
    monkeypatch.setattr(parquet, "MOST_GROUP_BYTES", 100)
    assert "rows in groups of up to" in refusal("hubstream:owner/name")
    assert not isinstance(open_dataset("set", memory=0, progress=False).images, RowImages), "a temporary file instead"
    monkeypatch.undo()
    monkeypatch.setattr(hub, "found_files", lambda datasets, name: {"train": ["hf://x/images.zip"]})
    assert "holds hf://x/images.zip, expected parquet: take hub:owner/name" in refusal("hubstream:owner/name")

    def unreachable(datasets: Any, name: str) -> Any:
        raise ConnectionError(f"no route to {name}\nand more")

    monkeypatch.setattr(hub, "found_files", unreachable)
    assert refusal("hubstream:owner/name").endswith("cannot be opened: no route to owner/name")


def test_a_row_that_is_no_image_is_named_once_and_another_is_taken(
    folder: Path, parquet_of: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    broken = parquet_of([encoded(1), b"no image", b"nor this", encoded(4), encoded(5)[:70]])
    opened = hub.open_tables([str(broken)], "hubstream:owner/name", "name", OpenOptions(image_size=8))
    assert opened.images is not None
    for order in ([2, 1, 0], [1, 2, 4], [1, 1, 1]):  # whatever was read before
        expected = [{0: 1, 1: 4, 2: 4, 4: 1}[number] for number in order]
        assert opened.images[np.array(order)][:, 0, 0, 0].tolist() == expected
    note, *lines = capsys.readouterr().err.splitlines()
    assert note == "note: hubstream:owner/name: images of other shapes are cropped to a square"
    assert len(lines) == 3
    assert lines[0].startswith("skipped hubstream:owner/name, row 1: not an image")
    assert lines[0].endswith("; row 3 is taken instead")
    none = hub.open_tables([str(parquet_of([b"x", b"y"]))], "hubstream:owner/name", "name", OpenOptions(image_size=8))
    assert none.images is not None
    with pytest.raises(UserError, match="hubstream:owner/name, row 1: not an image"):
        none.images[np.array([1])]


def test_what_is_taken_instead_is_of_the_same_label_and_block_where_there_is_one() -> None:
    stored = [encoded(number) for number in range(8)]
    for number in (0, 5, 7):
        stored[number] = b"no image"
    labels, blocks = np.array([0, 1, 0, 0, 1, 1, 0, 2]), np.array([0, 4])
    images = RowImages(stored.__getitem__, np.arange(8), (8, 8), "set", (), resize, labels, blocks)
    assert images[np.arange(8)][:, 0, 0, 0].tolist() == [2, 1, 2, 3, 4, 4, 6, 4], "the last has a label of its own"


def test_a_run_gets_past_a_row_that_is_no_image_and_goes_on_the_same_wherever_it_is_stopped(
    folder: Path, on_the_hub: Path
) -> None:
    from pyarrow import parquet

    file = folder / "data" / "train-00001-of-00003.parquet"
    table = parquet.read_table(file)
    rows_held = table.to_pylist()
    rows_held[2]["image"]["bytes"] = b"no image"
    parquet.write_table(type(table).from_pylist(rows_held, table.schema), file, row_group_size=7)
    options = {"image_size": 8, "memory": 0, "progress": False}
    whole = stream(open_dataset("hubstream:owner/name", **options))
    expected = [numbers(next(whole)) for _ in range(40)]
    assert not any(42 in batch for batch in expected)
    for position in (7, 31):
        resumed = stream(open_dataset("hubstream:owner/name", **options), position=4 * position)
        assert [numbers(next(resumed)) for _ in range(9)] == expected[position : position + 9]


def test_a_file_that_is_cut_short_is_named(folder: Path) -> None:
    (folder / "data" / "train-00001-of-00003.parquet").write_bytes(b"PAR1 and no more")
    assert "train-00001-of-00003.parquet is no sound parquet file" in refusal(str(folder))


@pytest.fixture
def parquet_of(tmp_path: Path) -> Callable[..., Path]:
    import pyarrow as arrow
    from pyarrow import parquet

    def write(images: list[bytes]) -> Path:
        parquet.write_table(arrow.table({"image": images}), tmp_path / "x.parquet")
        return tmp_path / "x.parquet"

    return write
