"""The state of the upscale mode: which image, which part of it at what size, where the divider is."""

from dataclasses import dataclass, replace
from typing import Final

from viewer.keys import Action, Event
from viewer.sheet import STEPS

VIEW: Final = (960, 640)  # width and height of the frame at most, in pixels
_SMALLEST, _LARGEST = -5, 5  # powers of two: frame pixels a result's pixel
_DIVIDER_STEP: Final = 0.05
_PAN: Final = 1 / 8  # of the frame, that an arrow moves it


@dataclass(frozen=True)
class UpscaleState:
    """A part of an image, on the left enlarged plainly, on the right by the model."""

    count: int  # images there are
    index: int = 0  # of the one that is shown
    width: int = 1  # of its result, in pixels
    height: int = 1
    view: tuple[int, int] = VIEW  # width and height of the frame, in pixels
    zoom: int = 0  # 2 to this power frame pixels are a pixel of the result
    across: float = 0.5  # what is in the middle of the frame, in pixels of the result
    down: float = 0.5
    divider: float = 0.5  # fraction of the frame that shows the plain side
    nearest: bool = False  # the plain side shows its pixels, instead of a bicubic curve through them
    grip: tuple[int, int] | None = None  # where the right button holds the image, in frame pixels

    @property
    def scale(self) -> float:
        """Frame pixels a pixel of the result."""
        return float(2.0**self.zoom)

    @property
    def corner(self) -> tuple[float, float]:
        """What is at the frame's upper left corner, in pixels of the result."""
        width, height = self.view
        return self.across - width / self.scale / 2, self.down - height / self.scale / 2

    def after(self, event: Event) -> "UpscaleState":
        """The state after an event."""
        match event.action:
            case Action.PAGE_DOWN:
                return replace(self, index=(self.index + 1) % self.count)
            case Action.PAGE_UP:
                return replace(self, index=(self.index - 1) % self.count)
            case Action.HOME:
                return replace(opened(self, self.height, self.width), divider=0.5)
            case Action.LEFT | Action.RIGHT | Action.UP | Action.DOWN:
                return _arrow(self, event.action)
            case Action.CLICK | Action.DRAG:
                return replace(self, divider=min(max(event.x / max(self.view[0] - 1, 1), 0.0), 1.0))
            case Action.SECOND_CLICK:
                return replace(self, grip=(event.x, event.y))
            case Action.SECOND_DRAG if self.grip is not None:
                across = self.across + (self.grip[0] - event.x) / self.scale
                down = self.down + (self.grip[1] - event.y) / self.scale
                return replace(_inside(self, across, down), grip=(event.x, event.y))
            case Action.SECOND_RELEASE:
                return replace(self, grip=None)
            case Action.MORE | Action.WHEEL_UP:
                return _zoom(self, 1, event)
            case Action.LESS | Action.WHEEL_DOWN:
                return _zoom(self, -1, event)
            case Action.NEW if event.key in ("[", "]"):
                return _slide(self, -1 if event.key == "[" else 1)
            case Action.NEW | Action.PAUSE:
                return replace(self, nearest=not self.nearest)
            case _:
                return self


def opened(state: UpscaleState, height: int, width: int) -> UpscaleState:
    """The state where the result of the image turns out to be of this size: all of it if it fits, else its middle."""
    zoom = 0
    while zoom < _LARGEST and width * 2 ** (zoom + 1) <= VIEW[0] and height * 2 ** (zoom + 1) <= VIEW[1]:
        zoom += 1
    view = min(width << zoom, VIEW[0]), min(height << zoom, VIEW[1])
    return replace(
        state, width=width, height=height, view=view, zoom=zoom, across=width / 2, down=height / 2, grip=None
    )


def _arrow(state: UpscaleState, action: Action) -> UpscaleState:
    """The view moves where there is more than it shows; else the divider does."""
    down, across = STEPS[action]
    width, height = state.view
    if width / state.scale >= state.width and height / state.scale >= state.height:
        return _slide(state, across)
    step = _PAN / state.scale
    return _inside(state, state.across + across * width * step, state.down + down * height * step)


def _slide(state: UpscaleState, steps: int) -> UpscaleState:
    return replace(state, divider=min(max(round(state.divider + steps * _DIVIDER_STEP, 6), 0.0), 1.0))


def _zoom(state: UpscaleState, steps: int, event: Event) -> UpscaleState:
    """What is below the mouse stays there; without a mouse, what is in the middle."""
    least = 0  # nothing is gained by an image that is smaller than the frame needs
    while least > _SMALLEST and (state.width * 2.0**least > VIEW[0] or state.height * 2.0**least > VIEW[1]):
        least -= 1
    zoom = min(max(state.zoom + steps, least), _LARGEST)
    if zoom == state.zoom:
        return state
    left, top = state.corner
    x, y = (event.x, event.y) if event.x >= 0 else (state.view[0] / 2, state.view[1] / 2)
    place = left + x / state.scale, top + y / state.scale
    whole = (max(round(length * 2.0**zoom), 1) for length in (state.width, state.height))
    width, height = (min(length, most) for length, most in zip(whole, VIEW, strict=True))  # no larger than the image
    after = replace(state, zoom=zoom, view=(width, height))
    across = place[0] + (width / 2 - min(x, width)) / after.scale
    down = place[1] + (height / 2 - min(y, height)) / after.scale
    return _inside(after, across, down)


def _inside(state: UpscaleState, across: float, down: float) -> UpscaleState:
    """The view over this place, or as near to it as the image goes."""
    places = []
    for place, side, frame in ((across, state.width, state.view[0]), (down, state.height, state.view[1])):
        half = min(frame / state.scale, side) / 2
        places.append(min(max(place, half), side - half))
    return replace(state, across=places[0], down=places[1])
