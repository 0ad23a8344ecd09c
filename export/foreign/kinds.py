"""What each kind of foreign model becomes: its graph within one whose ports are the contract's, and its card."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Final

import numpy as np
import onnx

from export.card import Card, Latent, Port
from export.foreign.arrays import generated, grey, latent_of, taken, translated
from export.foreign.inputs import fed
from export.foreign.wrapping import Unfit, Wrapping
from export.kinds import KINDS
from viewer.graph.layout import Layout, NoiseLayout
from viewer.graph.ports import Ports
from viewer.model import Model

Wrapped = tuple[onnx.ModelProto, Card]  # a graph with ports of ours, and its card
Size = int | None  # of a batch: None: any


def wrap(foreign: Model, source: onnx.ModelProto, kind: str, batch: Size) -> Wrapped:
    """``source``, whole, within a graph of a kind; it is changed by this. ``foreign``: how it is read. ``batch``:
    images of every run, for networks that take no other number. Raises ``Unfit``."""
    ports = KINDS[kind]
    graph = Wrapping(source, [port.name for port in (*ports.inputs, ports.output)], foreign.unbatched)
    return _WAYS[kind](foreign, graph, batch)


def batches(foreign: Model, kind: str) -> Sequence[Size]:
    """The numbers of images a run that are tried: any, unless it is seen at once that there is one; and what the model
    declares."""
    layout, ports = foreign.arrangement, _beside(foreign)
    if ports.alone or (isinstance(layout, Layout) and not (layout.batched_input and layout.batched_output)):
        return (1,)
    first = ports.shape[0] if ports.shape else None
    if not isinstance(first, int):
        return (None,)
    return (first,) if KINDS[kind].translates else (None, first)  # the viewer translates one image a run


def _generator(foreign: Model, graph: Wrapping, batch: Size) -> Wrapped:
    layout, card = foreign.layout, foreign.card
    assert card is not None
    rows, own = batch or -1, math.prod(layout.latent_shape)
    more = card.latent.size > own if card.latent is not None else False
    array = latent_of(graph, graph.cut("latent", (1,), (0,), (own,)) if more else "latent", layout, rows)
    label = "label" if any(port.name == "label" for port in card.inputs) else ""
    feeds = fed(graph, _beside(foreign), array, label=label, latent="latent", first=own)
    image = generated(graph, graph.run(feeds, layout.output), layout, rows)
    return _finished(graph, card, batch, image)


def _detail(foreign: Model, graph: Wrapping, batch: Size) -> Wrapped:
    """As a generator, whose images are floats around 0: one unit is the difference of white and black."""
    layout, card = foreign.layout, foreign.card
    assert card is not None
    if layout.value_range is None or (layout.axes.index("c") and layout.image_shape[2] not in (1, 3)):
        raise Unfit("gives whole numbers, expected floats that are added to images")
    rows = batch or -1
    feeds = fed(graph, _beside(foreign), latent_of(graph, "latent", layout, rows), latent="latent")
    low, high = layout.value_range
    array = graph.reshape(graph.cast(graph.run(feeds, layout.output), np.float32), (rows, *layout.image_shape))
    array = graph.node("Mul", array, graph.constant(np.float32(1 / (high - low))))
    if layout.axes == "chw":
        array = graph.transpose(array, (0, 2, 3, 1))
    channels = layout.image_shape[layout.axes.index("c")]
    if channels == 1:
        array = graph.joined([array] * 3, 3)
    elif layout.bgr:
        array = graph.take(array, 3, (2, 1, 0))
    height, width, _ = layout.image_size
    output = Port(name="detail", dtype="f32", shape=(None, height, width, 3))
    return _finished(graph, replace(card, kind="detail", output=output, classes=()), batch, array)


def _translator(foreign: Model, graph: Wrapping, batch: Size) -> Wrapped:
    layout, card = foreign.image_layout, foreign.card
    assert card is not None
    if not isinstance(layout.scale, int):
        raise Unfit(f"makes images {float(layout.scale):g} times as large, expected a whole number, which a "
                    "card has: python -m viewer opens it as it is")  # fmt: skip
    lead, trail = layout.lead, -(-layout.trail // layout.multiple) * layout.multiple
    image = taken(graph, "image", layout, (lead, trail))
    latent = "latent" if card.latent is not None else ""
    output = graph.run(fed(graph, _beside(foreign), image, latent=latent), layout.output)
    images = translated(graph, output, layout)
    if layout.border:
        begin = lead * layout.scale - layout.border // 2
        end = trail * layout.scale - (layout.border - layout.border // 2)
        images = graph.cut(images, (1, 2), (begin, begin), (-end or None, -end or None))
    height, width = (side and side - lead - trail for side in layout.size)
    result = [side and side * layout.scale for side in (height, width)]
    channels = 4 if layout.output_channels == 4 else 3
    card = replace(
        card,
        inputs=(Port(name="image", dtype="u8", shape=(None, height, width, layout.channels)), *card.inputs[1:]),
        output=Port(name="translated", dtype="u8", shape=(None, *result, channels)),
        input_channels=layout.channels,
        channels=3 if channels == 4 else layout.output_channels,
        scale=layout.scale,
        multiple=layout.multiple,
    )
    return _finished(graph, card, batch, images)


def _encoder(foreign: Model, graph: Wrapping, batch: Size) -> Wrapped:
    layout, card = foreign.feature_layout, foreign.card
    assert card is not None
    height, width = layout.size
    if height is None or width is None:
        raise Unfit("takes images of any size, expected one size of an encoder: export it with a fixed one")
    name = foreign.reading.output_name or graph.outputs[0]
    image = grey(graph, "image") if layout.channels == 1 else "image"
    output = graph.run(fed(graph, _beside(foreign), taken(graph, image, layout)), name)
    size = foreign.features([np.full((height, width, 3), 128, np.uint8)]).shape[1]
    card = Card(
        kind="encoder",
        family="",
        name=card.name,
        inputs=(Port(name="image", dtype="u8", shape=(None, height, width, 3)),),
        output=Port(name="latent", dtype="f32", shape=(None, size)),
        image_size=(height, width),
        channels=1 if layout.channels == 1 else 3,
        latent=Latent(size=size),
    )
    return _finished(graph, card, batch, graph.reshape(graph.cast(output, np.float32), (batch or -1, size)))


def _denoiser(foreign: Model, graph: Wrapping, batch: Size) -> Wrapped:
    layout, card = foreign.arrangement, foreign.card
    assert card is not None
    assert isinstance(layout, NoiseLayout)
    if card.classes and not foreign.free_label:
        raise Unfit(
            "draws classes and has none for images of any, which the card of a denoiser means by one more label: "
            f"--classes {len(card.classes) - 1} where its last one is that; else python -m viewer opens it as it is"
        )
    label = "label" if any(port.name == "label" for port in card.inputs) else ""
    feeds = fed(graph, _beside(foreign), graph.cast("noisy", layout.type), label=label, t="t")
    output = graph.cut(graph.run(feeds, layout.output), (1,), (0,), (layout.channels,))  # without a variance
    return _finished(graph, card, batch, graph.cast(output, np.float32))


def _beside(foreign: Model) -> Ports:
    assert foreign.inputs_beside is not None  # of a model without a card that is for images
    return foreign.inputs_beside


def _finished(graph: Wrapping, card: Card, batch: Size, result: str) -> Wrapped:
    """With the ports that the card says, of ``batch`` images."""
    inputs = tuple(replace(port, shape=(batch, *port.shape[1:])) for port in card.inputs)
    output = replace(card.output, shape=(batch, *card.output.shape[1:]))
    return graph.finish(inputs, output, result), replace(card, inputs=inputs, output=output)


_WAYS: Final[Mapping[str, Callable[[Model, Wrapping, Size], Wrapped]]] = {
    "generator": _generator,
    "detail": _detail,
    "translator": _translator,
    "encoder": _encoder,
    "denoiser": _denoiser,
}
