"""VAEs and GANs of high-pass images as files of fine detail.

python -m export high.pth --kind detail --low vae.pth -o detail.onnx
"""

from dataclasses import replace
from pathlib import Path

from torch import Tensor, nn

from export.given import Given
from export.importers import import_weights
from export.importers.base import Imported
from export.weights import read_weights
from trainer.contract.errors import UserError


def as_detail(imported: Imported, given: Given, path: Path) -> Imported:
    """A generator of high-pass images, middle grey where there is nothing, as one of what is added to others. Raises
    ``UserError`` where it does not go with the generator of ``given.low``."""
    generator = next((item for item in imported.exportables if item.kind == "generator"), None)
    if given.kind not in ("", "detail"):
        raise UserError(f"--kind {given.kind}: for --module FILE.py:Class; {path} says itself what it is")
    if not given.kind or generator is None or "label" in generator.inputs:
        found = ", ".join(item.kind for item in imported.exportables)
        raise UserError(f"{path}: makes {found}: --kind detail and --low are for generators of images without classes")
    remarks = [
        *imported.remarks,
        "middle grey is taken for no detail, as `trainer.data filter --kind highpass` writes it",
    ]
    if given.low is not None:
        low, _ = import_weights(read_weights(given.low))
        ours, theirs = (_measures(item) for item in (imported, low))
        if ours != theirs:
            raise UserError(f"{path}: has {ours}, expected {theirs}, those of --low {given.low}")
        remarks.append(f"--low {given.low}: {low.read_by}")
    detail = replace(generator, kind="detail", module=FromGrey(generator.module))
    return replace(imported, exportables=[detail], remarks=tuple(remarks))


def _measures(imported: Imported) -> str:
    latents = [item.card.latent.size for item in imported.exportables if item.kind == "generator" and item.card.latent]
    height, width = imported.spec.image_size
    return f"latents of {latents[0] if latents else 'no'} numbers and images of {width}x{height} px"


class FromGrey(nn.Module):
    """Images in 0..1, less middle grey."""

    def __init__(self, generator: nn.Module) -> None:
        super().__init__()
        self.generator = generator
        self.training = generator.training

    def forward(self, latent: Tensor) -> Tensor:
        return self.generator(latent).clamp(0, 1) - 0.5
