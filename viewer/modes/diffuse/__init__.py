"""The diffuse mode: images out of noise, or out of other images, as one watches."""

from dataclasses import replace
from typing import TYPE_CHECKING

from viewer.bindings import CLASS, ROWS_BY_CLASS, Binding, merged
from viewer.keys import Action
from viewer.mode import Context, Mode
from viewer.modes.diffuse.options import DiffuseOptions

if TYPE_CHECKING:
    from viewer.modes.diffuse.session import DiffuseSession


class Diffuse(Mode):
    """``python -m viewer diffuse``."""

    summary = "images out of noise, or out of other images, as you watch"
    Options = DiffuseOptions
    bindings = merged(
        Binding("Tab", "before, after: the images of --init (if a model made them)", (Action.NEXT_VIEW,)),
        CLASS,
        ROWS_BY_CLASS,
        words={
            "PageUp PageDown Home End": "the page before, the next; Home, End: the first image, the last",
            "i": "between four random corners: of noise, or of latents with --init MODEL",
            "+ -": "more steps, fewer (= and _ too)",
        },
    )
    kind = "denoiser"

    def open(self, options: DiffuseOptions, context: Context) -> "DiffuseSession":
        """The session to show. Raises ``ViewerError``."""
        from viewer.modes.diffuse.opening import begin
        from viewer.modes.diffuse.session import DiffuseSession

        diffusion, state = begin(options, context.threads(options.threads, all_cores=True))
        return DiffuseSession(diffusion, state, options.out, options.keep_steps)

    def write(self, options: DiffuseOptions, context: Context) -> None:
        """Write all results without a screen. Raises ``ViewerError``."""
        from viewer.modes.diffuse.headless import diffuse_files
        from viewer.modes.diffuse.opening import begin
        from viewer.modes.diffuse.session import page_of

        diffusion, state = begin(options, context.threads(options.threads, all_cores=True))
        page = replace(page_of(state), photos=tuple(range(state.photos)))
        diffuse_files(diffusion, page, options.output or options.out, options.keep_steps)


MODE = Diffuse()
