"""Decodes many image files in child processes.

A child reads paths from a pipe and writes pixels to another. Unlike with multiprocessing, nothing is pickled, no
threads are forked, the main module of the program is not imported again, and a file that crashes its decoder twice is
one unreadable image.
"""

import os
import queue
import signal
import struct
import subprocess
import sys
import warnings
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from pathlib import Path
from typing import IO

import numpy as np
import numpy.typing as npt

from byol_kedro.files.cores import usable_cores
from byol_kedro.files.decode import NarrowPixels, UnreadableImage, decode

Decoded = npt.NDArray[np.uint8] | UnreadableImage

BATCH_FILES = 8  # sent to a decoder together; their paths fit into a pipe, so that sending never blocks
_READY = b"\x06"
_ANSWER = struct.Struct("<BI")  # kind, number of bytes that follow
_REASON, _PIXELS, _NARROW = range(3)


def decode_all(paths: Iterable[Path], size: int, processes: int | None = None) -> Iterator[Decoded]:
    """Decode files in parallel.

    Args:
        paths: The files.
        size: Height and width of the results.
        processes: Number of child processes; the number of available cores by default.

    Yields:
        For each path in order, pixels (3, size, size) uint8 or an `UnreadableImage`. About 30 images per process are
        held in memory.
    """
    count = processes or usable_cores()
    idle: queue.LifoQueue[_Decoder] = queue.LifoQueue()
    decoders = [_Decoder(size) for _ in range(count)]
    for decoder in reversed(decoders):
        idle.put(decoder)

    def work(some: list[Path]) -> list[Decoded]:
        decoder = idle.get()
        try:
            return decoder.decode(some)
        finally:
            idle.put(decoder)

    left = iter(paths)
    waiting: deque[Future[list[Decoded]]] = deque()
    threads = ThreadPoolExecutor(count)
    try:
        while some := list(islice(left, BATCH_FILES)):
            waiting.append(threads.submit(work, some))
            if len(waiting) > 2 * count:
                yield from waiting.popleft().result()
        while waiting:
            yield from waiting.popleft().result()
    finally:
        threads.shutdown(cancel_futures=True)
        for decoder in decoders:
            decoder.stop()


class _Decoder:
    """One child process. It is started for its first file, and again after a crash."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._process: subprocess.Popen[bytes] | None = None

    def decode(self, paths: list[Path]) -> list[Decoded]:
        done: list[Decoded] = []
        crashed_at = -1
        while len(done) < len(paths):
            process = self._running()
            assert process.stdin
            assert process.stdout
            try:
                process.stdin.write(b"".join(os.fsencode(path) + b"\0" for path in paths[len(done) :]))
                process.stdin.flush()
                while len(done) < len(paths):
                    done.append(_read_answer(process.stdout, self._size))
            except (BrokenPipeError, EOFError):
                self.stop()
                if crashed_at < len(done):
                    crashed_at = len(done)  # try again: the system may have killed it because memory was short
                else:
                    done.append(UnreadableImage(f"the decoder crashed ({_exit_text(process.returncode)})"))
        return done

    def stop(self) -> None:
        if self._process:
            self._process.communicate()  # closes its input, which stops it

    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is None or self._process.poll() is not None:
            self.stop()
            self._process = self._start()
        return self._process

    def _start(self) -> subprocess.Popen[bytes]:
        here = os.pathsep.join(path for path in sys.path if path)
        process = subprocess.Popen(  # noqa: S603  # this module
            [sys.executable, "-P", "-m", __name__, str(self._size)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            process_group=0,  # Ctrl-C is handled by the parent, whose exit closes the input of the child
            env={**os.environ, "PYTHONPATH": here, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
        )
        assert process.stdout
        if process.stdout.read(1) != _READY:
            raise RuntimeError(f"an image decoder process did not start ({_exit_text(process.wait())})")
        return process


def _exit_text(code: int) -> str:
    return f"exit code {code}" if code >= 0 else signal.Signals(-code).name


def _read_answer(pipe: IO[bytes], size: int) -> Decoded:
    kind, length = _ANSWER.unpack(_read(pipe, _ANSWER.size))
    payload = _read(pipe, length)
    if kind == _REASON:
        return UnreadableImage(payload.decode("utf-8"))
    pixels = np.frombuffer(payload, dtype=np.uint8).reshape(3, size, size)
    return pixels.view(NarrowPixels) if kind == _NARROW else pixels


def _read(pipe: IO[bytes], length: int) -> bytes:
    data = pipe.read(length)
    if len(data) < length:
        raise EOFError
    return data


def _paths(pipe: IO[bytes]) -> Iterator[Path]:
    """Yield each path as soon as it has arrived."""
    rest = b""
    while piece := os.read(pipe.fileno(), 1 << 16):
        *whole, rest = (rest + piece).split(b"\0")
        yield from (Path(os.fsdecode(path)) for path in whole)


def _serve(size: int) -> None:
    """Decode each path on standard input; the main loop of a child."""
    answers = os.fdopen(os.dup(1), "wb")
    # libtiff prints its errors; the reason is part of the answer.
    devnull = os.open(os.devnull, os.O_WRONLY)
    os.dup2(devnull, 1)
    os.dup2(devnull, 2)
    warnings.simplefilter("ignore")  # about metadata, and about the size, which is checked
    answers.write(_READY)
    answers.flush()
    for path in _paths(sys.stdin.buffer):
        try:
            pixels = decode(path, size)
            kind, payload = _NARROW if isinstance(pixels, NarrowPixels) else _PIXELS, pixels.tobytes()
        except UnreadableImage as reason:
            kind, payload = _REASON, str(reason).encode("utf-8", "replace")
        answers.write(_ANSWER.pack(kind, len(payload)) + payload)
        answers.flush()


if __name__ == "__main__":
    _serve(int(sys.argv[1]))
