"""A line of text that a user types, key by key, on any display and from scripted keys."""

from typing import Final, NamedTuple

from viewer.keys import Action, Event

LONGEST: Final = 64  # characters


class TextEntry(NamedTuple):
    """A question, and what has been typed in answer to it."""

    question: str
    text: str = ""

    def after(self, event: Event) -> "TextEntry":
        """The entry after an event: a key that types adds its character, Backspace takes the last one away."""
        if event.text and len(self.text) < LONGEST:
            return self._replace(text=self.text + event.text)
        if event.action is Action.BACK and not event.text:
            return self._replace(text=self.text[:-1])
        return self

    @property
    def line(self) -> str:
        """The entry as it is shown."""
        return f"{self.question}: {self.text}_"
