"""The translate mode: through the images, through the thresholds, through the latents, and without a screen."""

import itertools
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import small_models as make
from hypothesis import given
from hypothesis import strategies as st
from onnx import helper
from waiting import HANG_SECONDS, Gate, wait_until

from trainer.contract.edges import edge_map
from viewer.__main__ import main
from viewer.app import run_live, run_scripted
from viewer.files.png import read_recipe
from viewer.keys import NAMES, Event, decode_character, parse_keys
from viewer.latents import slerp
from viewer.model import open_model
from viewer.modes.translate.session import STOPS, TranslateSession, TranslateState, begin
from viewer.sessions.translation import Translator

KEYS = [*NAMES.values(), *filter(None, map(decode_character, "sSirx+-= 3[]"))]


def session(path: Path, folder: Path, *images: Path, **state: object) -> TranslateSession:
    translator = Translator(open_model(path, wanted="translator"))
    return TranslateSession(translator, replace(begin(translator, len(images)), **state), folder, images)


def images(folder: Path, count: int = 3) -> list[Path]:
    paths = [folder / f"photo{number}.png" for number in range(count)]
    for number, path in enumerate(paths):
        cv2.imwrite(str(path), make.photo_like(40, 60, seed=number))
    return paths


@given(st.lists(st.sampled_from(KEYS), max_size=30), st.booleans(), st.sampled_from([None, 33]))
def test_no_key_leads_out_of_bounds(events: list[Event], has_latent: bool, sigma: int | None) -> None:
    state = TranslateState(3, has_latent=has_latent, sigma=sigma)
    for event in events:
        state = state.after(event)
        assert 0 <= state.index < 3
        assert 0 <= state.stop < (STOPS if state.line else 1)
        assert state.sigma is None if sigma is None else 0 <= state.sigma <= 100
        assert not state.line or has_latent


def test_arrows_lead_through_the_images_and_s_saves_the_result(edges_path: Path, tmp_path: Path) -> None:
    paths = images(tmp_path)
    work = session(edges_path, tmp_path, *paths)
    display = make.FakeDisplay([], interactive=False)
    run_scripted(work, display, parse_keys("right,s,left,left,S"))
    work.close()
    model = open_model(edges_path)
    saved = tmp_path / "edges-0001.png"
    edges = edge_map(cv2.imread(str(paths[1]))[..., ::-1].copy())
    expected = Translator(model).translate(np.repeat(edges[..., None], 3, axis=2))
    assert np.array_equal(cv2.imread(str(saved)), expected)
    recipe = read_recipe(saved)
    assert recipe["image"] == "photo1.png"
    assert (recipe["sigma"], recipe["condition"], recipe["sha256"]) == (0.33, "edges", model.sha256)
    assert read_recipe(tmp_path / "edges-0002.png")["image"] == "photo2.png"
    assert np.array_equal(cv2.imread(str(tmp_path / "edges-0002.png")), display.frames[-1][:-28])


def test_the_threshold_follows_the_keys(edges_path: Path, tmp_path: Path) -> None:
    (path,) = images(tmp_path, 1)
    display = make.FakeDisplay([], interactive=False)
    work = session(edges_path, tmp_path, path)
    run_scripted(work, display, parse_keys("+,+,-,s"))
    work.close()
    assert read_recipe(tmp_path / "edges-0001.png")["sigma"] == 0.38
    assert np.array_equal(display.frames[1], display.frames[3])
    assert not np.array_equal(display.frames[0][:-28], display.frames[2][:-28])
    assert ["0.33" in display.titles[0], "0.43" in display.titles[2]] == [True, True]


def test_latents_and_the_way_between_two(masks_path: Path, tmp_path: Path) -> None:
    (path,) = images(tmp_path, 1)
    work = session(masks_path, tmp_path, path)
    translator = work.translator
    display = make.FakeDisplay([], interactive=False)
    run_scripted(work, display, parse_keys("s,x,s,i,down,down,s,S,r,s"))
    work.close()
    saved = [cv2.imread(str(tmp_path / f"masks-{number:04d}.png")) for number in range(1, 6)]
    condition = translator.condition_of(cv2.imread(str(path)), 0)
    first, second, third = (translator.latent(seed) for seed in (0, 1, 2))
    assert np.array_equal(saved[0], translator.translate(condition, first))
    assert np.array_equal(saved[1], translator.translate(condition, second))
    assert np.array_equal(saved[2], translator.translate(condition, slerp(second, third, 0.5)))
    assert saved[3].shape[1] > 2 * saved[3].shape[0]
    assert np.array_equal(saved[4], saved[1])
    assert read_recipe(tmp_path / "masks-0002.png")["seed"] == 1
    assert display.frames[0].shape != display.frames[5].shape


def test_an_image_that_cannot_be_read_any_more_is_said_and_the_others_go_on(edges_path: Path, tmp_path: Path) -> None:
    paths = images(tmp_path)
    paths[1].unlink()
    work = session(edges_path, tmp_path, *paths)
    display = make.FakeDisplay([], interactive=False)
    run_scripted(work, display, parse_keys("right,right,s"))
    work.close()
    assert work.failures == [f"{paths[1]}: no such file or directory"]
    assert read_recipe(tmp_path / "edges-0001.png")["image"] == "photo2.png"


def test_a_person_presses_keys_while_the_model_works(edges_path: Path, tmp_path: Path) -> None:
    paths = images(tmp_path)
    work = session(edges_path, tmp_path, *paths)
    translate = work.translator.model.translate

    gate = Gate()

    def slowly(*arguments: object) -> object:
        gate.passing()
        return translate(*arguments)

    work.translator.model.translate = slowly
    display = make.FakeDisplay(parse_keys("right,+,+,+,+,right"))

    def wait(seconds: float) -> None:
        gate.wait_for(1)
        if not display._events:  # all have been pressed
            assert gate.arrived == 1
            display._wait = time.sleep
            gate.open()

    display._wait = wait
    run_live(work, display, parse_keys("s,esc"))
    work.close()
    assert 2 <= gate.arrived <= 4
    recipe = read_recipe(tmp_path / "edges-0001.png")
    assert (recipe["image"], recipe["sigma"]) == ("photo2.png", 0.53)


def test_a_folder_is_written_without_a_screen(
    edges_path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, out = tmp_path / "in", tmp_path / "out"
    folder.mkdir()
    images(folder)
    (folder / "broken.png").write_text("no image")
    assert main(["translate", str(edges_path), str(folder), "-o", str(out)]) == 0
    said = capsys.readouterr()
    assert "broken.png: found a text file, expected an image" in said.err
    assert said.out == f"{out}: 3 made, 0 finished before, 1 failed\n"
    assert sorted(path.name for path in out.iterdir()) == ["photo0.png", "photo1.png", "photo2.png"]
    before = {path: path.read_bytes() for path in out.iterdir()}
    assert main(["translate", str(edges_path), f"{folder}/photo1.png", "--display", "none", "--out", str(out)]) == 0
    assert capsys.readouterr().out == f"{out}: 0 made, 1 finished before, 0 failed\n"
    assert sorted(before) == sorted(out.iterdir())
    assert all(path.read_bytes() == data for path, data in before.items())
    assert read_recipe(out / "photo1.png")["mode"] == "translate"


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["{edges}"], "edges.onnx, expected some, or --draw"),
        (["{edges}", "{folder}/gone.png"], "gone.png: no such file"),
        (["{edges}", "{folder}/gone*.png"], "no file matches this pattern"),
        (["{edges}", "{folder}/empty"], "found no images in this folder"),
        (["{edges}", "{folder}/notes.txt"], "found a text file, expected an image (JPEG"),
        (["{edges}", "{folder}/notes.txt", "{folder}/gone.png"], "none of 2 files could be used"),
        (["{generator}", "{folder}/photo0.png"], "found a generator, expected a translator"),
        (["{folder}/notes.txt", "{folder}/photo0.png"], "found a text file, expected an ONNX model"),
        (["{edges}", "{folder}/photo0.png", "-o", "{folder}/notes.txt"], "ends in '.txt', expected .png"),
        (["{edges}", "{folder}/photo0.png", "-o", "x", "--keys", "s"], "found --keys or --record beside it"),
        (["{edges}", "{folder}/photo0.png", "--start", "{folder}/photo0.png"], "--start is for --draw"),
        (["{edges}", "{folder}/photo0.png", "--draw"], "--draw begins with an empty page"),
        (["{edges}", "--draw", "-o", "x"], "--draw begins with an empty page, found '-o'"),
        (["{edges}", "--draw", "--start", "{folder}/gone.png"], "gone.png: no such file"),
    ],
)
def test_bad_input_is_one_line_and_code_2(
    arguments: list[str], expected: str, edges_path: Path, generator_path: Path, tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    images(tmp_path, 1)
    (tmp_path / "notes.txt").write_text("no image")
    (tmp_path / "empty").mkdir()
    names = {"edges": edges_path, "generator": generator_path, "folder": tmp_path}
    assert main(["translate", *(argument.format(**names) for argument in arguments), "--display", "none"]) == 2
    error = capsys.readouterr().err.splitlines()[-1]
    assert error.startswith("error: ")
    assert expected in error


def test_drawing_in_a_terminal_says_that_it_needs_a_window(edges_path: Path) -> None:
    for display, expected in (
        ("terminal", "expected a window"),
        ("auto", "drawing needs a window: DISPLAY is not set"),
    ):
        done = subprocess.run(
            [sys.executable, "-m", "viewer", "translate", edges_path, "--draw", "--display", display],
            capture_output=True, text=True, check=False, timeout=60, env=os.environ | {"DISPLAY": ""},
        )  # fmt: skip
        assert done.returncode == 2
        assert expected in done.stderr
        assert done.stderr.count("\n") == 1


SLOW = """
import sys, time
from viewer.__main__ import main
from viewer.model import Model
translate = Model.translate
calls = []
def slowly(self, *arguments):
    calls.append(1)
    time.sleep(0 if len(calls) < 4 else 600)
    return translate(self, *arguments)
Model.translate = slowly
sys.exit(main(sys.argv[1:]))
"""


@pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="this system has no such signals")
@pytest.mark.parametrize("mode", ["translate", "upscale"])
def test_ctrl_c_leaves_whole_files_only(mode: str, edges_path: Path, twice_path: Path, tmp_path: Path) -> None:
    folder, out = tmp_path / "in", tmp_path / "out"
    folder.mkdir()
    images(folder, 6)
    model = edges_path if mode == "translate" else twice_path
    process = subprocess.Popen(
        [sys.executable, "-c", SLOW, mode, model, folder, "-o", out], stderr=subprocess.PIPE, text=True
    )
    wait_until(lambda: out.is_dir() and list(out.glob("*.png")))
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=HANG_SECONDS)
    assert process.returncode == 130
    made = len(list(out.iterdir()))
    assert 1 <= made < 6
    assert f"stopped: {made} made, 0 finished before, 0 failed, {6 - made} to come" in said
    assert "the same command goes on" in said
    assert all(cv2.imread(str(path)) is not None and not path.name.startswith(".") for path in out.iterdir())


def test_info_says_what_a_translator_takes(
    edges_path: Path, masks_path: Path, twice_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cases = {
        edges_path: ("edges of a photograph", "sigma 0.33", "trained at 64x48", "multiples of 8"),
        masks_path: ("the image as it is", "3 colours", "3 numbers"),
        twice_path: ("2 times", "4 pixels far"),
    }
    for path, words in cases.items():
        assert main(["info", str(path)]) == 0
        said = capsys.readouterr().out
        assert all(word in said for word in words), said


def test_every_pair_of_keys_gives_a_frame(masks_path: Path, tmp_path: Path) -> None:
    paths = images(tmp_path, 2)
    work = session(masks_path, tmp_path, *paths)
    display = make.FakeDisplay([], interactive=False)
    keys = [event for pair in itertools.product(parse_keys("right,i,r,down,x,+"), repeat=2) for event in pair]
    run_scripted(work, display, keys)
    work.close()
    assert len(display.frames) == len(keys) + 1
    assert work.failures == []


def restorer(path: Path, scale: int = 1) -> Path:
    """A network without a card that makes a negative, and darkens no more than a pixel around."""
    nodes = [
        helper.make_node("Conv", ["x", "kernel"], ["soft"], pads=[1, 1, 1, 1]),
        helper.make_node("Sub", ["one", "soft"], ["y"]),
    ]
    kernel = np.zeros((3, 3, 3, 3), np.float32)
    kernel[range(3), range(3)] = 1 / 9
    constants = [make.constant("kernel", kernel), make.constant("one", np.float32(1))]
    size = ["n", 3, "h", "w"]
    return make.write(path, make.make_graph(nodes, [("x", "f32", size)], [("y", "f32", size)], constants))


@pytest.fixture
def large(tmp_path: Path) -> Path:
    """A photograph that is larger than what is translated in one piece, with alpha."""
    image = make.photo_like(400, 900)
    path = tmp_path / "large.png"
    cv2.imwrite(str(path), np.dstack([image, make.photo_like(400, 900, seed=1)[..., 0]]))
    return path


def test_a_restorer_takes_a_photograph_as_it_is_and_keeps_its_alpha(
    large: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = restorer(tmp_path / "restore.onnx")
    source = cv2.imread(str(large), cv2.IMREAD_UNCHANGED)
    source[..., 3] = np.maximum(source[..., 3], 1)  # what is wholly clear has no colours of its own
    large = tmp_path / "large.png"
    cv2.imwrite(str(large), source)
    inner = (slice(2, -2), slice(2, -2))
    results = []
    for mode in ("translate", "upscale"):
        assert main([mode, str(model), str(large), "-o", str(tmp_path / mode)]) == 0
        assert "shrunk" not in capsys.readouterr().err
        results.append(cv2.imread(str(tmp_path / mode / "large.png"), cv2.IMREAD_UNCHANGED))
    assert np.array_equal(*results)
    (result, _) = results
    assert np.array_equal(result[..., 3], source[..., 3])
    assert np.abs(result[inner][..., :3].astype(int) - (255 - cv2.blur(source[..., :3], (3, 3))[inner])).max() <= 1
    assert "size" not in read_recipe(tmp_path / "translate" / "large.png")
    work = session(model, tmp_path, large)
    run_scripted(work, make.FakeDisplay([], interactive=False), parse_keys("s"))
    work.close()
    assert np.array_equal(cv2.imread(str(tmp_path / "restore-0001.png"), cv2.IMREAD_UNCHANGED), result)


def test_a_photograph_that_is_made_smaller_is_said_with_the_way_out(
    edges_path: Path, large: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["translate", str(edges_path), str(large), "-o", str(tmp_path / "out")]) == 0
    assert "large.png: 900x400 shrunk to 64x28: --size 900 takes it as it is" in capsys.readouterr().err
    assert main(["translate", str(edges_path), str(large), "-o", str(tmp_path / "whole"), "--size", "900"]) == 0
    assert "smaller" not in capsys.readouterr().err
    assert cv2.imread(str(tmp_path / "whole" / "large.png")).shape == (400, 900, 3)
    work = session(edges_path, tmp_path, large)
    display = make.FakeDisplay([], interactive=False)
    run_scripted(work, display, parse_keys("+"))
    work.close()
    assert any("900x400 shrunk to 64x28: --size 900" in title for title in display.titles)


def test_what_looks_at_the_whole_image_is_shrunk_and_says_so(
    large: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    values = {"weight": 0.2, "bias": 0.5}
    node = helper.make_node("InstanceNormalization", ["x", *values], ["y"])
    constants = [make.constant(name, np.full(3, value, np.float32)) for name, value in values.items()]
    size = ["n", 3, "h", "w"]
    model = make.write(
        tmp_path / "style.onnx", make.make_graph([node], [("x", "f32", size)], [("y", "f32", size)], constants)
    )
    assert main(["translate", str(model), str(large), "-o", str(tmp_path / "out")]) == 0
    assert "900x400 shrunk to 512x228: --size 900" in capsys.readouterr().err
    assert main(["upscale", str(model), str(large), "-o", str(tmp_path / "out")]) == 2
    assert "made of the whole of them; expected a model that enlarges or restores" in capsys.readouterr().err
