"""Write ``cards.json``: cards, sound and hostile, and what ``export.card`` says of each.

python export/web/tests/make_cards.py

The page's reader has to take and refuse the same.
"""

import json
from pathlib import Path
from typing import Any, Final

from export.card import Card, CardError

_LATENT: Final = {"name": "latent", "dtype": "f32", "shape": [None, 4]}
_IMAGE: Final = {"name": "image", "dtype": "u8", "shape": [None, 8, 8, 3]}
GENERATOR: Final[dict[str, Any]] = {
    "schema": "1.2",
    "kind": "generator",
    "family": "vae",
    "name": "cats",
    "inputs": [_LATENT],
    "output": _IMAGE,
    "image_size": [8, 8],
    "latent": {"size": 4, "prior": "normal", "mean": [0, 0, 0, 0.5]},
}
DENOISER: Final[dict[str, Any]] = {
    **GENERATOR,
    "kind": "denoiser",
    "inputs": [
        {"name": "noisy", "dtype": "f32", "shape": [None, 3, 8, 8]},
        {"name": "t", "dtype": "i64", "shape": [None]},
    ],
    "output": {"name": "prediction", "dtype": "f32", "shape": [None, 3, 8, 8]},
    "latent": None,
    "schedule": {"kind": "cosine", "prediction": "v", "alpha_bar": [0.9, 0.5, 0.01]},
}
TRANSLATOR: Final[dict[str, Any]] = {
    **GENERATOR,
    "kind": "translator",
    "inputs": [{"name": "image", "dtype": "u8", "shape": [1, None, None, 3]}],
    "output": {"name": "translated", "dtype": "u8", "shape": [1, None, None, 3]},
    "image_size": None,
    "latent": None,
}
ABSENT: Final = object()

# Of a card: what is other than in the sound one; ABSENT: the entry is missing. Text in bytes stands as it is.
CHANGES: Final[list[tuple[dict[str, Any], dict[str, Any]]]] = [
    (GENERATOR, {}),
    (DENOISER, {}),
    (TRANSLATOR, {}),
    (GENERATOR, {"schema": ABSENT}),
    *((GENERATOR, {key: ABSENT}) for key in ("kind", "family", "name", "inputs", "output", "latent")),
    *((GENERATOR, {"schema": value}) for value in ("2.0", "1.99", "1", 1.2, "1.x", "0.9", "1.2\n", "٣.١", None)),
    *((GENERATOR, {"kind": value}) for value in ("toString", "__proto__", "", None, 3, ["generator"], {})),
    *((GENERATOR, {key: value}) for key in ("family", "name", "licence", "data") for value in ("", "猫", 3, None, [])),
    *((GENERATOR, {"precision": value}) for value in ("", "fp16", "int8", "other", None)),
    *((GENERATOR, {"name": b}) for b in (b"{", b"", b"NaN", b'"\\ud800"', b"[" * 5000)),
    *((GENERATOR, {"inputs": value}) for value in ([], [_LATENT, _LATENT], [_IMAGE], "latent", None, {}, [1], [[]])),
    *((GENERATOR, {"inputs": [{**_LATENT, **change}]}) for change in (
        {"dtype": "f64"}, {"dtype": None}, {"name": 3}, {"name": "other"}, {"shape": [-1, 4]}, {"shape": [1.5, 4]},
        {"shape": [True, 4]}, {"shape": []}, {"shape": [2**40]}, {"shape": None}, {"shape": 4}, {"more": 1})),
    (GENERATOR, {"inputs": [_LATENT, {"name": "label", "dtype": "i64", "shape": [None]}]}),
    *((GENERATOR, {"output": value}) for value in (_LATENT, None, [], {**_IMAGE, "dtype": "f32"})),
    *((GENERATOR, {"image_size": value}) for value in (
        None, [0, 8], [8], [8, 8, 8], [8, 16384], [8, 16385], "88", [8, "8"], [True, 8], 8, [8.5, 8])),
    *((GENERATOR, {key: value}) for key in ("channels", "input_channels", "scale", "multiple", "context")
      for value in (0, 1, 4, 5, 17, -1, 1e9, "3", None, True)),
    *((GENERATOR, {"classes": value}) for value in (["a", "b"], ["a", 1], "ab", None, {}, [[]])),
    *((GENERATOR, {key: value}) for key in ("training", "parity", "schedule", "condition")
      for value in ({}, [], "a", 3)),
    *((GENERATOR, {"latent": value}) for value in (
        {}, {"size": 0}, {"size": 4}, {"size": 65537}, {"size": "4"}, {"size": 4, "prior": "other"}, [], "4", 4,
        {"size": 4, "mean": [0, 0]}, {"size": 4, "mean": [0, 0, 0, "0"]}, {"size": 4, "mean": [0, 0, 0, True]},
        {"size": 4, "mean": "0000"}, {"size": 4, "covariance": [[0] * 4] * 3}, {"size": 4, "covariance": [[0] * 4] * 4},
        {"size": 4, "covariance": [0] * 4}, {"size": 4, "prior": "uniform"}, {"size": 4.5})),
    (GENERATOR, {"latent": b'{"size": 4, "mean": [1e999, 0, 0, 0]}'}),
    (GENERATOR, {"latent": b'{"size": 4, "mean": [NaN, 0, 0, 0]}'}),
    *((GENERATOR, {key: value}) for key in ("directions", "sample_latents")
      for value in ([], [[1, 2, 3, 4]], [[1, 2, 3]], [1, 2, 3, 4], "abcd", {"a": [1]}, [[1, 2, 3, None]])),
    *((GENERATOR, {"named_directions": value}) for value in (
        {"smile": [1, 2, 3, 4]}, {"smile": [1]}, {"": [1, 2, 3, 4]}, {" smile": [1, 2, 3, 4]}, {"a\nb": [1, 2, 3, 4]},
        {"a\u2028b": [1, 2, 3, 4]}, {"a\u3000b": [1, 2, 3, 4]}, {"a b": [1, 2, 3, 4]}, {"x" * 64: [1, 2, 3, 4]},
        {"x" * 65: [1, 2, 3, 4]}, {"🐈" * 64: [1, 2, 3, 4]}, {"__proto__": [1, 2, 3, 4]}, [], "smile",
        {str(n): [1, 2, 3, 4] for n in range(257)}, {"smile": "abcd"})),
    *((TRANSLATOR, {"condition": value}) for value in (
        {"kind": "given"}, {"kind": "edges"}, {"kind": "other", "blur": 2}, {"kind": 3}, {"size": [8, 8]},
        {"kind": "given", "size": [0, 8]}, {"kind": "given", "size": None}, {"kind": "edges", "sigma": 2},
        {"kind": "edges", "sigma": "0.3"}, {"kind": "edges", "blur": 2}, {"kind": "edges", "blur": 0},
        {"kind": "edges", "blur": 101}, {"kind": "edges", "invert": 1}, {"kind": "edges", "invert": True},
        {"kind": "given", "palette": [[0, 0, 256]]}, {"kind": "given", "palette": [[0, 0, 255]]},
        {"kind": "given", "palette": "abc"}, {"kind": "given", "palette": [[0, 0, 0]] * 65},
        {"kind": "edges", "sigma": None}, {"kind": "edges", "blur": None}, {"kind": "given", "palette": None})),
    *((DENOISER, {"schedule": value}) for value in (
        {}, {"prediction": "v"}, {"prediction": "other", "alpha_bar": [0.5]}, {"prediction": "v", "alpha_bar": []},
        {"prediction": "x0", "alpha_bar": [0.5]}, {"prediction": "v", "alpha_bar": [0.5, 0.5]},
        {"prediction": "v", "alpha_bar": [0.5, 0]}, {"prediction": "v", "alpha_bar": [1, 0.5]},
        {"prediction": "v", "alpha_bar": [0.4, 0.5]}, {"prediction": "v", "alpha_bar": "0.5"},
        {"prediction": ["v"], "alpha_bar": [0.5]}, {"prediction": "v", "alpha_bar": [-1, -2]})),
    (DENOISER, {"inputs": [*DENOISER["inputs"], {"name": "label", "dtype": "i64", "shape": [None]}]}),
    (DENOISER, {"inputs": [*DENOISER["inputs"], {"name": "label", "dtype": "i64", "shape": [None]}],
                "classes": ["a"]}),
]  # fmt: skip


def properties(card: dict[str, Any], change: dict[str, Any]) -> dict[str, str]:
    """The metadata of a file with this card."""
    values = {key: value for key, value in {**card, **change}.items() if value is not ABSENT}
    return {key: value.decode() if isinstance(value, bytes) else json.dumps(value) for key, value in values.items()}


def verdict(props: dict[str, str]) -> str:
    """What Python makes of it: none, a kind, or refused."""
    try:
        card = Card.from_props(props)
    except CardError:
        return "refused"
    return "none" if card is None else card.kind


if __name__ == "__main__":
    made = [{"properties": found, "verdict": verdict(found)} for found in (properties(*one) for one in CHANGES)]
    text = "[\n" + ",\n".join(json.dumps(one) for one in made) + "\n]\n"
    Path(__file__).with_name("cards.json").write_text(text)
