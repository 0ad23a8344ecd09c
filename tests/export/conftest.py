"""What all tests of the export have in common: each network is traced once."""

from collections.abc import Iterator

import pytest
from small_networks import traced


@pytest.fixture(scope="module", autouse=True)
def _each_network_is_traced_once() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("export.to_onnx.trace", traced)
        yield
