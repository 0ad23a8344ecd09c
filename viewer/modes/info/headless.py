"""The info mode: what a model file is, or what a saved image was made from, in words."""

import io
import json
import sys
from collections.abc import Sequence
from typing import Any

from export.card import Card
from export.kinds import KINDS
from trainer.contract.text import printable, say
from viewer.files.png import is_png, read_recipe
from viewer.graph.reading import flag_of, remember
from viewer.model import Model, ModelError, open_model
from viewer.modes.info.options import Options
from viewer.modes.info.saved import describe_saved


def write(options: Options) -> None:
    """Print a page, or JSON. Raises ``UserError``."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # a model's own words may not fit the terminal's alphabet
    saved = read_recipe(options.model) if is_png(options.model) else None
    model = open_model(options.model, reading=options.reading, silent=True) if saved is None else None
    if model is not None and (kept := remember(options.model, options.reading)):
        say(f"{printable(options.model)}: {kept}")
    if options.json:
        print(json.dumps(saved if model is None else _as_json(model), indent=1))
        return
    lines = describe_saved(options.model, saved or {}) if model is None else describe_model(model)
    shown = [(printable(name, 40), printable(text, 2000)) for name, text in lines]
    width = max((len(name) for name, _ in shown), default=0)
    for name, text in shown:
        print(f"{name:<{width}}  {text}")


def _as_json(model: Model) -> dict[str, Any]:
    card = model.card
    return {
        "file": str(model.path),
        "kind": model.kind,
        "sha256": model.sha256,
        "sealed": model.sealed,
        "inferred": model.inferred,
        "remarks": model.remarks,
        "inputs": model.ports[0],
        "outputs": model.ports[1],
        "card": {} if card is None else {key: json.loads(text) for key, text in card.to_props().items()},
    }


def describe_model(model: Model) -> Sequence[tuple[str, str]]:
    """What is known of a model, in lines of a name and a text."""
    lines = [("file", str(model.path)), ("name", model.name), ("kind", model.kind)]
    card = model.card
    if model.inferred:
        lines.append(("card", "none: found out by inspection"))
    elif card is not None:
        seal = "sealed, intact" if model.sealed else "not sealed"
        lines += [("card", f"schema {card.schema}, {seal}"), ("family", card.family)]
    lines += zip(("inputs", "outputs"), model.ports, strict=True)
    lines.append(("given", model.given))
    if card is not None:
        lines += _describe_card(card)
    kind = KINDS.get(model.kind)
    if kind is not None and kind.output.is_image and kind.output.dtype == "u8":
        try:
            layout = (model.image_layout if kind.translates else model.layout).describe()
        except ModelError as error:
            layout = str(error)
        lines.append(("layout", layout))
    lines += [("guessed" if number == 0 else "", remark) for number, remark in enumerate(model.remarks)]
    lines += [("told", ", ".join(f"{flag_of(name)} {text}" for name, text in model.reading.kept.items()))]
    lines.append(("sha256", model.sha256))
    return [(name, text) for name, text in lines if text]


def _describe_card(card: Card) -> list[tuple[str, str]]:
    lines, kind = [], KINDS[card.kind]
    if card.image_size is not None:
        colour = "grey" if card.channels == 1 else "colour"
        lines.append(("image", f"{card.image_size[1]}x{card.image_size[0]} pixels, {colour}"))
    if kind.translates:
        lines += _describe_input(card)
    if card.latent is not None and (card.family or not kind.inverts):  # the size is a guess in a file without a card
        known = [word for word in ("mean", "covariance") if getattr(card.latent, word)]
        lines.append(("latent", ", ".join([f"{card.latent.size} numbers, {card.latent.prior} prior", *known])))
    if card.classes:
        lines.append(("classes", ", ".join(card.classes)))
    if card.directions:
        lines.append(("directions", str(len(card.directions))))
    if card.named_directions:
        lines.append(("named", ", ".join(card.named_directions)))
    if card.family:
        lines.append(("precision", card.precision))
    if kind.has_schedule:
        name, steps = card.schedule.get("kind", "own"), len(card.schedule["alpha_bar"])
        lines.append(("noise", f"{name} schedule of {steps} steps, predicts {card.schedule['prediction']}"))
    for name in ("training", "parity"):
        lines.append((name, ", ".join(f"{key} {value}" for key, value in getattr(card, name).items())))
    return [*lines, ("data", card.data), ("licence", card.licence)]


def _describe_input(card: Card) -> list[tuple[str, str]]:
    """What image a translator takes, and how the output differs in size."""
    condition = card.condition
    kind = str(condition.get("kind", "given"))
    known = {"given": "the image as it is", "edges": "the edges of a photograph"}
    taken = known.get(kind, f"{kind} of a photograph")
    more = [f"{key} {condition[key]}" for key in ("sigma", "blur") if key in condition and kind == "edges"]
    more += ["black on white"] * bool(condition.get("invert"))
    if "size" in condition:
        more.append("trained at {1}x{0}".format(*condition["size"]))
    more += [f"{len(condition['palette'])} colours"] if "palette" in condition else []
    channels = card.input_channels or card.channels
    lines = [("takes", ", ".join([taken, "grey" if channels == 1 else "colour", *more]))]
    if card.scale > 1:
        lines.append(("enlarges", f"{card.scale} times"))
    if card.multiple > 1:
        lines.append(("lengths", f"multiples of {card.multiple} pixels; others are padded by reflection, then cropped"))
    if card.context:
        lines.append(("looks", f"{card.context} pixels far: images can be enlarged tile by tile"))
    return lines
