"""The info mode: what a model file is, in words."""

from collections.abc import Sequence

from export.card import Card
from viewer.model import Model, ModelError


def describe_model(model: Model) -> Sequence[tuple[str, str]]:
    """What is known of a model, in lines of a name and a text."""
    inputs, outputs = model.ports
    lines = [("file", str(model.path)), ("name", model.name), ("kind", model.kind)]
    card = model.card
    if model.inferred:
        lines.append(("card", "none: found out by inspection"))
    elif card is not None:
        seal = "sealed, intact" if model.sealed else "not sealed"
        lines += [("card", f"schema {card.schema}, {seal}"), ("family", card.family)]
    lines += [("inputs", inputs), ("outputs", outputs)]
    if card is not None:
        lines += _describe_card(card)
    if model.kind == "generator":
        lines.append(("layout", model.layout.describe()))
    if model.kind == "translator":
        try:
            lines.append(("layout", model.image_layout.describe()))
        except ModelError as error:
            lines.append(("layout", str(error)))
    lines.append(("sha256", model.sha256))
    return [(name, text) for name, text in lines if text]


def _describe_card(card: Card) -> list[tuple[str, str]]:
    lines = []
    if card.image_size is not None:
        lines.append(
            (
                "image",
                f"{card.image_size[1]}x{card.image_size[0]} pixels, {'grey' if card.channels == 1 else 'colour'}",
            )
        )
    if card.kind == "translator":
        lines += _describe_translator(card)
    if card.latent is not None and (card.kind != "encoder" or card.family):
        known = [word for word in ("mean", "covariance") if getattr(card.latent, word)]
        lines.append(("latent", ", ".join([f"{card.latent.size} numbers, {card.latent.prior} prior", *known])))
    if card.classes:
        lines.append(("classes", ", ".join(card.classes)))
    if card.directions:
        lines.append(("directions", str(len(card.directions))))
    if card.family:
        lines.append(("precision", card.precision))
    if card.kind == "denoiser":
        kind, shares = card.schedule.get("kind", "own"), card.schedule["alpha_bar"]
        lines.append(("noise", f"{kind} schedule of {len(shares)} steps, predicts {card.schedule['prediction']}"))
    for name in ("training", "parity"):
        facts = getattr(card, name)
        lines.append((name, ", ".join(f"{key} {value}" for key, value in facts.items())))
    return [*lines, ("data", card.data), ("licence", card.licence)]


def _describe_translator(card: Card) -> list[tuple[str, str]]:
    """What a translator takes, and what becomes of it."""
    facts = card.condition
    kinds = {"given": "the image as it is", "edges": "the edges of a photograph"}
    taken = kinds.get(str(facts.get("kind", "given")), f"{facts.get('kind')} of a photograph")
    more = [f"{key} {facts[key]}" for key in ("sigma", "blur") if key in facts and facts.get("kind") == "edges"]
    more += ["black on white"] * bool(facts.get("invert"))
    if "size" in facts:
        more.append("trained at {1}x{0}".format(*facts["size"]))
    more += [f"{len(facts['palette'])} colours"] if "palette" in facts else []
    channels = card.input_channels or card.channels
    lines = [("takes", ", ".join([taken, "grey" if channels == 1 else "colour", *more]))]
    if card.scale > 1:
        lines.append(("enlarges", f"{card.scale} times"))
    if card.multiple > 1:
        lines.append(("sides", f"multiples of {card.multiple} pixels; others grow by reflection, and are cut again"))
    if card.context:
        lines.append(("looks", f"{card.context} pixels far: images can be enlarged tile by tile"))
    return lines
