"""Distance between images in the features of VGG19 (Johnson et al. 2016; Ledig et al. 2017)."""

from pathlib import Path

import torch
from torch import Tensor, nn

from trainer.failures import reading_weights

LAYERS = (3, 8, 17, 26, 35)  # relu 1_2, 2_2, 3_4, 4_4, 5_4 of torchvision's vgg19.features


class ImageNetInput(nn.Module):
    """Base of networks that take images as torchvision's weights expect them."""

    mean: Tensor
    std: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("mean", torch.tensor((0.485, 0.456, 0.406)).view(3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor((0.229, 0.224, 0.225)).view(3, 1, 1), persistent=False)

    def normalised(self, image: Tensor) -> Tensor:
        """Images [n, c, h, w] in 0..1, normalised by ImageNet's mean and std; grey as three equal channels."""
        return (image.expand(-1, 3, -1, -1) - self.mean) / self.std


class VGG19(ImageNetInput):
    """Frozen features of VGG19; not part of any checkpoint."""

    def __init__(self, weights: Path | None) -> None:
        super().__init__()
        self.features = load_vgg19_features(weights).eval().requires_grad_(False)


class PerceptualDistance(VGG19):
    """Mean absolute difference of normalised features, summed over layers."""

    def forward(self, image: Tensor, target: Tensor) -> Tensor:
        """Two [n, c, h, w] in 0..1 → [n]."""
        self.to(image.device)
        value = self.normalised(torch.cat((image, target)))
        distance = image.new_zeros(len(image))
        for index, layer in enumerate(self.features):
            value = layer(value)
            if index in LAYERS:
                ours, theirs = nn.functional.normalize(value, dim=1).chunk(2)
                distance = distance + (ours - theirs).abs().sum(1).mean((1, 2))
        return distance


class ContentDistance(VGG19):
    """Mean squared difference of the last features, relu 5_4 (Ledig et al. 2017, equation 5)."""

    def forward(self, image: Tensor, target: Tensor) -> Tensor:
        """Two [n, c, h, w] in 0..1 → [n]; no gradient flows to the target."""
        self.to(image.device)
        with torch.no_grad():
            wanted = self.features(self.normalised(target))
        return (self.features(self.normalised(image)) - wanted).float().square().mean((1, 2, 3))


def load_vgg19_features(weights: Path | None) -> nn.Sequential:
    """Load VGG19 up to the last layer used, with local or downloaded ImageNet weights. Raises ``UserError``."""
    from torchvision.models import VGG19_Weights, vgg19  # slow to import, seldom wanted

    with torch.device("meta"):  # no memory for the classifier, no time for initialisation
        features = vgg19(init_weights=False).features[: LAYERS[-1] + 1]
    source = weights or "the download of VGG19's weights (--vgg PATH takes a local copy)"
    with reading_weights(str(source), "a state_dict of torchvision's vgg19"):
        if weights is None:
            state = VGG19_Weights.IMAGENET1K_V1.get_state_dict(progress=True, check_hash=True)
        else:
            state = torch.load(weights, map_location="cpu", weights_only=True)
        features.load_state_dict({key: state[f"features.{key}"] for key in features.state_dict()}, assign=True)
    return features
