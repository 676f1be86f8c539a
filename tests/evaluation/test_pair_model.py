"""The latent MLP on problems with a known answer, and by hand in numpy."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from sklearn.preprocessing import StandardScaler

from byol_kedro.evaluation.pair_model import PairModel, fit_pair_model
from tests.evaluation.pair_problems import SETTINGS, linear_pairs

QUICK = SETTINGS.model_copy(update={"epochs": 2})


def distances(model, pairs):
    z = model.vectors(pairs.features)
    return np.linalg.norm(z[pairs.left] - z[pairs.right], axis=1)


def l1(guess, model, pairs):
    return np.abs(guess - pairs.target * model.target_scale).mean()


@pytest.fixture(scope="module")
def fitted():
    return fit_pair_model(linear_pairs(), SETTINGS, seed=0)


def test_distances_of_new_pictures_are_far_nearer_to_their_target_than_the_mean_is(fitted):
    unseen = linear_pairs(noise_seed=1)
    assert l1(distances(fitted, unseen), fitted, unseen) < 0.4 * l1(1.0, fitted, unseen)


def test_targets_are_scaled_to_a_mean_of_one(fitted):
    assert fitted.target_scale * linear_pairs().target.mean() == pytest.approx(1, rel=1e-6)


def test_left_and_right_are_exchanged_without_a_change(fitted):
    pairs = linear_pairs(noise_seed=1)
    exchanged = replace(pairs, left=pairs.right, right=pairs.left)
    np.testing.assert_array_equal(distances(fitted, pairs), distances(fitted, exchanged))


def test_training_does_not_care_which_picture_is_left():
    pairs = linear_pairs()
    exchanged = replace(pairs, left=pairs.right, right=pairs.left)
    # Distances, not vectors: the last bias moves all vectors alike, so that rounding alone decides on it.
    one, other = (distances(fit_pair_model(p, QUICK, seed=0), pairs) for p in (pairs, exchanged))
    np.testing.assert_allclose(one, other, atol=1e-4)


def test_saved_arrays_applied_by_hand_give_the_same_vectors(fitted):
    arrays, features = fitted.to_arrays(), linear_pairs(noise_seed=1).features
    z = (features - arrays["mean"]) / arrays["scale"]
    z = np.maximum(z @ arrays["linear1.weight"].T + arrays["linear1.bias"], 0)
    z = np.maximum(z @ arrays["linear2.weight"].T + arrays["linear2.bias"], 0)
    z = z @ arrays["linear3.weight"].T + arrays["linear3.bias"]
    np.testing.assert_allclose(fitted.vectors(features), z, atol=1e-5)


def test_a_model_read_back_from_its_arrays_gives_the_same_vectors(fitted):
    features = linear_pairs(noise_seed=1).features
    again = PairModel.from_arrays(fitted.to_arrays())
    np.testing.assert_array_equal(again.vectors(features), fitted.vectors(features))
    assert again.target_scale == fitted.target_scale


def test_published_widths_have_the_names_and_shapes_of_the_replaced_system():
    published = QUICK.model_copy(update={"widths": [128, 128, 64, 32]})
    arrays = fit_pair_model(linear_pairs(dim=512, pairs=100), published, seed=0).to_arrays()
    assert {name: array.shape for name, array in arrays.items() if name.endswith("weight")} == {
        "linear1.weight": (128, 512),
        "linear2.weight": (128, 128),
        "linear3.weight": (64, 128),
        "linear4.weight": (32, 64),
        "linear5.weight": (16, 32),
    }


def test_everything_is_float32(fitted):
    assert {array.dtype for array in fitted.to_arrays().values()} == {np.dtype(np.float32)}
    assert fitted.vectors(linear_pairs().features).dtype == np.float32


def test_the_scaler_is_that_of_the_features_given_and_of_no_others(fitted):
    theirs = StandardScaler().fit(linear_pairs().features.astype(float))
    np.testing.assert_allclose(fitted.scaler.mean, theirs.mean_, rtol=1e-5)
    np.testing.assert_allclose(fitted.scaler.scale, theirs.scale_, rtol=1e-5)
    before = fitted.to_arrays()["mean"].copy()
    fitted.vectors(linear_pairs().features + 1000)
    np.testing.assert_array_equal(fitted.to_arrays()["mean"], before)


@pytest.mark.parametrize("moved", [1, 7], ids=["global seed 1", "global seed 7"])
def test_a_seed_gives_the_same_weights_whatever_the_global_one_is(moved):
    torch.manual_seed(0)
    one = fit_pair_model(linear_pairs(), QUICK, seed=5).to_arrays()
    torch.manual_seed(moved)
    other = fit_pair_model(linear_pairs(), QUICK, seed=5).to_arrays()
    assert all(np.array_equal(one[name], other[name]) for name in one)


def test_another_seed_gives_other_weights():
    one, other = (fit_pair_model(linear_pairs(), QUICK, seed).weights["linear1.weight"] for seed in (0, 1))
    assert not np.array_equal(one, other)


def test_the_last_pairs_count_when_they_fill_no_batch():
    pairs = linear_pairs(pairs=65)
    whole = fit_pair_model(pairs, QUICK, seed=0).weights["linear1.weight"]
    rounded = replace(pairs, left=pairs.left[:64], right=pairs.right[:64], target=pairs.target[:64])
    assert not np.array_equal(whole, fit_pair_model(rounded, QUICK, seed=0).weights["linear1.weight"])


@pytest.mark.parametrize("features", [None, np.ones((200, 10), np.float32)], ids=["features", "constant features"])
def test_a_constant_target_is_fitted_without_a_nan(features):
    pairs = replace(linear_pairs(), target=np.full(2000, 0.02))
    pairs = pairs if features is None else replace(pairs, features=features)
    assert np.isfinite(fit_pair_model(pairs, QUICK, seed=0).vectors(pairs.features)).all()


def test_one_pair_is_enough():
    pairs = linear_pairs(pairs=1)
    assert np.isfinite(fit_pair_model(pairs, QUICK, seed=0).vectors(pairs.features)).all()
