"""The dataset mode: what is seen, what is saved, what is marked, and how soon."""

import gzip
import json
import os
import resource
import subprocess
import sys
import time
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image as Pillow

from viewer.__main__ import main
from viewer.files.png import read_recipe
from viewer.keys import parse_keys
from viewer.modes.dataset.selection import Selection
from viewer.modes.dataset.session import MARK, DatasetSession, catalogue_of, common_size, open_sets
from viewer.modes.dataset.state import DatasetState
from viewer.sheet import Sheet

ROOT = Path(__file__).parents[4]
IMAGES = np.random.default_rng(0).integers(0, 256, (20, 6, 5, 3), np.uint8)
LABELS = [number % 3 for number in range(20)]


@pytest.fixture
def npy(tmp_path: Path) -> Path:
    np.save(tmp_path / "set.npy", IMAGES)
    names = [f"p{number}.jpg" for number in range(20)]
    sidecar = {"labels": LABELS, "classes": ["ant", "bee", "cat"], "names": names}
    (tmp_path / "set.json").write_text(json.dumps(sidecar))
    return tmp_path / "set.npy"


def view(*words: object) -> int:
    return main(["dataset", *map(str, words), "--display", "none"])


def session_of(*paths: Path, rows: int = 8, columns: int = 8, scale: float = 1.0) -> DatasetSession:
    sets = open_sets(paths)
    height, width = common_size(sets)
    sheet = Sheet(rows, columns, round(width * scale), round(height * scale))
    state = DatasetState(catalogue_of(sets), sheet)
    return DatasetSession([Selection(one) for one in sets], state, Path(), (height, width))


def press(session: DatasetSession, keys: str) -> np.ndarray:
    """The frame after some keys."""
    for event in parse_keys(keys):
        session.handle(event)
    session.settle(0.0)
    return session.frame()


def test_images_are_saved_as_they_are_and_say_where_they_come_from(npy: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    for _ in range(2):
        assert view(npy, "--rows", 2, "--cols", 3, "--keys", "1,0,enter,s,S,2,enter,enter,S", "--out", out) == 0
    assert sorted(path.name for path in out.iterdir()) == [f"set-000{number}.png" for number in range(1, 7)]
    one, page = read_recipe(out / "set-0001.png"), read_recipe(out / "set-0002.png")
    assert one == {"mode": "dataset", "file": "set.npy", "number": 10, "name": "p10.jpg", "label": 1, "class": "bee"}
    assert np.array_equal(cv2.imread(str(out / "set-0001.png"))[..., ::-1], IMAGES[10])
    assert np.array_equal(cv2.imread(str(out / "set-0003.png"))[..., ::-1], IMAGES[2])  # alone on the screen
    assert (page["numbers"], page["classes"]) == ([6, 7, 8, 9, 10, 11], ["ant", "bee", "cat"] * 2)
    image = cv2.imread(str(out / "set-0002.png"))
    assert np.array_equal(image[10:16, 9:14, ::-1], IMAGES[10])


def test_a_page_can_be_cut_up_again_by_the_tools(npy: Path, tmp_path: Path) -> None:
    assert view(npy, "--rows", 3, "--cols", 3, "--keys", "end,S", "--out", tmp_path) == 0  # 18, 19 and room for more
    command = [sys.executable, "-m", "trainer.data", "select", "set-0001.png", "--keep", "0,1", "-o", "cut.npy"]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert np.array_equal(np.load(tmp_path / "cut.npy"), IMAGES[18:])


def test_bgr(npy: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert view(npy, "--bgr", "--keys", "s", "--out", tmp_path) == 0
    assert np.array_equal(cv2.imread(str(tmp_path / "set-0001.png")), IMAGES[0])
    (tmp_path / "f").mkdir()
    cv2.imwrite(str(tmp_path / "f" / "a.png"), IMAGES[0])
    assert view(tmp_path / "f", "--bgr") == 2
    assert "expected a .npy file" in capfd.readouterr().err


def test_marks_stay(npy: Path, tmp_path: Path) -> None:
    assert view(npy, "--rows", 2, "--cols", 3, "--keys", "d,right,d,d,pagedown,d,esc") == 0
    listed = (tmp_path / "set.npy.marks.txt").read_text().splitlines()
    assert [line for line in listed if not line.startswith("#")] == ["0", "7"]
    session = session_of(npy, rows=2, columns=3, scale=8)
    assert session.state.marked == {0, 7}
    frame = press(session, "right")
    area = frame[2:50, 2:42]
    assert (area == MARK).all(axis=2).sum() > 200  # the cross on image 0, and on no other
    assert not (frame[2:50, 44:] == MARK).all(axis=2).any()
    assert "2 marked" in session.title()
    session.close()
    assert view(npy, "--marks", tmp_path / "other.txt", "--keys", "down,d") == 0
    assert (tmp_path / "other.txt").read_text().endswith("\n8\n")


def test_a_mark_is_on_the_disk_before_it_is_on_the_screen(npy: Path) -> None:
    session = session_of(npy)
    for event in parse_keys("4,enter,d"):
        session.handle(event)
    assert (npy.parent / "set.npy.marks.txt").read_text().endswith("\n4\n")
    session.close()


def test_a_mark_that_cannot_be_written_is_not_shown(npy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    session = session_of(npy)
    monkeypatch.setattr(Path, "replace", lambda self, target: (_ for _ in ()).throw(OSError(30, "Read-only")))
    press(session, "d")
    assert session.state.marked == frozenset()
    assert "Read-only" in session.title()
    session.close()


def test_backspace_goes_back_through_the_pages_and_keeps_the_marks(npy: Path) -> None:
    session = session_of(npy, rows=1, columns=3)
    first = press(session, "right")
    press(session, "1,9,enter,d,c,1,2,backspace")
    assert (session.state.typed, session.state.cursor, session.state.label) == ("1", 6, 1)
    press(session, "u,backspace,u")
    assert (session.state.typed, session.state.cursor, session.state.label) == ("", 1, -1)
    assert session.state.marked == {19}
    assert np.array_equal(press(session, ""), first)
    session.close()


def test_what_is_shown_in_words(npy: Path) -> None:
    session = session_of(npy)
    press(session, "right,down")
    assert session.title() == "set.npy - image 9 of 0-19 - p9.jpg - class ant (0) - 5x6"
    press(session, "c")
    assert "only class ant (0): 7 images" in session.title()
    press(session, "1,9")
    assert " - to 19_ - " in session.title()
    press(session, "9,enter")
    assert session.title() == "set.npy - there is no image 199, expected 0..19"
    press(session, "7,c")
    assert "no images of a class 7" in session.title()
    session.close()


def test_several_files(npy: Path, tmp_path: Path) -> None:
    (tmp_path / "bee").mkdir()
    cv2.imwrite(str(tmp_path / "bee" / "a.png"), IMAGES[0])
    cv2.imwrite(str(tmp_path / "b.png"), np.zeros((30, 40, 3), np.uint8))
    session = session_of(npy, tmp_path / "bee", tmp_path / "b.png")
    assert session.state.catalogue.counts == (20, 1, 1)
    press(session, "tab,d,tab,d")
    assert session.title().startswith("set.npy and 2 more - ")
    assert (tmp_path / "bee.marks.txt").read_text().endswith("\na.png\n")
    assert tmp_path.with_name(f"{tmp_path.name}.marks.txt").read_text().endswith("\nb.png\n")
    session.close()
    assert view(npy, tmp_path / "bee", "--marks", tmp_path / "m.txt") == 2


def test_classes_of_several_files_are_one_by_name(npy: Path, tmp_path: Path) -> None:
    for name in ("bee", "dog"):
        (tmp_path / "f" / name).mkdir(parents=True)
        cv2.imwrite(str(tmp_path / "f" / name / "a.png"), IMAGES[0])
    session = session_of(npy, tmp_path / "f")
    assert session.state.catalogue.classes == ("ant", "bee", "cat", "dog")
    press(session, "1,c")
    assert session.state.page[-1] == 20
    session.close()


def test_images_of_many_sizes_keep_their_proportions_and_damaged_ones_their_place(tmp_path: Path) -> None:
    folder = tmp_path / "f"
    folder.mkdir()
    cv2.imwrite(str(folder / "a.png"), np.full((20, 40, 3), 200, np.uint8))
    cv2.imwrite(str(folder / "b.png"), np.full((40, 20, 3), 200, np.uint8))
    (folder / "c.png").write_bytes((folder / "a.png").read_bytes()[:60])
    Pillow.new("RGBA", (40, 40), (0, 0, 0, 0)).save(folder / "d.png")
    session = session_of(folder, rows=1, columns=4)
    frame = press(session, "right,right")
    cells = [frame[2:42, 2 + 42 * number : 42 + 42 * number] for number in range(4)]
    assert [int((cell == 200).all(axis=2).sum()) for cell in cells[:2]] == [800, 800]
    assert (cells[3] == 255).all()
    assert "c.png" in session.title()
    assert "c.png: truncated" in session.title()
    press(session, "d,s")
    assert session.failures
    assert (tmp_path / "f.marks.txt").read_text().endswith("\nc.png\n")
    session.close()


def test_large_photographs_are_not_decoded_whole_for_a_glance(tmp_path: Path) -> None:
    large = cv2.resize(np.random.default_rng(0).integers(0, 256, (30, 40, 3), np.uint8), (1600, 1200))
    turned = Pillow.fromarray(large[..., ::-1])
    exif = Pillow.Exif()
    exif[0x0112] = 6
    turned.save(tmp_path / "a.jpg", exif=exif, quality=95)
    session = session_of(tmp_path / "a.jpg", rows=1, columns=1, scale=0.1)
    frame = press(session, "")
    expected = cv2.resize(cv2.rotate(large, cv2.ROTATE_90_CLOCKWISE), (120, 160), interpolation=cv2.INTER_AREA)
    assert "1200x1600" in session.title()
    assert np.abs(frame[2:162, 2:122].astype(int) - expected).mean() < 4
    session.close()


@pytest.fixture
def large_npy(tmp_path: Path) -> Path:
    """A file of 5 GB, of which the disk holds only what is not 0."""
    path = tmp_path / "large.npy"
    with path.open("wb") as file:
        shape = (102_400, 128, 128, 3)
        np.lib.format.write_array_header_1_0(file, {"descr": "|u1", "fortran_order": False, "shape": shape})
        start = file.tell()
        file.truncate(start + int(np.prod(shape)))
        for number in (0, 51_200, 102_399):
            file.seek(start + number * 49_152)
            file.write(bytes([200]) * 49_152)
    return path


def test_five_gigabytes_open_at_once_and_pages_turn_in_a_moment(large_npy: Path) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    began = time.process_time()
    session = session_of(large_npy, scale=0.78)
    session.pump(0.0)
    session.frame()
    assert time.process_time() - began < 0.3
    times = []
    for keys in ("pagedown", "pagedown", "5,1,2,0,0,enter", "pageup", "end", "home", "r") * 3:
        began = time.thread_time()
        used = time.process_time()
        for event in parse_keys(keys):
            session.handle(event)
        session.settle(0.0)
        session.frame()
        times.append(max(time.thread_time() - began, time.process_time() - used))
    assert sorted(times)[len(times) // 2] < 0.03
    assert press(session, "5,1,2,0,0,enter")[2 + 50, 2 + 50].tolist() == [200, 200, 200]
    assert "51200" in session.title()
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 200_000  # KiB
    session.close()


def test_a_page_is_shown_whole_by_the_frame_that_answers(npy: Path) -> None:
    session = session_of(npy, rows=2, columns=2, scale=4)
    press(session, "")
    for event in parse_keys("pagedown"):
        session.handle(event)
    session.pump(0.0)
    assert "to come" not in session.title()
    session.close()


HOSTILE = {
    "missing.npy": None,
    "short.npy": lambda whole: whole[:-1],
    "header.npy": lambda whole: whole[:40],
    "empty.npy": lambda whole: b"",
    "rubbish.npy": lambda whole: b"rubbish" * 99,
    "negative.npy": lambda whole: whole.replace(b"(20, ", b"(-9, "),
    "words.txt": lambda whole: b"no images",
    "cut-images-idx3-ubyte.gz": lambda whole: gzip.compress(bytes((0, 0, 8, 3)) + bytes(12) + whole)[:-9],
}


@pytest.mark.parametrize("name", HOSTILE)
def test_what_is_no_set_is_one_line(npy: Path, name: str, capfd: pytest.CaptureFixture[str]) -> None:
    path, damage = npy.with_name(name), HOSTILE[name]
    if damage is not None:
        path.write_bytes(damage(npy.read_bytes()))
    assert view(path, "--keys", "d,s") == 2
    error = capfd.readouterr().err
    assert error.startswith("error: ")
    assert name in error
    assert error.count("\n") == 1


def test_more_that_is_no_set(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    np.save(tmp_path / "objects.npy", np.array([{}], object), allow_pickle=True)
    np.save(tmp_path / "floats.npy", np.zeros((3, 4, 4, 3)))
    (tmp_path / "none").mkdir()
    (tmp_path / "none" / "a.txt").write_text("no image")
    os.mkfifo(tmp_path / "pipe.npy")
    os.mkfifo(tmp_path / "pipe.png")
    for path in tmp_path.iterdir():
        assert view(path) == 2
        error = capfd.readouterr().err
        assert path.name in error
        assert error.count("\n") == 1


def test_an_image_too_large_for_memory_is_a_damaged_one(tmp_path: Path) -> None:
    rows = b"\x00" + bytes(20_000 // 8)
    chunks = [(b"IHDR", (20_000).to_bytes(4, "big") * 2 + bytes((1, 0, 0, 0, 0))), (b"IDAT", b""), (b"IEND", b"")]
    packer = zlib.compressobj(9)
    chunks[1] = (b"IDAT", b"".join(packer.compress(rows) for _ in range(20_000)) + packer.flush())
    data = b"\x89PNG\r\n\x1a\n"
    for kind, body in chunks:
        data += len(body).to_bytes(4, "big") + kind + body + zlib.crc32(kind + body).to_bytes(4, "big")
    (tmp_path / "huge.png").write_bytes(data)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    session = session_of(tmp_path / "huge.png", rows=1, columns=1)
    press(session, "")
    assert "at most 100 million" in session.title()
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 400_000
    session.close()
