"""Features, their labels and their provenance."""

import numpy as np
import pytest
import torch

from byol_kedro.byol.encoder import to_arrays, untrained_encoder
from byol_kedro.byol.features import encode
from byol_kedro.datasets.provenance import check_same_encoder
from byol_kedro.datasets.tensors import Tensors
from byol_kedro.errors import UserError
from byol_kedro.pipelines.extract.nodes import extract, extract_unlabeled
from tests.support.encoder_inputs import TEST, TRAIN, references_of
from tests.support.encoders import HEADER, moved
from tests.support.pretrain_inputs import split
from tests.support.trainings import CPU


@pytest.fixture(scope="module")
def encoder():
    header = HEADER.to_dict() | {"version": "v1", "fingerprint": "f1"}
    return Tensors(to_arrays(moved(untrained_encoder(HEADER))), header)


def test_every_image_has_its_features_label_and_index(encoder):
    model = moved(untrained_encoder(HEADER))
    for latents, images in zip(extract(encoder, TRAIN, TEST, "cpu"), (TRAIN, TEST), strict=True):
        assert np.array_equal(latents["features"], encode(model, images.pixels, HEADER, CPU))
        assert np.array_equal(latents["labels"], images.labels)
        assert np.array_equal(latents["index"], np.arange(len(images)))
        assert [latents[name].dtype for name in ("features", "labels", "index")] == [np.float32, np.int64, np.int64]


def test_headers_name_encoder_and_images(encoder):
    train, test = extract(encoder, TRAIN, TEST, "cpu")
    references = references_of(encoder)
    check_same_encoder(encoder, train, test, references)
    assert [t.header["data_fingerprint"] for t in (train, test, references)] == [
        "train-mark",
        "test-mark",
        "train-mark:test-mark",
    ]
    assert {t.header["data"] for t in (train, test, references)} == {"array"}


def test_unlabeled_images_have_features_on_request(encoder):
    latents = extract_unlabeled(encoder, TEST, unlabeled=True, device="cpu")
    _, test = extract(encoder, TRAIN, TEST, "cpu")
    assert all(np.array_equal(latents[name], test[name]) for name in ("features", "labels", "index"))
    assert latents.header == test.header


def test_unlabeled_images_have_no_features_by_default(encoder):
    latents = extract_unlabeled(encoder, TEST, unlabeled=False, device="cpu")
    assert {name: latents[name].shape for name in ("features", "labels", "index")} == {
        "features": (0, 96),
        "labels": (0,),
        "index": (0,),
    }
    check_same_encoder(encoder, latents)


@pytest.mark.parametrize(("count", "lines"), [(7, 1), (0, 0)])
def test_the_parameter_for_unlabeled_features_is_logged(encoder, caplog, count, lines):
    caplog.set_level("INFO")
    extract_unlabeled(encoder, split("unlabeled", count), unlabeled=False, device="cpu")
    assert sum("pair_model.unlabeled=true" in message for message in caplog.messages) == lines


def test_the_untrained_reference_does_not_depend_on_the_weights(encoder):
    other = Tensors(to_arrays(moved(untrained_encoder(HEADER), seed=1)), encoder.header)
    one, two = (references_of(e) for e in (encoder, other))
    assert all(np.array_equal(one[name], two[name]) for name in one.keys())  # noqa: SIM118  # Tensors is no dict


def test_the_untrained_reference_has_both_splits(encoder):
    references = references_of(encoder)
    assert {name: references[name].shape for name in references.keys()} == {  # noqa: SIM118  # Tensors is no dict
        "untrained.train.features": (9, 96),
        "untrained.train.labels": (9,),
        "untrained.test.features": (7, 96),
        "untrained.test.labels": (7,),
    }
    assert np.array_equal(references["untrained.test.labels"], TEST.labels)


def test_a_file_that_is_no_encoder_is_refused(encoder):
    with pytest.raises(UserError, match="the encoder's header lacks architecture"):
        extract(Tensors(encoder.arrays, {"version": "v", "fingerprint": "f"}), TRAIN, TEST, "cpu")


def test_a_missing_device_is_refused(encoder, monkeypatch):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    with pytest.raises(UserError, match="cuda is not available"):
        extract(encoder, TRAIN, TEST, "cuda")
