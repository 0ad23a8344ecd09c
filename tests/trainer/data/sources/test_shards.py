"""Shards and tables that are read while training: the same batches as from memory, each image once, whoever reads
them; archives that nobody should believe."""

import io
import json
import os
import signal
import subprocess
import tarfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from bad_images import encoded, photo
from commands import environment, log_rows, run_tools, train, train_command
from killed_tools import write_labelled

from trainer import checkpoint
from trainer.contract.errors import UserError
from trainer.data.__main__ import main
from trainer.data.batches.augment import Augment
from trainer.data.batches.dataset import ImageDataset, open_dataset
from trainer.data.batches.stream import Stream
from trainer.data.sources.shards import ShardImages, index_of

CPU = torch.device("cpu")
COUNT = 29
CLASSES = ("cat", "dog", "newt")


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "utsuroi" / "shards"


@pytest.fixture
def made(tmp_path: Path) -> Path:
    """A labelled .npy of 29 images, and beside it the same in seven shards of four or five."""
    images = np.stack([np.roll(photo(16, 16), (k // 16, k), (0, 1)) for k in range(COUNT)])
    path = tmp_path / "set.npy"
    write_labelled(path, images, [k * k % 3 for k in range(COUNT)], CLASSES)
    tool("shards", path, "-o", tmp_path / "x-{00..06}.tar", "--format", "png")
    return path


def tool(*arguments: Any) -> None:
    with pytest.raises(SystemExit) as ended:
        main([str(argument) for argument in arguments])
    assert not ended.value.code


def refusal(*arguments: Any) -> str:
    """The one line that a set is refused with."""
    with pytest.raises(UserError) as error:
        open_dataset(str(arguments[0]), progress=False, **(arguments[1] if len(arguments) > 1 else {}))
    text = str(error.value)
    assert "\n" not in text
    return text


def streamed(data: Any, **options: Any) -> ImageDataset:
    """Shards that do not fit into memory."""
    images = open_dataset(str(data), memory=0, progress=False, **options)
    assert isinstance(images.images, ShardImages)
    return images


def stream(images: ImageDataset, **options: Any) -> Stream:
    defaults: dict[str, Any] = {
        "batch_size": 3, "rank": 0, "world_size": 1, "seed": 5, "device": CPU, "image_range": (-1.0, 1.0),
        "augment": Augment(flip=True, rotate=10), "memory_gib": 0.0,
    }  # fmt: skip
    return Stream(images, images.split(5)[0], **{**defaults, **options})


def tar(
    path: Path, members: dict[str, bytes | Callable[[tarfile.TarInfo], None]], kind: int = tarfile.PAX_FORMAT
) -> Path:
    """An archive of files, and of members that are changed by a function."""
    with tarfile.open(path, "w", format=kind) as archive:
        for name, content in members.items():
            entry = tarfile.TarInfo(name)
            if callable(content):
                content(entry)
                archive.addfile(entry)
            else:
                entry.size = len(content)
                archive.addfile(entry, io.BytesIO(content))
    return path


def image(number: int) -> bytes:
    return encoded(".png", np.full((6, 8, 3), number, np.uint8))


def levels(images: ImageDataset) -> list[int]:
    return images.images[np.arange(len(images))][:, 0, 0, 0].tolist()


@pytest.mark.parametrize("workers", [0, 2])
def test_two_ranks_draw_from_uneven_shards_what_they_would_from_memory(
    made: Path, tmp_path: Path, workers: int
) -> None:
    in_memory, shards = open_dataset(str(made), progress=False), streamed(tmp_path / "x-{00..06}.tar")
    assert shards.spec == in_memory.spec
    assert shards.classes == CLASSES
    counts = [row["images"] for row in json.loads((tmp_path / "x.index.json").read_text())["shards"]]
    assert sum(counts) == COUNT
    assert len(set(counts)) > 1
    seen: Counter[bytes] = Counter()
    labels: Counter[int] = Counter()
    training = len(in_memory.split(5)[0])
    for rank in range(2):
        options: dict[str, Any] = {"rank": rank, "world_size": 2, "augment": Augment()}
        expected, found = stream(in_memory, memory_gib=1.0, **options), stream(shards, workers=workers, **options)
        for _ in range(training // 2):  # 24 images, 3 a batch and rank: three epochs
            one, other = next(expected), next(found)
            assert torch.equal(one.image, other.image)
            assert torch.equal(one.label, other.label)
            seen.update(image.numpy().tobytes() for image in other.image)
            labels.update(other.label.tolist())
        found.close()
    assert set(seen.values()) == {3}, "each image once an epoch"
    assert len(seen) == training
    assert labels == Counter(
        {label: 3 * count for label, count in Counter(in_memory.labels[in_memory.split(5)[0]].tolist()).items()}
    )


@pytest.mark.parametrize("workers", [0, 1])
def test_resuming_in_mid_epoch_draws_the_remaining_ones(made: Path, tmp_path: Path, workers: int) -> None:
    shards = streamed(tmp_path) if False else streamed(tmp_path / "x-{00..06}.tar")
    whole = stream(shards)
    batches = [next(whole) for _ in range(9)]
    late = stream(shards, position=12, workers=workers)
    for expected in batches[4:]:
        assert torch.equal(next(late).image, expected.image)
    late.position = 6
    assert torch.equal(next(late).image, batches[2].image)
    late.close()


def test_the_ways_to_name_shards(made: Path, tmp_path: Path) -> None:
    tool("shards", made, "-o", tmp_path / "folder", "--pictures-per-shard", "12")
    assert sorted(path.name for path in (tmp_path / "folder").iterdir()) == [
        "shards-000000.tar", "shards-000001.tar", "shards-000002.tar", "shards.index.json",
    ]  # fmt: skip
    (tmp_path / "folder" / "README.md").write_text("mine")
    for data in (tmp_path / "folder", tmp_path / "folder" / "shards.index.json"):
        assert len(streamed(data)) == COUNT
    assert open_dataset(str(tmp_path / "folder"), progress=False).name == "folder"
    assert len(streamed(tmp_path / "folder" / "shards-000001.tar")) == 12
    some = streamed(tmp_path / "folder" / "shards-{000001..000002}.tar")
    whole = streamed(tmp_path / "folder")
    assert (some.images[np.arange(17)] == whole.images[np.arange(12, 29)]).all()
    assert some.classes == CLASSES
    assert (tmp_path / "x.index.json").is_file()
    (tmp_path / "folder" / "a.jpg").write_bytes(encoded(".jpg"))
    assert len(open_dataset(str(tmp_path / "folder"), progress=False)) == 1, "a folder of images with tars in it"


def test_shards_of_every_kind_of_set(made: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "photos"
    for name in ("cats", "dogs"):
        (folder / name).mkdir(parents=True)
        for k in range(3):
            (folder / name / f"{k}.jpg").write_bytes(encoded(".jpg", photo(20 + k, 30)))
    (folder / "dogs" / "broken.png").write_bytes(encoded(".png")[:50])
    tool("shards", folder, "-o", tmp_path / "kept", "--names")
    assert "broken.png: truncated" in capsys.readouterr().err
    with tarfile.open(tmp_path / "kept" / "shards-000000.tar") as archive:
        found = {member.name: archive.extractfile(member).read() for member in archive}  # type: ignore[union-attr]
    assert found["000000001.jpg"] == (folder / "cats" / "1.jpg").read_bytes(), "files keep their very bytes"
    assert json.loads(found["000000004.json"]) == {"name": "dogs/1.jpg"}
    assert found["000000004.cls"] == b"1"
    assert "several sizes" in refusal(tmp_path / "kept")
    tool("info", tmp_path / "kept")
    assert "class   dogs: 3" in capsys.readouterr().out
    kept, original = (open_dataset(str(path), image_size=16, progress=False) for path in (tmp_path / "kept", folder))
    assert (kept.images[np.arange(6)] == original.images[np.arange(6)]).all()
    assert kept.labels is not None
    assert kept.labels.tolist() == [0, 0, 0, 1, 1, 1]
    np.save(tmp_path / "grey.npy", photo(16, 16)[None, ..., 0].repeat(3, 0))
    tool("shards", tmp_path / "grey.npy", "-o", tmp_path / "grey", "--format", "png")
    tool("shards", tmp_path / "grey", "-o", tmp_path / "grey-{0..1}.tar", "--format", "webp", "--quality", "90")
    grey = streamed(tmp_path / "grey")
    assert grey.spec.channels == 1
    assert (grey.images[np.arange(3)] == np.load(tmp_path / "grey.npy")[..., None]).all()
    second = streamed(tmp_path / "grey-{0..1}.tar")
    assert second.spec.channels == 1
    assert np.abs(second.images[np.arange(3)].astype(int) - grey.images[np.arange(3)]).mean() < 8


def test_outputs_are_never_replaced_and_mistakes_are_named(made: Path, tmp_path: Path) -> None:
    before = {path: path.read_bytes() for path in tmp_path.glob("x*")}
    cases = {
        "x-{00..06}.tar": "exists, and is never replaced",
        "x-{06..09}.tar": "exists, and is never replaced",
        "y-{00..99}.tar": "100 shards, expected at most one for each of 29",
        "y.tar": "expected one range",
        "y-{0..2}-{0..3}.tar": "expected one range",
        "{0..2}/y.tar": "expected one range",
        "y-{0..2}x.tar": "expected the range before .tar",
        "y-{5..2}.tar": "expected 1 to",
        "y.npy": "expected a folder",
    }
    commands = [{"arguments": ["shards", "set.npy", "-o", name], "seconds": 20} for name in cases]
    for end, word in zip(run_tools(commands, tmp_path), cases.values(), strict=True):
        assert end["code"] == 2, end
        assert word in end["error"].splitlines()[-1], end
    assert {path: path.read_bytes() for path in tmp_path.glob("[xy]*")} == before


def test_what_is_not_as_the_index_says_is_refused(made: Path, tmp_path: Path) -> None:
    place, shard = tmp_path / "x.index.json", tmp_path / "x-03.tar"
    assert index_of(shard) == place
    described, whole = json.loads(place.read_text()), shard.read_bytes()
    changed = bytearray(whole)
    changed[600] ^= 1
    shard.write_bytes(changed)
    (end,) = run_tools([{"arguments": ["info", "x-{00..06}.tar"], "seconds": 20}], tmp_path)
    assert end["error"].splitlines()[-1].endswith("x-03.tar is not the one that x.index.json tells of")
    shard.write_bytes(whole[:-512])
    assert "x-03.tar holds" in refusal(tmp_path / "x-{00..06}.tar")
    shard.unlink()
    assert "x-03.tar: No such file" in refusal(tmp_path / "x-{00..06}.tar")
    assert len(streamed(tmp_path / "x-{00..02}.tar")) > 0, "the others are of use"
    shard.write_bytes(whole)

    def with_index(change: dict[str, Any], **of_a_shard: Any) -> str:
        rows = [{**described["shards"][0], **of_a_shard}, *described["shards"][1:]]
        place.write_text(json.dumps({**described, "shards": rows, **change}))
        return refusal(tmp_path / "x-{00..06}.tar")

    assert "never finished" in with_index({"unfinished": {}})
    assert "no index of shards" in with_index({"format": "else"})
    assert "of version 7" in with_index({"version": 7})
    for change in ({"classes": []}, {"classes": ["a"]}, {"shards": []}, {"shards": 3}, {"channels": 4},
                   {"size": [0, 1]}, {"shards": [described["shards"][0]] * 2}):  # fmt: skip
        assert "is damaged" in with_index(change), change
    for of_a_shard in ({"images": 10**12}, {"images": -1}, {"places": "x"}, {"places": None}, {"name": "../x"},
                       {"name": ""}, {"name": 3}, {"places": described["shards"][1]["places"][:-8]}):  # fmt: skip
        assert "is damaged" in with_index({}, **of_a_shard), of_a_shard
    with_text = "[" * 100_000
    place.write_text(with_text)
    assert "no JSON" in refusal(tmp_path / "x-{00..06}.tar")


def hostile() -> dict[str, tuple[bytes, str]]:
    """Archives that are no good, by what is said of them."""
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as archive:
        for k in range(4):
            entry = tarfile.TarInfo(f"{k}.png")
            entry.size = len(image(k))
            archive.addfile(entry, io.BytesIO(image(k)))
    sound = file.getvalue()
    used = sound.rstrip(b"\0")
    lying, backwards = bytearray(sound), bytearray(sound)
    lying[124:136] = b"77777777777\0"
    backwards[124:136], backwards[156:157] = b"\xff" * 10 + b"\xfc\x00", b"S"  # sparse, of -1024 bytes
    for changed in (lying, backwards):
        check = sum(changed[:148]) + 8 * 32 + sum(changed[156:512])
        changed[148:156] = f"{check:06o}\0 ".encode()
    negative = bytearray(sound)
    negative[124:136] = b"\xff" * 12
    damaged = bytearray(sound)
    damaged[1024 + 3] ^= 64
    return {
        "empty": (b"", "cut short"),
        "text": (b"hello" * 200, "is not a tar archive"),
        "image": (encoded(".jpg"), "is not a tar archive"),
        "compressed": (b"\x1f\x8b" + bytes(2000), "unpack it once"),
        "cut-in-a-header": (sound[:1300], "cut short"),
        "cut-in-a-image": (sound[:600], "cut short"),
        "cut-between": (sound[:2048], "cut short"),
        "no-end": (used + bytes(-len(used) % 512), "cut short"),
        "lying": (bytes(lying), "cut short"),
        "negative": (bytes(negative), "is not a tar archive"),
        "backwards": (bytes(backwards), "is not a tar archive"),
        "damaged": (bytes(damaged), "damaged at byte 1024"),
        "no-images": (bytes(10240), "no readable image"),
    }


@pytest.mark.parametrize("case", hostile())
def test_an_archive_that_is_not_sound_is_one_line(case: str, tmp_path: Path) -> None:
    data, word = hostile()[case]
    (tmp_path / "h.tar").write_bytes(data)
    assert word in refusal(tmp_path / "h.tar")
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "h-1.tar").write_bytes(data)
    tar(tmp_path / "set" / "h-0.tar", {"a.png": image(1)})
    if word != "no readable image":
        assert "h-1.tar" in refusal(tmp_path / "set")


def test_members_that_are_not_to_be_trusted_are_left_out(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("trainer.data.sources.shards.scan.MOST_BYTES", 4000)
    monkeypatch.setattr("trainer.data.sources.shards.scan.SHOWN", 99)

    def of_kind(kind: bytes, target: str = "") -> Callable[[tarfile.TarInfo], None]:
        def change(entry: tarfile.TarInfo) -> None:
            entry.type, entry.linkname = kind, target

        return change

    def sparse(entry: tarfile.TarInfo) -> None:
        entry.pax_headers = {"GNU.sparse.major": "1", "GNU.sparse.size": "99999999"}

    long_name = "very/" * 60 + "long.png"
    path = tar(tmp_path / "h.tar", {
        "./": of_kind(tarfile.DIRTYPE),
        "/etc/passwd.png": image(99), "../../up.png": image(99), "a/../b.png": image(99),
        "link.png": of_kind(tarfile.SYMTYPE, "/etc/passwd"), "hard.png": of_kind(tarfile.LNKTYPE, "one.png"),
        "null.png": of_kind(tarfile.CHRTYPE), "pipe.png": of_kind(tarfile.FIFOTYPE), "sparse.png": sparse,
        "late.cls": b"2",
        "one.png": image(1), "one.cls": b"0",
        "twice.png": image(99), "twice.jpg": encoded(".jpg"),
        "huge.png": b"\x89PNG\r\n\x1a\n" + bytes(5000),
        "cut.png": image(3)[:40], "empty.png": b"", "text.jpg": b"no image at all",
        "late.png": image(2),
        "a.b/two.PNG": image(4), "a.b/two.cls": b" 1\n", "two.seg.png": image(99),
        "._one.png": b"notes", ".hidden.png": image(99),
        "naïve \U0001f408.png": image(5), "naïve \U0001f408.cls": b"2",
        "esc\x1b[31m.png": b"",
        long_name: image(6), long_name.replace(".png", ".cls"): b"0",
    })  # fmt: skip
    images = open_dataset(str(path), progress=False)
    assert levels(images) == [1, 2, 4, 5, 6]
    assert images.labels is not None
    assert images.labels.tolist() == [0, 2, 1, 2, 0]
    gnu = tar(tmp_path / "g.tar", {long_name: image(6), "one.png": image(1)}, tarfile.GNU_FORMAT)
    assert levels(open_dataset(str(gnu), progress=False)) == [6, 1]
    lines = capsys.readouterr().err.splitlines()
    lines = [line for line in lines if "dark as black" not in line]  # as these images are
    counts = [line for line in lines if line.startswith("note: ")]
    assert len(counts) == 1
    assert "h.tar: 5 of 23 members taken, left out: " in counts[0]
    assert "2 × link (link.png, hard.png)" in counts[0]
    assert "1 without the label that others have (two.seg)" in counts[0]
    lines = [line for line in lines if line not in counts]
    assert all(line.startswith("skipped ") and "h.tar, " in line and "\x1b" not in line for line in lines)
    for word in ("/etc/passwd.png: a name that leads out", "../../up.png: a name", "a/../b.png: a name",
                 "link.png: a link", "hard.png: a link", "null.png: a device", "pipe.png: a FIFO",
                 "sparse.png: a sparse file", "twice.jpg: a second image", "huge.png: 5008 bytes, at most",
                 "cut.png: truncated", "empty.png: an empty file", "text.jpg: not an image"):  # fmt: skip
        assert sum(word in line for line in lines) == 1, word
    assert not list(tmp_path.glob("**/up.png"))


def test_labels_of_shards_made_elsewhere(tmp_path: Path) -> None:
    def labels(name: str, members: dict[str, Any]) -> tuple[list[int] | None, tuple[str, ...]]:
        images = open_dataset(str(tar(tmp_path / f"{name}.tar", members)), progress=False)
        return None if images.labels is None else images.labels.tolist(), images.classes

    pair = {"a.png": image(1), "b.png": image(2)}
    assert labels("none", pair) == (None, ())
    assert labels("names", {**pair, "a.cls": b"dog", "b.cls": b"cat"}) == ([1, 0], ("cat", "dog"))
    notes = {"a.json": b'{"label": 2, "url": "x"}', "b.json": b'{"label": 0}'}
    assert labels("json", {**pair, **notes}) == ([2, 0], ("0", "1", "2"))
    assert labels("other", {**pair, "a.json": b'{"caption": "x"}', "b.txt": b"3", "c.cls": b"1"}) == (None, ())
    for name, more, word in (
        ("missing", {"a.cls": b"1"}, "1 missing"), ("mixed", {"a.cls": b"1", "b.cls": b"cat"}, "several kinds"),
        ("wild", {"a.cls": b"1", "b.cls": b"99999999"}, "expected 0 to"),
    ):  # fmt: skip
        assert word in refusal(tar(tmp_path / f"{name}.tar", {**pair, **more}))


def test_what_was_found_is_kept_for_as_long_as_the_shards_stay_the_same(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tar(tmp_path / "h.tar", {"a.png": image(1), "b.png": image(2)})
    before = levels(open_dataset(str(path), progress=False))
    (known,) = cache.iterdir()
    with monkeypatch.context() as patch:
        patch.setattr("trainer.data.sources.shards.scan._scan_one", lambda path: pytest.fail("read twice"))
        assert levels(open_dataset(str(path), progress=False)) == before == [1, 2]
    known.write_text("{")
    assert levels(open_dataset(str(path), progress=False)) == before, "a damaged note is no obstacle"
    tar(path, {"a.png": image(7)})
    os.utime(path, ns=(1, 1))
    assert levels(open_dataset(str(path), progress=False)) == [7]
    assert path.read_bytes()
    assert not (tmp_path / "h.index.json").exists(), "nothing is written beside somebody's shards"


def test_an_image_that_is_damaged_later_is_named(made: Path, tmp_path: Path) -> None:
    shards = streamed(tmp_path / "x-{00..06}.tar")
    (tmp_path / "x-01.tar").write_bytes((tmp_path / "x-01.tar").read_bytes()[:700])
    with pytest.raises(UserError, match=r"x-01\.tar, image \d \(byte \d+\): .*; it was readable before"):
        list(zip(range(40), stream(shards, workers=1), strict=False))


def test_shards_are_what_others_take_them_for(made: Path, tmp_path: Path) -> None:
    """Read by Python's own module, and written to the same bytes."""
    tool("shards", made, "-o", tmp_path / "second-{00..06}.tar", "--format", "png")
    for k in range(7):
        assert (tmp_path / f"second-0{k}.tar").read_bytes() == (tmp_path / f"x-0{k}.tar").read_bytes()
    names = []
    for path in sorted(tmp_path.glob("x-*.tar")):
        with tarfile.open(path) as archive:
            for member in archive:
                assert member.isreg()
                names.append(member.name)
    assert names == [f"{k:09}.{kind}" for k in range(COUNT) for kind in ("png", "cls")]


def weights(run: Path) -> dict[str, bytes]:
    path, complaints = checkpoint.newest_intact(run)
    assert path is not None
    assert not complaints
    return {name: (path / name).read_bytes() for name in (checkpoint.NETS, checkpoint.AVERAGED, checkpoint.OPTIMIZERS)}


OPTIONS = (
    "--batch-size", 3, "--hold-out", 7, "--log-every", 2, "--save-every", 4, "--sample-every", 100, "--hidden-size", 8,
    "--latent-size", 3,
)  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("workers", [0, 2])
def test_a_run_of_two_ranks_from_shards_is_that_from_memory(made: Path, tmp_path: Path, workers: int) -> None:
    runs = {}
    for name, data in (("memory", made), ("shards", tmp_path / "x-{00..06}.tar")):
        streams = ("--memory", 0, "--workers", workers) if name == "shards" else ()
        parts = (5, 9) if name == "shards" else (9,)
        for steps in parts:
            done = train("--data", data, "--out", tmp_path / name, "--steps", steps, *OPTIONS, *streams, ranks=2)
            assert done.returncode == 0, done.stderr
            assert "2 processes on" in done.stdout
        runs[name] = weights(tmp_path / name), log_rows(tmp_path / name, "held_out")[-1], log_rows(tmp_path / name)[-1]
    assert runs["memory"] == runs["shards"]


@pytest.mark.slow
def test_a_killed_run_goes_on_from_shards_to_the_bit(made: Path, tmp_path: Path) -> None:
    data = ("--data", tmp_path / "x-{00..06}.tar", "--steps", 60, *OPTIONS, "--memory", 0, "--workers", 1)
    assert train(*data, "--out", tmp_path / "whole").returncode == 0
    process = subprocess.Popen(
        train_command(*data, "--out", tmp_path / "parts"),
        env=environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    deadline = time.monotonic() + 120
    while not checkpoint.checkpoints(tmp_path / "parts") and time.monotonic() < deadline:
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    path, _ = checkpoint.newest_intact(tmp_path / "parts")
    assert path is not None
    done = train(*data, "--out", tmp_path / "parts")
    assert done.returncode == 0, done.stderr
    assert weights(tmp_path / "parts") == weights(tmp_path / "whole")


@pytest.mark.slow
def test_a_run_from_shards_is_measured_with_shards(made: Path, tmp_path: Path) -> None:
    data = tmp_path / "x-{00..06}.tar"
    assert train("--data", data, "--out", tmp_path / "run", "--steps", 4, *OPTIONS).returncode == 0
    script = Path(__file__).parents[4] / "trainer" / "evaluate.py"
    command = [train_command()[0], str(script), str(tmp_path / "run"), "--features", "none", "--samples", "12"]
    found = []
    for more in ([], ["--data", str(data), "--memory", "0"], ["--data", str(made)]):
        done = subprocess.run(
            [*command, *more], env=environment(), capture_output=True, text=True, timeout=200, check=False
        )
        assert done.returncode == 0, done.stderr
        found.append(json.loads((tmp_path / "run" / "evaluation" / "metrics.json").read_text()))
    assert [described["images"] for described in found] == [4, COUNT, COUNT]
    assert (
        found[1]["metrics"]["elbo" if "elbo" in found[1]["metrics"] else "mse_exported"]
        == found[2]["metrics"]["elbo" if "elbo" in found[2]["metrics"] else "mse_exported"]
    )
