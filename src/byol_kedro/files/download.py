"""Downloads one file over HTTP(S). An interrupted download is resumed, in this process or the next.

Size and MD5 sum of the file are known in advance. A partial file may therefore be continued from any server without an
ETag; if a server has sent something else, the size or the MD5 sum does not match.
"""

import re
import time
from collections.abc import Iterator
from email.message import Message
from email.utils import parsedate_to_datetime
from hashlib import md5 as md5_hash
from http import HTTPStatus
from http.client import HTTPException, InvalidURL
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from byol_kedro.errors import UserError
from byol_kedro.files.atomic import fsync, size_text
from byol_kedro.files.masking import masked, masked_text
from byol_kedro.files.progress_bar import ProgressBar
from byol_kedro.files.user_files import is_regular
from byol_kedro.log import get_logger

logger = get_logger(__name__)

MAX_TRIES = 5  # in a row without progress; with the waits between them about 15 seconds
FIRST_WAIT = 1.0  # seconds, doubled after each try
MAX_WAIT = 120.0  # seconds, even if Retry-After asks for more
TIMEOUT = 30.0  # seconds without a byte before a connection is closed
CHUNK = 1 << 20  # bytes
SHOWN = 200  # characters of a server message
TRANSIENT_STATUS = {408, 425, 429, 500, 502, 503, 504}


class TransferError(Exception):
    """A transfer that stopped and can be resumed; `wait` are the seconds that the server asks for, if any."""

    def __init__(self, reason: str, wait: float | None = None) -> None:
        """Set the reason and the wait."""
        super().__init__(reason)
        self.wait = wait


def download(url: str, path: Path, size: int, md5: str) -> None:
    """Download and verify a file. Until it is complete, the data are in `<path>.part`.

    Args:
        url: Address, http:// or https://.
        path: Where the file is written.
        size: Expected size in bytes.
        md5: Expected MD5 sum, hex. A file with another one is removed.

    Raises:
        UserError: The server does not have the file, sends another one, or stops `MAX_TRIES` times without progress.
        OSError: The file system fails, for example because the disk is full.
    """
    part = part_of(path)
    best, tries = _length(part), 0
    with ProgressBar(f"downloading {path.name}", size, best) as bar:
        while True:
            try:
                _resume(url, part, size, bar)
                break
            except TransferError as error:
                reached = _length(part)
                # A server that always restarts and stops at the same position makes no progress.
                tries = 0 if reached > best else tries + 1
                best = max(best, reached)
                _wait(masked(url), error, tries, f"{size_text(reached)} of {size_text(size)}")
    try:
        check(part, size, md5)
    except UserError as error:
        part.unlink()
        raise UserError(f"{masked(url)}: the server sent another file, which was removed ({error})") from None
    fsync(part)
    part.replace(path)
    fsync(path.parent)


def part_of(path: Path) -> Path:
    """Return the path of the partial file."""
    return path.with_name(f"{path.name}.part")


def check(path: Path, size: int, md5: str) -> None:
    """Check size and MD5 sum of a file.

    Raises:
        UserError: One of them differs.
    """
    if _length(path) != size:
        raise UserError(f"{path}: {_length(path)} bytes found, {size} expected")
    with path.open("rb") as file:
        digest = md5_hash(usedforsecurity=False)
        while chunk := file.read(CHUNK):
            digest.update(chunk)
    if digest.hexdigest() != md5:
        raise UserError(f"{path}: MD5 {digest.hexdigest()} found, {md5} expected")


def _length(path: Path) -> int:
    return path.stat().st_size if is_regular(path) else 0


def _wait(url: str, error: TransferError, tries: int, received: str) -> None:
    if tries == MAX_TRIES:
        raise UserError(
            f"{url}: {error} ({received} received, {MAX_TRIES} tries in a row without progress); "
            "run the command again to resume"
        ) from error
    seconds = min(FIRST_WAIT * 2 ** max(0, tries - 1) if error.wait is None else error.wait, MAX_WAIT)
    logger.warning("%s: %s; %s received, trying again in %.0f s", url, error, received, seconds)
    time.sleep(seconds)


def _resume(url: str, part: Path, size: int, bar: ProgressBar) -> None:
    """Request the missing bytes once. Raises TransferError unless `part` has `size` bytes afterwards."""
    if _length(part) > size:
        part.unlink()
    done = _length(part)
    if done == size:
        return
    with _open(url, part, done) as response:
        done = _start_of_body(response, masked(url), part, done, size)
        with part.open("ab" if done else "wb") as file:
            for chunk in _body(response):
                done += len(chunk)
                if done > size:
                    break
                file.write(chunk)
                bar.update(done)
    if done > size:
        part.unlink()
        raise UserError(f"{masked(url)}: the server sent more than the expected {size} bytes, so this is another file")
    if done < size:
        raise TransferError("the connection was closed early")


def _open(url: str, part: Path, done: int) -> Any:
    """Send the request and return the http.client.HTTPResponse."""
    headers = {"User-Agent": "byol_kedro"} | ({"Range": f"bytes={done}-"} if done else {})
    request = Request(url, headers=headers)  # noqa: S310  # http(s) only: validated in parameters.py
    try:
        return urlopen(request, timeout=TIMEOUT)  # noqa: S310  # as above
    except HTTPError as error:
        error.close()
        answer = f"the server answered {error.code} {_line(error.reason)}"
        if error.code == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE and done:
            part.unlink()
            raise TransferError(f"{answer}, restarting") from None
        if error.code in TRANSIENT_STATUS:
            raise TransferError(answer, _retry_after(error.headers)) from None
        raise UserError(f"{masked(url)}: {answer}") from None
    except (ValueError, InvalidURL) as error:
        # The error may quote a part of the address that is masked.
        why = error if masked(url) == url else "invalid user name or password"
        raise UserError(f"{masked(url)}: invalid address ({why})") from error
    except (OSError, HTTPException) as error:
        raise TransferError(_line(getattr(error, "reason", error))) from error


def _start_of_body(response: Any, url: str, part: Path, asked: int, size: int) -> int:
    """The position of the body in the file: `asked`, or 0 if the server ignores ranges."""
    if response.headers.get_content_type() == "text/html":
        raise UserError(f"{url}: the server sent a web page instead of the file; the address may require a login")
    total = response.headers.get("Content-Length")
    begin = 0
    if response.status == HTTPStatus.PARTIAL_CONTENT:
        found = re.fullmatch(r"bytes (\d+)-\d+/(\d+|\*)", response.headers.get("Content-Range", ""))
        if not found or int(found[1]) != asked:
            part.unlink(missing_ok=True)
            raise TransferError("the server sent another range than requested, restarting")
        begin, total = asked, found[2]
    if total not in {None, "*", str(size)}:
        raise UserError(f"{url}: the server offers a file of {total} bytes, {size} expected, so this is another file")
    return begin


def _body(response: Any) -> Iterator[bytes]:
    try:
        # read1 returns what has arrived, so that nothing is lost when the connection breaks.
        while chunk := response.read1(CHUNK):
            yield chunk
    except (OSError, HTTPException) as error:
        raise TransferError(_line(error)) from error


def _line(message: object) -> str:
    """A message of a server or an error as a short printable line."""
    text = masked_text(str(message)) or type(message).__name__
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())[:SHOWN]


def _retry_after(headers: Message) -> float | None:
    """The header Retry-After in seconds; None if it is missing."""
    text = headers.get("Retry-After", "").strip()
    if text.isdecimal():
        return float(text)
    try:
        return max(0.0, parsedate_to_datetime(text).timestamp() - time.time())
    except ValueError:
        return None
