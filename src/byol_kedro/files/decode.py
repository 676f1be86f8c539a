"""Decodes an image file to a square RGB array.

The shorter side is resized to `size` pixels and the center square is kept, rotated according to EXIF. Grayscale,
palette, CMYK (without its color profile) and 16-bit images become 8-bit RGB; transparency is composited onto white; the
first of several frames or pages is used.
"""

import stat
from collections.abc import Callable
from functools import cache
from importlib.util import find_spec
from io import BytesIO
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image, UnidentifiedImageError

from byol_kedro.files.png import has_damaged_pixels

HAS_HEIF = find_spec("pillow_heif") is not None  # the extra heif
FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "TIFF", "GIF", "AVIF", *(("HEIF",) if HAS_HEIF else ()))
SUFFIXES = frozenset({
    ".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".bmp", ".tif", ".tiff", ".gif", ".avif",
    *((".heic", ".heif") if HAS_HEIF else ()),
})  # fmt: skip
RULES = 4  # version of the decoding; incremented when the result for a file changes
BACKGROUND = (255, 255, 255, 255)
# libjpeg decodes to 1/2, 1/4 or 1/8 of the size in a fraction of the time. If that leaves at least this many times
# `size`, the PSNR to the full decoding is at least 44 dB (48 on average), similar to that of JPEG quality 90 to its
# original (46 and 50). Below, it drops fast: 40 dB at a factor of 1.
DRAFT = 1.9
# Largest values, of 255, in images that do not use their range: 12-bit values in 16 bits end at 16, 14-bit values at
# 64, and values of 0 to 1 at 1. An 8-bit image that ends at 64 may have been taken at night.
NARROW_MAX, NARROW_MAX_16_BIT = 16, 64

_ORIENTATION, _PHOTOMETRIC, _BITS, _PLANAR = 0x0112, 0x0106, 0x0102, 0x011C  # EXIF, TIFF 6.0
_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


class UnreadableImage(ValueError):  # noqa: N818  # also used as a value in place of an image
    """A file that cannot be decoded; the message is the reason in one line, without the path."""


class NarrowPixels(npt.NDArray[np.uint8]):
    """Pixels (…, 3, H, W) uint8 of images that use a small part of their range of values.

    They look black or flat because they were probably stored with another range.
    """


Resize = Callable[[Image.Image], npt.NDArray[np.uint8]]


def narrow_text(count: int, total: int) -> str:
    """Return the warning about `count` narrow images of `total`."""
    return (
        f"{count:,} of {total:,} images use a small part of their range of values and look black or flat, for example "
        "12-bit values in 16 bits or values of 0 to 1; scale them to the full range first"
    )


def are_narrow(pixels: npt.NDArray[np.uint8]) -> npt.NDArray[np.bool_]:
    """Return for 8-bit images (N, 3, H, W) whether all values are at most `NARROW_MAX`, (N,) bool."""
    narrow: npt.NDArray[np.bool_] = pixels[:, :, ::8, ::8].max(axis=(1, 2, 3), initial=0) <= NARROW_MAX
    rest = np.flatnonzero(narrow)  # usually few: a 64th of the pixels rules out the others
    narrow[rest] = pixels[rest].max(axis=(1, 2, 3), initial=0) <= NARROW_MAX
    return narrow


def decode(content: Path | bytes, size: int, resize: Resize | None = None) -> npt.NDArray[np.uint8]:
    """Decode an image file.

    Args:
        content: The file, or its bytes.
        size: Height and width of the result.
        resize: Makes pixels (3, size, size) uint8 of an upright RGB image of any size, in place of the filter and the
            center square here; JPEG files are then decoded at full size.

    Returns:
        Pixels (3, size, size) uint8, as `NarrowPixels` if they use a small part of their range of values.

    Raises:
        UnreadableImage: The file is missing, truncated, damaged, not a supported image, or claims more than 179 million
            pixels (twice `Image.MAX_IMAGE_PIXELS`, Pillow's limit against decompression bombs).
    """
    try:
        return _decode(content, size, resize)
    except UnreadableImage:
        raise
    except UnidentifiedImageError:
        reason = "not an image: JPEG, PNG, WebP, BMP, TIFF, GIF or AVIF expected"
    except OSError as error:
        reason = error.strerror or str(error)
    except Exception as error:  # noqa: BLE001  # decoders raise many types of exceptions
        reason = f"{type(error).__name__}: {error}"
    raise UnreadableImage(" ".join(reason.split()))


def _decode(content: Path | bytes, size: int, resize: Resize | None) -> npt.NDArray[np.uint8]:
    _register_heif()
    if not _byte_count(content):
        raise UnreadableImage("the file is empty")
    with Image.open(content if isinstance(content, Path) else BytesIO(content), formats=FORMATS) as image:
        drafted = None if resize else image.draft(None, (int(DRAFT * size),) * 2)
        # The part of a draft that is used need not be whole pixels.
        pixels = center_square(image, size, drafted[1][2:] if drafted else image.size, resize)
        if image.format == "PNG" and has_damaged_pixels(content):
            raise UnreadableImage("damaged: its pixels do not match their checksum")
        return pixels


@cache
def _register_heif() -> None:
    """Let Pillow open HEIC, once in each process that decodes."""
    if HAS_HEIF:
        from pillow_heif import register_heif_opener  # noqa: PLC0415  # optional

        register_heif_opener(thumbnails=False)


def _byte_count(content: Path | bytes) -> int:
    if isinstance(content, bytes):
        return len(content)
    status = content.stat()
    if not stat.S_ISREG(status.st_mode):
        raise UnreadableImage("not a regular file")  # opening a pipe would block
    return status.st_size


def center_square(
    image: Image.Image, size: int, whole: tuple[float, float] | None = None, resize: Resize | None = None
) -> npt.NDArray[np.uint8]:
    """Return the center square of an opened image as `decode` does.

    Args:
        image: The image.
        size: Height and width of the result.
        whole: Width and height of the part of the image that is used; all of it by default.
        resize: As in `decode`.
    """
    if not min(image.size):
        raise UnreadableImage(f"the image is empty ({image.width} x {image.height})")
    deep = _is_deep(image)
    _check_planes(image)
    image.load()
    turn = _UPRIGHT.get(_orientation(image))
    colors = _colors(image)
    if resize is None:
        middle, transparent = _on_white(_resize_center(colors, whole or image.size, size))
        # Rotated after resampling, where it is cheap; for a center square the order does not matter.
        upright = middle.transpose(turn) if turn is not None else middle
        pixels = np.ascontiguousarray(np.asarray(upright).transpose(2, 0, 1))
    else:
        full, transparent = _on_white(colors.transpose(turn) if turn is not None else colors)
        pixels = resize(full)
    low, high = int(pixels.min()), int(pixels.max())
    if transparent or high <= NARROW_MAX or (deep and (high <= NARROW_MAX_16_BIT or high - low <= NARROW_MAX)):
        return pixels.view(NarrowPixels)
    return pixels


def _on_white(image: Image.Image) -> tuple[Image.Image, bool]:
    """The image in RGB, with transparency composited onto white, and whether all of it is transparent."""
    if image.mode != "RGBA":
        return image, False
    transparent = image.getchannel("A").getextrema()[1] == 0
    return Image.alpha_composite(Image.new("RGBA", image.size, BACKGROUND), image).convert("RGB"), transparent


def _check_planes(image: Image.Image) -> None:
    """Refuse a TIFF with 16 bits per channel in separate planes, which Pillow (13.0) decodes to wrong pixels."""
    tags = getattr(image, "tag_v2", {})
    if tags.get(_PLANAR) == 2 and max(tags.get(_BITS, (8,))) > 8:
        raise UnreadableImage("more than 8 bits per channel in separate planes; save it with interleaved channels")


def _is_deep(image: Image.Image) -> bool:
    """Whether the image has more than 8 bits per channel. Pillow reduces color to 8 bits when it loads the pixels."""
    return image.mode.startswith("I;16") or any(";16" in str(tile.args) for tile in getattr(image, "tile", ()))


def _orientation(image: Image.Image) -> int:
    try:
        return int(image.getexif().get(_ORIENTATION, 1))
    except Exception:  # noqa: BLE001  # damaged metadata do not make the pixels unreadable
        return 1


def _resize_center(image: Image.Image, whole: tuple[float, float], size: int) -> Image.Image:
    """Resize the center square of the part `whole` by an antialiased bilinear filter like torchvision's Resize.

    The square need not start at a whole pixel, so it is exactly centered.
    """
    side = min(whole)
    left, top = ((length - side) / 2 for length in whole)
    return image.resize((size, size), Image.Resampling.BILINEAR, box=(left, top, left + side, top + side))


def _colors(image: Image.Image) -> Image.Image:
    """Convert to RGB, or to RGBA if there is transparency."""
    if image.mode == "RGB" and not image.has_transparency_data:
        return image  # without a copy
    if image.mode.startswith("I;16"):
        image = Image.fromarray(_eight_bits(image))
    if image.mode in ("I", "F"):
        raise UnreadableImage("pixels are signed, float or 32-bit; unsigned 8-bit or 16-bit pixels expected")
    return image.convert("RGBA" if image.has_transparency_data else "RGB")


def _eight_bits(image: Image.Image) -> npt.NDArray[np.uint8]:
    """Scale a gray image with more bits to (H, W) uint8: its full range becomes 0 to 255."""
    tags = getattr(image, "tag_v2", {})
    largest = 2 ** int(tags.get(_BITS, (16,))[0]) - 1
    gray: npt.NDArray[np.uint8] = np.rint(np.asarray(image) * (255 / largest)).astype(np.uint8)
    white_is_zero = tags.get(_PHOTOMETRIC) == 0
    return 255 - gray if white_is_zero else gray
