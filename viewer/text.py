"""Text from files that others wrote, made fit to be printed."""


def printable(text: str, longest: int = 400) -> str:
    """The text in one line, with control characters and terminal escape sequences made visible and harmless."""
    shown = "".join(
        character if character.isprintable() else character.encode("unicode_escape").decode()
        for character in text[:longest]
    )
    return shown if len(text) <= longest else shown + "…"
