"""Image files into a .npy file: colours, shapes, files that cannot be trusted, and interruptions."""

import os
import signal
import struct
import subprocess
import sys
import time
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest

from trainer.contract.errors import UserError
from trainer.contract.files import output
from trainer.contract.headers import Unreadable
from trainer.contract.headers import read_header as read_image_header
from trainer.contract.images import decode, load_bytes, pad, read_bytes, resize
from trainer.contract.text import printable
from trainer.data.__main__ import main
from trainer.data.sources.npy_set import Writer, read_header
from trainer.data.tools import info
from trainer.data.tools._files import find

RED, GREEN, BLUE = (255, 0, 0), (0, 255, 0), (0, 0, 255)


def halves(height: int, width: int) -> np.ndarray:
    """Left half red, right half blue, RGB."""
    image = np.zeros((height, width, 3), np.uint8)
    image[:, : width // 2], image[:, width // 2 :] = RED, BLUE
    return image


def encoded(image: np.ndarray, suffix: str = ".png") -> bytes:
    """RGB or RGBA to the bytes of a file."""
    order = {3: cv2.COLOR_RGB2BGR, 4: cv2.COLOR_RGBA2BGRA}
    stored = cv2.cvtColor(image, order[image.shape[2]]) if image.ndim == 3 else image
    return cv2.imencode(suffix, stored)[1].tobytes()


def noise(size: int = 64) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (size, size, 3), dtype=np.uint8)


def png_chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def exif(orientation: int) -> bytes:
    return b"MM\0*\0\0\0\x08\0\x01" + struct.pack(">HHIHH", 0x0112, 3, 1, orientation, 0) + bytes(4)


def run_create(*arguments: str | Path) -> int:
    with pytest.raises(SystemExit) as stop:
        main(["create", *map(str, arguments)])
    return int(stop.value.code or 0)


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".bmp", ".gif", ".webp"])
def test_red_stays_red_in_every_format(tmp_path: Path, suffix: str) -> None:
    (tmp_path / f"halves{suffix}").write_bytes(encoded(halves(40, 60), suffix))
    assert run_create(tmp_path / f"*{suffix}", "-o", tmp_path / "out.npy", "--size", 16) == 0
    images = np.load(tmp_path / "out.npy", allow_pickle=False)
    assert images.shape == (1, 16, 16, 3)
    assert images.dtype == np.uint8
    assert np.abs(images[0, 8, 3].astype(int) - RED).max() < 8
    assert np.abs(images[0, 8, 12].astype(int) - BLUE).max() < 8


def test_keep_aspect_repeats_the_edge(tmp_path: Path) -> None:
    image = np.zeros((20, 40, 3), np.uint8)
    image[:10], image[10:] = GREEN, BLUE
    (tmp_path / "a.png").write_bytes(encoded(image))
    padded = load_bytes(read_bytes(tmp_path / "a.png"), 40, 40, pad)
    assert (padded[:20] == GREEN).all()
    assert (padded[20:] == BLUE).all()
    assert (padded[10:30] == image).all(), "the image itself is not resampled"
    stretched = load_bytes(read_bytes(tmp_path / "a.png"), 40, 40, resize)
    assert stretched.shape == (40, 40, 3)


def test_alpha_is_laid_on_white_and_16_bits_are_kept_in_scale(tmp_path: Path) -> None:
    clear = np.zeros((8, 8, 4), np.uint8)
    clear[:, :4] = (255, 0, 0, 255)
    (tmp_path / "a.png").write_bytes(encoded(clear))
    image = load_bytes(read_bytes(tmp_path / "a.png"), 8, 8)
    assert (image[0, 0] == RED).all()
    assert (image[0, 7] == 255).all()
    deep = np.full((8, 8), 128 * 257, np.uint16)
    (tmp_path / "b.png").write_bytes(encoded(deep))
    assert (load_bytes(read_bytes(tmp_path / "b.png"), 8, 8) == 128).all()


@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientation_turns_all_formats_alike(tmp_path: Path, orientation: int) -> None:
    """A corner marked in the stored image must be where EXIF says it is shown."""
    image = np.zeros((32, 48, 3), np.uint8)
    image[:16, :16] = 255
    corner = {1: (0, 0), 2: (0, 1), 3: (1, 1), 4: (1, 0), 5: (0, 0), 6: (0, 1), 7: (1, 1), 8: (1, 0)}[orientation]
    jpeg = encoded(image, ".jpg")
    block = b"Exif\0\0" + exif(orientation)
    (tmp_path / "a.jpg").write_bytes(jpeg[:2] + b"\xff\xe1" + struct.pack(">H", len(block) + 2) + block + jpeg[2:])
    png = encoded(image)
    (tmp_path / "a.png").write_bytes(png[:33] + png_chunk(b"eXIf", exif(orientation)) + png[33:])
    for name in ("a.jpg", "a.png"):
        data = read_bytes(tmp_path / name)
        header = read_image_header(data)
        shown = decode(data, header)
        assert shown.shape[:2] == header.shape == ((48, 32) if orientation > 4 else (32, 48))
        quarters = shown[:: shown.shape[0] - 1, :: shown.shape[1] - 1, 0] > 128
        assert np.argwhere(quarters).tolist() == [list(corner)], name


def bad_files(folder: Path) -> dict[str, str]:
    """Write every kind of bad file → its name and a word of the reason."""
    jpeg, png = encoded(noise(), ".jpg"), encoded(noise())
    bomb = png[:8] + png_chunk(b"IHDR", struct.pack(">IIBBBBB", 60000, 60000, 8, 2, 0, 0, 0)) + png[33:]
    flipped = bytearray(png)
    flipped[len(png) // 2] ^= 1
    thumbnail = b"\xff\xe1" + struct.pack(">H", len(jpeg[:200]) + 4) + jpeg[:200] + b"\xff\xd9"
    files = {
        "text.jpg": (b"not an image\n", "not an image"),
        "empty.png": (b"", "empty"),
        "cut.jpg": (jpeg[: len(jpeg) // 2], "truncated"),
        "cut_thumbnail.jpg": (jpeg[:2] + thumbnail + jpeg[2 : len(jpeg) // 2], "truncated"),
        "only_start.jpg": (jpeg[:30], "truncated"),
        "cut.png": (png[: len(png) // 2], "truncated"),
        "cut.bmp": (encoded(noise(), ".bmp")[:3000], "truncated"),
        "cut.gif": (encoded(noise(), ".gif")[:900], "truncated"),
        "cut.webp": (encoded(noise(), ".webp")[:900], "truncated"),
        "bomb.png": (bomb, "million"),
        "flipped.png": (bytes(flipped), "damaged"),
        "\x1b[31mred\n.jpg": (b"escape", "not an image"),
    }
    for name, (data, _) in files.items():
        (folder / name).write_bytes(data)
    os.mkfifo(folder / "pipe.png")
    (folder / "folder.png").mkdir()
    reasons = {name: reason for name, (_, reason) in files.items()}
    return {**reasons, "pipe.png": "not a regular file", "folder.png": "a folder"}


def test_each_bad_file_is_named_with_its_reason(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = tmp_path / "in"
    source.mkdir()
    reasons = bad_files(source)
    (source / "good.png").write_bytes(encoded(halves(8, 8)))
    (source / "padded.jpg").write_bytes(encoded(noise(), ".jpg") + bytes(100))
    (source / os.fsdecode(b"\xff\xfe.png")).write_bytes(encoded(halves(8, 8)))
    assert run_create(source / "*", "-o", tmp_path / "out.npy", "--size", 8) == 0
    shown = capsys.readouterr()
    assert f"3 images of 8x8 px, {len(reasons)} skipped" in shown.out
    lines = [line for line in shown.err.splitlines() if line.startswith("skipped ")]
    assert len(lines) == len(reasons)
    for name, reason in reasons.items():
        assert any(line.endswith(reason) or reason in line for line in lines if printable(source / name) in line), name
    assert "\x1b" not in shown.err
    assert len(np.load(tmp_path / "out.npy")) == 3


def test_nothing_readable_ends_with_2_and_writes_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "a.jpg").write_text("no")
    assert run_create(tmp_path / "a.jpg", tmp_path / "missing.jpg", "-o", tmp_path / "out.npy") == 2
    assert run_create(tmp_path / "nothing*.jpg", "-o", tmp_path / "out.npy") == 2
    error = capsys.readouterr().err
    assert "missing.jpg: no such file" in error
    assert "nothing matches" in error
    assert "Traceback" not in error
    assert [path.name for path in tmp_path.iterdir()] == ["a.jpg"]


def test_find_takes_folders_patterns_and_names_once(tmp_path: Path) -> None:
    for name in ("b.png", "a.png", "deep/er/c.png", ".hidden.png"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"x")

    def names(*patterns: str) -> list[str]:
        found = find([f"{tmp_path}/{pattern}" for pattern in patterns], tmp_path / "out.npy")
        return [path.relative_to(tmp_path).as_posix() for path in found]

    assert names("") == ["a.png", "b.png", "deep/er/c.png"]
    assert names("**/*.png") == ["a.png", "b.png", "deep/er/c.png"]
    assert names("b.png", "*.png") == ["b.png", "a.png"]


def test_an_output_is_replaced_only_with_force(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "a.png").write_bytes(encoded(halves(8, 8)))
    out = tmp_path / "out.npy"
    out.write_bytes(b"old")
    assert run_create(tmp_path / "a.png", "-o", out) == 2
    assert out.read_bytes() == b"old"
    assert "--force" in capsys.readouterr().err
    assert run_create(tmp_path / "a.png", "-o", out, "--force", "--size", 8) == 0
    assert np.load(out).shape == (1, 8, 8, 3)
    assert run_create(tmp_path / "a.png", "-o", tmp_path / f"{'a' * 300}.npy") == 2
    assert "File name too long" in capsys.readouterr().err


def test_toy_cats_never_replace_facts_of_another_set(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sidecar = tmp_path / "cats.json"
    sidecar.write_text("precious")
    with pytest.raises(SystemExit) as stop:
        main(["toycats", "-o", str(tmp_path / "cats.npy"), "--count", "1", "--size", "16"])
    assert stop.value.code == 2
    assert "cats.json exists" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["cats.json"]


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_a_kill_leaves_the_old_output_whole(tmp_path: Path, number: signal.Signals) -> None:
    source = tmp_path / "in"
    source.mkdir()
    (source / "0.jpg").write_bytes(encoded(noise(1200), ".jpg"))
    for k in range(1, 2000):
        os.link(source / "0.jpg", source / f"{k}.jpg")
    out = tmp_path / "out.npy"
    np.save(out, halves(8, 8)[None])
    old = out.read_bytes()
    command = [sys.executable, "-m", "trainer.data", "create", str(source), "-o", str(out), "--force", "--size", "64"]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        while not any(part.stat().st_size > 2 * 64 * 64 * 3 for part in tmp_path.glob(".out.npy.*.part")):
            assert process.poll() is None
            time.sleep(0.01)
        process.send_signal(number)
        _, error = process.communicate(timeout=240)
    finally:
        process.kill()
    assert process.returncode not in (0, 2)
    assert b"Traceback" not in error
    assert out.read_bytes() == old
    if number != signal.SIGKILL:
        assert not list(tmp_path.glob(".out.npy.*")), "the temporary file is removed"


def test_writer_appends_and_corrects_its_header(tmp_path: Path) -> None:
    images = np.random.default_rng(0).integers(0, 256, (5, 4, 6, 3), dtype=np.uint8)
    with output(tmp_path / "a.npy", force=False) as file:
        writer = Writer(file, (4, 6, 3))
        writer.append(images[0])
        writer.append(images[1:])
        writer.finish()
    assert (np.load(tmp_path / "a.npy") == images).all()
    assert read_header(tmp_path / "a.npy")[0] == (5, 4, 6, 3)


def test_an_error_while_writing_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), output(tmp_path / "a.npy", force=False) as file:
        file.write(bytes([1 // 0]))
    with pytest.raises(UserError, match="No space"), output(tmp_path / "a.npy", force=False):
        raise OSError(28, "No space left on device")
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_appears_while_another_is_written_stays(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="exists; give --force"), output(tmp_path / "a.npy", force=False):
        (tmp_path / "a.npy").write_bytes(b"precious")
    assert (tmp_path / "a.npy").read_bytes() == b"precious"
    assert [path.name for path in tmp_path.iterdir()] == ["a.npy"]


def test_what_a_kill_has_left_goes_with_the_next_run_and_what_is_being_written_stays(tmp_path: Path) -> None:
    old, new, other = (tmp_path / name for name in (".a.npy.7.part", ".a.npy.8.part", ".b.npy.7.part"))
    for path in (old, new, other):
        path.write_bytes(b"half")
    for path in (old, other):
        os.utime(path, (0, 0))
    with output(tmp_path / "a.npy", force=False) as file:
        file.write(b"whole")
    assert sorted(path.name for path in tmp_path.iterdir()) == [".a.npy.8.part", ".b.npy.7.part", "a.npy"]


@pytest.mark.parametrize("size", [32, 40])
def test_reduced_decoding_is_close_to_the_exact_one(tmp_path: Path, size: int) -> None:
    smooth = resize(noise(48), 320, 480)
    (tmp_path / "a.jpg").write_bytes(encoded(smooth, ".jpg"))
    (tmp_path / "odd.jpg").write_bytes(encoded(smooth[:319, :479], ".jpg"))
    for name, most in (("a.jpg", 1.5), ("odd.jpg", 0.0)):
        exact = load_bytes(read_bytes(tmp_path / name), size, size, resize, exact=True).astype(int)
        assert np.abs(load_bytes(read_bytes(tmp_path / name), size, size, resize) - exact).mean() <= most


def test_resize_averages_down_and_hits_any_shape() -> None:
    board = np.indices((64, 64)).sum(0) % 2 * 255
    image = np.repeat(board[..., None], 3, 2).astype(np.uint8)
    assert np.abs(resize(image, 16, 16).astype(int) - 127.5).max() < 1
    assert resize(image, 16, 100).shape == (16, 100, 3)
    assert resize(image, 64, 64) is image


def test_info_says_the_facts_and_refuses_what_is_unsound(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    np.save(tmp_path / "a.npy", np.repeat(halves(8, 10)[None], 3, 0))
    sidecar = dict(info.describe_npy(tmp_path / "a.npy"))
    assert sidecar["images"] == "3, u8 [3, 8, 10, 3]: 10x8 px, 3 channels"
    assert sidecar["means"] == "127.5, 0.0, 127.5"
    (tmp_path / "a.npy").write_bytes((tmp_path / "a.npy").read_bytes()[:-1])
    with pytest.raises(SystemExit) as stop:
        main(["info", str(tmp_path / "a.npy")])
    assert stop.value.code == 2
    assert "cut short" in capsys.readouterr().err
    (tmp_path / "cats").mkdir()
    (tmp_path / "cats" / "a.png").write_bytes(encoded(halves(8, 10)))
    assert dict(info.describe_folder(tmp_path / "cats"))["size"] == "10x8 px: 1"


def test_random_bytes_never_crash_the_header_reader() -> None:
    random = np.random.default_rng(0)
    for suffix in (".jpg", ".png", ".bmp", ".gif", ".webp"):
        sound = encoded(noise(24), suffix)
        for _ in range(150):
            data = bytearray(sound[: random.integers(4, len(sound) + 1)])
            for _ in range(3):
                data[random.integers(len(data))] = random.integers(256)
            try:
                header = read_image_header(bytes(data))
                decode(bytes(data), header)
            except Unreadable:
                pass


def test_what_pixels_mean_is_said_and_may_be_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    masks = tmp_path / "masks"
    masks.mkdir()
    ids = np.zeros((32, 32), np.uint8)
    ids[8:24, 8:24] = 3
    for number in range(3):
        cv2.imwrite(str(masks / f"{number}.png"), np.roll(ids, number))
    (masks / "Thumbs.db").write_bytes(b"x")
    (masks / "cut.png").write_bytes((masks / "0.png").read_bytes()[:40])
    counts = ["3 of 4 files taken, left out: 1 truncated (cut.png)", "left out: 1 of the system (Thumbs.db)"]
    for values, most, words in (
        ("auto", 128, ["grey values are taken as numbers of classes", *counts]),
        ("stored", 3, ["dark as black: the brightest value is 3 of 255"]),
        ("ids", 128, []),
    ):
        target = tmp_path / f"{values}.npy"
        with pytest.raises(SystemExit):
            main(["create", str(masks), "-o", str(target), "--size", "16", "--values", values])
        assert np.load(target).max() == most
        said = capsys.readouterr().err
        assert all(word in said for word in words), said
        assert ("dark" in said) == (values == "stored")
