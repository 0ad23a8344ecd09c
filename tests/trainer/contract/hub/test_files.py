"""Models of a hub: what is fetched, from where, and that nothing else than the hub's own bytes is ever opened."""

import errno
import hashlib
import os
import re
import subprocess
import sys
from pathlib import Path

import huggingface_hub
import numpy as np
import pytest
from hub_server import TOKEN, Hub
from huggingface_hub import constants

from trainer.contract.errors import UserError
from trainer.contract.hub import answers, files
from trainer.contract.hub.errors import HubError, NoSuchModelError, UnreachableError
from trainer.contract.hub.files import fetch
from trainer.contract.hub.names import origin_of

CATS = bytes(range(256)) * 40
ENCODER = b"encoder" * 999


def forget() -> None:
    """As a new process would."""
    files._known.clear()


def blobs() -> list[Path]:
    return [path for path in Path(constants.HF_HUB_CACHE).rglob("blobs/*") if path.is_file()]


def test_a_model_and_its_parts_are_fetched_once(hub: Hub, capsys: pytest.CaptureFixture[str]) -> None:
    hub.add("me/cats", {"README.md": b"hello", "cats.onnx": CATS, "cats.encoder.onnx": ENCODER, "cats.txt": b"no"})
    path = fetch("hub:me/cats")
    assert path.name == "cats.onnx"
    assert path.read_bytes() == CATS
    assert path.with_name("cats.encoder.onnx").read_bytes() == ENCODER
    assert not path.with_name("cats.txt").exists()
    assert "hub:me/cats: downloading cats.encoder.onnx (0.0 MB), cats.onnx (0.0 MB)" in capsys.readouterr().err
    origin = origin_of(path)
    assert origin is not None
    assert str(origin) == f"hub:me/cats@{hub.repositories['me/cats'].head()}/cats.onnx"
    hub.asked.clear()
    assert fetch("hub:me/cats") == path
    assert not hub.asked, "in one process nothing is asked twice"
    forget()
    assert fetch("hub:me/cats") == path
    assert not [line for line in hub.asked if "/cdn/" in line]
    assert capsys.readouterr().err == ""
    forget()
    hub.asked.clear()
    assert fetch(str(origin)) == path
    assert not hub.asked, "a commit never changes"


def test_a_file_a_branch_and_a_folder_are_named(hub: Hub) -> None:
    repository = hub.add("me/zoo", {"cats.onnx": CATS, "more/dogs.onnx": b"dogs"})
    repository.branches["new/one"] = []
    repository.commit({"cats.onnx": b"newer"}, "new/one")
    assert fetch("hub:me/zoo/more/dogs.onnx").read_bytes() == b"dogs"
    assert fetch("hub:me/zoo@new%2Fone/cats.onnx").read_bytes() == b"newer"
    assert fetch("hub:me/zoo@new%2Fone").read_bytes() == b"newer"


@pytest.mark.parametrize(
    ("name", "error"),
    [
        ("hub:me/zoo", r"^hub:me/zoo: has 2 models, expected the name of one, such as hub:me/zoo/a\.onnx: it has "
                       r"a\.onnx, b/c\.onnx$"),
        ("hub:me/zoo/d.onnx", r"^hub:me/zoo/d\.onnx: has no file d\.onnx, it has a\.onnx, b/c\.onnx$"),
        ("hub:me/zoo@old", r"^hub:me/zoo@old: has no such revision, expected a branch, a tag or a commit of it$"),
        ("hub:me/texts", r"^hub:me/texts: has no ONNX file, expected one$"),
        ("hub:you/zoo", r"^hub:you/zoo: there is no such model on the hub, or a private one: if it is, log in \(hf "),
        ("hub:me/secret", r"^hub:me/secret: there is no such model on the hub, or a private one"),
        ("hub:me/gated", r"^hub:me/gated: is gated: accept its terms on its page of the hub, then log in"),
        ("hub:me/large", r"^hub:me/large: x\.onnx has 0 bytes, expected an ONNX file of 1\.\.2147483647$"),
    ],
)  # fmt: skip
def test_what_cannot_be_fetched_is_one_line(hub: Hub, name: str, error: str) -> None:
    hub.add("me/zoo", {"a.onnx": CATS, "a.detail.onnx": CATS, "b/c.onnx": CATS})
    hub.add("me/texts", {"README.md": b"words"})
    hub.add("me/secret", {"a.onnx": CATS}, private=True)
    hub.add("me/gated", {"a.onnx": CATS}, gated=True)
    hub.add("me/large", {"x.onnx": b""})
    with pytest.raises(HubError, match=error) as problem:
        fetch(name)
    assert "\n" not in str(problem.value)


def test_no_repository_and_no_model_in_it_are_told_from_other_errors(hub: Hub) -> None:
    hub.add("me/texts", {"README.md": b"words"})
    for name in ("hub:me/texts", "hub:me/nothing"):
        with pytest.raises(NoSuchModelError):
            fetch(name)


@pytest.mark.parametrize("lie", ["wrong", "truncated", "page", "endless"])
@pytest.mark.parametrize("file", ["cats.onnx", "small.ONNX"])
def test_what_a_bad_server_sends_is_not_kept(hub: Hub, lie: str, file: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    hub.add("me/cats", {file: CATS})  # capitals: not by LFS
    hub.lie = lie
    with pytest.raises(HubError, match=r"^hub:me/cats: ") as problem:
        fetch("hub:me/cats")
    assert not blobs()
    assert "the end of the endless file" not in hub.asked
    assert "verysecret" not in str(problem.value)
    hub.lie = ""
    assert fetch("hub:me/cats").read_bytes() == CATS


def test_a_damaged_copy_is_fetched_again_and_never_opened_offline(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    hub.add("me/cats", {"cats.onnx": CATS})
    path = fetch("hub:me/cats").resolve()
    path.write_bytes(CATS[:-1] + b"?")
    forget()
    assert fetch("hub:me/cats").read_bytes() == CATS
    path.write_bytes(CATS[:-1] + b"?")
    forget()
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(UnreachableError, match=r"its copy in the cache is damaged: /.+/cats\.onnx$"):
        fetch("hub:me/cats")


@pytest.mark.parametrize("how", ["offline", "gone", "down"])
def test_without_the_hub_the_cache_is_taken(
    hub: Hub, how: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    hub.add("me/cats", {"cats.onnx": CATS, "cats.encoder.onnx": ENCODER})
    path = fetch("hub:me/cats")
    forget()
    capsys.readouterr()
    if how == "offline":
        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    elif how == "gone":
        monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")
    else:
        hub.status = 503
    assert fetch("hub:me/cats") == path
    said = capsys.readouterr().err
    assert said.startswith("hub:me/cats: the hub ")
    assert said.endswith(f"; taken from the cache, commit {hub.repositories['me/cats'].head()[:8]}\n")
    with pytest.raises(UnreachableError, match=r"^hub:me/dogs: the hub .*; and it is not in the cache$"):
        fetch("hub:me/dogs")


def test_the_token_goes_to_the_hub_alone_and_is_never_shown(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    hub.add("me/secret", {"a.onnx": CATS}, private=True)
    assert fetch("hub:me/secret").read_bytes() == CATS
    assert hub.tokens_elsewhere == []
    hub.status = 418
    with pytest.raises(HubError, match=r"status 418 \(the hub has a bad day\)$") as problem:
        fetch("hub:me/other")
    assert TOKEN not in str(problem.value)


def test_a_network_that_answers_with_pages_of_its_own(hub: Hub) -> None:
    hub.lie = "html"
    with pytest.raises(UserError, match=r"^hub:me/cats: ") as problem:
        fetch("hub:me/cats")
    assert "\n" not in str(problem.value)


@pytest.mark.parametrize("file", ["cats.onnx", "small.ONNX"])
@pytest.mark.parametrize(
    ("lie", "listed", "error"),
    [
        ("etag", {}, r"names '\"\.\./\.\./\.\./\.\./stray\"' as the hash of a file, expected hexadecimal digits: is "),
        ("commit", {}, r"names '\.\./\.\./\.\./\.\./stray' as a commit, expected 40 hexadecimal digits"),
        ("", {"sha": "../../../../stray"}, r"names '\.\..*stray' as a commit, expected 40"),
        ("", {"siblings": [{"rfilename": "cats.onnx", "size": 9, "blobId": "/stray"}]}, "names '/stray' as the hash"),
        ("", {"siblings": [{"rfilename": "../../stray.onnx", "size": 9}]}, "has no ONNX file, expected one"),
        ("", {"siblings": [{"rfilename": "cats.onnx", "size": -9}]}, r"cats\.onnx has -9 bytes, expected an ONNX file"),
        ("", {"siblings": [{"rfilename": "cats.onnx", "size": 10**30}]}, r"has 10+ bytes, expected an ONNX file of"),
        ("", {"siblings": [{"rfilename": "cats.onnx", "size": "many"}]}, "gives 'many' as the size of cats"),
        ("", {"siblings": "cats.onnx"}, r"the hub's answer cannot be read \(.*\): is HF_ENDPOINT a hub"),
        ("", {"siblings": [7]}, r"the hub's answer cannot be read \(.*\): is HF_ENDPOINT a hub"),
        ("flood", {}, "the hub's answer has more than 64 MB: is HF_ENDPOINT a hub"),
        ("loop", {}, r"the hub's answer cannot be read \(.*redirects.*\): is HF_ENDPOINT a hub"),
        ("moved", {}, r"the hub answers with status 404 \(not here\)"),
    ],
    ids=lambda value: value if isinstance(value, str) and " " not in value else "",
)  # fmt: skip
def test_a_hostile_hub_writes_nothing_outside_the_cache(
    hub: Hub, lie: str, listed: dict[str, object], error: str, file: str, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    monkeypatch.setattr(answers, "LARGEST", 2_000_000) if lie == "flood" else None
    hub.add("me/cats", {file: CATS})
    hub.lie, hub.listed = lie, listed
    with pytest.raises(HubError, match=r"^hub:me/cats: ") as problem:
        fetch("hub:me/cats")
    assert re.search(error.replace("64 MB", "2 MB"), str(problem.value))
    assert "\n" not in str(problem.value)
    assert len(str(problem.value)) < 300
    assert TOKEN not in str(problem.value)
    assert not [path for path in tmp_path.rglob("*") if "stray" in path.name or path.suffix == ".onnx"]
    assert not hub.tokens_elsewhere
    assert "the end of the endless file" not in hub.asked
    session = huggingface_hub.utils.get_session()
    assert answers._check not in session.event_hooks["response"], "others use the client, too"


def test_a_storage_that_speaks_xet(hub: Hub, tmp_path: Path) -> None:
    """With the library's own implementation of it, which keeps files by other hashes than the hub's."""
    pytest.importorskip("hf_xet")
    data = np.random.default_rng(0).bytes(300_000)
    hub.xet = str(tmp_path / "storage")
    Path(hub.xet).mkdir()
    hub.add("me/cats", {})
    hub.uploads[hashlib.sha256(data).hexdigest()] = data  # as the storage tells a hub
    code = (
        "import sys, huggingface_hub as hub; from trainer.contract.hub.files import fetch\n"
        "hub.HfApi().create_commit('me/cats', [hub.CommitOperationAdd('a.onnx', sys.stdin.buffer.read())],"
        " commit_message='m') if sys.argv[1:] else None\n"
        "print(fetch('hub:me/cats').read_bytes()[-5:].hex())"
    )
    env = {**os.environ, "HF_HUB_DISABLE_XET": "0", "HF_TOKEN": TOKEN, "HF_XET_CACHE": str(tmp_path / "xet")}

    def run(*words: str, **more: str) -> str:
        done = subprocess.run([sys.executable, "-c", code, *words], input=data, capture_output=True, env=env | more,
                              check=False)  # fmt: skip
        assert (done.stdout.decode(), done.returncode) == (f"{data[-5:].hex()}\n", 0), done.stderr.decode()
        return done.stderr.decode()

    assert "downloading a.onnx (0.3 MB)" in run("push")
    assert "POST /me/cats.git/info/lfs/objects/batch" not in hub.asked, "it came by Xet"
    assert not [line for line in hub.asked if "/cdn/" in line], "and went by Xet"
    assert run() == "", "it is whole"
    assert "taken from the cache" in run(HF_HUB_OFFLINE="1")


def test_a_full_disk_is_one_line(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    hub.add("me/cats", {"cats.onnx": CATS})
    monkeypatch.setattr(huggingface_hub.file_download, "http_get", full)
    with pytest.raises(HubError, match=r"^hub:me/cats: cannot be stored in /.* \(No space left on device\): free some"):
        fetch("hub:me/cats")


def test_without_the_package_it_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    forget()
    with pytest.raises(UserError, match=r"^hub:me/cats: models of the hub need one more package: .*pip install"):
        fetch("hub:me/cats")


def test_a_process_of_its_own_asks_where_the_environment_says(hub: Hub) -> None:
    hub.add("me/cats", {"cats.onnx": CATS})
    code = "from trainer.contract.hub.files import fetch; print(len(fetch('hub:me/cats').read_bytes()))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.stdout, done.returncode) == ("10240\n", 0), done.stderr
