"""Batches of training images on the device."""

from collections import deque
from collections.abc import Callable, Generator, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from itertools import islice
from typing import Protocol, TypeVar

import numpy as np
import torch
from torch import Tensor

CHUNK = 1024  # images per copy to the device
MEMORY_FRACTION = 0.5  # of a GPU's free memory; the rest is for the networks
PREFETCHED = 2  # chosen: one batch is made while another one waits

Copying = tuple[Tensor, torch.cuda.Event]
Item = TypeVar("Item")
Result = TypeVar("Result")


def prefetch(
    work: Callable[[Item], Result], items: Iterable[Item], depth: int = PREFETCHED
) -> Generator[Result, None, None]:
    """`map(work, items)`, computed in a background thread that is up to `depth` results ahead.

    An exception in `work` is raised in the place of its result. The thread ends when the generator is exhausted or
    closed, and on an error. `items` is iterated in the thread of the caller.
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
    """Copies batches to a CUDA device on its own stream, so that the computing stream does not wait for them."""

    def __init__(self, device: torch.device) -> None:
        """Create the stream of `device`."""
        self._stream = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]  # torch leaves it untyped

    def start(self, make: Callable[[], Tensor]) -> Copying:
        """Make a batch on the CPU and starts to copy it. Does not wait for the copy; may be called in any thread."""
        with torch.cuda.stream(self._stream):
            # PyTorch keeps the pinned memory until the copy is done, though nothing refers to it any more.
            copy = make().pin_memory().to(self._stream.device, non_blocking=True)
            return copy, self._stream.record_event()

    def wait(self, copying: Copying) -> Tensor:
        """The batch. Later operations of the calling thread on the device run after the copy."""
        copy, done = copying
        computing = torch.cuda.current_stream(copy.device)
        computing.wait_event(done)
        # Otherwise the copying stream, which owns the memory, could reuse it while the other one still reads.
        copy.record_stream(computing)
        return copy


class Images(Protocol):
    """`count` training images."""

    count: int

    def batches(self, indices: Iterable[Tensor]) -> Generator[Tensor, None, None]:
        """Batches (n, 3, H, W) uint8 on the device, of the images at each of `indices`, (n,) int64 in ascending order.

        Close the generator if you do not exhaust it.
        """
        ...


def load_images(parts: Sequence[np.ndarray], device: torch.device) -> Images:
    """The concatenated images of all `parts`, each (n, 3, H, W) uint8.

    All images are copied to a CUDA device if they fit into half of its free memory. Otherwise each batch is read from
    the parts, which may be memory maps; for a CUDA device it is prefetched in the background.
    """
    filled = [part for part in parts if len(part)]
    if device.type == "cuda":
        free, _ = torch.cuda.mem_get_info(device)
        if sum(part.nbytes for part in filled) <= MEMORY_FRACTION * free:
            return DeviceImages(filled, device)
        return PrefetchedImages(filled, CudaCopy(device))
    return HostImages(filled, device)


class DeviceImages:
    """Images that are all on the device."""

    def __init__(self, parts: Sequence[np.ndarray], device: torch.device) -> None:
        """Copy `parts`, arrays (n, 3, H, W) uint8, to `device`, one after the other."""
        self.count = sum(len(part) for part in parts)
        self._pixels = torch.empty((self.count, *parts[0].shape[1:]), dtype=torch.uint8, device=device)
        done = 0
        for part in parts:
            for start in range(0, len(part), CHUNK):
                piece = np.array(part[start : start + CHUNK])
                self._pixels[done : done + len(piece)] = torch.from_numpy(piece)
                done += len(piece)

    def batches(self, indices: Iterable[Tensor]) -> Generator[Tensor, None, None]:
        """See `Images`."""
        for picked in indices:
            yield self._pixels[picked.to(self._pixels.device, non_blocking=True)]


class HostImages:
    """Images in arrays or memory maps on the host. Each batch is read on demand."""

    def __init__(self, parts: Sequence[np.ndarray], device: torch.device) -> None:
        """Keep `parts`, arrays (n, 3, H, W) uint8, from which batches are copied to `device`."""
        self._parts = ConcatArray(parts)
        self._device = device
        self.count = self._parts.count

    def batches(self, indices: Iterable[Tensor]) -> Generator[Tensor, None, None]:
        """See `Images`."""
        for picked in indices:
            yield self._parts.gather(picked).to(self._device)


class PrefetchedImages:
    """Images in arrays or memory maps on the host. Batches are prefetched in a background thread."""

    def __init__(self, parts: Sequence[np.ndarray], copy: CudaCopy) -> None:
        """Keep `parts`, arrays (n, 3, H, W) uint8, from which `copy` makes batches on the device."""
        self._parts = ConcatArray(parts)
        self._copy = copy
        self.count = self._parts.count

    def batches(self, indices: Iterable[Tensor]) -> Generator[Tensor, None, None]:
        """See `Images`."""
        with closing(prefetch(self._start_copy, indices)) as started:
            for copying in started:
                yield self._copy.wait(copying)

    def _start_copy(self, picked: Tensor) -> Copying:
        return self._copy.start(lambda: self._parts.gather(picked))


class ConcatArray:
    """The concatenation of arrays (n, 3, H, W) uint8, none of which is read completely."""

    def __init__(self, parts: Sequence[np.ndarray]) -> None:
        """Keep `parts`, arrays (n, 3, H, W) uint8, in their order."""
        self._parts = parts
        self._starts = np.cumsum([0, *(len(part) for part in parts)])
        self.count = int(self._starts[-1])

    def gather(self, indices: Tensor) -> Tensor:
        """The images at `indices`, (n,) int64 in ascending order, on the CPU."""
        wanted = indices.numpy()
        starts = self._starts[:-1]
        cuts = np.searchsorted(wanted, self._starts)
        pieces = [
            part[wanted[low:high] - start]
            for part, start, low, high in zip(self._parts, starts, cuts[:-1], cuts[1:], strict=True)
        ]
        return torch.from_numpy(np.concatenate(pieces))
