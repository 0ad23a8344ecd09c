"""What all tests of the export have in common: each network is traced once; a player for pages that nobody opens."""

import gzip
from collections.abc import Iterator
from pathlib import Path

import pytest
from small_networks import traced

from export.player import built


@pytest.fixture(scope="module", autouse=True)
def _each_network_is_traced_once() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("export.to_onnx.trace", traced)
        yield


@pytest.fixture
def player(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with files of the names that the bundler leaves."""
    folder = tmp_path_factory.mktemp("player") / "built"
    folder.mkdir()
    for name in (*built.NEEDED, *built.WEBGPU.names):
        data = f"/* {name} */".encode()
        packed = name.endswith(".wasm")
        (folder / (f"{name}.gz" if packed else name)).write_bytes(gzip.compress(data) if packed else data)
    monkeypatch.setattr(built, "FOLDER", folder)
    monkeypatch.setattr(built, "SOURCE", folder.parent / "web")
    return folder
