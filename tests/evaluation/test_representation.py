"""Effective rank, uniformity and alignment: known values, and a second implementation."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.distance import pdist
from scipy.stats import entropy, special_ortho_group

from byol_kedro.evaluation.representation import alignment, effective_rank, quality_row, uniformity


def normal(n=300, dim=8, seed=0):
    return np.random.default_rng(seed).normal(size=(n, dim)).astype(np.float32)


@pytest.mark.parametrize("rank", [1, 3, 8])
def test_rank_of_orthogonal_directions_is_their_number(rank):
    x = np.zeros((8, 8), np.float32)
    x[:rank, :rank] = 5 * np.eye(rank)
    assert effective_rank(x) == pytest.approx(rank, abs=1e-4)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000), st.integers(2, 40), st.integers(1, 12))
def test_rank_agrees_with_scipys_entropy(seed, n, dim):
    x = normal(n, dim, seed)
    values = np.sqrt(np.maximum(np.linalg.eigvalsh(x.astype(float).T @ x), 0))
    assert effective_rank(x) == pytest.approx(np.exp(entropy(values)), rel=1e-3)


def test_rank_includes_the_mean():
    assert effective_rank(normal() + 1000) == pytest.approx(1, abs=0.1)


def test_rank_is_invariant_to_rotation_and_scale():
    turned = 7 * normal() @ special_ortho_group.rvs(8, random_state=0)
    assert effective_rank(turned.astype(np.float32)) == pytest.approx(effective_rank(normal()), rel=1e-4)


def test_zero_features_have_rank_one():
    assert effective_rank(np.zeros((5, 3), np.float32)) == 1


def test_uniformity_agrees_with_scipys_distances():
    unit = normal() / np.linalg.norm(normal(), axis=1, keepdims=True)
    expected = np.log(np.mean(np.exp(-2 * pdist(unit.astype(float)) ** 2)))
    assert uniformity(normal(), 0) == pytest.approx(expected, abs=1e-5)


def test_uniformity_of_one_point_is_zero():
    assert uniformity(np.ones((10, 4), np.float32), 0) == pytest.approx(0, abs=1e-6)


def test_uniformity_of_two_opposite_points():
    assert uniformity(np.array([[1, 0], [-3, 0]], np.float32), 0) == pytest.approx(-2 * 4)


def test_uniformity_of_many_directions_is_near_minus_four():
    assert uniformity(normal(1000, 512), 0) == pytest.approx(-4, abs=0.05)


def test_uniformity_of_a_sample_is_close_to_that_of_all():
    x = normal(2000) + 1
    assert uniformity(x, 0, rows=500) == pytest.approx(uniformity(x, 0), abs=0.1)


def test_seed_selects_the_rows():
    assert uniformity(normal(), 0, rows=50) != uniformity(normal(), 1, rows=50)


def test_row_has_plain_numbers():
    row = quality_row("BYOL", normal(), 0, (normal(20), normal(20, seed=1)))
    assert {name: type(value) for name, value in row.items()} == {
        "features": str, "n": int, "dim": int, "effective_rank": float, "uniformity": float, "alignment": float,
    }  # fmt: skip


def test_row_without_views_has_no_alignment():
    assert quality_row("BYOL", normal(), 0)["alignment"] is None


def test_alignment_is_the_mean_squared_distance_of_unit_vectors():
    first, second = normal(40), normal(40, seed=1)
    cosines = [a @ b / (a @ a * (b @ b)) ** 0.5 for a, b in zip(first.astype(float), second.astype(float), strict=True)]
    assert alignment(first, second) == pytest.approx(np.mean([2 - 2 * cosine for cosine in cosines]))


def test_alignment_ignores_length():
    assert alignment(normal(), 3 * normal()) == pytest.approx(0, abs=1e-9)


def test_alignment_of_orthogonal_and_opposite_views():
    east, north = np.array([[1, 0]], np.float32), np.array([[0, 1]], np.float32)
    assert (alignment(east, north), alignment(east, -east)) == (pytest.approx(2), pytest.approx(4))
