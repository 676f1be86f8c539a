"""The nodes for folds, few labels and quality measures."""

import json
from dataclasses import replace

import numpy as np
import pytest

from byol_kedro.datasets.tensors import Tensors
from byol_kedro.errors import UserError
from byol_kedro.evaluation.pca import fit_pca
from byol_kedro.evaluation.representation import effective_rank
from byol_kedro.pipelines.probes.nodes import evaluate_folds_and_few_labels, measure_quality
from tests.support.evaluation_inputs import ENCODER, PROBE_PARAMS, images, latents, reference_latents

FOLDS = [np.arange(0, 30), np.arange(30, 60)]


def pca(fingerprint="train-images"):
    return Tensors(fit_pca(images("train").pixels, 5, 0), {"data": "photos", "data_fingerprint": fingerprint})


def run(folds=FOLDS, **changes):
    inputs = {
        "latents_train": latents("train"),
        "latents_test": latents("test"),
        "reference_latents": reference_latents(),
        "pca": pca(),
        "images_train": replace(images("train"), folds=folds),
        "images_test": images("test"),
    } | changes
    return evaluate_folds_and_few_labels(ENCODER, *inputs.values(), PROBE_PARAMS, 0)


def test_folds_have_all_probes_for_networks_and_two_for_pixels():
    folds, _ = run()
    counts = {}
    for row in folds["rows"]:
        counts.setdefault(row["features"], []).append(row["protocol"])
    features = ["knn", "knn_weighted", "linear_adam", "linear_sgd", "logistic", "mlp"]
    assert counts == {"BYOL": features, "untrained network": features, "pixels, PCA 5": ["logistic", "knn"]}


def test_few_labels_cover_all_features():
    _, few = run()
    assert list(dict.fromkeys(row["features"] for row in few["rows"])) == ["BYOL", "untrained network", "pixels, PCA 5"]


def test_without_folds_there_are_few_label_rows_only():
    folds, few = run(folds=[])
    assert (folds["rows"], len(few["rows"])) == ([], 9)


def test_folds_refer_to_images_not_to_rows_of_latents():
    train = latents("train")
    backwards = Tensors({name: array[::-1] for name, array in train.arrays.items()}, train.header)
    first = [FOLDS[0][:20]]
    knn = [run(first, latents_train=each)[0]["rows"][0]["top1"] for each in (train, backwards)]
    assert knn[0] == knn[1]


@pytest.mark.parametrize("output", [0, 1])
def test_metrics_are_json_with_encoder_and_data(output):
    metrics = json.loads(json.dumps(run()[output]))
    found = metrics["encoder_version"], metrics["data"], metrics["data_fingerprint"]
    assert found == ("v1", "photos", "test-images")


@pytest.mark.parametrize("name", ["latents_train", "latents_test", "reference_latents"])
def test_features_of_another_encoder_are_refused(name):
    right = {
        "latents_train": latents("train"),
        "latents_test": latents("test"),
        "reference_latents": reference_latents(),
    }
    other = replace(right[name], header=right[name].header | {"encoder_version": "v0"})
    with pytest.raises(UserError, match="v0 do not match encoder v1"):
        run(**{name: other})


@pytest.mark.parametrize("name", ["images_train", "images_test"])
def test_features_of_other_images_are_refused(name):
    other = replace(images("train" if name == "images_train" else "test"), fingerprint="other")
    with pytest.raises(UserError, match="run the pipeline extract again"):
        run(**{name: other})


def test_components_of_other_images_are_refused():
    with pytest.raises(UserError, match="do not match the photos images"):
        run(pca=pca("other-images"))


def test_quality_measures_the_test_features():
    rows = measure_quality(ENCODER, latents("test"), reference_latents(), images("test"), 0, "cpu")["rows"]
    expected = effective_rank(latents("test")["features"])
    assert [(row["features"], row["effective_rank"]) for row in rows] == [
        ("BYOL", expected),
        ("untrained network", expected),
    ]


def test_quality_needs_no_labels():
    unknown = latents("test").arrays | {"labels": np.full(30, -1)}
    nameless = replace(latents("test"), arrays=unknown)
    metrics = measure_quality(ENCODER, nameless, reference_latents(), images("test"), 0, "cpu")
    assert len(metrics["rows"]) == 2


def test_quality_of_another_encoder_is_refused():
    other = replace(latents("test"), header=latents("test").header | {"encoder_version": "v0"})
    with pytest.raises(UserError, match="v0 do not match encoder v1"):
        measure_quality(ENCODER, other, reference_latents(), images("test"), 0, "cpu")
