"""The player as the bundler leaves it in ``built/``, and how it gets there: ``python -m export.player.built``.

The wheel carries it; in a clone it is made by Node.js out of ``export/web``. Standard library only: the build of the
wheel runs it, too.
"""

import hashlib
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

if __name__ == "__main__" and not sys.flags.safe_path and Path(sys.path[0]) != Path(__file__).resolve().parents[2]:
    del sys.path[0]  # the current folder

FOLDER: Final = Path(__file__).resolve().parent / "built"
SOURCE: Final = Path(__file__).resolve().parents[1] / "web"  # not in the wheel
ROOT: Final = Path(__file__).resolve().parents[2]
PAGE: Final = ("player.js", "player.css")
LICENCES: Final = "licences.txt"
WIDGET: Final = "widget.js"  # of notebooks
_GZIPPED: Final = ".gz"


@dataclass(frozen=True)
class Runtime:
    """Files of ``built/`` that run models in the browser: names as pages say them, without ``.gz``."""

    worker: str
    module: str
    binary: str

    @property
    def names(self) -> tuple[str, ...]:
        """All of them."""
        return self.worker, self.module, self.binary


WASM: Final = Runtime("worker.js", "ort.mjs", "ort.wasm")
WEBGPU: Final = Runtime("worker.webgpu.js", "ort.webgpu.mjs", "ort.webgpu.wasm")
_PACKED: Final = (WASM.binary, WEBGPU.binary)  # kept as gzip
NEEDED: Final = (*PAGE, *WASM.names, LICENCES, WIDGET)


class BuildError(Exception):
    """The player cannot be built; the message is one line."""


def stored(name: str) -> Path:
    """Where a file of the player lies; the large ones are gzip."""
    return FOLDER / (name + _GZIPPED if name in _PACKED else name)


def has(runtime: Runtime) -> bool:
    """Whether a runtime was built."""
    return all(stored(name).is_file() for name in runtime.names)


def missing() -> str:
    """Why no page can be written, and the way out, in one line; empty where the player is there."""
    lacking = [name for name in NEEDED if not stored(name).is_file()]
    if not lacking:
        return ""
    if not (SOURCE / "package.json").is_file():
        return (
            "the player for browsers is not in this installation of utsuroi, which was built without Node.js: install "
            "a wheel of a release, or from a clone with Node.js 20 or newer there"
        )
    return (
        f"the player for browsers is not built ({lacking[0]} is missing): python -m export.player.built builds it, "
        "with Node.js 20 or newer"
    )


def outdated() -> bool:
    """Whether sources are there that changed after the player was built."""
    if not (ROOT / ".git").exists() or not SOURCE.is_dir() or missing():  # archives keep no times
        return False
    built = stored(PAGE[0]).stat().st_mtime
    paths = [*SOURCE.glob("*.*"), *(SOURCE / "src").rglob("*.*")]
    return any(path.stat().st_mtime > built for path in paths if path.is_file() and path.suffix != ".md")


def fingerprint() -> str:
    """Eight digits that name what is built: other contents, other digits."""
    digest = hashlib.sha256()
    for runtime in (WASM, WEBGPU):
        for name in runtime.names if has(runtime) else ():
            digest.update(name.encode() + stored(name).read_bytes())
    return digest.hexdigest()[:8]


def build() -> None:
    """Build the player out of its sources: ``npm ci``, then the bundler. Raises ``BuildError``."""
    if not (SOURCE / "package-lock.json").is_file():
        raise BuildError(f"{SOURCE}: the sources of the player are not here, expected a clone of utsuroi")
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        raise BuildError(f"{'npm' if node else 'node'} is not on the PATH, expected Node.js 20 or newer with npm")
    # a network that does not answer must not hold up an installation for long
    patience = ("--fetch-retries=1", "--fetch-timeout=30000")
    for command in (
        [npm, "ci", "--no-audit", "--no-fund", "--loglevel=error", *patience],
        [node, "build.mjs"],
    ):
        try:
            done = subprocess.run(command, cwd=SOURCE, capture_output=True, text=True, errors="replace", check=False)
        except OSError as error:
            raise BuildError(f"{command[0]} does not run: {error.strerror}") from None
        if done.returncode:
            lines = [line.strip() for line in (done.stderr or done.stdout).splitlines() if line.strip()]
            words = " ".join([Path(command[0]).name, *command[1:2]])
            raise BuildError(f"{words} failed in {SOURCE}: {' / '.join(lines[:6]) or done.returncode}")
    if lacking := missing():
        raise BuildError(f"after the build, {lacking}")


def main() -> int:
    """Build it, and say where it is. Returns the exit code."""
    try:
        print("building the player for browsers: npm ci && node build.mjs", file=sys.stderr, flush=True)
        build()
    except BuildError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
    print(FOLDER)
    return 0


if __name__ == "__main__":
    sys.exit(main())
