"""One image file → a square of RGB.

The short side becomes `size` pixels wide and the middle square is kept, upright as EXIF says. Grayscale, palette,
CMYK (without its color profile) and 16 bit become RGB of 8 bit; what shines through lies on white; of several
frames or pages it is the first.
"""

import stat
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image, UnidentifiedImageError

FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "TIFF", "GIF")
ENDINGS = frozenset({".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".bmp", ".tif", ".tiff", ".gif"})
RULES = 3  # counted up when the same file gives other pixels, or is another kind of them
BACKGROUND = (255, 255, 255, 255)
# libjpeg decodes at 1/2, 1/4 or 1/8 in a part of the time. Where that leaves this many times `size`, the result is
# 44 dB and more (on average 48) from that of all pixels, about as far as JPEG of quality 90 is from its original (46
# and 50). Below, the difference grows fast: 40 dB at once the size.
DRAFT = 1.9
# Of 0 to 255. Where the whole range of 16 bits is taken, 12 bits of them end at 16 and 14 bits at 64; values of 0 to 1
# end at 1. An image of 8 bits that ends at 64 may be one of a night.
FEW, DARK = 16, 64

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


class UnreadableImage(ValueError):  # noqa: N818  # what it says is what it is
    """A file that gives no image; the message is the reason, one line, without the path."""


class NarrowPixels(npt.NDArray[np.uint8]):
    """Pixels (…, 3, H, W) uint8 like others, of images that use a small part of the range of their values.

    What is black in them, or flat, is so because the range that is taken for theirs does not fit.
    """


def narrow_words(count: int, total: int) -> str:
    """What is said of `count` narrow images among `total`."""
    return (
        f"{count:,} of {total:,} images use a small part of the range of their values and come out black or flat, as "
        "12 bits in 16 or values of 0 to 1 do: scale them to the whole range first"
    )


def are_narrow(pixels: npt.NDArray[np.uint8]) -> npt.NDArray[np.bool_]:
    """(N,) bool, of pixels (N, 3, H, W) of 8 bits: whether none of an image is above `FEW`."""
    narrow: npt.NDArray[np.bool_] = pixels[:, :, ::8, ::8].max(axis=(1, 2, 3), initial=0) <= FEW
    rest = np.flatnonzero(narrow)  # few, unless all are: the others are known by a 64th of their pixels
    narrow[rest] = pixels[rest].max(axis=(1, 2, 3), initial=0) <= FEW
    return narrow


def decode(path: Path, size: int) -> npt.NDArray[np.uint8]:
    """(3, size, size) uint8, `NarrowPixels` where the range of their values does not fit.

    Raises UnreadableImage when the file is missing, no image, cut, or of a kind that is not known, and when it
    claims more pixels than Pillow takes for honest (twice `Image.MAX_IMAGE_PIXELS`: 179 million).
    """
    try:
        return _decode(path, size)
    except UnreadableImage:
        raise
    except UnidentifiedImageError:
        reason = "no image: a JPEG, PNG, WebP, BMP, TIFF or GIF expected"
    except OSError as error:
        reason = error.strerror or str(error)
    except Exception as error:  # noqa: BLE001  # decoders raise whatever they stumble over
        reason = f"{type(error).__name__}: {error}"
    raise UnreadableImage(" ".join(reason.split()))


def _decode(path: Path, size: int) -> npt.NDArray[np.uint8]:
    status = path.stat()
    if not stat.S_ISREG(status.st_mode):
        raise UnreadableImage("no file")  # to open a pipe would wait for who writes into it
    if not status.st_size:
        raise UnreadableImage("the file is empty")
    with Image.open(path, formats=FORMATS) as image:
        drafted = image.draft(None, (int(DRAFT * size),) * 2)
        return square(image, size, drafted[1][2:] if drafted else image.size)  # of a draft not in whole pixels


def square(image: Image.Image, size: int, whole: tuple[float, float] | None = None) -> npt.NDArray[np.uint8]:
    """(3, size, size) uint8 of an opened image, as `decode`; `whole` is the width and height that count.

    All of it does unless that is given.
    """
    if not min(image.size):
        raise UnreadableImage(f"there is no pixel in {image.width} x {image.height}")
    deep = _is_deep(image)
    _check_planes(image)
    image.load()
    turn = _UPRIGHT.get(_orientation(image))
    middle = _middle(_colors(image), whole or image.size, size)
    transparent = middle.mode == "RGBA" and middle.getchannel("A").getextrema()[1] == 0
    if middle.mode == "RGBA":
        middle = Image.alpha_composite(Image.new("RGBA", middle.size, BACKGROUND), middle).convert("RGB")
    # After the resampling, where it is cheap: the middle square of a turned image is the turned middle square.
    upright = middle.transpose(turn) if turn is not None else middle
    pixels = np.ascontiguousarray(np.asarray(upright).transpose(2, 0, 1))
    low, high = int(pixels.min()), int(pixels.max())
    if transparent or high <= FEW or (deep and (high <= DARK or high - low <= FEW)):
        return pixels.view(NarrowPixels)
    return pixels


def _check_planes(image: Image.Image) -> None:
    """Refuse a TIFF with 16 bits a channel in separate planes, which Pillow (13.0) reads as other pixels."""
    tags = getattr(image, "tag_v2", {})
    if tags.get(_PLANAR) == 2 and max(tags.get(_BITS, (8,))) > 8:
        raise UnreadableImage("more than 8 bits a channel in separate planes; save it with interleaved channels")


def _is_deep(image: Image.Image) -> bool:
    """Whether it has more than 8 bits a channel; of colors Pillow only says so until it has read them, and keeps 8."""
    return image.mode.startswith("I;16") or any(";16" in str(tile.args) for tile in getattr(image, "tile", ()))


def _orientation(image: Image.Image) -> int:
    try:
        return int(image.getexif().get(_ORIENTATION, 1))
    except Exception:  # noqa: BLE001  # the pixels are whole, what is written beside them need not be
        return 1


def _middle(image: Image.Image, whole: tuple[float, float], size: int) -> Image.Image:
    """The middle square of its part `whole`, by an antialiased bilinear filter as that of torchvision's Resize.

    It need not lie on whole pixels, so no side is favored.
    """
    side = min(whole)
    left, top = ((length - side) / 2 for length in whole)
    return image.resize((size, size), Image.Resampling.BILINEAR, box=(left, top, left + side, top + side))


def _colors(image: Image.Image) -> Image.Image:
    """As RGB, or as RGBA where something shines through."""
    if image.mode == "RGB" and not image.has_transparency_data:
        return image  # `convert` would copy it
    if image.mode.startswith("I;16"):
        image = Image.fromarray(_eight_bits(image))
    if image.mode in ("I", "F"):
        raise UnreadableImage("pixels are signed, floats or of 32 bit; unsigned ones of 8 or 16 bit expected")
    return image.convert("RGBA" if image.has_transparency_data else "RGB")


def _eight_bits(image: Image.Image) -> npt.NDArray[np.uint8]:
    """(H, W) uint8 of a gray image with more bits: its whole range becomes 0 to 255."""
    tags = getattr(image, "tag_v2", {})
    most = 2 ** int(tags.get(_BITS, (16,))[0]) - 1
    gray: npt.NDArray[np.uint8] = np.rint(np.asarray(image) * (255 / most)).astype(np.uint8)
    white_is_zero = tags.get(_PHOTOMETRIC) == 0
    return 255 - gray if white_is_zero else gray
