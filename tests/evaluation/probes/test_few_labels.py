"""Few-label curves: what is drawn, what is learned from it, and that labels help."""

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


def rows(this=None, params=PARAMS, seed=0):
    return few_label_rows(this or probe_data(), params, seed)


@given(st.integers(0, 1000), st.integers(1, 12))
def test_a_draw_has_the_same_number_of_each_class_and_all_of_a_smaller_one(seed, count):
    y = np.repeat([0, 2, 3], [20, 4, 9])
    drawn = draw_labels(y, count, (seed, 0))
    assert np.bincount(y[drawn], minlength=4).tolist() == [min(count, n) for n in (20, 0, 4, 9)]


def test_no_image_is_drawn_twice():
    drawn = draw_labels(np.arange(100) % 4, 20, (0, 0))
    assert len(np.unique(drawn)) == 80


def test_a_larger_draw_holds_the_smaller_one():
    y = np.arange(100) % 4
    assert set(draw_labels(y, 3, (7, 1))) < set(draw_labels(y, 9, (7, 1)))


@pytest.mark.parametrize("other", [(8, 1), (7, 2)], ids=["seed", "draw"])
def test_another_draw_is_of_other_images(other):
    y = np.arange(100) % 4
    assert not np.array_equal(draw_labels(y, 3, (7, 1)), draw_labels(y, 3, other))


def test_there_is_a_row_for_each_count_and_one_for_all_labels():
    assert [(row["per_class"], row["labels"], row["whole"], row["n"]) for row in rows()] == [
        (1, 4, False, 4), (5, 20, False, 4), (10, 40, False, 4), (30, 120, True, 1),
    ]  # fmt: skip


def test_counts_of_all_labels_and_more_are_one_row():
    assert [row["whole"] for row in rows(params=FewLabels(counts=[5, 30, 100], draws=2, c=1.0))] == [False, True]


def test_top1_is_that_of_scikit_learn_on_centered_features_of_length_one():
    this = probe_data()
    mean = this.train_x.astype(float).mean(axis=0)
    train, test = normalize(this.train_x - mean), normalize(this.test_x - mean)
    drawn = draw_labels(this.train_y, 5, (3, 2))
    model = LogisticRegression(C=1.0, tol=1e-8, max_iter=5000).fit(train[drawn], this.train_y[drawn])
    assert rows(seed=3)[1]["top1"][2] == pytest.approx(model.score(test, this.test_y), abs=0.021)  # one image


def test_train_images_without_a_label_count_in_the_mean():
    """Seen from their own middle the two classes lie opposite each other, seen from afar in one direction."""
    x, y = np.repeat([[1.0], [2.0]], 10, axis=0).astype(np.float32), np.repeat([0, 1], 10)
    known = probe_data(train_x=x, train_y=y, test_x=x, test_y=y, index=np.arange(20))
    afar = np.full((1000, 1), -100, np.float32)
    more = replace(known, train_x=np.concatenate([x, afar]), train_y=np.concatenate([y, np.full(1000, -1)]))
    assert [rows(this)[-1]["top1"] for this in (known, more)] == [[1.0], [0.5]]


def test_mean_and_deviation_are_over_the_draws():
    row = rows()[0]
    assert (row["mean"], row["std"]) == pytest.approx((np.mean(row["top1"]), np.std(row["top1"], ddof=1)))


def test_draws_of_a_row_are_of_different_images():
    assert len(set(rows()[0]["top1"])) > 1


def test_the_length_of_a_test_images_features_does_not_matter():
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
    this = probe_data(train_x=data.train_x, train_y=data.train_y, test_x=data.test_x, test_y=data.test_y)
    found = [row["mean"] for row in rows(replace(this, index=np.arange(400)))]
    assert found == sorted(found)
    assert found[-1] > found[0] + 0.1


def test_other_test_images_do_not_change_what_is_learned():
    more = probe_data()
    doubled = replace(more, test_x=np.concatenate([more.test_x, more.test_x + 50]), test_y=np.tile(more.test_y, 2),
                      index=np.arange(100))  # fmt: skip
    shifted = replace(more, test_x=more.test_x + 50)
    both = [row["mean"] for row in rows(doubled)]
    halves = [[row["mean"] for row in rows(half)] for half in (more, shifted)]
    assert both == pytest.approx(np.mean(halves, axis=0))


def test_rows_are_plain_json():
    assert json.loads(json.dumps(rows())) == rows()


@pytest.mark.parametrize("changes", [{"test_y": np.full(50, -1)}, {"train_y": np.full(120, -1)}])
def test_without_labels_there_are_no_rows(changes):
    assert rows(probe_data(**changes)) == []
