"""Files behind the addresses of fsspec (`s3://`, `gs://`, `https://`, `memory://`): listed, and read in blocks.

A block that does not arrive is asked for again, so that a connection that breaks off costs one block.
"""

import errno
import io
import os
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from pathlib import Path, PurePosixPath
from typing import IO, Any, Self, TypeVar, cast
from uuid import uuid4

from byol_kedro.errors import UserError
from byol_kedro.files.user_files import is_regular, open_regular
from byol_kedro.log import get_logger

BLOCK = 4 << 20  # bytes that are asked for at once
WAITS = (0.5, 1.0, 2.0, 4.0)  # seconds before the second to fifth try
READERS = 16  # files that are read at the same time
# Keys by which file systems tell that a file has changed.
_VALIDATORS = (
    "ETag", "etag", "md5Hash", "content_md5", "generation", "VersionId", "LastModified", "Last-Modified", "mtime",
    "last_modified", "created",
)  # fmt: skip
_FINAL = (IsADirectoryError, NotImplementedError, TypeError)

logger = get_logger(__name__)
T = TypeVar("T")


class RemoteError(UserError):
    """An address that cannot be read, after several tries if another try may help."""


class RemotePath:
    """A file or folder behind an address, with those methods of `Path` that sources use."""

    def __init__(self, address: str, options: Mapping[str, Any] | None = None, file_system: Any = None) -> None:
        """Open the file system.

        Args:
            address: The address, without secrets.
            options: Arguments of the file system, such as credentials.
            file_system: The file system if it is open already.

        Raises:
            RemoteError: There is no such file system, its package is missing, or an option is wrong.
        """
        self._address, self._fs = address.rstrip("/"), file_system
        if file_system is None:
            import fsspec  # noqa: PLC0415  # takes long, and most sources are local

            try:
                self._fs, _ = fsspec.core.url_to_fs(address, **(options or {}))
            except Exception as error:  # noqa: BLE001  # file systems raise many types of exceptions
                raise RemoteError(f"{address} cannot be opened: {_reason(error)}") from None
        self._path = str(self._fs._strip_protocol(self._address))  # noqa: SLF001  # what fsspec's own functions call

    def __str__(self) -> str:
        """Return the address."""
        return self._address

    def __truediv__(self, name: str) -> Self:
        """Return the address of a file below."""
        return type(self)(f"{self._address}/{name}", file_system=self._fs)

    @property
    def name(self) -> str:
        """The last part of the address."""
        return self._address.rpartition("/")[2]

    @property
    def suffix(self) -> str:
        """The suffix of the name."""
        return PurePosixPath(self.name).suffix

    @property
    def parent(self) -> Self:
        """The address without its last part."""
        return type(self)(self._address.rpartition("/")[0], file_system=self._fs)

    def resolve(self) -> Self:
        """Return the address: there are no links."""
        return self

    def exists(self) -> bool:
        """Return whether there is a file or a folder."""
        return bool(self._again(self._fs.exists))

    def is_dir(self) -> bool:
        """Return whether there is a folder."""
        return bool(self._again(self._fs.isdir))

    def is_file(self) -> bool:
        """Return whether there is a file."""
        return bool(self._again(self._fs.isfile))

    def find(self) -> dict[str, str]:
        """Return the state, see `state`, of each file below by its relative name, in the order of names."""
        found = self._again(lambda path: self._fs.find(path, detail=True))
        prefix = f"{self._path.rstrip('/')}/"
        return {
            name.removeprefix(prefix): _state(info)
            for name, info in sorted(found.items())
            if name.startswith(prefix) and not name.endswith("/")
        }

    def state(self) -> str:
        """Return a text that changes whenever the content may have changed.

        Raises:
            OSError: The file does not exist or may not be read.
        """
        return _state(self._again(self._fs.info))

    def read_bytes(self) -> bytes:
        """Return the content.

        Raises:
            OSError: As in `state`.
        """
        return bytes(self._again(self._fs.cat_file))

    def open(self) -> IO[bytes]:
        """Open the file for reading in blocks, at any position.

        Raises:
            OSError: As in `state`.
        """
        size = self._again(self._fs.info).get("size")
        if size is None:
            raise RemoteError(f"{self}: the server does not tell the size of the file; copy it to a disk")
        return cast("IO[bytes]", io.BufferedReader(_Blocks(self, int(size)), BLOCK))

    def read_block(self, start: int, end: int) -> bytes:
        """Return the bytes from `start` to before `end`."""

        def read(path: str) -> bytes:
            block = bytes(self._fs.cat_file(path, start=start, end=end))
            if len(block) != end - start:
                raise ConnectionError(f"{len(block)} bytes received, {end - start} expected")
            return block

        return self._again(read)

    def _again(self, ask: Callable[[str], T]) -> T:
        """Ask the file system, several times if the connection breaks off."""
        for wait in (*WAITS, None):
            try:
                return ask(self._path)
            except FileNotFoundError:
                raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(self)) from None
            except PermissionError as error:
                raise PermissionError(errno.EACCES, f"access denied ({_reason(error)})", str(self)) from None
            except _FINAL:
                raise
            except Exception as error:
                if wait is None or type(error).__name__ == "NoCredentialsError":
                    raise RemoteError(f"{self} cannot be read: {_reason(error)}") from error
                logger.debug("%s: %s, trying again", self, _reason(error))
                time.sleep(wait)
        raise AssertionError


class _Blocks(io.RawIOBase):
    """A file of known size whose bytes are asked for as they are read."""

    def __init__(self, path: RemotePath, size: int) -> None:
        self._path, self._size, self._position = path, size, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._size}[whence]
        self._position = max(0, start + offset)
        return self._position

    def readinto(self, buffer: Any) -> int:
        end = min(self._position + min(len(buffer), BLOCK), self._size)
        if end <= self._position:
            return 0
        block = self._path.read_block(self._position, end)
        buffer[: len(block)] = block
        self._position = end
        return len(block)


def open_file(path: Path | RemotePath) -> IO[bytes]:
    """Open a regular file, or one behind an address, for reading.

    Raises:
        OSError: It does not exist, may not be read or is something else.
    """
    return path.open() if isinstance(path, RemotePath) else open_regular(path)


def is_file(path: Path | RemotePath) -> bool:
    """Return whether there is a file, as `is_regular` does."""
    return path.is_file() if isinstance(path, RemotePath) else is_regular(path)


def read_all(paths: Iterable[RemotePath]) -> Iterator[bytes | OSError]:
    """Yield the content of each file in order, or why it cannot be read; some are read ahead."""
    left = iter(paths)
    waiting: deque[Future[bytes | OSError]] = deque()
    with ThreadPoolExecutor(READERS) as readers:
        try:
            waiting.extend(readers.submit(_content, path) for path in islice(left, READERS))
            while waiting:
                content = waiting.popleft().result()
                waiting.extend(readers.submit(_content, path) for path in islice(left, 1))
                yield content
        finally:
            readers.shutdown(cancel_futures=True)


def _content(path: RemotePath) -> bytes | OSError:
    try:
        return path.read_bytes()
    except OSError as error:
        return error


def _state(info: Mapping[str, Any]) -> str:
    found = [f"{key} {info[key]}" for key in _VALIDATORS if info.get(key) is not None]
    # Without a validator, a file may have changed at any time.
    return f"{info.get('size')} {' '.join(found) if found else uuid4()}"


def _reason(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__
