"""The state of the diffuse mode: whose noise, how many steps, which image."""

from dataclasses import dataclass, replace
from typing import Final, final

from viewer.keys import Action, Event
from viewer.sessions.sampling import Origin
from viewer.sessions.sheet_state import SheetState
from viewer.sheet import moved
from viewer.state import next_seed

MOST_STEPS: Final = 10_000
_LADDER: Final = (1, 2, 3, 5, 8, 10, 15, 20, 25, 35, 50, 75, 100, 150, 250, 500, 1000)  # that + and - climb


@final
@dataclass(frozen=True)
class DiffuseState(SheetState):
    """A page of images that come out of noise."""

    steps: int
    most_steps: int  # as many as there are from the start to no noise
    origin: Origin = "noise"
    interpolated: bool = False
    before: bool = False  # the images that a generator made are shown, not what became of them
    photos: int = 0  # that there are
    first: int = 0  # photograph of the page

    @property
    def count(self) -> int:
        """Images of the page."""
        return min(self.sheet.count, self.photos - self.first) if self.origin == "photographs" else self.sheet.count

    def _after(self, event: Event) -> "DiffuseState":
        match event.action:
            case Action.INTERPOLATE if self.origin != "photographs":
                return self._switched(interpolated=True)
            case Action.RANDOM:
                return self._switched(interpolated=False)
            case Action.MORE:
                more = next((steps for steps in _LADDER if steps > self.steps), self.most_steps)
                return replace(self, steps=min(more, self.most_steps))
            case Action.LESS:
                return replace(self, steps=max((steps for steps in _LADDER if steps < self.steps), default=1))
            case Action.NEXT_VIEW if self.origin == "generator":
                return replace(self, before=not self.before)
            case Action.PAGE_UP | Action.PAGE_DOWN if self.origin == "photographs":
                return _turn(self, 1 if event.action is Action.PAGE_DOWN else -1)
            case Action.PAGE_UP:
                return replace(self, seed=max(self.seed - 1, 0))
            case Action.NEW | Action.PAUSE | Action.PAGE_DOWN:
                return replace(self, seed=next_seed(self.seed))
            case _:
                return replace(self, cursor=min(moved(self.sheet, self.cursor, event), self.count - 1))


def _turn(state: DiffuseState, pages: int) -> DiffuseState:
    """To another page of photographs."""
    count = -(-state.photos // state.sheet.count)
    page = (state.first // state.sheet.count + pages) % count
    turned = replace(state, first=page * state.sheet.count)
    return replace(turned, cursor=min(state.cursor, turned.count - 1))
