"""What every reader of weights must do. New ones are found by listing the folder."""

from pathlib import Path

import pytest
import torch

from export.importers import importer_names, load_importer
from export.weights import Weights

NAMES = importer_names()


@pytest.fixture(params=NAMES)
def importer(request: pytest.FixtureRequest):  # type: ignore[no-untyped-def]
    return load_importer(request.param)


def test_families_and_modules_are_found() -> None:
    assert {"vae", "pix2pix"} <= set(NAMES)
    assert not {"base", "dcgan", "ddpm"} & {name for name in NAMES if load_importer(name).READS == ""}


def test_it_says_what_it_reads(importer) -> None:  # type: ignore[no-untyped-def]
    assert importer.NAME in NAMES
    assert importer.READS.strip() == importer.READS
    assert "\n" not in importer.READS
    assert isinstance(importer.NEEDS, str)


@pytest.mark.parametrize(
    "state",
    [
        {},
        {"": torch.zeros(0)},
        {"weight": torch.zeros(2, 2), "bias": torch.zeros(2)},
        {"fc.weight": torch.tensor(1.0)},
        {"a.b\0.c" * 50: torch.zeros(3, dtype=torch.int64)},
        {f"layer{index}.weight": torch.zeros(1) for index in range(2000)},
    ],
    ids=["nothing", "no name", "one layer", "a number", "odd name", "many"],
)
def test_it_claims_no_weights_of_other_networks(importer, state: dict[str, torch.Tensor]) -> None:  # type: ignore[no-untyped-def]
    assert importer.claims(Weights(path=Path("w.pth"), state=state)) is False
