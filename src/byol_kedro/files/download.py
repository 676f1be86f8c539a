"""One file over HTTP(S): what breaks off goes on where it ended, in this process or the next.

Size and md5 of the file are known beforehand. Whoever serves it, the bytes are the same, so a part may go on from
any server and needs no ETag; should a server have sent something else, the size or the md5 tells.
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
from byol_kedro.files.atomic import flush, size_text
from byol_kedro.files.masking import masked, masked_text
from byol_kedro.files.progress_bar import ProgressBar
from byol_kedro.files.user_files import is_regular
from byol_kedro.log import get_logger

logger = get_logger(__name__)

TRIES = 5  # in a row that bring nothing new; chosen, with the waits between them some 15 seconds
FIRST_WAIT = 1.0  # seconds, doubled after each try
LONGEST_WAIT = 120.0  # seconds, also where Retry-After asks for more
TIMEOUT = 30.0  # seconds without a byte after which a connection counts as broken
CHUNK = 1 << 20  # bytes
SHOWN = 200  # letters of what a server says
PASSING = {408, 425, 429, 500, 502, 503, 504}  # answers that may be others a moment later


class BrokenError(Exception):
    """The file is not whole yet, and the next try may go on; `wait` is what the server asks for, in seconds."""

    def __init__(self, reason: str, wait: float | None = None) -> None:
        super().__init__(reason)
        self.wait = wait


def download(url: str, path: Path, size: int, md5: str) -> None:
    """`path` is there, whole and checked, or not at all; what has come so far is kept in `<path>.part`.

    Args:
        url: http:// or https://.
        size: bytes.
        md5: in hex. A file of another md5 is removed.

    Raises:
        UserError: nothing is served there, or another file, or it broke off `TRIES` times in a row without a new byte.
        OSError: from the file system only, for example a full disk.
    """
    part = part_of(path)
    best, tries = _length(part), 0
    with ProgressBar(f"fetching {path.name}", size, best) as bar:
        while True:
            try:
                _go_on(url, part, size, bar)
                break
            except BrokenError as broken:
                reached = _length(part)
                # A server that always begins anew and breaks off at the same place brings nothing new.
                tries = 0 if reached > best else tries + 1
                best = max(best, reached)
                _wait(masked(url), broken, tries, f"{size_text(reached)} of {size_text(size)}")
    try:
        check(part, size, md5)
    except UserError as error:
        part.unlink()
        raise UserError(f"{masked(url)}: another file was sent, and is removed ({error})") from None
    flush(part)
    part.replace(path)
    flush(path.parent)


def part_of(path: Path) -> Path:
    """Where the bytes of `path` are kept until it is whole."""
    return path.with_name(f"{path.name}.part")


def check(path: Path, size: int, md5: str) -> None:
    """Raises UserError when the file is of another size or md5."""
    if _length(path) != size:
        raise UserError(f"{path}: {_length(path)} bytes found, {size} expected")
    with path.open("rb") as file:
        digest = md5_hash(usedforsecurity=False)
        while chunk := file.read(CHUNK):
            digest.update(chunk)
    if digest.hexdigest() != md5:
        raise UserError(f"{path}: md5 {digest.hexdigest()} found, {md5} expected")


def _length(path: Path) -> int:
    return path.stat().st_size if is_regular(path) else 0


def _wait(place: str, broken: BrokenError, tries: int, so_far: str) -> None:
    if tries == TRIES:
        raise UserError(
            f"{place}: {broken} ({so_far} are here, {TRIES} tries in a row brought no more); "
            "run the command again to go on from there"
        ) from broken
    seconds = min(FIRST_WAIT * 2 ** max(0, tries - 1) if broken.wait is None else broken.wait, LONGEST_WAIT)
    logger.warning("%s: %s; %s are here, going on in %.0f s", place, broken, so_far, seconds)
    time.sleep(seconds)


def _go_on(url: str, part: Path, size: int, bar: ProgressBar) -> None:
    """One request for what `part` lacks; raises BrokenError unless `part` has `size` bytes afterwards."""
    if _length(part) > size:
        part.unlink()
    done = _length(part)
    if done == size:
        return
    with _open(url, part, done) as response:
        done = _begins_at(response, masked(url), part, done, size)
        with part.open("ab" if done else "wb") as file:
            for chunk in _body(response):
                done += len(chunk)
                if done > size:
                    break
                file.write(chunk)
                bar.update(done)
    if done > size:
        part.unlink()
        raise UserError(f"{masked(url)}: more than the {size} bytes expected were sent: this is another file")
    if done < size:
        raise BrokenError("the connection ended too early")


def _open(url: str, part: Path, done: int) -> Any:
    """The answer: an http.client.HTTPResponse, which urlopen does not say."""
    headers = {"User-Agent": "byol_kedro"} | ({"Range": f"bytes={done}-"} if done else {})
    request = Request(url, headers=headers)  # noqa: S310  # http(s) only: parameters.py and the archives see to it
    try:
        return urlopen(request, timeout=TIMEOUT)  # noqa: S310  # as above
    except HTTPError as error:
        error.close()
        answer = f"the server answers {error.code} {_line(error.reason)}"
        if error.code == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE and done:
            part.unlink()
            raise BrokenError(f"{answer}, beginning anew") from None
        if error.code in PASSING:
            raise BrokenError(answer, _retry_after(error.headers)) from None
        raise UserError(f"{masked(url)}: {answer}") from None
    except (ValueError, InvalidURL) as error:
        # What the error says of a part of the address may be what is masked in the whole.
        why = error if masked(url) == url else "a user and a password in it are not understood"
        raise UserError(f"{masked(url)}: not an address that can be fetched ({why})") from error
    except (OSError, HTTPException) as error:
        raise BrokenError(_line(getattr(error, "reason", error))) from error


def _begins_at(response: Any, place: str, part: Path, asked: int, size: int) -> int:
    """Where in the file the body begins: at `asked`, or at 0 where the server ignores ranges."""
    if response.headers.get_content_type() == "text/html":
        raise UserError(f"{place}: a web page was sent instead of the file; does the address need a login?")
    total = response.headers.get("Content-Length")
    begin = 0
    if response.status == HTTPStatus.PARTIAL_CONTENT:
        found = re.fullmatch(r"bytes (\d+)-\d+/(\d+|\*)", response.headers.get("Content-Range", ""))
        if not found or int(found[1]) != asked:
            part.unlink(missing_ok=True)
            raise BrokenError("another range was sent than asked for, beginning anew")
        begin, total = asked, found[2]
    if total not in {None, "*", str(size)}:
        raise UserError(f"{place}: a file of {total} bytes is offered, {size} expected: this is another file")
    return begin


def _body(response: Any) -> Iterator[bytes]:
    try:
        # read1 gives what has arrived: nothing of it is lost when the connection breaks.
        while chunk := response.read1(CHUNK):
            yield chunk
    except (OSError, HTTPException) as error:
        raise BrokenError(_line(error)) from error


def _line(said: object) -> str:
    """What a server or an error says, which may be anything, as a short line for the screen."""
    text = masked_text(str(said)) or type(said).__name__
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())[:SHOWN]


def _retry_after(headers: Message) -> float | None:
    """Seconds, of a number or a date; none where the server does not say."""
    text = headers.get("Retry-After", "").strip()
    if text.isdecimal():
        return float(text)
    try:
        return max(0.0, parsedate_to_datetime(text).timestamp() - time.time())
    except ValueError:
        return None
