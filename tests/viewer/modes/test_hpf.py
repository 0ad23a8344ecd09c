"""Fine detail that is added to images: what is shown at which gain, how often networks run, which files are pairs."""

import time
from pathlib import Path

import cv2
import numpy as np
import pytest
from small_models import FakeDisplay, fitting_sheet, generator_card, make_detail, make_encoder, make_generator
from waiting import Gate

from export.card import Latent
from viewer.__main__ import main
from viewer.app import run_live, run_scripted
from viewer.files.png import read_recipe
from viewer.keys import Action, Event, parse_keys
from viewer.latents import draw_many
from viewer.model import Model, open_model
from viewer.modes.animate.session import AnimateSession, AnimateState
from viewer.sessions.detail_layer import Layer, open_layer, other_low
from viewer.sessions.generator_page.session import GridSession, GridState
from viewer.sessions.sheet_state import DETAIL, SHARPENING


@pytest.fixture(scope="module")
def low(generator_path: Path) -> Model:
    return open_model(generator_path)


@pytest.fixture(scope="module")
def detail_path(model_folder: Path) -> Path:
    return make_detail(model_folder / "fine.onnx")


@pytest.fixture
def layer(low: Model, detail_path: Path) -> Layer:
    layer = open_layer(low, detail_path)
    assert layer.model is not None
    return layer


def page(low: Model, layer: Layer, folder: Path, keys: str, scale: float = 1.0) -> FakeDisplay:
    state = GridState(fitting_sheet(3, 4, *low.image_size, scale), gain=layer.gain)
    session = GridSession(low, state, folder, layer=layer, mode="hpf")
    display = FakeDisplay([], interactive=False)
    run_scripted(session, display, parse_keys(keys))
    session.close()
    return display


def expected(low: Model, layer: Layer, seed: int, gain: float) -> np.ndarray:
    """What a page of 12 should show, u8 [12, 16, 16, 3] BGR."""
    latents = draw_many(low.latent, seed, range(12))
    mixed = low.generate(latents).astype(np.float64) + gain * 255.0 * layer.model.detail(latents)
    return np.rint(mixed.clip(0, 255)).astype(np.uint8)


def on(frame: np.ndarray, index: int) -> np.ndarray:
    """An image on a frame, without its outermost pixels, where the cursor may be."""
    row, column = divmod(index, 4)
    top, left = 2 + 18 * row, 2 + 18 * column
    return frame[top + 2 : top + 14, left + 2 : left + 14]


def same(frame: np.ndarray, images: np.ndarray) -> bool:
    return all(np.abs(on(frame, k).astype(int) - images[k][2:-2, 2:-2]).max() <= 1 for k in range(12))


def test_every_frame_shows_its_gain(low: Model, layer: Layer, tmp_path: Path) -> None:
    frames = page(low, layer, tmp_path, "+,x,-,-,-").frames
    step = 2**0.25
    for frame, seed, gain in zip(frames, (0, 0, 1, 1, 1, 1), (1, step, step, 1, 1 / step, step**-2), strict=True):
        assert same(frame, expected(low, layer, seed, gain))
    assert not same(frames[0], expected(low, layer, 0, 0.0))


def test_the_gain_runs_no_network(low: Model, layer: Layer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    runs = []
    run = Model._run
    monkeypatch.setattr(Model, "_run", lambda self, *rest: runs.append(self.kind) or run(self, *rest))
    session = GridSession(
        low, GridState(fitting_sheet(3, 4, *low.image_size, 1.0), gain=layer.gain), tmp_path, layer=layer
    )
    session.settle(0.0)
    session.frame()
    before = len(runs)
    assert before >= 2  # both have drawn the page
    for event in parse_keys("+,+,-,+,-,-,-,S,+"):
        session.handle(event)
        session.settle(0.0)
        session.frame()
    assert len(runs) == before
    session.handle(Event(Action.NEW))
    session.settle(0.0)
    assert len(runs) > before
    session.close()


def test_a_gain_that_changes_before_the_page_is_whole_holds_for_all_of_it(
    low: Model, layer: Layer, tmp_path: Path
) -> None:
    gate = Gate()

    class Slow(Layer):
        def of(self, latents: np.ndarray, images: np.ndarray) -> np.ndarray:
            gate.passing()
            return super().of(latents, images)

    slow = Slow(layer.model)
    session = GridSession(
        low, GridState(fitting_sheet(3, 4, *low.image_size, 1.0), gain=slow.gain), tmp_path, layer=slow
    )
    gate.let(1)  # the page comes four images at a time
    display, keys = FakeDisplay([], interactive=True), parse_keys("+")

    def poll(seconds: float) -> Event | None:
        if keys and gate.arrived == 2:  # some of it is there
            return keys.pop()
        if not keys:
            gate.open()
        time.sleep(min(seconds, 0.01))
        return Event(Action.QUIT) if not keys and session.settled else None

    display.poll = poll  # type: ignore[method-assign]
    run_live(session, display)
    session.close()
    assert same(display.frames[-1], expected(low, layer, 0, 2**0.25))


def test_gain_goes_from_nothing_to_128_in_even_steps() -> None:
    ratios = np.array(DETAIL.scale[2:]) / np.array(DETAIL.scale[1:-1])
    assert np.allclose(ratios, ratios[0])
    assert (DETAIL.scale[0], DETAIL.value, DETAIL.scale[-1]) == (0, 1, 128)
    least = DETAIL.at(0.0)
    assert least.after(Event(Action.LESS)) == least
    most = DETAIL.at(128)
    assert most.after(Event(Action.MORE)) == most
    assert np.allclose(SHARPENING.scale, np.arange(11) / 10)
    assert SHARPENING.value == 0.2


def test_sharpening_blends_with_what_the_kernel_makes(low: Model, tmp_path: Path) -> None:
    frames = page(low, Layer(), tmp_path, "-,-,+,+,+,+,+,+,+,+,+,+").frames
    images = low.generate(draw_many(low.latent, 0, range(12)))
    assert same(frames[2], images)  # 0: as they are
    kernel = np.array([[-2, -4, -2], [-4, 25, -4], [-2, -4, -2]], np.float64)
    sharp = np.stack([cv2.filter2D(image.astype(np.float64), -1, kernel) for image in images])
    assert same(frames[-1], np.rint(sharp.clip(0, 255)).astype(np.uint8))
    half = 0.5 * images + 0.5 * sharp
    assert same(frames[7], np.rint(half.clip(0, 255)).astype(np.uint8))


def test_saved_images_carry_their_gain_and_can_be_made_again(
    low: Model, layer: Layer, detail_path: Path, generator_path: Path, tmp_path: Path
) -> None:
    frames = page(low, layer, tmp_path, "x,+,+,right,s,S").frames
    saved = cv2.imread(str(tmp_path / "tiny-0001.png"))
    assert np.abs(saved.astype(int) - expected(low, layer, 1, 2**0.5)[1]).max() <= 1
    recipe = read_recipe(tmp_path / "tiny-0002.png")
    assert recipe["gain"] == pytest.approx(2**0.5)
    assert recipe["detail"] == {"file": "fine.onnx", "sha256": layer.model.sha256}
    replayed = tmp_path / "replayed.png"
    arguments = ["hpf", str(generator_path), str(detail_path), "--from", str(tmp_path / "tiny-0001.png")]
    assert main([*arguments, "--scale", "1", "--display", "none", "--record", str(replayed)]) == 0
    assert np.array_equal(cv2.imread(str(replayed))[:-28], frames[4][:-28])


def test_a_page_that_is_saved_before_it_is_drawn_has_its_detail(low: Model, layer: Layer, tmp_path: Path) -> None:
    session = GridSession(
        low, GridState(fitting_sheet(3, 4, *low.image_size, 1.0), gain=layer.gain), tmp_path, layer=layer
    )
    for event in parse_keys("x,+,s,-"):  # the gain of the moment counts
        session.handle(event)
    session.settle(0.0)
    session.close()
    saved = cv2.imread(str(tmp_path / "tiny-0001.png"))
    assert np.abs(saved.astype(int) - expected(low, layer, 1, 2**0.25)[0]).max() <= 1


def test_a_walk_has_detail_and_its_own_keys_for_speed(
    low: Model, layer: Layer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sheet = fitting_sheet(1, 1, *low.image_size, 1.0, gap=0)
    session = AnimateSession(low, AnimateState(sheet, gain=layer.gain), tmp_path, layer=layer)
    display = FakeDisplay([], interactive=False)
    run_scripted(session, display, parse_keys("space,+,-,],["))
    session.close()
    first, louder, back = (frame[:-28] for frame in display.frames[1:4])
    assert np.array_equal(first, back)
    latents = session._walk_latents(0, 0)
    mixed = low.generate(latents)[0] + 2**0.25 * 255 * layer.model.detail(latents)[0]
    assert np.abs(louder[2:-2, 2:-2] - np.rint(mixed.clip(0, 255))[2:-2, 2:-2]).max() <= 1
    assert session.state.speed == AnimateState(sheet).speed
    assert "gain 1" in display.titles[0]


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"size": 5}, "latents of 5 numbers, expected 4"),
        ({"height": 8, "width": 8}, "images of 8x8 pixels, expected 16x16"),
        ({"latent": Latent(size=4, prior="uniform")}, "a uniform prior, expected normal"),
    ],
)
def test_what_is_no_pair_is_refused_in_a_line(
    low: Model, generator_path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], fields: dict, message: str
) -> None:
    path = make_detail(tmp_path / "other.onnx", **fields)
    assert main(["hpf", str(generator_path), str(path), "--display", "none"]) == 2
    said = capsys.readouterr().err
    assert message in said
    assert said.count("\n") == 1


def test_files_of_other_kinds_are_refused_in_a_line(
    generator_path: Path, detail_path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    encoder = make_encoder(tmp_path / "e.onnx")
    for arguments, message in (
        ((generator_path, generator_path), "found a generator, expected a detail"),
        ((generator_path, encoder), "found an encoder, expected a detail"),
        ((detail_path, detail_path), "found a detail, expected a generator"),
    ):
        assert main(["hpf", *map(str, arguments), "--display", "none"]) == 2
        assert message in capsys.readouterr().err
    assert main(["animate", str(generator_path), "--gain", "2", "--display", "none"]) == 2
    assert "--gain is for --detail" in capsys.readouterr().err
    assert main(["hpf", str(generator_path), "--gain", "2", "--display", "none"]) == 2
    assert "--gain is 2, expected 0..1" in capsys.readouterr().err


def test_detail_of_another_model_is_noted(tmp_path: Path) -> None:
    one = open_model(make_generator(tmp_path / "one.onnx", training={"run": "1"}))
    for run, said in (("1", ""), ("2", "own.onnx was trained beside another model")):
        layer = open_layer(one, make_detail(tmp_path / "own.onnx", training={"low": run}))
        assert other_low(one, layer) == said
    assert generator_card("x", 4, 16, 16).training == {}
    assert other_low(one, Layer()) == ""
