"""The training images, from where a batch of them reaches the device."""

from collections import deque
from collections.abc import Callable, Generator, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from itertools import islice
from typing import Protocol, TypeVar

import numpy as np
import torch
from torch import Tensor

CHUNK = 1024
SHARE_OF_MEMORY = 0.5  # of a GPU's free memory; the rest is for the networks
DEPTH = 2  # chosen: one batch is being made while another one waits

Copying = tuple[Tensor, torch.cuda.Event]
Item = TypeVar("Item")
Result = TypeVar("Result")


def ahead(work: Callable[[Item], Result], items: Iterable[Item], depth: int = DEPTH) -> Generator[Result, None, None]:
    """`map(work, items)`, worked out in one background thread that is up to `depth` results ahead.

    What `work` raises is raised where its result was due. The thread ends with the generator: at its end, on an error
    and when it is closed. `items` is walked in the thread of the caller.
    """
    rest = iter(items)
    thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="images")
    try:
        waiting = deque(thread.submit(work, item) for item in islice(rest, depth))
        while waiting:
            result = waiting.popleft().result()
            waiting.extend(thread.submit(work, item) for item in islice(rest, 1))
            yield result
    finally:
        thread.shutdown(cancel_futures=True)


class CudaCopy:
    """Copies to a CUDA device on a stream of its own, so that the computing stream does not stand still for them."""

    def __init__(self, device: torch.device) -> None:
        self._stream = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]  # torch leaves it untyped

    def start(self, make: Callable[[], Tensor]) -> Copying:
        """Makes a batch on the CPU and begins to copy it; returns at once, in whichever thread it is called."""
        with torch.cuda.stream(self._stream):
            # PyTorch keeps the pinned block until the copy out of it is done, though no name holds it any more.
            copy = make().pin_memory().to(self._stream.device, non_blocking=True)
            return copy, self._stream.record_event()

    def wait(self, copying: Copying) -> Tensor:
        """The batch; what the calling thread asks of the device from now on comes after the copy."""
        copy, done = copying
        computing = torch.cuda.current_stream(copy.device)
        computing.wait_event(done)
        # Its memory belongs to the copying stream, which would reuse it while the other one still reads.
        copy.record_stream(computing)
        return copy


class Images(Protocol):
    """`count` images; `batches` gives those at each of `indices` (n,) int64, ascending: (n, 3, H, W) uint8.

    Whoever does not take all batches closes the generator.
    """

    count: int

    def batches(self, indices: Iterable[Tensor]) -> Generator[Tensor, None, None]: ...


def place_images(parts: Sequence[np.ndarray], device: torch.device) -> Images:
    """The images of all `parts`, each (n, 3, H, W) uint8, one after the other.

    They lie whole on a CUDA device where half of its free memory holds them; otherwise batches are gathered
    from the parts, which may be memory maps: for a CUDA device ahead of time, in the background.
    """
    filled = [part for part in parts if len(part)]
    if device.type == "cuda":
        free, _ = torch.cuda.mem_get_info(device)
        if sum(part.nbytes for part in filled) <= SHARE_OF_MEMORY * free:
            return DeviceImages(filled, device)
        return PrefetchedImages(filled, CudaCopy(device))
    return HostImages(filled, device)


class DeviceImages:
    """All images on the device, copied there piece by piece."""

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


class HostImages:
    """Images that stay where they are. Each batch is gathered when it is wanted."""

    def __init__(self, parts: Sequence[np.ndarray], device: torch.device) -> None:
        self._parts = Parts(parts)
        self._device = device
        self.count = self._parts.count

    def batches(self, indices: Iterable[Tensor]) -> Generator[Tensor, None, None]:
        for picked in indices:
            yield self._parts.gather(picked).to(self._device)


class PrefetchedImages:
    """Images that stay where they are. Batches are gathered in a background thread, ahead of whoever waits for them.

    Order and content are those of `HostImages`.
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
