"""Two classifiers on the same images: differences, intervals and p values of every pair."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import bootstrap

from byol_kedro.evaluation.comparison import COLUMNS, bootstrap_points, compare_all
from byol_kedro.evaluation.significance import holm, mcnemar

N = 400


def right(share, seed):
    return np.random.default_rng(seed).random(N) < share


def guesses(features, protocol, hits, names=None):
    names = [f"test/{i:03}" for i in range(len(hits))] if names is None else names
    facts = {"name": names, "truth": 1, "guess": np.where(hits, 1, 0)}
    return pd.DataFrame(facts).assign(features=features, protocol=protocol)


def table(*parts, seed=0):
    return compare_all(pd.concat(parts, ignore_index=True), seed)


THREE = (
    guesses("BYOL", "knn", right(0.7, 1)),
    guesses("BYOL", "logistic", right(0.72, 2)),
    guesses("pixels", "knn", right(0.4, 3)),
)


def test_there_is_one_row_for_each_pair_in_the_order_of_the_predictions():
    rows = table(*THREE)[["features_a", "protocol_a", "features_b", "protocol_b"]].to_numpy().tolist()
    assert rows == [
        ["BYOL", "knn", "BYOL", "logistic"],
        ["BYOL", "knn", "pixels", "knn"],
        ["BYOL", "logistic", "pixels", "knn"],
    ]


def test_points_are_the_first_top1_less_the_second_in_percentage_points():
    found = table(*THREE)["points"].to_numpy()
    shares = [100 * right(share, seed).mean() for share, seed in ((0.7, 1), (0.72, 2), (0.4, 3))]
    np.testing.assert_allclose(found, [shares[0] - shares[1], shares[0] - shares[2], shares[1] - shares[2]])


def test_images_that_one_alone_has_right_are_counted():
    row = table(*THREE).iloc[1]
    a, b = right(0.7, 1), right(0.4, 3)
    assert (row["only_a"], row["only_b"], row["n"]) == (np.sum(a > b), np.sum(b > a), N)


def test_images_are_matched_by_their_names_and_not_by_their_place():
    hits = right(0.5, 4)
    names = [f"test/{i:03}" for i in range(N)]
    backwards = guesses("pixels", "knn", hits[::-1], names[::-1])
    row = table(guesses("BYOL", "knn", hits, names), backwards).iloc[0]
    assert (row["only_a"], row["only_b"]) == (0, 0)


def test_only_images_that_both_have_guessed_count():
    row = table(guesses("BYOL", "knn", right(0.5, 1)), guesses("pixels", "knn", right(0.5, 2)[:100])).iloc[0]
    assert row["n"] == 100


def test_p_is_mcnemars():
    assert table(*THREE)["p"].iloc[1] == mcnemar(right(0.7, 1), right(0.4, 3))


def test_p_holm_is_adjusted_for_all_pairs():
    found = table(*THREE)
    np.testing.assert_allclose(found["p_holm"], holm(found["p"].tolist()))


def test_the_interval_is_that_of_scipys_paired_bootstrap():
    a, b = right(0.7, 1), right(0.6, 2)
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


def test_the_interval_of_answers_that_go_together_is_narrower_than_that_of_independent_ones():
    hits = right(0.6, 1)
    almost = hits.copy()
    almost[:8] = ~almost[:8]
    paired, independent = (
        bootstrap_points(hits, other, 2_000, np.random.default_rng(0)) for other in (almost, right(0.6, 2))
    )
    assert paired[1] - paired[0] < (independent[1] - independent[0]) / 3


def test_the_interval_holds_the_true_difference_in_93_to_97_of_100_repetitions():
    generator = np.random.default_rng(0)
    held = 0
    for _ in range(1_000):
        kind = generator.choice(4, p=[0.5, 0.15, 0.1, 0.25], size=500)  # both, a alone, b alone, neither
        low, high = bootstrap_points(kind <= 1, (kind == 0) | (kind == 2), 500, generator)
        held += low <= 5 <= high
    assert 930 <= held <= 970


def test_equal_answers_differ_by_nothing_and_by_no_chance():
    row = table(guesses("BYOL", "knn", right(0.5, 1)), guesses("pixels", "knn", right(0.5, 1))).iloc[0]
    assert row[["points", "points_low", "points_high", "p"]].tolist() == [0, 0, 0, 1]


def test_the_same_seed_gives_the_same_table():
    pd.testing.assert_frame_equal(table(*THREE, seed=3), table(*THREE, seed=3))


@pytest.mark.parametrize("parts", [THREE[:1], (THREE[0].iloc[:0],)], ids=["one classifier", "no guesses"])
def test_without_pairs_there_is_every_column_and_no_row(parts):
    empty = table(*parts)
    assert (list(empty.columns), len(empty)) == (list(COLUMNS), 0)
