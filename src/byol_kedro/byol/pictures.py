"""The training pictures, from where a batch of them reaches the device."""

from collections.abc import Sequence
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

CHUNK = 1024
SHARE_OF_MEMORY = 0.5  # of a GPU's free memory; the rest is for the networks


class Pictures(Protocol):
    """`count` pictures; `batch` gives those at `indices` (n,) int64, ascending: (n, 3, H, W) uint8."""

    count: int

    def batch(self, indices: Tensor) -> Tensor: ...


def place_pictures(parts: Sequence[np.ndarray], device: torch.device) -> Pictures:
    """The pictures of all `parts`, each (n, 3, H, W) uint8, one after the other.

    They lie whole on a CUDA device where half of its free memory holds them; otherwise batches are gathered
    from the parts, which may be memory maps.
    """
    filled = [part for part in parts if len(part)]
    if device.type == "cuda":
        free, _ = torch.cuda.mem_get_info(device)
        if sum(part.nbytes for part in filled) <= SHARE_OF_MEMORY * free:
            return DevicePictures(filled, device)
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

    def batch(self, indices: Tensor) -> Tensor:
        return self._pixels[indices.to(self._pixels.device)]


class HostPictures:
    """Pictures that stay where they are: no part is ever read whole."""

    def __init__(self, parts: Sequence[np.ndarray], device: torch.device) -> None:
        self._parts = parts
        self._device = device
        self._starts = np.cumsum([0, *(len(part) for part in parts)])
        self.count = int(self._starts[-1])

    def batch(self, indices: Tensor) -> Tensor:
        wanted = indices.numpy()
        starts = self._starts[:-1]
        cuts = np.searchsorted(wanted, self._starts)
        pieces = [
            part[wanted[low:high] - start]
            for part, start, low, high in zip(self._parts, starts, cuts[:-1], cuts[1:], strict=True)
        ]
        gathered = torch.from_numpy(np.concatenate(pieces))
        if self._device.type == "cuda":
            gathered = gathered.pin_memory()
        return gathered.to(self._device, non_blocking=True)
