"""Files that cannot be decoded, with the expected reasons."""

import io
import os
import socket
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

Write = Callable[[Path], object]
# The rows of random walks are compressed by codes that zeros are valid in.
WALKS = np.cumsum(np.random.default_rng(0).integers(-3, 4, (128, 128, 3)), axis=1).clip(-100, 100) + 120
SMOOTH = Image.fromarray(WALKS.astype(np.uint8))
IMAGE = Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8))


def encoded(kind: str, image: Image.Image = IMAGE, **options: object) -> bytes:
    file = io.BytesIO()
    image.save(file, format=kind, **options)
    return file.getvalue()


def content(data: bytes) -> Write:
    return lambda path: path.write_bytes(data)


def half(kind: str, **options: object) -> Write:
    data = encoded(kind, **options)
    return content(data[: len(data) // 2])


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(width: int, height: int, *others: bytes) -> bytes:
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return (
        b"\x89PNG\r\n\x1a\n"
        + header
        + b"".join(others)
        + chunk(b"IDAT", zlib.compress(bytes(100)))
        + chunk(b"IEND", b"")
    )


def flipped(data: bytes, position: int) -> bytes:
    return data[:position] + bytes([data[position] ^ 0xFF]) + data[position + 1 :]


def zeroed(data: bytes) -> bytes:
    """The data with zeros instead of the second half."""
    half = len(data) // 2
    return data[:half] + bytes(len(data) - half)


def listen(path: Path) -> None:
    here = Path.cwd()
    os.chdir(path.parent)  # the path of a socket has at most 108 bytes
    try:
        with socket.socket(socket.AF_UNIX) as one:
            one.bind(path.name)
    finally:
        os.chdir(here)


NONE = "not an image: JPEG, PNG, WebP, BMP, TIFF, GIF or AVIF expected"
BAD_IMAGES: dict[str, tuple[str, Write, str]] = {
    "an empty file": ("x.jpg", content(b""), "the file is empty"),
    "text": ("x.jpg", content(b"hello"), NONE),
    "an error page": ("x.jpg", content(b"<html><body>404</body></html>"), NONE),
    "zeros": ("x.png", content(bytes(5000)), NONE),
    "an svg": ("x.png", content(b"<svg xmlns='http://www.w3.org/2000/svg'/>"), NONE),
    "a zip": ("x.png", content(b"PK\x03\x04" + bytes(100)), NONE),
    "a pdf": ("x.jpg", content(b"%PDF-1.7\n" + bytes(100)), NONE),
    "PostScript, which Ghostscript would run": ("x.jpg", content(b"%!PS-Adobe-3.0 EPSF-3.0\n"), NONE),
    "an icon": ("x.png", content(encoded("ICO")), NONE),
    "a signature alone": ("x.png", content(b"\x89PNG\r\n\x1a\n"), NONE),
    "the first bytes of a jpeg": ("x.jpg", content(encoded("JPEG")[:20]), NONE),
    "half a jpeg": ("x.jpg", half("JPEG"), "image file is truncated"),
    "half a progressive jpeg": ("x.jpg", half("JPEG", progressive=True), "image file is truncated"),
    "half a png": ("x.png", half("PNG"), "image file is truncated"),
    "half a webp": ("x.webp", half("WEBP"), "could not create decoder object"),
    "half a bmp": ("x.bmp", half("BMP"), "image file is truncated"),
    "half a tiff": ("x.tif", half("TIFF"), "image file is truncated"),
    "half a gif": ("x.gif", half("GIF"), "image file is truncated"),
    "a png with a wrong sum": ("x.png", content(flipped(encoded("PNG"), 30)), NONE),
    "a png with zeros in its second half": ("x.png", content(zeroed(encoded("PNG", SMOOTH))), "match their checksum"),
    "a png of no width": ("x.png", content(png(0, 10)), NONE),
    "a png that claims 3.6 billion pixels": ("x.png", content(png(60_000, 60_000)), "decompression bomb"),
    "a png with a text of 100 MB": (
        "x.png",
        content(png(8, 8, chunk(b"zTXt", b"a\0\0" + zlib.compress(bytes(100_000_000))))),
        "Decompressed data too large",
    ),
    "a gif that claims 4 billion pixels": (
        "x.gif",
        content(b"GIF89a\xff\xff\xff\xff\0\0\0" + encoded("GIF")[13:]),
        "decompression bomb",
    ),
    "a bmp that claims 4 billion pixels": (
        "x.bmp",
        content(encoded("BMP")[:18] + struct.pack("<ii", 65_000, 65_000) + encoded("BMP")[26:]),
        "decompression bomb",
    ),
    "a tiff of floats": ("x.tif", content(encoded("TIFF", Image.new("F", (8, 8)))), "unsigned 8-bit or 16-bit"),
    "a tiff of 32 bit": ("x.tif", content(encoded("TIFF", Image.new("I", (8, 8)))), "unsigned 8-bit or 16-bit"),
    "a link into nothing": ("x.jpg", lambda path: path.symlink_to("nowhere.jpg"), "No such file"),
    "a link to itself": ("x.jpg", lambda path: path.symlink_to("x.jpg"), "Too many levels of symbolic links"),
    "a pipe": ("x.jpg", os.mkfifo, "not a regular file"),
    "a socket": ("x.jpg", listen, "not a regular file"),
}  # fmt: skip
