"""Commands of ``accelerate launch``, in words."""


def split(words: list[str]) -> tuple[dict[str, str], list[str], str, list[str]]:
    """Variables, what the launcher is told, the script, and what it is told."""
    start = words.index("accelerate")
    script = next(place for place, word in enumerate(words) if word.endswith(".py"))
    variables = dict(word.split("=", 1) for word in words[:start])
    return variables, words[start + 2 : script], words[script], words[script + 1 :]
