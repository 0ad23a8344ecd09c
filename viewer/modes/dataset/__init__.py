"""The dataset mode: pages of a data set, to look through and to mark images."""

from typing import TYPE_CHECKING

from viewer.bindings import Binding, merged
from viewer.keys import Action
from viewer.mode import Context, Mode
from viewer.modes.dataset.options import DatasetOptions

if TYPE_CHECKING:
    from viewer.modes.dataset.session import DatasetSession


class Dataset(Mode):
    """``python -m viewer dataset``."""

    summary = "pages of a data set, to look through and to mark images"
    Options = DatasetOptions
    bindings = merged(
        Binding("Tab", "the next of several files", (Action.NEXT_VIEW,)),
        Binding("[ ]", "the marked image before, the next", after="arrows, click"),
        Binding("d", "mark the selected image, take its mark away", after="S"),
        Binding("0-9 Enter", "to the image of this number", after="S"),
        Binding("Enter", "the selected image alone, large; the page", after="S"),
        Binding("c, 0-9 c", "only the class of the selected image, or all; the class of this number", after="S"),
        Binding("n p", "only the next class, the one before", after="r"),
        words={
            "arrows, click": "move the cursor; at the edge of a page, to the next one",
            "PageUp PageDown Home End": "the page before, the next; Home, End: the first image, the last",
            "r": "to a random image",
            "Space": "the next page",
            "any other key": "the next page",
        },
        without=("i", "+ -"),
    )

    def open(self, options: DatasetOptions, context: Context) -> "DatasetSession":
        """The session to show. Raises ``ViewerError``."""
        from viewer.modes.dataset.session import open_dataset

        return open_dataset(options)


MODE = Dataset()
