"""The diffuse mode: images out of noise, out of a generator's images, out of photographs; keys while it works."""

import itertools
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args, get_type_hints

import cv2
import numpy as np
import pytest
import small_models as make
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from small_denoisers import alpha_bar, known_images, make_denoiser
from waiting import HANG_SECONDS, Gate, StepByStep, wait_until

from trainer.contract.errors import ImageError
from trainer.contract.images import pad
from trainer.contract.samplers import SAMPLERS
from viewer import latents, render
from viewer.__main__ import main
from viewer.app import run_live, run_scripted
from viewer.files.png import read_recipe
from viewer.keys import NAMES, Event, decode_character, parse_keys
from viewer.model import Model, open_model
from viewer.modes.diffuse.options import Options
from viewer.modes.diffuse.session import DiffuseSession, DiffuseState, cells, page_of
from viewer.sessions.classes import Classes
from viewer.sessions.denoiser import Denoiser
from viewer.sessions.sampling import Diffusion, Page, Settings
from viewer.sheet import Sheet

KEYS = [*NAMES.values(), *filter(None, map(decode_character, "sSirx+-= 3npc"))]


def test_every_sampler_can_be_chosen() -> None:
    assert list(SAMPLERS) == list(get_args(get_type_hints(Options)["sampler"]))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("denoisers")


@pytest.fixture(scope="module")
def point(folder: Path) -> Path:
    """Knows one image."""
    return make_denoiser(folder / "point.onnx")


@pytest.fixture(scope="module")
def normal(folder: Path) -> Path:
    """Knows images that are spread round one."""
    return make_denoiser(folder / "normal.onnx", "v", spread=0.3)


@pytest.fixture(scope="module")
def anything(folder: Path) -> Path:
    """Takes whatever it sees for an image, and says so."""
    return make_denoiser(folder / "anything.onnx", "x0", spread=1e6)


@pytest.fixture(scope="module")
def kinds(folder: Path) -> Path:
    """Knows an image of each of two classes, and one of none."""
    return make_denoiser(folder / "kinds.onnx", classes=("ant", "bee"))


def session(path: Path, out: Path, rows: int = 2, columns: int = 3, **options: Any) -> DiffuseSession:
    settings = Settings(**{name: options.pop(name) for name in ("sampler", "eta", "start") if name in options})
    denoiser = Denoiser(open_model(path))
    diffusion = Diffusion(denoiser, settings, options.pop("generator", None), options.pop("photos", ()))
    trajectory = options.pop("trajectory", None)
    state = DiffuseState(
        make.fitting_sheet(rows, columns, *denoiser.model.image_size, 1.0, across=2 if diffusion.photos else 1),
        **{
            "steps": 10,
            "most_steps": diffusion.start,
            "origin": diffusion.origin,
            "photos": len(diffusion.photos),
            **options,
        },
    )
    return DiffuseSession(diffusion, state, out, trajectory)


def scripted(work: DiffuseSession, keys: str) -> make.FakeDisplay:
    display = make.FakeDisplay([], interactive=False)
    run_scripted(work, display, parse_keys(keys))
    work.close()
    assert work.failures == []
    return display


def shown(work: DiffuseSession, frame: np.ndarray) -> list[np.ndarray]:
    """The images of a frame, without their outermost pixels, where the cursor may be."""
    sheet = work.state.sheet
    corners = [sheet.corner(index) for index in range(sheet.count)]
    return [frame[top + 2 : top + sheet.cell_height - 2, left + 2 : left + sheet.cell_width - 2]
            for left, top in corners]  # fmt: skip


def image(array: np.ndarray) -> np.ndarray:
    """An array [c, h, w] in -1..1 as u8 [h, w, 3] BGR."""
    levels = np.clip(np.rint(array * 127.5 + 127.5), 0, 255).astype(np.uint8)
    return np.broadcast_to(levels.transpose(1, 2, 0)[..., ::-1], (*levels.shape[1:], 3))


def close(one: np.ndarray, other: np.ndarray, levels: int = 1) -> bool:
    return bool(np.abs(one.astype(int) - other.astype(int)).max() <= levels)


@given(
    st.lists(st.sampled_from(KEYS), max_size=30),
    st.sampled_from(["noise", "generator", "photographs"]),
    st.integers(1, 9),
)
def test_no_key_leads_out_of_bounds(events: list[Event], origin: Any, photos: int) -> None:
    photos = photos if origin == "photographs" else 0
    state = DiffuseState(Sheet(2, 2, 8, 8), 25, 300, origin, photos=photos)
    for event in events:
        state = state.after(event)
        assert 1 <= state.steps <= 300
        assert 0 <= state.cursor < state.count
        assert not state.interpolated or not photos
        assert not state.before or origin == "generator"
        assert len(page_of(state).numbers) == state.count
        assert state.first in range(0, max(photos, 1), 4)


@pytest.mark.parametrize("sampler", ["ddim", "ddpm", "dpm"])
def test_images_come_out_of_noise(sampler: str, point: Path, tmp_path: Path) -> None:
    work = session(point, tmp_path, sampler=sampler)
    frame = scripted(work, "x,+,s").frames[-1]
    expected = image(known_images()[0])
    assert all(close(one, expected[2:-2, 2:-2]) for one in shown(work, frame))
    saved = cv2.imread(str(tmp_path / "point-0001.png"))
    assert close(saved, expected)
    recipe = read_recipe(tmp_path / "point-0001.png")
    expected = {"mode": "diffuse noise", "seed": 1, "steps": 15, "sampler": sampler, "image": 0, "file": "point.onnx"}
    assert recipe | expected == recipe


def test_interpolated_pages_have_the_corners_of_random_ones(normal: Path, tmp_path: Path) -> None:
    for settings in ({"sampler": "ddim"}, {"sampler": "ddpm"}):
        work = session(normal, tmp_path, 3, 4, **settings)
        random, between = (shown(work, frame) for frame in scripted(work, "i").frames)
        for corner in (0, 3, 8, 11):
            assert np.array_equal(random[corner], between[corner])
        apart = [float(np.abs(between[0].astype(int) - one).mean()) for one in between[:4]]
        assert apart == sorted(apart)
        assert apart[1] < 0.7 * float(np.abs(random[0].astype(int) - random[1]).mean())


@pytest.mark.parametrize("keys", ["i,i", "i,r", "x", "enter", "space", "pagedown", "+,-", "pagedown,pageup"])
def test_keys_ask_for_what_the_table_says(keys: str) -> None:
    begun = DiffuseState(Sheet(2, 2, 8, 8), 25, 1000)
    state = begun
    for event in parse_keys(keys):
        state = state.after(event)
    new = {"i,i": {"interpolated": True, "seed": 1}, "i,r": {}, "+,-": {}, "pagedown,pageup": {}}
    assert state == replace(begun, **new.get(keys, {"seed": 1}))


FLAGS = [
    ("x,s", []),
    ("i,right,+,S", ["--rows", "2", "--cols", "3"]),
    ("x,down,s", ["--sampler", "ddpm", "--steps", "20", "--cols", "2"]),
    ("i,-,s", ["--eta", "0.5", "--steps", "7"]),
    ("i,+,right,s", ["--init", "{generator}", "--sampler", "dpm"]),
    ("x,tab,S", ["--init", "{generator}", "--no-noise", "--start", "200"]),
    ("right,x,s", ["--init", "{photo}", "{other}", "--strength", "0.8"]),
    ("S", ["--init", "{photo}", "{other}"]),
]


@pytest.mark.parametrize(("keys", "flags"), FLAGS)
def test_a_saved_image_is_made_again_bit_by_bit(
    keys: str, flags: list[str], normal: Path, generator_path: Path, tmp_path: Path
) -> None:
    names = {"generator": generator_path, "photo": tmp_path / "photo.png", "other": tmp_path / "other.png"}
    cv2.imwrite(str(names["photo"]), make.photo_like(40, 60))
    cv2.imwrite(str(names["other"]), make.photo_like(60, 40, seed=1))
    flags = [flag.format(**names) for flag in flags]
    saved, replayed = tmp_path / "out" / "normal-0001.png", tmp_path / "replayed" / "normal-0001.png"
    command = ["diffuse", str(normal), "--display", "none"]
    assert main([*command, *flags, "--keys", keys, "--out", str(saved.parent)]) == 0
    init = flags[flags.index("--init") :][: 2 + ("{other}" in flags)] if "--init" in flags else []
    if "photo" in str(init):
        init = ["--init", str(names["other"]), str(names["photo"])]  # in whatever order
    before = "tab," if "tab" in keys else ""
    arguments = [*command, *init, "--from", str(saved), "--keys", before + keys[-1], "--out", str(replayed.parent)]
    assert main(arguments) == 0
    assert replayed.read_bytes() == saved.read_bytes()


def test_classes_and_none_of_them_and_guidance(kinds: Path, tmp_path: Path) -> None:
    ant, bee, none = known_images(3)
    flags = ["diffuse", str(kinds), "--display", "none", "--rows", "1", "--cols", "1", "--out", str(tmp_path)]
    assert main([*flags, "--keys", "n,s,n,s,n,s"]) == 0
    for number, expected in enumerate((ant, bee, none), 1):
        path = tmp_path / f"kinds-{number:04d}.png"
        assert close(cv2.imread(str(path)), image(expected))
        assert read_recipe(path)["class"] == ("ant", "bee", "none")[number - 1]
    assert main([*flags, "--keys", "s", "--label", "bee", "--guidance", "0.5"]) == 0
    assert close(cv2.imread(str(tmp_path / "kinds-0004.png")), image(np.clip(1.5 * bee - 0.5 * none, -1, 1)), 2)
    assert main([*flags, "--keys", "s", "--label", "none", "--guidance", "0.5"]) == 0
    assert close(cv2.imread(str(tmp_path / "kinds-0005.png")), image(none))
    assert main([*flags[:4], "--keys", "0,c,S", "--rows", "3", "--cols", "1", "--out", str(tmp_path)]) == 0
    sheet = cv2.imread(str(tmp_path / "kinds-0006.png"))
    for row, expected in enumerate((ant, bee, none)):
        assert close(sheet[2 + 18 * row : 18 + 18 * row, 2:18], image(expected))


@pytest.mark.parametrize("taken", [0, 3])
def test_grey_denoisers(taken: int, folder: Path, tmp_path: Path) -> None:
    path = make_denoiser(folder / f"grey{taken}.onnx", "v", channels=1, taken=taken)
    scripted(session(path, tmp_path), "s")
    assert close(cv2.imread(str(tmp_path / f"grey{taken}-0001.png")), image(known_images(channels=1)[0]))


# Images to begin with.


def test_a_generators_images_are_those_of_its_grid_and_tab_shows_them(
    point: Path, generator_path: Path, tmp_path: Path
) -> None:
    generator = open_model(generator_path)
    work = session(point, tmp_path, generator=generator, start=300)
    display = scripted(work, "tab,i,tab,x")
    drawn = generator.generate(latents.draw_many(generator.latent, 0, range(6)))
    between = generator.generate(
        latents.bilinear(np.stack([latents.draw(generator.latent, 0, number) for number in (0, 2, 3, 5)]), 2, 3)
    )
    for number, expected in ((1, drawn), (2, between)):
        images = shown(work, display.frames[number])
        assert all(np.array_equal(one, other[2:-2, 2:-2]) for one, other in zip(images, expected, strict=True))
        assert "before" in display.titles[number]
    for number in (0, 3, 4):
        expected = image(known_images()[0])[2:-2, 2:-2]
        assert all(close(one, expected) for one in shown(work, display.frames[number]))


def test_strength_and_noise_as_they_are_documented(anything: Path, generator_path: Path, tmp_path: Path) -> None:
    generator, alpha = open_model(generator_path), alpha_bar()[299]
    denoiser = Denoiser(open_model(anything))
    page = Page(3, 10, 2, 3)
    drawn = denoiser.array(generator.generate(latents.draw_many(generator.latent, 3, range(6))))

    def made(**settings: Any) -> np.ndarray:
        diffusion = Diffusion(denoiser, Settings(start=300, **settings), generator)
        run = diffusion.begin(page)
        while run.advance():
            pass
        return run.images()

    # A network that takes all it sees for image, and none for noise, only undoes the fading by the square root of ᾱ.
    bare = made(strength=0.4, noise=False)
    assert close(bare, np.stack([image(np.clip(0.4 * one / alpha**0.5, -1, 1)) for one in drawn]))
    spread = (made(strength=0.1).astype(float) - made(strength=0.0)).mean()
    assert spread == pytest.approx((0.1 * drawn * 127.5).mean(), abs=3)
    noisy = made(strength=0.0).astype(float) / 127.5 - 1
    assert np.abs(noisy).mean() > 0.5


def test_without_noise_images_keep_their_contrast(anything: Path, generator_path: Path, tmp_path: Path) -> None:
    command = ["diffuse", str(anything), "--init", str(generator_path), "--no-noise", "--rows", "1", "--cols", "1"]
    assert main([*command, "-o", str(tmp_path)]) == 0
    drawn = open_model(generator_path).generate(latents.draw_many(open_model(generator_path).latent, 0, range(1)))
    assert close(cv2.imread(str(tmp_path / "anything-0001.png")), drawn[0])
    assert read_recipe(tmp_path / "anything-0001.png")["strength"] == pytest.approx(alpha_bar()[299] ** 0.5)


def test_photographs_lie_beside_what_became_of_them(point: Path, photo_path: Path, tmp_path: Path) -> None:
    others = [tmp_path / f"other{number}.png" for number in range(2)]
    for number, path in enumerate(others):
        cv2.imwrite(str(path), make.photo_like(30 + number, 20, seed=number + 1))
    paths = [photo_path, *others]
    work = session(point, tmp_path, 1, 2, photos=paths, start=300)
    display = scripted(work, "right,s,pagedown,S,x")
    expected = image(known_images()[0])
    for frame, there in ((display.frames[0], paths[:2]), (display.frames[3], paths[2:])):
        for cell, path in zip(shown(work, frame), there, strict=False):
            assert np.array_equal(cell[:, :14], pad(cv2.imread(str(path)), 16, 16)[2:-2, 2:])
            assert close(cell[:, 14:], expected[2:-2, :-2])
    assert close(cv2.imread(str(tmp_path / "point-0001.png")), expected)
    assert read_recipe(tmp_path / "point-0001.png")["init"] == ["other0.png"]
    assert read_recipe(tmp_path / "point-0002.png")["init"] == ["other1.png"]
    assert (shown(work, display.frames[3])[1] == render.PAPER).all()  # there is no fourth one


@pytest.mark.parametrize(("height", "width"), [(40, 60), (60, 40), (8, 8), (1, 500)])
def test_photographs_are_squared_by_their_edges(height: int, width: int) -> None:
    image = make.photo_like(height, width)
    made = pad(image, 16, 16)
    assert made.shape == (16, 16, 3)
    if (height, width) == (40, 60):
        assert np.array_equal(made[:2], np.repeat(made[2:3], 2, axis=0))
        assert np.array_equal(made[2:13], cv2.resize(image, (16, 11), interpolation=cv2.INTER_AREA))
    if (height, width) == (8, 8):  # grows as training's images do
        assert np.array_equal(made, cv2.resize(image, (16, 16), interpolation=cv2.INTER_CUBIC))


# Keys while it works.


@pytest.fixture
def gate(monkeypatch: pytest.MonkeyPatch) -> Gate:
    """What every run of a network passes, and takes a quarter of a second."""
    denoise, gate = Model.denoise, Gate()

    def slowly(*arguments: Any) -> Any:
        gate.passing()
        time.sleep(0.25)
        return denoise(*arguments)

    monkeypatch.setattr(Model, "denoise", slowly)
    return gate


class Person:
    """Presses each key when its condition holds, and until then lets the network work, run by run, if asked to."""

    def __init__(self, work: DiffuseSession, *keys: tuple[Callable[[], object], str], gate: Gate | None = None) -> None:
        self.work, self.keys = work, list(keys)
        self.step = StepByStep(gate, lambda: work.changed) if gate else None
        self.display = make.FakeDisplay([])
        self.display.poll = self.poll
        self.titles = self.display.titles

    def watch(self) -> None:
        run_live(self.work, self.display)

    def poll(self, seconds: float) -> Event | None:
        if self.keys and self.keys[0][0]():
            return parse_keys(self.keys.pop(0)[1])[0]
        if self.step:
            self.step()
        time.sleep(min(seconds, 0.01))
        return None

    def sees(self, words: str) -> bool:
        return bool(self.titles) and words in self.titles[-1]


def test_keys_are_heard_within_a_run_of_the_network(normal: Path, tmp_path: Path, gate: Gate) -> None:
    work = session(normal, tmp_path, steps=50)
    runs: list[Page] = []
    begin = work.diffusion.begin
    work.diffusion.begin = lambda page, numbers=None: (runs.append(page), begin(page, numbers))[1]
    person = Person(
        work,
        (lambda: person.sees("normal - step 1 of 50, ") and gate.held, "x"),
        (lambda: len(runs) == 2 and gate.held, "+"),
        (lambda: len(runs) == 3 and gate.held, "right"),
        (lambda: True, "esc"),
        gate=gate,
    )
    person.watch()
    work.close()
    assert gate.held
    gate.open()
    assert [page.seed for page in runs] == [0, 1, 1]
    assert [page.steps for page in runs] == [50, 50, 75]
    assert any(title.startswith("normal - step 1 of 50, ") and " left - " in title for title in person.titles)


def test_images_are_seen_before_they_are_there(normal: Path, tmp_path: Path, gate: Gate) -> None:
    work = session(normal, tmp_path, steps=6)
    person = Person(work, (lambda: work.settled, "esc"), gate=gate)
    person.watch()
    work.close()
    assert 5 <= len(person.titles) <= 12
    assert person.titles[-1] == "normal - random - seed 0 - ddim 6 steps"


def test_what_is_saved_while_it_is_under_way_is_what_was_asked_for_then(
    normal: Path, tmp_path: Path, gate: Gate
) -> None:
    work = session(normal, tmp_path, steps=3)
    Person(
        work,
        (lambda: gate.held, "s"), (lambda: True, "x"), (lambda: True, "right"), (lambda: True, "s"),
        (lambda: (gate.open(), work.settled)[1], "esc"),
    ).watch()  # fmt: skip
    work.close()
    recipes = [read_recipe(path) for path in sorted(tmp_path.glob("normal-*.png"))]
    assert sorted((recipe["seed"], recipe["image"]) for recipe in recipes) == [(0, 0), (1, 1)]
    scripted(session(normal, tmp_path / "replayed", steps=3), "s")
    first = next(path for path in tmp_path.glob("*.png") if read_recipe(path)["seed"] == 0)
    assert (tmp_path / "replayed" / "normal-0001.png").read_bytes() == first.read_bytes()


def test_leaving_before_it_is_there_says_what_was_not_saved(normal: Path, tmp_path: Path, gate: Gate) -> None:
    work = session(normal, tmp_path, steps=50)
    person = Person(
        work,
        (lambda: gate.held, "s"),
        (lambda: True, "esc"),
        (lambda: person.sees("saving 1 image; ESC once more gives up"), "esc"),
    )
    person.watch()
    with pytest.raises(ImageError, match="not saved: 1"):
        work.close()
    assert gate.held
    gate.open()


def test_leaving_waits_for_what_is_to_be_saved(normal: Path, tmp_path: Path, gate: Gate) -> None:
    work = session(normal, tmp_path, steps=4)
    person = Person(
        work,
        (lambda: gate.held, "s"), (lambda: True, "x"), (lambda: True, "s"), (lambda: True, "esc"),
        (lambda: person.sees("saving 2 images; ESC once more gives up") and gate.open(), "never"),
    )  # fmt: skip
    person.watch()
    work.close()
    assert any("saving 2 images; ESC once more gives up" in title for title in person.titles)
    assert {read_recipe(path)["seed"] for path in tmp_path.glob("*.png")} == {0, 1}


def test_a_look_costs_little_of_the_time(normal: Path, tmp_path: Path) -> None:
    work = session(normal, tmp_path, 3, 4, steps=1000)
    display = scripted(work, "")
    assert len(display.frames) == 1
    began = time.monotonic()
    parts = list(work._work(replace(page_of(work.state), seed=9)))
    seconds = time.monotonic() - began
    looks = sum(part.images is not None for part in parts)
    assert looks <= 3 + 5 * seconds  # those at the ends, and five a second
    assert looks < len(parts) / 10
    assert parts[-1].finished


# The trajectory.


def test_the_trajectory_of_an_image_is_kept_beside_it(normal: Path, tmp_path: Path) -> None:
    scripted(session(normal, tmp_path, trajectory="png", steps=30), "right,s,S")
    result, strip = (cv2.imread(str(tmp_path / name)) for name in ("normal-0001.png", "normal-0001-steps.png"))
    assert strip.shape == (16 + 4, 12 * 18 + 2, 3)
    assert np.array_equal(strip[2:18, -18:-2], result)
    noise = strip[2:18, 2:18].astype(float)
    assert noise.std() > 60
    assert cv2.imread(str(tmp_path / "normal-0002-steps.png")).shape[0] == 6 * 18 + 2
    assert read_recipe(tmp_path / "normal-0001-steps.png")["image"] == 1
    scripted(session(normal, tmp_path, trajectory="gif", steps=30), "S")
    with Image.open(tmp_path / "normal-0003-steps.gif") as trajectory:
        assert trajectory.size == (3 * 18 + 2, 2 * 18 + 2)
        assert trajectory.n_frames == 31
        trajectory.seek(30)
        assert trajectory.info["duration"] >= 2000
        last = np.asarray(trajectory.convert("RGB"))[..., ::-1]
    sheet = cv2.imread(str(tmp_path / "normal-0003.png"))
    assert np.abs(last.astype(int) - sheet).mean() < 12  # 256 colours


# Without a screen.


def test_a_page_is_written_without_a_screen(normal: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = ["diffuse", str(normal), "--rows", "2", "--cols", "2", "-o", str(tmp_path), "--keep-steps", "png"]
    assert main(command) == 0
    assert capsys.readouterr().out == f"{tmp_path}: 4 made, 0 finished before, 0 failed\n"
    assert len(list(tmp_path.glob("normal-*-steps.png"))) == 4
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    assert main(command) == 0
    assert all(path.read_bytes() == data for path, data in before.items())
    assert (tmp_path / "normal-0006.png").read_bytes() == (tmp_path / "normal-0002.png").read_bytes()
    replayed = tmp_path / "replayed"
    arguments = [
        "--from",
        str(tmp_path / "normal-0003.png"),
        "--display",
        "none",
        "--keys",
        "s",
        "--out",
        str(replayed),
    ]
    assert main(["diffuse", str(normal), *arguments]) == 0
    assert (replayed / "normal-0001.png").read_bytes() == (tmp_path / "normal-0003.png").read_bytes()


def test_photographs_are_made_without_a_screen(
    normal: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    photos, out = tmp_path / "in", tmp_path / "out"
    photos.mkdir()
    for number in range(5):
        cv2.imwrite(str(photos / f"photo{number}.png"), make.photo_like(30, 40, seed=number))
    (photos / "broken.png").write_text("no image")
    command = ["diffuse", str(normal), "--init", str(photos), "-o", str(out)]
    assert main([*command, "--keep-steps", "gif"]) == 0
    said = capsys.readouterr()
    assert "broken.png: found a text file, expected an image" in said.err
    assert said.out == f"{out}: 5 made, 0 finished before, 1 failed\n"
    names = sorted(path.name for path in out.iterdir())
    assert names == sorted(f"photo{number}{ending}" for number in range(5) for ending in (".png", "-steps.gif"))
    before = {path: path.read_bytes() for path in out.iterdir()}
    for name in ("photo1.png", "photo1-steps.gif"):
        (out / name).unlink()
    (out / "photo4-steps.gif").unlink()
    assert main([*command, "--keep-steps", "gif"]) == 0
    assert "2 made, 3 finished before, 1 failed" in capsys.readouterr().out
    assert {path: path.read_bytes() for path in out.iterdir()} == before
    scripted_flags = ["--init", str(photos), "--display", "none", "--keys", "right,right,right,s", "--cols", "5"]
    assert main(["diffuse", str(normal), *scripted_flags, "--out", str(tmp_path)]) == 0
    saved, written = tmp_path / "normal-0001.png", out / "photo3.png"
    assert np.array_equal(cv2.imread(str(saved)), cv2.imread(str(written)))
    assert read_recipe(saved).items() <= read_recipe(written).items()


SLOW = """
import sys, time
from viewer.__main__ import main
from viewer.model import Model
denoise = Model.denoise
calls = []
def slowly(self, *arguments):
    calls.append(1)
    time.sleep(0 if len(calls) < 3 else 600)
    return denoise(self, *arguments)
Model.denoise = slowly
sys.exit(main(sys.argv[1:]))
"""


@pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="this system has no such signals")
def test_ctrl_c_leaves_whole_files_only(normal: Path, tmp_path: Path) -> None:
    flags = ["--rows", "8", "--cols", "8", "--steps", "1", "-o", str(tmp_path)]
    process = subprocess.Popen([sys.executable, "-c", SLOW, "diffuse", normal, *flags], stderr=subprocess.PIPE)
    wait_until(lambda: list(tmp_path.glob("*.png")))
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=HANG_SECONDS)
    assert process.returncode == 130
    assert 1 <= len(list(tmp_path.iterdir())) < 64
    assert all(cv2.imread(str(path)) is not None and not path.name.startswith(".") for path in tmp_path.iterdir())


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["diffuse", "{generator}"], "found a generator, expected a denoiser (noise → image, step by step)"),
        (["grid", "{denoiser}"], "found a denoiser, expected a generator (latent → image); for this one there is: "
                                 "python -m viewer diffuse"),
        (["diffuse", "{denoiser}", "--init", "{denoiser}"], "found a denoiser, expected a generator"),
        (["diffuse", "{unscheduled}"], "schedule"),
        (["diffuse", "{denoiser}", "--init", "{wide}"], "images of 32x16, expected the proportions of 16x16"),
        (["diffuse", "{denoiser}", "--init", "{generator}", "{photo}"], "--init has 2 files"),
        (["diffuse", "{denoiser}", "--init", "{gone}"], "no such file"),
        (["diffuse", "{denoiser}", "--init", "{photo}", "--start", "1001"], "--start is 1001, expected 1..1000"),
        (["diffuse", "{denoiser}", "--start", "300"], "--start is for images to begin with"),
        (["diffuse", "{denoiser}", "--strength", "0.5"], "--strength is for images to begin with"),
        (["diffuse", "{denoiser}", "--no-noise"], "--no-noise is for images to begin with"),
        (["diffuse", "{denoiser}", "--eta", "1", "--sampler", "ddpm"], "--eta is for the samplers ddim and dpm"),
        (["diffuse", "{denoiser}", "--guidance", "1"], "--guidance is 1, expected none"),
        (["diffuse", "{denoiser}", "--label", "cat"], "draws no classes"),
        (["diffuse", "{denoiser}", "--from", "{photo}"], "does not say what it was made from"),
        (["diffuse", "{denoiser}", "-o", "{photo}"], "ends in '.png' as one file does, expected a folder"),
    ],
)  # fmt: skip
def test_bad_input_is_one_line_and_code_2(
    arguments: list[str], expected: str, normal: Path, generator_path: Path, photo_path: Path, tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    names = {"denoiser": normal, "generator": generator_path, "photo": photo_path, "gone": tmp_path / "gone.png"}
    names["wide"] = make.make_generator(tmp_path / "wide.onnx", width=32)
    names["unscheduled"] = tmp_path / "unscheduled.onnx"
    model = make.onnx.load(normal)
    kept = {entry.key: entry.value for entry in model.metadata_props if entry.key not in ("schedule", "sha256")}
    make.helper.set_model_props(model, kept)
    make.write(names["unscheduled"], model)
    assert main([*(argument.format(**names) for argument in arguments), "--display", "none"]) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert expected in error
    assert error.count("\n") == 1


def test_only_the_same_model_and_the_same_images_make_it_again(
    normal: Path,
    point: Path,
    generator_path: Path,
    photo_path: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    command = ["diffuse", str(normal), "--display", "none", "--steps", "2"]
    out = ["--keys", "s", "--out", str(tmp_path)]
    for init in ([], ["--init", str(generator_path)], ["--init", str(photo_path)]):
        assert main([*command, *init, *out]) == 0
    other = make.make_generator(tmp_path / "tiny.onnx", hidden=9)
    noise, generator, photo = (str(tmp_path / f"normal-{number:04d}.png") for number in (1, 2, 3))
    cv2.imwrite(str(tmp_path / "else.png"), make.photo_like(20, 20))
    capsys.readouterr()
    for arguments, expected in (
        (["diffuse", str(point), "--from", noise], "another model"),
        (["grid", str(generator_path), "--from", noise], "expected grid"),
        ([*command, "--from", noise, "--init", str(photo_path)], "made from noise, expected no --init"),
        ([*command, "--from", noise, "--steps", "9"], "--steps is 9, and the image of --from says"),
        ([*command, "--from", noise, "--sampler", "dpm"], "--sampler is dpm, and the image of --from says ddim"),
        ([*command, "--from", generator], "made with --init 'tiny.onnx'"),
        ([*command, "--from", generator, "--init", str(other)], "made with --init 'tiny.onnx'"),
        ([*command, "--from", photo], "made with --init ['photo.png']"),
        ([*command, "--from", photo, "--init", str(tmp_path / "else.png")], "made with --init ['photo.png']"),
    ):
        assert main([*arguments, "--display", "none"]) == 2
        assert expected in capsys.readouterr().err


def test_a_generator_of_another_size_is_brought_to_that_of_the_denoiser(folder: Path, tmp_path: Path) -> None:
    large = make.make_generator(tmp_path / "large.onnx", height=64, width=64)
    work = session(make_denoiser(folder / "half.onnx", side=32), tmp_path, generator=open_model(large), start=300)
    sources = work.diffusion.sources(page_of(work.state), range(6))
    generated = open_model(large).generate(latents.draw_many(open_model(large).latent, 0, range(6)))
    assert np.array_equal(sources[2], cv2.resize(generated[2], (32, 32), interpolation=cv2.INTER_AREA))
    scripted(work, "x")


def test_a_network_that_fails_is_said(normal: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = np.full((6, 3, 16, 16), np.nan, np.float32)
    monkeypatch.setattr(Model, "_run", lambda *_: broken)
    work = session(normal, tmp_path)
    run_scripted(work, make.FakeDisplay([], interactive=False), parse_keys("x"))
    work.close()
    assert "all finite" in work.failures[0]


def test_info_says_what_a_denoiser_takes(kinds: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["info", str(kinds)]) == 0
    said = capsys.readouterr().out
    assert all(word in said for word in ("denoiser", "linear schedule of 1000 steps, predicts epsilon", "ant, bee"))
    assert len(said) < 1500


def test_every_pair_of_keys_gives_a_frame(kinds: Path, generator_path: Path, tmp_path: Path) -> None:
    classes = Classes(3)
    work = session(kinds, tmp_path, 1, 2, generator=open_model(generator_path), start=20, classes=classes)
    keys = [event for pair in itertools.product(parse_keys("right,i,r,tab,x,c,n,+"), repeat=2) for event in pair]
    display = make.FakeDisplay([], interactive=False)
    run_scripted(work, display, keys)
    work.close()
    assert len(display.frames) == len(keys) + 1
    assert work.failures == []
    assert cells(work.state, np.zeros((2, 4, 4, 3), np.uint8), None).shape == (2, 4, 4, 3)
