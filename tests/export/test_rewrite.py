"""Faster operators change nothing, and graphs of other forms pass through."""

import numpy as np
import onnxruntime
import torch

from export.rewrite import speed_up
from trainer.families.vae import VAE, VAEConfig
from trainer.family import DataSpec


def test_sums_that_are_no_normalisation_are_left_alone() -> None:
    """A decoder whose last sum follows an operator of one input: it once ended the export with an IndexError."""
    torch.manual_seed(0)
    network = VAE(VAEConfig(arch="conv", width=16, basis=8)).build(DataSpec(image_size=(32, 32), channels=3)).vae
    network.eval()
    network.forward = network.decode
    latent = torch.randn(3, 10)
    program = torch.onnx.export(network, (latent,), dynamo=True, verbose=False)
    assert program is not None
    model = program.model_proto
    speed_up(model)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    image = session.run(None, {session.get_inputs()[0].name: latent.numpy()})[0]
    with torch.no_grad():
        assert np.abs(image - network.decode(latent).numpy()).max() < 1e-5
