"""Checks for NaN and infinity: what is counted, and what the messages say."""

import numpy as np
import pytest
import torch

from byol_kedro.byol import finite
from byol_kedro.byol.finite import NotFiniteError, check_features, check_finite, float32_weights
from byol_kedro.errors import UserError

BAD = [1.0, np.nan, 2.0, -np.inf, np.inf]


@pytest.mark.parametrize("make", [np.array, torch.tensor], ids=["array", "tensor"])
def test_the_first_array_with_numbers_that_are_not_finite_is_named_with_their_count(make):
    check_finite({"a": make([1.0, 2.0])}, "the encoder's", "fit it again")
    with pytest.raises(NotFiniteError) as error:
        check_finite({"a": make([1.0, 2.0]), "b": make(BAD), "c": make(BAD)}, "the encoder's", "fit it again")
    assert str(error.value) == "the encoder's b holds NaN or infinity (3 numbers); fit it again"
    assert error.value.found == "the encoder's b holds NaN or infinity (3 numbers)"


@pytest.mark.parametrize("rows", [1, 3, 4096])
def test_rows_with_a_bad_number_are_counted_once_in_every_chunk(rows, monkeypatch):
    monkeypatch.setattr(finite, "ROWS", rows)
    features = np.zeros((10, 4), np.float32)
    check_features(features, "latents", "again")
    features[0, :2], features[4, 3], features[9] = np.nan, -np.inf, np.inf
    with pytest.raises(NotFiniteError, match=r"^latents: 3 of 10 rows hold NaN or infinity; again$"):
        check_features(features, "latents", "again")


@pytest.mark.parametrize("value", [1001.0, -1001.0])
def test_numbers_beyond_the_largest_allowed_value_are_counted(value, monkeypatch):
    monkeypatch.setattr(finite, "ROWS", 4)
    features = np.full((10, 2), [1000.0, -1000.0], np.float32)  # the largest value itself is allowed
    check_features(features, "latents", "again", 1000.0)
    features[[1, 8], 0] = value
    with pytest.raises(NotFiniteError, match=r"^latents: 2 of 10 rows hold numbers beyond 1000; again$"):
        check_features(features, "latents", "again", 1000.0)


def test_features_without_rows_or_columns_are_fine():
    check_features(np.zeros((0, 4), np.float32), "latents", "again")
    check_features(np.zeros((4, 0), np.float32), "latents", "again")


@pytest.mark.parametrize(
    ("name", "value", "found"),
    [
        ("w", [1.0, 2.0], r"here: w is list, expected a dense floating-point tensor; again"),
        ("w", torch.ones(2, dtype=torch.int32), r"here: w is torch.strided, torch.int32, expected a dense .*; again"),
        ("w", torch.tensor([1.0, torch.nan]), r"here: w holds NaN or infinity \(1 numbers\); again"),
        ("bn.running_var", torch.tensor([0.0, -1e-9]), r"here: bn.running_var is a variance and .*; again"),
    ],
)
def test_weights_that_cannot_be_used_are_described(name, value, found):
    with pytest.raises(UserError, match=f"^{found}$"):
        float32_weights(name, value, "here", "again")


def test_a_variance_of_zero_is_read():
    assert torch.equal(float32_weights("bn.running_var", torch.zeros(2), "here", "again"), torch.zeros(2))
