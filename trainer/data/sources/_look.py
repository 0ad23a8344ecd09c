"""A look at some images of a set, for what the numbers of their pixels mean; see ``trainer.contract.levels``. No
torch."""

from trainer.contract.headers import Header
from trainer.contract.images import brightest_of, found_levels
from trainer.contract.levels import BITS, Levels, may_be_mask

LOOKED_AT = 32  # images, evenly spread over a set, that tell it
_MOST_PIXELS = 100_000_000  # of further 16-bit files, of which one bright one tells that all hold 16 bits: a second


class Look:
    """What the images of a set show, one after the other."""

    def __init__(self, count: int) -> None:
        """``count``: images of the set."""
        self.step = max(1, count // LOOKED_AT)
        self.few: list[bytes] = []  # of all kinds
        self.brightest, self.pixels = 0, 0  # of further 16-bit files
        self.deep, self.unseen = 0, 0  # files: of 16 bits that were looked at; that may be, and were not

    @property
    def wants_more(self) -> bool:
        """Whether a further 16-bit file could change what is found."""
        return self.brightest < 1 << max(BITS) and self.pixels < _MOST_PIXELS

    def is_one_of_few(self, number: int) -> bool:
        """Whether an image is one of those that are spread over the set."""
        return number % self.step == 0

    def add(self, number: int, data: bytes, header: Header) -> None:
        """An image by its number, as it is stored."""
        if self.is_one_of_few(number):
            self.deep += header.deep
            self.few.append(data)
        elif header.deep and self.wants_more:
            self.deep += 1
            self.pixels += header.width * header.height
            self.brightest = max(self.brightest, brightest_of(data, header))
        elif header.deep:
            self.unseen += 1

    def found(self) -> tuple[Levels, str]:
        """What the values mean, and what is to be said of it; nothing where they are as they are stored."""
        levels = found_levels(self.few, brightest=self.brightest)
        note = levels.note
        if self.deep and self.unseen and self.brightest < 1 << max(BITS) and not levels.ids:
            what = note or "16-bit files are taken as they are stored"
            note = (
                f"{what}; {self.deep:,} of {self.deep + self.unseen:,} were looked at: brighter ones among the others "
            )
            note += (
                "would not be stretched, --values 10 or 12 says what all are" if levels.bits < 16 else "are not dark"
            )
        return levels, note


def may_mean_more(header: Header | None) -> bool:
    """Whether a file's values can mean something else than they seem to."""
    return header is not None and bool(header.deep or may_be_mask(header))
