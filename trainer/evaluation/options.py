"""Options of the command that measures a run. No torch."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from tyro.conf import Positional

from trainer.config import check, least

DESCRIPTION = "Measure a run; its figures go into the card at export."


@dataclass(frozen=True, kw_only=True)
class EvaluateConfig:
    """Options of trainer/evaluate.py."""

    run: Positional[Path]
    """Folder of the run."""
    data: str = ""
    """Images that the run has not seen, as --data of training; empty: those that the run held out."""
    condition: str = ""
    """Conditions of --data for a run that learnt from pairs, as --condition of training; empty: those of the run."""
    weights: str = "best"
    """Checkpoint: best, last, or a step."""
    samples: Annotated[int, least(0)] = 2000
    """Samples to draw; 0: none."""
    features: str = "inception"
    """Feature extractor for distances between sets: inception, an .onnx file, the run of a classifier, or none."""
    inception: Path | None = None
    """Local Inception weights: those of 2015 that published distances use, or torchvision's; unset: downloaded."""
    classifier: Path | None = None
    """Classifier of the samples: a run, or an .onnx file with a score a class. Gives the entropy of their classes, and
    the accuracy of labels where the family has any."""
    iwae: Annotated[int, least(0)] = 0
    """Samples of the latent for each held-out image, of which the importance-weighted bound on its log-likelihood is
    made, 500 say; 0: none. Of VAEs."""
    memorised: bool = True
    """Search the training set for the nearest neighbours of each sample, to find copies."""
    batch_size: Annotated[int, least(1)] = 64
    """Images per batch and process."""
    seed: int = 0
    """Seed of the samples, and of the subsets of the kernel distance."""
    bgr: bool = False
    """The .npy file of --data is in blue-green-red order."""
    memory: Annotated[float, least(0)] = 4.0
    """GiB of u8 images kept in memory; larger sets are read from disk."""
    threads: Annotated[int, least(0)] = 0
    """CPU threads per process; 0: the cores of this machine divided by its processes."""
    device: Literal["auto", "cpu", "cuda", "mps"] = "auto"
    """Device to compute on; naming one that is missing is an error."""
    processes: Annotated[int, least(0)] = 0
    """Processes that there must be; 0: as many as the launcher was asked for."""

    def __post_init__(self) -> None:
        check(self)
