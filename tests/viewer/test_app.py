"""The modes at work, on displays without a screen: every key, slow models, saving, walks."""

import json
import os
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import pytest
from small_models import FakeDisplay, fitting_sheet, full_disk
from waiting import HANG_SECONDS, Gate, StepByStep

from export.card import Latent
from trainer.contract.errors import ImageError
from viewer.app import run_live, run_scripted
from viewer.files.inputs import read_photo
from viewer.files.png import encode_png, read_recipe, save_numbered
from viewer.files.resizing import fit
from viewer.graph.reading import Reading
from viewer.keys import CLOSED, Action, Event, parse_keys
from viewer.latents import Walk, bilinear, draw, draw_many, truncate
from viewer.model import Model, ModelError, open_model
from viewer.modes.animate.session import LEG_TICKS, AnimateSession, AnimateState
from viewer.room import Room, Tiling
from viewer.sessions.generator_page.session import GridSession, GridState
from viewer.sessions.session import HISTORY
from viewer.sheet import auto_scale
from viewer.worker import Worker


class SlowModel:
    """Stands for a model whose runs take half a second; red grows with the first number of the latent."""

    name, sha256, path, latent, image_size = "slow", "0" * 64, Path("slow.onnx"), Latent(size=4), (8, 8)
    classes, samples, read_as = (), np.zeros((0, 4), np.float32), Reading()

    def __init__(self, seconds: float = 0.5) -> None:
        self.seconds = seconds

    def generate(self, latents: np.ndarray, labels: Any = None, settings: Any = None) -> np.ndarray:
        time.sleep(self.seconds)
        red = np.clip(128 + 60 * latents[:, :1, None, None], 0, 255)
        return np.broadcast_to(red, (len(latents), 8, 8, 3)).astype(np.uint8)


class HeldModel(SlowModel):
    """Stands for a model whose runs take as long as a test wants: all, or those of ``sizes`` images and the others."""

    def __init__(self, *sizes: int) -> None:
        super().__init__(0)
        self.gate, self.others, self.sizes = Gate(), Gate(), sizes

    def generate(self, latents: np.ndarray, labels: Any = None, settings: Any = None) -> np.ndarray:
        (self.gate if not self.sizes or len(latents) in self.sizes else self.others).passing()
        return super().generate(latents, labels)


def opening(gate: Gate, display: FakeDisplay, words: str) -> Callable[[float], None]:
    """How a display waits that opens a gate when its title has these words."""

    def wait(seconds: float) -> None:
        if any(words in title for title in display.titles):
            gate.open()
        time.sleep(min(seconds, 0.01))

    return wait


@pytest.fixture(scope="module")
def model(generator_path: Path) -> Model:
    return open_model(generator_path)


def page(model: Model, folder: Path, rows: int = 3, columns: int = 4, **options: object) -> GridSession:
    return GridSession(model, GridState(fitting_sheet(rows, columns, *model.image_size, 1.0)), folder, **options)


def walk(model: Model, folder: Path, rows: int = 1, columns: int = 1, **options: object) -> AnimateSession:
    sheet = fitting_sheet(rows, columns, *model.image_size, 1.0, gap=0)
    return AnimateSession(model, AnimateState(sheet, **options), folder)


def scripted(session: GridSession | AnimateSession, keys: str, frames: int = 0) -> FakeDisplay:
    display = FakeDisplay([], interactive=False)
    run_scripted(session, display, parse_keys(keys), frames)
    session.close()
    return display


def images(frame: np.ndarray, session: GridSession | AnimateSession) -> list[np.ndarray]:
    """The images on a frame, without their outermost pixel, where the cursor may be."""
    sheet = session.state.sheet
    corners = [sheet.corner(index) for index in range(sheet.count)]
    return [
        frame[top + 2 : top + sheet.cell_height - 2, left + 2 : left + sheet.cell_width - 2] for left, top in corners
    ]


def same_images(shown: list[np.ndarray], made: np.ndarray) -> bool:
    return all(np.array_equal(one, other[2:-2, 2:-2]) for one, other in zip(shown, made, strict=True))


def test_each_recorded_frame_shows_the_result_of_its_key(model: Model, tmp_path: Path) -> None:
    session = page(model, tmp_path)
    frames = scripted(session, "x,-,i,right").frames
    assert len(frames) == 5
    first, second = (draw_many(model.latent, seed, range(12)) for seed in (0, 1))
    fewer = truncate(model.latent, second, 0.9)
    expected = [first, second, fewer, bilinear(fewer[[0, 3, 8, 11]], 3, 4), bilinear(fewer[[0, 3, 8, 11]], 3, 4)]
    for frame, latents in zip(frames, expected, strict=True):
        assert same_images(images(frame, session), model.generate(latents))
    assert not np.array_equal(frames[3], frames[4])  # the cursor moved


def test_the_same_script_gives_the_same_frames(model: Model, tmp_path: Path) -> None:
    runs = [scripted(page(model, tmp_path / str(run)), "right,down,x,s,i,+,click:20:20,S").frames for run in range(2)]
    for one, other in zip(*runs, strict=True):
        assert np.array_equal(one[:-28], other[:-28])


def test_a_real_image_at_the_first_corner(model: Model, tmp_path: Path) -> None:
    encoded = np.array([0.5, -1.0, 2.0, 0.0], np.float32)
    session = page(model, tmp_path, encoded=encoded, source="cat.jpg")
    frames = scripted(session, "i,s").frames
    assert same_images(images(frames[1], session)[:1], model.generate(encoded[None]))
    assert read_recipe(tmp_path / "tiny-0001.png")["encoded"] == "cat.jpg"


def test_saved_images_can_be_made_again(model: Model, tmp_path: Path) -> None:
    scripted(page(model, tmp_path), "right,down,x,-,s,S,i,s")
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == ["tiny-0001.png", "tiny-0002.png", "tiny-0003.png"]
    recipe = read_recipe(tmp_path / names[0])
    assert recipe["model"] == "tiny"
    assert recipe["sha256"] == model.sha256
    assert len(model.sha256) == 64
    assert (recipe["seed"], recipe["image"], recipe["mode"]) == (1, 5, "grid random")
    from_seed = truncate(model.latent, draw(model.latent, 1, 5)[None], recipe["truncation"])
    assert np.array_equal(np.float32(recipe["latent"]), from_seed[0])
    saved = cv2.imread(str(tmp_path / names[0]))
    assert saved.shape == (16, 16, 3)  # at its own size, without the cursor
    assert np.array_equal(saved, model.generate(np.float32([recipe["latent"]]))[0])
    whole, recipe = cv2.imread(str(tmp_path / names[1])), read_recipe(tmp_path / names[1])
    assert whole.shape == (3 * 18 + 2, 4 * 18 + 2, 3)
    replayed = model.generate(np.float32(recipe["latents"]))
    for index, image in enumerate(replayed):
        row, column = divmod(index, 4)
        assert np.array_equal(whole[row * 18 + 2 : row * 18 + 18, column * 18 + 2 : column * 18 + 18], image)


def test_saving_never_overwrites(model: Model, tmp_path: Path) -> None:
    (tmp_path / "tiny-0007.png").write_text("mine")
    (tmp_path / "TINY-0008.PNG").write_text("mine too")
    scripted(page(model, tmp_path), "s,s")
    names = {path.name for path in tmp_path.iterdir()}
    assert names == {"tiny-0007.png", "TINY-0008.PNG", "tiny-0009.png", "tiny-0010.png"}
    assert (tmp_path / "tiny-0007.png").read_text() == "mine"


def test_two_viewers_that_save_at_once_keep_everything(tmp_path: Path) -> None:
    threads = [
        threading.Thread(target=lambda: [save_numbered(tmp_path, "m", os.urandom(99)) for _ in range(20)])
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(list(tmp_path.iterdir())) == 80


def test_a_full_disk_is_shown_and_leaves_nothing_behind(model: Model, tmp_path: Path) -> None:
    (tmp_path / "tiny-0001.png").write_text("mine")
    session = page(model, tmp_path)
    session.settle(0.0)
    with full_disk(300):
        session.handle(parse_keys("s")[0])
        session.handle(parse_keys("S")[0])
        session.settle(1.0)
        assert "cannot save" in session.title()
    assert [path.name for path in tmp_path.iterdir()] == ["tiny-0001.png"]
    session.handle(parse_keys("s")[0])  # the session goes on
    session.settle(2.0)
    assert "saved" in session.title()
    assert (tmp_path / "tiny-0001.png").read_text() == "mine"
    session.close()


def test_a_sheet_too_large_to_save_is_said(model: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("viewer.sessions.session._LARGEST_SAVED", 16 * 16)
    display = scripted(page(model, tmp_path), "S,s,x")
    assert "cannot save 74x56" in display.titles[1]
    assert "saved" in display.titles[2]
    assert len(display.frames) == 4


def test_a_folder_that_cannot_be_written_to_is_shown(model: Model, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    session = page(model, tmp_path / "file" / "out")
    display = scripted(session, "s,right,x")
    assert "cannot save" in display.titles[1]
    assert len(display.frames) == 4


@pytest.mark.parametrize("name", ["../../evil", "a/b", "con\nsole", "", ".hidden", "x" * 500])
def test_a_models_name_cannot_lead_out_of_the_folder(tmp_path: Path, name: str) -> None:
    path = save_numbered(tmp_path / "out", name, b"data")
    assert path.parent == tmp_path / "out"
    assert not path.name.startswith(".")
    assert [entry.name for entry in tmp_path.iterdir()] == ["out"]


def test_recipes_survive_and_damage_is_noticed(tmp_path: Path) -> None:
    recipe = {"model": "名前\x1b[31m", "latent": [0.1, -2.5]}
    data = encode_png(np.zeros((4, 5, 3), np.uint8), recipe)
    path = tmp_path / "p.png"
    path.write_bytes(data)
    assert read_recipe(path) == recipe
    assert read_photo(path).image.shape == (4, 5, 3)
    for broken in (data[:60], data.replace(b"latent", b"lament"), b"\x89PNG\r\n\x1a\n", b""):
        path.write_bytes(broken)
        with pytest.raises(ImageError):
            read_recipe(path)


def test_images_to_encode(tmp_path: Path) -> None:
    image = np.random.default_rng(0).integers(0, 256, (40, 60, 3), np.uint8)
    path = tmp_path / "bytes\udcff.jpg"  # a name that is not UTF-8
    path.write_bytes(cv2.imencode(".jpg", image)[1].tobytes())
    assert read_photo(path).image.shape == (40, 60, 3)
    assert fit(image, 20, 20).shape == (20, 20, 3)
    assert np.array_equal(fit(image, 40, 40), image[:, 10:50])
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(ImageError, match="bytes"):
        read_photo(path)
    path.write_bytes(b"no image")
    with pytest.raises(ImageError, match="bytes"):
        read_photo(path)


def test_every_key_is_handled_while_a_slow_model_works(tmp_path: Path) -> None:
    """While its first run goes on."""
    model = HeldModel()
    session = page(model, tmp_path)
    events = parse_keys(",".join(["right"] * 41 + ["x"] * 30 + ["-"] * 8 + ["s"] + ["i"] * 20 + ["esc"] * 2))
    display = FakeDisplay(events, wait=lambda _: time.sleep(0.005))
    run_live(session, display)
    state = session.state
    assert (state.cursor, state.seed, state.mode) == (1, 49, "interpolation")
    assert state.truncation == pytest.approx(0.2)
    assert 3 < len(display.frames) < 110
    assert 1 <= model.gate.arrived <= 2  # the page, and what is to be saved
    model.gate.open()
    session._saves.wait()
    session.close()
    recipe = read_recipe(tmp_path / "slow-0001.png")  # what was asked for then, although it was never shown
    assert (recipe["seed"], recipe["mode"], recipe["truncation"]) == (30, "grid random", 0.2)


@pytest.mark.parametrize("coarse", [False, True])
def test_scripted_keys_on_a_screen_wait_for_the_image_of_the_one_before(tmp_path: Path, coarse: bool) -> None:
    keys = "x,right,s,i,esc"
    session = page(SlowModel(0.05), tmp_path, rows=1, columns=2)
    display = FakeDisplay([], wait=lambda seconds: time.sleep(min(seconds, 0.01)), coarse=coarse)
    handle, seen = session.handle, []
    session.handle = lambda event: (seen.append(display.frames[-1]), handle(event))[1]
    run_live(session, display, parse_keys(keys))
    session.close()
    expected = scripted(page(SlowModel(0), tmp_path / "headless", rows=1, columns=2), keys).frames
    height = session.state.sheet.height
    assert len(seen) == len(expected)
    for frame, other in zip(seen, expected, strict=True):
        assert np.array_equal(frame[:height], other[:height])
        assert len(frame) == (height if coarse else height + 28)
    assert ("esc quit" in display.titles[0]) == coarse


def test_a_hundred_pages_are_kept_as_they_were_left(model: Model, tmp_path: Path) -> None:
    session = page(model, tmp_path)

    def press(keys: str) -> None:
        for event in parse_keys(keys):
            session.handle(event)

    press("right,+,i")
    left = session.state
    press(",".join(["x"] * HISTORY))
    assert session.state.seed == HISTORY
    press("down,-,r,r,u,u")
    assert (session.state.seed, session.state.mode) == (HISTORY, "interpolation")
    press(",".join(["backspace"] * (HISTORY - 2)))
    assert session.state.seed == 2  # two were forgotten for the two that were left since
    press("u")
    assert "no page before" in session.title()
    press("h,x")
    assert session.state.seed == 2
    session.close()
    assert left.cursor == 1


def test_an_earlier_page_is_laid_out_for_the_room_of_now(model: Model, tmp_path: Path) -> None:
    tiling = Tiling(*model.image_size, usual=(6, 8))
    session = GridSession(model, GridState(tiling.sheet()), tmp_path)
    session.tiling = tiling
    session.fit(Room(1000, 700))
    session.settle(0.0)
    session.handle(*parse_keys("x"))
    session.fit(Room(600, 500))
    session.handle(*parse_keys("backspace"))
    session.settle(0.0)
    frame = session.frame()
    assert (session.state.seed, session.state.sheet) == (0, tiling.sheet(Room(600, 500)))
    assert frame.shape[1] == session.state.sheet.width
    assert np.ptp(np.asarray(frame)) > 100
    session.close()


def test_a_notice_that_hides_what_is_shown_goes_with_the_next_key(tmp_path: Path) -> None:
    session = page(SlowModel(0), tmp_path, rows=1, columns=2)
    display = FakeDisplay([], wait=lambda seconds: time.sleep(min(seconds, 0.01)), coarse=True)
    run_live(session, display, parse_keys("s,right,esc"))
    session.close()
    assert "saved" in display.titles[-2]
    assert "esc quit" in display.titles[-1]


def test_scripted_keys_of_a_walk_on_a_screen_are_pressed_while_it_moves(model: Model, tmp_path: Path) -> None:
    session = walk(model, tmp_path)
    display = FakeDisplay([], wait=lambda seconds: time.sleep(min(seconds, 0.01)))
    run_live(session, display, parse_keys("+,x,space,space,esc"))
    session.close()
    assert (session.state.seed, session.state.speed, session.state.paused) == (1, 32, False)


def test_a_script_goes_on_when_the_model_fails(tmp_path: Path) -> None:
    class Failing(SlowModel):
        def generate(
            self, latents: np.ndarray, labels: np.ndarray | None = None, settings: object = None
        ) -> np.ndarray:
            raise ModelError("slow.onnx: cannot be run")

    session = page(Failing(), tmp_path)
    run_live(session, FakeDisplay([], wait=lambda seconds: time.sleep(min(seconds, 0.01))), parse_keys("x,right,esc"))
    session.close()
    assert (session.state.seed, session.state.cursor) == (1, 1)


def test_leaving_does_not_wait_for_the_model(tmp_path: Path) -> None:
    model = HeldModel()
    session = page(model, tmp_path)
    run_live(session, FakeDisplay(parse_keys("x,esc"), wait=lambda _: model.gate.wait_for(1)))
    session.close()
    assert model.gate.held
    model.gate.open()


def test_leaving_waits_for_what_is_being_saved(tmp_path: Path) -> None:
    model = HeldModel(1, 12)  # what is saved; the page, four at a time, never comes
    session = page(model, tmp_path)
    display = FakeDisplay(parse_keys("s,right,S,esc,x,i,s"))

    def wait(seconds: float) -> None:
        if "saving 2 images" in display.titles[-1]:
            model.gate.let(1)
        elif "saving 1 image;" in display.titles[-1]:
            model.gate.open()
        time.sleep(min(seconds, 0.01))

    display._wait = wait
    run_live(session, display)
    assert [read_recipe(path)["seed"] for path in sorted(tmp_path.iterdir())] == [0, 0]
    session.close()
    said = [title for title in display.titles if "ESC once more gives up" in title]
    assert "saving 2 images" in said[0]
    assert "saving 1 image;" in said[-1]


def test_a_window_that_was_closed_is_not_the_end_of_what_is_being_saved(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = HeldModel(1)
    session = page(model, tmp_path)
    display = FakeDisplay(parse_keys("s"))
    press = display.poll

    def poll(seconds: float) -> Event:
        if event := press(seconds):
            return event
        if display.polls == 3:  # closed, and found closed by what waits for the image
            model.gate.open()
        return Event(Action.QUIT, key=CLOSED)

    display.poll = poll
    run_live(session, display)
    session.close()
    assert read_recipe(tmp_path / "slow-0001.png")["seed"] == 0
    assert capsys.readouterr().err == "saving 1 image; Ctrl-C gives up\n"


def test_what_fails_to_be_saved_after_a_person_has_left_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    model = HeldModel(1)
    session = page(model, tmp_path / "file")
    display = FakeDisplay(parse_keys("s,esc"))
    display._wait = opening(model.gate, display, "saving 1 image")
    with pytest.raises(ImageError, match="cannot save"):
        run_live(session, display)
    session.close()


def test_a_slow_page_appears_bit_by_bit(tmp_path: Path) -> None:
    model = HeldModel()
    session = page(model, tmp_path, rows=2, columns=4)
    display = FakeDisplay([])
    step = StepByStep(model.gate, lambda: session.changed)

    def poll(seconds: float) -> object:
        if "to come" in display.titles[-1]:  # it is late
            step()
        time.sleep(min(seconds, 0.01))
        return parse_keys("esc")[0] if session.settled else None

    display.poll = poll
    run_live(session, display)
    session.close()
    filled = [sum(cell.mean() > 40 for cell in images(frame, session)) for frame in display.frames]
    assert filled[-1] == 8
    assert 4 in filled
    assert any("4 to come" in title for title in display.titles)


def test_waiting_for_a_person_costs_next_to_nothing(model: Model, tmp_path: Path) -> None:
    """When the page is there, the loop asks for long waits, and draws nothing."""
    session = page(model, tmp_path)
    display, asked = FakeDisplay([]), []

    def poll(seconds: float) -> object:
        if session.settled:
            asked.append(seconds)
        else:
            time.sleep(seconds)
        return parse_keys("esc")[0] if len(asked) == 10 else None

    display.poll = poll
    run_live(session, display)
    session.close()
    assert min(asked) > 0.06
    assert len(display.frames) <= 4


def test_a_model_that_fails_is_shown_and_the_session_goes_on(tmp_path: Path) -> None:
    class Failing(SlowModel):
        def generate(
            self, latents: np.ndarray, labels: np.ndarray | None = None, settings: object = None
        ) -> np.ndarray:
            raise ModelError("slow.onnx: cannot be run: out of memory")

    display = scripted(page(Failing(), tmp_path), "x,right,s")
    assert len(display.frames) == 5 - 1
    assert all("out of memory" in title for title in display.titles)


def test_a_recorded_walk_follows_the_latents_without_a_hitch(model: Model, tmp_path: Path) -> None:
    session = walk(model, tmp_path)
    frames = scripted(session, "", frames=60).frames
    assert len(frames) == 60
    whole = Walk(model.latent, 0)
    made = model.generate(np.stack([whole.at(number / 30) for number in range(60)]))
    for frame, image in zip(frames, made, strict=True):
        assert np.array_equal(frame[:16], image)


def test_keys_of_a_recorded_walk_come_one_a_frame(model: Model, tmp_path: Path) -> None:
    session = walk(model, tmp_path)
    frames = scripted(session, "space,x,space,+,s", frames=10).frames
    assert len(frames) == 10
    assert np.array_equal(frames[0][:16], frames[1][:16])  # paused
    assert session.state.seed == 1
    assert session.state.position == 16 + 6 * 32
    recipe = read_recipe(tmp_path / "tiny-0001.png")
    assert recipe["position"] == (16 + 32) / LEG_TICKS
    assert np.allclose(recipe["latent"], Walk(model.latent, 1).at(recipe["position"]), atol=1e-6)
    assert len(scripted(walk(model, tmp_path), "x,esc", frames=10).frames) == 2


def test_several_walks_on_one_sheet(model: Model, tmp_path: Path) -> None:
    session = walk(model, tmp_path, rows=2, columns=2, straight=True, legs=2)
    scripted(session, "right,s,S", frames=5)
    recipe = read_recipe(tmp_path / "tiny-0001.png")
    expected = Walk(model.latent, 0, straight=True, legs=2, number=1).at(1 / 30)
    assert np.allclose(recipe["latent"], expected, atol=1e-6)
    assert len(read_recipe(tmp_path / "tiny-0002.png")["latents"]) == 4


def test_a_live_walk_keeps_its_time(model: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By a clock that stands still while the process does not have the processor."""
    session = walk(model, tmp_path)
    clock, times = SimpleNamespace(now=100.0), []
    monkeypatch.setattr("viewer.app.time", SimpleNamespace(monotonic=lambda: clock.now, sleep=None))

    def wait(seconds: float) -> None:
        session._worker.wait()
        clock.now += seconds

    display = FakeDisplay([], wait=wait)
    display.show = lambda frame, title, text: times.append(clock.now)
    cpu = time.process_time()
    run_live(session, display, frames=41)
    cpu = time.process_time() - cpu
    session.close()
    assert times[-1] - times[0] == pytest.approx(2.0, abs=0.1)
    assert np.diff(times).max() < 0.1
    assert cpu < 0.15 * 2.0


def test_the_newest_request_wins_and_old_results_are_marked() -> None:
    begun, asked = threading.Event(), threading.Event()

    def work(request: int) -> Iterator[int]:
        begun.set()
        for part in range(3):
            asked.wait(HANG_SECONDS)
            yield 10 * request + part

    worker = Worker(work)
    worker.ask(1)
    begun.wait()
    for request in (2, 3, 4):
        worker.ask(request)
    asked.set()
    worker.wait()
    answers = worker.take()
    worker.close()
    assert [answer.result for answer in answers if answer.request == 4] == [40, 41, 42]
    assert {answer.request for answer in answers} <= {1, 4}
    assert len(answers) == 4  # the first one was left after its first part


def test_an_error_in_the_worker_comes_back_with_its_request() -> None:
    def work(request: str) -> Iterator[str]:
        yield "one"
        raise ValueError(request)

    worker = Worker(work)
    worker.ask("bad")
    worker.wait()
    one, error = worker.take()
    worker.close()
    assert one.result == "one"
    assert (error.request, str(error.error)) == ("bad", "bad")


def test_saves_are_done_in_order_and_none_is_dropped() -> None:
    jobs = Worker(lambda job: iter([job()]), drops=False)
    for number in range(50):
        jobs.ask(lambda number=number: str(number))
    jobs.wait()
    assert jobs.close() == 0
    assert [done.result for done in jobs.take()] == [str(number) for number in range(50)]


def test_a_page_fits_a_small_screen_at_any_size_of_image() -> None:
    assert auto_scale(6, 8, 128, 128) == 1
    assert auto_scale(6, 8, 64, 64) == 2
    assert auto_scale(6, 8, 28, 28) == 4
    for side in (8, 200, 512, 4096):
        scale = auto_scale(6, 8, side, side)
        assert 48 * scale * side * scale * side <= 1100 * 800


def test_recipes_are_plain_json(model: Model, tmp_path: Path) -> None:
    scripted(page(model, tmp_path), "s")
    assert json.loads(json.dumps(read_recipe(tmp_path / "tiny-0001.png")))["file"] == "tiny.onnx"
