"""The translate mode: images, or what one draws, beside what a model makes of them."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from trainer.contract.errors import ViewerError
from viewer.bindings import help_text, merged
from viewer.mode import Context, Mode
from viewer.modes.translate.draw import DRAW_BINDINGS
from viewer.modes.translate.options import TranslateOptions

if TYPE_CHECKING:
    from viewer.sessions.session import Session
    from viewer.sessions.translation import Translator


class Translate(Mode):
    """``python -m viewer translate``."""

    summary = "images, or what you draw, beside what a model makes of them"
    Options = TranslateOptions
    bindings = merged(
        words={
            "arrows, click": "left, right: the image before, the next; up, down: along the results between two latents",
            "PageUp PageDown Home End": "the image before, the next, the first, the last",
            "s": "save the result",
            "i": "results between this latent and the next (if the model has latents)",
            "r": "back to one result, then a new latent",
            "+ -": "thresholds of edges further apart, closer: their sigma (= and _ too)",
            "Space": "a new latent (if the model has one)",
            "any other key": "a new latent (if the model has one)",
        }
    )
    kind = "translator"

    def key_help(self) -> str:
        """The end of ``--help``: two tables."""
        return f"{super().key_help()}\n\nkeys with --draw:\n{help_text(DRAW_BINDINGS)}"

    def open(self, options: TranslateOptions, context: Context) -> "Session[Any, Any, Any]":
        """The session to show. Raises ``ViewerError``."""
        if options.draw:
            from viewer.modes.translate.draw.session import open_draw

            return open_draw(options, context)
        from viewer.modes.translate.session import TranslateSession, begin
        from viewer.sessions.headless import readable

        paths, translator = _opened(options, context)
        paths = list(readable(paths))
        return TranslateSession(translator, begin(translator, len(paths), options.seed), options.out, paths)

    def write(self, options: TranslateOptions, context: Context) -> None:
        """Write all results without a screen. Raises ``ViewerError``."""
        from viewer.modes.translate.headless import translate_files
        from viewer.modes.translate.session import begin, wanted_of

        paths, translator = _opened(options, context)
        wanted = wanted_of(begin(translator, len(paths), options.seed))
        translate_files(translator, wanted, paths, options.output or options.out)


def _opened(options: TranslateOptions, context: Context) -> "tuple[list[Path], Translator]":
    """The images and the model."""
    from viewer.files.inputs import find_photos
    from viewer.model import open_model
    from viewer.sessions.translation import Translator

    if options.start is not None:
        raise ViewerError("--start is for --draw, found it without")
    paths = find_photos(options.named_images("some, or --draw"))
    threads = context.threads(options.threads, all_cores=True)
    model = open_model(options.model, threads=threads, wanted="translator", many_sizes=True)
    return paths, Translator(model, options.condition, options.size)


MODE = Translate()
