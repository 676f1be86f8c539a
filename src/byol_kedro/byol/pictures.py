"""The training pictures, from where a batch of them reaches the device."""

from collections.abc import Generator, Iterable, Sequence
from contextlib import closing
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from byol_kedro.byol.prefetch import Copying, CudaCopy, ahead

CHUNK = 1024
SHARE_OF_MEMORY = 0.5  # of a GPU's free memory; the rest is for the networks


class Pictures(Protocol):
    """`count` pictures; `batches` gives those at each of `indices` (n,) int64, ascending: (n, 3, H, W) uint8.

    Whoever does not take all batches closes the generator.
    """

    count: int

    def batches(self, indices: Iterable[Tensor]) -> Generator[Tensor, None, None]: ...


def place_pictures(parts: Sequence[np.ndarray], device: torch.device) -> Pictures:
    """The pictures of all `parts`, each (n, 3, H, W) uint8, one after the other.

    They lie whole on a CUDA device where half of its free memory holds them; otherwise batches are gathered
    from the parts, which may be memory maps: for a CUDA device ahead of time, in the background.
    """
    filled = [part for part in parts if len(part)]
    if device.type == "cuda":
        free, _ = torch.cuda.mem_get_info(device)
        if sum(part.nbytes for part in filled) <= SHARE_OF_MEMORY * free:
            return DevicePictures(filled, device)
        return PrefetchedPictures(filled, CudaCopy(device))
    return HostPictures(filled, device)


class DevicePictures:
    """All pictures on the device, copied there piece by piece."""

    def __init__(self, parts: Sequence[np.ndarray], device: torch.device) -> None:
        self.count = sum(len(part) for part in parts)
        self._pixels = torch.empty((self.count, *parts[0].shape[1:]), dtype=torch.uint8, device=device)
        done = 0
        for part in parts:
            for start in range(0, len(part), CHUNK):
                piece = np.array(part[start : start + CHUNK])
                self._pixels[done : done + len(piece)] = torch.from_numpy(piece)
                done += len(piece)

    def batches(self, indices: Iterable[Tensor]) -> Generator[Tensor, None, None]:
        for picked in indices:
            yield self._pixels[picked.to(self._pixels.device, non_blocking=True)]


class HostPictures:
    """Pictures that stay where they are. Each batch is gathered when it is wanted."""

    def __init__(self, parts: Sequence[np.ndarray], device: torch.device) -> None:
        self._parts = Parts(parts)
        self._device = device
        self.count = self._parts.count

    def batches(self, indices: Iterable[Tensor]) -> Generator[Tensor, None, None]:
        for picked in indices:
            yield self._parts.gather(picked).to(self._device)


class PrefetchedPictures:
    """Pictures that stay where they are. Batches are gathered in a background thread, ahead of whoever waits for them.

    Order and content are those of `HostPictures`.
    """

    def __init__(self, parts: Sequence[np.ndarray], copy: CudaCopy) -> None:
        self._parts = Parts(parts)
        self._copy = copy
        self.count = self._parts.count

    def batches(self, indices: Iterable[Tensor]) -> Generator[Tensor, None, None]:
        with closing(ahead(self._begin, indices)) as begun:
            for copying in begun:
                yield self._copy.wait(copying)

    def _begin(self, picked: Tensor) -> Copying:
        return self._copy.start(lambda: self._parts.gather(picked))


class Parts:
    """Arrays (n, 3, H, W) uint8 as if they were one; none is ever read whole."""

    def __init__(self, parts: Sequence[np.ndarray]) -> None:
        self._parts = parts
        self._starts = np.cumsum([0, *(len(part) for part in parts)])
        self.count = int(self._starts[-1])

    def gather(self, indices: Tensor) -> Tensor:
        """What lies at `indices`, ascending, on the CPU."""
        wanted = indices.numpy()
        starts = self._starts[:-1]
        cuts = np.searchsorted(wanted, self._starts)
        pieces = [
            part[wanted[low:high] - start]
            for part, start, low, high in zip(self._parts, starts, cuts[:-1], cuts[1:], strict=True)
        ]
        return torch.from_numpy(np.concatenate(pieces))
