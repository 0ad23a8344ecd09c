"""Feature extractors and classifiers of images: Inception, an ONNX file, or the run of a classifier."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from trainer.contract.errors import UserError
from trainer.failures import reading_weights
from trainer.families.classifier import Classifier
from trainer.runs.store import restore

# Inception-v3's weights of 2015, which published distances are measured with (Szegedy et al. 2016, "Rethinking the
# Inception Architecture for Computer Vision"; Heusel et al. 2017); those with torchvision's do not compare with them.
ADDRESS = "https://github.com/mseitzer/pytorch-fid/releases/download/fid_weights/pt_inception-2015-12-05-6726825d.pth"
SIDE = 299  # pixels
CLASSES_OF_2015 = 1008
AVERAGED = ("Mixed_5b", "Mixed_5c", "Mixed_5d", "Mixed_6b", "Mixed_6c", "Mixed_6d", "Mixed_6e", "Mixed_7b")
GREY = (0.299, 0.587, 0.114)  # ITU-R BT.601's weights of red, green, blue


@dataclass(frozen=True, kw_only=True)
class FeatureExtractor:
    """A network that maps images f32 [n, c, h, w] in 0..1, c 1 or 3, of any size, to features or logits."""

    name: str
    embed: Callable[[Tensor], Tensor]  # → f32 [n, d]: features, or logits where it was opened as a classifier
    classes: tuple[str, ...] = ()  # names by logit, where known


def fit(image: Tensor, channels: int, size: tuple[int, int]) -> Tensor:
    """Images [n, c, h, w] converted to the channels and size of a network's input."""
    if image.shape[1] == 3 and channels == 1:
        image = (image * image.new_tensor(GREY).view(3, 1, 1)).sum(1, keepdim=True)
    elif image.shape[1] != channels:
        image = image.expand(-1, channels, -1, -1)
    if tuple(image.shape[2:]) != size:
        image = F.interpolate(image, size, mode="bilinear", align_corners=False, antialias=True)
    return image


def open_features(source: str, inception: Path | None, device: torch.device) -> FeatureExtractor | None:
    """Open ``inception``, an ONNX file or the run of a classifier; ``None`` for ``none``. Raises ``UserError``."""
    if source == "none":
        return None
    if source == "inception":
        return FeatureExtractor(name="inception", embed=load_inception(inception).to(device))
    return open_network(Path(source), device, "features")


def open_network(run: Path, device: torch.device, flag: str) -> FeatureExtractor:
    """Open the best weights of a classifier's run or an ONNX file, for ``features``, or as ``classifier`` whose output
    is one score per class. Raises ``UserError``."""
    if run.suffix.lower() == ".onnx":
        return open_onnx(run, flag)
    if not run.is_dir():
        raise UserError(f"--{flag} is {run}, expected an .onnx file or the folder of a classifier's run")
    restored = restore(run)
    if not isinstance(restored.family, Classifier):
        found = type(restored.family).__name__
        raise UserError(f"--{flag} {run}: holds a run of {found}, expected one of trainer/train_classifier.py")
    network = restored.nets.classifier.to(device)
    spec = restored.spec
    call = network if flag == "classifier" else network.features

    def embed(image: Tensor) -> Tensor:
        return call(2 * fit(image, spec.channels, spec.image_size) - 1)

    return FeatureExtractor(name=run.resolve().name, embed=embed, classes=spec.classes)


def open_onnx(path: Path, flag: str) -> FeatureExtractor:
    """Open an ONNX file with one image input, f32 [n, c, h, w] in 0..1 or u8 [n, h, w, c]; its first output, flattened.

    Raises ``UserError`` for other inputs.
    """
    import onnxruntime  # only evaluations need it

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    options.log_severity_level = 3
    with reading_weights(f"--{flag} {path}", "an ONNX model"):
        session = onnxruntime.InferenceSession(path.read_bytes(), options, providers=["CPUExecutionProvider"])
    ports = session.get_inputs()
    layout = [_layout(port) for port in ports]
    if len(ports) != 1 or layout[0] is None:
        shown = ", ".join(f"{port.name} {port.type} {port.shape}" for port in ports)
        raise UserError(f"--{flag} {path}: takes {shown}, expected images: f32 [n, c, h, w] or u8 [n, h, w, c]")
    last, channels, height, width = layout[0]
    output = session.get_outputs()[0].name
    at_once = ports[0].shape[0] if isinstance(ports[0].shape[0], int) else 0

    def embed(image: Tensor) -> Tensor:
        count, batch = len(image), at_once or len(image)
        image = fit(image, channels, (height or image.shape[2], width or image.shape[3])).cpu()
        image = torch.cat((image, image[-1:].expand(-count % batch, -1, -1, -1)))
        if last:
            image = (image.clamp(0, 1) * 255).round().to(torch.uint8).permute(0, 2, 3, 1)
        rows = []
        for part in image.split(batch):
            try:
                found = np.asarray(session.run([output], {ports[0].name: part.contiguous().numpy()})[0], np.float32)
            except Exception as error:  # onnxruntime raises types of its own
                raise UserError(f"--{flag} {path}: does not run: {' '.join(str(error).split())[:200]}") from None
            if found.ndim < 1 or len(found) != len(part):
                raise UserError(f"--{flag} {path}: gives {list(found.shape)} for {len(part)} images, expected rows")
            rows.append(torch.from_numpy(found.reshape(len(part), -1)))
        return torch.cat(rows)[:count]

    return FeatureExtractor(name=path.name, embed=embed)


def _layout(port: Any) -> tuple[bool, int, int, int] | None:
    """Whether channels come last, channels, height, width (0: any) of an image input; ``None`` for other inputs."""
    if len(port.shape) != 4:
        return None
    sizes = [size if isinstance(size, int) else 0 for size in port.shape]
    if port.type == "tensor(uint8)" and sizes[3] in (1, 3):
        return True, sizes[3], sizes[1], sizes[2]
    if port.type == "tensor(float)" and sizes[1] in (1, 3):
        return False, sizes[1], sizes[2], sizes[3]
    return None


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
    name = f"--inception {weights}" if weights else ADDRESS
    if weights is None:
        try:
            state = torch.hub.load_state_dict_from_url(name, map_location="cpu", check_hash=True, weights_only=True)
        except (OSError, RuntimeError) as error:
            reason = " ".join(str(error).split())[:200]
            raise UserError(
                f"Inception's weights cannot be downloaded ({reason}): give a local copy with --inception PATH, "
                "another network with --features, or --features none"
            ) from None
    else:
        with reading_weights(name, "a state_dict of Inception"):
            state = torch.load(weights, map_location="cpu", weights_only=True)
    from torchvision.models import inception_v3  # slow to import, seldom wanted

    if not isinstance(state, dict) or not isinstance(state.get("fc.bias"), Tensor):
        raise UserError(f"{name}: not a state_dict of Inception: it has no fc.bias")
    classes = len(state["fc.bias"])
    network = inception_v3(weights=None, aux_logits=False, init_weights=False, num_classes=classes)
    own = {key: value for key, value in state.items() if not key.startswith("AuxLogits.")}
    with reading_weights(name, "a state_dict of Inception"):
        network.load_state_dict(own)
    if classes == CLASSES_OF_2015:
        for block in AVERAGED:
            inner = nn.AvgPool2d(3, 1, 1, count_include_pad=False)
            setattr(network, block, Repooled(getattr(network, block), inner))
        network.Mixed_7c = Repooled(network.Mixed_7c, nn.MaxPool2d(3, 1, 1))
    network.fc = nn.Identity()
    return Inception(network)
