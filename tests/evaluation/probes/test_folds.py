"""Folds: a probe is fitted to each fold top1_of_fold and evaluated on all test images."""

import json
from dataclasses import replace

import numpy as np
import pytest

from byol_kedro.evaluation.probes.base import PROBES
from byol_kedro.evaluation.probes.folds import fold_rows
from byol_kedro.evaluation.probes.run import evaluate
from tests.support.probe_problems import PROBE_PARAMS, probe_data

FOLDS = [np.arange(0, 60), np.arange(60, 120), np.arange(30, 90)]


def rows(data=None, folds=FOLDS, names=("knn", "logistic")):
    return fold_rows(data or probe_data(), folds, names, PROBE_PARAMS, 0)


def top1_of_fold(fold, name, data=None):
    """Top-1 with the images of the fold as training images."""
    data = data or probe_data()
    part = replace(data, train_x=data.train_x[fold], train_y=data.train_y[fold])
    return evaluate(part, (name,), PROBE_PARAMS, 0).rows[0]["top1"]


@pytest.mark.parametrize("name", PROBES)
def test_fold_gives_the_same_as_its_images_alone(name):
    found = rows(names=(name,))[0]["top1"]
    assert found == pytest.approx([top1_of_fold(fold, name) for fold in FOLDS], abs=1e-9)


def test_mean_and_deviation_are_over_the_folds():
    row = rows()[0]
    assert (row["mean"], row["std"]) == pytest.approx((np.mean(row["top1"]), np.std(row["top1"], ddof=1)))


def test_row_has_its_keys():
    row = rows()[1]
    facts = {key: row[key] for key in ("features", "classifier", "protocol", "n", "n_train", "n_test")}
    assert facts == {
        "features": "BYOL", "classifier": "logistic regression", "protocol": "logistic",
        "n": 3, "n_train": 60, "n_test": 50,
    }  # fmt: skip


def test_unlabeled_images_of_a_fold_are_ignored():
    some = probe_data().train_y.copy()
    some[:30] = -1
    data = probe_data(train_y=some)
    assert rows(data, FOLDS[:1])[0]["top1"] == [top1_of_fold(np.arange(30, 60), "knn", data)]


def test_rows_are_json():
    assert json.loads(json.dumps(rows())) == rows()


@pytest.mark.parametrize(
    ("changes", "folds"), [({}, []), ({"test_y": np.full(50, -1)}, FOLDS), ({"train_y": np.full(120, -1)}, FOLDS)]
)
def test_without_folds_or_labels_there_are_no_rows(changes, folds):
    assert rows(probe_data(**changes), folds) == []
