"""Write pages: one file, a file with its runtime beside it, or a folder for a web server."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from export.player.page import Form, Page
from trainer.contract.errors import UserError
from trainer.contract.files import check_free, output

NOTE: Final = "README.txt"  # in a folder: how to host it
_HEADERS: Final = "_headers"  # as Netlify and Cloudflare Pages read it
_INDEX: Final = "index.html"
_ISOLATION: Final = {
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Embedder-Policy": "require-corp",
}


@dataclass(frozen=True)
class Result:
    """What was written."""

    path: Path  # the page
    size: int  # bytes of it
    beside: tuple[Path, ...] = ()  # other files


def write_html(page: Page, path: Path, force: bool, form: Form = "file") -> Result:
    """Write a page as one file, or with its runtime beside it. Raises ``UserError``, and then writes no page."""
    check_free(path, force)
    beside = {path.parent / name: data for name, data in page.files(form).items()}
    written = list(_write_beside(beside, force))
    with output(path, force) as file:
        for piece in page.html(form):
            file.write(piece)
    return Result(path, path.stat().st_size, tuple(written))


def write_folder(page: Page, folder: Path, force: bool) -> Result:
    """Write a page and all that it needs as files for a web server. Raises ``UserError``."""
    check_folder(folder, force)
    contents = {**page.files("folder"), _HEADERS: _headers(page).encode(), NOTE: _note(page).encode()}
    index = page.html("folder")
    try:
        folder.mkdir(exist_ok=True)
    except OSError as error:
        raise UserError(f"cannot make the folder {folder}: {error.strerror}") from None
    written = list(_write_beside({folder / name: data for name, data in contents.items()}, force))
    path = folder / _INDEX  # last: where it is, all is
    with output(path, force) as file:
        for piece in index:
            file.write(piece)
    return Result(path, path.stat().st_size, tuple(written))


def _write_beside(contents: Mapping[Path, bytes], force: bool) -> Iterator[Path]:
    """Write files, but those that are there with the same contents, as of another page."""
    for path, data in contents.items():
        try:
            path.parent.mkdir(exist_ok=True)
            same = path.is_file() and path.read_bytes() == data
        except OSError as error:
            raise UserError(f"cannot write {path}: {error.strerror}") from None
        if not same:
            with output(path, force) as file:
                file.write(data)
        yield path


def check_folder(folder: Path, force: bool) -> None:
    """Raise ``UserError`` where a page cannot be written into a folder, or would be mixed with something else."""
    try:
        if not folder.parent.is_dir():
            raise UserError(f"there is no folder {folder.parent}")
        if folder.exists() and not folder.is_dir():
            raise UserError(f"{folder} is a file, expected the name of a folder to write")
        if folder.is_dir() and any(folder.iterdir()) and not force:
            raise UserError(f"{folder} is not empty; give --force to write into it, and replace what has the same name")
    except OSError as error:
        raise UserError(f"{folder}: {error.strerror}") from None


def _headers(page: Page) -> str:
    isolation = "".join(f"  {name}: {value}\n" for name, value in _ISOLATION.items())
    return f"/*\n{isolation}/{page.player}/*\n  Cache-Control: public, max-age=31536000, immutable\n"


def _note(page: Page) -> str:
    nginx = "\n".join(f"    add_header {name} {value} always;" for name, value in _ISOLATION.items())
    apache = "\n".join(f"    Header set {name} {value}" for name, value in _ISOLATION.items())
    return f"""{page.title}: a page that plays a model of images in the browser, written by utsuroi.

Upload all of this folder to any web server. To look at it on this computer:

    python -m http.server --directory .

The page works as it is, on one core, or on the graphics card where the browser has WebGPU. With the two headers below,
which isolate the page from other origins, browsers let it use several cores. Netlify and Cloudflare Pages read them
from the file _headers. Other hosts:

nginx, in the page's location:
{nginx}

Apache, in .htaccess, with mod_headers:
{apache}

The folder {page.player} may be kept by browsers for ever: another player has another name.
.mjs has to be served as text/javascript, .wasm as application/wasm; most servers do so.
"""
