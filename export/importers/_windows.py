"""Windows put back together for any number of images.

Networks of window attention count images by ``int(windows / (h * w / size / size))``, which torch traces as the number
that it happens to be. The number of images is what is left over, so it need not be counted.
"""

import contextlib
import sys
from collections.abc import Iterator
from typing import Any, Final

from torch import Tensor, nn


def window_reverse(windows: Tensor, size: Any, *lengths: Any, dilation_rate: int = 1) -> Tensor:
    """Windows [n·k, size, size, c], or of (rows, columns), → [n, h, w, c]. ``lengths``: height and width."""
    rows, columns = (size, size) if isinstance(size, int) else size
    height, width = lengths[0] if len(lengths) == 1 else lengths[:2]
    return windows2img(windows, rows, columns, height, width)


def windows2img(img_splits_hw: Tensor, H_sp: Any, W_sp: Any, H: Any, W: Any) -> Tensor:
    """Windows [n·k, rows·columns, c] → [n, h, w, c]."""
    channels = img_splits_hw.shape[-1]
    grid = img_splits_hw.reshape(-1, H // H_sp, W // W_sp, H_sp, W_sp, channels)
    return grid.permute(0, 1, 3, 2, 4, 5).reshape(-1, H, W, channels)


_BETTER: Final = {function.__name__: function for function in (window_reverse, windows2img)}


@contextlib.contextmanager
def any_number_of_images(network: nn.Module) -> Iterator[None]:
    """Within, the modules that define a network's layers use these functions instead of their own of these names."""
    with contextlib.ExitStack() as stack:
        for module in {sys.modules[type(part).__module__] for part in network.modules()}:
            for name, better in _BETTER.items():
                own = vars(module).get(name)
                if own is not None and own is not better:
                    stack.callback(setattr, module, name, own)
                    setattr(module, name, better)
        yield
