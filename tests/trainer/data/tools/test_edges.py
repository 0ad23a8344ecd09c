"""The tool that draws edges: which pixels, which files, and what it does with those that are no images."""

import struct
import subprocess
import sys
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest

from trainer.contract.edges import edge_map
from trainer.contract.errors import UserError
from trainer.data.__main__ import main
from trainer.data.tools._convert import plan


def disc(size: int = 64, ground: int = 255, ink: tuple[int, int, int] = (200, 40, 30)) -> np.ndarray:
    """A filled disc, RGB, as an illustration on a plain page."""
    image = np.full((size, size, 3), ground, np.uint8)
    return cv2.circle(image, (size // 2, size // 2), size // 3, ink, -1)


@pytest.mark.parametrize("ground", [255, 128])
def test_an_outline_is_found_on_any_page(ground: int) -> None:
    edges = edge_map(disc(ground=ground))
    assert edges.shape == (64, 64)
    assert set(np.unique(edges)) == {0, 255}
    y, x = np.nonzero(edges)
    assert np.abs(np.hypot(y - 32, x - 32) - 64 // 3).max() < 3
    turns = np.unique((np.arctan2(y - 32, x - 32) * 16 / np.pi).astype(int))
    assert len(turns) >= 30, "all round"


def test_options_do_what_they_say() -> None:
    random = np.random.default_rng(0)
    noise = random.integers(0, 256, (64, 64, 3), np.uint8)
    assert edge_map(noise, sigma=0.1).mean() <= edge_map(noise, sigma=0.9).mean()
    assert edge_map(noise, blur=9).mean() < edge_map(noise, blur=0).mean()
    assert (edge_map(noise, invert=True) == 255 - edge_map(noise)).all()
    grey = cv2.cvtColor(noise, cv2.COLOR_RGB2GRAY)[..., None]
    assert (edge_map(grey) == edge_map(noise)).all()
    assert not edge_map(np.full((9, 9, 3), 255, np.uint8)).any()
    assert not edge_map(np.zeros((9, 9, 3), np.uint8)).any()


def write(path: Path, image: np.ndarray) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), np.ascontiguousarray(image[..., ::-1]))
    return path


def run(*arguments: object) -> int:
    with pytest.raises(SystemExit) as ended:
        main(["edges", *map(str, arguments)])
    return int(ended.value.code or 0)


def test_a_folder_keeps_its_shape_and_its_files(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder, out = tmp_path / "in", tmp_path / "out"
    sources = [
        write(folder / "a.png", disc()),
        write(folder / "b" / "c.jpg", disc(80)),
        write(folder / "a.bmp", disc()),
    ]
    before = [path.read_bytes() for path in sources]
    (folder / "b" / "about.txt").write_text("no image")
    (folder / "cut.png").write_bytes(before[0][:200])
    assert run(folder, "-o", out, "--size", 32) == 0
    printed = capsys.readouterr()
    assert f"{out}: edges of 2 images, 3 skipped" in printed.out
    for name, reason in (("about.txt", "not an image"), ("cut.png", "truncated"), ("a.png", "the same name")):
        assert any(name in line and reason in line for line in printed.err.splitlines())
    assert sorted(path.relative_to(out).as_posix() for path in out.rglob("*.*")) == ["a.png", "b/c.png"]
    edges = cv2.imread(str(out / "b" / "c.png"), cv2.IMREAD_UNCHANGED)
    assert edges.shape == (32, 32)
    assert edges.any()
    assert [path.read_bytes() for path in sources] == before


def test_nothing_is_overwritten_unasked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(tmp_path / "in" / "a.png", disc())
    out = tmp_path / "out"
    assert run(tmp_path / "in", "-o", out) == 0
    written = (out / "a.png").read_bytes()
    assert run(tmp_path / "in", "-o", out, "--invert") == 2
    assert "a.png exists; give --force" in capsys.readouterr().err
    assert (out / "a.png").read_bytes() == written
    assert run(tmp_path / "in", "-o", out, "--invert", "--force") == 0
    assert (out / "a.png").read_bytes() != written


def test_results_never_take_the_place_of_images(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = write(tmp_path / "a.png", disc())
    before = source.read_bytes()
    for inputs in (tmp_path, source):
        assert run(inputs, "-o", tmp_path, "--force") == 2
        assert "would take the place of" in capsys.readouterr().err
    assert source.read_bytes() == before
    assert run(tmp_path, "-o", tmp_path / "edges") == 0
    assert run(tmp_path, "-o", tmp_path / "edges", "--force") == 0, "its own results are no input"
    assert [path.name for path in (tmp_path / "edges").rglob("*.*")] == ["a.png"]


def gif(frames: int) -> bytes:
    """Black squares of one pixel, as so many frames."""
    head = b"GIF89a\x01\x00\x01\x00\x80\x00\x00" + bytes(6)
    frame = b"\x21\xf9\x04\x00\x0a\x00\x00\x00" + b"\x2c" + bytes(4) + b"\x01\x00\x01\x00\x00" + b"\x02\x02\x44\x01\x00"
    return head + frame * frames + b";"


def huge_png() -> bytes:
    """A few bytes that claim gigabytes."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", 65535, 65535, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", b"") + chunk(b"IEND", b"")


@pytest.mark.parametrize(
    ("contents", "reason"),
    [
        (b"hello", "not an image"),
        (b"", "empty"),
        (gif(3), "animated GIF of 3 frames"),
        (huge_png(), "65535x65535 pixels"),
    ],
    ids=["text", "empty", "animation", "huge"],
)
def test_where_nothing_is_left_it_says_so_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], contents: bytes, reason: str
) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.gif").write_bytes(contents)
    assert run(tmp_path / "in", "-o", tmp_path / "out") == 2
    skipped, refused = capsys.readouterr().err.strip().splitlines()
    assert reason in skipped
    assert refused == "error: none of the 1 files is a readable image; nothing was written"
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("option", "value"), [("sigma", "2"), ("blur", "4"), ("size", "3"), ("workers", "-1"), ("output", "a.png")]
)
def test_mistakes_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], option: str, value: str
) -> None:
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "a.png", disc())
    assert run("a.png", "-o", "out", f"--{option}", value) == 2
    (error,) = capsys.readouterr().err.strip().splitlines()
    assert error.startswith("error: ")
    assert value in error
    assert option in error or value == "a.png"


def test_a_single_still_gif_is_an_image(tmp_path: Path) -> None:
    (tmp_path / "a.gif").write_bytes(gif(1))
    assert run(tmp_path / "a.gif", "-o", tmp_path / "out", "--size", 16) == 0


def test_sources_named_twice_are_drawn_once(tmp_path: Path) -> None:
    write(tmp_path / "in" / "a.png", disc())
    targets, skipped = plan([str(tmp_path / "in"), str(tmp_path / "in" / "*.png")], tmp_path / "out", force=False)
    assert (len(targets), skipped) == (1, 0)
    with pytest.raises(UserError, match="no file matches"):
        plan([str(tmp_path / "*.jpg")], tmp_path / "out", force=False)


def test_the_tool_is_listed_and_needs_no_torch() -> None:
    code = "import sys; import trainer.data.tools.edges; print('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "False\n"
    command = [sys.executable, "-m", "trainer.data", "--help"]
    assert "edges" in subprocess.run(command, capture_output=True, text=True, check=True).stdout
