"""Wrappers: whatever is put round weights, in whatever order, the network that makes images is found, averaged where
that is there."""

import random
from collections import OrderedDict
from collections.abc import Mapping
from itertools import permutations, product
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from export.weights import Weights, read_weights
from export.wrappers import at, merged, networks
from trainer.contract.errors import UserError

PLAIN = {"conv.weight": torch.zeros(2, 1), "conv.bias": torch.zeros(2), "bn.running_mean": torch.zeros(2)}
MEAN = {key: value + 1 for key, value in PLAIN.items()}
JUDGE = {"main.0.weight": torch.full((3, 3), 7.0), "main.0.bias": torch.full((3,), 7.0)}
OPTIMISER = {"state": {0: {"step": torch.tensor(3.0), "exp_avg": torch.ones(2)}}, "param_groups": [{"lr": 0.1}]}

NAMES = ("params", "model", "state_dict", "netG", "G", "generator", "generator_state_dict", "model_state_dict", "net_g",
         "g", "network", "weights", "net")  # fmt: skip
AVERAGED = ("params_ema", "ema", "g_ema", "model_ema", "ema_model", "generator_ema", "netG_ema", "state_dict_ema",
            "swa_model", "ema_state_dict", "G_ema", "params-ema", "averaged_model", "shadow")  # fmt: skip
BESIDE: Mapping[str, Any] = {
    "epoch": 3, "best": 0.5, "optimizer": OPTIMISER, "opt_g": OPTIMISER, "optimizer_G_state_dict": OPTIMISER,
    "lr_schedulers": [{"step": 3}], "step": torch.tensor(5), "args": {"lr": 0.1}, "netD": JUDGE, "D": JUDGE,
    "discriminator_state_dict": JUDGE, "d": JUDGE, "rng_state": torch.zeros(8, dtype=torch.uint8),
    "latent_avg": torch.ones(4), "d_ema": JUDGE, "hyper_parameters": {"dim": 3}, "perceptual_loss": JUDGE,
}  # fmt: skip


def same(found: Mapping[str, Tensor], expected: Mapping[str, Tensor]) -> bool:
    return found.keys() == expected.keys() and all(torch.equal(found[key], expected[key]) for key in expected)


def prefixed(state: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {f"{prefix}{key}": value for key, value in state.items()}


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("averaged", AVERAGED)
def test_averaged_weights_come_first_in_every_order(name: str, averaged: str) -> None:
    items = {name: PLAIN, averaged: MEAN, "D": JUDGE}
    for order in permutations(items):
        (found,) = networks({key: items[key] for key in order})
        assert found.averaged
        assert same(found.state, MEAN)
        assert found.key == averaged


def shells(state: Mapping[str, Tensor], prefixes: tuple[str, ...], mixed: int) -> Any:
    """Weights within what torch puts round networks, and what is saved with them."""
    for prefix in prefixes:
        state = prefixed(state, prefix)
    keys = list(state)
    random.Random(mixed).shuffle(keys)
    return OrderedDict((key, state[key]) for key in keys)


@settings(max_examples=150)
@given(
    name=st.sampled_from(NAMES),
    averaged=st.sampled_from(AVERAGED),
    outer=st.lists(
        st.sampled_from(("checkpoint", "state", "models", "nets", "state_dict", "model", "weights")), max_size=2
    ),
    within=st.sampled_from(("", "state_dict", "model", "module", "shadow")),
    beside=st.lists(st.sampled_from(sorted(BESIDE)), unique=True, max_size=5),
    prefixes=st.lists(st.sampled_from(("module.", "_orig_mod.")), max_size=2).map(tuple),
    mixed=st.integers(0, 99),
)
def test_no_wrapper_gives_other_weights_than_the_averaged_ones(
    name: str, averaged: str, outer: list[str], within: str, beside: list[str], prefixes: tuple[str, ...], mixed: int
) -> None:
    mean = shells(MEAN, prefixes, mixed)
    items = {name: shells(PLAIN, prefixes, mixed), averaged: {within: mean} if within else mean}
    items |= {key: BESIDE[key] for key in beside}
    keys = list(items)
    random.Random(mixed).shuffle(keys)
    content: Any = {key: items[key] for key in keys}
    for wrapper in outer:
        content = {wrapper: content, "epoch": 3}
    found = networks(content)
    assert [item.averaged for item in found] == [True]
    assert same(found[0].state, MEAN)


@pytest.mark.parametrize(("plain", "averaged"), list(product(
    ("generator", "netG", "model", "online_model", "net"),
    ("generator_ema", "ema", "ema_model", "model_ema", "netG_ema", "generator_ema2", "g_ema"),
)))  # fmt: skip
def test_averaged_copies_in_the_same_dictionary_come_first(plain: str, averaged: str) -> None:
    state = {**prefixed(PLAIN, f"{plain}."), **prefixed(MEAN, f"{averaged}."), **prefixed(JUDGE, "discriminator.")}
    state |= {"step": torch.tensor(3), "initted": torch.tensor([True])}
    for content in ({"state_dict": state}, state, {"ema": state}, {"model": prefixed(state, "module.")},
                    {"state_dict": dict(reversed(list(state.items())))}, prefixed(state, "model.")):  # fmt: skip
        (found,) = networks(content)
        assert found.averaged
        assert same(found.state, MEAN)


@pytest.mark.parametrize("averaged", ["ema", "model_ema", "shadow"])
def test_averaged_parameters_get_the_statistics_of_the_one_network_of_their_names(averaged: str) -> None:
    parameters = {key: value for key, value in MEAN.items() if "running" not in key}
    for mean in (parameters, prefixed(parameters, "module."), {"shadow": parameters, "decay": 0.9}):
        (found,) = networks({averaged: mean, "model": PLAIN, "netD": JUDGE})
        assert found.averaged
        assert same(found.state, {**parameters, "bn.running_mean": PLAIN["bn.running_mean"]})
    (found,) = networks({averaged: parameters, "student": PLAIN, "teacher": MEAN})
    assert same(found.state, parameters), "which of two networks is not told"


def test_keys_may_leave_out_what_torch_puts_round_networks() -> None:
    for shell in ("module.", "_orig_mod.", "module._orig_mod."):
        (found,) = at({"state_dict": prefixed(prefixed(PLAIN, "netG."), shell)}, "state_dict.netG")
        assert same(found.state, PLAIN)


def test_a_copy_without_dots_in_its_names_is_put_under_the_names_of_the_network() -> None:
    flat = {f"model_ema.{key.replace('.', '')}": value for key, value in MEAN.items() if "running" not in key}
    state = {
        **prefixed(PLAIN, "model."),
        **flat,
        "model_ema.decay": torch.tensor(0.9),
        "model_ema.num_updates": torch.tensor(3),
    }
    (found,) = networks({"state_dict": state})
    assert found.averaged
    assert torch.equal(found.state["conv.weight"], MEAN["conv.weight"])
    assert torch.equal(found.state["bn.running_mean"], PLAIN["bn.running_mean"]), "buffers are not averaged"


def test_averaged_parameters_without_names_get_those_of_the_network_beside_them() -> None:
    listed = [MEAN["conv.weight"], MEAN["conv.bias"]]
    for content in ({"model": PLAIN, "ema": {"decay": 0.9, "shadow_params": listed}},
                    {"ema": {"shadow_params": listed}, "state_dict": prefixed(PLAIN, "module.")}):  # fmt: skip
        (found,) = networks(content)
        assert found.averaged
        assert torch.equal(found.state["conv.weight"], MEAN["conv.weight"])
    (found,) = networks({"model": PLAIN, "ema": {"shadow_params": listed[::-1]}})
    assert not same(found.state, PLAIN), "which fit nothing, and are not left out without a word"


def test_a_layer_may_be_called_as_averaged_weights_are() -> None:
    state = {"conv.weight": torch.zeros(2), "ema.weight": torch.ones(3), "model.weight": torch.ones(4)}
    found = networks(state)
    assert found[0].key == ""
    assert same(found[0].state, state)


def test_torch_counts_what_it_averages() -> None:
    averaged = torch.optim.swa_utils.AveragedModel(nn.Sequential(nn.Linear(2, 2)))
    (found,) = networks({"model": averaged.state_dict()})
    assert set(found.state) == {"0.weight", "0.bias"}
    assert found.averaged


@pytest.mark.parametrize("content", [{"n_averaged": torch.ones(1)}, {"state_dict": {"n_averaged": torch.ones(1)}}])
def test_a_count_alone_is_no_network(content: Mapping[str, Any], tmp_path: Path) -> None:
    assert networks(content) == []
    torch.save(content, tmp_path / "w.pth")
    with pytest.raises(UserError, match=r"expected a state_dict"):
        read_weights(tmp_path / "w.pth")


def test_what_all_names_of_averaged_weights_begin_with_stays() -> None:
    for content in ({"params_ema": prefixed(MEAN, "model."), "params": prefixed(PLAIN, "model.")},
                    {"model": prefixed(PLAIN, "model."), "model_ema": prefixed(MEAN, "model.")}):  # fmt: skip
        (found,) = networks(content)
        assert same(found.state, prefixed(MEAN, "model.")), "an importer may know the names so"


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("beside", [(), ("D", "opt_g", "epoch"), ("netD", "step", "args", "optimizer")])
def test_what_is_beside_a_network_is_not_taken_for_it(name: str, beside: tuple[str, ...]) -> None:
    content = {**{key: BESIDE[key] for key in beside}, name: PLAIN}
    for wrapped in (
        content,
        {"checkpoint": content},
        {name: {"state_dict": PLAIN}, **{key: BESIDE[key] for key in beside}},
    ):
        (found,) = networks(wrapped)
        assert same(found.state, PLAIN)
        assert not found.averaged


def test_lightning_puts_all_networks_into_one_dictionary() -> None:
    for name in ("generator", "netG", "model", "G", "net_g"):
        state = {**prefixed(PLAIN, f"{name}."), **prefixed(JUDGE, "discriminator."), **prefixed(JUDGE, "loss.vgg.")}
        found = networks({"state_dict": state, "epoch": 3, "optimizer_states": [OPTIMISER]})
        assert same(found[-1].state, PLAIN)
        assert [item.key for item in found] == ["state_dict", f"state_dict.{name}"]


def test_networks_beside_each_other_are_all_found() -> None:
    found = networks({"netG_A": PLAIN, "netG_B": MEAN, "netD_A": JUDGE})
    assert [item.key for item in found] == ["netG_A", "netG_B"]
    found = networks({"encoder": PLAIN, "decoder": MEAN})
    assert set(merged(found)) == set(prefixed(PLAIN, "encoder.")) | set(prefixed(MEAN, "decoder."))


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        ("state_dict", PLAIN),
        ("nets.G", MEAN),
        ("nets.D.model", JUDGE),
        ("all.generator", PLAIN),
        ("all", {**prefixed(PLAIN, "generator."), **prefixed(MEAN, "generator_ema.")}),
        ("a.b.c", MEAN),
    ],
)
def test_a_path_with_dots_chooses(key: str, expected: Mapping[str, Tensor]) -> None:
    content = {
        "state_dict": prefixed(PLAIN, "module."),
        "nets": {"G": MEAN, "D": {"model": JUDGE}},
        "all": {**prefixed(PLAIN, "generator."), **prefixed(MEAN, "generator_ema.")},
        "a.b": {"c": MEAN},
    }
    (found,) = at(content, key)
    assert same(found.state, expected)


def test_the_user_is_told_what_was_taken(tmp_path: Path) -> None:
    file = tmp_path / "w.pth"
    torch.save({"params": PLAIN, "params_ema": MEAN}, file)
    (weights,) = read_weights(file)
    assert weights.averaged
    assert "averaged" in weights.remarks[0]
    assert "params_ema" in weights.remarks[0]
    (weights,) = read_weights(file, "params")
    assert same(weights.state, PLAIN)
    assert not weights.averaged
    torch.save({"netG": PLAIN, "netD": JUDGE}, file)
    assert "'netG'" in read_weights(file)[0].remarks[0]
    with pytest.raises(UserError, match=r"--key 'netH' is not in it; it holds netG"):
        read_weights(file, "netH")


def test_views_take_off_what_may_be_the_name_of_the_whole() -> None:
    state = prefixed(PLAIN, "model.net.")
    views = [list(view.state) for view in Weights(path=Path("w"), state=state).views()]
    assert [names[0] for names in views] == ["model.net.conv.weight", "net.conv.weight", "conv.weight"]
