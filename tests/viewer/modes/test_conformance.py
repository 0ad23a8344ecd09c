"""What every mode of the viewer must do; modes are found by listing the package, so that a new one is tested too."""

import dataclasses
import io
import itertools
import json
import re
import string
import subprocess
import sys
import zipfile
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from small_denoisers import make_denoiser
from small_models import FakeDisplay, make_generator, make_translator, photo_like
from small_runs import make_run
from waiting import Gate

from trainer.contract.errors import UserError
from viewer.app import run_scripted
from viewer.files.png import encode_png, read_recipe
from viewer.keys import NAMES, Action, Event, decode_character, parse_keys
from viewer.modes import Mode, mode_names
from viewer.opening import WORDS
from viewer.text import line_of

SHOWN = [name for name in mode_names() if find_spec(f"viewer.modes.{name}.session")]
COMMANDS = [*[(name,) for name in SHOWN], ("translate", "--draw"), ("latent", "--view", "line"),
            ("latent", "--view", "sliders"), ("grid", "--mix"), ("compare", "--view", "wipe"),
            ("compare", "--view", "difference")]  # fmt: skip
POINTS = ((0, 0), (30, 30), (70, 20), (-1, -1), (4000, 4000))
MOUSE = [action for action in Action if {*action.name.split("_")} & {"CLICK", "MOVE", "DRAG", "RELEASE", "WHEEL"}]


def flags_of(mode: Mode) -> dict[str, tuple[str, ...]]:
    """The flags of every option, by the names of their fields; no flags for positional arguments."""
    return {
        item.name: (item.metadata["names"] or (f"--{item.name.replace('_', '-')}",)) if "names" in item.metadata else ()
        for item in dataclasses.fields(mode.Options)
    }


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Something small for each kind of model, and for each positional argument without one."""
    folder = tmp_path_factory.mktemp("files")
    samples = tuple(tuple(map(float, row)) for row in np.random.default_rng(3).normal(size=(5, 4)))
    photos, table, npy = (folder / name for name in ("photos", "table.png", "set.npy"))
    photos.mkdir()
    for number in range(2):
        cv2.imwrite(str(photos / f"photo{number}.png"), photo_like(24, 32, number))
    table.write_bytes(encode_png(photo_like(18, 26), {"mode": "grid random", "rows": 2, "cols": 3, "gap": 2}))
    np.save(npy, np.stack([photo_like(8, 8, seed) for seed in range(10)]))
    return {
        "generator": make_generator(folder / "g.onnx", labels=3, sample_latents=samples),
        "another generator": make_generator(folder / "g2.onnx", hidden=6, labels=3),
        "translator": make_translator(folder / "t.onnx", scale=2, context=4),
        "denoiser": make_denoiser(folder / "n.onnx", spread=0.3, classes=("a", "b")),
        "images": photos,
        "table": table,
        "files": npy,
        "runs": make_run(folder / "run", sheets=3),
    }


def models_of(mode: Mode, files: dict[str, Path]) -> list[str]:
    """The model files that a mode is opened with: one, or several of a kind where its options say ``models``."""
    kind, fields = mode.kind or "generator", flags_of(mode)
    if "models" in fields:
        return [str(files[kind]), str(files[f"another {kind}"])]
    return [str(files[kind])] if "model" in fields else []


def words_of(command: tuple[str, ...], files: dict[str, Path], out: Path) -> list[str]:
    """What is written after a mode's name, so that it opens quickly."""
    name, *more = command
    mode = Mode(name)
    flags = flags_of(mode)
    words = models_of(mode, files)
    for field, names in flags.items():
        if not names and field not in ("model", "models") and "--draw" not in more and field in files:
            words.append(str(files[field]))
    few = {"rows": "2", "cols": "3", "out": str(out), "threads": "1"}
    few |= {"steps": "3"} if mode.kind == "denoiser" else {}  # other modes may have steps for other kinds of models
    if mode.kind is None and "model" not in flags and "table" in flags:
        few |= {"margin": "2"}
    words += [word for field, value in few.items() if field in flags for word in (flags[field][0], value)]
    return [*words, *more]


def opened(command: tuple[str, ...], files: dict[str, Path], out: Path, *more: str) -> Any:
    """A mode's session."""
    out.mkdir(exist_ok=True)
    mode = Mode(command[0])
    return mode.open(mode.parse([*words_of(command, files, out), *more]))


def check_frame(session: Any) -> None:
    for frame in (session.frame(), session.frame(strip=False)):
        assert frame.dtype == np.uint8
        assert frame.ndim == 3
        assert frame.shape[2] == 3
        assert frame.flags["C_CONTIGUOUS"]
    assert session.title()
    assert session.text().status[0] == session.name
    assert session._notice or session.text().hints[0] == "h: keys"


def name_of(command: tuple[str, ...]) -> str:
    return " ".join(command)


def test_modes_are_found() -> None:
    assert {"grid", "translate", "info"} <= set(mode_names())
    assert "draw" not in mode_names()


@pytest.mark.parametrize("command", COMMANDS, ids=name_of)
def test_every_key_and_every_event_of_the_mouse(
    command: tuple[str, ...], files: dict[str, Path], tmp_path: Path
) -> None:
    session = opened(command, files, tmp_path)
    typed = [event for one in string.printable + "é€" if (event := decode_character(one)) is not None]
    events = [*NAMES.values(), *typed, *(Event(action, x, y) for action in MOUSE for x, y in POINTS)]
    try:
        for number, event in enumerate(events):
            ends = session.handle(event)
            assert ends is (event.action is Action.QUIT) or event.action is Action.LEAVE
            assert session.frame().dtype == np.uint8
            if session._entry is not None and number % 2:  # until a line ends, keys only type
                session.handle(NAMES["enter"])
            if number % 7 == 0:
                session.settle(number)
                session.step()
                check_frame(session)
        session.settle(len(events))
        check_frame(session)
        assert session.settled or session.moving
    finally:
        session.close()
    assert not session.lost


@pytest.mark.parametrize("command", COMMANDS, ids=name_of)
def test_backspace_returns_to_the_page_before(command: tuple[str, ...], files: dict[str, Path], tmp_path: Path) -> None:
    session = opened(command, files, tmp_path)
    left = 0
    try:
        scripts = ("x", "space", "enter", "pagedown", "r", "i", "n", "drag:20:20:60:50", "q,s,q,x")
        for number, keys in enumerate(scripts):
            session.settle(0.0)
            before, pages, seen = session.state, len(session._history), session.frame()
            for event in parse_keys(keys):
                session.handle(event)
            session.settle(0.0)
            steps = len(session._history) - pages + (session.draws and keys.startswith("drag"))
            left += steps
            for _ in range(steps):
                session.handle(NAMES["backspace"] if number % 2 else decode_character("u"))
            session.settle(0.0)
            session.dismiss()
            if steps and keys != "q,s,q,x":
                assert np.array_equal(session.frame(), seen), keys
                assert session.state == before or session.draws
    finally:
        session.close()
    assert bool(left) is any(Action.BACK in binding.actions for binding in session.bindings)


@pytest.mark.parametrize("command", COMMANDS, ids=name_of)
def test_h_shows_the_keys_and_the_next_key_only_takes_them_away(
    command: tuple[str, ...], files: dict[str, Path], tmp_path: Path
) -> None:
    session = opened(command, files, tmp_path)
    try:
        session.settle(0.0)
        state, seen = session.state, session.frame()
        for opening, closing in (("h", "x"), ("?", "q"), ("f1", "s"), ("H", "backspace"), ("h", "click:30:30")):
            for key in (opening, "move:9:9"):
                assert not session.handle(*parse_keys(key))
            shown = session.frame()
            assert min(shown.shape[0] - seen.shape[0], shown.shape[1] - seen.shape[1]) >= 0
            assert not np.array_equal(shown, seen)
            assert [keys for keys, _ in session.text().page] == [binding.keys for binding in session.bindings]
            assert not session.handle(*parse_keys(closing))
            session.settle(0.0)
            assert session.state == state
            assert np.array_equal(session.frame(), seen)
        session.handle(*parse_keys("h"))
        assert session.handle(*parse_keys("esc"))
    finally:
        session.close()
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("command", COMMANDS, ids=name_of)
def test_q_quits_only_where_nothing_is_lost(command: tuple[str, ...], files: dict[str, Path], tmp_path: Path) -> None:
    session, held = opened(command, files, tmp_path), Gate()
    (q,) = parse_keys("q")
    try:
        session.settle(0.0)
        assert session.handle(q)
        before = session.state
        session._have_saved(lambda: str(held.passing()))
        assert not session.handle(q)
        assert session.state == before.after(Event(Action.NEW, key="q"))  # it is free: as any other key
        held.open()
        session.settle(0.0)
        assert session.handle(q)
    finally:
        held.open()
        session.close()


@pytest.mark.parametrize("command", COMMANDS, ids=name_of)
def test_the_line_of_hints_is_shortened_by_whole_ones(
    command: tuple[str, ...], files: dict[str, Path], tmp_path: Path
) -> None:
    session = opened(command, files, tmp_path)
    session.settle(0.0)
    text = session.text()
    session.close()
    for columns in (30, 60, 79, 100, 300):
        line = line_of(text.status, text.hints, columns)
        assert len(line) <= columns
        assert "h: keys" in line
        status, _, hints = line.rpartition(" | ")
        assert hints in (", ".join(text.hints[:count]) for count in range(1, len(text.hints) + 1))
        assert text.status[: status.count(" - ") + 1] == tuple(status.split(" - ")) or not status
    assert line.endswith(", ".join(text.hints))


@pytest.mark.parametrize("command", COMMANDS, ids=name_of)
def test_no_key_at_all(command: tuple[str, ...], files: dict[str, Path], tmp_path: Path) -> None:
    session, display = opened(command, files, tmp_path), FakeDisplay((), interactive=False)
    try:
        run_scripted(session, display, (), 3 if session.moving else 0)
    finally:
        session.close()
    assert len(display.frames) == (3 if session.moving else 1)
    assert not session.failures
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "command", [command for command in COMMANDS if "scale" in flags_of(Mode(command[0]))], ids=name_of
)
def test_frames_grow_with_the_scale(command: tuple[str, ...], files: dict[str, Path], tmp_path: Path) -> None:
    heights = []
    for scale in ("0.5", "1", "4"):
        session = opened(command, files, tmp_path, "--scale", scale)
        session.settle(0.0)
        check_frame(session)
        heights.append(session.frame().shape[0])
        session.close()
    assert heights == sorted(heights)
    assert heights[0] < heights[2]
    with pytest.raises(SystemExit):
        opened(command, files, tmp_path, "--scale", "0")


def saved(command: tuple[str, ...], files: dict[str, Path], out: Path, keys: str, *more: str) -> list[Path]:
    """What is saved after these keys, by s, S or both."""
    session = opened(command, files, out, *more)
    try:
        session.settle(0.0)
        for key in keys:
            session.handle(NAMES["right"] if key == ">" else decode_character(key))
            session.settle(0.0)
    finally:
        session.close()
    assert not session.lost
    return sorted(out.glob("*"))


@pytest.mark.parametrize("command", COMMANDS, ids=name_of)
def test_what_is_saved_is_whole_and_says_what_it_is(
    command: tuple[str, ...], files: dict[str, Path], tmp_path: Path
) -> None:
    first = saved(command, files, tmp_path, "s")
    both = saved(command, files, tmp_path, "S")
    assert first
    assert len(both) > len(first)
    for path in both:
        assert path.suffix == ".png"
        assert cv2.imread(str(path)) is not None
        assert read_recipe(path)["mode"]


@pytest.mark.parametrize("key", ["s", "S"])
@pytest.mark.parametrize(
    "command",
    [one for one in COMMANDS if any("--from" in names for names in flags_of(Mode(one[0])).values())],
    ids=name_of,
)
def test_a_recipe_returns_to_the_same_bits(
    command: tuple[str, ...], key: str, files: dict[str, Path], tmp_path: Path
) -> None:
    (path,) = saved(command, files, tmp_path / "once", f"x>-i>{key}")
    out, mode = tmp_path / "twice", Mode(command[0])
    words = [*models_of(mode, files), "--out", str(out), "--from", str(path)]
    out.mkdir()
    session = mode.open(mode.parse(words))
    session.settle(0.0)
    session.handle(decode_character(key))
    session.settle(0.0)
    session.close()
    (found,) = out.glob("*")
    assert np.array_equal(cv2.imread(str(found)), cv2.imread(str(path)))
    assert read_recipe(found) == read_recipe(path)


@pytest.mark.parametrize("name", mode_names())
def test_nothing_heavy_is_imported(name: str, files: dict[str, Path], tmp_path: Path) -> None:
    words = [name, *words_of((name,), files, tmp_path)]
    if name in SHOWN:
        words += ["--display", "none", "--keys", "x", "--record", str(tmp_path / "last.png")]
    code = f"""
import sys
from viewer.modes import Mode
Mode({name!r})
early = {{"numpy", "cv2", "onnxruntime", "PIL"}} & set(sys.modules)
assert not early, early
from viewer.__main__ import main
code = main({words!r})
heavy = {{"torch", "onnx", "accelerate", "export.to_onnx", "trainer.loop"}} & set(sys.modules)
others = {{module.split(".")[2] for module in sys.modules if module.startswith("viewer.modes.")}} - {{{name!r}}}
sys.exit(f"{{code}} {{heavy}} {{others}}" if code or heavy or others else 0)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=False)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("name", mode_names())
def test_help_tells_every_option_and_every_key(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    mode = Mode(name)
    with pytest.raises(SystemExit) as ending:
        mode.parse(["--help"])
    assert ending.value.code == 0
    said = capsys.readouterr().out
    assert mode.summary[1:] in said
    for names in flags_of(mode).values():
        assert all(word in said for word in names)
    lines = said.splitlines()
    for binding in mode.bindings:
        assert any(line.startswith(binding.keys) and line.endswith(binding.does) for line in lines), binding
    for item in dataclasses.fields(mode.Options):
        assert item.metadata["help"], item.name


WRONG = {  # what they are, how messages call them, and the words of ``OPENS`` for them
    "cats.npy": ("NumPy array", "set"),
    "latents.npy": ("float32 [3, 4]", ""),
    "run": ("folder of a run", "run"),
    "runs": ("folder of runs", "runs"),
    "photos": ("folder of images", "images"),
    "models": ("folder with ONNX models", ""),
    "vae.pth": ("weights of PyTorch", ""),
    "vae.safetensors": ("weights (safetensors)", ""),
    "pointer.onnx": ("a Git LFS pointer", ""),
    "page.onnx": ("a web page", ""),
    "cats.zip": ("a zip archive", ""),
    "empty.onnx": ("an empty file", ""),
    "cut.onnx": ("an ONNX model", "generator"),
    "vae.h5": ("an HDF5 file", ""),
    "saved_model.pb": ("a TensorFlow graph", ""),
    "notes.onnx": ("a text file", ""),
    "huge.onnx": ("a file of zeros", ""),
}


@pytest.fixture(scope="module")
def wrong(files: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of files that people mistake for others."""
    folder = tmp_path_factory.mktemp("wrong")
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as written:
        written.writestr("vae/data.pkl", b"\x80\x02}.")
    np.save(folder / "cats.npy", np.zeros((3, 8, 8, 3), np.uint8))
    np.save(folder / "latents.npy", np.zeros((3, 4), np.float32))
    for name, data in {
        "run/config.json": json.dumps({"family": "trainer.families.vae:Vae", "config": {}}).encode(),
        "runs/cats/config.json": json.dumps({"family": "trainer.families.vae:Vae", "config": {}}).encode(),
        "photos/cat.png": cv2.imencode(".png", photo_like(24, 32))[1].tobytes(),
        "models/cats.onnx": files["generator"].read_bytes(),
        "vae.pth": archive.getvalue(),
        "vae.safetensors": (32).to_bytes(8, "little") + b'{"a":{"dtype":"F32"}}',
        "pointer.onnx": b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12582912\n",
        "page.onnx": b"<!DOCTYPE html><html><head><title>cats.onnx at main</title></head></html>",
        "cats.zip": archive.getvalue().replace(b"vae/data.pkl", b"cats12.onnx1"),
        "empty.onnx": b"",
        "cut.onnx": files["generator"].read_bytes()[:-400],
        "vae.h5": b"\x89HDF\r\n\x1a\n" + bytes(90),
        "saved_model.pb": b"\x08\x01\x12\x90\x01" + bytes(150),
        "notes.onnx": b"the model is in the other folder\n",
        "huge.onnx": b"",
    }.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    with (folder / "huge.onnx").open("r+b") as file:
        file.truncate(1 << 40)  # no block of it is on the disk
    return folder


@pytest.mark.parametrize("file", WRONG)
@pytest.mark.parametrize("name", mode_names())
def test_a_file_that_is_something_else_is_named(
    name: str, file: str, wrong: Path, files: dict[str, Path], tmp_path: Path
) -> None:
    mode, (what, word) = Mode(name), WRONG[file]
    positional = [item.metadata.get("metavar", "") for item in dataclasses.fields(mode.Options)]
    opens = word in re.findall(r"\w+", " ".join(mode.opens)) and mode.kind is None and word != "generator"
    if opens or (word in ("run", "runs") and any("RUN" in one.split("|") for one in positional)):
        pytest.skip("it is right here")
    words = words_of((name,), files, tmp_path)
    place = next((k for k, one in enumerate(words) if Path(one) in files.values()), 0)
    words[place : place + 1] = [str(wrong / file)]
    before = sorted(wrong.rglob("*"))
    options = mode.parse(words)
    with pytest.raises(UserError) as caught:
        (mode.write if options.without_screen else mode.open)(options)
    message = str(caught.value)
    assert message.startswith(str(wrong / file))
    assert what in message
    assert "expected" in message or "copy or download" in message
    assert "\n" not in message
    assert len(message.replace(str(wrong), "")) < 400
    assert sorted(wrong.rglob("*")) == before


def test_what_modes_open_is_declared_in_known_words_and_by_one_mode_each() -> None:
    modes = [Mode(name) for name in mode_names()]
    for mode in modes:
        for pattern in mode.opens:
            assert set(re.findall(r"\w+", re.sub(r"\{[\d,]*\}|\?P<rest>", "", pattern))) <= WORDS.keys(), mode.name
    for count in (1, 2, 3):
        for kinds in itertools.product(WORDS, repeat=count):
            line = " ".join(kinds)
            opening = [mode.name for mode in modes if any(re.fullmatch(pattern, line) for pattern in mode.opens)]
            assert len(opening) < 2, (line, opening)


def test_ways_back_name_flags_that_there_are() -> None:
    words = [word for name in mode_names() for word in Mode(name).saved]
    assert len(words) == len(set(words))
    for mode in map(Mode, mode_names()):
        flags = {one for names in flags_of(mode).values() for one in names}
        assert {one for keys in mode.saved.values() for flag in keys.values() for one in flag.split()} <= flags
        if "--from" in flags:
            assert mode.saved[mode.name][""] == "--from"
