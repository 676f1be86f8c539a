"""Given pairs: names, splits, and warnings about skipped pairs."""

import logging

import numpy as np
import pandas as pd
import pytest

from byol_kedro.errors import UserError
from byol_kedro.pair_model.given import named_pairs, saved_names, saved_pairs, unique_images
from byol_kedro.pair_model.pairs import ConcatArray, held_out_mask
from byol_kedro.pair_model.sampled import sample_pairs
from tests.support.pair_problems import PAIRS, changed

TRAIN = ["train/cat/1", "train/cat/2", "train/dog/3", "train/dog/7"]
TEST = ["test/4.png", "test/5.png", "test/7"]


def pair_file(*lines):
    return pd.DataFrame(lines, columns=["left", "right", "psnr_1", "psnr_2"])


def named(*lines, **settings):
    return named_pairs(pair_file(*lines), [*TRAIN, *TEST], len(TRAIN), changed(PAIRS, **settings), 0)


def many(train, test, pairs, seed=0):
    """Names and a file with pairs of them."""
    names = [f"train/{i}" for i in range(train)] + [f"test/{i}" for i in range(test)]
    left, right = np.random.default_rng(seed).integers(0, train + test, (2, pairs))
    return names, pair_file(*((names[a], names[b], 20.0, 20.0 + a) for a, b in zip(left, right, strict=True)))


def test_sampled_and_named_pairs_have_the_same_schema():
    pixels = np.random.default_rng(0).integers(0, 256, (7, 3, 4, 4), dtype=np.uint8)
    drawn = sample_pairs([*TRAIN, *TEST], len(TRAIN), ConcatArray([pixels]), PAIRS, 0)
    pd.testing.assert_series_equal(drawn.dtypes, named(("1", "2", 20.0, 30.0)).dtypes)


def test_target_of_a_named_pair_is_the_published_one():
    table = named(("train/cat/1", "train/cat/2", 24.10993725, 20.06437337))
    assert table["target"].tolist() == pytest.approx([1 / 44.17431062], rel=1e-12)
    assert table[["psnr_1", "psnr_2"]].to_numpy().tolist() == [[24.10993725, 20.06437337]]


@pytest.mark.parametrize("name", ["test/5.png", "5.png", "5"], ids=["full", "file", "stem"])
def test_images_are_named_by_full_name_file_name_or_stem(name):
    table = named(("1", "2", 20.0, 20.0), ("4", name, 20.0, 20.0))
    assert table.loc[1, ["left", "right", "split"]].tolist() == ["test/4.png", "test/5.png", "test"]


@pytest.mark.parametrize("name", ["9", "7"], ids=["nobody's", "two images'"])
def test_unknown_names_are_counted_and_listed(name, caplog):
    table = named(("1", "2", 20.0, 20.0), ("1", name, 20.0, 20.0), (name, "elsewhere", 20.0, 20.0))
    assert len(table) == 1
    assert caplog.messages[:-1] == [f"2 of 3 given pairs skipped, 2 unknown or ambiguous names: '{name}', 'elsewhere'"]


def test_only_the_first_unknown_names_are_listed(caplog):
    named(("1", "2", 20.0, 20.0), *((f"no{i}", "1", 20.0, 20.0) for i in range(50)))
    assert "50 unknown or ambiguous names: 'no0'" in caplog.text
    assert caplog.messages[0].endswith("'no19' and 30 more")


def test_no_more_names_are_announced_than_there_are(caplog):
    named(("1", "2", 20.0, 20.0), *((f"no{i}", "1", 20.0, 20.0) for i in range(20)))
    assert caplog.messages[0].endswith("'no19'")


def test_as_many_unknown_names_as_fit_are_all_listed(caplog):
    named(("1", "2", 20.0, 20.0), *((f"no{i}", "1", 20.0, 20.0) for i in range(20)))
    assert caplog.messages[0].endswith("'no18', 'no19'")


def test_pairs_across_splits_are_skipped_with_a_warning(caplog):
    table = named(("1", "2", 20.0, 20.0), ("1", "4", 20.0, 20.0))
    assert table["right"].tolist() == ["train/cat/2"]
    assert caplog.messages[:-1] == ["1 of 2 given pairs skipped, one image of train and one of test"]


def test_warnings_count_out_of_all_given_pairs(caplog):
    good, twice, itself, across = (
        ("1", "2", 20.0, 20.0),
        ("2", "1", 20.0, 20.0),
        ("3", "3", 20.0, 20.0),
        ("1", "4", 20.0, 20.0),
    )
    caplog.set_level(logging.INFO)
    named(good, twice, itself, ("1", "no", 20.0, 20.0), across)
    assert [message.split(",")[0] for message in caplog.messages] == [
        "1 of 5 given pairs skipped",  # unknown name
        "1 of 5 given pairs skipped",  # an image with itself
        "1 of 5 given pairs skipped",  # duplicate
        "1 of 5 given pairs skipped",  # across the splits
        "1 of 5 given pairs remain: 1 train",
    ]


def test_warnings_count_out_of_all_saved_pairs(caplog):
    caplog.set_level(logging.INFO)
    left, right = np.concatenate([np.arange(60).reshape(2, 30)] * 2, axis=1)
    saved_pairs(left, right, np.ones(60), PAIRS, 0)
    assert {message.split(" given")[0].split(" of ")[1] for message in caplog.messages} == {"60"}
    assert len(caplog.messages) > 2


def test_remaining_pairs_are_logged_by_split(caplog):
    caplog.set_level(logging.INFO)
    named(("1", "2", 20.0, 20.0), ("1", "no", 20.0, 20.0), ("1", "4", 20.0, 20.0), ("4", "5", 20.0, 20.0))
    assert caplog.messages[-1] == "2 of 4 given pairs remain: 1 train, 0 validation, 1 test"


def test_remaining_saved_pairs_are_logged_by_split(caplog):
    caplog.set_level(logging.INFO)
    left, right = np.array([0, 2, 4, 1, 5]), np.array([1, 3, 5, 0, 0])
    table = saved_pairs(left, right, np.ones(5), changed(PAIRS, split="pair"), 0)
    assert len(table) == 4
    assert caplog.messages[-1] == "4 of 5 given pairs remain: 3 train, 0 validation, 1 test"


def test_split_by_pair_keeps_pairs_across_splits():
    across = [(left, right, 20.0, 20.0) for left, right in zip("12312", "44455", strict=True)]
    assert len(named(*across, split="pair")) == 5


def test_a_pair_of_an_image_with_itself_is_skipped(caplog):
    assert len(named(("1", "2", 20.0, 20.0), ("3", "3", 20.0, 20.0))) == 1
    assert "itself" in caplog.text


def test_a_valid_pair_file_logs_nothing(caplog):
    caplog.set_level(logging.INFO)
    named(("1", "2", 20.0, 20.0), ("4", "5", 20.0, 20.0))
    assert caplog.messages == []


def test_a_pair_file_without_a_train_pair_is_refused():
    with pytest.raises(UserError, match=r"none of its 1 pairs .* found 'nobody', expected .* 'train/cat/1'"):
        named(("nobody", "1", 20.0, 20.0))


def test_split_by_image_keeps_images_apart():
    names, file = many(60, 40, 3000)
    table = named_pairs(file, names, 60, PAIRS, 0)
    seen = [set(rows["left"]) | set(rows["right"]) for _, rows in table.groupby("split")]
    assert len(seen) == 3
    assert sum(map(len, seen)) == len(set.union(*seen))


def test_given_pairs_keep_their_targets():
    names, file = many(60, 40, 500)
    table = named_pairs(file, names, 60, PAIRS, 0)
    expected = {(row.left, row.right): 1 / (row.psnr_1 + row.psnr_2) for row in file.itertuples()}
    assert [expected[row.left, row.right] for row in table.itertuples()] == pytest.approx(table["target"].tolist())


def columns(**values):
    return pd.DataFrame({"left": ["1", "3"], "right": ["2", "1"], **values})


@pytest.mark.parametrize(
    ("file", "column"),
    [
        (columns(target=[0.5, 0.25]), None),
        (columns(psnr_1=[20.0, 20.0], psnr_2=[20.0, 20.0], target=[0.5, 0.25]), None),
        (columns(target=[9.0, 9.0], lpips=[0.5, 0.25]), "lpips"),
    ],
    ids=["target", "target before psnr", "named"],
)
def test_any_column_can_be_the_target(file, column):
    table = named_pairs(file, TRAIN, 4, changed(PAIRS, column=column), 0)
    assert table["target"].tolist() == [0.5, 0.25]


def test_a_missing_column_is_named_with_the_existing_ones():
    with pytest.raises(UserError, match=r"no column 'lpips' of numbers, found target; .* pair_model.pairs.column"):
        named_pairs(columns(target=[1.0, 2.0]), TRAIN, 4, changed(PAIRS, column="lpips"), 0)


@pytest.mark.parametrize("target", [[0.5, -0.1], [0.0, 0.0]])
def test_a_target_that_is_no_distance_is_refused(target):
    with pytest.raises(UserError, match="must be 0 or more, and not always 0"):
        named_pairs(columns(target=target), TRAIN, 4, PAIRS, 0)


X = np.random.default_rng(0).normal(size=(40, 3)).astype(np.float32)


def test_equal_saved_features_are_one_image():
    left, right = np.random.default_rng(1).integers(0, 40, (2, 300))
    features, one, other = unique_images(X[left], X[right])
    assert len(features) == len(np.unique([left, right]))
    np.testing.assert_array_equal(features[one], X[left])
    np.testing.assert_array_equal(features[other], X[right])


@pytest.mark.parametrize("split", ["image", "pair"])
def test_saved_pairs_are_split_by_image_or_by_pair(split):
    left, right = np.random.default_rng(1).integers(0, 40, (2, 2000))
    table = saved_pairs(left, right, left / 7, changed(PAIRS, split=split), 0)
    seen = [set(rows["left"]) | set(rows["right"]) for _, rows in table.groupby("split")]
    apart = sum(map(len, seen)) == len(set.union(*seen))
    assert len(seen) == 3
    assert apart == (split == "image")
    assert set(table["left"]) <= set(saved_names(40))


def test_saved_pairs_without_a_train_pair_are_refused():
    seed = next(seed for seed in range(100) if held_out_mask(5, 0.2, np.random.default_rng(seed))[0])
    with pytest.raises(UserError, match=r"pair_model\.pairs\.split=pair"):
        saved_pairs(np.zeros(4, np.int64), np.arange(1, 5), np.ones(4), PAIRS, seed)


def test_duplicates_are_not_in_two_splits():
    names = [f"train/{number:02}" for number in range(40)]
    rng = np.random.default_rng(0)
    left, right = rng.integers(0, 40, (2, 200))
    once = pd.DataFrame({"left": [names[i] for i in left], "right": [names[i] for i in right], "target": 1.0 + left})
    mirrored = once.rename(columns={"left": "right", "right": "left"})
    table = named_pairs(
        pd.concat([once, mirrored, once], ignore_index=True), names, 40, changed(PAIRS, split="pair"), 0
    )
    pairs = [frozenset(pair) for pair in zip(table["left"], table["right"], strict=True)]
    assert len(set(pairs)) == len(pairs)
