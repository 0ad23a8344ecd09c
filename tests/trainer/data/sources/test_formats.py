"""ImageSource sets: idx, CIFAR-10's binary batches, parquet and the hub; sound ones to the byte, others in one line."""

import gzip
import io
import json
import os
import subprocess
import sys
import tarfile
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from small_sets import DIGITS, NUMBERS, idx_bytes, write_idx

from trainer.contract.errors import UserError
from trainer.contract.packages import how_to_install
from trainer.data.__main__ import main
from trainer.data.batches.dataset import open_dataset
from trainer.data.sources import cifar, idx, need_source
from trainer.data.sources import torchvision_sets as download
from trainer.data.sources.npy_set import ImageSet

ROOT = Path(__file__).parents[4]


@pytest.mark.parametrize("pack", [gzip.compress, bytes], ids=["gz", "raw"])
@pytest.mark.parametrize("memory", [1.0, 0.0])
@pytest.mark.parametrize("separator", ["-", "."])
def test_idx_by_file_and_by_folder(
    tmp_path: Path, pack: Callable[[bytes], bytes], memory: float, separator: str
) -> None:
    file = write_idx(tmp_path, pack, separator=separator)
    for data in (tmp_path, file):
        images = open_dataset(str(data), memory=memory, progress=False)
        assert images.spec.channels == 1
        assert images.spec.image_size == (7, 5)
        assert images.classes == tuple("0123456789"), "digits are ten, whichever occur"
        assert (images.images[np.arange(23)][..., 0] == DIGITS).all()
        assert images.labels is not None
        assert (images.labels == NUMBERS).all()
        assert isinstance(images.images, np.ndarray if memory else ImageSet)
    assert open_dataset(str(tmp_path), image_size=8, progress=False).images.shape == (23, 8, 8, 1)


def test_the_training_set_of_an_idx_folder_and_torchvisions_own(tmp_path: Path) -> None:
    write_idx(tmp_path / "MNIST" / "raw", gzip.compress, "t10k")
    write_idx(tmp_path / "MNIST" / "raw", bytes, "train")
    found = idx.find_images(tmp_path / "MNIST")
    assert found == tmp_path / "MNIST" / "raw" / "train-images-idx3-ubyte"
    write_idx(tmp_path / "two", bytes, "a")
    write_idx(tmp_path / "two", bytes, "b")
    with pytest.raises(UserError, match="holds 2 sets"):
        open_dataset(str(tmp_path / "two"), progress=False)


def test_idx_without_labels_has_none(tmp_path: Path) -> None:
    (tmp_path / "digits").write_bytes(gzip.compress(idx_bytes(DIGITS)))
    images = open_dataset(str(tmp_path / "digits"), progress=False)
    assert images.labels is None
    assert images.classes == ()
    assert len(images) == 23


def refusal(data: Path | str) -> str:
    """The one line that a set is refused with, read through to its end."""
    with pytest.raises(UserError) as error:
        open_dataset(str(data), progress=False)
    message = str(error.value)
    assert "\n" not in message
    assert len(message) < 400
    return message


def test_unsound_idx_is_refused_in_one_line(tmp_path: Path) -> None:
    whole = idx_bytes(DIGITS)
    cases = {
        "short": (whole[:-1], "cut short"),
        "long": (whole + b"x", "bytes too many"),
        "short.gz": (gzip.compress(whole[:-1]), "cut short"),
        "long.gz": (gzip.compress(whole + b"x"), "bytes too many"),
        "torn.gz": (gzip.compress(whole)[:-9], "cut short"),
        "damaged.gz": (gzip.compress(whole)[:-8] + b"12345678", "damaged"),
        "lying": (idx_bytes(DIGITS, sizes=(1 << 20, 28, 28)), "cut short"),
        "lying.gz": (gzip.compress(idx_bytes(DIGITS, sizes=(1 << 20, 28, 28))), "cannot hold"),
        "huge": (idx_bytes(DIGITS, sizes=(2**32 - 1,) * 3), "at most"),
        "wide": (idx_bytes(DIGITS, sizes=(1, 1, 1 << 20)), "cut short"),
        "wide.gz": (gzip.compress(idx_bytes(np.zeros(1 << 20, np.uint8), sizes=(1, 1, 1 << 20))), "a side"),
        "none": (idx_bytes(DIGITS[:0]), "no images"),
        "floats": (idx_bytes(DIGITS.astype(">f4"), 13), "f32"),
        "labels": (idx_bytes(NUMBERS), "1 dimension"),
        "header": (whole[:9], "cut short"),
    }
    for name, (data, word) in cases.items():
        (tmp_path / name).write_bytes(data)
        message = refusal(tmp_path / name)
        assert word in message, message
        assert name in message


def test_labels_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    write_idx(tmp_path, bytes)
    labels = tmp_path / "train-labels-idx1-ubyte"
    for data, word in ((idx_bytes(NUMBERS[:-1]), "22 labels, expected 23"), (idx_bytes(DIGITS), "3 dimension"),
                       (b"", "not an idx file")):  # fmt: skip
        labels.write_bytes(data)
        assert word in refusal(tmp_path)


def test_a_gzip_bomb_takes_little_memory(tmp_path: Path) -> None:
    bomb = tmp_path / "bomb.gz"
    with gzip.open(bomb, "wb", compresslevel=9) as file:
        file.write(idx_bytes(DIGITS))
        for _ in range(256):
            file.write(bytes(1 << 20))
    tracemalloc.start()
    assert "bytes too many" in refusal(bomb)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 16 << 20


def batch(count: int, start: int = 0) -> tuple[bytes, np.ndarray, np.ndarray]:
    images = np.random.default_rng(start).integers(0, 256, (count, 32, 32, 3), np.uint8)
    labels = (np.arange(count) + start) % 10
    records = np.concatenate([labels[:, None].astype(np.uint8), images.transpose(0, 3, 1, 2).reshape(count, -1)], 1)
    return records.tobytes(), images, labels


def test_cifar_binary_folder_and_file(tmp_path: Path) -> None:
    folder = tmp_path / "cifar-10-batches-bin"
    folder.mkdir()
    parts = [batch(12, 0), batch(5, 12)]
    for number, (data, _, _) in enumerate(parts, 1):
        (folder / f"data_batch_{number}.bin").write_bytes(data)
    (folder / "test_batch.bin").write_bytes(batch(3, 99)[0])
    (folder / "batches.meta.txt").write_text("\n".join("abcdefghij") + "\n\n")
    for data in (tmp_path, folder):
        images = open_dataset(str(data), progress=False)
        assert images.classes == tuple("abcdefghij")
        assert (images.images[np.arange(17)] == np.concatenate([part[1] for part in parts])).all()
        assert images.labels is not None
        assert (images.labels == np.concatenate([part[2] for part in parts])).all()
    assert len(open_dataset(str(folder / "test_batch.bin"), progress=False)) == 3
    (folder / "batches.meta.txt").unlink()
    assert open_dataset(str(folder), progress=False).classes == cifar.CLASSES


def test_unsound_cifar_is_refused_in_one_line(tmp_path: Path) -> None:
    data, _, _ = batch(3)
    file = tmp_path / "data_batch_1.bin"
    file.write_bytes(data[:-1])
    assert "expected a multiple of 3073" in refusal(tmp_path)
    file.write_bytes(b"\x63" + data[1:])
    assert "label 99" in refusal(tmp_path)
    file.write_bytes(b"")
    assert "0 bytes" in refusal(tmp_path)
    file.unlink()
    (tmp_path / "data_batch_1").write_bytes(b"\x80\x04.")
    assert "pickled and never loaded" in refusal(tmp_path)
    assert "never loaded" in refusal(tmp_path / "data_batch_1")


def encoded(colour: int, size: int = 8) -> bytes:
    return cv2.imencode(".png", np.full((size, size, 3), (0, 0, colour), np.uint8))[1].tobytes()


@pytest.fixture
def parquet(tmp_path: Path) -> Callable[..., Path]:
    """Writes a parquet file as the hub does: encoded images and labels, with or without the hub's own notes."""
    pytest.importorskip("datasets")
    import pyarrow as arrow
    from pyarrow import parquet as writer

    def write(name: str, images: list[Any], labels: list[Any] | None, names: list[str] | None = None) -> Path:
        columns = {"image": arrow.array(images), **({} if labels is None else {"label": arrow.array(labels)})}
        table = arrow.table(columns)
        if names is not None:
            features = {"image": {"_type": "Image"}, "label": {"names": names, "_type": "ClassLabel"}}
            table = table.replace_schema_metadata({"huggingface": json.dumps({"info": {"features": features}})})
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True, parents=True)
        writer.write_table(table, path, row_group_size=7)
        return path

    return write


def structs(count: int) -> list[dict[str, Any]]:
    return [{"bytes": encoded(k), "path": f"{k}.png"} for k in range(count)]


@pytest.mark.parametrize("memory", [1.0, 0.0])
def test_parquet_of_encoded_images(tmp_path: Path, parquet: Callable[..., Path], memory: float) -> None:
    parquet("set/data/train-00000-of-00002.parquet", structs(20), [k % 2 for k in range(20)], ["cat", "dog"])
    parquet("set/data/train-00001-of-00002.parquet", structs(9), [1] * 9, ["cat", "dog"])
    parquet("set/data/test-00000-of-00001.parquet", structs(2), [0, 0], ["cat", "dog"])
    images = open_dataset(str(tmp_path / "set"), memory=memory, progress=False)
    assert images.images.shape == (29, 8, 8, 3)
    assert images.images[np.arange(29)][:, 0, 0].tolist() == [[k, 0, 0] for k in (*range(20), *range(9))]
    assert images.classes == ("cat", "dog")
    assert images.labels is not None
    assert images.labels.tolist() == [k % 2 for k in range(20)] + [1] * 9
    assert open_dataset(str(tmp_path / "set"), image_size=4, progress=False).spec.image_size == (4, 4)


def test_parquet_without_notes_of_its_types(parquet: Callable[..., Path]) -> None:
    plain = parquet("plain.parquet", [encoded(k) for k in range(4)], ["b", "a", "b", "a"])
    images = open_dataset(str(plain), progress=False)
    assert images.classes == ("a", "b")
    assert images.labels is not None
    assert images.labels.tolist() == [1, 0, 1, 0]
    numbered = open_dataset(str(parquet("n.parquet", structs(3), [0, 2, 1])), progress=False)
    assert numbered.classes == ("0", "1", "2")
    assert open_dataset(str(parquet("u.parquet", structs(3), None)), progress=False).labels is None
    assert open_dataset(str(parquet("m.parquet", structs(3), [-1, -1, -1])), progress=False).labels is None


def test_a_row_that_names_a_file_is_left_out(
    tmp_path: Path, parquet: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    secret = tmp_path / "secret.png"
    secret.write_bytes(encoded(200))
    hostile: list[dict[str, Any]] = [
        {"bytes": None, "path": name}
        for name in (str(secret), "../secret.png", f"file://{secret}", "http://localhost/x.png", "a\0b")
    ]
    rows = [*hostile, {"bytes": b"no image", "path": None}, {"bytes": encoded(7), "path": "/etc/passwd"}]
    images = open_dataset(str(parquet("h.parquet", rows, [0] * 6 + [1], ["x", "y"])), progress=False)
    assert images.images[np.arange(len(images))][:, 0, 0].tolist() == [[7, 0, 0]]
    assert images.labels is not None
    assert images.labels.tolist() == [1], "labels stay with their images"
    assert capsys.readouterr().err.count("skipped") == 6
    assert "no readable image" in refusal(parquet("g.parquet", rows[:6], None))


def test_unsound_parquet_is_refused_in_one_line(tmp_path: Path, parquet: Callable[..., Path]) -> None:
    good = parquet("good.parquet", structs(40), [0] * 40, ["x"])
    data = good.read_bytes()
    (tmp_path / "torn.parquet").write_bytes(data[: len(data) // 2])
    (tmp_path / "broken.parquet").write_bytes(data[:100] + b"\xff" * 400 + data[500:])
    assert "no sound parquet" in refusal(tmp_path / "torn.parquet")
    assert "broken.parquet" in refusal(tmp_path / "broken.parquet")
    assert "labels 0 to 3, expected 0 to 1" in refusal(parquet("l.parquet", structs(2), [0, 3], ["x", "y"]))
    assert "missing rows" in refusal(parquet("n.parquet", structs(2), [0, None]))
    assert "no column of encoded images" in refusal(parquet("t.parquet", ["one", "two"], [0, 1]))
    sizes = [{"bytes": encoded(1, size), "path": None} for size in (8, 9)]
    assert "2 sizes (8x8, 9x9 ...): give --image-size" in refusal(parquet("s.parquet", sizes, None))


def test_hub_names_are_names_and_never_paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for wrong in ("hub:", "hub:name", "hub:../x/y", "hub:/etc/passwd", "hub:a/../b", "hub:a/b/c", "hub:a/b:c:d",
                  "hub:http://x/y", "hub:a/b\nc"):  # fmt: skip
        assert "expected hub:OWNER/NAME" in refusal(wrong)
    (tmp_path / "owner" / "name").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    assert "there is a folder owner/name here" in refusal("hub:owner/name")


def test_without_the_datasets_package_there_is_a_hint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "datasets", None)
    assert refusal("hub:owner/name").endswith(f"need more packages: {how_to_install('data')}")
    (tmp_path / "x.parquet").write_bytes(b"PAR1")
    assert refusal(tmp_path / "x.parquet").endswith(f"need more packages: {how_to_install('data')}")


def test_the_hub_gives_the_part_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    datasets = pytest.importorskip("datasets")
    folder = tmp_path / "cache"
    folder.mkdir()
    (folder / "7.png").write_bytes(encoded(7))
    (tmp_path / "8.png").write_bytes(encoded(8))
    features = datasets.Features({"label": datasets.ClassLabel(names=["cat", "dog"]), "image": datasets.Image()})

    def part(images: list[Any], labels: list[int]) -> Any:
        return datasets.Dataset.from_dict({"label": labels, "image": images}, features=features)

    on_disk = [{"bytes": None, "path": str(folder / "7.png")}, {"bytes": None, "path": str(tmp_path / "8.png")}]
    whole = datasets.DatasetDict(train=part(structs(3), [0, 1, 1]), test=part(on_disk, [1, 0]))
    asked = []
    monkeypatch.setattr(datasets, "load_dataset", lambda name: (asked.append(name), whole)[1])
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", folder)
    images = open_dataset("hub:owner/name", progress=False)
    assert asked == ["owner/name"]
    assert images.classes == ("cat", "dog")
    assert images.labels is not None
    assert images.labels.tolist() == [0, 1, 1]
    test = open_dataset("hub:owner/name:test", progress=False)
    assert test.images[np.arange(len(test))][:, 0, 0].tolist() == [[7, 0, 0]], "what lies outside is not read"
    assert "has no part other" in refusal("hub:owner/name:other")

    def unreachable(name: str) -> Any:
        raise ConnectionError(f"no route to {name}\nand more")

    monkeypatch.setattr(datasets, "load_dataset", unreachable)
    assert refusal("hub:owner/name").endswith("no route to owner/name")


def test_an_image_folder_with_parts_is_its_training_part(tmp_path: Path) -> None:
    for part, count in (("train", 2), ("test", 1)):
        for name in ("cat", "dog"):
            (tmp_path / part / name).mkdir(parents=True)
            for k in range(count):
                (tmp_path / part / name / f"{k}.png").write_bytes(encoded(k))
    images = open_dataset(str(tmp_path), progress=False)
    assert images.classes == ("cat", "dog")
    assert len(images) == 4
    assert len(open_dataset(str(tmp_path / "test"), progress=False)) == 2


def test_torchvision_sets_are_downloaded_once_and_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from torchvision.datasets import utils

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    source = tmp_path / "source"
    for part in ("train", "t10k"):
        write_idx(source, gzip.compress, part)
    fetched = []

    def fetch(url: str, folder: Path, name: str, md5: str) -> None:
        assert len(md5) == 32
        fetched.append(url)
        if "lecun" not in url:
            raise OSError("no network")
        Path(folder, name).write_bytes((source / name).read_bytes())

    monkeypatch.setattr(utils, "download_url", fetch)
    for data in ("torchvision:MNIST", "torchvision:MNIST:test"):
        images = open_dataset(data, progress=False)
        assert (images.images[np.arange(23)][..., 0] == DIGITS).all()
    assert len(fetched) == 8, "four files, from the second mirror, once"
    assert "no network" in refusal("torchvision:KMNIST")
    assert [path.name for path in (tmp_path / "utsuroi").iterdir()] == ["MNIST"]
    for wrong in ("torchvision:", "torchvision:ImageNet", "torchvision:MNIST:all", "torchvision:../MNIST"):
        assert "expected torchvision:NAME" in refusal(wrong)


def archive(path: Path, members: dict[str, bytes]) -> Path:
    with tarfile.open(path, "w:gz") as file:
        for name, data in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            file.addfile(member, io.BytesIO(data))
    return path


def test_only_the_files_wanted_leave_cifars_archive(tmp_path: Path) -> None:
    members = {f"cifar-10-batches-bin/{name}": batch(2)[0] for name in download.CIFAR_FILES[:-1]}
    members["cifar-10-batches-bin/batches.meta.txt"] = b"\n".join(name.encode() for name in cifar.CLASSES)
    hostile = {"../../outside.bin": b"x", "/tmp/outside.bin": b"x", "cifar-10-batches-bin/readme.html": b"x"}
    folder = tmp_path / "inner" / "folder"
    folder.mkdir(parents=True)
    download.unpack(archive(tmp_path / "a.tar.gz", {**members, **hostile}), folder)
    assert sorted(path.name for path in folder.iterdir()) == sorted(download.CIFAR_FILES)
    assert len(open_dataset(str(folder), progress=False)) == 10
    with pytest.raises(tarfile.TarError, match="lacks data_batch_2"):
        download.unpack(archive(tmp_path / "b.tar.gz", dict(list(members.items())[:1])), tmp_path / "inner")
    large = {"x/data_batch_1.bin": bytes(download.MOST_MEMBER_BYTES + 1)}
    with pytest.raises(tarfile.TarError, match="expected at most"):
        download.unpack(archive(tmp_path / "c.tar.gz", large), tmp_path / "inner")


def run_tool(*arguments: Any) -> int:
    with pytest.raises(SystemExit) as end:
        main([str(argument) for argument in arguments])
    return int(end.value.code or 0)


def test_create_and_info_take_packed_sets(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_idx(tmp_path / "mnist", gzip.compress)
    out = tmp_path / "mnist.npy"
    assert run_tool("create", tmp_path / "mnist", "-o", out) == 0
    images = open_dataset(str(out), progress=False)
    assert (images.images[np.arange(23)][..., 0] == DIGITS).all()
    assert images.classes == tuple("0123456789")
    assert images.labels is not None
    assert (images.labels == NUMBERS).all()
    assert run_tool("create", tmp_path / "mnist", "-o", out) == 2, "never over a file without --force"
    assert run_tool("create", tmp_path / "mnist", "-o", out, "--force", "--size", 12, "--keep-aspect") == 0
    assert open_dataset(str(out), progress=False).images.shape == (23, 12, 12, 1)
    capsys.readouterr()
    assert run_tool("info", tmp_path / "mnist") == 0
    text = capsys.readouterr().out
    assert "23, 5x7 px, 1 channel" in text
    assert f"0: {int((NUMBERS == 0).sum())}" in text


def test_sources_are_listed_without_torch() -> None:
    code = "import sys, trainer.data.sources, trainer.data.tools.create, trainer.data.tools.info; "
    code += "trainer.data.sources.all_sources(); sys.exit('torch' in sys.modules)"
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    assert subprocess.run([sys.executable, "-c", code], env=environment, check=False).returncode == 0


def test_what_is_no_set_is_named(tmp_path: Path) -> None:
    (tmp_path / "page.html").write_text("<!doctype html><title>cats</title>")
    for data, said in ((tmp_path / "page.html", "it is a web page"), (tmp_path / "none", "there is no such file")):
        with pytest.raises(UserError, match=said):
            need_source(str(data))
