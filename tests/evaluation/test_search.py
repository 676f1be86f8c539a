"""The exact search against a full table of cosines."""

from pathlib import Path

import numpy as np
import pytest

from byol_kedro.evaluation import search as module
from byol_kedro.evaluation.search import search


@pytest.mark.parametrize("rows", [1, 7, 1000])
@pytest.mark.parametrize("count", [1, 5, 50])
def test_search_agrees_with_all_cosines(rows, count, monkeypatch):
    monkeypatch.setattr(module, "ROWS", rows)
    rng = np.random.default_rng(0)
    known = [rng.normal(size=(n, 6)).astype(np.float32) for n in (20, 0, 30)]
    queries = rng.normal(size=(4, 6)).astype(np.float32)
    all_known = np.concatenate(known).astype(np.float64)
    cosines = queries @ all_known.T / np.linalg.norm(queries, axis=1)[:, None] / np.linalg.norm(all_known, axis=1)
    similarity, row = search(known, queries, count)
    order = np.argsort(-cosines, axis=1)[:, :count]
    assert np.array_equal(row, order)
    np.testing.assert_allclose(similarity, np.take_along_axis(cosines, order, axis=1), atol=1e-6)


def test_a_memory_map_with_an_offset_is_read_in_blocks(tmp_path: Path, monkeypatch):
    monkeypatch.setattr(module, "ROWS", 4)
    known = np.random.default_rng(1).normal(size=(11, 3)).astype("<f4")
    (tmp_path / "file").write_bytes(b"header" + known.tobytes())
    mapped = np.memmap(tmp_path / "file", "<f4", "r", 6, known.shape)
    for array in (mapped, mapped[2:], mapped[:, :2]):
        queries = np.ones((2, array.shape[1]), np.float32)
        found, expected = search([array], queries, 3), search([np.array(array)], queries, 3)
        assert np.array_equal(found[1], expected[1])


def test_equal_similarities_are_in_the_order_of_the_rows_and_a_zero_has_similarity_0():
    known = np.array([[0, 0], [0, 2], [0, 1], [0, 3]], np.float32)
    similarity, row = search([known], np.array([[0, 1]], np.float32), 4)
    assert row.tolist() == [[1, 2, 3, 0]]
    assert similarity.tolist() == [[1, 1, 1, 0]]
