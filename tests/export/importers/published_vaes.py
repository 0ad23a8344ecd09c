"""Small VAEs with the names and the arithmetic of published programs."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class Example(nn.Module):
    """PyTorch's example, of smaller images."""

    def __init__(self, pixels: int = 64) -> None:
        super().__init__()
        self.fc1, self.fc21, self.fc22 = nn.Linear(pixels, 20), nn.Linear(20, 5), nn.Linear(20, 5)
        self.fc3, self.fc4 = nn.Linear(5, 20), nn.Linear(20, pixels)

    def encode(self, image: Tensor) -> Tensor:
        return self.fc21(F.relu(self.fc1(image.flatten(1))))

    def decode(self, latent: Tensor) -> Tensor:
        return torch.sigmoid(self.fc4(F.relu(self.fc3(latent)))).view(-1, 1, 8, 8)


class Deep(nn.Module):
    """Linear layers in three parts, of which the one that decodes comes first by name, with normalisations."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.Sequential(nn.Linear(3 * 16, 24), nn.BatchNorm1d(24), nn.ReLU(), nn.Linear(24, 16), nn.ReLU())
        self.fc_mu, self.fc_logvar = nn.Linear(16, 6), nn.Linear(16, 6)
        self.decoder = nn.Sequential(nn.Linear(6, 16), nn.ReLU(), nn.Linear(16, 24), nn.ReLU(), nn.Linear(24, 3 * 16))

    def encode(self, image: Tensor) -> Tensor:
        return self.fc_mu(self.encoder(image.flatten(1)))

    def decode(self, latent: Tensor) -> Tensor:
        return torch.sigmoid(self.decoder(latent)).view(-1, 3, 4, 4)


class OneHead(nn.Module):
    """Mean and spread come out of one layer."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.Sequential(nn.Linear(64, 20), nn.ReLU(), nn.Linear(20, 8))
        self.decoder = nn.Sequential(nn.Linear(4, 20), nn.ReLU(), nn.Linear(20, 64), nn.Sigmoid())

    def encode(self, image: Tensor) -> Tensor:
        return self.encoder(image.flatten(1)).chunk(2, 1)[0]

    def decode(self, latent: Tensor) -> Tensor:
        return self.decoder(latent).view(-1, 1, 8, 8)


class Convolutional(nn.Module):
    """Convolutions of 4x4, linear layers before and after the latent, an activation before the decoder's maps."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.Sequential(
            nn.Conv2d(3, 8, 4, 2, 1), nn.BatchNorm2d(8), nn.ReLU(), nn.Conv2d(8, 12, 4, 2, 1), nn.ReLU(), nn.Flatten(),
            nn.Linear(12 * 16, 20), nn.ReLU(),
        )  # fmt: skip
        self.mu, self.log_var = nn.Linear(20, 6), nn.Linear(20, 6)
        self.decoder = nn.Sequential(
            nn.Linear(6, 20), nn.ReLU(), nn.Linear(20, 12 * 16), nn.ReLU(), nn.Unflatten(1, (12, 4, 4)),
            nn.ConvTranspose2d(12, 8, 4, 2, 1), nn.BatchNorm2d(8), nn.ReLU(), nn.ConvTranspose2d(8, 3, 4, 2, 1),
            nn.Sigmoid(),
        )  # fmt: skip

    def encode(self, image: Tensor) -> Tensor:
        return self.mu(self.encoder(image))

    def decode(self, latent: Tensor) -> Tensor:
        return self.decoder(latent)


class Vanilla(nn.Module):
    """PyTorch-VAE's VanillaVAE with fewer channels."""

    def __init__(self) -> None:
        super().__init__()
        widths = (4, 6, 8)
        layers, before = [], 3
        for width in widths:
            convolution = nn.Conv2d(before, width, 3, 2, 1)
            layers.append(nn.Sequential(convolution, nn.BatchNorm2d(width), nn.LeakyReLU()))
            before = width
        self.encoder = nn.Sequential(*layers)
        self.fc_mu, self.fc_var = nn.Linear(8 * 4, 7), nn.Linear(8 * 4, 7)
        self.decoder_input = nn.Linear(7, 8 * 4)
        layers = []
        for inputs, outputs in ((8, 6), (6, 4)):
            larger = nn.ConvTranspose2d(inputs, outputs, 3, 2, 1, output_padding=1)
            layers.append(nn.Sequential(larger, nn.BatchNorm2d(outputs), nn.LeakyReLU()))
        self.decoder = nn.Sequential(*layers)
        self.final_layer = nn.Sequential(
            nn.ConvTranspose2d(4, 4, 3, 2, 1, output_padding=1), nn.BatchNorm2d(4), nn.LeakyReLU(),
            nn.Conv2d(4, 3, 3, padding=1), nn.Tanh(),
        )  # fmt: skip

    def encode(self, image: Tensor) -> Tensor:
        return self.fc_mu(self.encoder(image * 2 - 1).flatten(1))

    def decode(self, latent: Tensor) -> Tensor:
        return self.final_layer(self.decoder(self.decoder_input(latent).view(-1, 8, 2, 2))) / 2 + 0.5
