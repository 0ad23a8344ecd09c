"""The info mode: what a model file is, in words."""

from collections.abc import Sequence

from export.card import Card
from viewer.model import Model


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
    lines.append(("sha256", model.sha256))
    return [(name, text) for name, text in lines if text]


def _describe_card(card: Card) -> list[tuple[str, str]]:
    lines = []
    if card.image_size is not None:
        lines.append(
            (
                "picture",
                f"{card.image_size[1]}x{card.image_size[0]} pixels, {'grey' if card.channels == 1 else 'colour'}",
            )
        )
    if card.latent is not None and (card.kind != "encoder" or card.family):
        known = [word for word in ("mean", "covariance") if getattr(card.latent, word)]
        lines.append(("latent", ", ".join([f"{card.latent.size} numbers, {card.latent.prior} prior", *known])))
    if card.classes:
        lines.append(("classes", ", ".join(card.classes)))
    if card.directions:
        lines.append(("directions", str(len(card.directions))))
    if card.family:
        lines.append(("precision", card.precision))
    for name in ("training", "parity", "schedule"):
        facts = getattr(card, name)
        lines.append((name, ", ".join(f"{key} {value}" for key, value in facts.items())))
    return [*lines, ("data", card.data), ("licence", card.licence)]
