"""Image files with 16 bits per channel, as written by cameras and scanners."""

import struct
import zlib
from pathlib import Path

import numpy as np
from PIL import Image

from tests.support.bad_images import chunk

SIDE = 16


def ramp(low: int, high: int, *shape: int) -> np.ndarray:
    """Return random values (16, 16) or (16, 16, channels) uint16 that cover the range."""
    count = SIDE * SIDE * int(np.prod(shape))
    values = np.linspace(low, high, count).astype(np.uint16)
    return np.random.default_rng(0).permutation(values).reshape(SIDE, SIDE, *shape)


def write_png(path: Path, values: np.ndarray) -> Path:
    """Write values (H, W) or (H, W, 2 to 4) uint16: gray, gray and alpha, RGB, RGBA."""
    height, width, *channels = values.shape
    kind = {(): 0, (2,): 4, (3,): 2, (4,): 6}[tuple(channels)]
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in values)
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 16, kind, 0, 0, 0))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b""))
    return path


def write_tiff(path: Path, values: np.ndarray, order: str = "<", white_is_zero: bool = False) -> Path:
    """Write values (H, W) or (H, W, 3) uint16 without compression."""
    height, width, *channels = values.shape
    samples = channels[0] if channels else 1
    data = values.astype(f"{order}u2").tobytes()
    bits = struct.pack(f"{order}3H", 16, 16, 16)
    photometric = 2 if channels else int(not white_is_zero)
    tags = [(256, 3, 1, width), (257, 3, 1, height), (258, 3, samples, 16 if samples == 1 else 8 + len(data)),
            (259, 3, 1, 1), (262, 3, 1, photometric), (273, 4, 1, 8), (277, 3, 1, samples), (278, 3, 1, height),
            (279, 4, 1, len(data))]  # fmt: skip
    entries = b"".join(
        struct.pack(f"{order}HHI", tag, kind, count)
        + (struct.pack(f"{order}HH", value, 0) if (kind, count) == (3, 1) else struct.pack(f"{order}I", value))
        for tag, kind, count, value in tags
    )
    start = b"II*\0" if order == "<" else b"MM\0*"
    directory = struct.pack(f"{order}H", len(tags)) + entries + bytes(4)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(start + struct.pack(f"{order}I", 8 + len(data) + len(bits)) + data + bits + directory)
    return path


def write_gray(path: Path, low: int, high: int) -> Path:
    """8 bits."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray((ramp(low, high)).astype(np.uint8)).save(path)
    return path
