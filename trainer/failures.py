"""Failures explained in one line: of a run that began well (memory, loader processes, other ranks, the disk), and of
files of weights."""

import contextlib
import re
from collections.abc import Iterator

from trainer.contract.errors import UserError
from trainer.exit_status import FAILED

_MEMORY = re.compile(r"out of memory|can't allocate memory|not enough memory|CUBLAS_STATUS_ALLOC_FAILED")
_LOADER = re.compile(r"DataLoader worker \(pid(?:\(s\))? ([\d, ]+)\)")
_RANKS = re.compile(
    r"connection (?:closed|reset|refused)|broken pipe|socket|timed? ?out|gloo|nccl|peer|TCPStore", re.IGNORECASE
)


class TrainingFailure(UserError):
    """End of a run: its exit code, and whether all ranks know of it, so that the main one alone says so."""

    def __init__(self, text: str, *, code: int = FAILED, on_all_ranks: bool = False) -> None:
        super().__init__(text)
        self.code, self.on_all_ranks = code, on_all_ranks


@contextlib.contextmanager
def reading_weights(source: str, what: str) -> Iterator[None]:
    """Raise ``UserError`` where ``what`` cannot be read from its source, or does not fit its network."""
    try:
        yield
    except OSError as error:
        raise UserError(f"{source}: {error.strerror or error}") from None
    except Exception as error:  # unpickling errors come in many kinds
        raise UserError(f"{source}: not {what}: {' '.join(str(error).split())[:200]}") from None


def explain(error: BaseException, ranks: int) -> str:
    """Explain an error in one line; an empty text where it can only be a defect of the program."""
    text = str(error)
    if isinstance(error, UserError):  # data that changed while they were read
        return text
    if isinstance(error, MemoryError) or _MEMORY.search(text):
        return "out of memory; a smaller --batch-size takes less, and with --accumulate learns the same"
    if isinstance(error, RuntimeError) and (loader := _LOADER.search(text)):
        return f"a loader process ({loader[1]}) was killed, often for lack of memory; fewer --workers take less"
    if isinstance(error, RuntimeError | ConnectionError) and ranks > 1 and _RANKS.search(text):
        return "lost contact with another process"
    if isinstance(error, OSError):
        return f"{error.filename or 'a file'}: {error.strerror or error}"
    return ""
