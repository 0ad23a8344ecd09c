"""The latent mode at work: what is on its frames, that the mouse is followed, and that saved images can be remade."""

import json
import time
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from small_models import FakeDisplay, make_encoder, make_generator
from waiting import Gate, StepByStep

from export.card import Latent
from trainer.contract.images import resize
from viewer.__main__ import main
from viewer.app import run_live, run_scripted
from viewer.files.png import encode_png, read_recipe
from viewer.frame import plots
from viewer.frame.area import Area, image_area
from viewer.keys import parse_keys
from viewer.latents import draw, lerp, slerp
from viewer.model import Model, ModelError, open_model, open_sibling_encoder
from viewer.modes.latent import frames as scene
from viewer.modes.latent.layout import make_layout
from viewer.modes.latent.scatter import Scatter, open_scatter
from viewer.modes.latent.session import LatentSession
from viewer.modes.latent.space import MIDDLE, space_of
from viewer.modes.latent.state import LatentState, begin, place
from viewer.room import Room
from viewer.sessions.classes import Classes


@pytest.fixture(scope="module")
def model(plane_path: Path) -> Model:
    return open_model(plane_path)


@pytest.fixture(scope="module")
def labelled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Thirty images of one colour each, in three classes; the encoder gives their mean red and green, 0..1."""
    colours = np.random.default_rng(1).integers(0, 256, (30, 1, 1, 3), np.uint8)
    path = tmp_path_factory.mktemp("set") / "colours.npy"
    np.save(path, np.broadcast_to(colours, (30, 20, 20, 3)))
    sidecar = {"labels": [number % 3 for number in range(30)], "classes": ["ant", "bee", "cat"]}
    path.with_suffix(".json").write_text(json.dumps(sidecar))
    return path


def start(model: Model, folder: Path, scatter: Scatter | None = None, **options: object) -> LatentSession:
    scatter = scatter or Scatter(np.zeros((0, model.latent.size), np.float32), np.arange(0))
    state = replace(begin(space_of(model.card, model.latent), make_layout(*model.image_size, 8, 8)), **options)
    return LatentSession(model, state, folder, scatter, folder / "names.json")


def scripted(session: LatentSession, keys: str) -> FakeDisplay:
    display = FakeDisplay([], interactive=False)
    run_scripted(session, display, parse_keys(keys))
    session.close()
    return display


def cut(frame: np.ndarray, area: Area) -> np.ndarray:
    return frame[area.top : area.bottom, area.left : area.right]


def large(session: LatentSession, image: np.ndarray) -> np.ndarray:
    """An image as the panel shows it."""
    area = image_area(session.state.layout.panel, *session.model.image_size)
    return resize(image, area.height, area.width)


def panel(session: LatentSession, frame: np.ndarray) -> np.ndarray:
    return cut(frame, image_area(session.state.layout.panel, *session.model.image_size))


def test_the_plane_shows_each_place_its_image(model: Model, tmp_path: Path) -> None:
    session = start(model, tmp_path)
    frame = scripted(session, "right,up").frames[-1]
    side = session.state.layout.plane.width // 8
    plane = cut(frame, session.state.layout.plane)
    for row, column in ((0, 0), (0, 7), (6, 1)):
        latent = np.float32([[column - 3.5, 3.5 - row]])
        expected = resize(model.generate(latent)[0], side, side)
        assert np.array_equal(plane[row * side : (row + 1) * side, column * side : (column + 1) * side], expected)


def test_the_image_beside_the_plane_follows_the_mouse(model: Model, tmp_path: Path) -> None:
    session = start(model, tmp_path)
    area = session.state.layout.plane
    frames = scripted(session, f"move:{area.left + 100}:{area.top + 500},move:{area.left + 400}:{area.top}").frames
    for frame, (x, y) in zip(frames[1:], ((100.5, 500.5), (400.5, 0.5)), strict=True):
        latent = np.float32([[x / area.width * 8 - 4, 4 - y / area.height * 8]])
        assert np.array_equal(panel(session, frame), large(session, model.generate(latent)[0]))


def test_a_plane_of_principal_directions_holds_the_others(tmp_path: Path) -> None:
    directions = np.linalg.qr(np.random.default_rng(0).normal(size=(4, 4)))[0][:2] * 1.5
    mean = (0.5, -0.5, 1.0, 0.0)
    path = make_generator(
        tmp_path / "four.onnx",
        directions=tuple(map(tuple, directions.tolist())),
        latent=Latent(size=4, mean=mean),
    )
    session = start(open_model(path), tmp_path)
    area = session.state.layout.plane
    frame = scripted(session, f"move:{area.right - 1}:{area.bottom - 1}").frames[-1]
    edge = 4 - 4 / area.width
    latent = np.float32([np.array(mean) + edge * directions[0] - edge * directions[1]])
    assert np.array_equal(panel(session, frame), large(session, session.model.generate(latent)[0]))


def test_the_line_shows_what_lies_between(model: Model, tmp_path: Path) -> None:
    session = start(model, tmp_path)
    area, stops = session.state.layout.plane_above_line, session.state.layout.line
    across, down = area.left + area.width // 4, area.top + area.height // 2
    frames = scripted(session, f"tab,drag:{across}:{down}:{across + 200}:{down},right").frames
    first = np.array([(across + 0.5 - area.left) / area.width * 8 - 4, 4 - (down + 0.5 - area.top) / area.height * 8])
    last = first + np.array([200 / area.width * 8, 0])
    width, height = session.state.layout.stops[0].width, session.state.layout.stops[0].height
    count = len(session.state.layout.stops)
    for number in (1, 2, count - 1):
        latent = lerp(np.float32(first), np.float32(last), number / (count - 1))
        expected = resize(model.generate(latent[None])[0], height, width)
        left = stops.left + number * (width + 2) + 1
        shown = frames[3][stops.top + 1 : stops.top + 1 + height, left : left + width]
        assert np.abs(shown.astype(int) - expected).max() <= 1
    second = model.generate(lerp(np.float32(first), np.float32(last), 1 / (count - 1))[None])[0]
    assert np.abs(panel(session, frames[-1]).astype(int) - large(session, second)).max() <= 1


def test_a_random_line_is_a_great_circle(generator_path: Path, tmp_path: Path) -> None:
    session = start(open_model(generator_path), tmp_path)
    scripted(session, "i,end,left,s")
    count, seed = len(session.state.layout.stops), 1  # the first one went into the point where it began
    latent = session.model.latent
    expected = slerp(draw(latent, seed, 0), draw(latent, seed + 1, 0), (count - 2) / (count - 1))
    assert np.allclose(read_recipe(tmp_path / "tiny-0001.png")["latent"], expected, atol=1e-6)


def test_the_scatter_shows_the_points_by_class(plane_path: Path, labelled: Path, tmp_path: Path) -> None:
    model, encoder = open_model(plane_path), open_sibling_encoder(plane_path)
    session = start(model, tmp_path, open_scatter(model, encoder, labelled, 100), reach=2.0)
    images = np.load(labelled)
    colour = images[4, 0, 0].astype(float) / 255
    area = session.state.layout.plane
    x, y = round(area.left + (colour[0] + 2) / 4 * area.width), round(area.bottom - (colour[1] + 2) / 4 * area.height)
    display = scripted(session, f"tab,tab,click:{x}:{y},s")
    frame = display.frames[-1]
    for number, (red, green, _) in enumerate(images[:, 0, 0] / 255):
        column = round(area.left + (red + 2) / 4 * area.width - 0.5)
        row = round(area.bottom - (green + 2) / 4 * area.height - 0.5)
        if number != 4:  # under the ring
            wanted = [plots.colour_of(label, 3) for label in range(3)]
            near = np.abs(frame[row, column].astype(int) - wanted[number % 3]).max() < 30
            assert near or np.hypot(column - x, row - y) < 12 or _covered(images, number, area)
    assert "number 4" in display.titles[-2]
    assert "class bee" in display.titles[-2]
    recipe = read_recipe(tmp_path / "plane-0001.png")
    assert (recipe["item"], recipe["data"]) == (4, "colours.npy")
    assert np.allclose(recipe["latent"], colour[:2], atol=1e-5)
    drawn = model.generate(np.float32([recipe["latent"]]))[0]
    assert np.array_equal(cv2.imread(str(tmp_path / "plane-0001.png")), drawn)
    half = (session.state.layout.panel.width - 8) // 2
    pair = [
        image_area(Area(session.state.layout.panel.left + k * (half + 8), area.top, half, half), 16, 16) for k in (0, 1)
    ]
    assert np.array_equal(cut(frame, pair[0])[50, 50], images[4, 0, 0][::-1])
    assert np.array_equal(cut(frame, pair[1]), resize(drawn, pair[1].height, pair[1].width))


def _covered(images: np.ndarray, number: int, area: Area) -> bool:
    """Whether another point lies so near that it may have been drawn over this one."""
    places = images[:, 0, 0, :2] / 255 / 4 * (area.width, area.height)
    return bool((np.delete(np.linalg.norm(places - places[number], axis=1), number) < 12).any())


def test_without_a_set_the_models_own_latents_are_scattered(classes_path: Path, tmp_path: Path) -> None:
    model = open_model(classes_path)
    session = start(model, tmp_path, open_scatter(model, None, None, 10), view="scatter")
    display = scripted(session, "s")
    assert "training image" in display.titles[0]
    latent = np.float32(read_recipe(tmp_path / "classes-0001.png")["latent"])
    assert np.abs(model.samples - latent).max(axis=1).min() == 0


def test_points_are_chosen_evenly_and_no_more_than_asked_for(plane_path: Path, labelled: Path) -> None:
    scatter = open_scatter(open_model(plane_path), open_sibling_encoder(plane_path), labelled, 10)
    assert sorted(scatter.numbers.tolist()) == list(range(0, 30, 3))
    assert np.concatenate([part.latents for part in scatter.encode(0)]).shape == (10, 2)
    assert np.concatenate([part.points for part in scatter.encode(7)]).tolist() == [7, 8, 9]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Twelve images of one colour each in the folders of two classes, of which number 0, 5 and 7 are damaged."""
    for number in range(12):
        path = tmp_path / "folder" / ("bee" if number < 6 else "cat") / f"{number:02d}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(path), np.full((20, 20, 3), (0, 0, 20 * number), np.uint8))
        if number in (0, 5, 7):
            path.write_bytes(b"damaged")
    return tmp_path / "folder"


def test_unreadable_images_are_left_out_and_counted(plane_path: Path, folder: Path, tmp_path: Path) -> None:
    model, encoder = open_model(plane_path), open_sibling_encoder(plane_path)
    session = start(model, tmp_path, open_scatter(model, encoder, folder, 100), view="scatter", reach=2.0)
    area = session.state.layout.plane
    for number in (6, 8):  # an image after a damaged one is still itself
        x = round(area.left + (20 * number / 255 + 2) / 4 * area.width)
        for event in parse_keys(f"click:{x}:{area.top + area.height // 2}"):
            session.handle(event)
        session.settle(0.0)
        assert f"number {number}" in session.title()
        assert "class cat" in session.title()
    assert "3 unreadable" in session.title()
    assert "to come" not in session.title()
    assert not session.failures
    session.close()
    command = ["latent", str(plane_path), "--display", "none", "--data", str(folder), "--view", "scatter"]
    assert main([*command, "--keys", "s,S", "--out", str(tmp_path / "first")]) == 0
    saved = tmp_path / "first" / "plane-0002.png"
    assert main([*command[:-2], "--from", str(saved), "--keys", "S", "--out", str(tmp_path / "replayed")]) == 0
    assert (tmp_path / "replayed" / "plane-0001.png").read_bytes() == saved.read_bytes()


def test_a_set_without_one_readable_image_is_one_line(
    plane_path: Path, folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for path in folder.rglob("*.png"):
        path.write_bytes(b"damaged")
    command = ["latent", str(plane_path), "--display", "none", "--data", str(folder), "--view", "scatter"]
    assert main([*command, "--out", str(tmp_path)]) == 2
    error = capsys.readouterr().err
    assert "none of 12 images can be read" in error
    assert error.count("\n") == 1


def test_an_image_is_drawn_again_as_the_class_of_its_name(classes_path: Path, folder: Path, tmp_path: Path) -> None:
    model, encoder = open_model(classes_path), open_model(make_encoder(tmp_path / "classes.encoder.onnx"))
    for name, expected in (("cat", "cat"), ("dog", "ant")):  # ant is the class that is chosen
        if name != "cat":
            (folder / "cat").rename(folder / name)
        session = start(
            model, tmp_path / name, open_scatter(model, encoder, folder, 100), view="scatter", classes=Classes(3)
        )
        area = session.state.layout.plane
        scripted(session, f"click:{area.right - 1}:{area.top + area.height // 2},s")
        recipe = read_recipe(tmp_path / name / "classes-0001.png")
        assert (recipe["item"], recipe["class"]) == (11, expected)


def test_bgr_is_for_npy_files_and_is_remembered(
    plane_path: Path, labelled: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    swapped = tmp_path / "colours.npy"
    np.save(swapped, np.load(labelled)[..., ::-1])
    swapped.with_suffix(".json").write_bytes(labelled.with_suffix(".json").read_bytes())
    command = ["latent", str(plane_path), "--display", "none"]
    view = ["--view", "scatter", "--keys", "S"]
    assert main([*command, "--data", str(labelled), *view, "--out", str(tmp_path / "rgb")]) == 0
    assert main([*command, "--data", str(swapped), "--bgr", *view, "--out", str(tmp_path / "bgr")]) == 0
    saved = [tmp_path / order / "plane-0001.png" for order in ("rgb", "bgr", "replayed")]
    assert np.array_equal(cv2.imread(str(saved[0])), cv2.imread(str(saved[1])))
    replayed = ["--from", str(saved[1]), "--keys", "S", "--out", str(tmp_path / "replayed")]
    assert main([*command, "--data", str(swapped), *replayed]) == 0
    assert saved[2].read_bytes() == saved[1].read_bytes()
    assert main([*command, "--bgr"]) == 2
    assert "--bgr is for the .npy file of --data" in capsys.readouterr().err


def test_sliders_show_where_they_lead(generator_path: Path, tmp_path: Path) -> None:
    session = start(open_model(generator_path), tmp_path, view="sliders")
    layout = session.state.layout
    count, width, height = layout.track_count, layout.track_width, layout.tracks[0].height
    frame = scripted(session, "down,down,right").frames[-1]
    latent = session.state.space.latent_at(session.state.point)
    assert np.array_equal(panel(session, frame), large(session, session.model.generate(latent[None])[0]))
    track = layout.tracks[1]
    for number in (0, count - 1):
        there = latent.copy()
        there[1] = ((2 * number + 1) / count - 1) * 4
        expected = resize(session.model.generate(there[None])[0], height, width)
        assert np.array_equal(cut(frame, Area(track.left + number * width, track.top, width, height)), expected)


def test_backspace_returns_to_points_and_lines_that_were_left(plane_path: Path, tmp_path: Path) -> None:
    session = start(open_model(plane_path), tmp_path)
    area = session.state.layout.plane

    def press(keys: str) -> LatentState:
        for event in parse_keys(keys):
            session.handle(event)
        return session.state

    moved = press(f"move:{area.left + 9}:{area.top + 9},right,right")
    assert press("home").point == MIDDLE != moved.point
    press("r,right")
    assert press("backspace").point == MIDDLE
    assert press("u") == moved  # movements in between are no pages
    own = press("i,tab,tab,tab") if session.state.view != "line" else session.state
    line = press("i")
    stage = line.stage
    places = ":".join(f"{stage.left + 5 * step}:{stage.top + 7 * step}" for step in range(1, 6))
    assert press(f"drag:{places}").line != line.line
    assert press("backspace").line == line.line
    assert own.seed < line.seed
    session.close()


def test_backspace_after_another_size_of_the_terminal(model: Model, tmp_path: Path) -> None:
    small, large = (Room(4 * columns, 8 * lines, 0.5, 4, strip=False) for columns, lines in ((50, 15), (160, 60)))
    frames = []
    for rooms in ((large, large), (small, large)):
        session = start(model, tmp_path)
        session.counted = False
        try:
            session.fit(rooms[0])
            for key in ("tab", "i", "end", "i"):
                session.handle(*parse_keys(key))
                session.settle(0.0)
            session.fit(rooms[1])
            session.handle(*parse_keys("backspace"))
            session.settle(9.0)
            frames.append(session.frame(strip=False))
        finally:
            session.close()
    assert np.array_equal(*frames)


def test_each_gauge_has_a_line_of_a_terminal(tmp_path: Path) -> None:
    model = open_model(make_generator(tmp_path / "many.onnx", size=24))
    session = start(model, tmp_path)
    for columns, lines in ((80, 23), (50, 15), (200, 60)):
        session.fit(Room(4 * columns, 8 * lines, 0.5, 4, strip=False))
        layout = session.state.layout
        cell = max(2 * layout.width / columns, layout.height / lines)  # frame pixels that a cell is high
        rows = [row for _, row in session.state.gauges()]
        assert rows
        assert all(below.top - above.top >= cell for above, below in pairwise(rows))
    session.close()


def test_the_class_is_that_of_the_keys(classes_path: Path, tmp_path: Path) -> None:
    model = open_model(classes_path)
    session = start(model, tmp_path, classes=Classes(3))
    display = scripted(session, "2,s")
    latent = session.state.space.latent_at(session.state.point)[None]
    expected = large(session, model.generate(latent, np.array([2]))[0])
    assert np.array_equal(panel(session, display.frames[-1]), expected)
    recipe = read_recipe(tmp_path / "classes-0001.png")
    assert (recipe["label"], recipe["class"]) == (2, "cat")
    assert "class cat (2)" in display.titles[1]


@pytest.mark.parametrize(
    ("keys", "flags"),
    [
        ("move:300:200,s", []),
        ("r,x,Y,-,S", ["--cols", "7", "--rows", "5"]),
        ("tab,drag:200:100:400:300,right,s", []),
        ("i,l,right,S", ["--scale", "0.5", "--seed", "5"]),
        ("tab,tab,click:330:200,s", ["--data", "{set}"]),
        ("tab,tab,click:330:200,+,S", ["--data", "{set}", "--points", "20"]),
        ("tab,tab,right,+,S", []),
        ("+,S", ["--view", "sliders", "--lerp", "--range", "2.5"]),
    ],
)
def test_a_saved_frame_is_made_again_bit_by_bit(
    keys: str, flags: list[str], plane_path: Path, labelled: Path, tmp_path: Path
) -> None:
    flags = [str(labelled) if flag == "{set}" else flag for flag in flags]
    saved, replayed = tmp_path / "plane-0001.png", tmp_path / "replayed" / "plane-0001.png"
    command = ["latent", str(plane_path), "--display", "none"]
    assert main([*command, *flags, "--keys", keys, "--out", str(tmp_path), "--record", str(tmp_path / "all.png")]) == 0
    data = flags[:2] if "--data" in flags else []
    assert main([*command, *data, "--from", str(saved), "--keys", keys[-1], "--out", str(replayed.parent)]) == 0
    assert replayed.read_bytes() == saved.read_bytes()
    if keys.endswith("S"):  # the saved frame is the one that was shown
        shown = cv2.imread(str(tmp_path / "all.png"))
        assert np.array_equal(shown[:-28], cv2.imread(str(saved)))


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"axes": [0, 99]}, "axes are [0, 99]"),
        ({"axes": [1, 1]}, "damaged"),
        ({"rows": 10**9}, "rows is 1000000000"),
        ({"range": float("nan")}, "range is nan"),
        ({"point": {"seed": None, "moves": [[0, 1e300]]}}, "a point is"),
        ({"line": [{}, {}]}, "a point is"),
        ({"slider": -1}, "slider is -1"),
        ({"sha256": "0"}, "another model"),
        ({"mode": "grid random"}, "expected latent"),
    ],
)
def test_a_hostile_recipe_is_one_line(
    change: dict[str, object], expected: str, plane_path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["latent", str(plane_path), "--display", "none"]
    main([*command, "--keys", "s", "--out", str(tmp_path)])
    hostile = tmp_path / "hostile.png"
    hostile.write_bytes(encode_png(np.zeros((4, 4, 3), np.uint8), read_recipe(tmp_path / "plane-0001.png") | change))
    assert main([*command, "--from", str(hostile)]) == 2
    error = capsys.readouterr().err
    assert expected in error
    assert error.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["{narrow}"], "expected 2 at least"),
        (["{plane}", "--view", "scatter"], "give --data"),
        (["{plane}", "--data", "missing.npy"], "missing.npy"),
        (["{alone}", "--data", "{set}"], "needs its encoder"),
        (["{other}", "--data", "{set}"], "gives 4 numbers, expected 2"),
        (["{plane}", "--scale", "64"], "too large"),
        (["{plane}", "--label", "1"], "draws no classes"),
    ],
)
def test_a_mistake_is_one_line(
    arguments: list[str],
    expected: str,
    plane_path: Path,
    labelled: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    make_encoder(tmp_path / "other.encoder.onnx", size=4)
    names = {
        "{narrow}": make_generator(tmp_path / "narrow.onnx", size=1),
        "{alone}": make_generator(tmp_path / "alone.onnx", size=2),
        "{other}": make_generator(tmp_path / "other.onnx", size=2),
        "{plane}": plane_path,
        "{set}": labelled,
    }
    words = [str(names.get(argument, argument)) for argument in arguments]
    assert main(["latent", "--display", "none", *words]) == 2
    error = capsys.readouterr().err
    assert expected in error
    assert error.count("\n") == 1


class SlowModel:
    """Stands for a model that takes its time for every image; counts what it is asked for."""

    name, sha256, path, latent, image_size, card = "slow", "0" * 64, Path("slow.onnx"), Latent(size=2), (8, 8), None
    classes, samples = (), np.zeros((0, 2), np.float32)

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.asked: list[int] = []

    def generate(self, latents: np.ndarray, labels: Any = None, settings: Any = None) -> np.ndarray:
        self.asked.append(len(latents))
        time.sleep(self.seconds * len(latents))
        red = np.clip(128 + 30 * latents[:, :1, None, None], 0, 255)
        return np.broadcast_to(red, (len(latents), 8, 8, 3)).astype(np.uint8)


class HeldModel(SlowModel):
    """One whose every run waits to be let through, too."""

    def __init__(self, seconds: float) -> None:
        super().__init__(seconds)
        self.gate = Gate()

    def generate(self, latents: np.ndarray, labels: Any = None, settings: Any = None) -> np.ndarray:
        images = super().generate(latents, labels)
        self.gate.passing()
        return images


def test_the_plane_becomes_finer_and_the_point_comes_first(tmp_path: Path) -> None:
    model = HeldModel(0.004)
    session = start(model, tmp_path)
    display = FakeDisplay([])
    step = StepByStep(model.gate, lambda: session.changed)

    def poll(seconds: float) -> object:
        step()
        time.sleep(min(seconds, 0.01))
        return parse_keys("esc")[0] if session.settled else None

    display.poll = poll
    run_live(session, display)
    session.close()
    assert model.asked[0] == 1
    assert sum(model.asked) == 1 + 4 + 16 + 64
    area = session.state.layout.plane
    levels = [len(np.unique(cut(frame, area)[5, :, 0])) for frame in display.frames]
    assert levels[-1] == 8
    assert any(1 < level < 8 for level in levels)


def test_the_mouse_is_not_kept_waiting_by_the_plane(tmp_path: Path) -> None:
    """While a plane of 85 images is made, the next image that is begun is the one under the mouse."""
    model = HeldModel(0.07)  # long enough to be passed one image at a time
    session = start(model, tmp_path)
    area = session.state.layout.plane
    moves = [parse_keys(f"move:{area.left + 60 * number}:{area.top + 300}")[0] for number in range(1, 9)]
    waits: list[int] = []
    display = FakeDisplay([])
    step = StepByStep(model.gate, lambda: session.changed)
    made = 0

    def poll(seconds: float) -> object:
        nonlocal made
        x, _ = place(session.state)
        wanted = int(np.clip(128 + 30 * np.float32(x), 0, 255))
        if not session.changed and len(display.frames) > 1:
            if panel(session, display.frames[-1])[9, 9, 0] == wanted and model.gate.held:
                waits.append(sum(model.asked) - made)
                made = sum(model.asked)
                return moves.pop(0) if moves else parse_keys("esc")[0]
            assert sum(model.asked) - made < 9
        step()
        time.sleep(min(seconds, 0.01))
        return None

    display.poll = poll
    run_live(session, display)
    session.close()
    model.gate.open()
    assert not moves
    assert max(waits[1:]) <= 2  # the one asked for, and the one that was begun when it was there


def test_a_model_that_fails_is_asked_once_a_state(tmp_path: Path) -> None:
    class Failing(SlowModel):
        def generate(
            self, latents: np.ndarray, labels: np.ndarray | None = None, settings: object = None
        ) -> np.ndarray:
            self.asked.append(len(latents))
            raise ModelError("slow.onnx: cannot be run: out of memory")

    model = Failing(0)
    display = scripted(start(model, tmp_path), "right,tab,tab")
    assert len(display.frames) == 4
    assert all("out of memory" in title for title in display.titles)
    assert len(model.asked) < 10


def test_leaving_does_not_wait(tmp_path: Path) -> None:
    model = HeldModel(0)
    session = start(model, tmp_path)
    display = FakeDisplay(parse_keys("move:300:300,tab,esc"), wait=lambda _: model.gate.wait_for(1))
    run_live(session, display)
    session.close()
    assert model.gate.held
    model.gate.open()


def test_the_same_script_gives_the_same_frames(plane_path: Path, labelled: Path, tmp_path: Path) -> None:
    model, encoder = open_model(plane_path), open_sibling_encoder(plane_path)
    keys = "right,tab,drag:200:100:400:300,tab,r,tab,down,right,tab,x,i,S"
    runs = [
        scripted(start(model, tmp_path / str(run), open_scatter(model, encoder, labelled, 99)), keys).frames
        for run in (1, 2)
    ]
    for one, other in zip(*runs, strict=True):
        assert np.array_equal(one[:-28], other[:-28])


def frame_of(state: LatentState) -> np.ndarray:
    image = np.full((28, 28, 3), 200, np.uint8)
    return scene.plane(state, scene.empty_plane(state.layout), image, ("at 1.00, 2.00",))


def test_a_frame_with_the_mouse_on_it_takes_a_fraction_of_its_time(model: Model) -> None:
    state = begin(space_of(model.card, model.latent), make_layout(128, 128))
    times = []
    for _ in range(9):
        began = time.thread_time()  # of the processor: others may have it, too
        frame_of(state)
        times.append(time.thread_time() - began)
    assert min(times) < 0.02


def test_ticks_are_round_numbers_at_any_reach() -> None:
    assert plots.ticks(4) == [-4, -3, -2, -1, 0, 1, 2, 3, 4]
    assert plots.ticks(1) == [-1, -0.75, -0.5, -0.25, 0, 0.25, 0.5, 0.75, 1] or plots.ticks(1)[0] == -1
    for reach in (0.01, 0.25, 0.7, 1, 2, 3, 6, 8, 12, 16, 99.5):
        found = plots.ticks(reach)
        assert 0 in found
        assert 3 <= len(found) <= 9
        assert max(found) <= reach * 1.0001


def test_colours_of_classes_differ() -> None:
    for count in (2, 10, 30):
        colours = np.array([plots.colour_of(label, count) for label in range(count)], int)
        apart = np.abs(colours[:, None] - colours[None]).max(axis=2) + 999 * np.eye(count, dtype=int)
        assert apart.min() > 8
        assert colours.max(axis=1).min() > 150  # on dark paper
