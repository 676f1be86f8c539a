"""Round trips, failures and previews of the datasets based on kedro-datasets, and of images."""

import errno
import inspect
import json
import math
import os
from io import BytesIO
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from kedro.io import DatasetError
from PIL import Image

from byol_kedro.datasets.documents import JSONDataset
from byol_kedro.datasets.tables import CSVDataset, ParquetDataset
from byol_kedro.errors import UserError
from tests.support.dataset_kinds import CASES, IMAGE
from tests.support.image_datasets import NEW, OLD, at, files_under

each_kind = pytest.mark.parametrize("kind", CASES)


def dataset_of(kind, folder, version=NEW):
    return CASES[kind][0](filepath=str(folder / f"a.{kind}"), version=at(version))


def assert_same(found, expected):
    if isinstance(expected, pd.DataFrame):
        pd.testing.assert_frame_equal(found, expected, check_exact=True)
    elif isinstance(expected, np.ndarray):
        np.testing.assert_array_equal(found, expected, strict=True)
    else:
        assert found == expected


@each_kind
def test_data_round_trip(tmp_path, kind):
    dataset = dataset_of(kind, tmp_path)
    dataset.save(CASES[kind][1])
    file = f"a.{kind}/{NEW}/a.{kind}"
    assert files_under(tmp_path) == {f"a.{kind}", f"a.{kind}/{NEW}", file, f"{file}.sha256"}
    assert_same(dataset.load(), CASES[kind][1])


@each_kind
def test_full_disk_keeps_the_last_version(tmp_path, kind, monkeypatch):
    dataset_of(kind, tmp_path, OLD).save(CASES[kind][1])
    before = files_under(tmp_path)

    def full(descriptor):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(DatasetError) as caught:
        dataset_of(kind, tmp_path).save(CASES[kind][1])
    assert isinstance(caught.value.__cause__, UserError)
    assert files_under(tmp_path) == before
    assert dataset_of(kind, tmp_path).resolve_load_version() == OLD


@each_kind
def test_failed_first_save_leaves_nothing(tmp_path, kind, monkeypatch):
    def broken(descriptor):
        raise RuntimeError

    monkeypatch.setattr(os, "fsync", broken)
    with pytest.raises(DatasetError):
        dataset_of(kind, tmp_path).save(CASES[kind][1])
    assert files_under(tmp_path) == set()
    assert not dataset_of(kind, tmp_path).exists()


@each_kind
def test_preview_has_the_type_of_kedro_viz(tmp_path, kind):
    expected = CASES[kind][2]
    if expected is None:
        assert not hasattr(CASES[kind][0], "preview")
        return
    dataset = dataset_of(kind, tmp_path)
    dataset.save(CASES[kind][1])
    annotation = inspect.signature(dataset.preview).return_annotation
    assert getattr(annotation, "__name__", annotation) == expected
    json.dumps(dataset.preview())


@pytest.mark.parametrize("value", [math.nan, math.inf, np.float32(1), object()])
def test_json_refuses_nan(tmp_path, value):
    dataset = JSONDataset(filepath=str(tmp_path / "a.json"), version=at(NEW))
    with pytest.raises(DatasetError):
        dataset.save({"fine": 1, "rows": [value]})
    assert files_under(tmp_path) == set()


def test_failed_csv_leaves_nothing(tmp_path):
    with pytest.raises(DatasetError):
        ParquetDataset(filepath=str(tmp_path / "a.parquet"), version=at(NEW)).save(pd.DataFrame({"a": [1, "b"]}))
    assert files_under(tmp_path) == set()


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(values=st.lists(st.floats(allow_nan=False), min_size=1, max_size=5))
def test_csv_floats_are_exact(tmp_path, values):
    dataset = CSVDataset(filepath=str(tmp_path / "a.csv"))
    dataset.save(pd.DataFrame({"a": np.array(values)}))
    assert dataset.load()["a"].astype(float).tolist() == values


def test_image_preview_is_the_png(tmp_path):
    import base64  # noqa: PLC0415  # of this test alone

    dataset = dataset_of("png", tmp_path)
    dataset.save(IMAGE)
    shown = Image.open(BytesIO(base64.b64decode(dataset.preview())))
    np.testing.assert_array_equal(np.asarray(shown), IMAGE)
    assert Path(dataset._get_load_path()).read_bytes().startswith(b"\x89PNG")
