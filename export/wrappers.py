"""Find the networks in what training programs save: tensors by name, under one of a hundred names."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from torch import Tensor

State = dict[str, Tensor]

_MAX_DEPTH: Final = 6
_MAX_FOUND: Final = 64  # more networks in one file than anybody saves
_AVERAGED: Final = re.compile(r"(^|[_.\-])(ema\d*|swa|averaged?|avg|shadow|smoothed)($|[_.\-])", re.IGNORECASE)
_ASIDE: Final = re.compile(  # what a training keeps beside the network that makes images
    r"(^|[_.\-])(optim\w*|opts?|opt_?[dg]|sched\w*|lr_sched\w*|scaler|amp|rng\w*|hyper_parameters|"
    r"criterion|loss\w*|lpips|vgg\w*|perceptual\w*|metrics?)($|[_.\-])",
    re.IGNORECASE,
)
_JUDGES: Final = re.compile(
    r"(^|[_.\-])(net_?d(_?[a-z])?|d(_?ema)?|dis|discs?|discriminators?\d*|critics?)($|[_.\-])", re.IGNORECASE
)
_LISTED: Final = "shadow_params"  # of torch_ema and of diffusers: averaged parameters, without names
_BUFFERS: Final = frozenset(("running_mean", "running_var", "num_batches_tracked"))
# First parts of keys that are names of networks and of wrappers rather than of layers
PARTS: Final = frozenset((
    "G", "g", "netG", "net_g", "gen", "generator", "g_ema", "G_ema", "generator_ema", "ema_generator", "netG_ema",
    "D", "netD", "net_d", "discriminator", "critic", "model", "net", "network", "module", "unet", "vae", "denoise_fn",
    "ema", "model_ema", "ema_model", "net_ema", "ema_net", "online_model", "netG_A", "netG_B", "loss", "criterion",
    "vgg", "lpips", "perceptual_loss",
))  # fmt: skip
SHELLS: Final = ("module.", "_orig_mod.")  # of DataParallel and torch.compile: never a layer's name
COVERS: Final = (  # what a program may have called the whole network; also the name of a layer here and there
    "model.", "net.", "network.", "generator.", "netG.", "net_g.", "G.", "g_ema.", "generator_ema.", "netG_ema.",
    "ema.", "model_ema.", "ema_model.", "gen.", "unet.", "vae.", "denoise_fn.", "online_model.",
)  # fmt: skip


@dataclass(frozen=True)
class Found:
    """A network in a file."""

    key: str  # where, with dots; "" for the file itself
    state: State
    averaged: bool = False

    @property
    def aside(self) -> bool:
        """Whether the name says that it makes no images: an optimiser, a loss, a discriminator."""
        return bool(_ASIDE.search(self.key) or _JUDGES.search(self.key))


def networks(content: Mapping[Any, Any]) -> list[Found]:
    """The networks of a file that may be meant: the averaged ones where there are such, else all."""
    walked = list(_walk(content))
    found = [part for one in walked for part in _split(_named(one, walked))]
    found = [item for item in found if any("." in key for key in item.state)] or found  # layers, not lone numbers
    found = [item for item in found if not item.aside] or found
    averaged = [_whole(item, found) for item in found if item.averaged]
    return averaged or found


def at(content: Any, key: str) -> list[Found]:
    """The networks at a dotted path, which may end in the beginning of tensors' names; empty where there are none."""
    return [replace(item, averaged=bool(_AVERAGED.search(item.key))) for item in _at(content, key, "")]


def _at(content: Any, key: str, before: str) -> Iterator[Found]:
    if not isinstance(content, Mapping):
        return
    state = tensors(content)
    for named in (state, bare(state)):
        beneath = {name.removeprefix(f"{key}."): value for name, value in named.items() if name.startswith(f"{key}.")}
        if beneath:
            yield Found(before + key, bare(beneath))
            break
    for name, value in content.items():
        if isinstance(name, str) and name == key and isinstance(value, Mapping) and tensors(value):
            yield Found(before + key, bare(tensors(value)))
        elif isinstance(name, str) and name and key.startswith(f"{name}."):
            yield from _at(value, key[len(name) + 1 :], f"{before}{name}.")


def tensors(content: Mapping[Any, Any]) -> State:
    """The tensors right in a dictionary, without counters (``step``, ``decay``) that lie beside networks."""
    found = {key: value for key, value in content.items() if isinstance(key, str) and isinstance(value, Tensor)}
    return found if any("." in key or value.ndim for key, value in found.items()) else {}


def _begins(state: State, prefixes: Sequence[str]) -> str:
    """The first prefix that all names begin with; empty where there is none, or no name."""
    return next((item for item in prefixes if all(key.startswith(item) for key in state)), "") if state else ""


def bare(state: State) -> State:
    """A state without the prefixes that are never a layer's name."""
    count = "n_averaged"  # of torch's AveragedModel
    if count in state and all(key.startswith("module.") for key in state if key != count):
        state = {key: value for key, value in state.items() if key != count}
    while prefix := _begins(state, SHELLS):
        state = {key.removeprefix(prefix): value for key, value in state.items()}
    return state


def uncovered(state: State) -> Iterator[State]:
    """A state as it is, and without what all its names begin with, where that may be the name of the whole."""
    yield state
    while prefix := _begins(state, COVERS):
        state = bare({key.removeprefix(prefix): value for key, value in state.items()})
        yield state


def merged(found: Sequence[Found]) -> State:
    """Networks beside each other as one, named by where they are: ``encoder.…``, ``decoder.…``."""
    parents = {item.key.rpartition(".")[0] for item in found}
    if len(parents) != 1 or len(found) < 2:
        return {}
    return {f"{item.key.rpartition('.')[2]}.{key}": value for item in found for key, value in item.state.items()}


def _walk(content: Mapping[Any, Any]) -> Iterator[Found]:
    """Every dictionary with tensors, breadth first; each once, though dictionaries may hold themselves."""
    seen: set[int] = set()
    left: list[tuple[str, Mapping[Any, Any]]] = [("", content)]
    count = 0
    while left and count < _MAX_FOUND:
        key, value = left.pop(0)
        if id(value) in seen or key.count(".") > _MAX_DEPTH:
            continue
        seen.add(id(value))
        state = tensors(value)
        if network := bare(state):
            count += 1
            yield Found(key, network, "n_averaged" in state or bool(_AVERAGED.search(key)))
        within = [(name, item) for name, item in value.items() if isinstance(name, str) and isinstance(item, Mapping)]
        for name, item in within:
            path = f"{key}.{name}" if key else name
            if not _ASIDE.search(name):
                left.append((path, item))
        listed = value.get(_LISTED)
        if isinstance(listed, list) and listed and all(isinstance(item, Tensor) for item in listed):
            path = f"{key}.{_LISTED}" if key else _LISTED
            yield Found(path, {f"{_LISTED}.{index}": item for index, item in enumerate(listed)}, True)


def _named(found: Found, others: Sequence[Found]) -> Found:
    """Averaged parameters without names, under those of a network that lies beside them and has as many of the same
    shapes; else as they are."""
    if not found.key.endswith(_LISTED):
        return found
    values = list(found.state.values())
    for other in others:
        names = [key for key in other.state if key.rpartition(".")[2] not in _BUFFERS]
        if not other.averaged and [other.state[key].shape for key in names] == [value.shape for value in values]:
            return replace(found, state={**other.state, **dict(zip(names, values, strict=True))})
    return found


def _whole(averaged: Found, found: Sequence[Found]) -> Found:
    """Averaged parameters with the buffers of the one network that has the same names beside theirs: programs average
    ``named_parameters()``, which have no statistics of normalisations."""
    wholes: dict[int, Found] = {}
    for other in found:
        lacks = other.state.keys() - averaged.state.keys()
        fits = not other.averaged and all(
            key in other.state and other.state[key].shape == value.shape for key, value in averaged.state.items()
        )
        if fits and lacks and all(key.rpartition(".")[2] in _BUFFERS for key in lacks):
            wholes[id(other.state)] = other
    if len(wholes) != 1:
        return averaged
    (other,) = wholes.values()
    return replace(averaged, state={**other.state, **averaged.state})


def _split(found: Found) -> list[Found]:
    """The networks whose tensors lie in one dictionary: ``generator.conv.weight`` beside ``discriminator.…``."""
    groups: dict[str, State] = {}
    for key, value in found.state.items():
        first, dot, rest = key.partition(".")
        if dot:
            groups.setdefault(first, {})[rest] = value
    before = f"{found.key}." if found.key else ""
    # averaged only where the same is there otherwise: a layer may be called so
    twins = [(name, _twin(name, state, groups)) for name, state in groups.items()]
    averaged = [Found(before + name, bare(twin), True) for name, twin in twins if twin]
    if averaged:
        return averaged
    parts = [
        Found(before + name, bare(state), found.averaged or bool(_AVERAGED.search(name)))
        for name, state in groups.items()
        if name in PARTS
    ]
    counters = all(value.numel() <= 1 for key, value in found.state.items() if "." not in key)
    if len(groups) == len(parts) == 1 and counters:
        within, gained = _split(parts[0]), parts[0].averaged and not found.averaged
        return within if len(within) > 1 or within[0].key != parts[0].key or gained else [found]
    useful = [part for part in parts if not part.aside]
    return [found, *useful]


def _twin(name: str, state: State, groups: Mapping[str, State]) -> State | None:
    """An averaged copy of another group, under that one's names; ``None`` where it is none. One widely used program
    leaves the dots out of the copy's names."""
    if not _AVERAGED.search(name):
        return None
    own = {key: value for key, value in state.items() if key not in ("decay", "num_updates", "n_averaged")}
    for other, original in groups.items():
        if other == name or _AVERAGED.search(other):
            continue
        named = {key.replace(".", ""): key for key in original}
        renamed = {named.get(key.replace(".", ""), ""): value for key, value in own.items()}
        fits = "" not in renamed and all(renamed[key].shape == original[key].shape for key in renamed)
        if renamed and fits:
            return {**original, **renamed}  # buffers are not averaged
    return None
