"""Folds: each is learned from alone, and all test images judge it."""

import json
from dataclasses import replace

import numpy as np
import pytest

from byol_kedro.evaluation.probes.base import PROBES
from byol_kedro.evaluation.probes.folds import fold_rows
from byol_kedro.evaluation.probes.run import evaluate
from tests.support.probe_problems import PROBE_PARAMS, probe_data

FOLDS = [np.arange(0, 60), np.arange(60, 120), np.arange(30, 90)]


def rows(this=None, folds=FOLDS, protocols=("knn", "logistic")):
    return fold_rows(this or probe_data(), folds, protocols, PROBE_PARAMS, 0)


def alone(fold, protocol, this=None):
    """Top-1 of a run in which the training images are those of the fold."""
    this = this or probe_data()
    part = replace(this, train_x=this.train_x[fold], train_y=this.train_y[fold])
    return evaluate(part, (protocol,), PROBE_PARAMS, 0).rows[0]["top1"]


@pytest.mark.parametrize("protocol", PROBES)
def test_a_fold_gives_what_its_images_alone_give(protocol):
    found = rows(protocols=(protocol,))[0]["top1"]
    assert found == pytest.approx([alone(fold, protocol) for fold in FOLDS], abs=1e-9)


def test_mean_and_deviation_are_over_the_folds():
    row = rows()[0]
    assert (row["mean"], row["std"]) == pytest.approx((np.mean(row["top1"]), np.std(row["top1"], ddof=1)))


def test_a_row_says_what_it_is_of():
    row = rows()[1]
    facts = {key: row[key] for key in ("features", "classifier", "protocol", "n", "n_train", "n_test")}
    assert facts == {
        "features": "BYOL", "classifier": "logistic regression", "protocol": "logistic",
        "n": 3, "n_train": 60, "n_test": 50,
    }  # fmt: skip


def test_images_of_a_fold_without_a_label_teach_nothing():
    some = probe_data().train_y.copy()
    some[:30] = -1
    this = probe_data(train_y=some)
    assert rows(this, FOLDS[:1])[0]["top1"] == [alone(np.arange(30, 60), "knn", this)]


def test_rows_are_plain_json():
    assert json.loads(json.dumps(rows())) == rows()


@pytest.mark.parametrize(
    ("changes", "folds"), [({}, []), ({"test_y": np.full(50, -1)}, FOLDS), ({"train_y": np.full(120, -1)}, FOLDS)]
)
def test_without_folds_or_labels_there_are_no_rows(changes, folds):
    assert rows(probe_data(**changes), folds) == []
