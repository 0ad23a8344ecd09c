"""A small Hugging Face hub on 127.0.0.1: models, branches, gates, uploads, and what a bad one would do.

It speaks the HTTP that ``huggingface_hub`` does; files with an ending of ``LARGE`` go by git LFS, from another host.
"""

import base64
import hashlib
import json
import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest

LARGE = (".onnx", ".png")
TOKEN = "hf_abcdefghijklmnopqrstuvwxyz0123456"
REPOSITORY = r"/([\w.-]+/[\w.-]+)"


def commit_of(files: dict[str, bytes], parent: str) -> str:
    return hashlib.sha1(parent.encode() + b"".join(name.encode() + data for name, data in files.items())).hexdigest()


@dataclass
class Repository:
    branches: dict[str, list[str]] = field(default_factory=lambda: {"main": []})  # commits, the newest last
    commits: dict[str, dict[str, bytes]] = field(default_factory=dict)
    private: bool = False
    gated: bool = False
    messages: list[str] = field(default_factory=list)

    def commit(self, files: dict[str, bytes], branch: str = "main", message: str = "") -> str:
        commits = self.branches[branch]
        sha = commit_of(files, f"{commits[-1:]}{len(self.messages)}")
        self.commits[sha] = files
        commits.append(sha)
        self.messages.append(message)
        return sha

    def head(self, revision: str = "main") -> str | None:
        if revision in self.commits:
            return revision
        return (self.branches[revision] or [""])[-1] if revision in self.branches else None

    def files(self, revision: str = "main") -> dict[str, bytes]:
        return self.commits.get(self.head(revision) or "", {})


@dataclass
class Hub:
    """What the server holds, what it was asked, and how it misbehaves."""

    url: str = ""
    elsewhere: str = ""  # address of the same server by another name: another host to whoever asks
    repositories: dict[str, Repository] = field(default_factory=dict)
    uploads: dict[str, bytes] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    tokens_elsewhere: list[str] = field(default_factory=list)  # that came where none may go
    lie: str = ""  # wrong, truncated, endless, html, refuses, full, no space, no page, etag, commit, loop, moved, flood
    listed: dict[str, Any] = field(default_factory=dict)  # what the answer about a repository says instead
    xet: str = ""  # folder of a storage that speaks Xet; "": files come and go by HTTP
    status: int = 0  # of every answer

    def add(self, name: str, files: dict[str, bytes], **words: Any) -> Repository:
        self.repositories[name] = Repository(**words)
        self.repositories[name].commit(files)
        return self.repositories[name]


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    hub: Hub

    def log_message(self, *words: object) -> None:
        pass

    def answer(self, body: bytes | dict[str, Any] = b"", status: int = 200, **headers: str) -> None:
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        if "Content_Length" not in headers:
            self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    def refuse(self, status: int, code: str, text: str) -> None:
        self.answer({"error": text}, status, X_Error_Code=code, X_Error_Message=text)

    def do_HEAD(self) -> None:
        self.route()

    def do_GET(self) -> None:
        self.route()

    def do_POST(self) -> None:
        self.route()

    def do_PUT(self) -> None:
        self.route()

    def route(self) -> None:
        self.body = self.rfile.read(int(self.headers.get("Content-Length") or 0)) or self.chunks()
        path = urlsplit(self.path).path
        self.hub.asked.append(f"{self.command} {path}")
        self.token = (self.headers.get("Authorization") or "").removeprefix("Bearer ")
        if self.hub.status:
            return self.refuse(self.hub.status, "", "the hub has a bad day")
        if self.hub.lie == "html" and not path.startswith("/cdn/"):
            return self.answer(b"<html>Welcome to the hotel's network</html>", Content_Type="text/html")
        if self.hub.lie in ("moved", "loop") and not path.startswith("/cdn/"):
            if self.headers["Host"] != urlsplit(self.hub.url).netloc:
                if self.token:
                    self.hub.tokens_elsewhere.append(self.token)
                return self.refuse(404, "", "not here")
            place = self.hub.url if self.hub.lie == "loop" else self.hub.elsewhere
            return self.answer(b"", 302, Location=f"{place}{self.path}")
        if self.hub.lie == "flood" and path.startswith("/api/"):
            return self.flood()
        for pattern, act in ROUTES:
            if match := re.fullmatch(pattern, path):
                return act(self, *map(unquote, match.groups()))
        return self.refuse(404, "", f"no route {path}")

    def chunks(self) -> bytes:
        if self.headers.get("Transfer-Encoding") != "chunked":
            return b""
        data = b""
        while size := int(self.rfile.readline(), 16):
            data += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return data

    def opened(self, name: str, write: bool = False) -> Repository | None:
        found = self.hub.repositories.get(name)
        if write and self.token != TOKEN:
            self.refuse(401 if not self.token else 403, "", "Forbidden: you must use a write token")
        elif found is None or (found.private and self.token != TOKEN):
            self.refuse(404 if self.token else 401, "RepoNotFound", "Repository not found")
        else:
            return found
        return None

    def info(self, name: str, revision: str | None = None) -> None:
        found = self.opened(name)
        if found is None:
            return None
        head = found.head(revision or "main")
        if head is None:
            return self.refuse(404, "RevisionNotFound", f"Invalid rev id: {revision}")
        siblings = [
            {"rfilename": path, "size": len(data), "blobId": git_hash(data)}
            | ({"lfs": {"size": len(data), "sha256": sha256(data), "pointerSize": 134}} if is_large(path) else {})
            for path, data in found.files(revision or "main").items()
        ]
        more = {"private": found.private, "gated": "manual" if found.gated else False, "tags": [], "downloads": 0}
        answer = {"_id": "1", "id": name, "modelId": name, "sha": head, "siblings": siblings, **more}
        return self.answer(answer | self.hub.listed)

    def resolve(self, name: str, revision: str, path: str) -> None:
        found = self.opened(name)
        if found is None:
            return None
        if found.gated and self.token != TOKEN:
            return self.refuse(403, "GatedRepo", f"Access to model {name} is restricted")
        head = found.head(revision)
        if head is None:
            return self.refuse(404, "RevisionNotFound", f"Invalid rev id: {revision}")
        data = found.files(revision).get(path)
        if data is None:
            return self.answer({}, 404, X_Error_Code="EntryNotFound", X_Repo_Commit=head)
        if self.hub.lie == "commit":
            head = "../../../../stray"
        digest = sha256(data) if is_large(path) else git_hash(data)
        digest = "../../../../stray" if self.hub.lie == "etag" else digest
        if not is_large(path):
            return self.file(data, ETag=f'"{digest}"', X_Repo_Commit=head)
        linked = {"X_Linked_Etag": f'"{digest}"', "X_Linked_Size": str(len(data)), "X_Repo_Commit": head}
        if self.hub.xet:
            linked |= {"X_Xet_Hash": xet_hash(data, self.hub.xet), "X_Xet_Refresh_Route": f"{self.hub.url}/xet-token"}
        place = f"{self.hub.elsewhere}/cdn/{name}/{head}/{path}?signature=verysecret"
        return self.answer(b"", 302, Location=place, **linked)

    def cdn(self, name: str, revision: str, path: str) -> None:
        if self.token:
            self.hub.tokens_elsewhere.append(self.token)
        self.file(self.hub.repositories[name].files(revision)[path])

    def file(self, data: bytes, **headers: str) -> None:
        match self.hub.lie if self.command == "GET" else "":
            case "wrong":
                self.answer(data[:-1] + bytes([data[-1] ^ 1]), **headers)
            case "page":
                self.answer(b"<html>blocked</html>", Content_Type="text/html", **headers)
            case "truncated":
                self.close_connection = True
                self.answer(data[: len(data) // 2], **headers)
            case "endless":
                self.flood()
            case _:
                self.answer(data, **headers)

    def flood(self) -> None:
        self.close_connection = True
        self.send_response(200)
        self.send_header("Connection", "close")
        self.end_headers()
        for _ in range(400):  # 400 MB
            try:
                self.wfile.write(b" " * 1_000_000)
            except OSError:
                return
        self.hub.asked.append("the end of the endless file")

    def xet_token(self, *_: str) -> None:
        place, expires = f"local://{self.hub.xet}", str(int(time.time()) + 9999)
        headers = {"X_Xet_Cas_Url": place, "X_Xet_Access_Token": "xet", "X_Xet_Token_Expiration": expires}
        self.answer({"casUrl": place, "accessToken": "xet", "exp": int(expires)}, **headers)

    def create(self) -> None:
        wanted = json.loads(self.body)
        kind = "spaces/" if wanted.get("type") == "space" else ""
        name = f"{kind}{wanted['organization']}/{wanted['name']}"
        if self.token != TOKEN:
            return self.refuse(401 if not self.token else 403, "", "You don't have the rights to create a model")
        if self.hub.lie == "no space" and kind:
            return self.refuse(402, "", "Spaces need a paid plan")
        if name in self.hub.repositories:
            return self.answer({"error": "You already created this repo", "url": f"{self.hub.url}/{name}"}, 409)
        private = wanted.get("private") or wanted.get("visibility") == "private"
        self.hub.repositories[name] = Repository(private=bool(private))
        return self.answer({"url": f"{self.hub.url}/{name}", "name": name, "id": "1"})

    def branch(self, name: str, branch: str) -> None:
        found = self.opened(name, write=True)
        if found is None:
            return None
        if branch in found.branches:
            return self.refuse(409, "", "Reference already exists")
        found.branches[branch] = list(found.branches["main"])
        return self.answer({})

    def preupload(self, name: str, revision: str) -> None:
        found = self.opened(name, write=True)
        if found is None:
            return None
        if found.head(revision) is None:
            return self.refuse(404, "RevisionNotFound", f"Invalid rev id: {revision}")
        there = found.files(revision)
        files = [
            {
                "path": one["path"],
                "uploadMode": "lfs" if is_large(one["path"]) else "regular",
                "shouldIgnore": False,
                "oid": self.oid(one["path"], there.get(one["path"])),
            }
            for one in json.loads(self.body)["files"]
        ]
        return self.answer({"files": files})

    def oid(self, path: str, data: bytes | None) -> str | None:
        return None if data is None else sha256(data) if is_large(path) else git_hash(data)

    def batch(self, name: str) -> None:
        if self.opened(name, write=True) is None:
            return None
        if self.hub.lie == "full":
            return self.refuse(507, "", "Storage quota of the account is used up")
        objects = [
            {
                "oid": one["oid"],
                "size": one["size"],
                "actions": {"upload": {"href": f"{self.hub.url}/lfs/{one['oid']}"}},
            }
            for one in json.loads(self.body)["objects"]
        ]
        return self.answer({"transfer": "basic", "objects": objects})

    def upload(self, oid: str) -> None:
        if self.token:
            self.hub.tokens_elsewhere.append(self.token)
        self.hub.uploads[oid] = self.body
        self.answer()

    def commit(self, name: str, revision: str) -> None:
        found = self.opened(name, write=True)
        if found is None:
            return None
        if self.hub.lie == "refuses" or (self.hub.lie == "no page" and name.startswith("spaces/")):
            return self.refuse(412, "", "A commit has happened since. Please refresh and try again.")
        head, *operations = [json.loads(line) for line in self.body.splitlines()]
        parent = head["value"].get("parentCommit")
        if parent and parent != found.head(revision):
            return self.refuse(412, "", "A commit has happened since. Please refresh and try again.")
        files = dict(found.files(revision))
        for one in operations:
            value = one["value"]
            match one["key"]:
                case "file":
                    files[value["path"]] = base64.b64decode(value["content"])
                case "lfsFile":
                    data = self.hub.uploads[value["oid"]]
                    assert sha256(data) == value["oid"]
                    files[value["path"]] = data
                case "deletedFile":
                    del files[value["path"]]
        sha = found.commit(files, revision, head["value"]["summary"])
        return self.answer({"success": True, "commitOid": sha, "commitUrl": f"{self.hub.url}/{name}/commit/{sha}"})

    def yaml(self) -> None:
        content = json.loads(self.body)["content"]
        errors = [] if content.startswith("---\n") else [{"message": "no metadata"}]
        self.answer({"errors": errors, "warnings": []}, 400 if errors else 200)


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def git_hash(data: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()


def is_large(path: str) -> bool:
    return path.endswith(LARGE)


def xet_hash(data: bytes, place: str) -> str:
    """As the storage names a file."""
    import hf_xet

    path = Path(place) / "hashed"
    path.write_bytes(data)
    return str(hf_xet.hash_files([str(path)])[0].hash)


SPACE = r"/api/(spaces/[\w.-]+/[\w.-]+)"  # kept under the same name
ROUTES = [
    (rf"{SPACE}/preupload/(.+)", Handler.preupload),
    (rf"{SPACE}/commit/(.+)", Handler.commit),
    (SPACE, Handler.info),
    (rf"{SPACE}/revision/(.+)", Handler.info),
    (r"/(spaces/[\w.-]+/[\w.-]+)/resolve/([^/]+)/(.+)", Handler.resolve),
    (rf"/api/models{REPOSITORY}", Handler.info),
    (rf"/api/models{REPOSITORY}/revision/(.+)", Handler.info),
    (rf"{REPOSITORY}/resolve/([^/]+)/(.+)", Handler.resolve),
    (r"/cdn/((?:spaces/)?[\w.-]+/[\w.-]+)/([^/]+)/(.+)", Handler.cdn),
    (r"/api/repos/create", Handler.create),
    (r"/api/validate-yaml", Handler.yaml),
    (rf"/api/models{REPOSITORY}/branch/(.+)", Handler.branch),
    (rf"/api/models{REPOSITORY}/preupload/(.+)", Handler.preupload),
    (r"/(?:spaces/)?([\w.-]+/[\w.-]+)\.git/info/lfs/objects/batch", Handler.batch),
    (r"/lfs/(\w+)", Handler.upload),
    (rf"/api/models{REPOSITORY}/commit/(.+)", Handler.commit),
    (rf"/api/models{REPOSITORY}/xet-write-token/(.+)", Handler.xet_token),
    (r"/xet-token", Handler.xet_token),
]


@contextmanager
def serving(monkeypatch: pytest.MonkeyPatch, cache: Path) -> Iterator[Hub]:
    """A hub, and ``huggingface_hub`` that knows no other, with a cache of its own and no token."""
    from huggingface_hub import constants

    hub = Hub()
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Bound", (Handler,), {"hub": hub}))
    server.daemon_threads = True
    hub.url, hub.elsewhere = (f"http://{name}:{server.server_port}" for name in ("127.0.0.1", "localhost"))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    for name, value in {
        "HF_ENDPOINT": hub.url, "HF_HUB_CACHE": str(cache / "hub"), "HF_HOME": str(cache), "HF_HUB_DISABLE_XET": "1",
        "HF_TOKEN_PATH": str(cache / "token"), "HF_HUB_DISABLE_PROGRESS_BARS": "1", "HF_HUB_DISABLE_TELEMETRY": "1",
    }.items():  # fmt: skip
        monkeypatch.setenv(name, value)
    for name in ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "HF_HUB_OFFLINE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(constants, "ENDPOINT", hub.url)
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", hub.url + "/{repo_id}/resolve/{revision}/{filename}")
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(cache / "hub"))
    monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(cache / "token"))
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    from trainer.contract.hub import files

    monkeypatch.setattr(files, "_known", {})
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
