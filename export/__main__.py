"""Write a trained run, or weights from elsewhere, as ONNX files that the viewer opens.

python -m export runs/cats -o cats.onnx
python -m export vae_1120.pth -o cats.onnx
python -m export theirs.onnx -o one.onnx
python -m export g.pth --module model.py:Generator --kind generator --latent 100 -o g.onnx
python -m export cats.onnx -o named.onnx --directions cats.directions.json
python -m export cats.onnx --html cats.html
"""

import argparse
import contextlib
import sys
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path

if __name__ == "__main__" and not sys.flags.safe_path and Path(sys.path[0]) != Path(__file__).resolve().parents[1]:
    del sys.path[0]  # the current folder: a trainer.py there would hide ours

from export.card import PRECISIONS
from export.given import Given, add_flags, add_own, flag, joined, take
from export.player.options import PageOptions, add_page_flags, is_of_page, take_page
from export.player.options import said as flags_said
from export.weight_folder import SHARDS, is_weights_folder
from trainer.contract.errors import UserError, require
from trainer.contract.files import reading
from trainer.contract.formats import Found
from trainer.contract.hub.names import is_hub_name
from trainer.contract.options import Parser, called_as
from trainer.contract.packages import needing
from trainer.contract.recognise import recognise
from trainer.contract.text import printable, say
from trainer.runs.record import read_run
from trainer.threads import wait_briefly

_EXPECTED = "a run, a .pth or .safetensors file, or an .onnx file"
_EPILOG = "Flags for ONNX files of other programs: {} FILE.onnx --help"
_OUTPUT = ("-o", "--output")  # what a file to write comes after
_TEXTS = (
    *_OUTPUT,
    "--name",
    "--licence",
    "--html",
    "--folder",
    "--title",
)  # before other words than models


def main(arguments: list[str] | None = None, program: str = "") -> int:
    """The command line, called ``program``. Returns the exit code: 0, 2 for a user's mistake, 130 when interrupted."""
    program = program or called_as("export")
    words, of_onnx = joined(sys.argv[1:] if arguments is None else arguments), False
    try:
        words = _fetched(words)
        if is_of_page(words):
            with needing("", program):
                from export.player.command import main as write_page

            return write_page(words, program, _is_of_onnx, lambda rest: _prepared(rest, program))
        of_onnx = _is_of_onnx(words)
        written = (_from_onnx if of_onnx else _export)(words, program)
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except MemoryError:
        way = " (--max-memory)" if of_onnx else ""
        print(printable(f"error: {' '.join([program, *words])}: not enough memory{way}"), file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("interrupted: nothing was written", file=sys.stderr)
        return 130
    for line in written:
        print(printable(line))
    return 0


def _prepared(words: Sequence[str], program: str) -> tuple[Path, Callable[[Path], list[str]]]:
    """What a command line without -o is about, and what writes that as the ONNX file which it is given."""
    source: Path = _parser(program).parse_args([*words, *_OUTPUT[:1], "page.onnx"]).source
    return source, lambda path: _export([*words, *_OUTPUT[:1], str(path)], program)


def _export(words: Sequence[str], program: str) -> list[str]:
    """Write a run or weights as ONNX files. Returns a line on each. Raises ``UserError``."""
    options = vars(_parser(program).parse_args(words))
    source, family, weights, key = (options.pop(name) for name in ("source", "family", "weights", "key"))
    given = take(options)
    _check_page(take_page(options))
    wait_briefly()
    with needing("export", program):
        from trainer.progress import Progress
    said: list[str] = []  # what was chosen and assumed
    _check(source, family, weights, key, given)  # at once: what follows takes seconds
    with contextlib.closing(Progress(speaks=find_spec("torch") is not None, file=sys.stderr)) as progress:
        with needing("export", program), progress.doing("loading PyTorch", at_once="torch" not in sys.modules):
            from export.from_weights import export_weights
            from export.to_onnx import Output, export_run, summary
        output = Output(path=options.pop("output"), **options)
        with progress.doing(f"exporting {source}"):
            if source.is_dir() and not is_weights_folder(source):
                written = export_run(source, output, weights)
            else:
                written = export_weights(source, output, family, key, said.append, given)
    for line in said:
        print(printable(f"{source}: {line}"), file=sys.stderr)
    return [summary(path) for path in written]


def _check_page(options: PageOptions) -> None:
    """Raise ``UserError`` for flags of a page where none is asked for."""
    if given := flags_said(options):
        raise UserError(f"{given[0]}: goes with --html OUT.html or --folder DIR, written out in full")


def _check(source: Path, family: str, weights: str, key: str, given: Given) -> None:
    """Raise ``UserError`` for what is neither a run nor weights, nor a damaged one of these, and for options that do
    not fit it."""
    if not source.exists():
        raise UserError(f"{source}: there is no such run or file")
    with reading(source):
        found = recognise(source)
    known = ("run", "runs", "weights", "pickle")
    if source.is_dir() and not is_weights_folder(source):
        if found is not None and found.kind not in known and not (source / "config.json").exists():
            raise UserError(f"{source}: found {found.instead_of(_EXPECTED)}")
        read_run(source)
        require(not family, "family", family, f"none for a run: {source} names its own")
        require(not key, "key", key, "none for a run: it has one set of networks")
        if unused := given.beyond(()):
            raise UserError(f"{flag(unused[0])}: none for a run, expected it with weights from elsewhere")
        return
    is_file = not source.is_dir() and not source.name.endswith(SHARDS)
    if is_file and found is not None and found.kind not in known:
        raise UserError(f"{source}: found {found.instead_of(_EXPECTED)}")
    require(weights == "best", "weights", weights, "none for a file: it holds one set")


def _fetched(words: Sequence[str]) -> list[str]:
    """A command line with files in the place of models of the hub. Raises ``UserError``."""
    found = list(words)
    for number, (before, word) in enumerate(pairwise(["", *words])):
        if before not in _TEXTS and is_hub_name(word):
            from trainer.contract.hub.files import fetch

            found[number] = str(fetch(word))
    return found


def _is_of_onnx(words: Sequence[str]) -> bool:
    """Whether a command line is about an ONNX file: other flags fit it than fit runs and weights."""
    for before, word in pairwise(["", *words]):
        path = Path(word)
        if before not in _OUTPUT and not word.startswith("-") and not path.is_dir():
            kind = ""
            with contextlib.suppress(OSError, ValueError):
                kind = (recognise(path) or Found("")).kind if path.is_file() else ""
            if kind == "model" or (word.lower().endswith(".onnx") and kind not in ("weights", "pickle")):
                return True
    return False


def _from_onnx(words: Sequence[str], program: str) -> list[str]:
    """An ONNX file of another program as one with a card; with ``--directions`` one of ours with more in its card.
    Returns a line on it. Raises ``UserError``."""
    with needing("", program):
        from export.foreign.options import Options, parse
    options, said = parse(words, program)
    source, path, directions = (options.pop(name) for name in ("source", "output", "directions"))
    lines: list[str] = []
    if directions is None:
        with needing("export", program):
            from export.foreign.command import adopt
        lines, summary = adopt(source, path, said, **options)
    else:
        with needing("export", program):
            from export.embed import embed
        if said != Options() or options["name"] or options["licence"]:
            raise UserError(f"{source}: is exported already, expected --directions FILE, and besides -o, --force")
        summary = embed(source, path, directions, options["force"])
    for line in lines:
        say(f"{printable(source)}: {line}")
    return [summary]


def _parser(program: str) -> argparse.ArgumentParser:
    parser = Parser(prog=program, description=(__doc__ or "").splitlines()[0], epilog=_EPILOG.format(program))
    parser.add_argument(
        "source",
        type=Path,
        metavar="RUN|FILE",
        help="folder of a run; a file of weights (.pth, .safetensors, …); an .onnx file, which has flags of its own",
    )
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="OUT.onnx", help="file to write")
    parser.add_argument(
        "--family", default="", help="who reads a file of weights, such as vae (default: whoever knows its layout)"
    )
    parser.add_argument("--key", default="", metavar="NAME", help="which of several networks of a file, with dots")
    parser.add_argument("--weights", default="best", metavar="best|last|N", help="checkpoint of a run (default: best)")
    parser.add_argument(
        "--precision",
        choices=PRECISIONS,
        default="fp32",
        help="fp16: half the size; int8: a quarter to a half, and faster linear maps (default: fp32)",
    )
    parser.add_argument("--name", default="", help="what the card calls the model (default: the file's name)")
    parser.add_argument("--licence", default="", help="terms under which the file may be used, kept in the card")
    parser.add_argument(
        "--directions",
        type=Path,
        metavar="FILE",
        help="named directions of the viewer's latent mode, for the card of a generator",
    )
    parser.add_argument("--force", action="store_true", help="replace files that exist")
    add_page_flags(parser)
    add_flags(parser)
    add_own(parser)
    return parser


if __name__ == "__main__":
    sys.exit(main())
