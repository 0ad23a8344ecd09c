"""A file of a restorer against the library that its weights are of."""

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import torch
from numpy.typing import NDArray
from small_networks import card_of
from torch import nn

from export.importers import spandrel as importer


def difference(network: nn.Module, out: Path) -> float:
    """The most that the file's images, before they become levels, differ from those of the library's own call, in which
    nothing is replaced: of 1, 2 and 5 images and, where the file takes any, of two sizes."""
    card, descriptor = card_of(out), importer.load(network.state_dict())
    model = onnx.load(out)
    levels = model.graph.node[-1]
    assert levels.op_type == "QuantizeLinear"
    model.graph.output.append(onnx.helper.make_tensor_value_info(levels.input[0], onnx.TensorProto.FLOAT, None))
    session = onnxruntime.InferenceSession(model.SerializeToString())
    step = card.multiple
    side = -(-48 // step) * step
    sizes = [card.image_size] if card.image_size else [(side, side), (side + step, 2 * step * (side // step))]
    random, most = np.random.default_rng(0), 0.0
    for number, count in enumerate((1, 2, 5)):
        height, width = sizes[number % len(sizes)]
        images = random.integers(0, 256, (count, height, width, card.input_channels or card.channels), np.uint8)
        found, exact = session.run(None, {"image": images})
        expected = made_by(descriptor, images)
        assert exact.shape[:3] == (count, height * card.scale, width * card.scale)
        assert np.abs(found - expected.clip(0, 1) * 255).max() <= 0.6
        most = max(most, float(np.abs(exact.clip(-1, 2) - expected.clip(-1, 2)).max()))
    return most


def made_by(descriptor: Any, images: NDArray[np.uint8]) -> NDArray[np.float32]:
    """What the library's call makes of RGB images [n, h, w, c], one by one: f32 [n, h, w, 3], 0..1 and beyond."""
    descriptor.model.eval()
    given = torch.from_numpy(np.ascontiguousarray(images)).permute(0, 3, 1, 2).float() / 255
    with torch.no_grad():  # not the descriptor itself, which cuts off what is below 0 and above 1
        made = torch.cat([descriptor._call_fn(descriptor.model, image) for image in given.split(1)])
    return made.permute(0, 2, 3, 1).expand(-1, -1, -1, 3).numpy()
