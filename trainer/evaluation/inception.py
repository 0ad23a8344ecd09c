"""Inception-v3, whose pooled features published Fréchet distances are measured in.

Szegedy et al. 2016, "Rethinking the Inception Architecture for Computer Vision"; Heusel et al. 2017. The weights are
those of 2015 that the literature uses, or torchvision's, whose distances do not compare with published ones.
"""

from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from trainer.contract.errors import UserError
from trainer.failures import reading_weights

ADDRESS = "https://github.com/mseitzer/pytorch-fid/releases/download/fid_weights/pt_inception-2015-12-05-6726825d.pth"
SIDE = 299  # pixels
CLASSES_OF_2015 = 1008
AVERAGED = ("Mixed_5b", "Mixed_5c", "Mixed_5d", "Mixed_6b", "Mixed_6c", "Mixed_6d", "Mixed_6e", "Mixed_7b")


class Inception(nn.Module):
    """Images [n, 1 or 3, h, w] in 0..1 → features [n, 2048]; frozen."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network.eval().requires_grad_(False)

    def forward(self, image: Tensor) -> Tensor:
        image = F.interpolate(image.expand(-1, 3, -1, -1), (SIDE, SIDE), mode="bilinear", align_corners=False)
        return self.network(2 * image - 1)


class Repooled(nn.Module):
    """A block with another pooling in its last branch, as the weights of 2015 were trained with."""

    def __init__(self, block: Any, pool: nn.Module) -> None:
        super().__init__()
        self.block: Any = block
        self.pool = pool

    def forward(self, value: Tensor) -> Tensor:
        *branches, _ = self.block._forward(value)
        return torch.cat([*branches, self.block.branch_pool(self.pool(value))], 1)


def load_inception(weights: Path | None) -> Inception:
    """Load the network with local or downloaded weights. Raises ``UserError``."""
    if weights is None:
        try:
            state = torch.hub.load_state_dict_from_url(ADDRESS, map_location="cpu", check_hash=True, weights_only=True)
        except (OSError, RuntimeError) as error:
            reason = " ".join(str(error).split())[:200]
            raise UserError(
                f"Inception's weights cannot be downloaded ({reason}): give a local copy with --inception PATH, "
                "another network with --features, or --features none"
            ) from None
        return build_inception(state, ADDRESS)
    with reading_weights(f"--inception {weights}", "Inception"):
        state = torch.load(weights, map_location="cpu", weights_only=True)
    return build_inception(state, str(weights))


def build_inception(state: object, name: str) -> Inception:
    """Build the network of a state_dict, of 2015 or torchvision's. Raises ``UserError``."""
    from torchvision.models import inception_v3  # slow to import, seldom wanted

    if not isinstance(state, dict) or not isinstance(state.get("fc.bias"), Tensor):
        raise UserError(f"{name}: not a state_dict of Inception: it has no fc.bias")
    classes = len(state["fc.bias"])
    network = inception_v3(weights=None, aux_logits=False, init_weights=False, num_classes=classes)
    own = {key: value for key, value in state.items() if not key.startswith("AuxLogits.")}
    with reading_weights(name, "Inception"):
        network.load_state_dict(own)
    if classes == CLASSES_OF_2015:
        for block in AVERAGED:
            inner = nn.AvgPool2d(3, 1, 1, count_include_pad=False)
            setattr(network, block, Repooled(getattr(network, block), inner))
        network.Mixed_7c = Repooled(network.Mixed_7c, nn.MaxPool2d(3, 1, 1))
    network.fc = nn.Identity()
    return Inception(network)
