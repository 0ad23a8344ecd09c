"""Directions that are found between two groups of the scatter, and what is saved of a direction that gets a name."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np

from viewer.latents import Latents
from viewer.modes.latent.groups import Method, Separation, separate
from viewer.modes.latent.scatter import Encoded
from viewer.modes.latent.space import Numbers, Space
from viewer.modes.latent.state import Groups, LatentState
from viewer.worker import Worker

FOUND: Final = "A to B"  # the name of a direction between groups, until it gets another

Key = tuple[Groups, Method]


@dataclass(frozen=True)
class Search:
    """Two groups between which a direction is sought."""

    key: Key
    groups: tuple[Latents, Latents]  # [n, d], [m, d]


class Finder:
    """Finds the direction between the groups of a state, in a thread of its own, and knows the last one."""

    def __init__(self) -> None:
        self._worker: Worker[Search, Separation | None] = Worker(_found)
        self._asked: Key | None = None
        self._last: tuple[Key, Separation | None] | None = None

    def ask(self, state: LatentState, known: Encoded) -> None:
        """Seek the direction between the groups of a state, where neither is empty, unless that was asked for last.

        ``known``: points of the scatter."""
        key = state.groups, state.method
        if not all(state.groups) or key == self._asked:
            return
        self._asked = key
        first, second = (known.latents[np.isin(known.points, list(group))] for group in state.groups)
        if len(first) and len(second):
            self._worker.ask(Search(key, (first, second)))

    def take(self) -> Separation | None:
        """A direction that was found since the last call, if it is of the groups as they are now."""
        new = None
        for answer in self._worker.take():
            if answer.request.key == self._asked:
                new = answer.get()
                self._last = answer.request.key, new
        return new

    @property
    def busy(self) -> bool:
        """Whether something is being sought, or to be taken."""
        return self._worker.busy

    def wait(self) -> None:
        """Return when nothing is sought any more."""
        self._worker.wait()

    def close(self) -> None:
        """Stop work."""
        self._worker.close()

    def words(self, state: LatentState) -> Sequence[str]:
        """What was found between the groups of a state, in one line or none."""
        if self._last is None or self._last[0] != (state.groups, state.method) or not all(state.groups):
            return ()
        return (said(state.method, self._last[1]),)


def _found(search: Search) -> Iterator[Separation | None]:
    yield separate(*search.groups, search.key[1])


def said(method: Method, found: Separation | None) -> str:
    """How well a direction tells the groups apart, in words."""
    if found is None:
        return "A and B have the same mean"
    if found.accuracy is None:
        return f"{method}: too few points for a test"
    return f"{method}: {100 * found.accuracy:.0f} % right on held-out halves"


def in_groups(state: LatentState, found: Separation) -> LatentState:
    """The state with the direction that was found as one of its named ones; a first one has its slider chosen."""
    space = with_name(state.space, FOUND, rounded(state.space.scaled(found.direction)))
    there = state.in_space(space)
    return there if FOUND in state.space.named else there.on_slider(FOUND)


def with_name(space: Space, name: str, direction: Numbers) -> Space:
    """The space with a direction that was given a name; what has none yet comes after those that have."""
    named = {**space.named, name: direction}
    if FOUND in named:
        named[FOUND] = named.pop(FOUND)
    return replace(space, named=named)


def to_name(state: LatentState, up: bool, words: Sequence[str]) -> tuple[str, Numbers, str]:
    """Which direction a state would save: in words, one std long, and how it was made. ``up``: on the plane, the other
    axis. ``words``: of the finder. Raises ``ValueError`` with one line where there is none."""
    space, axis = state.space, state.chosen if state.view == "sliders" else state.axes[up]
    if state.view == "scatter" or (words and space.name(axis) == FOUND):
        if not words or FOUND not in space.named:
            raise ValueError("no direction yet: mark points as group A (key a) and B (key b)")
        counts = " and ".join(str(len(group)) for group in state.groups)
        return "the direction from group A to B", space.named[FOUND], f"{counts} points; {words[0]}"
    if state.view == "line":
        start, end = (space.exact(point) for point in state.line)
        return "the direction from A to B", space.scaled(end - start), "line from A to B"
    return f"the direction of {space.name(axis)}", space.scaled(space.direction(axis)), space.name(axis)


def entry_of(vector: Numbers, how: str, origin: Mapping[str, Any]) -> dict[str, Any]:
    """What is saved of a direction. ``origin``: the model that it was found in."""
    return {"direction": vector.tolist(), "how": how, **({"model": dict(origin)} if origin else {})}


def rounded(vector: Numbers) -> Numbers:
    """A vector as it is saved: seven digits, as latents have them."""
    return np.array([float(f"{number:.7g}") for number in vector])
