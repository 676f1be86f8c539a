"""The linear probe with Adam against torch's own layer, loss and optimizer."""

import numpy as np
import torch
from sklearn.preprocessing import StandardScaler
from torch.utils.data import DataLoader, TensorDataset

from byol_kedro.evaluation.metrics import top1, wilson_interval
from byol_kedro.evaluation.probes.base import LinearAdam
from byol_kedro.evaluation.probes.linear_adam import train_layers
from byol_kedro.evaluation.scaler import Scaler
from tests.support.probe_problems import blobs, fit_predict


def fit(data, n_classes=4, seed=0, **changes):
    params = LinearAdam(**{"lr": 0.003, "batch_size": 32, "epochs": 20, "seeds": 1} | changes)
    return fit_predict("linear_adam", data, params, n_classes, seed)


def torch_probabilities(layer, data, batch_size, epochs, lr=0.003):
    """Probabilities of the test rows after plain training of a torch.nn.Linear."""
    scaler = StandardScaler().fit(data.train_x)
    x, test_x = (torch.tensor(scaler.transform(rows), dtype=torch.float32) for rows in (data.train_x, data.test_x))
    loader = DataLoader(TensorDataset(x, torch.tensor(data.train_y)), batch_size, shuffle=True)
    optimizer = torch.optim.Adam(layer.parameters(), lr)
    for _ in range(epochs):
        for batch, labels in loader:
            optimizer.zero_grad()
            torch.nn.functional.cross_entropy(layer(batch), labels).backward()
            optimizer.step()
    return layer(test_x).softmax(dim=1).detach().numpy()


def test_full_batches_agree_with_torch():
    data = blobs()
    layer = torch.nn.Linear(12, 4)
    generator = torch.Generator().manual_seed(5)
    with torch.no_grad():
        for parameter in (layer.weight, layer.bias):
            parameter.uniform_(-(12**-0.5), 12**-0.5, generator=generator)
    theirs = torch_probabilities(layer, data, 300, 50)
    np.testing.assert_allclose(fit(data, seed=5, batch_size=300, epochs=50).probabilities, theirs, atol=1e-4)


def test_top1_agrees_with_a_dataloader_loop():
    data = blobs(n_test=2000, spread=2.0)
    with torch.random.fork_rng():
        torch.manual_seed(1)
        theirs = top1(torch_probabilities(torch.nn.Linear(12, 4), data, 32, 20), data.test_y)
    low, high = wilson_interval(theirs, 2000)
    assert low <= top1(fit(data).probabilities, data.test_y) <= high


def test_initialization_agrees_with_torch():
    data = blobs(dim=400)
    started = fit(data, lr=1e-12, epochs=1).arrays["weight"]
    reference = torch.nn.Linear(400, 4).weight.detach().numpy()
    np.testing.assert_allclose(started.std(), reference.std(), rtol=0.1)
    assert 0.99 * 400**-0.5 < np.abs(started).max() <= 400**-0.5


def test_last_smaller_batch_is_used():
    data = blobs(n_train=5, classes=2)
    data.train_x[:] = 1.0  # standardized this is 0, so only the biases move, by lr a step
    data.train_y[:] = 0
    once, twice = (fit(data, 2, lr=1e-4, batch_size=2, epochs=n).arrays["bias"] for n in (1, 2))
    np.testing.assert_allclose(twice - once, [3e-4, -3e-4], rtol=0.01)


def test_seeds_trained_together_agree_with_each_alone():
    data = blobs()
    x, y = torch.from_numpy(Scaler.fit(data.train_x)(data.train_x)), torch.from_numpy(data.train_y)
    arguments = (torch.nn.functional.pad(x, (0, 1), value=1.0), torch.nn.functional.one_hot(y, 4).float())
    params = LinearAdam(lr=0.003, batch_size=32, epochs=20, seeds=3)
    alone = torch.cat([train_layers(*arguments, params, [seed]) for seed in (5, 6, 7)])
    torch.testing.assert_close(train_layers(*arguments, params, [5, 6, 7]), alone, rtol=1e-4, atol=1e-5)


def test_first_seed_is_the_given_one():
    alone, first = fit(blobs(), seed=5), fit(blobs(), seed=5, seeds=3)
    np.testing.assert_allclose(first.probabilities, alone.probabilities, atol=1e-5)
    np.testing.assert_allclose(first.arrays["weight"], alone.arrays["weight"], atol=1e-4)


def test_repeats_are_the_following_seeds():
    repeats = fit(blobs(), seed=5, seeds=3).repeats
    for repeat, seed in zip(repeats, (6, 7), strict=True):
        np.testing.assert_allclose(repeat, fit(blobs(), seed=seed).probabilities, atol=1e-5)


def test_arrays_give_the_probabilities():
    data = blobs()
    result = fit(data)
    w = {name: array.astype(float) for name, array in result.arrays.items()}
    powers = np.exp((data.test_x - w["mean"]) / w["scale"] @ w["weight"].T + w["bias"])
    np.testing.assert_allclose(result.probabilities, powers / powers.sum(axis=1, keepdims=True), atol=1e-5)


def test_the_same_seed_gives_the_same_bits():
    first, again = fit(blobs(), seed=3), fit(blobs(), seed=3)
    np.testing.assert_array_equal(first.arrays["weight"], again.arrays["weight"])


def test_seed_changes_the_initialization():
    assert not np.array_equal(fit(blobs(), seed=3).arrays["weight"], fit(blobs(), seed=4).arrays["weight"])


def test_global_generator_is_not_used():
    before = torch.get_rng_state()
    fit(blobs(), epochs=1)
    assert torch.equal(torch.get_rng_state(), before)
