"""The linear probe with SGD against torch's own layer, loss, optimizer and schedule."""

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from byol_kedro.evaluation.metrics import top1, wilson_interval
from byol_kedro.evaluation.probes.base import LinearSgd, Logistic
from byol_kedro.evaluation.probes.linear_sgd import train_layers
from byol_kedro.evaluation.scaler import Scaler
from tests.support.probe_problems import blobs, fit_predict

DEFAULTS = {"lrs": [0.01, 0.1], "momentum": 0.9, "batch_size": 32, "epochs": 20, "validation": 0.3}


def fit(data, n_classes=4, seed=0, **changes):
    return fit_predict("linear_sgd", data, LinearSgd(**DEFAULTS | changes), n_classes, seed)


def tensors(data):
    x = torch.from_numpy(Scaler.fit(data.train_x)(data.train_x))
    return F.pad(x, (0, 1), value=1.0), F.one_hot(torch.from_numpy(data.train_y), 4).float()


def torch_layer(inputs, targets, lr, params, seed):
    """Weight and bias, (4, D + 1), of plain training of a torch.nn.Linear on the same batches."""
    generator = torch.Generator().manual_seed(seed)
    layer = torch.nn.Linear(12, 4)
    with torch.no_grad():
        for parameter in (layer.weight, layer.bias):
            parameter.uniform_(-(12**-0.5), 12**-0.5, generator=generator)
    optimizer = torch.optim.SGD(layer.parameters(), lr, momentum=params.momentum)
    batches = -(-len(inputs) // params.batch_size)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, params.epochs * batches)
    for _ in range(params.epochs):
        for rows in torch.randperm(len(inputs), generator=generator).split(params.batch_size):
            optimizer.zero_grad()
            F.cross_entropy(layer(inputs[rows, :-1]), targets[rows].argmax(dim=1)).backward()
            optimizer.step()
            schedule.step()
    return torch.cat([layer.weight, layer.bias[:, None]], dim=1).detach()


@pytest.mark.parametrize("batch_size", [32, 37, 300], ids=["last smaller", "last much smaller", "whole set"])
def test_layers_agree_with_torch_at_each_rate(batch_size):
    inputs, targets = tensors(blobs(spread=2.0))
    params = LinearSgd(**DEFAULTS | {"batch_size": batch_size, "epochs": 5})
    ours = train_layers(inputs, targets, [0.003, 0.1], params, 3)
    theirs = torch.stack([torch_layer(inputs, targets, lr, params, 3) for lr in (0.003, 0.1)])
    torch.testing.assert_close(ours, theirs, rtol=1e-3, atol=1e-4)


def test_too_small_rate_is_not_chosen():
    assert fit(blobs(spread=0.5), lrs=[1e-8, 0.1]).chosen == {"lr": 0.1}


def test_diverging_rate_is_not_chosen():
    assert fit(blobs(spread=1.5), lrs=[0.01, 1e6]).chosen == {"lr": 0.01}


def test_smallest_of_equal_rates_is_chosen():
    assert fit(blobs(spread=0.01), lrs=[0.3, 0.1, 0.2]).chosen == {"lr": 0.1}


def test_final_layer_is_trained_on_all_of_train():
    data = blobs(spread=2.0)
    inputs, targets = tensors(data)
    result = fit(data, lrs=[0.05], seed=4)
    layer = train_layers(inputs, targets, [0.05], LinearSgd(**DEFAULTS), 4)[0]
    np.testing.assert_array_equal(result.arrays["weight"], layer[:, :-1].numpy())


def test_top1_agrees_with_a_logistic_regression():
    data = blobs(n_train=1000, n_test=2000, spread=2.0)
    params = Logistic(cs=[1e4], validation=0.2)
    theirs = top1(fit_predict("logistic", data, params).probabilities, data.test_y)
    low, high = wilson_interval(theirs, 2000)
    assert low <= top1(fit(data).probabilities, data.test_y) <= high


def test_arrays_give_the_probabilities():
    data = blobs()
    result = fit(data)
    w = {name: array.astype(float) for name, array in result.arrays.items()}
    powers = np.exp((data.test_x - w["mean"]) / w["scale"] @ w["weight"].T + w["bias"])
    np.testing.assert_allclose(result.probabilities, powers / powers.sum(axis=1, keepdims=True), atol=1e-5)


def test_global_generator_is_not_used():
    before = torch.get_rng_state()
    fit(blobs(), epochs=1)
    assert torch.equal(torch.get_rng_state(), before)
