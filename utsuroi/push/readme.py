"""The README of a repository of the hub, its model card, written from the card in the ONNX file.

The metadata are those of https://huggingface.co/docs/hub/model-cards. A line at the end says who wrote it, with a hash:
what a person has changed since is told from what may be replaced."""

import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from export.card import Card
from trainer.contract.text import printable

UNKNOWN: Final = "unknown"  # a licence that nobody knows
SHEET: Final = "samples.png"
PLAYER: Final = "index.html"
_TASKS: Final = {
    "generator": "unconditional-image-generation",
    "denoiser": "unconditional-image-generation",
    "translator": "image-to-image",
}
_IS: Final = {
    "generator": "draws images from latents",
    "denoiser": "makes images out of noise, step by step",
    "translator": "makes images of images",
}
_LICENCES: Final = {  # that the hub has names for
    "afl-3.0", "agpl-3.0", "apache-2.0", "artistic-2.0", "bsd", "bsd-2-clause", "bsd-3-clause",
    "bsd-3-clause-clear", "bsl-1.0", "c-uda", "cc", "cc0-1.0", "cc-by-2.0", "cc-by-2.5", "cc-by-3.0", "cc-by-4.0",
    "cc-by-nc-2.0", "cc-by-nc-3.0", "cc-by-nc-4.0", "cc-by-nc-nd-3.0", "cc-by-nc-nd-4.0", "cc-by-nc-sa-2.0",
    "cc-by-nc-sa-3.0", "cc-by-nc-sa-4.0", "cc-by-nd-4.0", "cc-by-sa-3.0", "cc-by-sa-4.0", "cdla-permissive-1.0",
    "cdla-permissive-2.0", "cdla-sharing-1.0", "creativeml-openrail-m", "ecl-2.0", "epl-1.0", "epl-2.0",
    "etalab-2.0", "eupl-1.1", "eupl-1.2", "gfdl", "gpl", "gpl-2.0", "gpl-3.0", "isc", "lgpl", "lgpl-2.1",
    "lgpl-3.0", "lppl-1.3c", "mit", "mpl-2.0", "ms-pl", "ncsa", "odbl", "odc-by", "ofl-1.1", "openrail",
    "openrail++", "osl-3.0", "pddl", "postgresql", "unknown", "unlicense", "wtfpl", "zlib",
}  # fmt: skip
_MARK: Final = re.compile(r"\n<!-- utsuroi push: ([0-9a-f]{64}) -->\s*$")
_DATA: Final = re.compile(r"hub(?:stream)?:([\w.-]+/[\w.-]+)(?::[\w.-]+)?", re.ASCII)


@dataclass(frozen=True, kw_only=True)
class Facts:
    """What the text is made of."""

    card: Card
    repository: str  # OWNER/NAME
    revision: str
    address: str  # of the hub
    licence: str  # UNKNOWN where nobody knows
    files: Mapping[str, tuple[int, str]]  # models: bytes and SHA-256 by name, the one that it is about first
    sheet: str = ""  # what the samples are; "": there are none
    has_player: bool = False
    space: str = ""  # of the hub, that shows the player
    parameters: int = 0


def write_readme(facts: Facts, metadata: type) -> str:
    """The text. ``metadata``: ``huggingface_hub.ModelCardData``."""
    yaml = metadata(**_metadata(facts)).to_yaml()
    return marked(f"---\n{yaml}\n---\n\n" + "\n\n".join(_parts(facts)) + "\n")


def marked(text: str) -> str:
    """A README with the line that says who wrote it."""
    return f"{text}\n<!-- utsuroi push: {hashlib.sha256(text.encode()).hexdigest()} -->\n"


def is_replaceable(text: str) -> bool:
    """Whether a README is one that was written here and not changed since, or has no text."""
    text = text.replace("\r\n", "\n")
    mark = _MARK.search(text)
    if mark:
        return hashlib.sha256(text[: mark.start()].encode()).hexdigest() == mark[1]
    return not re.sub(r"\A---\n.*?\n---(\n|\Z)", "", text, flags=re.DOTALL).strip()


def _metadata(facts: Facts) -> dict[str, Any]:
    card = facts.card
    task = "image-to-image" if card.kind == "translator" else _TASKS[card.kind]
    kind = "super-resolution" if card.kind == "translator" and card.scale > 1 else card.kind
    words: dict[str, Any] = {
        "library_name": "utsuroi",
        "pipeline_tag": task,
        "tags": list(dict.fromkeys(filter(None, ("utsuroi", "onnx", kind, card.family)))),
        **_licence(facts.licence),
    }
    data = _DATA.fullmatch(card.data)
    if data:
        words["datasets"] = [data[1]]
    return words


def _licence(licence: str) -> dict[str, str]:
    """As the hub names it."""
    known = re.sub(r"[\s_]+", "-", licence.strip().lower())
    if known in _LICENCES:
        return {"license": known}
    return {"license": "other", "license_name": plain(licence)}


def _parts(facts: Facts) -> Iterator[str]:
    card = facts.card
    yield f"# {escaped(card.name or facts.repository.partition('/')[2])}"
    if facts.sheet:
        yield f"![{escaped(facts.sheet)}]({SHEET})"
    family = f" ({escaped(card.family)})" if card.family else ""
    yield f"A model{family} that {_IS[card.kind]}, in one ONNX file that describes itself."
    yield "## Play"
    if facts.space:
        yield f"**[In your browser]({facts.address}/spaces/{facts.space})**: nothing is installed, nothing is sent."
    if facts.has_player:
        address = f"{facts.address}/{facts.repository}/resolve/{facts.revision}/{PLAYER}?download=true"
        yield (
            f"{'Or offline' if facts.space else '**In your browser**'}: [download the player]({address}), one file "
            "with the model in it, and open it with a double click. It needs no network."
        )
    yield "\n".join(["With utsuroi and its extra `hub` installed:", "", "```", *_commands(facts), "```"])
    yield "\n".join(["From Python, without torch:", "", "```python", *_python(facts), "```"])
    yield "## About"
    yield _table(_facts(facts), ("", ""))
    metrics = dict(_metrics(card.training))
    if metrics:
        yield "## Metrics"
        yield _table(metrics.items(), ("metric", "value"))
    yield "## Files"
    yield _table(
        ((f"`{name}`", f"{size / 1e6:.2f} MB, SHA-256 `{digest}`") for name, (size, digest) in facts.files.items()),
        ("file", ""),
    )


def _name(facts: Facts) -> str:
    revision = "" if facts.revision == "main" else f"@{facts.revision}"
    return f"hub:{facts.repository}{revision}/{next(iter(facts.files))}"


def _commands(facts: Facts) -> Iterator[str]:
    name = _name(facts)
    match facts.card.kind:
        case "translator":
            yield f"utsuroi view {'upscale' if facts.card.scale > 1 else 'translate'} {name} photo.jpg"
        case "denoiser":
            yield f"utsuroi view diffuse {name}"
        case _:
            yield f"utsuroi view grid {name}"
            yield f"utsuroi view animate {name}"
    yield f"utsuroi info {name}"


def _python(facts: Facts) -> Iterator[str]:
    yield "import utsuroi"
    yield ""
    yield f'model = utsuroi.load("{_name(facts)}")'
    match facts.card.kind:
        case "translator":
            yield f"results = model.{'upscale' if facts.card.scale > 1 else 'translate'}(image)  # u8 [h, w, 3], RGB"
        case "denoiser":
            yield "images = model.denoise(4, seed=0)  # u8 [4, h, w, 3], RGB"
        case _:
            yield "images = model.sample(16, seed=0)  # u8 [16, h, w, 3], RGB"


def _facts(facts: Facts) -> Iterator[tuple[str, str]]:
    card = facts.card
    yield "Kind", card.kind
    if card.image_size is not None:
        yield "Images", f"{card.image_size[1]} × {card.image_size[0]} pixels, {'grey' if card.channels == 1 else 'RGB'}"
    if card.kind == "translator" and card.scale > 1:
        yield "Enlarges", f"{card.scale} times"
    if card.latent is not None:
        yield "Latent", f"{card.latent.size} numbers, {card.latent.prior} prior"
    if card.classes:
        yield "Classes", escaped(", ".join(card.classes), 2000)
    if card.named_directions:
        yield "Named directions", escaped(", ".join(card.named_directions), 2000)
    yield "Data", escaped(card.data, 500) if card.data else "not said"
    yield "Licence", "unknown: ask before you use it" if facts.licence == UNKNOWN else escaped(facts.licence, 500)
    yield "Precision", card.precision
    for key, name in (("images_seen", "Images seen in training"), ("step", "Training steps")):
        if isinstance(card.training.get(key), int):
            yield name, f"{card.training[key]:,}"
    if isinstance(difference := card.parity.get("max_difference"), int | float):
        yield "Largest difference to PyTorch", f"{difference:.1e} of the range of a pixel"


def _metrics(training: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """The figures that the card keeps, by their names."""
    if isinstance(score := training.get("score"), int | float):
        yield "held-out score (lower is better)", f"{score:.4g}"
    for group in ("metrics", "evaluation"):
        found = training.get(group)
        for name, value in found.items() if isinstance(found, Mapping) else ():
            if isinstance(value, int | float) and not isinstance(value, bool):
                yield escaped(str(name).replace("_", " "), 60), f"{value:.4g}"


def _table(rows: Any, head: tuple[str, str]) -> str:
    lines = [f"| {head[0]} | {head[1]} |", "|---|---|", *(f"| {name} | {text} |" for name, text in rows)]
    return "\n".join(lines)


def plain(text: str, longest: int = 200) -> str:
    """Somebody's text in one line."""
    return printable(" ".join(text.split()), longest)


def escaped(text: str, longest: int = 200) -> str:
    """Somebody's text as Markdown that shows it, and does nothing: no markup, links, tables."""
    return re.sub(r"([\\`*_{}\[\]()<>#+\-!|~&:@])", lambda match: f"&#{ord(match[1])};", plain(text, longest))
