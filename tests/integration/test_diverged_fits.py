"""A training or fit that diverges ends with one line, and leaves no checkpoint of it."""

import re
from dataclasses import replace

import numpy as np
import pytest
import torch

from byol_kedro.byol.finite import MAX_FEATURE
from byol_kedro.byol.train import train_step
from byol_kedro.datasets.checkpoints import Checkpoints
from byol_kedro.errors import UserError
from byol_kedro.evaluation.probes.base import probe_names
from byol_kedro.evaluation.probes.folds import fold_rows
from byol_kedro.evaluation.probes.run import ProbeData, evaluate
from byol_kedro.pair_model.baselines import predict_pairs
from byol_kedro.pair_model.training import fit_pair_model
from byol_kedro.parameters import Probes
from tests.support.evaluation_inputs import PROBE_PARAMS
from tests.support.pair_problems import SETTINGS, changed, empty_pair_set, linear_pairs, pool_of, scaler_of
from tests.support.probe_problems import blobs
from tests.support.resuming import identity, run
from tests.support.trainings import recipe

# Training of the encoder.


def spoil_after(monkeypatch, step, spoil):
    def spoiling(state, views, **rates):
        metrics = train_step(state, views, **rates)
        if state.step == step:
            with torch.no_grad():
                spoil(state.network)
        return metrics

    monkeypatch.setattr("byol_kedro.byol.train.train_step", spoiling)


def set_encoder(name, value):
    def spoil(network):
        network.encoder.state_dict()[name].fill_(value)

    return spoil


def newest(folder, parameters):
    found = Checkpoints(folder).of(identity(parameters)).newest()
    return found and found.step


@pytest.mark.parametrize("value", [torch.nan, 1e30])
def test_features_that_are_not_finite_end_the_training(tmp_path, monkeypatch, value):
    spoil_after(monkeypatch, 2, set_encoder("layer4.0.bn2.bias" if value == 1e30 else "bn1.running_mean", value))
    words = r"pretrain: features of the encoder: 10 of 10 rows hold .* after step 2 of 4; lower pretrain\.optimizer\.lr"
    with pytest.raises(
        UserError, match=rf"{words} \(the rate was [\d.]+, in float32\).*no encoder is written"
    ) as caught:
        run(tmp_path, recipe())
    assert "there is no checkpoint" in str(caught.value)
    assert newest(tmp_path, None) is None


def test_weights_that_are_not_finite_are_not_saved(tmp_path, monkeypatch):
    changes = {"checkpoint": {"steps": 1}, "online_knn": {"evaluations": 1}}
    spoil_after(monkeypatch, 3, lambda network: network.target.projector[0].weight.fill_(torch.inf))
    with pytest.raises(
        UserError, match=r"target\.projector.* holds .* after step 3 of 4.* last checkpoint is of step 2$"
    ):
        run(tmp_path, recipe(**changes))
    assert newest(tmp_path, changes) == 2


def test_the_last_step_is_checked(tmp_path, monkeypatch):
    spoil_after(monkeypatch, 4, set_encoder("bn1.running_var", torch.inf))  # so that all features are 0
    with pytest.raises(UserError, match=r"encoder\.bn1\.running_var holds NaN or infinity .* after step 4 of 4"):
        run(tmp_path, recipe())
    assert newest(tmp_path, None) is None


def test_a_pending_loss_is_checked_before_a_checkpoint(tmp_path, monkeypatch):
    monkeypatch.setattr("byol_kedro.byol.schedule.Plan.logs_after", lambda _, done: done == 4)
    spoil_after(monkeypatch, 1, lambda network: network.predictor[0].bias.fill_(torch.nan))
    changes = {"checkpoint": {"steps": 2}}
    with pytest.raises(UserError, match=r"the loss is nan after step 2 of 4; .*there is no checkpoint"):
        run(tmp_path, recipe(**changes))


# Classifiers and the pair model.

KNOWN = blobs(60, 30, classes=3)
NAMES = [str(i) for i in range(30)]
DATA = ProbeData(
    "BYOL", KNOWN.train_x, KNOWN.train_y, KNOWN.test_x, KNOWN.test_y, np.arange(30), NAMES, ["a", "b", "c"]
)


def with_probe(protocol, **values) -> Probes:
    return PROBE_PARAMS.model_copy(update={protocol: changed(getattr(PROBE_PARAMS, protocol), **values)})


@pytest.mark.parametrize(
    ("protocol", "values", "remedy"),
    [
        ("mlp", {"lr": 1e30}, "lower probes.mlp.lr or probes.mlp.weight_decay"),
        ("mlp", {"weight_decay": 1e30}, "lower probes.mlp.lr or probes.mlp.weight_decay"),
        ("linear_sgd", {"lrs": [1e30]}, "lower probes.linear_sgd.lrs"),
        ("linear_adam", {"lr": 1e30}, "lower probes.linear_adam.lr"),
        ("knn_weighted", {"temperature": 1e-45}, "raise probes.knn_weighted.temperature"),
    ],
)
def test_a_diverged_classifier_is_one_line(protocol, values, remedy):
    data = replace(DATA, train_x=1e-6 * DATA.train_x, test_x=1e12 * DATA.test_x)
    line = rf"^BYOL \+ .* \({protocol}\).*: \d+ of 30 rows hold NaN or infinity; .*{re.escape(remedy)}$"
    for fitting in (
        lambda: evaluate(data, [protocol], with_probe(protocol, **values), 0),
        lambda: fold_rows(data, [np.arange(0, 40), np.arange(20, 60)], [protocol], with_probe(protocol, **values), 0),
    ):
        with pytest.raises(UserError, match=line):
            fitting()


def test_a_learning_rate_beyond_float32_is_refused():
    with pytest.raises(ValueError, match="less than or equal"):
        with_probe("mlp", lr=1e38)


@pytest.mark.parametrize("lr", [1e6, 1e30])
def test_a_diverged_pair_model_is_one_line(lr):
    settings = changed(SETTINGS, epochs=2, lr=lr)
    pairs = linear_pairs()
    with pytest.raises(UserError, match=r"pair_model.*lower pair_model\.lr"):
        fit_pair_model(pairs, empty_pair_set(), scaler_of(pairs), settings, 0)


def test_tiny_targets_are_fitted_unscaled():
    pairs = replace(linear_pairs(), target=np.full(2000, 1e-300))
    model, _ = fit_pair_model(pairs, empty_pair_set(), scaler_of(pairs), changed(SETTINGS, epochs=1), 0)
    assert np.isfinite(predict_pairs(model, pool_of(pairs), pairs, empty_pair_set(), pairs).to_numpy()).all()


def test_classifiers_accept_the_largest_features():
    """Their squares, deviations and distances are numbers of float32."""
    data = replace(DATA, train_x=np.clip(1e12 * DATA.train_x, -MAX_FEATURE, MAX_FEATURE).astype(np.float32))
    evaluation = evaluate(data, probe_names(), PROBE_PARAMS, 0)
    assert len(evaluation.rows) == len(probe_names())
