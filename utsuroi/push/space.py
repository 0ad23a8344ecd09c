"""Send the player as a Space of the hub, a page that plays it. It comes after the model, as a commit of its own."""

from typing import Any, Final

from trainer.contract.errors import UserError
from trainer.contract.hub.errors import EmptyError, NoSuchModelError, explained
from trainer.contract.hub.files import listing_of
from utsuroi import __version__
from utsuroi.push.contents import README, Contents
from utsuroi.push.sending import Target, check, is_ours

_BARE: Final = {README, ".gitattributes"}  # what the hub puts into a new one


def look_at_space(hub: Any, target: Target) -> None:
    """Raise ``UserError`` where there is a Space of that name that somebody else, or another program, wrote."""
    what = f"the Space {target.repository}"
    try:
        listing = listing_of(hub, target.repository, "main", "space")
        strange = not set(listing.files) <= _BARE
        strange = strange and not (README in listing.files and is_ours(hub, target.repository, listing, "space"))
    except EmptyError:
        return
    except Exception as error:
        problem = explained(error, what)
        if isinstance(problem, NoSuchModelError):
            return
        raise problem from None
    if strange and not target.force:
        raise UserError(
            f"{what} is there, and not as utsuroi wrote it: push without --space, or replace it by --force; "
            "nothing was pushed"
        )


def send_space(hub: Any, contents: Contents, target: Target) -> None:
    """Push the player as a Space, and look at what arrived. Raises ``UserError``, which says what was made."""
    what, made = f"the Space {target.repository}", ""
    api = hub.HfApi(library_name="utsuroi", library_version=__version__)
    try:
        api.create_repo(target.repository, repo_type="space", space_sdk="static", private=target.private, exist_ok=True)
        made = " (it is there, and shows nothing new)"
        done = api.create_commit(
            target.repository,
            [hub.CommitOperationAdd(name, data) for name, data in contents.space.items()],
            commit_message=f"Player by utsuroi {__version__}",
            repo_type="space",
        )
        check(listing_of(hub, target.repository, done.oid, "space"), contents.space, what)
    except Exception as error:
        problem = explained(error, what)
        raise type(problem)(f"{problem}{made}") from None
