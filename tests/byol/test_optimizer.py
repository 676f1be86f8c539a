"""Weight decay, LARS, and the optimized parameters."""

import pytest
import torch
from torch import nn

from byol_kedro.byol.optimizer import create_optimizer, parameter_groups
from tests.support.trainings import recipe, small_state


def names_in(network, group):
    wanted = {id(parameter) for parameter in group["params"]}
    return {name for name, parameter in network.named_parameters() if id(parameter) in wanted}


def norms_and_biases(network):
    norms = (nn.BatchNorm1d, nn.BatchNorm2d)
    named = {f"{path}.weight" for path, module in network.named_modules() if isinstance(module, norms)}
    biases = {name for name, _ in network.named_parameters() if name.endswith(".bias")}
    return {name for name in named | biases if not name.startswith("target.")}


def test_norms_and_biases_are_not_decayed():
    network = small_state().network
    decayed, free = parameter_groups(network, 0.01, decay_norms_and_biases=False)
    assert names_in(network, free) == norms_and_biases(network)
    assert (decayed["weight_decay"], free["weight_decay"]) == (0.01, 0.0)


@pytest.mark.parametrize("decay_all", [True, False])
@pytest.mark.parametrize("name", ["sgd", "lars", "adamw"])
def test_the_online_network_is_optimized_and_the_target_is_not(name, decay_all):
    network = small_state().network
    settings = recipe(optimizer={"name": name, "decay_norms_and_biases": decay_all}).optimizer
    optimizer = create_optimizer(network, settings)
    seen = [name for group in optimizer.param_groups for name in names_in(network, group)]
    assert sorted(seen) == sorted(n for n, _ in network.named_parameters() if not n.startswith("target."))


def test_norms_and_biases_are_decayed_on_request():
    settings = recipe(optimizer={"decay_norms_and_biases": True, "weight_decay": 0.25}).optimizer
    (group,) = create_optimizer(small_state().network, settings).param_groups
    assert group["weight_decay"] == 0.25


@pytest.mark.parametrize(("name", "kind"), [("sgd", "SGD"), ("lars", "Lars"), ("adamw", "AdamW")])
def test_the_optimizer_is_the_one_that_is_named(name, kind):
    optimizer = create_optimizer(small_state().network, recipe(optimizer={"name": name}).optimizer)
    assert type(optimizer).__name__ == kind


@pytest.mark.parametrize("weight_decay", [0.0, 0.1])
def test_lars_adapts_weights_only(weight_decay):
    state = small_state()
    settings = recipe(optimizer={"name": "lars", "weight_decay": weight_decay}).optimizer
    optimizer = create_optimizer(state.network, settings)
    trained = {n: p for n, p in state.network.named_parameters() if p.requires_grad}
    generator = torch.Generator().manual_seed(0)
    before = {name: parameter.detach().clone() for name, parameter in trained.items()}
    for parameter in trained.values():
        parameter.grad = torch.randn(parameter.shape, generator=generator)
    optimizer.step()
    plain = norms_and_biases(state.network)
    for name, parameter in trained.items():
        w, g = before[name], parameter.grad
        update = g
        if name not in plain:
            ratio = 0.001 * w.norm() / (g.norm() + weight_decay * w.norm())
            update = ratio * (g + weight_decay * w)
        torch.testing.assert_close(parameter.detach(), w - settings.lr * update, msg=name)
