"""Few-label evaluation: draws, features, rows."""

import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import normalize

from byol_kedro.evaluation.probes.few_labels import draw_labels, few_label_rows
from byol_kedro.parameters import FewLabels
from tests.support.probe_problems import blobs, probe_data

PARAMS = FewLabels(counts=[1, 5, 10], draws=4, c=1.0)


def rows(data=None, params=PARAMS, seed=0):
    return few_label_rows(data or probe_data(), params, seed)


@given(st.integers(0, 1000), st.integers(1, 12))
def test_draw_is_balanced_and_limited_by_the_class(seed, count):
    y = np.repeat([0, 2, 3], [20, 4, 9])
    drawn = draw_labels(y, count, (seed, 0))
    assert np.bincount(y[drawn], minlength=4).tolist() == [min(count, n) for n in (20, 0, 4, 9)]


def test_draw_is_without_replacement():
    drawn = draw_labels(np.arange(100) % 4, 20, (0, 0))
    assert len(np.unique(drawn)) == 80


def test_smaller_draw_is_a_subset_of_a_larger_one():
    y = np.arange(100) % 4
    assert set(draw_labels(y, 3, (7, 1))) < set(draw_labels(y, 9, (7, 1)))


@pytest.mark.parametrize("other", [(8, 1), (7, 2)], ids=["seed", "draw"])
def test_seed_and_draw_select_the_images(other):
    y = np.arange(100) % 4
    assert not np.array_equal(draw_labels(y, 3, (7, 1)), draw_labels(y, 3, other))


def test_rows_are_all_counts_and_all_labels():
    assert [(row["per_class"], row["labels"], row["whole"], row["n"]) for row in rows()] == [
        (1, 4, False, 4), (5, 20, False, 4), (10, 40, False, 4), (30, 120, True, 1),
    ]  # fmt: skip


def test_counts_above_all_labels_are_one_row():
    assert [row["whole"] for row in rows(params=FewLabels(counts=[5, 30, 100], draws=2, c=1.0))] == [False, True]


def test_top1_agrees_with_scikit_learn_on_centered_unit_features():
    data = probe_data()
    mean = data.train_x.astype(float).mean(axis=0)
    train, test = normalize(data.train_x - mean), normalize(data.test_x - mean)
    drawn = draw_labels(data.train_y, 5, (3, 2))
    model = LogisticRegression(C=1.0, tol=1e-8, max_iter=5000).fit(train[drawn], data.train_y[drawn])
    assert rows(seed=3)[1]["top1"][2] == pytest.approx(model.score(test, data.test_y), abs=0.021)  # one image


def test_mean_includes_unlabeled_images():
    """Relative to their own mean the two classes are in opposite directions, relative to a distant mean in one."""
    x, y = np.repeat([[1.0], [2.0]], 10, axis=0).astype(np.float32), np.repeat([0, 1], 10)
    known = probe_data(train_x=x, train_y=y, test_x=x, test_y=y, index=np.arange(20))
    afar = np.full((1000, 1), -100, np.float32)
    more = replace(known, train_x=np.concatenate([x, afar]), train_y=np.concatenate([y, np.full(1000, -1)]))
    assert [rows(data)[-1]["top1"] for data in (known, more)] == [[1.0], [0.5]]


def test_mean_and_deviation_are_over_the_draws():
    row = rows()[0]
    assert (row["mean"], row["std"]) == pytest.approx((np.mean(row["top1"]), np.std(row["top1"], ddof=1)))


def test_draws_of_a_row_differ():
    assert len(set(rows()[0]["top1"])) > 1


def test_length_of_test_features_does_not_matter():
    some = probe_data(
        train_y=np.where(np.arange(120) < 70, 0, probe_data().train_y)
    )  # classes of unlike size have offsets
    mean = some.train_x.astype(float).mean(axis=0)
    short = replace(some, test_x=(mean + 0.05 * (some.test_x - mean)).astype(np.float32))
    assert rows(short)[-1]["top1"] == rows(some)[-1]["top1"]


def test_one_draw_has_no_deviation():
    assert rows()[-1]["std"] == 0


def test_more_labels_help():
    data = blobs(400, 400, spread=1.5, decades=0)
    data = probe_data(train_x=data.train_x, train_y=data.train_y, test_x=data.test_x, test_y=data.test_y)
    found = [row["mean"] for row in rows(replace(data, index=np.arange(400)))]
    assert found == sorted(found)
    assert found[-1] > found[0] + 0.1


def test_test_images_do_not_affect_the_fit():
    more = probe_data()
    doubled = replace(more, test_x=np.concatenate([more.test_x, more.test_x + 50]), test_y=np.tile(more.test_y, 2),
                      index=np.arange(100))  # fmt: skip
    shifted = replace(more, test_x=more.test_x + 50)
    both = [row["mean"] for row in rows(doubled)]
    halves = [[row["mean"] for row in rows(half)] for half in (more, shifted)]
    assert both == pytest.approx(np.mean(halves, axis=0))


def test_rows_are_json():
    assert json.loads(json.dumps(rows())) == rows()


@pytest.mark.parametrize("changes", [{"test_y": np.full(50, -1)}, {"train_y": np.full(120, -1)}])
def test_without_labels_there_are_no_rows(changes):
    assert rows(probe_data(**changes)) == []
