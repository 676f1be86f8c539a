"""Imported weights: compared with a plain torch model, and errors of files that do not fit."""

from collections import OrderedDict

import numpy as np
import pytest
import torch
from sklearn.preprocessing import StandardScaler
from torch import nn

from byol_kedro.errors import UserError
from byol_kedro.pair_model.model import PairModel, pair_model_from_state_dict
from byol_kedro.pair_model.training import fit_pair_model
from tests.support.pair_problems import SETTINGS, changed, empty_pair_set, linear_pairs, scaler_of

WIDTHS = (128, 128, 64, 32, 16)


class LinearAdam(nn.Module):
    """The network of the replaced system."""

    def __init__(self, inputs=512):
        super().__init__()
        for i, (before, after) in enumerate(zip((inputs, *WIDTHS), WIDTHS, strict=False), 1):
            setattr(self, f"linear{i}", nn.Linear(before, after))

    def forward(self, x):
        for i in range(1, 5):
            x = torch.relu(getattr(self, f"linear{i}")(x))
        return self.linear5(x)


@pytest.fixture
def network():
    torch.manual_seed(0)
    return LinearAdam()


def test_the_published_file_gives_the_embeddings_of_the_torch_model(network, tmp_path):
    torch.save(network.state_dict(), tmp_path / "512_16.pt")
    pairs = linear_pairs(dim=512)
    model = pair_model_from_state_dict(
        torch.load(tmp_path / "512_16.pt", weights_only=True), "512_16.pt", scaler_of(pairs)
    )
    unseen = linear_pairs(dim=512, noise_seed=1).features
    x = StandardScaler().fit(pairs.features.astype(np.float64)).transform(unseen)
    with torch.no_grad():
        expected = network(torch.from_numpy(x.astype(np.float32))).numpy()
    np.testing.assert_allclose(model.embed(unseen), expected, atol=1e-5)
    assert (model.target_offset, model.target_scale, model.widths) == (0, 1, [128, 128, 64, 32])


def test_a_saved_pair_model_is_restored():
    fitted, _ = fit_pair_model(
        linear_pairs(), empty_pair_set(), scaler_of(linear_pairs()), changed(SETTINGS, epochs=1), 0
    )
    tensors = {name: torch.from_numpy(array) for name, array in fitted.to_arrays().items()}
    again = pair_model_from_state_dict(tensors, "pair_model.safetensors", scaler_of(linear_pairs(noise_seed=1)))
    unseen = linear_pairs(noise_seed=2).features
    np.testing.assert_array_equal(again.embed(unseen), fitted.embed(unseen))
    assert (again.target_offset, again.target_scale) == (fitted.target_offset, fitted.target_scale)


def test_another_embedding_dimension_is_accepted():
    weights = {"linear1.weight": torch.ones(8, 10), "linear1.bias": torch.ones(8)}
    model = pair_model_from_state_dict(weights, "x.pt", scaler_of(linear_pairs()))
    assert model.embed(linear_pairs().features).shape == (200, 8)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({}, r"linear1.weight \(128, 512\) .* features have 10 numbers; use the encoder"),
        ({"linear2.weight": torch.ones(128, 7)}, r"linear2.weight \(128, 7\) .* linear1 gives 128 numbers"),
        ({"linear2.bias": torch.ones(7)}, r"linear2.bias \(7,\)"),
        ({"linear2.bias": torch.full((128,), torch.nan)}, "linear2.bias holds NaN or infinity"),
        ({"epoch": 3}, "epoch is int"),
        ({"fc.weight": torch.ones(2, 2)}, "holds fc.weight, linear1.bias"),
    ],
)
def test_a_layer_that_does_not_fit_is_named(network, change, message):
    dim = 10 if not change else 512
    with pytest.raises(UserError, match=rf"^pair_model.weights_from: x.pt.*{message}"):
        pair_model_from_state_dict(network.state_dict() | change, "x.pt", scaler_of(linear_pairs(dim=dim)))


def test_a_file_without_layers_is_refused():
    with pytest.raises(UserError, match=r"x.pt holds nothing; expected linear1.weight \(out, in\)"):
        pair_model_from_state_dict(OrderedDict(), "x.pt", scaler_of(linear_pairs()))


@pytest.mark.parametrize("name", ["scale", "target_scale"])
@pytest.mark.parametrize("value", [0, -1])
def test_a_saved_scale_that_is_not_positive_is_refused(name, value):
    fitted, _ = fit_pair_model(
        linear_pairs(), empty_pair_set(), scaler_of(linear_pairs()), changed(SETTINGS, epochs=1), 0
    )
    arrays = {key: array.copy() for key, array in fitted.to_arrays().items()}
    arrays[name][0] = value
    with pytest.raises(UserError, match="scale and target_scale have to be above zero"):
        PairModel.from_arrays(arrays)


def test_a_saved_number_that_is_not_finite_is_named(network):
    model = pair_model_from_state_dict(network.state_dict(), "x.pt", scaler_of(linear_pairs(dim=512)))
    arrays = model.to_arrays() | {"target_offset": np.array([np.inf], np.float32)}
    with pytest.raises(UserError, match=r"^pair_model: target_offset holds NaN .*; fit it again, with kedro run"):
        PairModel.from_arrays(arrays)
