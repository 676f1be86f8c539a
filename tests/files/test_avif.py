"""AVIF with Pillow's own decoder; HEIC with the extra heif."""

import io

import numpy as np
import pytest
from PIL import Image

from byol_kedro.files.decode import SUFFIXES, UnreadableImage, decode

RAMP = np.linspace(0, 255, 64).astype(np.uint8)
IMAGE = Image.fromarray(
    np.stack([np.tile(RAMP, (64, 1)), np.tile(RAMP[:, None], (1, 64)), np.full((64, 64), 99, np.uint8)], 2)
)


def encoded(kind, **options):
    file = io.BytesIO()
    IMAGE.save(file, format=kind, quality=95, **options)
    return file.getvalue()


def error_of(pixels, turns=0):
    expected = np.asarray(IMAGE.rotate(90 * turns).resize((16, 16), Image.Resampling.BILINEAR)).transpose(2, 0, 1)
    return np.abs(pixels.astype(int) - expected).mean()


def test_avif_is_decoded_and_upright(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    (tmp_path / "x.avif").write_bytes(encoded("AVIF"))
    assert error_of(decode(tmp_path / "x.avif", 16)) < 3
    assert error_of(decode(encoded("AVIF", exif=exif.tobytes()), 16), turns=3) < 3
    assert ".avif" in SUFFIXES


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_truncated_avif_is_unreadable(share):
    content = encoded("AVIF")
    with pytest.raises(UnreadableImage):
        decode(content[: int(share * len(content))], 16)


def test_heic_is_decoded_and_upright():
    heif = pytest.importorskip("pillow_heif")
    heif.register_heif_opener()
    assert {".heic", ".heif"} <= SUFFIXES
    assert error_of(decode(encoded("HEIF"), 16)) < 3
    exif = Image.Exif()
    exif[0x0112] = 6
    assert error_of(decode(encoded("HEIF", exif=exif.tobytes()), 16), turns=3) < 3
