"""Play with exported image generators from Python: NumPy in, NumPy out, no torch.

>>> import utsuroi
>>> cats = utsuroi.load()  # the built-in model; or load("cats.onnx")
>>> images = cats.sample(4, seed=0)
>>> images.shape, images.dtype
((4, 128, 128, 3), dtype('uint8'))

Images are RGB, u8 [n, height, width, 3]; latents f32 [n, size]. The same seed gives the same images, to the bit, as
``python -m viewer grid`` shows and saves.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from utsuroi.arrays import Images
    from utsuroi.models import Denoiser, Encoder, Generator, Model, Translator, UtsuroiError, load

__version__ = "0.1.0"
__all__ = ["Denoiser", "Encoder", "Generator", "Images", "Model", "Translator", "UtsuroiError", "__version__", "load"]


def __getattr__(name: str) -> Any:
    """The public names, imported when they are first used: the command line begins without NumPy."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from utsuroi.siblings import hidden

    if hider := hidden():
        raise ImportError(hider)
    found = getattr(import_module("utsuroi.arrays" if name == "Images" else "utsuroi.models"), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return __all__
