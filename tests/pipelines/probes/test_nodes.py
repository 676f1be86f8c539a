"""The node that fits the probes: outputs and refused inputs."""

import json
from dataclasses import replace

import numpy as np
import pytest

from byol_kedro.datasets.tensors import Tensors
from byol_kedro.errors import UserError
from byol_kedro.evaluation.probes.base import PROBES
from byol_kedro.pipelines.probes import create_pipeline
from byol_kedro.pipelines.probes.nodes import fit_probes
from tests.support.evaluation_inputs import ENCODER, PROBE_PARAMS, images, latents


def run(encoder=ENCODER, train=None, test=None, images_test=None):
    train, test = train or latents("train"), test or latents("test")
    return fit_probes(encoder, train, test, images_test or images("test"), PROBE_PARAMS, 0)


def test_metrics_are_json_with_a_row_per_probe():
    metrics, *_ = run()
    rows = json.loads(json.dumps(metrics))["rows"]
    assert [(row["features"], row["protocol"]) for row in rows] == [
        ("BYOL", "knn"),
        ("BYOL", "knn_weighted"),
        ("BYOL", "linear_adam"),
        ("BYOL", "linear_sgd"),
        ("BYOL", "logistic"),
        ("BYOL", "mlp"),
    ]


def test_metrics_name_the_encoder_and_the_test_images():
    metrics = run()[0]
    assert (metrics["encoder_version"], metrics["data_fingerprint"]) == ("v1", "test-images")


def test_header_has_encoder_training_images_and_classes():
    assert run()[2].header == {
        "encoder_version": "v1",
        "encoder_fingerprint": "e1",
        "data_fingerprint": "train-images",
        "class_names": '["cat", "dog", "fox"]',
    }


def test_every_probe_with_arrays_is_saved():
    expected = [f"{name}.{array}" for name, probe in PROBES.items() for array in probe.arrays]
    assert sorted(run()[2].arrays) == sorted(expected)


def test_saved_arrays_give_the_confidences_in_the_predictions():
    _, predictions, saved = run()
    for name, probe in PROBES.items():
        if probe.arrays:
            arrays = {array: saved[f"{name}.{array}"] for array in probe.arrays}
            found = probe.predict(latents("test")["features"], arrays).max(axis=1)
            np.testing.assert_array_equal(found, predictions.query("protocol == @name")["confidence"])


def test_predictions_name_images_by_index():
    test = latents("test")
    backwards = Tensors({name: array[::-1] for name, array in test.arrays.items()}, test.header)
    predictions = run(test=backwards)[1]
    assert predictions["name"].tolist()[:2] == ["test/29", "test/28"]


@pytest.mark.parametrize("split", ["train", "test"])
def test_latents_of_another_encoder_are_refused(split):
    other = latents(split)
    other.header["encoder_fingerprint"] = "e2"
    with pytest.raises(UserError, match="extract"):
        run(**{split: other})


def test_latents_of_other_images_are_refused():
    with pytest.raises(UserError, match=r"other-finge.*run the pipeline extract again"):
        run(images_test=replace(images("test"), fingerprint="other-fingerprint"))


def test_without_labels_all_outputs_are_empty():
    nothing = latents("test")
    nothing = Tensors(nothing.arrays | {"labels": np.full(30, -1)}, nothing.header)
    metrics, predictions, saved = run(test=nothing)
    assert (metrics["rows"], len(predictions), dict(saved.arrays)) == ([], 0, {})


def test_outputs_of_the_pipeline():
    assert create_pipeline().outputs() == {
        "probe_metrics",
        "probe_predictions",
        "probes",
        "fold_metrics",
        "few_label_metrics",
        "quality_metrics",
    }
