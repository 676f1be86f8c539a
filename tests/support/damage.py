"""Ways in which a file can be damaged."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from zipfile import ZipFile

from kedro.io import DatasetError
from PIL import Image

from byol_kedro.errors import UserError


@contextmanager
def whole_or_one_line() -> Iterator[None]:
    """Suppress errors that the command line prints as one line."""
    try:
        yield
    except (UserError, DatasetError) as error:
        told = error.__cause__ if isinstance(error, DatasetError) else error
        if not isinstance(told, UserError) or not str(told).isprintable():
            raise


def flip(path: Path, position: int, bit: int = 0) -> None:
    """Flip a bit of the byte at `position`; negative positions count from the end."""
    content = bytearray(path.read_bytes())
    content[position] ^= 1 << bit
    path.write_bytes(content)


def _flip_in_the_middle(path: Path) -> None:
    flip(path, path.stat().st_size // 2, bit=2)


def _turn_to_zeros(path: Path) -> None:
    path.write_bytes(bytes(path.stat().st_size))


def _cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def _add(path: Path) -> None:
    path.write_bytes(path.read_bytes() + b"0")


def _write(content: bytes) -> Callable[[Path], None]:
    return lambda path: path.write_bytes(content) and None


def _png() -> bytes:
    Image.new("RGB", (4, 4)).save(file := BytesIO(), format="PNG")
    return file.getvalue()


def _zip() -> bytes:
    with ZipFile(file := BytesIO(), "w") as archive:
        archive.writestr("data.pkl", b"cos\nsystem\n(S'false'\ntR.")
    return file.getvalue()


def _in_its_place(make: Callable[[Path], object]) -> Callable[[Path], None]:
    def replace(path: Path) -> None:
        path.unlink()
        make(path)

    return replace


DAMAGE: dict[str, Callable[[Path], None]] = {
    "empty": _write(b""),
    "cut": _cut,
    "the first bit flipped": lambda path: flip(path, 0),
    "a bit in the middle flipped": _flip_in_the_middle,
    "a bit at the end flipped": lambda path: flip(path, -2, bit=4),
    "zeros": _turn_to_zeros,
    "longer": _add,
    "an empty object": _write(b"{}"),
    "a list": _write(b"[]"),
    "text": _write(b"no artifact"),
    "an image": _write(_png()),
    "an archive": _write(_zip()),
    "missing": Path.unlink,
    "a folder": _in_its_place(Path.mkdir),
    "a pipe": _in_its_place(os.mkfifo),
    "a device": _in_its_place(lambda path: path.symlink_to("/dev/zero")),
    "a link to nothing": _in_its_place(lambda path: path.symlink_to("nothing")),
    "a link to itself": _in_its_place(lambda path: path.symlink_to(path)),
}
