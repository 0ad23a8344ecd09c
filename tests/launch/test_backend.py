"""What pip runs to build a wheel: with a player for browsers where that is possible, and without one elsewhere."""

import gzip
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from types import ModuleType

import pytest

from export.player import built

pytest.importorskip("setuptools", reason="builds wheels")
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def backend(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> ModuleType:
    """The module, in a clone without a player."""
    monkeypatch.syspath_prepend(str(ROOT / "launch"))
    monkeypatch.setattr(built, "FOLDER", tmp_path / "built")
    monkeypatch.delenv("UTSUROI_PLAYER", raising=False)
    import backend

    return backend


def fail() -> None:
    raise built.BuildError("node is not on the PATH")


def test_without_node_the_wheel_is_built_without_a_player(
    backend: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(built, "build", fail)
    backend.make_player()
    assert capsys.readouterr().err == "note: no player for browsers goes in: node is not on the PATH\n"
    monkeypatch.setenv("UTSUROI_PLAYER", "require")
    with pytest.raises(SystemExit, match="which UTSUROI_PLAYER=require asks for: node is not on the PATH"):
        backend.make_player()
    monkeypatch.setenv("UTSUROI_PLAYER", "yes")
    with pytest.raises(SystemExit, match="UTSUROI_PLAYER is 'yes', expected require or skip"):
        backend.make_player()


def test_a_player_is_built_once(backend: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []
    monkeypatch.setattr(built, "build", lambda: calls.append(1))
    monkeypatch.setenv("UTSUROI_PLAYER", "skip")
    backend.make_player()
    assert not calls
    monkeypatch.delenv("UTSUROI_PLAYER")
    backend.make_player()
    assert calls == [1]
    built.FOLDER.mkdir()
    for name in built.NEEDED:
        built.stored(name).write_bytes(gzip.compress(b""))
    monkeypatch.setattr(built, "outdated", lambda: False)
    backend.make_player()
    assert calls == [1]


def test_a_build_without_node_says_what_is_missing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(built.BuildError, match=r"node is not on the PATH, expected Node\.js 20 or newer with npm"):
        built.build()
    monkeypatch.setattr(built, "SOURCE", tmp_path)
    with pytest.raises(built.BuildError, match="the sources of the player are not here"):
        built.build()


@pytest.mark.skipif(sys.platform == "win32", reason="the stand-in is a shell script")
def test_a_build_that_fails_is_one_line(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "package-lock.json").touch()
    for name, script in (("npm", "exit 0"), ("node", "echo; echo 'src/a.ts: error' >&2; echo 'second' >&2; exit 1")):
        (tmp_path / name).write_text(f"#!/bin/sh\n{script}\n")
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}/usr/bin{os.pathsep}/bin")
    monkeypatch.setattr(built, "SOURCE", tmp_path)
    with pytest.raises(built.BuildError, match=r"^node build.mjs failed in .*: src/a.ts: error / second$"):
        built.build()


@pytest.mark.slow
@pytest.mark.parametrize("player", [False, True], ids=["without a player", "with one"])
def test_the_wheel_of_a_clone_works_without_node(tmp_path: Path, player: bool) -> None:
    """Built without Node.js, from a clone in which the player was built before, or was not."""
    if player and (why := built.missing()):
        pytest.skip(why)
    clone = tmp_path / "clone"
    ignored = shutil.ignore_patterns("__pycache__", "node_modules", *([] if player else ["built"]))
    for name in ("utsuroi", "trainer", "export", "viewer", "launch"):
        shutil.copytree(ROOT / name, clone / name, ignore=ignored)
    for name in ("pyproject.toml", "README.md", "LICENSE", "MANIFEST.in"):
        shutil.copy(ROOT / name, clone)
    variables = {**os.environ, "PATH": os.defpath if shutil.which("node", path=os.defpath) is None else str(tmp_path)}
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check"]
    wheel = [*pip, "wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", str(tmp_path), str(clone)]
    done = subprocess.run(wheel, env=variables, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    (path,) = tmp_path.glob("*.whl")
    names = zipfile.ZipFile(path).namelist()
    assert ("export/player/built/player.js" in names) == player
    assert not [name for name in names if name.startswith("export/web")]
    target = tmp_path / "installed"
    install = [*pip, "install", "--no-deps", "--target", str(target), str(path)]
    subprocess.run(install, env=variables, capture_output=True, check=True)
    page = tmp_path / "cats.html"
    command = [sys.executable, "-m", "utsuroi", "export", "toycats", "--html", str(page)]
    done = subprocess.run(command, cwd=tmp_path, env={**variables, "PYTHONPATH": str(target)}, capture_output=True,
                          text=True, check=False)  # fmt: skip
    if player:
        assert (done.returncode, page.is_file()) == (0, True), done.stderr
    else:
        assert (done.returncode, len(done.stderr.splitlines())) == (2, 1)
        assert "is not in this installation of utsuroi, which was built without Node.js" in done.stderr
