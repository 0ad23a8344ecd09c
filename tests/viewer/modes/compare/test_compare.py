"""Comparisons: each model's own bits, views, saving, what is said, and what is refused."""

import shutil
import subprocess
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from small_denoisers import make_denoiser
from small_models import make_encoder, make_generator, make_translator, photo_like
from waiting import Gate, wait_until

from export.card import Latent
from viewer.__main__ import main
from viewer.files.png import read_recipe
from viewer.keys import NAMES, Action, Event, decode_character
from viewer.model import open_model, open_sibling_encoder
from viewer.modes import Mode
from viewer.modes.compare import opening
from viewer.modes.compare.session import CompareSession
from viewer.modes.compare.views import HEADER, line_height
from viewer.opening import choose
from viewer.room import Room

TERMINAL = Room(320, 184, 0.5, 4, strip=False)  # of 80 x 24 cells


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("compared")
    for name, hidden in (("a", 8), ("b", 5)):
        make_generator(folder / f"{name}.onnx", hidden=hidden)
        make_encoder(folder / f"{name}.encoder.onnx")
    photos = folder / "photos"
    photos.mkdir()
    for number in range(3):
        cv2.imwrite(str(photos / f"{number}.png"), photo_like(24, 30, number))
    np.save(folder / "set.npy", np.stack([photo_like(16, 16, seed) for seed in range(12)]))
    return {
        "a": folder / "a.onnx",
        "b": folder / "b.onnx",
        "classes": make_generator(folder / "classes.onnx", labels=3),
        "more": make_generator(folder / "more.onnx", labels=3, hidden=4),
        "large": make_generator(folder / "large.onnx", size=7, height=32, width=32),
        "twice": make_translator(folder / "twice.onnx", scale=2, context=4),
        "thrice": make_translator(folder / "thrice.onnx", scale=3, context=4),
        "same": make_translator(folder / "same.onnx"),
        "drawn": make_translator(folder / "drawn.onnx", latent=3),
        "noise": make_denoiser(folder / "noise.onnx", spread=0.3),
        "v": make_denoiser(folder / "v.onnx", prediction="v", spread=0.2),
        "photos": photos,
        "set": folder / "set.npy",
    }


def run(*words: object) -> None:
    assert main([*map(str, words), "--display", "none", "--threads", "1"]) == 0


def only(folder: Path) -> np.ndarray:
    (path,) = folder.glob("*.png")
    return cv2.imread(str(path))


def columns(image: np.ndarray, rows: int, cols: int, models: int, side: tuple[int, int]) -> list[np.ndarray]:
    """The images of each model on a saved page: [models] [rows * cols, h, w, 3]."""
    height, width = side
    found: list[list[np.ndarray]] = [[] for _ in range(models)]
    for row in range(rows):
        for column in range(cols):
            top, left = row * (height + 2) + 2, column * (models * width + 2) + 2
            for model in range(models):
                found[model].append(image[top : top + height, left + model * width : left + (model + 1) * width])
    return [np.stack(one) for one in found]


def opened(files: dict[str, Path], *words: object) -> CompareSession:
    mode = Mode("compare")
    session: CompareSession = mode.open(mode.parse([str(files.get(str(word), word)) for word in words]))
    return session


def press(session: CompareSession, *keys: str) -> None:
    for key in keys:
        session.handle(NAMES.get(key) or decode_character(key))
        session.settle(0.0)


@pytest.mark.parametrize("keys", ["x", "x,i", "+,+,x", "-,i,x"])
@pytest.mark.parametrize("names", [("a", "b"), ("a", "large", "b", "a"), ("classes", "more")])
def test_each_model_gives_the_bits_that_grid_shows(
    names: tuple[str, ...], keys: str, files: dict[str, Path], tmp_path: Path
) -> None:
    keys = f"{keys},n,c" if "classes" in names else keys
    page = ["--rows", 2, "--cols", 3, "--seed", 5]
    models = [files[name] for name in names]
    run("compare", *models, *page, "--keys", f"{keys},S", "--out", tmp_path / "all")
    side = (32, 32) if "large" in names else (16, 16)
    found = columns(only(tmp_path / "all"), 2, 3, len(names), side)
    for number, (path, images) in enumerate(zip(models, found, strict=True)):
        own = tmp_path / f"{number}"
        run("grid", path, *page, "--keys", f"{keys},S", "--out", own)
        wanted = columns(only(own), 2, 3, 1, open_model(path).image_size)[0]
        if wanted.shape[1:3] == side:
            assert np.array_equal(images, wanted)
        else:
            assert np.array_equal(images, [cv2.resize(one, side, interpolation=cv2.INTER_LINEAR) for one in wanted])


def test_images_go_through_each_encoder_and_back(files: dict[str, Path], tmp_path: Path) -> None:
    photos = files["photos"]
    run("compare", files["a"], files["b"], "--encode", photos, "--rows", 1, "--cols", 2, "--keys", "pagedown,s",
        "--out", tmp_path)  # fmt: skip
    saved = only(tmp_path)
    photo = cv2.imread(str(photos / "2.png"))[:, 3:27]
    photo = cv2.resize(photo, (16, 16), interpolation=cv2.INTER_AREA)
    assert np.array_equal(saved[:, :16], photo)
    for number, name in enumerate("ab", 1):
        model = open_model(files[name])
        latents = open_sibling_encoder(files[name]).encode(photo[None])
        assert np.array_equal(saved[:, 16 * number : 16 * number + 16], model.generate(latents)[0])
    (path,) = tmp_path.glob("*.png")
    assert read_recipe(path)["encoded"] == ["2.png"]
    assert read_recipe(path)["latents_by_model"][0] == pytest.approx(latents[0].tolist())


def test_several_images_on_a_page_are_each_their_own(files: dict[str, Path], tmp_path: Path) -> None:
    words = [files["a"], files["b"], "--encode", files["photos"], "--rows", 1, "--cols", 2]
    run("compare", *words, "--keys", "S", "--out", tmp_path / "page")
    page = columns(only(tmp_path / "page"), 1, 2, 3, (16, 16))
    assert not np.array_equal(page[1][0], page[1][1])
    for number, key in enumerate(("home", "right")):
        run("compare", *words, "--keys", f"{key},s", "--out", tmp_path / key)
        assert np.array_equal(only(tmp_path / key), np.concatenate([one[number] for one in page], axis=1))
        (path,) = (tmp_path / key).glob("*.png")
        model = open_model(files["b"])
        latent = np.array(read_recipe(path)["latents_by_model"][1], np.float32)
        assert np.array_equal(model.generate(latent[None])[0], page[2][number])


@pytest.mark.parametrize("strip", [True, False])
def test_a_click_chooses_what_is_under_it(strip: bool, files: dict[str, Path]) -> None:
    session = opened(files, "a", "b", "--rows", 2, "--cols", 2, "--scale", 2)
    session.settle(0.0)
    frame = session.frame(strip)
    left, top = session.state.sheet.corner(3)
    shown = frame[HEADER * strip :][top + 4 : top + 28, left + 4 : left + 28]
    assert np.array_equal(shown, cv2.resize(session._shown[3][0], (32, 32))[4:28, 4:28])
    session.handle(Event(Action.CLICK, left + 1, top + HEADER * strip + 1))
    assert session.state.cursor == 3
    session.handle(Event(Action.CLICK, left + 1, top + HEADER * strip - 4))
    assert session.state.cursor == 1
    session.close()


@pytest.mark.parametrize("room", [Room(1300, 600), Room(500, 900, 2.0), TERMINAL])
def test_a_comparison_fills_the_room_and_is_saved_as_without_one(
    room: Room, files: dict[str, Path], tmp_path: Path
) -> None:
    words = ["a", "b", "a", "--rows", 2, "--cols", 2, "--out", tmp_path]
    run("compare", files["a"], files["b"], files["a"], *words[3:-1], tmp_path / "without", "--keys", "S")
    session = opened(files, *words)
    session.fit(room)
    strip = room.strip
    for view in ("side", "wipe"):
        session.settle(0.0)
        frame = session.frame(strip)
        assert frame.fits
        assert frame.shape[0] <= room.height
        assert frame.shape[1] <= room.width
        assert frame.shape[0] >= 0.8 * room.height or frame.shape[1] >= 0.8 * room.width
        names = [label.text for label in frame.labels or () if label.y < line_height(room)]
        assert names[0][0] == "A"
        assert len(names) == (6 if view == "side" else 2)
        left, top = session.state.sheet.corner(3)
        session.handle(Event(Action.CLICK, left + 1, top + line_height(room) + 1))
        assert session.state.cursor == 3
        press(session, "S", "tab")
    session.close()
    saved, wiped = sorted(tmp_path.glob("*.png"))
    (without,) = (tmp_path / "without").glob("*.png")
    assert np.array_equal(cv2.imread(str(saved)), cv2.imread(str(without)))
    assert cv2.imread(str(wiped)).shape == (2 * 18 + 2, 2 * 18 + 2, 3)


def test_less_room_shows_fewer_images_and_the_selected_one(files: dict[str, Path]) -> None:
    session = opened(files, "a", "b", "--encode", files["photos"])
    for room, place in ((Room(1200, 800), (0, 1)), (Room(120, 48, 0.5, 4, strip=False), (1, 0))):
        session.fit(room)
        session.settle(0.0)
        press(session, "end")
        assert (session.state.first, session.state.cursor) == place
    press(session, "pagedown")
    assert session.state.first == 2
    session.fit(Room(1200, 800))
    session.settle(0.0)
    assert (session.state.first, session.state.cursor, len(session.state.page.numbers)) == (2, 0, 1)
    assert not session.failures
    session.close()


def test_translators_and_upscalers_give_what_their_modes_give(files: dict[str, Path], tmp_path: Path) -> None:
    photo = files["photos"] / "1.png"
    for names, mode in ((("same", "drawn"), "translate"), (("twice", "thrice"), "upscale")):
        run("compare", *(files[name] for name in names), "--images", photo, "--keys", "s", "--out", tmp_path / mode)
        saved = only(tmp_path / mode)
        for place, name in enumerate(names, 1):
            own = tmp_path / name
            run(mode, files[name], photo, "-o", own)
            result = only(own)
            found = saved[:, saved.shape[1] // 3 * place : saved.shape[1] // 3 * (place + 1)]
            if result.shape != found.shape:
                result = cv2.resize(result, found.shape[1::-1], interpolation=cv2.INTER_LINEAR)
            assert np.array_equal(found, result)


def test_denoisers_begin_with_the_noise_that_diffuse_begins_with(files: dict[str, Path], tmp_path: Path) -> None:
    page = ["--rows", 1, "--cols", 2, "--steps", 3, "--seed", 4, "--keys", "i,S"]
    run("compare", files["noise"], files["v"], *page, "--out", tmp_path / "both")
    found = columns(only(tmp_path / "both"), 1, 2, 2, (16, 16))
    for name, images in zip(("noise", "v"), found, strict=True):
        run("diffuse", files[name], *page, "--out", tmp_path / name)
        assert np.array_equal(images, columns(only(tmp_path / name), 1, 2, 1, (16, 16))[0])


def test_differences_and_wipes_are_of_the_images(files: dict[str, Path], tmp_path: Path) -> None:
    models = [files["a"], files["b"], "--rows", 1, "--cols", 1]
    for view, keys in (("side", "s"), ("difference", "],s"), ("wipe", "[,[,s")):
        run("compare", *models, "--view", view, "--keys", keys, "--out", tmp_path / view)
    side, difference, wipe = (only(tmp_path / view) for view in ("side", "difference", "wipe"))
    one, other = side[:, :16], side[:, 16:]
    assert np.array_equal(difference[:, :16], one)
    wanted = np.minimum(np.abs(one.astype(int) - other) * 16, 255)
    assert wanted.any()
    assert np.array_equal(difference[:, 16:], wanted)
    assert np.array_equal(wipe[:, :5], one[:, :5])
    assert np.array_equal(wipe[:, 8:], other[:, 8:])
    (path,) = (tmp_path / "difference").glob("*.png")
    assert read_recipe(path)["amplified"] == 16


@pytest.mark.parametrize("words", [
    ("a", "b", "--encode", "photos", "--view", "difference", "--keys", "a,pagedown,s"),
    ("same", "drawn", "--images", "photos", "--rows", "1", "--cols", "2", "--size", "20", "--keys", "x,right,S"),
    ("noise", "v", "--rows", "1", "--cols", "2", "--sampler", "dpm", "--steps", "2", "--keys", "x,+,i,right,s"),
    ("classes", "a", "large", "--view", "wipe", "--keys", "x,b,[,n,c,+,down,s"),
])  # fmt: skip
def test_a_saved_comparison_is_made_again(words: tuple[str, ...], files: dict[str, Path], tmp_path: Path) -> None:
    words = tuple(str(files.get(word, word)) for word in words)
    run("compare", *words, "--out", tmp_path / "once")
    (path,) = (tmp_path / "once").glob("*.png")
    count = next(place for place, word in enumerate(words) if word.startswith("--"))
    inputs = words[count : count + 2] if words[count] in ("--encode", "--images") else ()
    key = words[-1][-1]
    run("compare", *words[:count], *inputs, "--from", path, "--keys", key, "--out", tmp_path / "twice")
    assert np.array_equal(only(tmp_path / "twice"), cv2.imread(str(path)))
    (again,) = (tmp_path / "twice").glob("*.png")
    assert read_recipe(again) == read_recipe(path)


def test_what_is_saved_before_it_is_there_is_what_was_asked_for(files: dict[str, Path], tmp_path: Path) -> None:
    session = opened(files, "a", "b", "--rows", 1, "--cols", 1, "--out", tmp_path / "hasty")
    for key in "xs":
        session.handle(decode_character(key))
    session.settle(0.0)
    session.close()
    run("compare", files["a"], files["b"], "--rows", 1, "--cols", 1, "--keys", "x,s", "--out", tmp_path / "patient")
    assert np.array_equal(only(tmp_path / "hasty"), only(tmp_path / "patient"))


def test_what_differs_between_models_is_said(files: dict[str, Path]) -> None:
    for names, words in (
        (("a", "large"), ("latents differ (4 normal, 7 normal)", "sizes differ (16x16, 32x32): shown at one scale")),
        (("a", "classes"), ("not all models draw classes",)),
        (("a", "b"), ()),
    ):
        session = opened(files, *names)
        said = session._notice[0] if session._notice else ""
        assert all(word in said for word in words)
        assert bool(said) == bool(words)
        session.close()


def test_images_that_are_made_smaller_are_named(files: dict[str, Path], tmp_path: Path) -> None:
    photo = tmp_path / "large.png"
    cv2.imwrite(str(photo), photo_like(60, 90))
    cv2.imwrite(str(tmp_path / "wide.png"), photo_like(300, 600))
    for names, images, more, said in (
        (("same", "same"), photo, (), ""),
        (("same", "same"), tmp_path, (), "600x300 shrunk to 512x256: --size 600 takes it as it is"),
        (("same", "same"), tmp_path, ("--size", "512"), ""),
        (("twice", "twice"), tmp_path, (), "the middle is enlarged (512x300 of 600x300): --size N takes more"),
    ):
        session = opened(files, *names, "--images", images, *more)
        assert (session._notice[0] if session._notice else "").endswith(said)
        assert bool(session._notice) == bool(said)
        session.close()


def test_names_tell_models_apart(files: dict[str, Path], tmp_path: Path) -> None:
    other = make_generator(tmp_path / "a.onnx", hidden=3)
    session = opened(files, "a", other)
    assert len(set(session.state.columns)) == 2
    assert all("a" in name for name in session.state.columns)
    assert session.title().count("a") >= 2
    session.close()


def test_the_page_comes_first_and_figures_go_on_where_they_were(
    files: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    gate, read = Gate(), []
    session = opened(files, "a", "b", "--data", "set", "--rows", 1, "--cols", 1)
    fetch = session.measuring._read

    def slow(number: int) -> Any:
        gate.passing()
        read.append(number)
        return fetch(number)

    monkeypatch.setattr(session.measuring, "_read", slow)
    session.pump(0.0)
    gate.wait_for(1)  # the page is there, and the first image is being measured
    session.pump(0.0)
    assert session._there
    session.handle(decode_character("x"))
    session.pump(0.0)
    gate.let(1)
    wait_until(lambda: session.pump(0.0) or session._there)
    assert session.state.page.seed == 1
    assert not session._figures.finished
    gate.open()
    session.settle(0.0)
    assert session._figures.finished
    assert sorted(read) == list(range(12))
    press(session, "tab", "tab", "tab")
    assert session.state.view == "figures"
    assert session.frame().shape[1] >= 480
    session.close()


@pytest.mark.parametrize(("words", "said"), [
    (("a",), "one model, expected two to four"),
    (("a",) * 5, "found 5 models"),
    (("a", "same"), "expected a generator as"),
    (("a", "a.encoder.onnx"), "no such file"),
    (("a", "classes", "--encode", "photos"), "needs its encoder"),
    (("a", "b", "--images", "photos"), "generators take --encode"),
    (("same", "drawn"), "no images named"),
    (("same", "drawn", "--encode", "photos"), "translators take --images"),
    (("a", "b", "--steps", "3"), "--steps is for denoisers"),
    (("a", "b", "--features", "a"), "expected --data beside it"),
    (("a", "b", "--view", "figures"), "expected --data beside it"),
    (("classes", "more", "--data", "set"), "no encoder beside it"),
    (("same", "drawn", "--images", "photos", "--data", "set"), "--pairs says which go in"),
    (("a", "b", "--data", "set", "--features", "b"), "takes latent"),
    (("a", "b", "--data", "nowhere.npy"), "nowhere.npy"),
    (("a", "b", "--label", "1"), "draws no classes"),
    (("a", "b", "--weights", "best"), "expected none without a run"),
])  # fmt: skip
def test_mistakes_are_one_line(
    words: tuple[str, ...], said: str, files: dict[str, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["compare", *(str(files.get(word, word)) for word in words), "--display", "none", "--keys", "x"]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1
    assert lines[0].startswith("error: ")
    assert said in lines[0]


def test_files_without_a_mode_are_compared_and_saved_images_lead_back(
    files: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    photos, a, b, same, twice = (str(files[name]) for name in ("photos", "a", "b", "same", "twice"))
    for words, expected in (
        ([a, b, a], ["compare", a, b, a]),
        ([a, b, photos], ["compare", a, b, "--encode", photos]),
        ([same, twice, photos], ["compare", same, twice, "--images", photos]),
    ):
        found = choose(words, "viewer")
        assert [found.mode, *found.words] == expected
    monkeypatch.chdir(files["a"].parent)
    photo = files["photos"] / "1.png"
    shutil.copy(photo, tmp_path)
    run("compare", a, b, "--encode", photo, files["photos"] / "0.png", "--keys", "s", "--out", tmp_path / "saved")
    (path,) = (tmp_path / "saved").glob("*.png")
    shutil.copy(photo, path.parent)
    found = choose([str(path)], "viewer")
    assert found.mode == "compare"
    run(found.mode, *found.words, "--keys", "s", "--out", tmp_path / "again")
    assert np.array_equal(only(tmp_path / "again"), cv2.imread(str(path)))


def test_images_of_other_models_are_refused(
    files: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run("compare", files["a"], files["b"], "--keys", "s", "--out", tmp_path)
    (path,) = tmp_path.glob("*.png")
    for first, second in (("b", "a"), ("a", "large")):
        words = [
            "compare",
            str(files[first]),
            str(files[second]),
            "--from",
            str(path),
            "--display",
            "none",
            "--keys",
            "x",
        ]
        assert main(words) == 2
        assert "made by other models ('a.onnx', 'b.onnx'), expected these, in this order" in capsys.readouterr().err


# Runs.


def a_run(folder: Path, *steps: int) -> Path:
    for step in steps:
        (folder / "checkpoints" / f"step_{step:08d}").mkdir(parents=True)
    folder.mkdir(exist_ok=True)
    (folder / "config.json").write_text('{"family": "vae", "config": {}}')
    return folder


def test_checkpoints_of_a_run_and_the_best_of_several(tmp_path: Path) -> None:
    long, short = a_run(tmp_path / "long", *range(100, 1100, 100)), a_run(tmp_path / "short", 7, 9)
    (long / "checkpoints" / ".tmp-step_00002000-1").mkdir()
    assert [one.weights for one in opening.sources_of([long])] == ["100", "400", "700", "1000"]
    assert [one.weights for one in opening.sources_of([short])] == ["7", "9"]
    assert [one.weights for one in opening.sources_of([long, short])] == ["best", "best"]
    assert [one.weights for one in opening.sources_of([long], ["best", "last"])] == ["best", "last"]
    model = tmp_path / "x.onnx"
    model.touch()
    mixed = opening.sources_of([model, short])
    assert [one.weights for one in mixed] == ["", "best"]


def test_runs_are_exported_first(files: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[list[str]] = []

    def export(words: list[str], **_: Any) -> subprocess.CompletedProcess[str]:
        asked.append(words[1:])
        target = Path(words[words.index("-o") + 1])
        target.write_bytes(files["a" if words[words.index("--weights") + 1] == "7" else "b"].read_bytes())
        return subprocess.CompletedProcess(words, 0, "", "")

    monkeypatch.setattr(opening.subprocess, "run", export)
    monkeypatch.setattr(opening.os, "cpu_count", lambda: 1)
    session = opened(files, a_run(tmp_path / "cats", 7, 9))
    names = [maker.model.path.name for maker in session.makers]
    assert names == ["cats-7.onnx", "cats-9.onnx"]
    assert [words[words.index("--name") + 1] for words in asked] == ["cats-7", "cats-9"]
    assert asked[0][:3] == ["-m", "export", str(tmp_path / "cats")]
    assert not session.makers[0].model.path.exists()
    session.settle(0.0)
    assert not session.failures
    session.close()


def test_what_keeps_a_run_from_being_exported_is_said(
    files: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    line = "error: python -m export needs torch, which is not installed for python: pip install -e '.[export]'\n"
    monkeypatch.setattr(
        opening.subprocess, "run", lambda words, **_: subprocess.CompletedProcess(words, 2, "", f"a warning\n{line}")
    )
    run_folder = a_run(tmp_path / "cats", 7, 9)
    assert main(["compare", str(run_folder), "--display", "none", "--keys", "x"]) == 2
    said = capsys.readouterr().err.splitlines()[-1]
    assert said == f"error: {run_folder}: cannot be exported: {line.strip().removeprefix('error: ')}"
    for folder, words in (
        (a_run(tmp_path / "new"), "without checkpoints"),
        (a_run(tmp_path / "one", 5), "one checkpoint"),
    ):
        assert main(["compare", str(folder)]) == 2
        assert words in capsys.readouterr().err


def test_what_is_neither_a_model_nor_a_run_is_said_before_anything_is_exported(
    files: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(opening.subprocess, "run", lambda *_, **__: pytest.fail("exported"))
    runs = a_run(tmp_path / "runs" / "cats", 7, 9).parent
    for words, expected in (
        ([runs / "cats", tmp_path / "none"], "none: no such file or directory"),
        ([runs], "runs: a folder of runs (cats)"),
        ([files["a"], files["photos"]], "photos: a folder of images"),
    ):
        assert main(["compare", *map(str, words), "--display", "none", "--keys", "x"]) == 2
        assert f"{expected}, expected an ONNX model or the folder of a run" in capsys.readouterr().err


def test_the_built_in_model_is_compared_by_its_name(files: dict[str, Path], tmp_path: Path) -> None:
    opening = choose(["toycats", str(files["a"])], "utsuroi")
    assert opening.mode == "compare"
    run(opening.mode, *opening.words, "--rows", 1, "--cols", 1, "--keys", "s", "--out", tmp_path)
    (saved,) = tmp_path.glob("*.png")
    assert main(["compare", "builtin", str(files["a"]), "--from", str(saved), "--display", "none", "--keys", "x"]) == 0


@pytest.mark.slow
def test_a_real_run_is_exported(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    folder = Path(__file__).parents[3] / "fixtures" / "v0_1" / "runs"
    run("compare", folder / "vae", folder / "wgan_gp", "--rows", 1, "--cols", 1, "--keys", "S", "--out", tmp_path)
    (path,) = tmp_path.glob("*.png")
    assert [one["file"] for one in read_recipe(path)["models"]] == ["vae-best.onnx", "wgan_gp-best.onnx"]
    run("compare", folder / "vae", folder / "wgan_gp", "--from", path, "--keys", "S", "--out", tmp_path / "again")
    assert np.array_equal(only(tmp_path / "again"), cv2.imread(str(path)))


def test_latents_of_a_uniform_prior_are_its_own(files: dict[str, Path], tmp_path: Path) -> None:
    uniform = make_generator(tmp_path / "uniform.onnx", latent=Latent(size=4, prior="uniform"))
    session = opened(files, "a", uniform)
    assert "4 normal, 4 uniform" in session._notice[0]
    session.close()
