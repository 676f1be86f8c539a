"""All classifiers over one set of features: what is left out, and that test decides nothing."""

import logging
from dataclasses import replace

import numpy as np
import pytest

from byol_kedro.evaluation.metrics import PREDICTION_TYPES, percent, top1
from byol_kedro.evaluation.probes.run import CLASSIFIERS, classify
from tests.support.probe_problems import PROBES, blobs, problem


def decided(outcome):
    """All that was fitted or chosen, as bytes."""
    return {
        protocol: (fit.chosen, {name: array.tobytes() for name, array in fit.weights.items()})
        for protocol, fit in outcome.fits.items()
    }


def run(this, protocols=tuple(CLASSIFIERS)):
    return classify(this, protocols, PROBES, 0)


def test_other_test_labels_change_neither_weights_nor_what_is_chosen():
    shuffled = np.random.default_rng(0).permutation(problem().test_y)
    assert decided(run(problem())) == decided(run(problem(test_y=shuffled)))


def test_shifted_test_features_change_neither_weights_nor_what_is_chosen():
    shifted = 3 * problem().test_x + 100
    assert decided(run(problem())) == decided(run(problem(test_x=shifted)))


def test_the_probability_of_a_image_does_not_depend_on_the_other_test_images():
    others = problem().test_x.copy()
    others[1:] = 5 * others[1:] + 100
    first = {protocol: fit.probabilities[0] for protocol, fit in run(problem()).fits.items()}
    again = {protocol: fit.probabilities[0] for protocol, fit in run(problem(test_x=others)).fits.items()}
    for protocol in CLASSIFIERS:
        np.testing.assert_allclose(again[protocol], first[protocol], atol=1e-5)


def test_there_is_one_row_for_each_protocol_in_order():
    rows = run(problem(), ("logistic", "knn")).rows
    assert [(row["classifier"], row["protocol"]) for row in rows] == [
        ("logistic regression", "logistic"),
        ("kNN", "knn"),
    ]


def test_the_rows_agree_with_the_predictions():
    outcome = run(problem())
    right = outcome.predictions.eval("truth == guess").groupby(outcome.predictions["protocol"]).mean()
    assert {row["protocol"]: row["top1"] for row in outcome.rows} == pytest.approx(right.to_dict())


def test_test_images_without_a_label_are_in_no_table():
    test_y = np.where(np.arange(50) % 3 == 0, -1, problem().test_y)
    outcome = run(problem(test_y=test_y), ("knn",))
    assert outcome.predictions["index"].tolist() == [i for i in range(50) if i % 3]
    assert outcome.rows[0]["n"] == len(outcome.predictions)


def test_a_line_of_the_predictions_names_its_image():
    test_y = np.where(np.arange(50) % 3 == 0, -1, problem().test_y)
    predictions = run(problem(test_y=test_y), ("knn",)).predictions
    assert predictions["name"].tolist() == [f"test/{i:03}" for i in predictions["index"]]


def test_training_images_without_a_label_teach_nothing():
    some = problem().train_y.copy()
    some[::2] = -1
    fewer = problem(train_x=problem().train_x[1::2], train_y=problem().train_y[1::2])
    assert decided(run(problem(train_y=some))) == decided(run(fewer))


def test_every_classifier_learns_an_easy_problem():
    data = blobs(200, 100, spread=0.3)
    easy = problem(train_x=data.train_x, train_y=data.train_y, test_x=data.test_x, test_y=data.test_y)
    easy = replace(easy, index=np.arange(100), names=[str(i) for i in range(100)])
    fits = run(easy).fits
    assert (
        min(top1(fits[name].probabilities, data.test_y) for name in ("linear_adam", "linear_sgd", "logistic", "mlp"))
        > 0.95
    )


def test_each_classifier_says_its_top1_in_one_line(caplog):
    with caplog.at_level(logging.INFO):
        rows = run(problem(), ("knn", "linear_adam")).rows
    assert [record.getMessage() for record in caplog.records] == [
        f"BYOL + kNN (knn): {percent(rows[0]['top1'])} %",
        f"BYOL + logistic regression (published): {percent(rows[1]['top1'])} %",
    ]


NOTHING_KNOWN = {
    "no training labels": {"train_y": np.full(120, -1)},
    "no test labels": {"test_y": np.full(50, -1)},
    "one class": {"train_y": np.zeros(120, np.int64)},
}


@pytest.mark.parametrize("changes", NOTHING_KNOWN.values(), ids=NOTHING_KNOWN.keys())
def test_without_labels_there_are_no_rows_and_no_fits(changes):
    outcome = run(problem(**changes))
    assert (outcome.rows, outcome.fits) == ([], {})


def test_without_labels_the_empty_table_has_every_column_with_its_type():
    predictions = run(problem(test_y=np.full(50, -1))).predictions
    assert len(predictions) == 0
    assert {name: str(kind) for name, kind in predictions.dtypes.items()} == PREDICTION_TYPES
