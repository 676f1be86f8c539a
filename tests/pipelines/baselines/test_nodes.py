"""The node that evaluates the baselines: outputs and refused inputs."""

import json
from dataclasses import replace

import numpy as np
import pytest

from byol_kedro.errors import UserError
from byol_kedro.parameters import Baselines
from byol_kedro.pipelines.baselines import create_pipeline
from byol_kedro.pipelines.baselines.nodes import evaluate_baselines
from tests.support.evaluation_inputs import ENCODER, PROBE_PARAMS, images, reference_latents


def run(references=None, train=None, test=None, components=5):
    return evaluate_baselines(
        ENCODER,
        references or reference_latents(),
        train or images("train"),
        test or images("test"),
        Baselines(pca_components=components, supervised=False),
        PROBE_PARAMS,
        0,
    )


def test_metrics_have_two_probes_for_pixels_and_all_for_networks():
    rows = json.loads(json.dumps(run()[0]))["rows"]
    assert [(row["features"], row["protocol"]) for row in rows] == [
        ("pixels, PCA 5", "logistic"),
        ("pixels, PCA 5", "knn"),
        ("untrained network", "knn"),
        ("untrained network", "knn_weighted"),
        ("untrained network", "linear_adam"),
        ("untrained network", "linear_sgd"),
        ("untrained network", "logistic"),
        ("untrained network", "mlp"),
    ]


def test_rows_of_a_reference_have_the_columns_of_its_header():
    given = reference_latents()
    arrays = {f"mine{name.removeprefix('untrained')}": array for name, array in given.arrays.items()}
    about = json.loads(given.header["references"])
    about["mine"] = {"features": "mine (resnet18)", "facts": {"architecture": "resnet18", "seed": 7}}
    header = given.header | {"references": json.dumps(about)}
    rows = run(references=replace(given, arrays=given.arrays | arrays, header=header))[0]["rows"]
    mine = [row for row in rows if row["features"] == "mine (resnet18)"]
    assert [(row["architecture"], row["seed"]) for row in mine] == 6 * [("resnet18", 7)]
    assert all("architecture" not in row for row in rows if row not in mine)


def test_row_has_the_actual_number_of_components():
    row = run(components=256)[0]["rows"][0]
    assert (row["features"], row["dim"]) == ("pixels, PCA 48", 48)


def test_metrics_name_the_encoder_and_the_test_images():
    metrics = run()[0]
    assert (metrics["encoder_version"], metrics["data_fingerprint"]) == ("v1", "test-images")


def test_there_is_a_prediction_for_each_row_and_test_image():
    assert len(run()[1]) == 8 * 30


def test_pixels_are_classified_by_brightness():
    assert run()[0]["rows"][0]["top1"] > 0.9


def test_components_are_fitted_to_training_images():
    other = replace(images("test"), pixels=255 - images("test").pixels)
    np.testing.assert_array_equal(run(test=other)[2]["components"], run()[2]["components"])


def test_components_have_the_fingerprint_of_their_images():
    assert run()[2].header == {"data": "photos", "data_fingerprint": "train-images"}


def test_features_of_another_encoder_are_refused():
    other = reference_latents()
    other.header["encoder_version"] = "v0"
    with pytest.raises(UserError, match="v0 do not match encoder v1"):
        run(references=other)


def test_features_of_other_images_are_refused():
    with pytest.raises(UserError, match="run the pipeline extract again"):
        run(train=replace(images("train"), fingerprint="other"))


def test_without_labels_there_are_components_and_no_rows():
    unknown = reference_latents()
    arrays = unknown.arrays | {"untrained.train.labels": np.full(60, -1)}
    train = replace(images("train"), labels=np.full(60, -1))
    metrics, predictions, pca = run(references=replace(unknown, arrays=arrays), train=train)
    assert (metrics["rows"], len(predictions), sorted(pca.keys())) == (
        [],
        0,
        ["components", "explained_variance", "mean"],
    )


def test_outputs_of_the_pipeline():
    assert create_pipeline().outputs() == {"baseline_metrics", "baseline_predictions", "pca"}
