"""Decodes many image files in child processes.

A child reads paths, or the bytes of files, from a pipe and writes pixels to another. Unlike with multiprocessing,
nothing is pickled, no threads are forked, the main module of the program is not imported again, and a file that crashes
its decoder twice is one unreadable image.
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
from pathlib import Path
from typing import IO

import numpy as np
import numpy.typing as npt

from byol_kedro.files.cores import usable_cores
from byol_kedro.files.decode import NarrowPixels, UnreadableImage, decode

Decoded = npt.NDArray[np.uint8] | UnreadableImage

BATCH_FILES = 8  # given to a decoder together, or fewer if they have more than BATCH_BYTES
BATCH_BYTES = 4_000_000
PIPE_BYTES = 60_000  # sent before the answers are read: they fit into a pipe, so that sending never blocks
_READY = b"\x06"
_ANSWER = _REQUEST = struct.Struct("<BI")  # kind, number of bytes that follow
_PATH, _CONTENT = range(2)
_REASON, _PIXELS, _NARROW = range(3)


def decode_all(contents: Iterable[Path | bytes], size: int, processes: int | None = None) -> Iterator[Decoded]:
    """Decode files in parallel.

    Args:
        contents: The files, or their bytes, fewer than 4 GB each.
        size: Height and width of the results.
        processes: Number of child processes; the number of available cores by default.

    Yields:
        For each file in order, pixels (3, size, size) uint8 or an `UnreadableImage`. About 30 images per process are
        held in memory, and 12 MB of bytes per process beyond the largest files.
    """
    count = processes or usable_cores()
    idle: queue.LifoQueue[_Decoder] = queue.LifoQueue()
    decoders = [_Decoder(size) for _ in range(count)]
    for decoder in reversed(decoders):
        idle.put(decoder)

    def work(some: list[Path | bytes]) -> list[Decoded]:
        decoder = idle.get()
        try:
            return decoder.decode(some)
        finally:
            idle.put(decoder)

    left = _groups(contents)
    waiting: deque[Future[list[Decoded]]] = deque()
    threads = ThreadPoolExecutor(count)
    try:
        for some in left:
            waiting.append(threads.submit(work, some))
            if len(waiting) > 2 * count:
                yield from waiting.popleft().result()
        while waiting:
            yield from waiting.popleft().result()
    finally:
        threads.shutdown(cancel_futures=True)
        for decoder in decoders:
            decoder.stop()


def _groups(contents: Iterable[Path | bytes]) -> Iterator[list[Path | bytes]]:
    """Lists of at most `BATCH_FILES` files, of which all but the last together have less than `BATCH_BYTES`."""
    group: list[Path | bytes] = []
    byte_count = 0
    for content in contents:
        group.append(content)
        byte_count += len(content) if isinstance(content, bytes) else 0
        if len(group) == BATCH_FILES or byte_count >= BATCH_BYTES:
            yield group
            group, byte_count = [], 0
    if group:
        yield group


class _Decoder:
    """One child process. It is started for its first file, and again after a crash."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._process: subprocess.Popen[bytes] | None = None

    def decode(self, contents: list[Path | bytes]) -> list[Decoded]:
        done: list[Decoded] = []
        crashed_at = -1
        while len(done) < len(contents):
            process = self._running()
            assert process.stdin
            assert process.stdout
            try:
                for requests in _windows(contents[len(done) :]):
                    process.stdin.writelines(requests)
                    process.stdin.flush()
                    for _ in range(len(requests) // 2):
                        done.append(_read_answer(process.stdout, self._size))  # noqa: PERF401  # kept after a crash
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


def _windows(contents: list[Path | bytes]) -> Iterator[list[bytes]]:
    """Requests, a header and a body each, of `PIPE_BYTES` in all or of a single file."""
    window: list[bytes] = []
    byte_count = 0
    for content in contents:
        kind, body = (_CONTENT, content) if isinstance(content, bytes) else (_PATH, os.fsencode(content))
        if window and byte_count + len(body) + _REQUEST.size > PIPE_BYTES:
            yield window
            window, byte_count = [], 0
        window += [_REQUEST.pack(kind, len(body)), body]
        byte_count += len(body) + _REQUEST.size
    yield window


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


def _requests(pipe: IO[bytes]) -> Iterator[Path | bytes]:
    """Yield each file as soon as it has arrived."""
    while len(header := pipe.read(_REQUEST.size)) == _REQUEST.size:
        kind, length = _REQUEST.unpack(header)
        body = pipe.read(length)
        if len(body) < length:
            return  # the parent has stopped
        yield body if kind == _CONTENT else Path(os.fsdecode(body))


def _serve(size: int) -> None:
    """Decode each file on standard input; the main loop of a child."""
    answers = os.fdopen(os.dup(1), "wb")
    # libtiff prints its errors; the reason is part of the answer.
    devnull = os.open(os.devnull, os.O_WRONLY)
    os.dup2(devnull, 1)
    os.dup2(devnull, 2)
    warnings.simplefilter("ignore")  # about metadata, and about the size, which is checked
    answers.write(_READY)
    answers.flush()
    for content in _requests(sys.stdin.buffer):
        try:
            pixels = decode(content, size)
            kind, payload = _NARROW if isinstance(pixels, NarrowPixels) else _PIXELS, pixels.tobytes()
        except UnreadableImage as reason:
            kind, payload = _REASON, str(reason).encode("utf-8", "replace")
        answers.write(_ANSWER.pack(kind, len(payload)) + payload)
        answers.flush()


if __name__ == "__main__":
    _serve(int(sys.argv[1]))
