"""Many image files, decoded by processes beside this one.

They are plain child processes that read paths from a pipe and write pixels into another: nothing is pickled, threads of
this process are not forked, the program's main module is not imported again, and a file that a decoder dies of twice
is one unreadable image.
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

from byol_kedro.files.decode import NarrowPixels, UnreadableImage, decode

Decoded = npt.NDArray[np.uint8] | UnreadableImage

AT_ONCE = 8  # files sent to a decoder together; their paths fit into a pipe, so that sending never waits
_HELLO = b"\x06"
_ANSWER = struct.Struct("<BI")  # what it is, and how many bytes follow
_REASON, _PIXELS, _NARROW = range(3)


def decode_all(paths: Iterable[Path], size: int, processes: int | None = None) -> Iterator[Decoded]:
    """For each path, in order, what `decode` gives, (3, size, size) uint8, or why there is none.

    At most some 30 images a process are held. processes: as many as there are cores, unless given.
    """
    count = processes or _cores()
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
        while some := list(islice(left, AT_ONCE)):
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
    """One child process; it starts with its first file, and anew when it has died."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._process: subprocess.Popen[bytes] | None = None

    def decode(self, paths: list[Path]) -> list[Decoded]:
        done: list[Decoded] = []
        died_at = -1
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
                if died_at < len(done):
                    died_at = len(done)  # once more: the system may have killed it for want of memory
                else:
                    done.append(UnreadableImage(f"the decoder died of it ({_ending(process.returncode)})"))
        return done

    def stop(self) -> None:
        if self._process:
            self._process.communicate()  # closes its input, which ends it

    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is None or self._process.poll() is not None:
            self.stop()
            self._process = self._start()
        return self._process

    def _start(self) -> subprocess.Popen[bytes]:
        here = os.pathsep.join(path for path in sys.path if path)
        process = subprocess.Popen(  # noqa: S603  # this very module
            [sys.executable, "-P", "-m", __name__, str(self._size)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            process_group=0,  # Ctrl-C is this process's to answer; its end ends the decoder's input
            env={**os.environ, "PYTHONPATH": here, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
        )
        assert process.stdout
        if process.stdout.read(1) != _HELLO:
            raise RuntimeError(f"a process to decode images did not start ({_ending(process.wait())})")
        return process


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _ending(code: int) -> str:
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
    """Each path, as soon as it has come."""
    rest = b""
    while piece := os.read(pipe.fileno(), 1 << 16):
        *whole, rest = (rest + piece).split(b"\0")
        yield from (Path(os.fsdecode(path)) for path in whole)


def _serve(size: int) -> None:
    """What the child does: answers each path on its input until that ends."""
    answers = os.fdopen(os.dup(1), "wb")
    # libtiff writes of what it dislikes; the reason travels in the answer.
    silence = os.open(os.devnull, os.O_WRONLY)
    os.dup2(silence, 1)
    os.dup2(silence, 2)
    warnings.simplefilter("ignore")  # of odd metadata, and of size, which is checked
    answers.write(_HELLO)
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
