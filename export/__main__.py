"""Write a trained run, or a bare state_dict, as ONNX files that the viewer opens.

python -m export runs/cats -o cats.onnx
python -m export vae_1120.pth --family vae -o cats.onnx
python -m export cats.onnx -o named.onnx --directions cats.directions.json
"""

import argparse
import contextlib
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

if __name__ == "__main__" and not sys.flags.safe_path and Path(sys.path[0]) != Path(__file__).resolve().parents[1]:
    del sys.path[0]  # the current folder: a trainer.py there would hide ours

from export.card import PRECISIONS
from trainer.contract.errors import UserError, require
from trainer.contract.files import reading
from trainer.contract.options import Parser, called_as
from trainer.contract.packages import needing
from trainer.contract.recognise import recognise
from trainer.contract.text import printable
from trainer.runs.record import read_run
from trainer.threads import wait_briefly


def main(arguments: list[str] | None = None, program: str = "") -> int:
    """The command line, called ``program``. Returns the exit code: 0, 2 for a user's mistake, 130 when interrupted."""
    program = program or called_as("export")
    options = vars(_parser(program).parse_args(arguments))
    source, family, weights = (options.pop(name) for name in ("source", "family", "weights"))
    if source.suffix.lower() == ".onnx" and source.is_file() and options["directions"] is not None:
        return _embed(source, options, bool(family) or weights != "best", program)
    wait_briefly()
    with needing("export", program):
        from trainer.progress import Progress
    try:
        _check(source, family, weights)  # at once: what follows takes seconds
        with contextlib.closing(Progress(speaks=find_spec("torch") is not None, file=sys.stderr)) as progress:
            with needing("export", program), progress.doing("loading PyTorch", at_once="torch" not in sys.modules):
                from export.to_onnx import Output, export_run, export_state_dict, summary
            output = Output(path=options.pop("output"), **options)
            with progress.doing(f"exporting {source}"):
                written = export_state_dict(source, family, output) if family else export_run(source, output, weights)
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("interrupted: nothing was written", file=sys.stderr)
        return 130
    for path in written:
        print(printable(summary(path)))
    return 0


def _check(source: Path, family: str, weights: str) -> None:
    """Raise ``UserError`` for what is neither a run nor weights, nor a damaged one of these, and for options that do
    not fit it."""
    if not source.exists():
        raise UserError(f"{source}: there is no such run or file")
    with reading(source):
        found = recognise(source)
    known = ("run", "runs", "weights", "pickle")
    if found is not None and found.kind not in known and not (source / "config.json").exists():
        raise UserError(f"{source}: found {found.instead_of('a run, or a .pth or .safetensors file')}")
    if source.is_dir():
        read_run(source)
        require(not family, "family", family, f"none for a run: {source} names its own")
    elif not family:
        raise UserError(f"{source}: a bare file does not say what it is: --family is missing")
    else:
        require(weights == "best", "weights", weights, "none for a file: it holds one set")


def _embed(source: Path, options: dict[str, Any], more: bool, program: str) -> int:
    """``--directions`` for a file that was exported before. ``more``: there are flags that only networks have."""
    with needing("export", program):
        from export.embed import embed
    try:
        path, directions, force = (options.pop(name) for name in ("output", "directions", "force"))
        if more or options != {"precision": "fp32", "name": "", "licence": ""}:
            raise UserError(f"{source}: is exported already, expected --directions FILE, and besides -o, --force")
        said = embed(source, path, directions, force)
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    print(printable(said))
    return 0


def _parser(program: str) -> argparse.ArgumentParser:
    parser = Parser(prog=program, description=(__doc__ or "").splitlines()[0])
    parser.add_argument(
        "source",
        type=Path,
        metavar="RUN|FILE",
        help="folder of a run; a .pth or .safetensors file; with --directions an .onnx file, too",
    )
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="OUT.onnx", help="file to write")
    parser.add_argument("--family", default="", help="model family of a bare file, such as vae")
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
    return parser


if __name__ == "__main__":
    sys.exit(main())
