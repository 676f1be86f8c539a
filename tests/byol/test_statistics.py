"""Mean and standard deviation of all pixels."""

import mmap
import sys

import numpy as np
import pytest

from byol_kedro.byol import statistics
from byol_kedro.byol.statistics import channel_statistics, chunks
from tests.support.memory import resident


def parts(*lengths):
    rng = np.random.default_rng(0)
    return [rng.integers(0, 256, (n, 3, 4, 4), dtype=np.uint8) for n in lengths]


def test_statistics_equal_those_of_numpy(monkeypatch):
    monkeypatch.setattr(statistics, "CHUNK", 3)
    arrays = parts(5, 0, 7)
    mean, std = channel_statistics(arrays)
    joined = np.concatenate(arrays).astype(np.float64) / 255
    np.testing.assert_allclose(mean, joined.mean(axis=(0, 2, 3)), rtol=1e-12)
    np.testing.assert_allclose(std, joined.std(axis=(0, 2, 3)), rtol=1e-12)


@pytest.mark.parametrize("value", [0, 77, 255])
def test_a_constant_channel_has_std_zero(value):
    pixels = parts(4)[0]
    pixels[:, 2] = value
    mean, std = channel_statistics([pixels])
    assert (mean[2], std[2]) == (value / 255, 0)


def test_no_images_give_empty_statistics():
    assert channel_statistics(parts(0, 0)) == ((), ())


@pytest.mark.skipif(sys.platform != "linux", reason="what is resident is read from /proc")
def test_chunks_of_a_map_are_released_from_memory(tmp_path, monkeypatch):
    monkeypatch.setattr(statistics, "CHUNK", 16)
    pixels = np.random.default_rng(0).integers(0, 256, (64, 3, 64, 64), dtype=np.uint8)
    pixels.tofile(tmp_path / "pixels")
    mapped = np.memmap(tmp_path / "pixels", dtype=np.uint8, mode="r", shape=pixels.shape)
    assert isinstance(mapped.base, mmap.mmap)
    assert np.array_equal(np.concatenate(list(chunks(mapped))), pixels)
    assert resident(tmp_path / "pixels") == 0
