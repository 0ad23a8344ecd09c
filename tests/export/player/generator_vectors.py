"""What the viewer's functions give, for the tests of their copies in the browser player (export/web/src).

    python -m tests.export.player.generator_vectors

writes it to ``export/web/tests/vectors/generator.json``, which is committed; ``test_generator_vectors.py`` looks
whether it still is what the functions give.
"""

import json
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Final, cast

import numpy as np

from export.card import Card, Latent, Port
from viewer import latents
from viewer.keys import NAMES, Action, Event, decode_character
from viewer.latents import Walk
from viewer.model import Model
from viewer.modes.animate.session import LEG_TICKS, AnimateState, advance
from viewer.modes.latent.groups import separate
from viewer.modes.latent.layout import make_layout
from viewer.modes.latent.plan import plan_of
from viewer.modes.latent.recipe import recipe_of
from viewer.modes.latent.space import Point, Space, space_of
from viewer.modes.latent.state import LatentState, begin
from viewer.sessions.classes import Classes
from viewer.sessions.generator_page.session import GridState, page_latents
from viewer.sessions.sheet_state import DETAIL, SHARPENING, Gain
from viewer.sheet import Sheet
from viewer.state import LAST_SEED

VECTORS: Final = Path(__file__).parents[3] / "export" / "web" / "tests" / "vectors" / "generator.json"
NORMAL: Final = Latent(size=5, mean=(0.5, -0.25, 0.0, 1.0, 2.0))
UNIFORM: Final = Latent(size=4, prior="uniform")
SAMPLES: Final = np.random.default_rng(1).standard_normal((4, 5)).astype(np.float32)
_KEYS: Final = "sSir+-n pcmM0129[]uxyXYleEaq,"
_NAMES: Final = (
    "left", "right", "up", "down", "pageup", "pagedown", "home", "end", "space", "enter", "backspace", "tab",
)  # fmt: skip


def vectors() -> dict[str, Any]:
    """All of it, as JSON has it."""
    return {
        "random": _random(),
        "interpolation": _interpolation(),
        "walks": _walks(),
        "cells": _cells(),
        "grids": [_grid(number) for number in range(6)],
        "pages": _pages(),
        "animations": [_animation(number) for number in range(3)],
        "layouts": _layouts(),
        "spaces": _spaces(),
        "latent": [_latent(number) for number in range(6)],
        "groups": _groups(),
    }


def _rows(numbers: Any) -> Any:
    return np.asarray(numbers).tolist()


def _random() -> list[Any]:
    return [
        {"prior": prior, "size": size, "seed": str(seed), "index": index,
         "latent": _rows(latents.draw(Latent(size=size, prior=prior), seed, index))}
        for prior in ("normal", "uniform")
        for size, seed, index in ((1, 0, 0), (5, 7, 3), (20, 123456789, 47), (3, LAST_SEED, (3 << 32) + 9))
    ]  # fmt: skip


def _interpolation() -> dict[str, Any]:
    corners = latents.draw_many(NORMAL, 3, range(4))
    start, end = corners[:2]
    fractions = (0.0, 0.1, 0.5, 0.77, 1.0)
    return {
        "mean": NORMAL.mean,
        "samples": _rows(SAMPLES),
        "mixes": {str(seed): _rows(latents.mix(SAMPLES, seed, range(6))) for seed in (0, 99, LAST_SEED)},
        "truncated": {
            str(amount): _rows(latents.truncate(NORMAL, corners, amount)) for amount in (0.0, 0.3, 1.0, 1.9)
        },
        "truncated_uniform": _rows(latents.truncate(UNIFORM, latents.draw_many(UNIFORM, 3, range(4)), 1.7)),
        "lerp": {str(fraction): _rows(latents.lerp(start, end, fraction)) for fraction in fractions},
        "slerp": {str(fraction): _rows(latents.slerp(start, end, fraction)) for fraction in fractions},
        "slerp_opposite": _rows(latents.slerp(start, -start, 0.25)),
        "bilinear": {f"{rows} {columns}": _rows(latents.bilinear(corners, rows, columns))
                     for rows, columns in ((1, 1), (1, 3), (3, 4))},
    }  # fmt: skip


def _walks() -> list[Any]:
    walks = [
        Walk(NORMAL, 4), Walk(NORMAL, 4, straight=True), Walk(NORMAL, 5, legs=3), Walk(NORMAL, 5, legs=2, number=7),
        Walk(UNIFORM, 1, straight=True, legs=4, number=1), Walk(Latent(size=1), 2),
    ]  # fmt: skip
    positions = [0.0, 0.01, 0.5, 1.0, 1.25, 2.999, 3.0, 7.6]
    return [
        {"size": walk.latent.size, "prior": walk.latent.prior, "seed": str(walk.seed), "straight": walk.straight,
         "legs": walk.legs, "number": walk.number, "positions": positions,
         "latents": [_rows(walk.at(position)) for position in positions]}
        for walk in walks
    ]  # fmt: skip


def _cells() -> list[Any]:
    sheet = Sheet(3, 4, 30, 20, 2)
    return [
        [x, y, sheet.cell_at(x, y) if sheet.cell_at(x, y) is not None else -1]
        for x in (-1, 0, 1, 2, 31, 32, 33, 34, 129, 130)
        for y in (0, 23, 24, 67, 68)
    ]


# States: what a script of keys leads to, key by key.


def _script(number: int, count: int = 90) -> list[Event]:
    """Keys drawn at random, the same every time."""
    draw, events = random.Random(number), list[Event]()
    while len(events) < count:
        name = draw.choice([*_KEYS, *_NAMES])
        event = NAMES[name] if name in NAMES else decode_character(name)
        if event is not None and event.action not in (Action.BACK, Action.LEAVE, Action.SAVE, Action.SAVE_ALL):
            events.append(event)
    return events


def _event(event: Event, **more: Any) -> dict[str, Any]:
    found: dict[str, Any] = {"action": event.action.name}
    return found | ({"key": event.key} if event.key else {}) | more


def _classes(classes: Classes) -> dict[str, Any]:
    return {"count": classes.count, "label": classes.label, "byRow": classes.by_row}


def _sheet_state(state: GridState | AnimateState) -> dict[str, Any]:
    return {
        "seed": str(state.seed), "cursor": state.cursor, "classes": _classes(state.classes),
        "gain": None if state.gain is None else state.gain.value,
    }  # fmt: skip


def _sheet(sheet: Sheet) -> dict[str, int]:
    return {
        "rows": sheet.rows, "columns": sheet.columns, "cellWidth": sheet.cell_width, "cellHeight": sheet.cell_height,
        "gap": sheet.gap,
    }  # fmt: skip


def _changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, Any]:
    """What differs after an event: all of it would be a file of megabytes."""
    return {name: value for name, value in after.items() if before[name] != value}


def _steps(state: Any, events: Sequence[Event], said: Callable[[Any], Mapping[str, Any]]) -> list[Any]:
    steps = []
    for event in events:
        before, state = said(state), state.after(event)
        place = {"x": event.x, "y": event.y} if event.action is Action.CLICK else {}
        steps.append([_event(event, **place), _changes(before, said(state))])
    return steps


def _grid_said(state: GridState) -> dict[str, Any]:
    return {**_sheet_state(state), "mode": state.mode, "truncationSteps": state.truncation_steps}


def _gains() -> tuple[Gain | None, ...]:
    return None, DETAIL, SHARPENING


def _grid(number: int) -> dict[str, Any]:
    sheet = Sheet(3, 4, 30, 20, 2)
    classes = Classes((0, 3, 12)[number % 3], min(number % 3, 1))
    seed = (0, LAST_SEED)[number % 2]
    state = GridState(sheet, can_mix=number > 2, seed=seed, classes=classes, gain=_gains()[number // 2])
    events = _script(number)
    events[10::15] = [Event(Action.CLICK, 7 * place, 5 * place) for place in range(len(events[10::15]))]
    return {
        "sheet": _sheet(sheet), "canMix": state.can_mix, "first": _grid_said(state),
        "gainName": None if state.gain is None else state.gain.name, "steps": _steps(state, events, _grid_said),
    }  # fmt: skip


def _pages() -> list[Any]:
    model = cast(Model, SimpleNamespace(latent=NORMAL, samples=SAMPLES))
    encoded = np.arange(5, dtype=np.float32)
    return [
        {"mode": mode, "seed": str(seed), "rows": rows, "columns": columns, "truncationSteps": steps,
         "encoded": None if start is None else _rows(start),
         "latents": _rows(page_latents(model, mode, seed, rows, columns, steps / 10, start))}
        for mode in ("random", "interpolation", "mix")
        for seed, rows, columns, steps, start in ((0, 2, 3, 10, None), (LAST_SEED, 3, 2, 7, encoded))
    ]  # fmt: skip


def _animation(number: int) -> dict[str, Any]:
    def said(state: AnimateState) -> dict[str, Any]:
        return {
            **_sheet_state(state), "position": state.position, "speed": state.speed, "paused": state.paused,
            "straight": state.straight, "legs": state.legs,
        }  # fmt: skip

    sheet = Sheet(1, 2, 30, 20, 2)
    state = first = AnimateState(sheet, 5, straight=number == 1, legs=number, seed=3, gain=_gains()[number],
                                 classes=Classes((0, 3, 12)[number]))  # fmt: skip
    steps: list[Any] = []
    for event in _script(100 + number):
        before, state = said(state), advance(state.after(event), 2)
        steps.append([_event(event), _changes(before, said(state))])
    walk = Walk(NORMAL, state.seed, state.straight, state.legs, 1)
    return {
        "sheet": _sheet(sheet), "first": said(first), "gainName": None if state.gain is None else state.gain.name,
        "steps": steps, "second": _rows(walk.at(state.position / LEG_TICKS)),
    }  # fmt: skip


# Latent space.


def _layouts() -> list[Any]:
    return [
        [height, width, rows, columns, scale, layout.rows, layout.columns, len(layout.stops), len(layout.sliders),
         layout.track_count]
        for height, width in ((64, 64), (128, 128), (28, 28), (96, 160), (1024, 1024), (33, 21))
        for rows, columns, scale in ((None, None, 1.0), (5, None, 1.0), (7, 9, 2.0), (None, 64, 0.5))
        for layout in (make_layout(height, width, rows, columns, scale),)
    ]  # fmt: skip


def _space(number: int) -> tuple[Card, Space]:
    """Spaces of a few kinds: with statistics and names, without, of two numbers, uniform."""
    draw = np.random.default_rng(number)
    size = (6, 2, 5, 4)[number]
    spread = draw.standard_normal((size, size))
    known = number in (0, 3)
    latent = Latent(
        size=size, prior="uniform" if number == 3 else "normal",
        mean=tuple(draw.standard_normal(size).tolist()) if known else (),
        covariance=tuple(map(tuple, (spread @ spread.T).tolist())) if known else (),
    )  # fmt: skip
    named = {
        "smile": tuple(spread[0].tolist()),
        "毛": tuple((spread[0] * 1e-9).tolist()),
        "age": tuple(spread[1].tolist()),
    }
    card = Card(
        kind="generator", family="vae", name="cats", inputs=(Port(name="latent", dtype="f32", shape=(None, size)),),
        output=Port(name="image", dtype="u8", shape=(None, 64, 64, 3)), image_size=(64, 64), latent=latent,
        directions=tuple(map(tuple, spread[2:].tolist())) if known else (),
        named_directions=named if number == 0 else {},
    )  # fmt: skip
    vectors = {name: np.array(vector) for name, vector in card.named_directions.items()}
    return card, space_of(card, latent, vectors)


def _space_said(card: Card) -> dict[str, Any]:
    assert card.latent is not None
    return {
        "size": card.latent.size, "prior": card.latent.prior, "mean": card.latent.mean,
        "covariance": card.latent.covariance, "directions": card.directions,
        "named": [[name, vector] for name, vector in card.named_directions.items()],
    }  # fmt: skip


def _point(point: Point) -> dict[str, Any]:
    return {"seed": None if point.seed is None else str(point.seed), "moves": [list(move) for move in point.moves]}


def _spaces() -> list[Any]:
    found = []
    for number in range(4):
        card, space = _space(number)
        pairs = [(0,), (space.count - 1,), (0, 1), (1, space.count - 1)]
        point = space.move(Point(9), pairs[2], (0.5, -1.25))
        values = np.array([[-1.0, 0.5], [0.0, 2.0]])
        other = replace(space, named={**space.named, "new": np.ones(card.latent.size) if card.latent else np.ones(1)})
        found.append({
            **_space_said(card),
            "names": [space.name(axis) for axis in range(space.count)],
            "refs": [space.ref(axis) for axis in range(space.count)],
            "point": _point(point), "exact": _rows(space.exact(point)),
            "coordinates": [float(space.coordinates(space.exact(point), axis)) for axis in range(space.count)],
            "moves": [[list(pair), _rows(space.exact(space.move(point, pair, (1.5, -0.5)[: len(pair)])))]
                      for pair in pairs],
            "spreads": [[list(pair), _rows(space.spread(point, pair, values[:, : len(pair)]))] for pair in pairs],
            "scaled": _rows(space.scaled(np.arange(1.0, space.latent.size + 1))),
            "adopted": _rows(other.exact(other.adopted(point, space))),
        })  # fmt: skip
    return found


def _latent_said(state: LatentState) -> dict[str, Any]:
    return {
        "axes": list(state.axes), "view": state.view, "seed": str(state.seed), "point": _point(state.point),
        "line": [_point(point) for point in state.line], "reach": state.reach, "stop": state.stop,
        "straight": state.straight, "alwaysStraight": state.always_straight, "chosen": state.chosen,
        "pressed": None if state.pressed is None else _point(state.pressed), "method": state.method,
        "rectangle": None if state.rectangle is None else list(state.rectangle), "classes": _classes(state.classes),
        "groups": [sorted(group) for group in state.groups],
    }  # fmt: skip


def _mouse(state: LatentState, draw: random.Random, action: Action) -> tuple[Event, dict[str, Any]]:
    """Something that the mouse does on the plane, or on the images of the line, and where that is."""
    on_line = state.view == "line" and action is Action.MOVE
    area = state.layout.line if on_line else state.stage
    x, y = draw.randrange(area.left - 9, area.right + 9), draw.randrange(area.top, area.bottom)
    if on_line:
        x = min(max(x, area.left), area.right - 1)
        return Event(action, x, y), {"part": "line", "across": (x - area.left) / area.width}
    across, down = area.fraction(x, y)
    return Event(action, x, y), {"part": "plane", "across": across, "down": down, "inside": area.holds(x, y)}


def _latent(number: int) -> dict[str, Any]:
    card, space = _space(number % 4)
    layout = make_layout(64, 64, *((None, None), (5, 7))[number % 2])
    first = replace(begin(space, layout, number), classes=Classes((0, 0, 0, 12, 3, 0)[number]))
    state, draw, steps = first, random.Random(number), list[Any]()
    for event in _script(200 + number, 120):
        if state.view != "sliders" and draw.random() < 0.4:
            drag = state.view == "scatter" and draw.random() < 0.5
            down, along = (Action.SECOND_CLICK, Action.SECOND_DRAG) if drag else (Action.CLICK, Action.DRAG)
            for action in (down, along, along, Action.RELEASE) if draw.random() < 0.7 else (Action.MOVE,):
                moved, place = _mouse(state, draw, action)
                before, state = _latent_said(state), state.after(moved)
                steps.append([_event(moved, at=place), _changes(before, _latent_said(state))])
        before, state = _latent_said(state), state.after(event)
        steps.append([_event(event), _changes(before, _latent_said(state))])
    marked = replace(state, view="scatter").marked(0, {1, 2, 3}).marked(1, {3, 4}).marked(0, {1})
    plan = plan_of(replace(state, view="line"), (1,))
    recipe: Any = recipe_of(marked)
    assert plan.main is not None
    return {
        "space": _space_said(card), "layout": [layout.rows, layout.columns], "first": _latent_said(first),
        "number": number, "steps": steps, "marked": _latent_said(marked),
        "recipe": {**recipe, "seed": str(recipe["seed"])}, "line": _rows(plan.main.latents()),
    }  # fmt: skip


def _groups() -> list[Any]:
    draw, found = np.random.default_rng(5), []
    for size, first, second in ((4, 9, 7), (6, 3, 2), (3, 1, 1), (5, 1, 40)):
        one = draw.standard_normal((first, size)).astype(np.float32)
        other = (draw.standard_normal((second, size)) + np.arange(size)).astype(np.float32)
        for method in ("LDA", "means"):
            separation = separate(one, other, cast(Any, method))
            assert separation is not None
            found.append({"first": _rows(one), "second": _rows(other), "method": method,
                          "direction": _rows(separation.direction)})  # fmt: skip
    return found


def text() -> str:
    """The file's contents: a line for each of the lists' items."""
    lines = []
    for name, value in vectors().items():
        items = value if isinstance(value, list) else [value]
        body = ",\n".join(json.dumps(item, ensure_ascii=True) for item in items)
        lines.append(f'"{name}": [\n{body}\n]' if isinstance(value, list) else f'"{name}": {body}')
    return "{\n" + ",\n".join(lines) + "\n}\n"


if __name__ == "__main__":
    VECTORS.parent.mkdir(parents=True, exist_ok=True)
    VECTORS.write_text(text())
