"""What could break: NaN, infinity and huge numbers that were computed, noticed far from where they came from."""

import re
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import torch
from kedro.io import Version

from byol_kedro.byol.encoder import restore_encoder, to_arrays, untrained_encoder
from byol_kedro.byol.features import encode, project
from byol_kedro.byol.finite import MAX_FEATURE, NotFiniteError, check_features
from byol_kedro.byol.train import train_step
from byol_kedro.datasets.checkpoints import Checkpoints
from byol_kedro.datasets.tensors import Tensors, TensorsDataset, mapped
from byol_kedro.errors import UserError
from byol_kedro.evaluation.probes.base import probe_names
from byol_kedro.evaluation.probes.folds import fold_rows
from byol_kedro.evaluation.probes.run import ProbeData, evaluate
from byol_kedro.inference import FrozenEncoder
from byol_kedro.pair_model.baselines import predict_pairs
from byol_kedro.pair_model.training import fit_pair_model
from byol_kedro.parameters import Baselines, Probes
from byol_kedro.pipelines.baselines.nodes import evaluate_baselines
from byol_kedro.pipelines.extract.nodes import extract, extract_references, extract_unlabeled
from byol_kedro.pipelines.pair_model.inputs import reference_features, split_embeddings
from byol_kedro.pipelines.pair_model.nodes import pool_images
from byol_kedro.pipelines.probes.nodes import fit_probes, measure_quality
from tests.support.encoders import HEADER
from tests.support.evaluation_inputs import ENCODER, PROBE_PARAMS, images, latents, reference_latents
from tests.support.pair_problems import SETTINGS, changed, empty_pair_set, linear_pairs, pool_of, scaler_of
from tests.support.pretrain_inputs import TRAIN, UNLABELED
from tests.support.probe_problems import blobs
from tests.support.resuming import identity, run
from tests.support.trainings import CPU, recipe

NUMBERS = pytest.mark.parametrize(
    ("odd", "words"),
    [(np.nan, "NaN or infinity"), (-np.inf, "NaN or infinity"), (1e30, r"numbers beyond 1e\+15")],
)
GIVEN = {"latents_train": latents("train"), "latents_test": latents("test"), "reference_latents": reference_latents()}
SPLITS = images("train"), images("test")


# Features as they are looked at.


@NUMBERS
def test_the_rows_are_counted_in_one_line(odd, words):
    features = np.ones((10_000, 3), np.float32)
    features[[5, 9_999], [0, 2]] = odd
    with pytest.raises(NotFiniteError, match=f"^mine: 2 of 10,000 rows hold {words}; do this$"):
        check_features(features, "mine", "do this")


def test_numbers_as_large_as_they_may_be_are_taken():
    check_features(np.array([[MAX_FEATURE, -MAX_FEATURE]], np.float32), "mine", "")
    check_features(np.zeros((0, 3), np.float32), "mine", "")


@NUMBERS
def test_saved_features_are_looked_at_as_they_are_read(tmp_path, odd, words):
    features = np.ones((4, 3), np.float32)
    features[2, 1] = odd
    version = "2026-01-01T00.00.00.000Z"
    entry = TensorsDataset(filepath=str(tmp_path / "latents_train.safetensors"), version=Version(version, version))
    entry.save(Tensors({"features": features, "index": np.arange(4)}, {"encoder_version": "v7"}))
    saved = entry.load()
    assert saved["index"].tolist() == [0, 1, 2, 3]
    expected = (
        rf"latents_train\.safetensors, features of encoder v7: 1 of 4 rows hold {words}; run the pipeline extract"
    )
    for read in (saved.__getitem__, partial(mapped, saved)):
        with pytest.raises(UserError, match=expected):
            read("features")


def spoilt(name, odd):
    tensors = GIVEN[name]
    arrays = {key: np.array(array) for key, array in tensors.arrays.items()}
    for key, array in arrays.items():
        if key.endswith("features"):
            array[3, 0] = odd
    return Tensors(arrays, tensors.header)


def measured(latents_test, others):
    return measure_quality(ENCODER, latents_test, others, SPLITS[1], 0, "cpu")


DOORS = {
    "latents_train": [
        lambda odd: fit_probes(ENCODER, odd, GIVEN["latents_test"], SPLITS[1], PROBE_PARAMS, 0),
        lambda odd: pool_images(ENCODER, odd, GIVEN["latents_test"], *SPLITS, Tensors({"y": np.zeros(0)}, {})),
        lambda odd: split_embeddings(None, "train", odd, SPLITS[0]),
    ],
    "latents_test": [
        lambda odd: fit_probes(ENCODER, GIVEN["latents_train"], odd, SPLITS[1], PROBE_PARAMS, 0),
        lambda odd: measured(odd, GIVEN["reference_latents"]),
    ],
    "reference_latents": [
        lambda odd: evaluate_baselines(
            ENCODER, odd, *SPLITS, Baselines(pca_components=2, supervised=False), PROBE_PARAMS, 0
        ),
        lambda odd: measured(GIVEN["latents_test"], odd),
        lambda odd: reference_features(odd, "untrained"),
    ],
}


@NUMBERS
@pytest.mark.parametrize(("name", "door"), [(name, door) for name, doors in DOORS.items() for door in doors])
def test_no_pipeline_begins_with_such_features(name, door, odd, words):
    with pytest.raises(
        UserError, match=rf"features of encoder v1: 1 of \d+ rows hold {words}; run the pipeline extract"
    ):
        door(spoilt(name, odd))


# Features as they are made.


def huge_weight(arrays):
    arrays["conv1.0.weight"][0, 0, 0, 0] = 1e30
    return arrays


@pytest.fixture
def encoder():
    header = HEADER.to_dict() | {"version": "v1", "fingerprint": "f1"}
    return Tensors(huge_weight(to_arrays(untrained_encoder(HEADER))), header)


def test_a_huge_weight_is_told_of_by_the_features_it_gives(encoder):
    with pytest.raises(
        UserError, match=r"^features of the encoder v1, train: 10 of 10 rows .* pretrain\.optimizer\.lr$"
    ):
        extract(encoder, TRAIN, TRAIN, "cpu")
    with pytest.raises(UserError, match=r"^features of the encoder v1, unlabeled: 12 of 12 rows"):
        extract_unlabeled(encoder, UNLABELED, unlabeled=True, device="cpu")
    model = restore_encoder(HEADER, encoder.arrays)
    frozen = FrozenEncoder(HEADER, "v1", "f1", model, CPU)
    assert np.abs(frozen(TRAIN.pixels)).max() > MAX_FEATURE  # nothing is computed with them here
    model.state_dict()["bn1.running_mean"].fill_(torch.nan)
    with pytest.raises(UserError, match=r"^features of the encoder v1: 10 of 10 rows hold NaN"):
        frozen(TRAIN.pixels)
    with pytest.raises(UserError, match="projections"):
        project(torch.nn.Linear(3, 2), np.full((4, 3), np.nan, np.float32))


def test_a_reference_says_what_to_do_about_itself(encoder, monkeypatch):
    huge = restore_encoder(HEADER, encoder.arrays)
    monkeypatch.setattr("byol_kedro.pipelines.extract.references.untrained_encoder", lambda _: huge)
    parameters = Baselines(pca_components=2, supervised=False)
    with pytest.raises(UserError, match=r"^features of untrained network, train: 10 of 10 .*pretrain\.encoder\.name$"):
        extract_references(encoder, TRAIN, TRAIN, {}, parameters, "cpu")


# Trainings.


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
def test_features_that_are_no_numbers_end_a_training_whose_loss_is_one(tmp_path, monkeypatch, value):
    spoil_after(monkeypatch, 2, set_encoder("layer4.0.bn2.bias" if value == 1e30 else "bn1.running_mean", value))
    words = r"pretrain: features of the encoder: 10 of 10 rows hold .* after step 2 of 4; lower pretrain\.optimizer\.lr"
    with pytest.raises(UserError, match=rf"{words} \(the rate was [\d.]+, in float32\).*no encoder is written") as told:
        run(tmp_path, recipe())
    assert "there is no checkpoint" in str(told.value)
    assert newest(tmp_path, None) is None


def test_what_is_no_number_is_no_checkpoint(tmp_path, monkeypatch):
    changes = {"checkpoint": {"steps": 1}, "online_knn": {"every_epochs": 2}}
    spoil_after(monkeypatch, 3, lambda network: network.target.projector[0].weight.fill_(torch.inf))
    with pytest.raises(
        UserError, match=r"target\.projector.* holds .* after step 3 of 4.* last checkpoint is of step 2$"
    ):
        run(tmp_path, recipe(**changes))
    assert newest(tmp_path, changes) == 2


def test_the_last_step_is_looked_at_too(tmp_path, monkeypatch):
    spoil_after(monkeypatch, 4, set_encoder("bn1.running_var", torch.inf))  # whose features are 0
    with pytest.raises(UserError, match=r"encoder\.bn1\.running_var holds NaN or infinity .* after step 4 of 4"):
        run(tmp_path, recipe())
    assert newest(tmp_path, None) is None


def test_a_loss_that_was_not_read_yet_is_no_checkpoint_either(tmp_path, monkeypatch):
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
        ("mlp", {"lr": 1e30}, "lower probes.mlp.lr"),
        ("linear_sgd", {"lrs": [1e30]}, "lower probes.linear_sgd.lrs"),
        ("linear_adam", {"lr": 1e30}, "lower probes.linear_adam.lr"),
        ("knn_weighted", {"temperature": 1e-45}, "raise probes.knn_weighted.temperature"),
    ],
)
def test_a_classifier_that_diverges_is_one_line(protocol, values, remedy):
    data = replace(DATA, train_x=1e-6 * DATA.train_x, test_x=1e12 * DATA.test_x)
    line = rf"^BYOL \+ .* \({protocol}\).*: \d+ of 30 rows hold NaN or infinity; .*{re.escape(remedy)}$"
    for fitting in (
        lambda: evaluate(data, [protocol], with_probe(protocol, **values), 0),
        lambda: fold_rows(data, [np.arange(0, 40), np.arange(20, 60)], [protocol], with_probe(protocol, **values), 0),
    ):
        with pytest.raises(UserError, match=line):
            fitting()


def test_a_rate_that_no_optimizer_can_hold_is_refused_ahead():
    with pytest.raises(ValueError, match="less than or equal"):
        with_probe("mlp", lr=1e38)


@pytest.mark.parametrize("lr", [1e6, 1e30])
def test_a_pair_model_that_diverges_is_one_line(lr):
    settings = changed(SETTINGS, epochs=2, lr=lr)
    pairs = linear_pairs()
    with pytest.raises(UserError, match=r"pair_model.*lower pair_model\.lr"):
        fit_pair_model(pairs, empty_pair_set(), scaler_of(pairs), settings, 0)


def test_targets_too_small_to_divide_by_are_fitted_as_they_are():
    pairs = replace(linear_pairs(), target=np.full(2000, 1e-300))
    model, _ = fit_pair_model(pairs, empty_pair_set(), scaler_of(pairs), changed(SETTINGS, epochs=1), 0)
    assert np.isfinite(predict_pairs(model, pool_of(pairs), pairs, empty_pair_set(), pairs).to_numpy()).all()


def test_the_largest_features_are_classified():
    """Their squares, deviations and distances are numbers of float32."""
    data = replace(DATA, train_x=np.clip(1e12 * DATA.train_x, -MAX_FEATURE, MAX_FEATURE).astype(np.float32))
    evaluation = evaluate(data, probe_names(), PROBE_PARAMS, 0)
    assert len(evaluation.rows) == len(probe_names())


def test_healthy_features_are_what_they_were(encoder):
    model = untrained_encoder(HEADER)
    assert np.isfinite(encode(model, TRAIN.pixels, HEADER, CPU)).all()
