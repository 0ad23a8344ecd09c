"""Sets as other programs write them: labels beside images, folders of parts and masks, names with dots; what is left
out is counted; archives and databases that nobody should believe."""

import contextlib
import io
import json
import pickle
import struct
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from bad_images import encoded, photo

from trainer.contract.errors import UserError
from trainer.data.sources import find_source, lmdb_set, need_source, npz, zip_set
from trainer.data.sources.base import ImageSource, OpenOptions
from trainer.data.sources.shards.scan import choose

SIDE = 8


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def image(number: int) -> bytes:
    return encoded(".png", np.full((SIDE, SIDE, 3), 60 + number, np.uint8))


def levels(source: ImageSource) -> list[int]:
    return [int(one[0, 0, 0]) - 60 for images, _ in source.pieces() for one in images]


def write(folder: Path, *names: str) -> Path:
    for number, name in enumerate(names):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(image(number) if name.endswith(("png", "jpg")) else b"notes")
    return folder


def zipped(path: Path, members: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return path


def tarred(path: Path, members: dict[str, bytes]) -> Path:
    with tarfile.open(path, "w") as archive:
        for name, data in members.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))
    return path


def opened(data: Path, **options: Any) -> ImageSource:
    return need_source(str(data)).open(OpenOptions(**options))


def refusal(data: Path) -> str:
    with pytest.raises(UserError) as failure:
        for _ in opened(data, image_size=SIDE).pieces():
            pass
    assert "\n" not in str(failure.value)
    assert str(data) in str(failure.value)
    return str(failure.value)


def test_class_folders_are_in_natural_order_without_what_the_system_put_there(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    names = [f"{label}/{number}.png" for label in (10, 9, 1) for number in range(2)]
    write(
        tmp_path, *names, "@eaDir/10/0.png/THUMB.jpg", "__MACOSX/1/._0.png", "1/Thumbs.db", "9/.DS_Store", "1/cut.png"
    )
    (tmp_path / "1" / "cut.png").write_bytes(image(0)[:40])
    source = opened(tmp_path)
    assert source.classes == ("1", "9", "10")
    assert source.labels is not None
    assert source.labels.tolist() == [0, 0, 2, 2, 1, 1]
    line = next(line for line in capsys.readouterr().err.splitlines() if line.startswith("note: "))
    assert line.endswith(
        "6 of 10 files taken, left out: 3 of the system (@eaDir, __MACOSX, Thumbs.db), 1 truncated (cut.png)"
    )


def test_a_folder_that_is_only_listed_says_what_is_not_named_as_images(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(tmp_path, "a.png", "b.jpg", "notes.txt", "c")
    assert opened(tmp_path, any_size=True).shape[0] == 2
    assert "2 of 4 files taken, left out: 2 not named as images are (c, notes.txt)" in capsys.readouterr().err


@pytest.mark.parametrize("kind", ["dataset.json", "metadata.jsonl", "metadata.csv"])
@pytest.mark.parametrize("packed", [False, True])
def test_labels_in_a_file_beside_images(
    tmp_path: Path, kind: str, packed: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    known = {f"00000/{number}.png": 10 if number == 2 else number for number in range(3)}
    known["00000/gone.png"] = 0
    text = {
        "dataset.json": json.dumps({"labels": [list(item) for item in known.items()]}),
        "metadata.jsonl": "".join(
            json.dumps({"file_name": name, "label": label}) + "\n" for name, label in known.items()
        ),
        "metadata.csv": "file_name,label,text\n" + "".join(f"{name},{label},cat\n" for name, label in known.items()),
    }[kind]
    names = [f"00000/{number}.png" for number in range(4)]
    if packed:
        members = {f"set/{name}": image(number) for number, name in enumerate(names)}
        path = zipped(tmp_path / "a.zip", {**members, f"set/{kind}": text.encode()})
    else:
        path = write(tmp_path / "set", *names)
        (path / kind).write_text(text)
    source = opened(path)
    assert levels(source) == [0, 1, 2]
    assert source.labels is not None
    assert source.labels.tolist() == [0, 1, 10]
    assert len(source.classes) == 11
    said = capsys.readouterr().err
    assert "3 of 4 images taken, left out: 1 without a label (00000/3.png)" in said
    assert "1 of its 4 labels are of no image there" in said


def test_a_table_of_captions_gives_no_labels_and_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(tmp_path, "a.png")
    (tmp_path / "metadata.jsonl").write_text('{"file_name": "a.png", "text": "a cat"}\n')
    assert opened(tmp_path).labels is None
    assert "says no labels" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "word"),
    [
        (b"{", "cannot be read"), (b"[" * 100_000, "cannot be read"), (b"\xff", "cannot be read"),
        (b'{"labels": 3}', "expected ["), (b'{"labels": [["a.png", 1], "b"]}', "expected ["),
        (b'{"labels": [["a.png", [0.5, 1]]]}', "several numbers"), (b'{"labels": [["a.png", {}]]}', "labels"),
        (b'{"labels": [["a.png", 1], ["a.png", 2]]}', "two labels"), (b'{"labels": [["a.png", -4]]}', "labels"),
        (b'{"labels": [["b.png", 1]]}', "none is there"), (b'{"labels": [["a.png", 99999999]]}', "labels"),
    ],
)  # fmt: skip
def test_a_dataset_json_that_is_wrong_is_one_line(tmp_path: Path, text: bytes, word: str) -> None:
    write(tmp_path / "set", "a.png")
    (tmp_path / "set" / "dataset.json").write_bytes(text)
    assert word in refusal(tmp_path / "set")
    assert word in refusal(zipped(tmp_path / "a.zip", {"a.png": image(0), "dataset.json": text}))


def test_images_with_masks_beside_them_and_two_sets_of_cyclegan(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(tmp_path / "voc", "JPEGImages/a.jpg", "JPEGImages/b.jpg", "SegmentationClass/a.png", "Annotations/a.xml")
    source = opened(tmp_path / "voc")
    assert levels(source) == [0, 1]
    assert source.classes == ()
    assert "only JPEGImages is read" in capsys.readouterr().err
    write(tmp_path / "cyc", *(f"{part}{side}/{k}.png" for part in ("train", "test") for side in "AB" for k in "12"))
    source = opened(tmp_path / "cyc")
    assert source.classes == ("trainA", "trainB")
    assert levels(source) == [0, 1, 2, 3]
    assert "not read are testA, testB" in capsys.readouterr().err


@pytest.mark.parametrize("ending", [".png", ".jpg"])
def test_folders_of_photographs_with_equal_names_are_classes_and_those_of_masks_are_not(
    ending: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ids = np.kron(np.arange(16, dtype=np.uint8).reshape(4, 4) * 16, np.ones((16, 16), np.uint8))
    masks = {"ids": ids, "ink": (ids > 90).astype(np.uint8) * 255, "colours": np.stack([ids, ids.T, 255 - ids], 2)}
    for name, other in {**masks, "photographs": photo(64, 64)[::-1].copy()}.items():
        folder = tmp_path / name
        for side in ("photos", "targets"):
            (folder / side).mkdir(parents=True)
            for number in range(3):
                shown = photo(64, 64) if side == "photos" else np.roll(other, 9 * number, axis=1)
                (folder / side / f"{number}{ending}").write_bytes(encoded(ending, shown))
        source = opened(folder)
        said = capsys.readouterr().err
        if name in masks:
            assert (source.shape[0], source.classes) == (3, ()), name
            assert "only photos is read, of photos, targets; its masks are conditions of pix2pix" in said
        else:
            assert (source.shape[0], source.classes) == (6, ("photos", "targets"))
            assert "photos and targets have files of the same names, and targets holds no masks: all folders" in said


def test_a_packed_folder_is_read_as_the_folder_is(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    members = {f"photos/{label}/{k}.png": image(label) for label in (10, 2) for k in range(2)}
    junk = {"__MACOSX/photos/2/._0.png": b"x", "photos/.DS_Store": b"x", "photos/read.txt": b"x", "../up.png": image(9)}
    source = opened(zipped(tmp_path / "a.zip", {**members, **junk}))
    assert source.classes == ("2", "10")
    assert levels(source) == [10, 10, 2, 2]
    said = capsys.readouterr().err
    assert "4 of 8 files taken, left out: 2 of the system (._0.png, .DS_Store), 1 not named as images are" in said
    assert "1 with a name that leads out of the archive (up.png)" in said
    assert not list(tmp_path.parent.glob("up.png"))
    parts = {f"x/{part}/{label}/a.png": image(0) for part in ("train", "test") for label in "ab"}
    source = opened(zipped(tmp_path / "b.zip", parts))
    assert (source.shape[0], source.classes) == (2, ("a", "b"))
    assert "only x/train is read" in capsys.readouterr().err


def test_names_with_dots_are_images_and_samples_stay_samples(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    dates = {f"2023.01.{day:02}.png": image(day) for day in range(6)}
    plain = {f"{number:04}.png": image(number) for number in range(6)}
    source = opened(tarred(tmp_path / "mixed.tar", {**dates, **plain}))
    assert levels(source) == [*range(6)] * 2
    assert "names with dots (2023.01.00) are taken as 6 images" in capsys.readouterr().err
    assert levels(opened(tmp_path / "mixed.tar")) == [*range(6)] * 2, "by the index of the first time"
    assert "names with dots (2023.01.00) are taken as 6 images" in capsys.readouterr().err, "and it is said again"
    samples = {}
    for number in range(3):
        samples |= {f"{number}.jpg": encoded(".jpg"), f"{number}.seg.png": image(0), f"{number}.cls": b"1"}
        samples |= {f"{number}.txt": b"a caption"}
    assert opened(tarred(tmp_path / "samples.tar", samples), image_size=SIDE).shape[0] == 3
    said = capsys.readouterr().err
    assert (
        "3 of 9 members taken, left out: 3 no image (0.txt, 1.txt, 2.txt), 3 beside the image of their sample" in said
    )
    labelled = {f"2023.01.{day}.{ending}": data for day in "12" for ending, data in (("png", image(0)), ("cls", b"1"))}
    source = opened(tarred(tmp_path / "labelled.tar", labelled))
    assert source.labels is not None
    assert source.labels.tolist() == [1, 1]


@pytest.mark.parametrize(
    ("middles", "chosen"),
    [
        (["", "seg"], [""]), (["img", "seg"], ["img"]), (["seg", "rgb", "depth"], ["rgb"]), (["final"], ["final"]),
        (["01.02", "01.03"], ["01.02", "01.03"]), (["", "2"], ["", "2"]), (["left", "right"], ["left", "right"]),
    ],
)  # fmt: skip
def test_what_a_sample_shows_of_its_images(middles: list[str], chosen: list[str]) -> None:
    assert choose(middles) == chosen


def test_folders_in_a_tar_are_classes(tmp_path: Path) -> None:
    members = {f"set/{label}/{number}.png": image(number) for label in (1, 2, 10) for number in range(2)}
    source = opened(tarred(tmp_path / "a.tar", members))
    assert source.classes == ("1", "2", "10")
    assert source.labels is not None
    assert source.labels.tolist() == [0, 0, 1, 1, 2, 2]


@pytest.mark.parametrize(
    ("arrays", "found"),
    [
        ({"arr_0": (4, 6, 5, 3), "arr_1": (4,)}, (4, 6, 5, 3)), ({"images": (4, 6, 5)}, (4, 6, 5, 1)),
        ({"train_images": (4, 6, 5), "val_images": (2, 6, 5), "train_labels": (4, 1)}, (4, 6, 5, 1)),
        ({"photos": (4, 3, 6, 5), "index": (4,)}, (4, 6, 5, 3)),
    ],
)  # fmt: skip
def test_arrays_of_an_archive(tmp_path: Path, arrays: dict[str, tuple[int, ...]], found: tuple[int, ...]) -> None:
    random = np.random.default_rng(0)
    values = {
        name: random.integers(0, 256 if len(shape) > 2 else 2, shape).astype(np.uint8 if len(shape) > 2 else np.int64)
        for name, shape in arrays.items()
    }
    np.savez(tmp_path / "a.npz", **values)
    source = opened(tmp_path / "a.npz")
    assert source.shape == found
    images = np.concatenate([piece for piece, _ in source.pieces()])
    stored = next(iter(values.values()))
    expected = stored.transpose(0, 2, 3, 1) if stored.ndim == 4 and stored.shape[1] == 3 else stored
    assert np.array_equal(images, expected.reshape(found))
    labels = next((value for name, value in values.items() if name in ("arr_1", "train_labels")), None)
    assert (source.labels is None) == (labels is None)
    if labels is not None and source.labels is not None:
        assert source.labels.tolist() == labels.reshape(-1).tolist()


class Boom:
    def __reduce__(self) -> tuple[Callable[..., Any], tuple[str]]:
        return (Path.touch, (Path("boom"),))  # type: ignore[return-value]


def hostile_npz(folder: Path) -> dict[str, tuple[bytes, str]]:
    images = np.zeros((3, 4, 4, 3), np.uint8)

    def saved(**arrays: Any) -> bytes:
        file = io.BytesIO()
        np.savez_compressed(file, **arrays)
        return file.getvalue()

    def with_member(header: bytes, size: int = 0) -> bytes:
        file = io.BytesIO()
        with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("images.npy", header + bytes(size))
        return file.getvalue()

    def header(shape: object) -> bytes:
        text = f"{{'descr': '|u1', 'fortran_order': False, 'shape': {shape}}}".ljust(117) + "\n"
        return b"\x93NUMPY\x01\0" + struct.pack("<H", len(text)) + text.encode()

    sound = saved(images=images)
    return {
        "objects": (saved(images=np.array([Boom(), 1], object)), "never loaded"),
        "labels-of-objects": (saved(images=images, labels=np.array([Boom()] * 3, object)), "never loaded"),
        "floats": (saved(images=images.astype(np.float32)), "float32"),
        "none": (saved(), "no array of images"),
        "two": (saved(a=images, b=images), "2 arrays"),
        "labels-too-few": (saved(images=images, labels=np.zeros(2, int)), "expected whole numbers [3]"),
        "lying": (with_member(header((10**9, 64, 64, 3)), 100), "of which there are"),
        "negative": (with_member(header((-1, 4, 4, 3)), 48), "shape"),
        "bomb": (with_member(header((1, 4, 4, 3)), 1 << 24), "of which there are"),
        "code": (with_member(b"\x93NUMPY\x01\0\x20\0__import__('os').abort()".ljust(42)), "no sound array"),
        "cut": (sound[: len(sound) // 2], "cut short"),
    }


def test_an_npz_that_nobody_should_believe_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(pickle, "loads", lambda *_: pytest.fail("unpickled"))
    for name, (data, word) in hostile_npz(tmp_path).items():
        (tmp_path / f"{name}.npz").write_bytes(data)
        assert word in refusal(tmp_path / f"{name}.npz"), name
    assert not (tmp_path / "boom").exists()


def test_a_zip_that_nobody_should_believe_is_left_out_or_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(zip_set, "MOST_BYTES", 1 << 20)
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    sound = zipped(tmp_path / "sound.zip", {"a.png": image(1), "b.png": encoded(".png", noise)}, zipfile.ZIP_STORED)
    data = bytearray(sound.read_bytes())
    data[data.index(b"b.png") + 3000] ^= 1
    (tmp_path / "flipped.zip").write_bytes(data)
    assert levels(opened(tmp_path / "flipped.zip")) == [1]
    assert "b.png: damaged" in capsys.readouterr().err
    with zipfile.ZipFile(tmp_path / "odd.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.png", image(1))
        archive.writestr("bomb.png", bytes(1 << 24))
        link = zipfile.ZipInfo("link.png")
        link.external_attr = 0o120777 << 16
        archive.writestr(link, "/etc/passwd")
        archive.writestr("/etc/b.png", image(2))
        archive.writestr("C:\\c.png", image(3))
        with pytest.warns(UserWarning, match="Duplicate"):
            archive.writestr("a.png", image(4))
    assert levels(opened(tmp_path / "odd.zip")) == [4]
    said = capsys.readouterr().err
    words = ["bomb.png: 16777216 bytes, at most", "1 links or devices (link.png)", "1 of the same name as a later one"]
    for word in (*words, "2 with a name that leads out of the archive"):
        assert word in said
    (tmp_path / "cut.zip").write_bytes(sound.read_bytes()[:-40])
    assert "cut short" in refusal(tmp_path / "cut.zip")
    many = bytearray(sound.read_bytes())
    many[-10:-6] = struct.pack("<I", (1 << 32) - 2)
    (tmp_path / "many.zip").write_bytes(many)
    assert "far too many members" in refusal(tmp_path / "many.zip")
    other = zipped(tmp_path / "models.zip", {"cats.onnx": b"x"})
    assert find_source(str(other)) is None


def test_lmdb_that_is_cut_or_damaged_is_one_line_and_no_signal(tmp_path: Path) -> None:
    lmdb = pytest.importorskip("lmdb")
    noise = np.random.default_rng(0).integers(0, 256, (40, 40, 3), np.uint8)
    with lmdb.open(str(tmp_path), map_size=1 << 24) as database, database.begin(write=True) as writing:
        for number in range(90):
            writing.put(f"{number:04}".encode(), image(number) if number % 8 else encoded(".png", noise))
        writing.put(b"zz", pickle.dumps(Boom()))
    path = tmp_path / "data.mdb"
    sound = path.read_bytes()
    source = opened(tmp_path, image_size=SIDE)
    assert source.sidecar.names[:2] == ("0000", "0001")
    assert source.shape[0] == 90
    random = np.random.default_rng(1)
    for length in (0, 100, 4000, 5000, 8192, len(sound) // 2, len(sound) - 4096):
        path.write_bytes(sound[:length])
        assert "data.mdb" in refusal(tmp_path)
    nodes = [
        page for page in range(2, len(sound) // 4096) if sound[page * 4096 + 10] & 3 and sound[page * 4096] == page
    ]
    refused = 0
    for _ in range(40):
        data = bytearray(sound)
        start = nodes[int(random.integers(len(nodes)))] * 4096  # of a page that says where all else is
        for place in (start + random.integers(0, 400, 12)).tolist():
            data[place] = int(random.integers(256))
        path.write_bytes(data)
        with contextlib.suppress(UserError):
            for _ in opened(tmp_path, image_size=SIDE).pieces():
                pass
            refused -= 1
        refused += 1
    assert refused > 5
    loop = bytearray(sound)
    *_, root, _, _ = max((lmdb_set.META.unpack_from(sound, at) for at in (0, 4096)), key=lambda meta: meta[-1])
    first = struct.unpack_from("<H", loop, root * 4096 + 16)[0]
    struct.pack_into("<HHH", loop, root * 4096 + first, root, 0, 0)
    path.write_bytes(loop)
    assert "lead back" in refusal(tmp_path)


def test_npz_arrays_larger_than_a_piece_come_in_pieces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(npz, "MOST_BYTES", 5000)
    images = np.stack([photo(32, 32)] * 9)
    np.savez_compressed(tmp_path / "a.npz", images=images)
    pieces = [piece for piece, _ in opened(tmp_path / "a.npz").pieces()]
    assert len(pieces) == 9
    assert np.array_equal(np.concatenate(pieces), images)


@pytest.mark.parametrize("name", ["a.npy", "a.npz"])
def test_what_numbers_mean_is_not_asked_of_arrays(tmp_path: Path, name: str) -> None:
    array = np.full((4, SIDE, SIDE, 3), 1, np.uint8)
    np.save(tmp_path / "a.npy", array)
    np.savez(tmp_path / "a.npz", images=array)
    found = need_source(str(tmp_path / name))
    for values in ("ids", "12"):
        with pytest.raises(UserError, match=f"--values {values}: .*{name} holds levels from 0 to 255, expected files"):
            found.open(OpenOptions(values=values))
    assert len(list(found.open(OpenOptions(values="stored")).pieces())) == 1


def test_every_set_of_files_takes_what_numbers_mean(tmp_path: Path) -> None:
    mask = encoded(".png", np.tile(np.arange(SIDE, dtype=np.uint8) // 3, (SIDE, 1)))
    write(tmp_path / "folder", "0.png")
    (tmp_path / "folder" / "0.png").write_bytes(mask)
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("0.png", mask)
    with tarfile.open(tmp_path / "a.tar", "w") as shard:
        member = tarfile.TarInfo("0.png")
        member.size = len(mask)
        shard.addfile(member, io.BytesIO(mask))
    for name in ("folder", "a.zip", "a.tar"):
        ((images, _),) = need_source(str(tmp_path / name)).open(OpenOptions(values="ids")).pieces()
        assert images[0, 0, 3].tolist() == [128, 0, 0], name
