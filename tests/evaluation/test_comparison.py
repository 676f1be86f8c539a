"""Pairwise comparison: counts, differences, intervals and p-values."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import bootstrap

from byol_kedro.evaluation.comparison import COLUMNS, bootstrap_points, compare_all
from byol_kedro.evaluation.significance import holm, mcnemar

N = 400


def correct(share, seed):
    return np.random.default_rng(seed).random(N) < share


def predictions_of(features, protocol, hits, names=None):
    names = [f"test/{i:03}" for i in range(len(hits))] if names is None else names
    facts = {"name": names, "truth": 1, "guess": np.where(hits, 1, 0)}
    return pd.DataFrame(facts).assign(features=features, protocol=protocol)


def table(*parts, seed=0):
    return compare_all(pd.concat(parts, ignore_index=True), seed)


THREE = (
    predictions_of("BYOL", "knn", correct(0.7, 1)),
    predictions_of("BYOL", "logistic", correct(0.72, 2)),
    predictions_of("pixels", "knn", correct(0.4, 3)),
)


def test_rows_are_all_pairs_in_order():
    rows = table(*THREE)[["features_a", "protocol_a", "features_b", "protocol_b"]].to_numpy().tolist()
    assert rows == [
        ["BYOL", "knn", "BYOL", "logistic"],
        ["BYOL", "knn", "pixels", "knn"],
        ["BYOL", "logistic", "pixels", "knn"],
    ]


def test_points_are_the_difference_of_top1():
    found = table(*THREE)["points"].to_numpy()
    shares = [100 * correct(share, seed).mean() for share, seed in ((0.7, 1), (0.72, 2), (0.4, 3))]
    np.testing.assert_allclose(found, [shares[0] - shares[1], shares[0] - shares[2], shares[1] - shares[2]])


def test_discordant_images_are_counted():
    row = table(*THREE).iloc[1]
    a, b = correct(0.7, 1), correct(0.4, 3)
    assert (row["only_a"], row["only_b"], row["n"]) == (np.sum(a > b), np.sum(b > a), N)


def test_images_are_matched_by_name():
    hits = correct(0.5, 4)
    names = [f"test/{i:03}" for i in range(N)]
    backwards = predictions_of("pixels", "knn", hits[::-1], names[::-1])
    row = table(predictions_of("BYOL", "knn", hits, names), backwards).iloc[0]
    assert (row["only_a"], row["only_b"]) == (0, 0)


def test_only_common_images_count():
    row = table(
        predictions_of("BYOL", "knn", correct(0.5, 1)), predictions_of("pixels", "knn", correct(0.5, 2)[:100])
    ).iloc[0]
    assert row["n"] == 100


def test_p_is_from_mcnemars_test():
    assert table(*THREE)["p"].iloc[1] == mcnemar(correct(0.7, 1), correct(0.4, 3))


def test_p_holm_is_adjusted_for_all_pairs():
    found = table(*THREE)
    np.testing.assert_allclose(found["p_holm"], holm(found["p"].tolist()))


def test_interval_agrees_with_scipys_paired_bootstrap():
    a, b = correct(0.7, 1), correct(0.6, 2)
    theirs = bootstrap(
        (100.0 * a, 100.0 * b),
        lambda x, y, axis: x.mean(axis) - y.mean(axis),
        paired=True,
        method="percentile",
        n_resamples=20_000,
        random_state=np.random.default_rng(0),
    ).confidence_interval
    ours = bootstrap_points(a, b, 20_000, np.random.default_rng(1))
    assert ours == pytest.approx((theirs.low, theirs.high), abs=0.3)


def test_interval_of_correlated_predictions_is_narrower():
    hits = correct(0.6, 1)
    almost = hits.copy()
    almost[:8] = ~almost[:8]
    paired, independent = (
        bootstrap_points(hits, other, 2_000, np.random.default_rng(0)) for other in (almost, correct(0.6, 2))
    )
    assert paired[1] - paired[0] < (independent[1] - independent[0]) / 3


def test_interval_has_its_nominal_coverage():
    generator = np.random.default_rng(0)
    held = 0
    for _ in range(1_000):
        kind = generator.choice(4, p=[0.5, 0.15, 0.1, 0.25], size=500)  # both, a alone, b alone, neither
        low, high = bootstrap_points(kind <= 1, (kind == 0) | (kind == 2), 500, generator)
        held += low <= 5 <= high
    assert 930 <= held <= 970


def test_equal_predictions_have_no_difference():
    row = table(predictions_of("BYOL", "knn", correct(0.5, 1)), predictions_of("pixels", "knn", correct(0.5, 1))).iloc[
        0
    ]
    assert row[["points", "points_low", "points_high", "p"]].tolist() == [0, 0, 0, 1]


def test_the_same_seed_gives_the_same_table():
    pd.testing.assert_frame_equal(table(*THREE, seed=3), table(*THREE, seed=3))


@pytest.mark.parametrize("parts", [THREE[:1], (THREE[0].iloc[:0],)], ids=["one classifier", "no predictions_of"])
def test_table_without_pairs_has_all_columns(parts):
    empty = table(*parts)
    assert (list(empty.columns), len(empty)) == (list(COLUMNS), 0)
