"""Artifacts that were made from different versions of one artifact are not read together."""

from typing import Any

import pytest

from byol_kedro.errors import UserError
from byol_kedro.runs.lineage import check_lineage

OLD, NEW, NEWEST = (f"2026-0{month}-01T00.00.00.000Z" for month in (1, 2, 3))
CATALOG: Any = None  # of the manifests below alone


@pytest.fixture(autouse=True)
def manifests(monkeypatch: pytest.MonkeyPatch) -> None:
    """The run `NEWEST` has read the embeddings of `NEW`."""
    known = {NEWEST: {"reads": {"pair_embeddings": {"version": NEW}}}}
    monkeypatch.setattr("byol_kedro.runs.lineage.manifest_of", lambda run_id, _: known.get(run_id, {}))


@pytest.mark.parametrize("entry", ["pair_embedding_map", "cluster_sheet", "cluster_list", "pair_metrics"])
def test_artifacts_of_other_embeddings_are_refused(entry: str) -> None:
    with pytest.raises(UserError, match=rf"{entry} of {OLD} .*{OLD}.*reads pair_embeddings of {NEW}"):
        check_lineage({entry: OLD, "pair_embeddings": NEW}, CATALOG)


def test_map_of_a_later_run_with_these_embeddings_is_accepted() -> None:
    check_lineage({"pair_embedding_map": NEWEST, "pair_embeddings": NEW}, CATALOG)


def test_map_of_a_later_run_with_other_embeddings_is_refused() -> None:
    with pytest.raises(UserError, match=f"pair_embedding_map of {NEWEST} belongs to pair_embeddings of {NEW}"):
        check_lineage({"pair_embedding_map": NEWEST, "pair_embeddings": OLD}, CATALOG)


def test_sample_grid_and_data_summary_must_be_from_one_run() -> None:
    check_lineage({"sample_grid": NEW, "data_summary": NEW}, CATALOG)
    with pytest.raises(UserError, match="sample_grid"):
        check_lineage({"sample_grid": OLD, "data_summary": NEW}, CATALOG)


def test_a_single_entry_is_accepted() -> None:
    check_lineage({"cluster_sheet": OLD}, CATALOG)
