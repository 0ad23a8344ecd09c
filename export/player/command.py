"""Write a page that plays models in a browser.

python -m export cats.onnx --html cats.html
python -m export runs/cats --html cats.html
python -m export denoiser.onnx --init cats.onnx --folder site
"""

import contextlib
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Final

from tqdm import tqdm

from export.player import built
from export.player.models import Models, card_of, open_models
from export.player.options import PageOptions, add_page_flags, take_page
from export.player.page import ModelFile, Page
from export.player.poster import Poster, draw
from export.player.writing import NOTE, Result, check_folder, write_folder, write_html
from trainer.contract.errors import UserError
from trainer.contract.files import check_free
from trainer.contract.options import Parser
from trainer.contract.text import printable, say
from viewer.graph.limits import limits
from viewer.options import BUILT_IN_NAMES

_QUIET_SECONDS: Final = 4.0  # between lines, at most
_LONGEST_TITLE: Final = 200  # characters
_PUT_IN: Final = "python -m export FILE.onnx -o OUT.onnx --directions puts them in"

Write = Callable[[Path], object]  # a run or weights as ONNX files, the first of them there; raises UserError


def main(
    words: Sequence[str],
    program: str,
    is_of_onnx: Callable[[Sequence[str]], bool],
    prepare: Callable[[list[str]], tuple[Path, Write]],
) -> int:
    """The command line with ``--html`` or ``--folder``. ``is_of_onnx``: whether words are about an ONNX file;
    ``prepare``: of other words, without -o, gives what they are about, and what writes that. Returns the exit code."""
    given, rest = _parser(program).parse_known_args(words)
    values = vars(given)
    out, force = values.pop("output"), values.pop("force")
    options = take_page(values)
    try:
        _check(options, force)
        if is_of_onnx(rest) or (rest and rest[0] in BUILT_IN_NAMES and not Path(rest[0]).exists()):
            _check_alone(rest, out)
            return _report(_of_files(rest, options, force, said=[]))
        if out is not None:
            check_free(out, force)
        return _report(_of_run(*prepare([*rest, *["--force"] * force]), out, options, force))
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except MemoryError:
        print("error: not enough memory for a page of this model: --folder takes less", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("interrupted: no page was written", file=sys.stderr)
        return 130


def _of_run(source: Path, write: Write, out: Path | None, options: PageOptions, force: bool) -> list[str]:
    """Export a run or weights first, to ``out`` or for this page alone."""
    if out is not None:
        write(out)
        return _of_files([str(out)], options, force, said=[])
    name = printable(source.resolve().name.partition(".")[0] or "model", 100)
    with tempfile.TemporaryDirectory(prefix="utsuroi-") as folder:
        path = Path(folder) / f"{name}.onnx"
        write(path)
        said = [f"{source}: exported for this page alone; with -o {name}.onnx the model is kept as a file, too"]
        return _of_files([str(path)], options, force, said)


def _of_files(paths: Sequence[str], options: PageOptions, force: bool, said: list[str]) -> list[str]:
    """Write the page of ONNX files. Returns lines on what was written."""
    with limits():
        with _doing(f"opening {paths[0]}"):
            models = open_models(paths, encoder=options.encoder, detail=options.detail, init=options.init)
        page, lines = _page(models, options)
        for line in [*said, *models.remarks, *lines]:
            say(line)
    with _doing(f"writing {options.html or options.folder}"):
        if options.folder is not None:
            result = write_folder(page, options.folder, force)
        else:
            assert options.html is not None
            result = write_html(page, options.html, force, "no-runtime" if options.no_runtime else "file")
    return list(_described(result, models, options))


def _page(models: Models, options: PageOptions) -> tuple[Page, list[str]]:
    """The page, and what is to be said of it."""
    if options.mode and options.mode not in models.modes:
        raise UserError(f"--mode is {options.mode}, expected one of {', '.join(models.modes)} for {models.first.path}")
    if options.seed is not None and models.card.kind == "translator":
        raise UserError(f"--seed is {options.seed}, expected none: {models.first.path} begins with an image")
    lines = []
    if built.outdated():
        lines.append("the player is older than its sources: python -m export.player.built builds it anew")
    with _doing("drawing what is shown first") as tell:
        drawn = draw(models, options.mode, options.seed or 0, tell)
    if not isinstance(drawn, Poster):
        lines.append(f"{printable(models.first.path)}: nothing is shown before the model runs: {drawn}")
        if options.seed:
            raise UserError(f"--seed is {options.seed}, expected none: {drawn}")
    for model in models.all:
        named = model.path.with_name(f"{model.path.stem}.directions.json")
        if model.kind == "generator" and named.is_file():
            lines.append(
                f"{printable(named)}: is not on the page, which has the directions of the model alone: {_PUT_IN}"
            )
    return (
        Page(
            title=_title(options.title or card_of(models.first).name or models.first.path.stem),
            models=[ModelFile(printable(model.path.name), model.path.read_bytes()) for model in models.all],
            mode=options.mode,
            poster=drawn if isinstance(drawn, Poster) else None,
        ),
        lines,
    )


@contextlib.contextmanager
def _doing(what: str) -> Iterator[Callable[[str], None]]:
    """Say what the block does: on a line of a terminal, which goes at its end, or in lines where it takes long. Yields
    what tells how far it is."""
    draws = sys.stderr.isatty()
    said = time.monotonic()
    with tqdm(desc=printable(what), bar_format="{desc} ...", leave=False, disable=not draws) as line:

        def tell(words: str) -> None:
            nonlocal said
            line.set_description_str(words)
            if not draws and time.monotonic() - said > _QUIET_SECONDS:
                said = time.monotonic()
                say(words)

        yield tell


def _check(options: PageOptions, force: bool) -> None:
    """Raise ``UserError`` for what means nothing, and where the page cannot be written: at once, since what follows
    takes a while."""
    if options.html is not None and options.folder is not None:
        raise UserError("--html and --folder: expected one of them: a page in one file, or as files for a web server")
    if options.no_runtime and options.html is None:
        raise UserError("--no-runtime: goes with --html; the runtime of a --folder lies in files anyway")
    if options.html is not None:
        if options.html.suffix.lower() not in (".html", ".htm"):
            raise UserError(f"{options.html}: the name ends in {options.html.suffix or 'nothing'!r}, expected .html")
        check_free(options.html, force)
    if options.folder is not None:
        check_folder(options.folder, force)
    if options.title and len(options.title) > _LONGEST_TITLE:
        raise UserError(f"--title has {len(options.title)} characters, expected {_LONGEST_TITLE} at most")
    if why := built.missing():
        raise UserError(why)


def _check_alone(words: Sequence[str], out: Path | None) -> None:
    """Raise ``UserError`` where flags of an export stand beside ONNX files, which are exported already."""
    if out is not None:
        raise UserError(f"-o {out}: a page of ONNX files writes no other one, expected --html or --folder alone")
    if unknown := next((word for word in words if word.startswith("-")), ""):
        raise UserError(f"{unknown}: is no option of a page of ONNX files, expected FILE.onnx... --html OUT.html")


def _title(text: str) -> str:
    return printable(text, _LONGEST_TITLE)


def _described(result: Result, models: Models, options: PageOptions) -> Iterator[str]:
    """What was written, and how to open it."""
    what = f"{models.card.kind} {printable(models.card.name or models.first.path.stem, 60)}"
    what += "".join(f", {model.kind}" for model in models.beside)
    sizes = f"{_size(result.size)}"
    if result.beside:
        more = sum(path.stat().st_size for path in result.beside)
        sizes += f", {len(result.beside)} files beside it, {_size(more)}"
    yield f"{printable(result.path)}: {what}; {', '.join(models.modes)}; {sizes}"
    if options.folder is not None:
        yield (
            f"upload {printable(options.folder)} to a web server ({NOTE} in it says which headers give it threads); "
            f"here: python -m http.server --directory {printable(options.folder)}, then http://localhost:8000"
        )
    elif options.no_runtime:
        yield (
            f"upload it with the folder {printable(result.beside[0].parent)} beside it; here: python -m http.server "
            f"--directory {printable(result.path.parent)}, then http://localhost:8000/{printable(result.path.name)}"
        )
    else:
        yield "open it by a double click, in any browser, without a network; it can be sent, or put on any web server"


def _size(count: int) -> str:
    return f"{count / 1e6:.1f} MB" if count >= 1e5 else f"{count / 1e3:.1f} kB"


def _report(lines: Sequence[str]) -> int:
    for line in lines:
        print(printable(line))
    return 0


def _parser(program: str) -> Parser:
    parser = Parser(
        prog=program,
        usage=f"{program} FILE.onnx|RUN --html OUT.html | --folder DIR [options]",
        description=(__doc__ or "").splitlines()[0],
        epilog="Options of exporting a run or weights go along: their --help has them.",
        allow_abbrev=False,
    )
    parser.add_argument("-o", "--output", type=Path, metavar="OUT.onnx", help="of a run: the model as a file, too")
    parser.add_argument("--force", action="store_true", help="replace files that exist")
    add_page_flags(parser)
    return parser
