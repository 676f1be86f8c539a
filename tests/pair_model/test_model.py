"""The pair model on known targets, and compared with numpy."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from sklearn.preprocessing import StandardScaler

from byol_kedro.pair_model import training
from byol_kedro.pair_model.model import PairModel
from byol_kedro.pair_model.training import HISTORY, empty_history, fit_pair_model, target_offset_and_scale
from tests.support.pair_problems import SETTINGS, changed, empty_pair_set, linear_pairs, scaler_of

QUICK = changed(SETTINGS, epochs=2)


def trained(pairs, validation, settings, seed=0):
    """Model and history; the train images are those of the pairs."""
    return fit_pair_model(pairs, validation, scaler_of(pairs), settings, seed)


def fit(pairs=None, settings=QUICK, seed=0, validation=None):
    return trained(pairs or linear_pairs(), validation or empty_pair_set(), settings, seed)[0]


def distances(model, pairs):
    z = model.embed(pairs.features)
    return np.linalg.norm(z[pairs.left] - z[pairs.right], axis=1)


def l1(model, pairs):
    return np.abs(model.target_offset + distances(model, pairs) / model.target_scale - pairs.target).mean()


def mean_l1(pairs):
    return np.abs(pairs.target - pairs.target.mean()).mean()


@pytest.fixture(scope="module")
def fitted():
    return fit(settings=SETTINGS)


def test_new_pairs_are_predicted_better_than_by_the_mean(fitted):
    unseen = linear_pairs(noise_seed=1)
    assert l1(fitted, unseen) < 0.4 * mean_l1(unseen)


def test_targets_far_from_zero_are_fitted():
    far = replace(linear_pairs(), target=linear_pairs().target + 1)
    assert l1(fit(far, SETTINGS), far) < 0.4 * mean_l1(far)


def test_targets_are_scaled_to_a_mean_of_one():
    target = np.random.default_rng(0).normal(50, 3, 1000)
    offset, scale = target_offset_and_scale(target)
    scaled = (target - offset) * scale
    assert scaled.mean() == pytest.approx(1, rel=1e-5)
    assert (scaled < 0).mean() == pytest.approx(0.05)


@pytest.mark.parametrize(("target", "units"), [(np.full(9, 0.02), (0, 50)), (np.zeros(9), (0, 1))])
def test_a_constant_target_has_a_scale(target, units):
    assert target_offset_and_scale(target) == pytest.approx(units, rel=1e-6)


def test_unscaled_targets_have_no_offset_and_scale():
    model = fit(settings=changed(QUICK, scale_target=False))
    assert (model.target_offset, model.target_scale) == (0, 1)


def test_loss_of_unscaled_targets():
    settings = changed(QUICK, scale_target=False, lr=1e-12, epochs=1)
    model, history = trained(linear_pairs(), empty_pair_set(), settings)
    assert history["train_l1"].tolist() == pytest.approx([l1(model, linear_pairs())], rel=1e-3)


def test_history_has_a_row_per_epoch_in_the_unit_of_the_target():
    held = linear_pairs(noise_seed=1)
    model, history = trained(linear_pairs(), held, SETTINGS)
    assert list(history.columns) == list(empty_history().columns) == HISTORY
    assert history["epoch"].tolist() == list(range(1, 31))
    assert history["validation_l1"].min() == pytest.approx(l1(model, held), rel=1e-4)
    assert history["train_l1"].iloc[-1] < 0.3 * history["train_l1"].iloc[0]


def test_on_epoch_receives_the_rows_of_the_history():
    told, held = [], linear_pairs(noise_seed=1)
    _, history = fit_pair_model(
        linear_pairs(), held, scaler_of(held), QUICK, 0, lambda epoch, values: told.append({"epoch": epoch, **values})
    )
    assert told == history.to_dict("records")


def test_learning_rate_schedules():
    rates = {
        schedule: trained(linear_pairs(), empty_pair_set(), changed(QUICK, schedule=schedule))[1]["lr"].tolist()
        for schedule in ("cosine", "constant")
    }
    assert rates["cosine"] == pytest.approx([0.003, 0.0015])
    assert rates["constant"] == [0.003, 0.003]


def test_early_stopping_keeps_the_best_epoch():
    # With random targets, the validation loss increases after the first epochs.
    train, held = (
        replace(linear_pairs(pairs=300, noise_seed=seed), target=np.random.default_rng(seed).random(300))
        for seed in (0, 1)
    )
    settings = changed(SETTINGS, lr=0.01, patience=3, epochs=100)
    model, history = trained(train, held, settings)
    best = int(history["validation_l1"].idxmin())
    assert len(history) == best + 1 + 3
    assert l1(model, held) == pytest.approx(history["validation_l1"][best], rel=1e-4)


def test_an_equal_validation_loss_is_not_lower():
    still = changed(QUICK, lr=1e-30, patience=3, epochs=20)  # no float32 weight changes
    _, history = trained(linear_pairs(pairs=100), linear_pairs(noise_seed=1, pairs=100), still)
    assert history["validation_l1"].nunique() == 1
    assert len(history) == 1 + 3


def test_without_validation_pairs_all_epochs_are_run():
    _, history = trained(linear_pairs(), empty_pair_set(), changed(QUICK, patience=1, epochs=5))
    assert len(history) == 5
    assert history["validation_l1"].isna().all()


def test_chunks_do_not_change_embeddings_or_validation_loss(fitted, monkeypatch):
    features, held = linear_pairs().features, linear_pairs(noise_seed=1)
    whole, (_, history) = fitted.embed(features), trained(linear_pairs(), held, QUICK)
    monkeypatch.setattr("byol_kedro.pair_model.pairs.CHUNK", 7)
    monkeypatch.setattr(training, "CHUNK", 7)
    np.testing.assert_allclose(fitted.embed(features), whole, atol=1e-5)
    again = trained(linear_pairs(), held, QUICK)[1]
    np.testing.assert_allclose(again["validation_l1"], history["validation_l1"], rtol=1e-5)


def test_distances_are_symmetric(fitted):
    pairs = linear_pairs(noise_seed=1)
    exchanged = replace(pairs, left=pairs.right, right=pairs.left)
    np.testing.assert_array_equal(distances(fitted, pairs), distances(fitted, exchanged))


def test_training_is_symmetric():
    pairs = linear_pairs()
    exchanged = replace(pairs, left=pairs.right, right=pairs.left)
    # Distances, not embeddings: the last bias shifts all embeddings alike, so its gradient is rounding error.
    one, other = (distances(fit(p), pairs) for p in (pairs, exchanged))
    np.testing.assert_allclose(one, other, atol=1e-4)


def test_embeddings_match_numpy(fitted):
    arrays, features = fitted.to_arrays(), linear_pairs(noise_seed=1).features
    z = (features - arrays["mean"]) / arrays["scale"]
    z = np.maximum(z @ arrays["linear1.weight"].T + arrays["linear1.bias"], 0)
    z = np.maximum(z @ arrays["linear2.weight"].T + arrays["linear2.bias"], 0)
    z = z @ arrays["linear3.weight"].T + arrays["linear3.bias"]
    np.testing.assert_allclose(fitted.embed(features), z, atol=1e-5)


def test_a_model_restored_from_its_arrays_is_equal(fitted):
    features = linear_pairs(noise_seed=1).features
    again = PairModel.from_arrays(fitted.to_arrays())
    np.testing.assert_array_equal(again.embed(features), fitted.embed(features))
    assert (again.target_offset, again.target_scale) == (fitted.target_offset, fitted.target_scale)
    assert (again.embedding_dim, again.widths) == (16, [32, 16])


def test_tensor_names_and_shapes_are_the_published_ones():
    published = changed(QUICK, widths=[128, 128, 64, 32])
    arrays = trained(linear_pairs(dim=512, pairs=100), empty_pair_set(512), published)[0].to_arrays()
    assert {name: array.shape for name, array in arrays.items() if name.endswith("weight")} == {
        "linear1.weight": (128, 512),
        "linear2.weight": (128, 128),
        "linear3.weight": (64, 128),
        "linear4.weight": (32, 64),
        "linear5.weight": (16, 32),
    }


def test_arrays_and_embeddings_are_float32(fitted):
    assert {array.dtype for array in fitted.to_arrays().values()} == {np.dtype(np.float32)}
    assert fitted.embed(linear_pairs().features).dtype == np.float32


def test_the_scaler_is_that_of_all_train_images():
    images = linear_pairs(noise_seed=5)
    theirs = StandardScaler().fit(images.features.astype(float))
    few = replace(linear_pairs(pairs=20), features=linear_pairs().features + 1000)
    model, _ = fit_pair_model(few, empty_pair_set(), scaler_of(images), QUICK, 0)
    np.testing.assert_allclose(model.scaler.mean, theirs.mean_, rtol=1e-5)
    np.testing.assert_allclose(model.scaler.scale, theirs.scale_, rtol=1e-5)
    before = model.to_arrays()["mean"].copy()
    model.embed(linear_pairs().features + 1000)
    np.testing.assert_array_equal(model.to_arrays()["mean"], before)


@pytest.mark.parametrize("moved", [1, 7], ids=["global seed 1", "global seed 7"])
def test_weights_do_not_depend_on_the_global_seed(moved):
    torch.manual_seed(0)
    one = fit(seed=5).to_arrays()
    torch.manual_seed(moved)
    other = fit(seed=5).to_arrays()
    assert all(np.array_equal(one[name], other[name]) for name in one)


def test_another_seed_gives_other_weights():
    one, other = (fit(seed=seed).weights["linear1.weight"] for seed in (0, 1))
    assert not np.array_equal(one, other)


def test_an_incomplete_last_batch_is_used():
    pairs = linear_pairs(pairs=65)
    whole = fit(pairs).weights["linear1.weight"]
    rounded = replace(pairs, left=pairs.left[:64], right=pairs.right[:64], target=pairs.target[:64])
    assert not np.array_equal(whole, fit(rounded).weights["linear1.weight"])


@pytest.mark.parametrize("features", [None, np.ones((200, 10), np.float32)], ids=["features", "constant features"])
def test_a_constant_target_gives_finite_embeddings(features):
    pairs = replace(linear_pairs(), target=np.full(2000, 0.02))
    pairs = pairs if features is None else replace(pairs, features=features)
    assert np.isfinite(fit(pairs).embed(pairs.features)).all()


def test_a_single_train_pair_is_enough():
    pairs = linear_pairs(pairs=1)
    assert np.isfinite(fit(pairs).embed(pairs.features)).all()
