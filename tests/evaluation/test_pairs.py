"""Pairs: drawn or named, never across the splits."""

import logging

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage.metrics import peak_signal_noise_ratio

from byol_kedro.errors import UserError
from byol_kedro.evaluation.pairs import COLUMNS, distinct_pairs, drawn_pairs, named_pairs, pair_set

TRAIN = ["train/cat/1", "train/cat/2", "train/dog/3", "train/dog/7"]
TEST = ["test/4.png", "test/5.png", "test/7"]


def split_of(names, seed=0):
    names = list(names)
    pixels = np.random.default_rng(seed).integers(0, 256, (len(names), 3, 4, 4), dtype=np.uint8)
    return names, pixels


def pair_file(*lines):
    return pd.DataFrame(lines, columns=["left", "right", "psnr_1", "psnr_2"])


@given(pictures=st.integers(2, 60), count=st.integers(0, 400), seed=st.integers(0, 5))
@settings(deadline=None)
def test_drawn_pairs_are_different_and_never_a_picture_with_itself(pictures, count, seed):
    left, right = distinct_pairs(count, pictures, np.random.default_rng(seed))
    assert len({frozenset(pair) for pair in zip(left.tolist(), right.tolist(), strict=True)}) == len(left)
    assert len(left) == min(count, pictures * (pictures - 1) // 2)
    assert (left != right).all()
    assert set(left.tolist()) | set(right.tolist()) <= set(range(pictures))


def test_drawn_pairs_are_distinct_where_triangle_numbers_are_large():
    left, right = distinct_pairs(2000, 3_000_000, np.random.default_rng(0))
    assert ((right >= 0) & (right < left) & (left < 3_000_000)).all()


@given(train=st.integers(2, 30), test=st.integers(2, 30), count=st.integers(10, 200), seed=st.integers(0, 5))
@settings(max_examples=40, deadline=None)
def test_no_picture_of_a_test_pair_occurs_in_a_training_pair(train, test, count, seed):
    table = drawn_pairs(
        split_of(f"train/{i}" for i in range(train)), split_of(f"test/{i}" for i in range(test)), count, seed
    )
    names = {split: set(rows["left"]) | set(rows["right"]) for split, rows in table.groupby("split")}
    assert not names["train"] & names["test"]
    assert all(name.startswith(f"{split}/") for split in names for name in names[split])


def test_a_fifth_of_the_drawn_pairs_are_test_pairs():
    table = drawn_pairs(split_of(f"train/{i}" for i in range(60)), split_of(f"test/{i}" for i in range(60)), 100, 0)
    assert table["split"].value_counts().to_dict() == {"train": 80, "test": 20}


def test_the_target_of_a_drawn_pair_is_half_the_reciprocal_psnr_of_its_two_pictures():
    train, test = split_of(TRAIN), split_of(TEST, seed=1)
    table = drawn_pairs(train, test, 10, 0)
    pixels = dict(zip(train[0] + test[0], [*train[1], *test[1]], strict=True))
    theirs = [1 / (2 * peak_signal_noise_ratio(pixels[row.left], pixels[row.right])) for row in table.itertuples()]
    np.testing.assert_allclose(table["target"], theirs)


def test_the_same_seed_draws_the_same_pairs_and_another_draws_others():
    draw = [drawn_pairs(split_of(map(str, range(50))), split_of(map(str, range(50))), 50, seed) for seed in (3, 3, 4)]
    pd.testing.assert_frame_equal(draw[0], draw[1])
    assert not draw[0][["left", "right"]].equals(draw[2][["left", "right"]])


def test_drawn_and_named_pairs_have_the_same_schema():
    drawn = drawn_pairs(split_of(TRAIN), split_of(TEST), 10, 0)
    named = named_pairs(pair_file(("1", "2", 20.0, 30.0)), TRAIN, TEST)
    assert list(drawn.columns) == COLUMNS
    pd.testing.assert_series_equal(drawn.dtypes, named.dtypes)


def test_a_named_pair_has_the_published_target():
    table = named_pairs(pair_file(("train/cat/1", "train/cat/2", 24.10993725, 20.06437337)), TRAIN, TEST)
    assert table["target"].tolist() == pytest.approx([1 / 44.17431062], rel=1e-12)


@pytest.mark.parametrize("name", ["test/5.png", "5.png", "5"], ids=["full", "file", "stem"])
def test_pictures_are_named_in_full_by_file_or_by_stem(name):
    table = named_pairs(pair_file(("1", "2", 20.0, 20.0), ("4", name, 20.0, 20.0)), TRAIN, TEST)
    assert table.loc[1, ["left", "right", "split"]].tolist() == ["test/4.png", "test/5.png", "test"]


@pytest.mark.parametrize("name", ["9", "7"], ids=["nobody's", "two pictures'"])
def test_pairs_with_an_unknown_name_are_counted_in_one_line_and_left_out(name, caplog):
    table = named_pairs(pair_file(("1", "2", 20.0, 20.0), ("1", name, 20.0, 20.0)), TRAIN, TEST)
    assert len(table) == 1
    (line,) = caplog.messages
    assert "1 of 2 pairs" in line
    assert f"'{name}'" in line


def test_pairs_across_the_splits_are_counted_in_one_line_and_left_out(caplog):
    table = named_pairs(pair_file(("1", "2", 20.0, 20.0), ("1", "4", 20.0, 20.0)), TRAIN, TEST)
    assert table["right"].tolist() == ["train/cat/2"]
    assert caplog.messages == ["pair_file: 1 of 2 pairs left out, one picture of train and one of test"]


def test_a_picture_with_itself_is_left_out_of_a_pair_file(caplog):
    assert len(named_pairs(pair_file(("1", "2", 20.0, 20.0), ("3", "3", 20.0, 20.0)), TRAIN, TEST)) == 1
    assert "itself" in caplog.text


def test_a_good_pair_file_is_silent(caplog):
    caplog.set_level(logging.INFO)
    named_pairs(pair_file(("1", "2", 20.0, 20.0), ("4", "5", 20.0, 20.0)), TRAIN, TEST)
    assert caplog.messages == []


def test_a_pair_file_without_a_training_pair_is_refused_with_an_example_of_a_name():
    with pytest.raises(UserError, match=r"none of its 1 pairs .* found 'nobody', expected names like 'train/cat/1'"):
        named_pairs(pair_file(("nobody", "1", 20.0, 20.0)), TRAIN, TEST)


def test_pairs_point_at_the_features_of_their_pictures():
    table = named_pairs(pair_file(("1", "3", 20.0, 20.0), ("4", "5", 20.0, 20.0)), TRAIN, TEST)
    pairs = pair_set(table, "train", TRAIN[::-1], np.zeros((4, 2), np.float32))
    assert (pairs.left.tolist(), pairs.right.tolist(), pairs.target.tolist()) == ([3], [1], [1 / 40])
