"""How much fine detail is added to images: plain values, and the keys that change them."""

from dataclasses import dataclass, replace
from typing import Final

from viewer.keys import Action, Event

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

    @property
    def words(self) -> str:
        """As it is shown."""
        return f"{self.name} {self.value:.3g}"

    def at(self, value: float) -> "Gain":
        """The place nearest to a value."""
        return replace(self, place=min(range(len(self.scale)), key=lambda place: abs(self.scale[place] - value)))

    def after(self, event: Event) -> "Gain | None":
        """The gain after an event; ``None`` where it has another meaning."""
        step = {Action.MORE: 1, Action.LESS: -1}.get(event.action)
        if step is None:
            return None
        return replace(self, place=min(max(self.place + step, 0), len(self.scale) - 1))


DETAIL: Final = Gain(_STRENGTHS, _STRENGTHS.index(1.0), "gain")  # 0, then 1/8 to 128
SHARPENING: Final = Gain(_BLENDS, 2, "sharpening")  # the share of the sharpened image, 0 to 1
