import logging
import time

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from kedro.io import DatasetError

from byol_kedro.datasets.pairs import PairFileDataset
from byol_kedro.errors import UserError

COLUMNS = ["left", "right", "psnr_1", "psnr_2"]


def load(path):
    return PairFileDataset(filepath=str(path)).load()


def error_of(path):
    with pytest.raises(DatasetError) as caught:
        load(path)
    assert isinstance(caught.value.__cause__, UserError)
    return str(caught.value.__cause__)


def test_a_line_of_the_published_file_is_read(tmp_path):
    path = tmp_path / "pairs.txt"
    path.write_text("124_18 68_21 24.10993725 20.06437337\n\n007 NA 1 2\n")
    table = load(path)
    assert table.to_dict("list") == {
        "left": ["124_18", "007"], "right": ["68_21", "NA"],
        "psnr_1": [24.10993725, 1.0], "psnr_2": [20.06437337, 2.0],
    }  # fmt: skip


def test_names_of_digits_alone_keep_their_noughts(tmp_path):
    path = tmp_path / "pairs.txt"
    path.write_text("007 008 1 2\n")
    assert load(path)[["left", "right"]].to_numpy().tolist() == [["007", "008"]]


@pytest.mark.parametrize("content", [None, "", "\n\n"])
def test_without_pairs_the_table_is_empty_and_has_its_columns(tmp_path, content):
    path = tmp_path / "pairs.txt"
    if content is not None:
        path.write_text(content)
    table = load(path)
    full = tmp_path / "full.txt"
    full.write_text("a b 1 2\n")
    assert len(table) == 0
    pd.testing.assert_series_equal(table.dtypes, load(full).dtypes)


def test_a_missing_file_exists_for_kedro_and_is_told_in_one_line(tmp_path, caplog):
    dataset = PairFileDataset(filepath=str(tmp_path / "none.txt"))
    with caplog.at_level(logging.INFO):
        dataset.load()
    assert dataset.exists()
    assert [record.getMessage() for record in caplog.records if "none.txt" in record.getMessage()] == [
        (
            f"no pair file at {tmp_path / 'none.txt'}: "
            "pairs are drawn, and their target comes from the PSNR of the two pictures"
        )
    ]


@pytest.mark.parametrize(
    "bad", ["a b 1", "a b 1 2 3", "a b 1 2 3 4", "a b one 2", "a b 1 nan", "a b inf 1", "a b 0 1", "a b 1 -2", "a"]
)
@pytest.mark.parametrize("before", [0, 3])
def test_a_bad_line_is_named_by_its_number(tmp_path, bad, before):
    path = tmp_path / "pairs.txt"
    path.write_text("a b 1 2\n" * before + f"\n{bad}\nc d 1 2\n")
    assert f"pairs.txt, line {before + 2}: " in error_of(path)


names = st.text(st.characters(codec="utf-8", exclude_categories=["Z", "C"]), min_size=1, max_size=5)
psnrs = st.floats(1e-3, 1e3)


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=st.lists(st.tuples(names, names, psnrs, psnrs), min_size=1, max_size=4))
def test_names_of_any_script_and_numbers_survive(tmp_path, rows):
    path = tmp_path / "pairs.txt"
    path.write_text("".join(" ".join(map(str, row)) + "\n" for row in rows), encoding="utf-8")
    table = load(path)
    assert list(zip(table["left"], table["right"], strict=True)) == [row[:2] for row in rows]
    np.testing.assert_array_equal(table[["psnr_1", "psnr_2"]].to_numpy(), [row[2:] for row in rows])


def test_a_hundred_thousand_lines_take_less_than_a_second(tmp_path):
    path = tmp_path / "pairs.txt"
    path.write_text("".join(f"{i}_1 {i}_2 24.10993725 20.06437337\n" for i in range(100_000)))
    start = time.process_time()
    assert len(load(path)) == 100_000
    assert time.process_time() - start < 1


def test_a_parquet_file_is_read_too(tmp_path):
    table = pd.DataFrame({"left": ["a"], "right": ["b"], "psnr_1": [1.5], "psnr_2": [2]})
    table.to_parquet(tmp_path / "pairs.parquet")
    assert load(tmp_path / "pairs.parquet").to_dict("list") == table.to_dict("list")


def test_a_parquet_file_without_a_column_or_with_a_bad_row_is_named(tmp_path):
    good = pd.DataFrame({"left": ["a"] * 2, "right": ["b"] * 2, "psnr_1": [1.5] * 2, "psnr_2": [2.0, -1.0]})
    good.drop(columns="psnr_1").to_parquet(tmp_path / "fewer.parquet")
    good.to_parquet(tmp_path / "bad.parquet")
    (tmp_path / "none.parquet").write_bytes(b"nothing")
    assert "lacks the column psnr_1" in error_of(tmp_path / "fewer.parquet")
    assert "bad.parquet, row 1" in error_of(tmp_path / "bad.parquet")
    assert "none.parquet is no parquet file" in error_of(tmp_path / "none.parquet")


def test_the_file_is_never_written(tmp_path):
    with pytest.raises(DatasetError, match="only read"):
        PairFileDataset(filepath=str(tmp_path / "pairs.txt")).save(pd.DataFrame())
