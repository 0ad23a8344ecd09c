"""The command line of ``utsuroi push``."""

import re
import shlex
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from trainer.contract.errors import UserError, fail
from trainer.contract.hub.files import library
from trainer.contract.hub.names import DEFAULT, PREFIX, REPOSITORY, HubName
from trainer.contract.options import Parser, add_options, argument, flag
from trainer.contract.packages import needing
from trainer.contract.text import printable, say

_EXAMPLE = "utsuroi push cats.onnx owner/cats --licence cc-by-4.0"


@dataclass(frozen=True, kw_only=True)
class Options:
    model: Path = argument(
        "ONNX file with a card; its encoder and detail network beside it go along", metavar="FILE.onnx"
    )
    repository: str = argument("where to on the hub; it is made if it is not there", metavar="OWNER/NAME")
    licence: str = flag(
        "terms under which the model may be used, where its card has none, such as cc-by-4.0; unknown: nobody knows",
        default="", metavar="TEXT",
    )  # fmt: skip
    private: bool = flag("a new repository is seen by its owner alone", default=False)
    revision: str = flag("branch to push to; it is made if it is not there (main)", "--revision", "--branch",
                         default=DEFAULT, metavar="NAME")  # fmt: skip
    message: str = flag("of the commit", "--message", "-m", default="", metavar="TEXT")
    images: Sequence[str] = flag(
        "images whose results a translator's page shows: files, folders, quoted patterns",
        default=(), nargs="+", metavar="IMAGE",
    )  # fmt: skip
    no_html: bool = flag("without the player, index.html", default=False)
    space: bool = flag("also show the player as a Space of the same name, which plays on its page", default=False)
    space_only: bool = flag("push that Space alone: the model is there already", default=False)
    force: bool = flag("replace a README.md that somebody has changed, or a Space of another kind", default=False)
    dry_run: bool = flag("say what would be pushed, and send nothing", default=False)


def parser(program: str) -> Parser:
    """Of the command line."""
    made = Parser(
        prog=program,
        description="Push a model to the Hugging Face hub, with a page about it and a player for browsers.",
        epilog=f"For example: {_EXAMPLE}. To play it: utsuroi view hub:owner/cats.",
        allow_abbrev=False,
    )
    add_options(made, Options)
    return made


def main(words: list[str], program: str) -> int:
    """Run it. Returns the exit code: 0, or 130 when interrupted; exits with 2 at a user's mistake."""
    options = Options(**vars(parser(program).parse_args(words)))
    try:
        with needing("hub", program):
            _push(options)
    except UserError as error:
        fail(str(error))
    except KeyboardInterrupt:
        say("interrupted: nothing was pushed, unless it says so above")
        return 130
    return 0


def _push(options: Options) -> None:
    """Raises ``UserError``."""
    from utsuroi.push.contents import Wishes, collect
    from utsuroi.push.sending import Target, send
    from utsuroi.push.space import look_at_space, send_space

    repository = options.repository.removeprefix(PREFIX)
    if not re.fullmatch(REPOSITORY, repository, re.ASCII) or ".." in repository or "--" in repository:
        raise UserError(f"{options.repository}: expected OWNER/NAME, as in {_EXAMPLE}")
    if not re.fullmatch(r"\w[\w.-]{0,99}", options.revision, re.ASCII) or ".." in options.revision:
        raise UserError(
            f"--revision is {options.revision}, expected the name of a branch: letters, digits, dots, dashes"
        )
    what = f"{PREFIX}{repository}"
    with library(what) as hub:
        address, metadata = hub.constants.ENDPOINT, hub.ModelCardData
    wishes = Wishes(
        repository=repository, revision=options.revision, address=address, licence=options.licence,
        images=options.images, html=not options.no_html, space=options.space or options.space_only,
    )  # fmt: skip
    contents = collect(options.model, wishes, metadata, say)
    if options.dry_run:
        print(contents.readme)
        if not options.space_only:
            _list(contents.files, f"would be pushed to {what}, and nothing was:")
        if contents.space:
            _list(contents.space, f"would be pushed to the Space {repository}, and nothing was:")
        return
    target = Target(
        repository=repository, revision=options.revision, private=options.private, force=options.force,
        message=options.message,
    )  # fmt: skip
    with library(what) as hub:
        if contents.space:
            look_at_space(hub, target)
        if not options.space_only:
            commit = send(hub, contents, target, say)
            _list(contents.files, f"pushed to {what}, commit {commit[:8]}:")
        if contents.space:
            try:
                send_space(hub, contents, target)
            except UserError as problem:
                done = "" if options.space_only else f"the model is pushed ({address}/{repository}), its Space is not: "
                raise UserError(f"{done}{problem}; to try the Space alone: {_space_alone(options)}") from None
            _list(contents.space, f"pushed to the Space {repository}:")
            print(printable(f"{address}/spaces/{repository}"))
    print(printable(f"{address}/{repository}"))
    name = HubName(repository, options.revision, options.model.name if options.revision != DEFAULT else "")
    print(printable(f"utsuroi view {name}"))


def _space_alone(options: Options) -> str:
    """The command that pushes no more than the Space."""
    words = ["utsuroi", "push", str(options.model), options.repository, "--space-only"]
    words += ["--licence", options.licence] if options.licence else []
    return shlex.join(words + [word for word in ("--private", "--force") if getattr(options, word[2:])])


def _list(files: Any, head: str) -> None:
    print(printable(head), file=sys.stderr)
    for name, data in files.items():
        size = f"{len(data) / 1e6:.1f} MB" if len(data) >= 1e5 else f"{len(data) / 1e3:.1f} kB"
        print(printable(f"  {name}  {size}"), file=sys.stderr)
