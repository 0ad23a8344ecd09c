"""The table of times to one quality, and curves as images."""

import json
import math
import statistics
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from quality.tasks import MEASURES, TASKS
from viewer.frame.area import Area
from viewer.frame.charts import axis_ticks, draw_curve, fraction_of, short, trace
from viewer.frame.plots import GROUND, blank, colour_of, frame_round, legend
from viewer.labels import painted, write

Curve = list[tuple[float, float]]  # CPU-seconds, error; falling errors, each the best so far


def best_so_far(rows: Iterable[Mapping[str, Any]]) -> Curve:
    """The points of a run at which it was better than ever before."""
    curve: Curve = []
    for row in rows:
        error = math.inf if row["error"] is None else row["error"]
        if error < (curve[-1][1] if curve else math.inf):
            curve.append((row["seconds"], error))
    return curve


def envelope(curves: Sequence[Curve]) -> Curve:
    """The best of several curves at each moment."""
    points = sorted(point for curve in curves for point in curve)
    return best_so_far({"seconds": seconds, "error": error} for seconds, error in points)


def seconds_to(curve: Curve, error: float) -> float:
    """When a curve reaches an error, between its points by the logarithms of both; infinite where it never does."""
    for (before, worse), (after, better) in zip([(0.0, math.inf), *curve], curve, strict=False):
        if better <= error:
            if not before or min(error, better) <= 0:
                return after
            part = math.log(worse / error) / math.log(worse / better)
            return before * (after / before) ** part
    return math.inf


def read(out: Path) -> dict[str, dict[str, dict[int, list[dict[str, Any]]]]]:
    """Rows of curves by family, side and seed."""
    found: dict[str, dict[str, dict[int, list[dict[str, Any]]]]] = {}
    for path in sorted((out / "curves").glob("*.json")):
        job = json.loads(path.read_text(encoding="utf-8"))
        found.setdefault(job["family"], {}).setdefault(job["side"], {})[job["seed"]] = job["rows"]
    return {family: found[family] for family in TASKS if family in found}


def spread(values: Sequence[float], digits: str = ".3g") -> str:
    """Median, and least and largest where there are several."""
    median = statistics.median(values)
    if math.isinf(median):
        return "never"
    ends = f" ({min(values):{digits}}–{max(values):{digits}})" if len(values) > 1 else ""
    return f"{median:{digits}}{ends}"


def table(out: Path) -> list[str]:
    """Lines of Markdown: for each family its error at the end on both sides, the best plain variant, and how many times
    sooner ours has the error that the plain side ends with, and the one that it has after a quarter of the time."""
    lines = [
        "| | measured | plain at the end | by | ours at the end | sooner there | at a quarter of the time |",
        "|---|---|---|---|---|---|---|",
    ]
    for family, sides in read(out).items():
        seeds = sorted(sides.get("ours", {}))
        plains = {name: runs for name, runs in sides.items() if name.startswith("plain-")}
        ends: dict[str, list[float]] = {"plain": [], "ours": [], "last": [], "quarter": []}
        winners = []
        for seed in seeds:
            curves = {name: best_so_far(runs[seed]) for name, runs in plains.items() if runs.get(seed)}
            ours = best_so_far(sides["ours"][seed])
            both = envelope(list(curves.values()))
            if not ours or not both:
                continue
            winners.append(min(curves, key=lambda name: curves[name][-1][1] if curves[name] else math.inf))
            quarter = max(row["seconds"] for row in sides["ours"][seed]) / 4
            early = [error for seconds, error in both if seconds <= quarter * 1.1] or [both[0][1]]
            ends["plain"].append(both[-1][1])
            ends["ours"].append(ours[-1][1])
            for name, error in (("last", both[-1][1]), ("quarter", early[-1])):
                reached = seconds_to(ours, error)
                ends[name].append(seconds_to(both, error) / reached if reached < math.inf else math.inf)
        if not winners:
            continue
        never = [name for name in ("last", "quarter") if any(map(math.isinf, ends[name]))]
        cells = [spread([0.0 if math.isinf(value) else value for value in ends[name]]) for name in ("last", "quarter")]
        cells = [
            f"behind in {sum(map(math.isinf, ends[name]))} of {len(ends[name])}" if name in never else cell
            for name, cell in zip(("last", "quarter"), cells, strict=True)
        ]
        winner = statistics.mode(winners).removeprefix("plain-")
        measure = TASKS[family].measure
        lines.append(
            f"| {family} | {measure} | {spread(ends['plain'], '.4g')} | {winner} | {spread(ends['ours'], '.4g')} "
            f"| {cells[0]} | {cells[1]} |"
        )
    measures = dict.fromkeys(TASKS[family].measure for family in read(out))
    return [*lines, "", *(f"- {name}: {MEASURES[name]}" for name in measures)]


def draw(family: str, sides: Mapping[str, Mapping[int, Sequence[Mapping[str, Any]]]], path: Path) -> None:
    """Curves of a family, a colour a side, a line a seed, both axes logarithmic."""
    frame = blank(520, 900)
    area = Area(90, 44, 560, 400)
    frame[area.pixels] = GROUND
    curves = {
        name: [[(row["seconds"], row["error"]) for row in rows if row["error"] is not None] for rows in runs.values()]
        for name, runs in sides.items()
    }
    points = [point for runs in curves.values() for run in runs for point in run if point[1] > 0]
    if not points:
        return
    seconds, errors = ([point[place] for point in points] for place in (0, 1))
    across, up = (min(seconds) / 1.1, max(seconds) * 1.1), (min(errors) / 1.05, max(errors) * 1.05)
    for low, high, horizontal in ((*across, True), (*up, False)):
        for tick in axis_ticks(low, high, 6, logarithmic=True):
            place = float(fraction_of(np.array([tick]), (low, high), True)[0])
            if horizontal:
                x = area.left + place * area.width
                cv2.line(frame, (round(x), area.top), (round(x), area.bottom), (52, 48, 46), 1)
                write(frame, x, area.bottom + 16, f"{short(tick)} s", anchor="middle")
            else:
                y = area.bottom - place * area.height
                cv2.line(frame, (area.left, round(y)), (area.right, round(y)), (52, 48, 46), 1)
                write(frame, area.left - 8, y, short(tick), anchor="right")
    names = sorted(curves, key=lambda name: (not name.startswith("ours"), name))
    for number, name in enumerate(names):
        for run in curves[name]:
            x, y = (np.array([point[place] for point in run if point[1] > 0]) for place in (0, 1))
            if len(x):
                lines = trace(fraction_of(x, across, True), fraction_of(y, up, True), area)
                draw_curve(frame, area, lines, colour_of(number, len(names)), 3 if name == "ours" else 1)
    frame_round(frame, area)
    write(frame, 20, 20, f"{family}: {MEASURES[TASKS[family].measure]}")
    write(frame, (area.left + area.right) / 2, area.bottom + 40, "CPU-seconds of training, one core", anchor="middle")
    legend(
        frame, Area(area.right + 16, area.top, 220, 24 * len(names)),
        [(name, colour_of(number, len(names))) for number, name in enumerate(names)],
    )  # fmt: skip
    cv2.imwrite(str(path), painted(frame))


def write_report(out: Path) -> str:
    """Write report.md and a PNG of each family into ``out``; returns the table."""
    found = read(out)
    for family, sides in found.items():
        draw(family, sides, out / f"{family}.png")
    text = "\n".join(table(out)) + "\n"
    (out / "report.md").write_text(text, encoding="utf-8")
    return text
