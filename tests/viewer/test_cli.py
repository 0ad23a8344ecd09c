"""The command line as people call it: a fresh process, without a screen."""

import os
import pkgutil
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import cv2
import numpy as np
import pytest
import small_models as make

import viewer
from viewer.__main__ import main
from viewer.files.png import encode_png, read_recipe


def view(*arguments: object, **options: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "viewer", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=240, check=False, **options)


def test_no_module_of_the_viewer_imports_torch() -> None:
    names = [module.name for module in pkgutil.walk_packages(viewer.__path__, "viewer.")]
    assert {"viewer.app", "viewer.model", "viewer.displays.window", "viewer.displays.terminal"} <= set(names)
    code = f"""
import importlib, sys
for name in {names!r}:
    importlib.import_module(name)
from trainer.data.sources import all_sources
all_sources()
heavy = {{"torch", "torchvision", "datasets", "onnx", "accelerate", "scipy", "matplotlib"}} & set(sys.modules)
known = ("trainer.contract", "trainer.data.sources", "trainer.data.drawing")
heavy |= {{name for name in sys.modules if name.count(".") > 1 and name.startswith("trainer.")
           and not name.startswith(known)}}
sys.exit(f"imported: {{heavy}}" if heavy else 0)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == 0, done.stderr


def test_help_is_quick_and_shows_the_keys() -> None:
    code = """
import sys
from viewer.__main__ import main
try:
    main(["grid", "--help"])
finally:
    assert not {"numpy", "cv2", "onnxruntime"} & set(sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == 0, done.stderr
    assert "save the selected image" in done.stdout


def test_a_start_imports_only_what_it_needs(generator_path: Path, tmp_path: Path) -> None:
    code = """
import sys
from viewer.__main__ import main
assert main(sys.argv[1:]) == 0
sys.exit(str(sorted({"PIL", "tqdm", "asyncio", "urllib.request", "unicodedata"} & set(sys.modules)) or ""))
"""
    command = [sys.executable, "-c", code, "grid", generator_path, "--display", "none", "--record", tmp_path / "a.png"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=240, check=False)
    assert done.stderr.strip() == ""


def test_a_script_is_recorded(generator_path: Path, tmp_path: Path) -> None:
    out = tmp_path / "last.png"
    done = view("grid", generator_path, "--display", "none", "--keys", "right,s,i,+", "--record", out, cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert {path.name for path in tmp_path.iterdir()} == {"last.png", "tiny-0001.png"}
    frame = cv2.imread(str(out))
    assert frame.shape[0] > 6 * 16
    again = ("grid", generator_path, "--display", "none", "--keys", "right,s,i,+", "--record", out)
    refused = view(*again, cwd=tmp_path)
    assert (refused.returncode, refused.stderr) == (2, f"error: {out} exists; give --force to replace it\n")
    view(*again, "--force", cwd=tmp_path)
    assert np.array_equal(cv2.imread(str(out))[:-28], frame[:-28])


def test_without_a_screen_what_writes_nothing_says_so(
    generator_path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["grid", str(generator_path), "--display", "none", "--out", str(tmp_path)]
    for more, said in (
        ([], True),
        (["--keys", "right,x"], True),
        (["--keys", "s"], False),
        (["--record", str(tmp_path / "a.png")], False),
    ):
        assert main([*words, *more]) == 0
        lines = capsys.readouterr().err.splitlines()
        assert [line.partition(":")[0] for line in lines] == ["nothing was shown or written"] * said
        assert all("--record FILE" in line for line in lines)


def test_a_script_may_begin_with_the_minus_key(generator_path: Path, tmp_path: Path) -> None:
    frames = []
    for keys in ("-,-", "right"):
        out = tmp_path / f"{len(frames)}.png"
        done = view("grid", generator_path, "--display", "none", "--keys", keys, "--record", out, cwd=tmp_path)
        assert (done.returncode, done.stderr) == (0, "")
        frames.append(cv2.imread(str(out)))
    assert not np.array_equal(*frames)


def test_a_walk_is_recorded(generator_path: Path, tmp_path: Path) -> None:
    done = view(
        "animate", generator_path, "--display", "none", "--record", tmp_path / "walk.gif", "--frames", 7, "--seed", 1
    )
    assert (done.returncode, done.stderr) == (0, "")
    data = (tmp_path / "walk.gif").read_bytes()
    assert data.count(b"\x21\xf9\x04") == 7  # a graphic control extension a frame


def test_info_of_a_model_and_of_an_image(
    generator_path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["info", str(generator_path)]) == 0
    said = capsys.readouterr().out
    for fact in ("generator", "vae", "16x16", "4 numbers", "sealed"):
        assert fact in said
    main(["grid", str(generator_path), "--display", "none", "--keys", "right,s", "--out", str(tmp_path)])
    capsys.readouterr()
    assert main(["info", str(tmp_path / "tiny-0001.png")]) == 0
    said = capsys.readouterr().out
    for fact in ("tiny.onnx", "seed", "latent", "grid random"):
        assert fact in said


def test_an_image_is_encoded(generator_path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    image = tmp_path / "red.png"
    cv2.imwrite(str(image), np.full((50, 70, 3), (0, 0, 255), np.uint8))
    arguments = ["grid", str(generator_path), "--display", "none", "--encode", str(image), "--keys", "s"]
    assert main([*arguments, "--out", str(tmp_path)]) == 0
    main(["info", str(tmp_path / "tiny-0001.png")])
    said = capsys.readouterr().out
    assert "[1.0, 0.0, 0.0, 0.0]" in said
    assert "red.png" in said


@pytest.mark.parametrize(
    ("mode", "keys", "flags"),
    [
        ("grid", "x,-,right,down,s", ["--rows", "3", "--cols", "4"]),
        ("grid", "+,x,i,end,left,S", []),
        ("grid", "x,i,-,right,s", ["--encode", "{image}"]),
        ("animate", "x,+,+,s", []),
        ("animate", "right,S", ["--rows", "2", "--cols", "2", "--lerp", "--loop", "--frames", "90"]),
    ],
)
def test_a_saved_image_is_made_again_bit_by_bit(
    mode: str, keys: str, flags: list[str], generator_path: Path, tmp_path: Path
) -> None:
    image = tmp_path / "red.png"
    cv2.imwrite(str(image), np.full((50, 70, 3), (0, 0, 255), np.uint8))
    flags = [str(image) if flag == "{image}" else flag for flag in flags]
    saved, replayed = tmp_path / "tiny-0001.png", tmp_path / "replayed" / "tiny-0001.png"
    command = [mode, str(generator_path), "--display", "none"]
    assert main([*command, *flags, "--keys", keys, "--out", str(tmp_path)]) == 0
    encode = flags[:2] if "--encode" in flags else []
    more = [*encode, "--from", str(saved), "--keys", keys[-1], "--out", str(replayed.parent)]
    assert main([*command, *more]) == 0
    assert replayed.read_bytes() == saved.read_bytes()


def test_a_saved_image_is_made_again_only_by_its_own_model_and_mode(
    generator_path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = make.make_generator(tmp_path / "other.onnx", hidden=9)
    main(["grid", str(generator_path), "--display", "none", "--keys", "s", "--out", str(tmp_path)])
    saved = tmp_path / "tiny-0001.png"
    hostile = tmp_path / "hostile.png"
    recipe = read_recipe(saved) | {"rows": 10**9, "model": "\x1b[31m"}
    hostile.write_bytes(encode_png(np.zeros((4, 4, 3), np.uint8), recipe))
    for arguments, expected in (
        (["grid", str(other), "--from", str(saved)], "another model"),
        (["animate", str(generator_path), "--from", str(saved)], "expected animate"),
        (
            ["grid", str(generator_path), "--from", str(saved), "--seed", "77"],
            "--seed is 77, and the image",
        ),
        (["grid", str(generator_path), "--from", str(hostile)], "rows is 1000000000"),
        (["grid", str(generator_path), "--from", str(generator_path)], "found an ONNX model, expected a PNG that"),
    ):
        assert main([*arguments, "--display", "none"]) == 2
        error = capsys.readouterr().err
        assert expected in error
        assert error.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["grid", "missing.onnx"], "no such file"),
        (["animate", "missing.onnx"], "no such file"),
        (["info", "missing.onnx"], "no such file"),
        (["grid", "{encoder}", "--display", "none"], "expected a generator"),
        (["grid", "{model}", "--display", "none", "--encode", "missing.jpg"], "missing.jpg"),
        (["grid", "{model}", "--display", "none", "--scale", "64", "--rows", "64", "--cols", "64"], "too large"),
        (["animate", "{model}", "--display", "none", "--loop", "--frames", "50"], "60, 90"),
        (["grid", "{model}", "--display", "none", "--record", "x" * 300 + ".png"], "cannot record"),
        (["grid", "{model}", "--display", "none", "--record", "{folder}"], "it is a folder"),
        (["info", "{plain_png}"], "does not say"),
        (["grid", "{model}", "--display", "none", "--keys", "s", "--out", "{plain_png}"], "cannot save"),
    ],
)
def test_a_mistake_is_one_line_and_code_2(
    arguments: list[str],
    expected: str,
    generator_path: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "folder.gif").mkdir()
    plain = tmp_path / "plain.png"
    cv2.imwrite(str(plain), np.zeros((9, 9, 3), np.uint8))
    names = {
        "{encoder}": str(generator_path.with_name("tiny.encoder.onnx")),
        "{model}": str(generator_path),
        "{plain_png}": str(plain),
        "{folder}": str(tmp_path / "folder.gif"),
    }
    assert main([names.get(argument, argument) for argument in arguments]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert error.startswith("error: ")
    assert expected in error


@pytest.mark.parametrize(
    "arguments",
    [
        ["grid", "--keys", "hop"],
        ["grid", "--rows", "0"],
        ["grid", "--cols", "1e3"],
        ["grid", "--seed", "-1"],
        ["grid", "--scale", "nan"],
        ["grid", "--display", "cinema"],
        ["grid", "--sed", "1"],
        ["waltz"],
        [],
    ],
)
def test_bad_flags_are_errors(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2
    assert "error" in capsys.readouterr().err


def test_names_with_escape_sequences_do_not_reach_the_terminal(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = make.make_generator(
        tmp_path / "evil.onnx", name="\x1b]0;owned\x07", classes=("a\x1b[2J", "b"), data="\x9b31m"
    )
    assert main(["info", str(path)]) == 0
    main(["info", "gone\x1b[31m.onnx"])
    captured = capsys.readouterr()
    assert not {"\x1b", "\x07", "\x9b"} & set(captured.out + captured.err)


SLOW_PROGRAM = """
import signal, sys, threading, time
import numpy as np
import viewer.displays
from viewer.__main__ import main
from viewer.keys import parse_keys
from viewer.model import Model
keys, number = sys.argv.pop(), int(sys.argv.pop())
busy, begun = np.random.default_rng(0).normal(size=(1500, 1500)), threading.Event()
def generate(self, latents, labels=None, settings=None):
    begun.set()
    while True:
        busy @ busy  # native code that cannot be broken off
class Display:
    interactive, coarse, room, script = True, False, None, parse_keys(keys)
    def show(self, frame, title, text): pass
    def close(self): pass
    def poll(self, seconds):
        time.sleep(seconds)
        if not begun.is_set():
            return None
        if not self.script:
            signal.raise_signal(number)
        return self.script.pop(0)
Model.generate = generate
viewer.displays.open_display = lambda *arguments, **options: Display()
sys.exit(main(sys.argv[1:]))
"""


NOT_SAVED = "error: images not saved: 1; there was no time"


@pytest.mark.parametrize(
    ("keys", "ending", "code", "error"),
    [
        ("esc", 0, 0, ""),
        ("s,esc,esc", 0, 2, NOT_SAVED),
        ("s,esc", signal.SIGINT, 2, NOT_SAVED),
        ("s,esc", signal.SIGTERM, 2, NOT_SAVED),
        ("x", signal.SIGINT, 130, ""),
    ],
)
def test_quitting_ends_the_process_although_the_model_never_ends(
    keys: str, ending: int, code: int, error: str, generator_path: Path, tmp_path: Path
) -> None:
    command = [sys.executable, "-c", SLOW_PROGRAM, "grid", generator_path, "--out", tmp_path, str(int(ending)), keys]
    done = subprocess.run(command, capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == code
    assert done.stderr.startswith(error)
    assert done.stderr.count("\n") == (1 if error else 0)


def test_a_library_that_the_system_lacks_is_one_line_with_the_cure(generator_path: Path, tmp_path: Path) -> None:
    reason = "libGL.so.1: cannot open shared object file: No such file or directory"
    (tmp_path / "cv2.py").write_text(f"raise ImportError({reason!r})\n")
    done = view("grid", generator_path, "--display", "none", env=os.environ | {"PYTHONPATH": str(tmp_path)})
    assert done.returncode == 2
    assert done.stderr == (
        "error: libGL.so.1 is missing, expected it in the system: apt-get install libxcb1 libgl1 libglib2.0-0 libsm6\n"
    )


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_pipes_and_folders_are_refused_and_never_waited_for(generator_path: Path, tmp_path: Path) -> None:
    pipe = tmp_path / "pipe.png"
    os.mkfifo(pipe)
    for target in (pipe, tmp_path):
        for arguments in (["info", target], ["grid", target], ["grid", generator_path, "--encode", target]):
            done = view(*arguments, **{} if arguments[0] == "info" else {"env": os.environ | {"DISPLAY": ""}})
            assert done.returncode == 2
            assert re.search("a folder|not a regular file", done.stderr)
            assert done.stderr.count("\n") == 1


@pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="this system has no such signals")
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_signals_end_it_quietly(generator_path: Path, tmp_path: Path, number: int, code: int) -> None:
    record = tmp_path / "walk.gif"
    command = [sys.executable, "-m", "viewer", "animate", generator_path, "--display", "none"]
    process = subprocess.Popen(
        [*command, "--frames", "1000000", "--record", record], stderr=subprocess.PIPE, text=True, env=os.environ
    )
    until = time.monotonic() + 240
    while not list(tmp_path.iterdir()):  # the recording has begun
        assert time.monotonic() < until
        time.sleep(0.05)
    process.send_signal(number)
    _, error = process.communicate(timeout=240)
    assert (process.returncode, error) == (code, "")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["gird", "cats.onnx"], "; did you mean grid?"),
        (["grid", "--colums", "4"], "; did you mean --cols?"),
        (["diffuse", "x.onnx", "--sampler=dppm"], "; did you mean dpm?"),
        ([], "are required: MODE|FILE, one of animate, "),
    ],
)
def test_what_is_near_is_suggested(words: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ending:
        main(words)
    assert ending.value.code == 2
    assert said in capsys.readouterr().err
    with pytest.raises(SystemExit):
        main(["unlike-any-mode"])
    assert "did you mean" not in capsys.readouterr().err
