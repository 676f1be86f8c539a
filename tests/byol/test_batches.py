"""Batches from several arrays and memory maps."""

import numpy as np
import pytest
import torch

from byol_kedro.byol.batches import DeviceImages, HostImages, load_images

CPU = torch.device("cpu")


def parts(*lengths):
    rng = np.random.default_rng(0)
    return [rng.integers(0, 256, (n, 3, 4, 4), dtype=np.uint8) for n in lengths]


@pytest.mark.parametrize("kind", [HostImages, DeviceImages])
@pytest.mark.parametrize("picked", [[0, 4, 5, 6, 11], [0, 1], [7, 11], [5, 6], [5]])
def test_a_batch_equals_indexing_the_concatenation(kind, picked):
    arrays = parts(5, 1, 6)
    (batch,) = kind(arrays, CPU).batches([torch.tensor(picked)])
    assert batch.dtype == torch.uint8
    assert np.array_equal(batch.numpy(), np.concatenate(arrays)[picked])


def test_a_memory_map_is_not_read_completely(tmp_path):
    np.save(tmp_path / "pixels.npy", parts(9)[0])
    mapped = np.load(tmp_path / "pixels.npy", mmap_mode="r")

    class Watched:
        shape, nbytes, rows = mapped.shape, mapped.nbytes, 0

        def __len__(self):
            return len(mapped)

        def __getitem__(self, index):
            taken = mapped[index]
            self.rows += len(taken)
            return taken

    watched = Watched()
    (batch,) = load_images([watched], CPU).batches([torch.tensor([2, 7])])
    assert (len(batch), watched.rows) == (2, 2)


def test_an_empty_part_is_ignored():
    empty, filled = parts(0, 3)
    images = load_images([empty, filled], CPU)
    assert images.count == 3
    (batch,) = images.batches([torch.tensor([2])])
    assert np.array_equal(batch.numpy(), filled[2:])
