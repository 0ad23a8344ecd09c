"""The watch mode shows what trainings write while they write it, whatever becomes of the files, and writes nothing."""

import json
import os
import random
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from small_models import FakeDisplay
from small_runs import BATCH, make_run, row, rows, write_sheet

from trainer.contract.errors import UserError
from viewer.app import run_live, run_scripted
from viewer.files.png import read_recipe
from viewer.keys import NAMES, Action, Event, parse_keys
from viewer.labels import labels_of, lines_of, painted, text_width
from viewer.modes import Mode
from viewer.modes.watch import session as watch_session
from viewer.modes.watch import sheets
from viewer.modes.watch.session import WatchSession
from viewer.modes.watch.sheets import SheetKey, SheetReader
from viewer.room import Room

WATCH = Mode("watch")
TERMINAL = Room(320, 184, 0.5, 4, strip=False)  # of 80 x 24 cells


@pytest.fixture
def sessions() -> Iterator[list[WatchSession]]:
    found: list[WatchSession] = []
    yield found
    for session in found:
        session.close()


@pytest.fixture
def watch(sessions: list[WatchSession], tmp_path: Path) -> Any:
    def open_runs(*words: object) -> WatchSession:
        out = tmp_path / "saved"
        out.mkdir(exist_ok=True)
        session: WatchSession = WATCH.open(WATCH.parse([*map(str, words), "--out", str(out)]))
        sessions.append(session)
        session.settle(0.0)
        return session

    return open_runs


def said(session: WatchSession) -> str:
    """All text on the frame."""
    return " | ".join(label.text for label in labels_of(session.frame()))


def press(session: WatchSession, keys: str, now: float = 0.0) -> WatchSession:
    for event in parse_keys(keys):
        session.handle(event)
        session.settle(now)
    return session


def files(folder: Path) -> dict[str, tuple[int, int]]:
    return {str(path): (path.stat().st_mtime_ns, path.stat().st_size) for path in folder.rglob("*") if path.is_file()}


def test_a_run_is_shown_and_left_alone(watch: Any, tmp_path: Path) -> None:
    run = make_run(tmp_path / "cats")
    before = files(run)
    session = watch(run)
    text = said(session)
    for part in ("cats", "stopped", "50 %", "step 100 of 200", "score 0.009901, the best", "step 100, 3200 images",
                 "loss/vae/reconstruction", "held out: score", "images/s"):  # fmt: skip
        assert part in text
    press(session, "left,space,+,l,S,s")
    assert files(run) == before
    assert len(list((tmp_path / "saved").iterdir())) == 2


def test_rows_and_sheets_that_come_are_shown(watch: Any, tmp_path: Path) -> None:
    run = make_run(tmp_path / "cats")
    session = watch(run)
    with (run / "log.jsonl").open("ab") as file:
        file.write(rows([105, 110]) + row(115)[:20])
    write_sheet(run, 110)
    session._readers[0]._looked_at = -10.0
    session.settle(2.0)
    assert "step 110 of 200" in said(session)
    assert "step 110, 3520 images" in said(session)
    assert session.state.times == (0, 50 * BATCH, 100 * BATCH, 110 * BATCH)


def test_who_looks_back_stays_there_while_new_sheets_come(watch: Any, tmp_path: Path) -> None:
    run = make_run(tmp_path / "cats")
    session = press(watch(run), "left")
    write_sheet(run, 20)
    write_sheet(run, 120)
    session._readers[0]._looked_at = -10.0
    session.settle(2.0)
    assert "step 50, 1600 images" in said(session)
    assert session.state.times == tuple(step * BATCH for step in (0, 20, 50, 100, 120))  # the last beyond the log
    press(session, "x", 2.0)
    assert "step 120" in said(session)
    press(session, "home,u", 2.0)
    assert "step 120" in said(session)


def test_sheets_are_played_to_the_newest_at_a_frame_each_thirtieth(watch: Any, tmp_path: Path) -> None:
    run = make_run(tmp_path / "cats", sheets=0)
    for step in range(0, 100, 5):
        write_sheet(run, step)
    session = press(watch(run), "f,f,f,f,f,f,f,f,F,F,F,space")
    assert (session.state.index, session.state.rate) == (0, 6)
    shown, display = [], FakeDisplay([], interactive=False)
    session.frames = 25
    show = display.show
    display.show = lambda frame, title, text=None: (shown.append(session.state.index), show(frame, title))[1]  # type: ignore[method-assign]
    run_scripted(session, display, (), 25)
    assert shown == [*range(20), *[19] * 5]
    assert not session.moving


def test_a_film_shows_every_sheet(tmp_path: Path) -> None:
    run = make_run(tmp_path / "cats", sheets=0)
    for step in range(0, 100, 20):
        write_sheet(run, step)
    film = tmp_path / "film.gif"
    from viewer.__main__ import main

    assert main(["watch", str(run), "--display", "none", "--record", str(film), "--view", "sheets"]) == 0
    from PIL import Image

    with Image.open(film) as opened:
        middles = []
        for number in range(opened.n_frames):  # type: ignore[attr-defined]
            opened.seek(number)
            pixels = np.asarray(opened.convert("RGB"))
            middles.append(int(pixels[len(pixels) // 2 + 9, pixels.shape[1] // 2 + 9, 2]))
    assert len(middles) >= 5
    assert sorted(middles) == middles or len(set(middles)) >= 4  # brighter with every step
    assert main(["watch", str(run), "--frames", "7", "--keys", "x", "--display", "none"]) == 2


def test_several_runs_share_their_axes(watch: Any, tmp_path: Path) -> None:
    make_run(tmp_path / "runs" / "long", made=100)
    make_run(tmp_path / "runs" / "short", made=60, sheets=2)
    session = watch(tmp_path / "runs")
    assert session.state.span == 100 * BATCH
    text = said(session)
    assert "long: step 100" in text
    assert "short: step 50" in text
    assert session.state.times == (0, 50 * BATCH, 100 * BATCH)
    press(session, "2")
    assert "short" not in said(session)
    press(session, "1")  # one always stays
    assert "long: " not in said(session)
    assert "step 100 of 200" in said(session)


def test_equal_names_are_told_apart(watch: Any, tmp_path: Path) -> None:
    session = watch(make_run(tmp_path / "a" / "run"), make_run(tmp_path / "b" / "run"), tmp_path / "a" / "run")
    assert [view.name for view in session._views] == ["a/run", "b/run"]


def test_a_click_leads_to_the_sheet_of_that_time(watch: Any, tmp_path: Path) -> None:
    session = watch(make_run(tmp_path / "cats"))
    plot = session.state.layout.plots[1]
    session.handle(Event(Action.CLICK, plot.left + plot.width // 2, plot.top + 10))
    session.settle(0.0)
    assert "step 50, " in said(session)
    assert session.state.selected == 1


def test_curves_are_chosen(watch: Any, tmp_path: Path) -> None:
    session = watch(make_run(tmp_path / "cats"), "--curves", "recon")
    assert [chart.title for chart in session.state.on_frame] == ["loss/vae/reconstruction"]
    press(session, "c")
    assert len(session.state.on_frame) == 5
    press(session, "c")
    assert {chart.group for chart in session.state.on_frame} == {"losses"}
    press(session, "down,enter")
    assert [chart.name for chart in session.state.on_frame] == ["loss/vae/divergence"]
    press(session, "],l,+")
    assert {"smooth 0.8", "log", "zoom 2x"} <= set(session._status())


def test_saved_sheets_are_the_files_bits_and_say_where_they_are_from(watch: Any, tmp_path: Path) -> None:
    run = make_run(tmp_path / "cats")
    press(watch(run), "left,s")
    (path,) = (tmp_path / "saved").iterdir()
    assert np.array_equal(cv2.imread(str(path)), cv2.imread(str(run / "samples" / "step_00000050.png")))
    recipe = read_recipe(path)
    assert (recipe["mode"], recipe["runs"], recipe["steps"]) == ("watch sheet", ["cats"], [50])


@pytest.mark.parametrize("room", [None, Room(1180, 718), TERMINAL, Room(160, 64, 0.5, 4, strip=False)])
@pytest.mark.parametrize("view", ["both", "sheets", "curves"])
def test_any_room_will_do(view: str, room: Room | None, watch: Any, tmp_path: Path) -> None:
    session = watch(make_run(tmp_path / "runs" / "a"), make_run(tmp_path / "runs" / "b"), "--view", view)
    if room is not None:
        session.fit(room)
        session.settle(0.0)
        frame = session.frame(strip=room.strip)
        assert frame.shape == (room.height, room.width, 3)
        assert (lines_of(frame) is not None) == (room.grain > 1 and view != "sheets")
    assert session.settled or session.changed


# Files that are not as they should be.


def test_a_run_that_has_only_begun(watch: Any, tmp_path: Path) -> None:
    run = tmp_path / "cats"
    make_run(run)
    shutil.rmtree(run / "samples")
    shutil.rmtree(run / "checkpoints")
    (run / "log.jsonl").unlink()
    session = watch(run)
    assert "no sheet yet" in said(session)
    press(session, "space,s,S,left,l,enter")
    make_run(run)
    session._readers[0]._looked_at = -10.0
    session.settle(3.0)
    assert "step 100 of 200" in said(session)


def test_files_that_vanish_are_remembered(watch: Any, tmp_path: Path) -> None:
    run = make_run(tmp_path / "cats")
    session = watch(run)
    shutil.rmtree(run)
    session._readers[0]._looked_at = -10.0
    session.settle(2.0)
    press(session, "left,left", 3.0)
    assert "its folder is gone" in said(session)
    assert "cannot be read now" in said(session)
    press(session, "s", 3.0)
    assert session.failures


@pytest.mark.parametrize("damage", ["cut", "empty", "text", "folder"])
def test_a_sheet_that_is_still_being_copied_comes_later(damage: str, watch: Any, tmp_path: Path) -> None:
    run = make_run(tmp_path / "cats")
    path = run / "samples" / "step_00000100.png"
    whole = path.read_bytes()
    if damage == "folder":
        path.unlink()
        path.mkdir()
    else:
        path.write_bytes({"cut": whole[: len(whole) // 2], "empty": b"", "text": b"no image"}[damage])
    session = watch(run)
    assert "cannot be read now" in said(session)
    if damage == "folder":
        path.rmdir()
    path.write_bytes(whole)
    session.settle(2.0)
    assert "cannot be read now" not in said(session)


def test_a_sheet_that_is_drawn_anew_is_shown_anew(watch: Any, tmp_path: Path) -> None:
    run = make_run(tmp_path / "cats")
    session = watch(run)
    before = painted(session.frame())
    write_sheet(run, 55).rename(run / "samples" / "step_00000100.png")
    session.settle(2.0)
    assert (painted(session.frame()) != before).any()


BAD = ("", "{", "[]", '{"family": 1, "config": {"steps": "x"}}', "[" * 99_999,
       '{"family": "a", "config": {"data": 1, "steps": 1e999}}')  # fmt: skip


def test_numbers_beyond_all_reason_are_borne(watch: Any, tmp_path: Path) -> None:
    run = make_run(tmp_path / "cats", steps=10**400, min_steps=10**400, minutes=1e308, batch_size=10**200)
    write_sheet(run, 10**18 - 1)
    with (run / "log.jsonl").open("ab") as file:
        file.write(row(110, **{"loss/vae/reconstruction": 1e300, "seconds": 1e300, "images_per_second": -1e300}))
    session = press(watch(run), "l,o,left,+,+,space,z")
    assert "step 110" in said(session)


@pytest.mark.parametrize("text", BAD)
def test_a_config_that_cannot_be_read_is_said(text: str, watch: Any, tmp_path: Path) -> None:
    run = make_run(tmp_path / "cats")
    (run / "config.json").write_text(text)
    assert "config.json cannot be read" in said(watch(run))


def test_what_may_be_wrong_is_said(watch: Any, tmp_path: Path) -> None:
    run = make_run(tmp_path / "cats")
    with (run / "log.jsonl").open("ab") as file:
        file.write(
            b"no row\n" + json.dumps({**json.loads(row(105)), "loss/vae/divergence": float("nan")}).encode() + b"\n"
        )
    (run / "checkpoints" / "damaged_00000050").mkdir()
    text = said(watch(run))
    assert "loss/vae/divergence is no longer a finite number" in text
    assert "1 line of its log cannot be read" in text
    assert "1 damaged checkpoint set aside" in text


@pytest.mark.skipif(os.name != "posix", reason="needs locks that are seen")
def test_a_training_is_known_by_its_lock(watch: Any, tmp_path: Path) -> None:
    from trainer import checkpoint

    run = make_run(tmp_path / "cats")
    held = checkpoint.lock(run)
    text = said(watch(run))
    assert "training" in text
    assert "0:10 left" in text  # 100 steps of 0.1 s
    assert "320 images/s" in text
    os.utime(run / "log.jsonl", (1e9, 1e9))
    assert "nothing in its log for" in said(watch(run))
    held.close()


def test_logs_that_are_cut_anywhere_are_shown(watch: Any, tmp_path: Path) -> None:
    run = make_run(tmp_path / "cats")
    whole, chance = (run / "log.jsonl").read_bytes(), random.Random(4)
    session = watch(run)
    for number in range(40):
        data = whole[: chance.randrange(len(whole))] + rows(chance.sample(range(1, 300), number % 3))
        (run / "log.jsonl").write_bytes(data)
        session.settle(2.0 * number)
        assert session.frame().any()
    assert not session.failures


@pytest.mark.parametrize(
    ("words", "expected"),
    [(["missing"], "there is no such folder, expected the folder of a run"), (["file"], "an empty file"),
     (["empty"], "an empty folder, expected the folder of a run, or one with runs below it"),
     (["many"], "9 runs, expected 8 at most")],
)  # fmt: skip
def test_what_is_no_run_is_one_line(words: list[str], expected: str, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "empty").mkdir()
    for number in range(9):
        make_run(tmp_path / "many" / str(number), sheets=0)
    with pytest.raises(UserError, match=expected):
        WATCH.open(WATCH.parse([str(tmp_path / word) for word in words]))


def test_curves_that_are_not_there_are_one_line(tmp_path: Path) -> None:
    run = make_run(tmp_path / "cats")
    with pytest.raises(UserError, match="--curves is 'fid', expected a part of one of these names: loss/vae/reconst"):
        WATCH.open(WATCH.parse([str(run), "--curves", "fid"]))


def test_a_script_that_saves_no_sheet_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from viewer.__main__ import main

    run = make_run(tmp_path / "cats", sheets=0)
    assert main(["watch", str(run), "--display", "none", "--keys", "s", "--out", str(tmp_path)]) == 2
    assert capsys.readouterr().err == "error: there is no sheet to save yet\n"


def test_without_a_screen_the_state_is_printed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from utsuroi.__main__ import main

    make_run(tmp_path / "cats")
    assert main(["watch", str(tmp_path), "--display", "none"]) == 0
    assert capsys.readouterr().out.startswith("cats, stopped, 50 %, step 100 of 200, score ")


def test_the_first_frame_has_its_sheet(tmp_path: Path) -> None:
    run = make_run(tmp_path / "cats")
    session = WATCH.open(WATCH.parse([str(run)]))
    display = FakeDisplay([NAMES["esc"]])
    try:
        run_live(session, display)
        area = session.state.layout.sheets[0]
        middle = display.frames[0][area.top + area.height // 2 : area.bottom, area.left : area.right]
        assert (middle == (100, 159, 90)).all(axis=2).any()  # the eleventh of its sixteen images
    finally:
        session.close()


def test_before_the_first_frame_sheets_alone_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_run(tmp_path / "cats")
    session = WATCH.open(WATCH.parse([str(tmp_path / "cats"), str(make_run(tmp_path / "dogs"))]))
    asked: list[bool] = []
    ask = session._worker.ask
    monkeypatch.setattr(session._worker, "ask", lambda request: asked.append(request.poll) or ask(request))
    try:
        session.settle(0.0)
        assert asked[0] is False
        assert True in asked
    finally:
        session.close()


@pytest.mark.parametrize("part", [1, 2])
def test_two_threads_read_the_sheets_that_one_reads(part: int, tmp_path: Path) -> None:
    run = make_run(tmp_path / "cats", sheets=9)
    keys = [SheetKey(0, 50 * number, 40, 40, part) for number in range(9)]
    reader = SheetReader([run])
    try:
        for some in (keys, keys[:1], [], keys[3:]):
            found = dict(reader.read_all(some))
            assert set(found) == set(some)
            for key, sheet in found.items():
                assert sheet.image is not None
                assert np.array_equal(sheet.image, SheetReader([run]).read(key).image)
        next(reader.read_all(keys))  # and is called off
        assert keys[0] in dict(reader.read_all(keys[:1]))
    finally:
        reader.close()


def test_how_many_curves_there_are_is_said_where_some_have_no_room(watch: Any, tmp_path: Path) -> None:
    session = watch(make_run(tmp_path / "cats"))
    assert "curve 1 of" not in said(session)
    session.fit(Room(500, 300))
    count = len(session.state.charts)
    assert f"curve 1 of {count}" in said(session)
    press(session, "up")
    assert f"curve {count} of {count}" in said(session)


def test_in_a_small_terminal_the_step_of_each_sheet_can_be_read(watch: Any, tmp_path: Path) -> None:
    session = watch(*(make_run(tmp_path / name) for name in ("cats", "dogs", "birds-of-paradise")))
    session.fit(TERMINAL)
    session.settle(0.0)
    texts = [label.text for label in labels_of(session.frame(strip=False))]
    assert [text for text in texts if text.endswith("step 100")] == ["cats: step 100", "dogs: step 100", "step 100"]


def test_sheets_that_take_more_than_is_kept_play_on(
    watch: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As several do on a very large screen."""
    for module in (sheets, watch_session):
        monkeypatch.setattr(module, "MOST_BYTES", 1000)
    runs = [make_run(tmp_path / name, sheets=6) for name in ("cats", "dogs", "birds")]
    session = press(watch(*runs, "--view", "sheets"), "home")
    reads = []
    read = session._sheet_reader.read
    monkeypatch.setattr(session._sheet_reader, "read", lambda key: reads.append(key) or read(key))
    press(session, "space")
    for frame in range(400):
        session.settle(frame / 30)
        session.step()
        session.settle(frame / 30)
        assert all(key in session._kept for key in session._keys(session.state))
        if not session.state.playing:
            break
    assert session.state.at is None
    assert len(reads) < 3 * 6 * 2


@pytest.mark.parametrize("view", ["both", "sheets", "curves"])
def test_however_little_room_is_left_there_is_a_frame(view: str, watch: Any, tmp_path: Path) -> None:
    """As in a window that is being made small, with several runs."""
    session = watch(*(make_run(tmp_path / name) for name in "abcde"), "--view", view)
    for scale, grain in ((1.0, 1), (2.0, 1), (0.5, 4)):
        for width in (1, 8, 60, 130, 260, 300, 700):
            for height in (1, 8, 60, 130, 150, 170, 200, 300):
                session.fit(Room(width, height, scale, grain, strip=grain == 1))
                session.settle(0.0)
                frame = session.frame(strip=grain == 1)
                assert frame.shape[1] == width
                for plot in session.state.layout.plots:
                    assert plot.width > 0
                    assert plot.height > 0
                    assert plot.bottom <= frame.shape[0]
                    assert plot.right <= width


def test_numbers_beside_curves_have_room_on_a_large_screen(watch: Any, tmp_path: Path) -> None:
    session = watch(make_run(tmp_path / "cats"), "--view", "curves")
    session.fit(Room(2560, 1440, 2.0))
    session.settle(0.0)
    frame = session.frame()
    plots = session.state.layout.plots
    numbers = [label for label in labels_of(frame) if label.anchor == "right" and label.x < plots[0].left]
    assert numbers
    assert all(label.x - text_width(label.text, 2.0) >= 0 for label in numbers)
