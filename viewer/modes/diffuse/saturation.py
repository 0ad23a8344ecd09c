"""Pages that came to nothing: every image is noise of black and white, or of one colour at an end of the range."""

from typing import Final

import numpy as np

from viewer.model import Images
from viewer.sessions.sampling import Diffusion

# of what networks give that are asked in the wrong way: 0.8 to 0.9, and 130 levels; of digits 0.9, and 40 at most
_AT_ENDS: Final = 0.6  # fraction of levels that are 0 or 255
_ROUGH: Final = 90.0  # levels, mean difference of neighbours
_ALL_AT_ENDS, _FLAT = 0.9, 3.0  # the same fraction, and a standard deviation, of images of one colour


def is_saturated(images: Images) -> bool:
    """Whether all of some images [n, h, w, 3] are as good as nothing."""
    levels = images.reshape(len(images), -1)
    at_ends = ((levels == 0) | (levels == 255)).mean(axis=1)
    rough = np.abs(np.diff(images.astype(np.int16), axis=2)).mean(axis=(1, 2, 3))
    noise = (at_ends >= _AT_ENDS) & (rough >= _ROUGH)
    flat = (at_ends >= _ALL_AT_ENDS) & (levels.std(axis=1) < _FLAT)
    return bool(len(images) and (noise | flat).all())


def remark(diffusion: Diffusion, images: Images) -> str:
    """A sentence on a page of such images, with what may be the cause; empty for others."""
    if not is_saturated(images):
        return ""
    denoiser = diffusion.denoiser
    what = "all images are saturated, which means nothing was drawn"
    if denoiser.guidance > 1:
        return f"{what}: --guidance {denoiser.guidance:g} may be too much"
    if not denoiser.model.inferred:
        return f"{what}: its network may have learned too little yet, or diverged"
    taken = denoiser.schedule["prediction"]
    others = " or ".join(f"--prediction {one}" for one in ("epsilon", "v", "x0") if one != taken)
    return f"{what}: it may not predict {taken}, as is assumed (try {others}), or have another --schedule"
