"""The state of a sheet of images: a cursor, the class that is drawn, and how much fine detail is added."""

from abc import ABC, abstractmethod
from dataclasses import KW_ONLY, dataclass, replace
from typing import Any, Final, Self

from viewer.keys import Action, Event
from viewer.sessions.classes import NO_CLASSES, Classes
from viewer.sheet import Sheet
from viewer.state import next_seed

# Eyes compare ratios: every step adds a fifth, four of them double. 1 adds the detail as it was trained.
_STRENGTHS: Final = (0.0, *(2.0 ** (step / 4) for step in range(-12, 29)))
_BLENDS: Final = tuple(step / 10 for step in range(11))


@dataclass(frozen=True)
class Gain:
    """A place on a scale of strengths that begins with 0."""

    scale: tuple[float, ...]
    place: int
    name: str  # what it is a gain of, in a word

    @property
    def value(self) -> float:
        """What fine detail is multiplied by."""
        return self.scale[self.place]

    def at(self, value: float) -> "Gain":
        """The place nearest to a value."""
        return replace(self, place=min(range(len(self.scale)), key=lambda place: abs(self.scale[place] - value)))

    def after(self, event: Event) -> "Gain | None":
        """The gain after an event; ``None`` where it has another meaning."""
        step = {Action.MORE: 1, Action.LESS: -1}.get(event.action)
        return None if step is None else replace(self, place=min(max(self.place + step, 0), len(self.scale) - 1))


DETAIL: Final = Gain(_STRENGTHS, _STRENGTHS.index(1.0), "gain")  # 0, then 1/8 to 128
SHARPENING: Final = Gain(_BLENDS, 2, "sharpening")  # the fraction of the sharpened image, 0 to 1


@dataclass(frozen=True)
class SheetState(ABC):
    """A sheet of images with a cursor."""

    sheet: Sheet
    _: KW_ONLY
    seed: int = 0  # of the page, or of the walk
    cursor: int = 0  # the selected image, counted row by row
    classes: Classes = NO_CLASSES
    gain: Gain | None = None  # of what is added to the images; None: nothing is
    knob: Gain | None = None  # what a scalar input of the model is given; None: it has none

    def after(self, event: Event) -> Self:
        """The state after an event."""
        if (classes := self.classes.after(event)) is not None:
            return replace(self, classes=classes)
        if self.gain is not None and (gain := self.gain.after(event)) is not None:
            return replace(self, gain=gain)
        if self.gain is None and self.knob is not None and (knob := self.knob.after(event)) is not None:
            return replace(self, knob=knob)
        return self._after(event)

    def _switched(self, **mode: Any) -> Self:
        """In another mode, where the corners stay; the one that is on already gets new images."""
        other = replace(self, **mode)
        return replace(self, seed=next_seed(self.seed)) if other == self else other

    @abstractmethod
    def _after(self, event: Event) -> Self:
        """The state after an event that chooses neither a class nor a gain."""
