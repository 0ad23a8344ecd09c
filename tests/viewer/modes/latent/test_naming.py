"""Directions get names by key, are found between groups of the scatter, return as sliders, and go into the card."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from small_models import make_generator

from export.__main__ import main as export_main
from export.card import Latent
from viewer.__main__ import main
from viewer.files.png import encode_png, read_recipe
from viewer.keys import parse_keys
from viewer.labels import painted
from viewer.modes import Mode
from viewer.modes.latent.layout import gauge_track
from viewer.modes.latent.naming import FOUND, with_name
from viewer.modes.latent.session import LatentSession
from viewer.modes.latent.space import Point, Space
from viewer.modes.latent.state import begin

COVARIANCE = tuple(map(tuple, np.diag([4.0, 1.0, 0.25, 1.0]).tolist()))
SIZE = 4


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A generator with two principal directions, whose first number varies most."""
    principal = ((2.0, 0.0, 0.0, 0.0), (0.0, 0.6, 0.0, 0.8))
    return make_generator(
        tmp_path / "m.onnx", directions=principal, latent=Latent(size=SIZE, mean=(1.0,) * SIZE, covariance=COVARIANCE)
    )


def played(path: Path, keys: str, *flags: str) -> tuple[LatentSession, list[str], np.ndarray]:
    """A session after a script of keys, its titles before and after each, and its last frame."""
    session = Mode("latent").open(Mode("latent").parse([str(path), "--out", str(path.parent / "out"), *flags]))
    titles, frame = [session.title()], np.zeros(0)
    try:
        session.settle(0.0)
        titles = [session.title()]
        for number, event in enumerate(parse_keys(keys), 1):
            if session.handle(event):
                break
            session.settle(number)
            titles.append(session.title())
        frame = painted(session.frame())
    finally:
        session.close()
    assert not session.failures
    return session, titles, frame


def named(path: Path) -> dict[str, list[float]]:
    content = json.loads(path.with_name("m.directions.json").read_text())
    return {name: entry["direction"] for name, entry in content["directions"].items()}


def test_a_direction_is_saved_reloaded_put_into_the_card_and_shown_as_a_slider(path: Path, tmp_path: Path) -> None:
    _, titles, _ = played(path, "tab,i,d,type:Sun-s,backspace,type:S h,comma,space,i,enter", "--seed", "3")
    assert "name for the direction from A to B: _" in titles[3]
    assert "direction 'Sun-S h, i' is in" in titles[-1]
    (name, direction) = next(iter(named(path).items()))
    assert name == "Sun-S h, i"
    again, _, _ = played(path, "tab", "--seed", "3", "--view", "plane")
    start, end = (again.state.space.exact(Point(seed)) for seed in (3, 4))
    unit = (end - start) / np.linalg.norm(end - start)
    assert np.allclose(direction, unit * np.sqrt(unit @ np.array(COVARIANCE) @ unit), atol=1e-5)  # one std long
    out = tmp_path / "new" / "n.onnx"
    out.parent.mkdir()
    file = path.with_name("m.directions.json")
    assert export_main([str(path), "-o", str(out), "--directions", str(file)]) == 0
    frames = []
    for model in (path, out):  # from the file beside it, from the card
        session, titles, frame = played(model, "right,right", "--view", "sliders")
        assert session.state.space.name(0) == name
        moved = session.state.space.exact(session.state.point)
        assert np.allclose(moved, 1 + 0.4 * np.array(direction), atol=1e-6)
        frames.append(frame)
    assert np.array_equal(frames[0][:-28], frames[1][:-28])


def test_what_is_shown_of_a_line_that_is_typed(path: Path) -> None:
    session, titles, frame = played(path, "d,type:ab,left,move:300:300,click:200:300,r", "--seed", "5")
    assert titles[-1].endswith(": abr_")
    assert session.state.point == begin(session.state.space, session.state.layout, 5).point  # nothing else has happened
    other = played(path, "d,type:abs")[2]
    assert not np.array_equal(frame[-28:], other[-28:])
    assert np.array_equal(frame[-28:], played(path, "d,type:abr")[2][-28:])
    session, titles, frame = played(path, "d,type:a,backspace,backspace,enter,s")
    assert not path.with_name("m.directions.json").exists()
    assert len(list((path.parent / "out").iterdir())) == 1  # s is s again
    session, titles, frame = played(path, f"d,type:{'y' * 90},esc,enter")
    assert titles[-1].endswith(f": {'y' * 64}_")  # ESC quits, as ever
    assert not path.with_name("m.directions.json").exists()


@pytest.mark.parametrize(
    ("keys", "what", "direction"),
    [
        ("d", "principal 1", [2, 0, 0, 0]),
        ("D", "principal 2", [0, 0.6, 0, 0.8]),
        ("x,d", "z1", [2, 0, 0, 0]),
        ("tab,tab,down,down,down,down,d", "z3", [0, 0, 0.5, 0]),
    ],
)
def test_the_axis_that_is_looked_at_gets_the_name(path: Path, keys: str, what: str, direction: list[float]) -> None:
    _, titles, _ = played(path, f"{keys},type:it,enter")
    assert f"name for the direction of {what}: " in " ".join(titles)
    assert np.allclose(named(path)["it"], direction, atol=1e-6)


def test_a_name_is_never_taken_from_another_without_a_word(path: Path) -> None:
    played(path, "d,type:fur,enter")
    before = named(path)
    _, titles, _ = played(path, "D,type:fur,enter")
    assert "'fur' is taken; Enter replaces it, or another name: fur_" in titles[-1]
    assert named(path) == before
    played(path, "D,type:fur,enter,type:2,enter")
    assert list(named(path)) == ["fur", "fur2"]
    assert named(path)["fur"] == before["fur"]
    session, _, _ = played(path, "D,type:fur,enter,enter")
    assert named(path)["fur"] == pytest.approx([0, 0.6, 0, 0.8])
    assert list(session.state.space.named) == ["fur", "fur2"]


def test_a_name_that_another_viewer_took_meanwhile_is_kept(path: Path) -> None:
    session = Mode("latent").open(Mode("latent").parse([str(path)]))
    played(path, "d,type:fur,enter")
    before = named(path)
    for event in parse_keys("D,type:fur,enter"):
        session.handle(event)
    session.settle(0.0)
    assert "'fur' is there already" in session.title()
    session.handle(parse_keys("enter")[0])
    for event in parse_keys("D,type:ears,enter"):
        session.handle(event)
    session.settle(9.0)
    session.close()
    assert named(path)["fur"] == before["fur"]
    assert list(named(path)) == ["fur", "ears"]


def test_mistakes_are_one_line(path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    beside, wide = path.with_name("m.directions.json"), tmp_path / "wide.json"
    beside.write_text('{"schema": "1.0", "directions": 7}')
    wide.write_text('{"schema": "1.0", "directions": {"a": {"direction": [1, 2, 3]}}}')
    for flags, expected in (
        ([], "m.directions.json: directions are no object of objects"),
        (["--directions", str(wide)], "wide.json: direction 'a' is 3 numbers, expected a list of 4"),
        (["--directions", str(tmp_path)], "cannot read"),
        (["--random", "9", "--data", "x.npy"], "--random and --data"),
    ):
        assert main(["latent", str(path), "--display", "none", *flags]) == 2
        error = capsys.readouterr().err
        assert expected in error
        assert error.count("\n") == 1
    beside.unlink()
    _, titles, _ = played(path, "tab,tab,d", "--random", "9")
    assert "no direction yet: mark points as group A (key a) and B (key b)" in titles[-1]
    _, titles, _ = played(path, "d,type:A to B,enter")
    assert "stands for what is found between groups; another name" in titles[-1]


def test_those_of_the_built_in_model_lie_where_images_are_saved(tmp_path: Path) -> None:
    out = tmp_path / "new"
    words = ["latent", "--display", "none", "--rows", "4", "--out", str(out), "--keys", "d,type:fur,enter,s"]
    assert main(words) == 0
    assert sorted(path.name for path in out.iterdir()) == ["toycats-0001.png", "toycats.directions.json"]


def test_directions_of_another_training_are_said_to_be_that(tmp_path: Path) -> None:
    path = make_generator(tmp_path / "m.onnx", training={"run": "x", "step": 5})
    played(path, "d,type:fur,enter")
    make_generator(path, training={"run": "x", "step": 6})
    _, titles, _ = played(path, "")
    assert "found in another model, may mean nothing in this one: fur" in titles[0]
    _, titles, _ = played(path, "", "--directions", str(tmp_path / "other.json"))
    assert "other.json: not there yet, key d makes it" in titles[0]


def marking(session: LatentSession, points: list[int], key: str) -> str:
    """Keys that put points into a group, one by one."""
    words = []
    for number in points:
        row = session._known.latents[number]
        x, y = (float(session.state.space.coordinates(row, axis)) for axis in session.state.axes)
        area, reach = session.state.stage, session.state.reach
        across = round(area.left + (x / reach + 1) / 2 * area.width - 0.5)
        down = round(area.bottom - (y / reach + 1) / 2 * area.height - 0.5)
        words += [f"click:{across}:{down}", key]
    return ",".join(words)


def test_groups_by_key_and_rectangle_give_a_direction_that_is_applied(path: Path) -> None:
    session, _, _ = played(path, "", "--random", "60", "--view", "scatter")
    latents = session._known.latents
    x = session.state.space.coordinates(latents, session.state.axes[0])
    area = session.state.stage
    middle, top = area.left + area.width // 2, area.top + 5
    half = f"rdrag:{area.left + 2}:{top}:{middle - 60}:{area.bottom - 5},a"
    session, _, _ = played(path, f"{half},pagedown,pageup", "--random", "60", "--view", "scatter")
    left = set(session.state.groups[0])
    assert left
    assert all(x[number] < 0 for number in left)
    assert all(x[number] > x[list(left)].max() - 1e-6 or number in left for number in range(60) if abs(x[number]) < 4)
    right = [int(number) for number in np.argsort(-x)[:6]]
    keys = f"{half},{marking(session, right, 'b')}"
    session, titles, _ = played(path, keys, "--random", "60", "--view", "scatter")
    assert session.state.groups == (frozenset(left), frozenset(right))
    assert "right on held-out halves" in titles[-1]
    assert f"A {len(left)}, B 6" in titles[-1]
    assert session.state.space.name(0) == "A to B"
    direction = session.state.space.named["A to B"]
    assert direction[0] > 0  # from left to right
    moved, _, _ = played(path, f"{keys},tab,right,right,right,right,right", "--random", "60", "--view", "scatter")
    start = np.array(session.state.space.exact(session.state.point))
    there = moved.state.space.exact(moved.state.point)
    assert moved.state.view == "sliders"
    assert np.allclose((there - start) / direction, (there - start)[0] / direction[0])
    assert (there - start) @ direction > 0
    session, _, _ = played(path, f"{keys},d,type:left to right,enter", "--random", "60", "--view", "scatter")
    assert list(session.state.space.named) == ["left to right", "A to B"]  # what has no name yet comes last
    assert np.allclose(named(path)["left to right"], direction)
    assert "held-out halves" in path.with_name("m.directions.json").read_text()


def test_marks_are_taken_back_and_the_method_is_chosen(path: Path) -> None:
    flags = ("--random", "40", "--view", "scatter")
    state = played(path, "a", *flags)[0].state
    assert [len(group) for group in state.groups] == [1, 0]
    assert played(path, "a,a", *flags)[0].state.groups == (frozenset(), frozenset())
    assert [len(group) for group in played(path, "a,b", *flags)[0].state.groups] == [0, 1]
    session, titles, _ = played(path, "a,pagedown,a,pagedown,b,pagedown,b,m", *flags)
    assert "means: " in titles[-1]
    assert "LDA: " in titles[-2]
    means = session._known.latents[[sorted(group) for group in session.state.groups]].mean(axis=1)
    found = session.state.space.named["A to B"]
    assert found @ (means[1] - means[0]) == pytest.approx(np.linalg.norm(found) * np.linalg.norm(means[1] - means[0]))
    assert played(path, "a,pagedown,b,e", *flags)[0].state.groups == (frozenset(), frozenset())
    session, _, _ = played(path, "rdrag:300:300:350:350,rclick:300:300", *flags)
    assert session.state.selection is None  # a click takes the rectangle away


def test_a_whole_class_is_marked(classes_set: tuple[Path, Path], tmp_path: Path) -> None:
    model, images = classes_set
    session, _, _ = played(model, "A,pagedown,B", "--data", str(images), "--view", "scatter", "--out", str(tmp_path))
    first, second = session.state.groups
    labels = session._scatter.labels
    assert {int(labels[point]) for point in first} | {int(labels[point]) for point in second} <= {0, 1}
    assert len(first) + len(second) in (6, 12)


@pytest.fixture
def classes_set(plane_path: Path, tmp_path: Path) -> tuple[Path, Path]:
    images = tmp_path / "two.npy"
    np.save(images, np.random.default_rng(0).integers(0, 256, (12, 8, 8, 3), np.uint8))
    images.with_suffix(".json").write_text(json.dumps({"labels": [0, 1] * 6, "classes": ["ant", "bee"]}))
    return plane_path, images


@pytest.mark.parametrize(
    ("keys", "flags"),
    [
        ("d,type:fur,enter,S", []),
        ("d,type:fur,enter,r,tab,tab,right,down,x,s", []),
        ("d,type:fur,enter,r,tab,tab,right,right,S", []),
        ("i,d,type:fur,enter,tab,right,X,tab,right,tab,tab,S", []),
        ("a,pagedown,b,pagedown,b,pagedown,b,S", ["--random", "30", "--view", "scatter"]),
        ("a,pagedown,b,m,pagedown,a,tab,right,right,S", ["--random", "30", "--view", "scatter", "--seed", "9"]),
        ("a,pagedown,b,tab,right,tab,tab,r,tab,e,s", ["--random", "30", "--view", "scatter"]),
    ],
)
def test_a_saved_frame_is_made_again_bit_by_bit_without_its_file(keys: str, flags: list[str], path: Path) -> None:
    out = path.parent / "out"
    played(path, keys, *flags)
    (saved,) = out.iterdir()
    file = path.with_name("m.directions.json")
    if file.exists():
        file.write_text(file.read_text().replace('"fur"', '"other"'))  # what is there by then makes no difference
    again = path.parent / "again"
    command = ["latent", str(path), "--display", "none", "--from", str(saved), "--out", str(again)]
    assert main([*command, "--keys", keys[-1]]) == 0
    (replayed,) = again.iterdir()
    assert replayed.read_bytes() == saved.read_bytes()


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"directions": {"fur": [1, 2]}}, "direction 'fur' is 2 numbers, expected a list of 4"),
        ({"directions": 3}, "directions are int"),
        ({"axes": ["gone", 1]}, "axes are ['gone', 1]"),
        ({"slider": "gone"}, "slider is gone"),
        ({"groups": [[0], [99]]}, "groups are [[0], [99]]"),
        ({"groups": [[0]]}, "groups are [[0]]"),
        ({"groups": 5}, "groups are 5"),
        ({"method": ["LDA"]}, "damaged"),
        ({"random": [0, 10**9]}, "random is [0, 1000000000]"),
        ({"random": "x"}, "random is x"),
        ({"point": {"seed": 1, "moves": [["gone", 1]]}}, "a point is"),
    ],
)
def test_a_hostile_recipe_is_one_line(
    change: dict[str, object], expected: str, path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    played(path, "d,type:fur,enter,s")
    (saved,) = (path.parent / "out").iterdir()
    hostile = path.parent / "hostile.png"
    hostile.write_bytes(encode_png(np.zeros((4, 4, 3), np.uint8), read_recipe(saved) | change))
    assert main(["latent", str(path), "--display", "none", "--from", str(hostile)]) == 2
    error = capsys.readouterr().err
    assert expected in error
    assert error.count("\n") == 1


def test_a_point_stays_where_it_is_as_directions_change() -> None:
    space = Space(Latent(size=3), np.eye(3)[:1] * 2, np.ones(3), {"a": np.array([0, 1.0, 1.0])})
    point = Point(4, ((0, 1.5), (1, -1.0), (4, 0.25)))  # along a, principal 1, z3
    here = space.exact(point)
    for new in (
        with_name(space, "b", np.array([1.0, 1, 1])),
        with_name(space, "a", np.array([0, 0, 3.0])),
        with_name(with_name(with_name(space, FOUND, np.ones(3)), "b", np.ones(3)), "a", np.ones(3)),
    ):
        there = new.adopted(point, space)
        assert np.allclose(new.exact(there), here, atol=1e-12)
        assert all(0 <= axis < new.count for axis, _ in there.moves)
    kept = with_name(space, "b", np.ones(3))
    assert kept.adopted(point, space).moves == ((0, 1.5), (2, -1.0), (5, 0.25))
    with pytest.raises(ValueError, match="leads nowhere"):
        space.scaled(np.zeros(3))


def test_the_small_sliders_beside_the_plane_drag(path: Path) -> None:
    session, _, _ = played(path, "")
    state = session.state
    axis, row = state.gauges()[2]
    track = gauge_track(row)
    x, y = track.left + 3 * track.width // 4, row.top + 5
    for keys, value in ((f"click:{x}:{y}", 2.0), (f"drag:{x}:{y}:{track.left - 90}:{y + 200}", -4.0)):
        for event in parse_keys(keys):
            state = state.after(event)
        assert float(state.space.coordinates(state.space.exact(state.point), axis)) == pytest.approx(value, abs=0.06)
        state = replace(state.after(parse_keys("tab")[0]), view="plane")
        assert state.held is None
    before = state.point
    for event in parse_keys(f"click:{row.left + 2}:{y},drag:{x}:{y + 400}:{x}:{y},move:{x}:{y}"):
        state = state.after(event)  # on its name, from elsewhere, without a button: it stays
    assert state.point == before


def test_an_earlier_page_keeps_the_names_of_now_and_keys_type_while_a_line_is_typed(path: Path) -> None:
    session, _, _ = played(path, "r,i,d,type:huq?,enter,backspace,u", "--seed", "3")
    assert "huq?" in session.state.space.named
    assert session.state.view == "plane"
    assert session.state.seed == 3
