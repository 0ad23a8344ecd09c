"""The modes of the viewer, a package each: to add a mode is to add a package here.

Its module ``options`` imports nothing heavy. Its docstring begins with the summary of ``--help``, and it has

- ``Options``: a frozen dataclass with ``without_screen``, whether results are written and nothing is shown,
- ``BINDINGS``: the key table, see ``viewer.bindings.merged``, and ``MORE_BINDINGS``: others, by their headings,
- ``KIND`` of the models that it is at home with, as cards name it,
- ``OPENS``: what it opens where no mode is named: regular expressions over words for what the files are
  (``viewer.opening.WORDS``, a space between two), each with the words that go between the first file and the others,
  or before the files that a group named ``rest`` matches,
- ``SAVED``: what leads back to what it saved, by the word that ``mode`` begins with in the recipe: a flag for what the
  recipe says under a key, "" for one without a flag; the key "" stands for the image itself.

All but ``Options`` may be left out. ``session.open_session(options)`` is the session to show,
``headless.write(options)`` writes all results without a screen; a mode has one of them, or both. They raise
``UserError``.
"""

from viewer.mode import Mode, mode_names

__all__ = ["Mode", "mode_names"]
