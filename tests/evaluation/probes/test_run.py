"""Evaluation of all probes: test images affect no fit, unlabeled images are left out."""

import logging
from dataclasses import replace

import numpy as np
import pytest

from byol_kedro.evaluation.metrics import PREDICTION_TYPES, percent, top1
from byol_kedro.evaluation.probes.base import PROBES
from byol_kedro.evaluation.probes.run import evaluate
from tests.support.probe_problems import PROBE_PARAMS, blobs, probe_data


def fitted(evaluation):
    """Everything that was fitted or chosen."""
    return {
        protocol: (fit.chosen, {name: array.tobytes() for name, array in fit.arrays.items()})
        for protocol, fit in evaluation.results.items()
    }


def run(data, names=tuple(PROBES)):
    return evaluate(data, names, PROBE_PARAMS, 0)


def test_test_labels_do_not_affect_the_fit():
    shuffled = np.random.default_rng(0).permutation(probe_data().test_y)
    assert fitted(run(probe_data())) == fitted(run(probe_data(test_y=shuffled)))


def test_test_features_do_not_affect_the_fit():
    shifted = 3 * probe_data().test_x + 100
    assert fitted(run(probe_data())) == fitted(run(probe_data(test_x=shifted)))


def test_probabilities_do_not_depend_on_other_test_images():
    others = probe_data().test_x.copy()
    others[1:] = 5 * others[1:] + 100
    first = {protocol: fit.probabilities[0] for protocol, fit in run(probe_data()).results.items()}
    again = {protocol: fit.probabilities[0] for protocol, fit in run(probe_data(test_x=others)).results.items()}
    for protocol in PROBES:
        np.testing.assert_allclose(again[protocol], first[protocol], atol=1e-5)


def test_rows_are_in_the_order_of_the_names():
    rows = run(probe_data(), ("logistic", "knn")).rows
    assert [(row["classifier"], row["protocol"]) for row in rows] == [
        ("logistic regression", "logistic"),
        ("kNN", "knn"),
    ]


def test_rows_agree_with_the_predictions():
    evaluation = run(probe_data())
    right = evaluation.predictions.eval("truth == guess").groupby(evaluation.predictions["protocol"]).mean()
    assert {row["protocol"]: row["top1"] for row in evaluation.rows} == pytest.approx(right.to_dict())


def test_unlabeled_test_images_are_left_out():
    test_y = np.where(np.arange(50) % 3 == 0, -1, probe_data().test_y)
    evaluation = run(probe_data(test_y=test_y), ("knn",))
    assert evaluation.predictions["index"].tolist() == [i for i in range(50) if i % 3]
    assert evaluation.rows[0]["n"] == len(evaluation.predictions)


def test_predictions_have_the_names_of_the_images():
    test_y = np.where(np.arange(50) % 3 == 0, -1, probe_data().test_y)
    predictions = run(probe_data(test_y=test_y), ("knn",)).predictions
    assert predictions["name"].tolist() == [f"test/{i:03}" for i in predictions["index"]]


def test_unlabeled_training_images_are_ignored():
    some = probe_data().train_y.copy()
    some[::2] = -1
    fewer = probe_data(train_x=probe_data().train_x[1::2], train_y=probe_data().train_y[1::2])
    assert fitted(run(probe_data(train_y=some))) == fitted(run(fewer))


def test_every_probe_solves_an_easy_problem():
    data = blobs(200, 100, spread=0.3)
    easy = probe_data(train_x=data.train_x, train_y=data.train_y, test_x=data.test_x, test_y=data.test_y)
    easy = replace(easy, index=np.arange(100), names=[str(i) for i in range(100)])
    fits = run(easy).results
    assert (
        min(top1(fits[name].probabilities, data.test_y) for name in ("linear_adam", "linear_sgd", "logistic", "mlp"))
        > 0.95
    )


def test_top1_is_logged_on_one_line_per_probe(caplog):
    with caplog.at_level(logging.INFO):
        rows = run(probe_data(), ("knn", "linear_adam")).rows
    assert [record.getMessage() for record in caplog.records] == [
        f"BYOL + kNN (knn): {percent(rows[0]['top1'])} %",
        f"BYOL + logistic regression (linear_adam): {percent(rows[1]['top1'])} %",
    ]


NOTHING_KNOWN = {
    "no training labels": {"train_y": np.full(120, -1)},
    "no test labels": {"test_y": np.full(50, -1)},
    "one class": {"train_y": np.zeros(120, np.int64)},
}


@pytest.mark.parametrize("changes", NOTHING_KNOWN.values(), ids=NOTHING_KNOWN.keys())
def test_without_labels_there_are_no_results(changes):
    evaluation = run(probe_data(**changes))
    assert (evaluation.rows, evaluation.results) == ([], {})


def test_empty_predictions_have_all_columns_and_types():
    predictions = run(probe_data(test_y=np.full(50, -1))).predictions
    assert len(predictions) == 0
    assert {name: str(kind) for name, kind in predictions.dtypes.items()} == PREDICTION_TYPES
