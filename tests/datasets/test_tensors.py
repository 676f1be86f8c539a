"""Tensors round trip lazily, damaged files are detected, and features belong to one encoder."""

import json
import os
import shutil
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from kedro.io import DatasetError
from safetensors import SafetensorError

from byol_kedro.datasets import tensors as module
from byol_kedro.datasets.provenance import check_same_encoder
from byol_kedro.datasets.tensors import Tensors, TensorsDataset, mapped
from byol_kedro.errors import UserError
from byol_kedro.files import sealed
from byol_kedro.files.sealed import fingerprint
from tests.support.damage import DAMAGE, flip, whole_or_one_line
from tests.support.image_datasets import NEW, OLD, at, files_under

ARRAYS = {"weight": np.arange(6, dtype=np.float32).reshape(2, 3), "count": np.array(7)}


def dataset_in(folder, version=NEW):
    return TensorsDataset(filepath=str(folder / "t.safetensors"), version=at(version))


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    array=hnp.arrays(
        st.sampled_from([np.float32, np.float64, np.int64, np.uint8, np.bool_]),
        hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=4),
    ),
    turned=st.booleans(),
    header=st.dictionaries(st.text(st.characters(codec="utf-8")), st.text(st.characters(codec="utf-8")), max_size=3),
)
def test_tensors_round_trip_for_any_memory_layout(tmp_path, array, turned, header):
    array = array.T if turned else array
    dataset = TensorsDataset(filepath=str(tmp_path / "t.safetensors"))
    dataset.save(Tensors({"a": array}, header))
    loaded = dataset.load()
    np.testing.assert_array_equal(loaded["a"], array, strict=True)
    np.testing.assert_array_equal(mapped(loaded, "a"), array, strict=True)
    assert loaded.header == header | {"version": "", "fingerprint": fingerprint({"a": array})}


def test_mapped_array_is_lazy_and_read_only(tmp_path):
    dataset = dataset_in(tmp_path)
    dataset.save(Tensors(ARRAYS | {"second": np.arange(4.0)}, {}))
    second = mapped(dataset.load(), "second")
    assert isinstance(second, np.memmap)
    assert not second.flags.writeable
    np.testing.assert_array_equal(second, np.arange(4.0))


def test_array_in_memory_is_returned_unchanged():
    assert mapped(Tensors(ARRAYS, {}), "weight") is ARRAYS["weight"]


def test_file_is_plain_safetensors(tmp_path):
    dataset = dataset_in(tmp_path)
    dataset.save(Tensors(ARRAYS, {}))
    raw = safetensors.numpy.load_file(dataset._get_load_path())
    np.testing.assert_array_equal(raw["weight"], ARRAYS["weight"], strict=True)


def test_header_contains_version_and_fingerprint(tmp_path):
    dataset = dataset_in(tmp_path)
    dataset.save(Tensors(ARRAYS, {"architecture": "resnet18"}))
    header = dataset.load().header
    assert header == {"architecture": "resnet18", "version": NEW, "fingerprint": fingerprint(ARRAYS)}


def test_arrays_are_read_lazily(tmp_path, monkeypatch):
    dataset = dataset_in(tmp_path)
    dataset.save(Tensors(ARRAYS, {}))
    read = []
    opened = sealed.safe_open

    class Counting:
        def __init__(self, *args, **kwargs):
            self._file = opened(*args, **kwargs)

        def __enter__(self):
            self._open = self._file.__enter__()
            return self

        def __exit__(self, *error):
            return self._file.__exit__(*error)

        def __getattr__(self, name):
            return getattr(self._open, name)

        def get_tensor(self, name):
            read.append(name)
            return self._open.get_tensor(name)

    monkeypatch.setattr(sealed, "safe_open", Counting)
    loaded = dataset.load()
    assert sorted(loaded.keys()) == ["count", "weight"]
    assert read == []
    loaded["count"]
    assert read == ["count"]


@pytest.mark.parametrize(
    "other",
    [
        {"weight": ARRAYS["weight"] + 1, "count": ARRAYS["count"]},
        {"weights": ARRAYS["weight"], "count": ARRAYS["count"]},
        {"weight": ARRAYS["weight"].reshape(3, 2), "count": ARRAYS["count"]},
        {"weight": ARRAYS["weight"].view(np.int32), "count": ARRAYS["count"]},
        {"weight": ARRAYS["weight"]},
    ],
    ids=["values", "name", "shape", "dtype", "fewer"],
)
def test_fingerprint_changes_with(other):
    assert fingerprint(other) != fingerprint(ARRAYS)


def test_fingerprint_does_not_depend_on_order():
    turned = {name: ARRAYS[name] for name in reversed(ARRAYS)}
    turned["weight"] = turned["weight"].astype(">f4")
    assert fingerprint(turned) == fingerprint(ARRAYS)


@pytest.mark.parametrize("size", [0, 5, 60])
def test_truncated_file_is_named_with_its_size(tmp_path, size):
    dataset = dataset_in(tmp_path)
    dataset.save(Tensors(ARRAYS, {}))
    os.truncate(dataset._get_load_path(), size)
    with pytest.raises(DatasetError) as caught:
        dataset.load()
    assert isinstance(caught.value.__cause__, UserError)
    assert f"({size} bytes found)" in str(caught.value.__cause__)


def all_of(folder):
    """Load header and arrays; None if that raises a UserError."""
    with whole_or_one_line():
        loaded = dataset_in(folder).load()
        return loaded.header, {name: loaded[name].tolist() for name in loaded.arrays}
    return None


def test_flipped_bits_are_detected(tmp_path):
    dataset = dataset_in(tmp_path, NEW)
    dataset.save(Tensors({"weight": ARRAYS["weight"][:1]}, {"std": "[0.2]"}))
    path, whole = Path(dataset._get_load_path()), all_of(tmp_path)
    for position in range(path.stat().st_size):
        for bit in range(8):
            flip(path, position, bit)
            assert all_of(tmp_path) is None, (position, bit)
            flip(path, position, bit)
    assert all_of(tmp_path) == whole


def test_damage_after_loading_is_detected(tmp_path):
    dataset = dataset_in(tmp_path)
    dataset.save(Tensors(ARRAYS, {}))
    loaded = dataset.load()
    np.testing.assert_array_equal(loaded["weight"], ARRAYS["weight"])
    in_the_header = {"a bit in the middle flipped"}  # which has been read
    for name in DAMAGE.keys() - in_the_header:
        DAMAGE[name](Path(dataset._get_load_path()))
        for read in (loaded.__getitem__, partial(mapped, loaded)):
            with pytest.raises(UserError):
                read("weight")
        shutil.rmtree(tmp_path / "t.safetensors")
        dataset_in(tmp_path).save(Tensors(ARRAYS, {}))
        np.testing.assert_array_equal(loaded["weight"], ARRAYS["weight"])


def test_other_entry_in_its_place_is_detected(tmp_path):
    dataset_in(tmp_path).save(Tensors(ARRAYS, {}))
    (tmp_path / "t.safetensors" / NEW / "t.safetensors").rename(tmp_path / "other")
    TensorsDataset(filepath=str(tmp_path / "u.safetensors"), version=at(NEW)).save(Tensors(ARRAYS, {}))
    (tmp_path / "u.safetensors" / NEW / "u.safetensors").rename(tmp_path / "t.safetensors" / NEW / "t.safetensors")
    with pytest.raises(
        DatasetError, match=rf"is '{NEW}/u.safetensors' according to its header, '{NEW}/t.safetensors' expected"
    ):
        dataset_in(tmp_path).load()


def test_all_dtypes_are_verified(tmp_path):
    types = ("f2", "f4", "f8", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "?")
    arrays = {name: np.ones((2, 3), name) for name in types} | {"none": np.zeros((0, 4)), "one": np.array(1.5)}
    dataset_in(tmp_path).save(Tensors(arrays, {}))
    loaded = dataset_in(tmp_path).load()
    for name, array in arrays.items():
        np.testing.assert_array_equal(loaded[name], array, strict=True)
        np.testing.assert_array_equal(mapped(loaded, name), array, strict=True)


def test_file_of_another_program_is_refused(tmp_path):
    safetensors.numpy.save_file(ARRAYS, tmp_path / "t.safetensors")
    with pytest.raises(DatasetError, match="written by an earlier version or another program"):
        TensorsDataset(filepath=str(tmp_path / "t.safetensors")).load()


def test_failed_save_keeps_the_last_version(tmp_path, monkeypatch):
    dataset_in(tmp_path, OLD).save(Tensors(ARRAYS, {}))
    before = files_under(tmp_path)

    def full(arrays, path, metadata):
        path.write_bytes(b"half")
        raise SafetensorError("I/O error: No space left on device (os error 28)")

    monkeypatch.setattr(module, "save_file", full)
    with pytest.raises(DatasetError) as caught:
        dataset_in(tmp_path).save(Tensors(ARRAYS, {}))
    assert isinstance(caught.value.__cause__, UserError)
    assert files_under(tmp_path) == before
    assert dataset_in(tmp_path).load().header["version"] == OLD


def test_preview_lists_arrays_and_header(tmp_path):
    dataset = dataset_in(tmp_path)
    dataset.save(Tensors(ARRAYS, {"architecture": "resnet18"}))
    preview = dataset.preview()
    assert preview["columns"] == ["name", "dtype", "shape"]
    assert ["weight", "F32", "(2, 3)"] in preview["data"]
    assert ["architecture", "header", "resnet18"] in preview["data"]
    json.dumps(preview)


def encoder(version="v1", mark="f1"):
    return Tensors({}, {"version": version, "fingerprint": mark})


def latents(version="v1", mark="f1"):
    return Tensors({}, {"encoder_version": version, "encoder_fingerprint": mark})


def test_features_of_the_same_encoder_are_accepted():
    check_same_encoder(encoder(), latents(), latents())


@pytest.mark.parametrize("other", [latents("v0", "f1"), latents("v1", "f0"), Tensors({}, {})])
def test_features_of_another_encoder_are_refused(other):
    with pytest.raises(UserError):
        check_same_encoder(encoder(), latents(), other)


def test_error_names_both_versions_and_remedies():
    with pytest.raises(UserError, match=r"encoder v0 .* encoder v1: .* extract .* --load-versions encoder:v0"):
        check_same_encoder(encoder(), latents("v0", "f0"))
