"""Files of pairs are read in each format, and invalid ones are one clear error."""

import logging
import re
import threading
import time
import warnings
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from kedro.io import DatasetError

from byol_kedro.datasets.pair_files import PairFileDataset, PairTensorsDataset
from byol_kedro.errors import UserError
from tests.support.damage import DAMAGE, flip, whole_or_one_line

COLUMNS = ["left", "right", "psnr_1", "psnr_2"]


def load(path):
    return PairFileDataset(filepath=str(path)).load()


def error_of(path):
    with pytest.raises(DatasetError) as caught:
        load(path)
    assert isinstance(caught.value.__cause__, UserError)
    return str(caught.value.__cause__)


def test_published_format_is_read(tmp_path):
    path = tmp_path / "pairs.txt"
    path.write_text("124_18 68_21 24.10993725 20.06437337\n\n007 NA 1 2\n")
    table = load(path)
    assert table.to_dict("list") == {
        "left": ["124_18", "007"], "right": ["68_21", "NA"],
        "psnr_1": [24.10993725, 1.0], "psnr_2": [20.06437337, 2.0],
    }  # fmt: skip


def test_numeric_names_keep_leading_zeros(tmp_path):
    path = tmp_path / "pairs.txt"
    path.write_text("007 008 1 2\n")
    assert load(path)[["left", "right"]].to_numpy().tolist() == [["007", "008"]]


@pytest.mark.parametrize("name", ["pairs.txt", "pairs.parquet"])
@pytest.mark.parametrize("kind", ["a folder", "a pipe", "a device"])
def test_other_kinds_of_files_are_refused(tmp_path, name, kind):
    (tmp_path / name).touch()
    DAMAGE[kind](tmp_path / name)
    assert f"{tmp_path / name} is {kind}; a file is expected" in error_of(tmp_path / name)


@pytest.mark.parametrize(
    "damage", [kind for kind in DAMAGE if kind not in {"missing", "a link to nothing", "a link to itself"}]
)
def test_damaged_parquet_is_one_line(tmp_path, damage):
    path = tmp_path / "pairs.parquet"
    pd.DataFrame({"left": ["a"], "right": ["b"], "target": [1.0]}).to_parquet(path)
    for position in range(4, path.stat().st_size, 97):  # pyarrow stumbles over each of them in its own way
        flip(path, position, bit=2)
        with whole_or_one_line():
            assert list(load(path))[:2] == ["left", "right"]
        flip(path, position, bit=2)
    DAMAGE[damage](path)
    with whole_or_one_line():
        assert list(load(path))[:2] == ["left", "right"]


def test_invalid_names_are_refused(tmp_path):
    path = tmp_path / "pairs.parquet"
    pd.DataFrame({"left": [b"\xff"], "right": [b"b"], "target": [1.0]}).to_parquet(path)
    assert "names as text and numbers expected" in error_of(path)


@pytest.mark.parametrize("content", [None, "", "\n\n"])
def test_empty_table_has_its_columns(tmp_path, content):
    path = tmp_path / "pairs.txt"
    if content is not None:
        path.write_text(content)
    table = load(path)
    full = tmp_path / "full.txt"
    full.write_text("a b 1 2\n")
    assert len(table) == 0
    pd.testing.assert_series_equal(table.dtypes, load(full).dtypes)


def test_missing_file_is_silent(tmp_path, caplog):
    dataset = PairFileDataset(filepath=str(tmp_path / "none.txt"))
    with caplog.at_level(logging.INFO, "byol_kedro"):
        assert len(dataset.load()) == 0
    assert dataset.exists()
    assert [record.getMessage() for record in caplog.records if record.name.startswith("byol_kedro")] == []


@pytest.mark.parametrize(
    "bad", ["a b 1", "a b 1 2 3", "a b 1 2 3 4", "a b one 2", "a b 1 nan", "a b inf 1", "a b 0 1", "a b 1 -2", "a"]
)
@pytest.mark.parametrize("before", [0, 3])
def test_invalid_line_is_named_by_its_number(tmp_path, bad, before):
    path = tmp_path / "pairs.txt"
    path.write_text("a b 1 2\n" * before + f"\n{bad}\nc d 1 2\n")
    assert f"pairs.txt, line {before + 2}: " in error_of(path)


def test_extra_fields_are_detected_in_threads(tmp_path):
    path = tmp_path / "pairs.txt"
    path.write_text("a b 1 2 3\nc d 1 2 3\n")
    stop = threading.Event()

    def ignore():
        while not stop.is_set():
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")

    with warnings.catch_warnings(), ThreadPoolExecutor(2) as pool:
        waiting = [pool.submit(ignore) for _ in range(2)]
        try:
            assert ["line 1: " in error_of(path) for _ in range(200)] == [True] * 200
        finally:
            stop.set()
    assert [future.exception() for future in waiting] == [None, None]


@pytest.mark.parametrize("bad", ["é b 1 2".encode("latin-1"), "a\u3000b\u30001\u30002".encode(), b"\x0c", b"\x1a"])
def test_similar_line_is_refused(tmp_path, bad):
    path = tmp_path / "pairs.txt"
    path.write_bytes("a\u00a0b c 1 2\nd\x0be f 1 2\n".encode() + bad + b"\n")
    assert "pairs.txt, line 3: " in error_of(path)


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.lists(st.sampled_from([b"a", b"1", b"2 ", b"\t", b" ", b"\n", b"\r", b"\xe9", b"\0", b'"', b"-"])))
def test_random_bytes_are_pairs_or_an_error(tmp_path, data):
    path = tmp_path / "pairs.txt"
    path.write_bytes(b"".join(data))
    try:
        pairs = load(path)
    except DatasetError as error:
        found = str(error.__cause__)
    else:
        found = "pairs" if (pairs[["psnr_1", "psnr_2"]] > 0).all(axis=None) else "no pairs"
    assert re.search(r"^pairs$|pairs\.txt, line \d+: ", found)


names = st.text(st.characters(codec="utf-8", exclude_categories=["Z", "C"]), min_size=1, max_size=5)
psnrs = st.floats(1e-3, 1e3)


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=st.lists(st.tuples(names, names, psnrs, psnrs), min_size=1, max_size=4))
def test_unicode_names_and_numbers_round_trip(tmp_path, rows):
    path = tmp_path / "pairs.txt"
    path.write_text("".join(" ".join(map(str, row)) + "\n" for row in rows), encoding="utf-8")
    table = load(path)
    assert list(zip(table["left"], table["right"], strict=True)) == [row[:2] for row in rows]
    np.testing.assert_array_equal(table[["psnr_1", "psnr_2"]].to_numpy(), [row[2:] for row in rows])


def test_hundred_thousand_lines_load_fast(tmp_path):
    path = tmp_path / "pairs.txt"
    path.write_text("".join(f"{i}_1 {i}_2 24.10993725 20.06437337\n" for i in range(100_000)))
    start = time.process_time()
    assert len(load(path)) == 100_000
    assert time.process_time() - start < 1


def test_parquet_file_is_read(tmp_path):
    table = pd.DataFrame({"left": ["a"], "right": ["b"], "psnr_1": [1.5], "psnr_2": [2]})
    table.to_parquet(tmp_path / "pairs.parquet")
    assert load(tmp_path / "pairs.parquet").to_dict("list") == table.to_dict("list")


def test_parquet_may_have_any_numeric_columns(tmp_path):
    table = pd.DataFrame({"left": ["a"], "right": ["b"], "target": [3], "lpips": [0.5], "who": ["me"]})
    table.to_parquet(tmp_path / "pairs.parquet")
    loaded = load(tmp_path / "pairs.parquet")
    assert loaded.to_dict("list") == {"left": ["a"], "right": ["b"], "target": [3.0], "lpips": [0.5]}
    assert loaded["target"].dtype == np.float64


def test_parquet_is_found_instead_of_text(tmp_path):
    pd.DataFrame({"left": ["a"], "right": ["b"], "target": [3.0]}).to_parquet(tmp_path / "pairs.parquet")
    assert load(tmp_path / "pairs.txt")["target"].tolist() == [3]


def test_text_and_parquet_together_are_refused(tmp_path):
    (tmp_path / "pairs.parquet").touch()
    (tmp_path / "pairs.txt").touch()
    assert "both exist" in error_of(tmp_path / "pairs.txt")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"left": None}, "the column left is missing"),
        ({"psnr_1": None, "psnr_2": None}, "a numeric column, the target, is missing"),
        ({"psnr_1": None, "psnr_2": pd.to_timedelta([1, 2])}, "a numeric column, the target, is missing"),
        ({"psnr_2": [2.0, -1.0]}, "pairs.parquet, row 1: .* found {'psnr_1': 1.5, 'psnr_2': -1.0}"),
        ({"target": [np.nan, 1.0]}, "pairs.parquet, row 0: "),
    ],
)
def test_invalid_parquet_is_refused(tmp_path, change, message):
    good = {"left": ["a"] * 2, "right": ["b"] * 2, "psnr_1": [1.5] * 2, "psnr_2": [2.0, 1.0]}
    columns = {name: values for name, values in (good | change).items() if values is not None}
    pd.DataFrame(columns).to_parquet(tmp_path / "pairs.parquet")
    assert re.search(message, error_of(tmp_path / "pairs.parquet"))


def test_non_parquet_file_is_refused(tmp_path):
    (tmp_path / "pairs.parquet").write_bytes(b"nothing")
    assert "pairs.parquet is not a Parquet file" in error_of(tmp_path / "pairs.parquet")


def test_pair_file_is_read_only(tmp_path):
    with pytest.raises(DatasetError, match="read-only"):
        PairFileDataset(filepath=str(tmp_path / "pairs.txt")).save(pd.DataFrame())


def saved(tmp_path, **tensors):
    path = tmp_path / "pairs.pt"
    torch.save(tensors, path)
    return path


def features(*shape):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("shape", [(3,), (3, 1)])
def test_pair_tensors_are_read(tmp_path, shape):
    x1, x2, y = features(3, 4), features(3, 4), features(*shape).abs()
    loaded = PairTensorsDataset(filepath=str(saved(tmp_path, x1=x1, x2=x2, y=y))).load()
    np.testing.assert_array_equal(loaded["x1"], x1)
    np.testing.assert_array_equal(loaded["x2"], x2)
    np.testing.assert_array_equal(loaded["y"], y.reshape(-1))
    assert (loaded["x1"].dtype, loaded["y"].dtype) == (np.float32, np.float64)


def test_missing_pair_tensors_are_empty(tmp_path):
    dataset = PairTensorsDataset(filepath=str(tmp_path / "pairs.pt"))
    assert dataset.exists()
    assert {name: array.shape for name, array in dataset.load().arrays.items()} == {
        "x1": (0, 0),
        "x2": (0, 0),
        "y": (0,),
    }


def tensors_error(path):
    with pytest.raises(DatasetError) as caught:
        PairTensorsDataset(filepath=str(path)).load()
    assert isinstance(caught.value.__cause__, UserError)
    return str(caught.value.__cause__)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"x2": features(3, 5)}, r"x1 \(3, 4\), x2 \(3, 5\), y \(3,\)"),
        ({"y": torch.ones(2)}, r"y \(2,\)"),
        ({"x2": None}, r"x2 \(\), y \(3,\) among \['x1', 'x2', 'y'\]"),
        ({"x1": torch.full((3, 4), torch.nan)}, "finite numbers"),
        ({"y": -torch.ones(3)}, "in y, .* none below 0"),
    ],
)
def test_invalid_tensors_are_named_with_their_shapes(tmp_path, change, message):
    tensors = {"x1": features(3, 4), "x2": features(3, 4), "y": torch.ones(3)} | change
    assert re.search(message, tensors_error(saved(tmp_path, **tensors)))


def test_pickled_object_is_refused(tmp_path):
    path = tmp_path / "pairs.pt"
    torch.save(torch.nn.Linear(2, 2), path)
    message = tensors_error(path)
    assert "pair_tensors: " in message
    assert "loading them could run code" in message
    assert "torch.save(" in message
