"""NaN, infinity and huge numbers are detected where they are computed or read."""

from functools import partial

import numpy as np
import pytest
import torch
from kedro.io import Version

from byol_kedro.byol.encoder import restore_encoder, to_arrays, untrained_encoder
from byol_kedro.byol.features import encode, project
from byol_kedro.byol.finite import MAX_FEATURE, NotFiniteError, check_features
from byol_kedro.datasets.tensors import Tensors, TensorsDataset, mapped
from byol_kedro.errors import UserError
from byol_kedro.inference import FrozenEncoder
from byol_kedro.parameters import Baselines
from byol_kedro.pipelines.baselines.nodes import evaluate_baselines
from byol_kedro.pipelines.extract.nodes import extract, extract_references, extract_unlabeled
from byol_kedro.pipelines.pair_model.inputs import reference_features, split_embeddings
from byol_kedro.pipelines.pair_model.nodes import pool_images
from byol_kedro.pipelines.probes.nodes import fit_probes, measure_quality
from tests.support.encoder_inputs import SETTINGS
from tests.support.encoders import HEADER
from tests.support.evaluation_inputs import ENCODER, PROBE_PARAMS, images, latents, reference_latents
from tests.support.pretrain_inputs import TRAIN, UNLABELED
from tests.support.trainings import CPU

INVALID = pytest.mark.parametrize(
    ("odd", "words"),
    [(np.nan, "NaN or infinity"), (-np.inf, "NaN or infinity"), (1e30, r"numbers beyond 1e\+15")],
)
GIVEN = {"latents_train": latents("train"), "latents_test": latents("test"), "reference_latents": reference_latents()}
SPLITS = images("train"), images("test")


# Checks of features.


@INVALID
def test_rows_that_are_not_finite_are_counted(odd, words):
    features = np.ones((10_000, 3), np.float32)
    features[[5, 9_999], [0, 2]] = odd
    with pytest.raises(NotFiniteError, match=f"^mine: 2 of 10,000 rows hold {words}; do this$"):
        check_features(features, "mine", "do this")


def test_the_largest_numbers_are_accepted():
    check_features(np.array([[MAX_FEATURE, -MAX_FEATURE]], np.float32), "mine", "")
    check_features(np.zeros((0, 3), np.float32), "mine", "")


@INVALID
def test_saved_features_are_checked_on_reading(tmp_path, odd, words):
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


def with_odd_number(name, odd):
    tensors = GIVEN[name]
    arrays = {key: np.array(array) for key, array in tensors.arrays.items()}
    for key, array in arrays.items():
        if key.endswith("features"):
            array[3, 0] = odd
    return Tensors(arrays, tensors.header)


def measured(latents_test, others):
    return measure_quality(ENCODER, latents_test, others, SPLITS[1], 0, "cpu")


NODE_CALLS = {
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


@INVALID
@pytest.mark.parametrize(("name", "call"), [(name, call) for name, calls in NODE_CALLS.items() for call in calls])
def test_no_node_accepts_such_features(name, call, odd, words):
    with pytest.raises(
        UserError, match=rf"features of encoder v1: 1 of \d+ rows hold {words}; run the pipeline extract"
    ):
        call(with_odd_number(name, odd))


# Extracted features.


def huge_weight(arrays):
    arrays["conv1.0.weight"][0, 0, 0, 0] = 1e30
    return arrays


@pytest.fixture
def encoder():
    header = HEADER.to_dict() | {"version": "v1", "fingerprint": "f1"}
    return Tensors(huge_weight(to_arrays(untrained_encoder(HEADER))), header)


def test_a_huge_weight_is_detected_in_the_features(encoder):
    with pytest.raises(
        UserError, match=r"^features of the encoder v1, train: 10 of 10 rows .* pretrain\.optimizer\.lr$"
    ):
        extract(encoder, TRAIN, TRAIN, "cpu")
    with pytest.raises(UserError, match=r"^features of the encoder v1, unlabeled: 12 of 12 rows"):
        extract_unlabeled(encoder, UNLABELED, unlabeled=True, device="cpu")
    model = restore_encoder(HEADER, encoder.arrays)
    frozen = FrozenEncoder(HEADER, "v1", "f1", model, CPU)
    assert np.abs(frozen(TRAIN.pixels)).max() > MAX_FEATURE  # accepted, since nothing is computed with them here
    model.state_dict()["bn1.running_mean"].fill_(torch.nan)
    with pytest.raises(UserError, match=r"^features of the encoder v1: 10 of 10 rows hold NaN"):
        frozen(TRAIN.pixels)
    with pytest.raises(UserError, match="projections"):
        project(torch.nn.Linear(3, 2), np.full((4, 3), np.nan, np.float32))


def test_the_error_of_a_reference_names_its_parameter(encoder, monkeypatch):
    huge = restore_encoder(HEADER, encoder.arrays)
    monkeypatch.setattr("byol_kedro.pipelines.extract.references.untrained_encoder", lambda _: huge)
    parameters = Baselines(pca_components=2, supervised=False)
    with pytest.raises(UserError, match=r"^features of untrained network, train: 10 of 10 .*pretrain\.encoder\.name$"):
        extract_references(encoder, TRAIN, TRAIN, {}, SETTINGS, parameters, "cpu")


def test_finite_features_are_accepted(encoder):
    model = untrained_encoder(HEADER)
    assert np.isfinite(encode(model, TRAIN.pixels, HEADER, CPU)).all()
