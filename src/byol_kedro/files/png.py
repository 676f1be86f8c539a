"""The checksums of a PNG file, which Pillow does not compare with its pixels."""

import zlib
from io import BytesIO
from pathlib import Path
from struct import unpack

BLOCK = 1 << 20  # bytes read at once; a damaged length may be 4 GB
START = 8  # bytes before the first chunk
PIXELS = b"IDAT"


def has_damaged_pixels(content: Path | bytes) -> bool:
    """Return whether the checksum of a chunk of pixels is wrong, as after an overwritten sector of the disk.

    Pillow stops when it has all rows, whatever the rest of the file says, and damage often decompresses to wrong
    pixels. A file that ends early is not reported: that is the decoder's task.

    Raises:
        OSError: The file cannot be read.
    """
    with content.open("rb") if isinstance(content, Path) else BytesIO(content) as file:
        file.seek(START)
        while len(header := file.read(8)) == 8:
            left, kind = unpack(">I4s", header)
            if kind == b"IEND":
                break
            if kind != PIXELS:
                file.seek(left + 4, 1)
                continue
            found = zlib.crc32(kind)
            while left and (piece := file.read(min(left, BLOCK))):
                found, left = zlib.crc32(piece, found), left - len(piece)
            expected = file.read(4)
            if len(expected) == 4 and found != int.from_bytes(expected, "big"):
                return True
    return False
