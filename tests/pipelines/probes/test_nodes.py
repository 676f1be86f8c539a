"""The node probes: what it saves and what it refuses."""

import json
from dataclasses import replace

import numpy as np
import pytest

from byol_kedro.datasets.tensors import Tensors
from byol_kedro.errors import UserError
from byol_kedro.evaluation.probes.linear import linear_probabilities
from byol_kedro.evaluation.probes.mlp import mlp_probabilities
from byol_kedro.pipelines.probes import create_pipeline
from byol_kedro.pipelines.probes.nodes import probes
from tests.support.evaluation_inputs import ENCODER, PROBES, images, latents


def run(encoder=ENCODER, train=None, test=None, images_test=None):
    train, test = train or latents("train"), test or latents("test")
    return probes(encoder, train, test, images_test or images("test"), PROBES, 0)


def test_metrics_hold_a_row_for_each_protocol_and_are_json():
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


@pytest.mark.parametrize("output", [2, 3, 4], ids=["linear_adam", "logistic", "mlp"])
def test_saved_weights_name_the_encoder_the_training_images_and_the_classes(output):
    assert run()[output].header == {
        "encoder_version": "v1",
        "encoder_fingerprint": "e1",
        "data_fingerprint": "train-images",
        "class_names": '["cat", "dog", "fox"]',
    }


@pytest.mark.parametrize(
    ("output", "protocol", "use"),
    [
        (2, "linear_adam", linear_probabilities),
        (3, "logistic", linear_probabilities),
        (4, "mlp", mlp_probabilities),
    ],
)
def test_saved_weights_give_the_confidences_of_their_protocol(output, protocol, use):
    outputs = run()
    expected = outputs[1].query("protocol == @protocol")["confidence"]
    again = use(latents("test")["features"], outputs[output].arrays).max(axis=1)
    np.testing.assert_allclose(again, expected, rtol=1e-6)


def test_predictions_name_the_images_by_their_index():
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


def test_without_labels_everything_is_there_and_empty():
    nothing = latents("test")
    nothing = Tensors(nothing.arrays | {"labels": np.full(30, -1)}, nothing.header)
    metrics, predictions, *weights = run(test=nothing)
    assert (metrics["rows"], len(predictions), [dict(w.arrays) for w in weights]) == ([], 0, [{}, {}, {}])


def test_the_pipeline_writes_what_the_report_reads():
    assert create_pipeline().outputs() == {
        "probe_metrics",
        "probe_predictions",
        "probe_published",
        "probe_logistic",
        "probe_mlp",
        "fold_metrics",
        "few_label_metrics",
        "quality_metrics",
    }
