"""The upscale mode: before and after, zoom and pan, and files without a screen."""

from pathlib import Path

import cv2
import numpy as np
import pytest
import small_models as make
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image as Pillow

from viewer.__main__ import main
from viewer.app import run_scripted
from viewer.files.inputs import Photo
from viewer.files.png import read_recipe
from viewer.files.results import bicubic
from viewer.keys import Action, Event, parse_keys
from viewer.model import open_model
from viewer.modes.upscale.session import VIEW, UpscaleSession, UpscaleState, divided, opened
from viewer.sessions.translation import Upscaler

KEYS = "left,right,up,down,pageup,pagedown,home,end,+,-,space,[,],x,wheel:1:30:40,wheel:-1:30:40"
EVENTS = st.one_of(
    st.sampled_from(parse_keys(KEYS)),
    st.builds(
        Event,
        st.sampled_from([Action.CLICK, Action.DRAG, Action.SECOND_CLICK, Action.SECOND_DRAG, Action.SECOND_RELEASE]),
        st.integers(0, 960),
        st.integers(0, 640),
    ),
)


@given(st.lists(EVENTS, max_size=40), st.integers(2, 9000), st.integers(2, 9000))
@settings(max_examples=80)
def test_the_view_stays_on_the_image(events: list[Event], height: int, width: int) -> None:
    state = opened(UpscaleState(3), height, width)
    for event in events:
        state = state.after(event)
        left, top = state.corner
        assert left >= -1 / state.scale
        assert top >= -1 / state.scale
        assert left + state.view[0] / state.scale <= width + 1 / state.scale
        assert top + state.view[1] / state.scale <= height + 1 / state.scale
        assert 0 <= state.divider <= 1
        assert 1 <= state.view[0] <= VIEW[0]
        assert 1 <= state.view[1] <= VIEW[1]
        assert 0 <= state.index < 3


def test_the_wheel_zooms_about_the_mouse() -> None:
    state = opened(UpscaleState(1), 2000, 3000)
    for x, y, action in ((100, 500, Action.WHEEL_UP), (800, 30, Action.WHEEL_DOWN)):
        before = state.corner[0] + x / state.scale, state.corner[1] + y / state.scale
        state = state.after(Event(action, x, y))
        assert (state.corner[0] + x / state.scale, state.corner[1] + y / state.scale) == pytest.approx(before)


def test_the_right_button_takes_the_image_along() -> None:
    state = opened(UpscaleState(1), 2000, 3000)
    moved = state
    for event in parse_keys("rdrag:100:100:60:130"):
        moved = moved.after(event)
    assert (moved.across - state.across, moved.down - state.down) == (40, -30)
    assert moved.grip is None


def test_before_and_after_show_the_same_place() -> None:
    source = make.photo_like(60, 80)
    result = bicubic(source, 120, 160)
    for keys in ("", "+,+,right,down", "home,-", "+,left"):
        state = opened(UpscaleState(1), 120, 160)
        for event in parse_keys(keys):
            state = state.after(event)
        shown = []
        for divider in (0.0, 1.0):
            state = state.after(Event(Action.CLICK, round(divider * 2000), 5))
            shown.append(divided(state, source, result, 2).astype(float))
        middle = np.abs(shown[0] - shown[1])[8:-8, 8:-8]
        assert middle.mean() < 6
        shifted = np.abs(shown[0][8:-8, 8:-12] - shown[1][8:-8, 12:-8])
        assert middle.mean() < shifted.mean()


def session(path: Path, folder: Path, *images: Path, tile: int = 16) -> UpscaleSession:
    return UpscaleSession(Upscaler(open_model(path), tile), UpscaleState(len(images)), folder, images)


def expected(path: Path, image: np.ndarray) -> np.ndarray:
    return open_model(path).translate(image)


def test_a_scripted_look(twice_path: Path, photo_path: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.png"
    cv2.imwrite(str(other), make.photo_like(30, 30))
    work = session(twice_path, tmp_path / "out", photo_path, other)
    display = make.FakeDisplay([], interactive=False)
    run_scripted(work, display, parse_keys("s,drag:300:100:10:100,S,space,pagedown,s"))
    work.close()
    assert work.failures == []
    saved = cv2.imread(str(tmp_path / "out" / "photo-0001.png"))
    assert np.array_equal(saved, expected(twice_path, cv2.imread(str(photo_path))))
    recipe = read_recipe(tmp_path / "out" / "photo-0001.png")
    assert (recipe["mode"], recipe["image"], recipe["scale"]) == ("upscale", "photo.png", 2)
    screen = cv2.imread(str(tmp_path / "out" / "photo-0002.png"))
    assert np.array_equal(screen[:, 20:], np.repeat(np.repeat(saved, 8, 0), 8, 1)[:, 20:])
    assert np.array_equal(
        cv2.imread(str(tmp_path / "out" / "other-0001.png")), expected(twice_path, make.photo_like(30, 30))
    )
    assert "other-0001.png" in display.titles[-1]
    assert not any("to come" in title for title in display.titles)


def test_what_is_looked_at_comes_first(twice_path: Path, tmp_path: Path) -> None:
    path = tmp_path / "large.png"
    cv2.imwrite(str(path), make.photo_like(700, 1000))
    work = session(twice_path, tmp_path, path, tile=64)
    while work._current is None:
        work.pump(0.0)
    for event in parse_keys(",".join(["right", "down"] * 20)):
        work.handle(event)
    work.pump(0.0)
    assert work._asked is not None
    assert work._asked.tiles is not None
    tiles = work._current.tiles
    first, last = (tiles[work._asked.tiles[number]].kept for number in (0, -1))
    assert first.left > 700
    assert first.top > 450
    assert last.left < 100
    work.close()


@pytest.fixture
def three(tmp_path: Path) -> list[Path]:
    """Two images, and one whose header alone can be read."""
    paths = [tmp_path / f"{name}.png" for name in ("first", "second", "broken")]
    for seed, path in enumerate(paths):
        cv2.imwrite(str(path), make.photo_like(30, 40, seed=seed))
    paths[2].write_bytes(paths[2].read_bytes()[:-200])
    return paths


def press(work: UpscaleSession, keys: str) -> None:
    for event in parse_keys(keys):
        work.handle(event)


@pytest.mark.parametrize("keys", ["s,pagedown", "pagedown,s", "pagedown,s,pageup", "pageup,pageup,s,s"])
def test_what_is_saved_before_it_is_opened_is_what_its_name_says(
    keys: str, twice_path: Path, three: list[Path], tmp_path: Path
) -> None:
    out = tmp_path / "out"
    work = session(twice_path, out, *three)
    press(work, keys)
    assert "to be saved when it is there" in work.title()
    work.settle(0.0)
    press(work, "home,pagedown" if keys.endswith("pageup") else "")  # none of this is the saved one's
    work.settle(1.0)
    work.close()
    stem = "first" if keys.startswith("s") else "second"
    assert {path.name[:-9] for path in out.iterdir()} == {stem}
    for path in out.iterdir():
        image = cv2.imread(str(tmp_path / f"{stem}.png"))
        assert np.array_equal(cv2.imread(str(path)), expected(twice_path, image))
        assert read_recipe(path)["image"] == f"{stem}.png"


def test_what_is_saved_while_the_next_is_opened_is_the_next(
    twice_path: Path, three: list[Path], tmp_path: Path
) -> None:
    work = session(twice_path, tmp_path / "out", *three)
    work.settle(0.0)
    before = work.frame(strip=False)
    press(work, "pagedown,s,S")
    during = work.frame(strip=False)
    assert during.shape == before.shape
    assert np.ptp(during.reshape(-1, 3), axis=0).max() == 0  # the image before is not shown under the next one's name
    assert "second.png" in work._status()
    assert "reading" in work._status()
    work.settle(1.0)
    work.close()
    image = expected(twice_path, cv2.imread(str(three[1])))
    assert np.array_equal(cv2.imread(str(tmp_path / "out" / "second-0001.png")), image)
    screen = cv2.imread(str(tmp_path / "out" / "second-0002.png"))
    assert np.array_equal(screen, work.frame(strip=False))  # the first view of it
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"second-0001.png", "second-0002.png"}


def test_an_image_that_cannot_be_opened_is_not_saved(
    twice_path: Path, three: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    work = session(twice_path, out, *three)
    work.settle(0.0)
    press(work, "pageup,s")
    work.settle(1.0)
    work._saves.wait()
    work.settle(1.0)  # has heard of the save
    assert "broken.png: truncated" in work.title()
    work.settle(9.0)  # whichever of opening and saving failed last: it is said until another image is shown
    assert "broken.png: truncated" in work.title()
    press(work, "pageup,s")
    work.settle(10.0)
    work.close()
    assert {path.name for path in out.iterdir()} == {"second-0001.png"}
    flags = ["--display", "none", "--keys", "pagedown,s", "--out", tmp_path / "other"]
    assert run(twice_path, three[0], three[2], *flags) == 2
    assert capsys.readouterr().err.startswith(f"error: {three[2]}: truncated")
    assert not (tmp_path / "other").exists()


def test_there_and_back_and_there_again(twice_path: Path, three: list[Path], tmp_path: Path) -> None:
    work = session(twice_path, tmp_path, *three)
    work.settle(0.0)
    for key in ("pagedown", "pageup"):
        press(work, key)
        work.pump(1.0)
    work.settle(2.0)
    press(work, "pagedown")
    work.settle(3.0)
    work.close()
    assert work.title() == "twice - second.png - 2 of 3 - bicubic - 80x60 - at 8"


def run(*words: object) -> int:
    return main(["upscale", *map(str, words)])


def test_one_file_to_a_named_one_and_never_over_another(
    twice_path: Path, photo_path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    target = tmp_path / "new" / "large.png"
    assert run(twice_path, photo_path, "-o", target, "--tile", 16) == 0
    assert np.array_equal(cv2.imread(str(target)), expected(twice_path, cv2.imread(str(photo_path))))
    assert read_recipe(target)["mode"] == "upscale"
    before = target.read_bytes()
    capsys.readouterr()
    assert run(twice_path, photo_path, "-o", target) == 2
    assert "exists already" in capsys.readouterr().err
    assert target.read_bytes() == before
    assert [path.name for path in target.parent.iterdir()] == ["large.png"]


def test_a_folder_keeps_names_and_folders(twice_path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder, out = tmp_path / "in", tmp_path / "out"
    for name in ("a.png", "sub/a.png", "b.jpg"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(folder / name), make.photo_like(20, 24))
    (folder / "c.png").write_text("no image")
    assert run(twice_path, folder, "-o", out) == 0
    said = capsys.readouterr()
    assert f"{out}: 3 made, 0 finished before, 1 failed" in said.out
    assert "skipped" in said.err
    assert sorted(str(path.relative_to(out)) for path in out.rglob("*.png")) == ["a.png", "b.png", "sub/a.png"]


def test_alpha_grey_depth_orientation_and_profile(
    twice_path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rgb = make.photo_like(20, 30)[..., ::-1]
    alpha = np.zeros((20, 30), np.uint8)
    alpha[:, 15:] = 255
    (tmp_path / "in").mkdir()
    Pillow.fromarray(np.dstack([rgb, alpha])).save(tmp_path / "in" / "alpha.png")
    Pillow.fromarray(rgb[..., 0].copy()).save(tmp_path / "in" / "grey.png")
    cv2.imwrite(str(tmp_path / "in" / "deep.png"), rgb.astype(np.uint16) * 257)
    turned = Pillow.fromarray(rgb.copy())
    exif = turned.getexif()
    exif[0x0112] = 6
    turned.save(tmp_path / "in" / "turned.png", exif=exif, icc_profile=b"a profile of colours")
    out = tmp_path / "out"
    assert run(twice_path, tmp_path / "in", "-o", out) == 0
    assert "deep.png: 16 bits a channel became 8" in capsys.readouterr().err
    made = Pillow.open(out / "alpha.png")
    assert (made.mode, made.size) == ("RGBA", (60, 40))
    assert np.array_equal(np.asarray(made)[..., 3], bicubic(alpha, 40, 60))
    assert Pillow.open(out / "grey.png").mode == "L"
    assert np.array_equal(cv2.imread(str(out / "deep.png")), expected(twice_path, rgb.copy()))
    made = Pillow.open(out / "turned.png")
    assert made.size == (40, 60)
    assert made.info["icc_profile"] == b"a profile of colours"
    assert run(twice_path, tmp_path / "in" / "alpha.png", "-o", tmp_path / "alpha.jpg") == 2
    assert "alpha.png: its transparency has no place in .jpg" in capsys.readouterr().err
    assert not (tmp_path / "alpha.jpg").exists()
    assert run(twice_path, tmp_path / "in" / "grey.png", "-o", tmp_path / "grey.webp") == 0


def test_a_film_keeps_its_rate(twice_path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "film.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 12, (48, 32))
    for seed in range(5):
        writer.write(make.photo_like(32, 48, seed=seed))
    writer.release()
    assert run(twice_path, path, "-o", tmp_path / "out") == 0
    assert "its sound is left out" in capsys.readouterr().err
    film = cv2.VideoCapture(str(tmp_path / "out" / "film.mp4"))
    assert film.get(cv2.CAP_PROP_FPS) == pytest.approx(12)
    frames = [film.read()[1] for _ in range(5)]
    assert frames[4].shape == (64, 96, 3)
    assert not film.read()[0]
    before = (tmp_path / "out" / "film.mp4").read_bytes()
    assert run(twice_path, path, "-o", tmp_path / "out" / "film.mp4") == 2
    assert (tmp_path / "out" / "film.mp4").read_bytes() == before
    broken = tmp_path / "broken.mp4"
    broken.write_text("no film")
    assert run(twice_path, broken, "-o", tmp_path / "out") == 2
    assert "not a film" in capsys.readouterr().err.splitlines()[-1]
    assert run(twice_path, path) == 2
    assert "add -o FILE" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (["{edges}", "{photo}", "-o", "x.png"], "expected a model that enlarges"),
        (["{twice}", "-o", "x"], "no images named"),
        (["{twice}", "{photo}", "-o", "{folder}/x.gif"], "ends in '.gif', expected .png"),
        (["{twice}", "{folder}/gone.png", "-o", "{folder}/x.png"], "gone.png: no such file"),
        (["{photo}", "{photo}", "-o", "{folder}/x.png"], "found an image, expected an ONNX model"),
        (["{twice}", "{photo}", "{photo2}", "-o", "{photo}"], "expected a folder"),
        (["{twice}", "{photo}", "{photo2}", "-o", "{folder}/taken"], "cannot make the folder"),
        (["{twice}", "{photo}", "{photo2}", "-o", "{folder}/x.png"], "ends in '.png' as one file does, expected a fo"),
        (["{twice}", "{several}", "-o", "{folder}/x.JPG"], "ends in '.JPG' as one file does, expected a folder"),
        (["{twice}", "{single}", "-o", "{folder}/x.png"], "ends in '.png' as one file does, expected a folder"),
        (["{twice}", "{single}/*.png", "-o", "{folder}/x.mp4"], "ends in '.mp4' as one file does, expected a folder"),
    ],
)
def test_bad_input_is_one_line_and_code_2(
    arguments: list[str], error: str, edges_path: Path, twice_path: Path, photo_path: Path, tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    second = tmp_path / "second.png"
    second.write_bytes(photo_path.read_bytes())
    for name in ("several/a.png", "several/b.png", "single/a.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(photo_path.read_bytes())
    (tmp_path / "taken").write_text("not a folder")
    names = {"edges": edges_path, "twice": twice_path, "photo": photo_path, "photo2": second, "folder": tmp_path,
             "several": tmp_path / "several", "single": tmp_path / "single"}  # fmt: skip
    before = sorted(tmp_path.iterdir())
    assert run(*(argument.format(**names) for argument in arguments)) == 2
    said = capsys.readouterr().err
    assert error in said
    assert said.count("\n") == 1
    assert sorted(tmp_path.iterdir()) == before


def test_a_full_disk_leaves_nothing(
    twice_path: Path, photo_path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "out").mkdir()
    with make.full_disk(300):
        assert run(twice_path, photo_path, "-o", tmp_path / "out") == 2
    assert "cannot write" in capsys.readouterr().err
    assert list((tmp_path / "out").iterdir()) == []


def test_a_photo_of_one_pixel(twice_path: Path) -> None:
    upscaler = Upscaler(open_model(twice_path))
    photo = Photo(make.photo_like(1, 1))
    (tile,) = upscaler.plan(photo)
    assert upscaler.enlarge(photo, tile).shape == (2, 2, 3)
