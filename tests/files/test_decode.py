"""Images of any format, mode, size and orientation are decoded to an RGB square."""

import os
import warnings

import numpy as np
import pytest
from PIL import Image, ImageOps

from byol_kedro.files.decode import UnreadableImage, decode
from byol_kedro.files.decoders import decode_all

FORMATS = {"JPEG": "jpg", "PNG": "png", "WEBP": "webp", "BMP": "bmp", "TIFF": "tif", "GIF": "gif"}


def smooth(width=45, height=30, channels=3, seed=0):
    """An image without sharp edges, so that resampling is unambiguous up to rounding."""
    small = np.random.default_rng(seed).integers(0, 256, (4, 6, channels), dtype=np.uint8)
    mode = {1: "L", 3: "RGB", 4: "RGBA"}[channels]
    return Image.fromarray(small.squeeze(), mode=None).convert(mode).resize((width, height), Image.Resampling.BILINEAR)


def saved(folder, image, name="image.png", **options):
    path = folder / name
    image.save(path, **options)
    return path


def reference(image, size):
    """Crop the center square of an RGB image at whole pixels, then resize it."""
    side = min(image.size)
    left, top = ((length - side) // 2 for length in image.size)
    square = image.crop((left, top, left + side, top + side))
    return np.asarray(square.resize((size, size), Image.Resampling.BILINEAR)).transpose(2, 0, 1)


def psnr(a, b):
    return 10 * np.log10(255**2 / np.mean((a.astype(float) - b) ** 2))


@pytest.mark.parametrize("kind", FORMATS)
def test_each_format_gives_pillows_center_square(tmp_path, kind):
    path = saved(tmp_path, smooth(44), f"image.{FORMATS[kind]}", format=kind)
    with Image.open(path) as file:
        expected = reference(file.convert("RGB"), 16)
    image = decode(path, 16)
    assert image.shape == (3, 16, 16)
    assert image.dtype == np.uint8
    # Resampled from the square alone, its edge misses the pixels beyond it.
    assert np.abs(image.astype(int) - expected)[:, 2:-2, 2:-2].max() <= 1


@pytest.mark.parametrize("size", [(45, 30), (30, 45), (16, 200), (200, 16), (7, 5), (1, 9)])
def test_any_shape_becomes_a_square(tmp_path, size):
    assert decode(saved(tmp_path, smooth(*size)), 16).shape == (3, 16, 16)


def test_image_of_the_right_size_is_unchanged(tmp_path):
    image = smooth(16, 16)
    np.testing.assert_array_equal(decode(saved(tmp_path, image), 16), np.asarray(image).transpose(2, 0, 1))


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["jpg", "png", "webp", "tif"])
def test_exif_orientation_is_applied(tmp_path, orientation, kind):
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = saved(tmp_path, smooth(), f"image.{kind}", exif=exif)
    upright = saved(tmp_path, ImageOps.exif_transpose(Image.open(path)).convert("RGB"), "upright.png")
    assert np.abs(decode(path, 16).astype(int) - decode(upright, 16)).max() <= 1


def test_damaged_exif_is_ignored(tmp_path):
    path = saved(tmp_path, smooth(), "image.jpg", exif=b"Exif\0\0MM\0*\xff\xff\xff\xff")
    plain = saved(tmp_path, smooth(), "plain.jpg")
    np.testing.assert_array_equal(decode(path, 16), decode(plain, 16))


@pytest.mark.parametrize("mode", ["L", "1", "P", "CMYK", "YCbCr", "LA", "RGBA", "PA", "I;16"])
def test_every_mode_becomes_rgb(tmp_path, mode):
    image = Image.fromarray(np.full((16, 16), 32896, np.uint16)) if mode == "I;16" else smooth(16, 16).convert(mode)
    kind = "jpg" if mode in {"CMYK", "YCbCr"} else "tif" if mode == "PA" else "png"
    if mode == "PA":
        image = smooth(16, 16).convert("P").convert("PA")
    path = saved(tmp_path, image, f"image.{kind}")
    decoded = decode(path, 16)
    if mode == "I;16":
        assert np.unique(decoded).tolist() == [128]
    else:
        with Image.open(path) as file:
            np.testing.assert_array_equal(decoded, np.asarray(file.convert("RGB")).transpose(2, 0, 1))


def test_sixteen_bits_keep_their_range(tmp_path):
    values = np.linspace(0, 65535, 256).astype(np.uint16).reshape(16, 16)
    image = decode(saved(tmp_path, Image.fromarray(values)), 16)
    np.testing.assert_array_equal(image[0], np.rint(values / 257).astype(np.uint8))


def test_twelve_bit_tiff_keeps_its_range(tmp_path):
    path = tmp_path / "image.tif"
    values = np.linspace(0, 4095, 256).astype(int).reshape(16, 16)
    pairs = values.reshape(-1, 2)
    packed = b"".join(((a << 12) | b).to_bytes(3, "big") for a, b in pairs.tolist())
    tags = [(256, 3, 1, 16), (257, 3, 1, 16), (258, 3, 1, 12), (259, 3, 1, 1), (262, 3, 1, 1), (273, 4, 1, 8),
            (277, 3, 1, 1), (278, 3, 1, 16), (279, 4, 1, len(packed)), (339, 3, 1, 1)]  # fmt: skip
    directory = b"".join(
        tag.to_bytes(2, "little") + kind.to_bytes(2, "little") + n.to_bytes(4, "little") + value.to_bytes(4, "little")
        for tag, kind, n, value in tags
    )
    where = (8 + len(packed)).to_bytes(4, "little")
    path.write_bytes(b"II*\0" + where + packed + len(tags).to_bytes(2, "little") + directory + bytes(4))
    np.testing.assert_array_equal(decode(path, 16)[0], np.rint(values * (255 / 4095)).astype(np.uint8))


def test_white_is_zero_is_inverted(tmp_path):
    values = np.full((16, 16), 65535, np.uint16)
    path = saved(tmp_path, Image.fromarray(values), "image.tif", tiffinfo={262: 0})
    assert decode(path, 16).max() == 0


def test_transparency_is_composited_onto_white(tmp_path):
    rgba = np.zeros((16, 16, 4), np.uint8)
    rgba[:, :8, 3] = 255  # black on the left, nothing on the right
    image = decode(saved(tmp_path, Image.fromarray(rgba)), 16)
    assert image[:, :, :8].max() == 0
    assert image[:, :, 8:].min() == 255


def test_transparent_color_does_not_bleed(tmp_path):
    rgba = np.zeros((64, 64, 4), np.uint8)
    rgba[..., 0] = 255  # red everywhere, seen on the left alone
    rgba[:, :32, 3] = 255
    image = decode(saved(tmp_path, Image.fromarray(rgba)), 16)
    assert image[0].min() == 255  # red and white and what is between have all of red


@pytest.mark.parametrize("color", [0, (0,), b"\0"])
def test_transparent_palette_color_is_white(tmp_path, color):
    image = Image.new("P", (16, 16), 0)
    image.putpalette([0, 0, 200] * 256)
    path = saved(tmp_path, image, "image.gif" if color == 0 else "image.png", transparency=0)
    assert decode(path, 16).min() == 255


@pytest.mark.parametrize("kind", ["gif", "webp", "png", "tif"])
def test_first_frame_is_used(tmp_path, kind):
    frames = [Image.new("RGB", (16, 16), color) for color in ("black", "white")]
    path = saved(tmp_path, frames[0], f"image.{kind}", save_all=True, append_images=frames[1:])
    assert decode(path, 16).max() < 8


def test_multi_picture_jpeg_is_read(tmp_path):
    frames = [Image.new("RGB", (64, 64), color) for color in ("black", "white")]
    path = saved(tmp_path, frames[0], "image.jpg", format="MPO", save_all=True, append_images=frames[1:])
    assert decode(path, 16).max() < 8


@pytest.mark.parametrize("size", [(500, 375), (501, 373), (375, 500), (1000, 750)])
def test_draft_is_close_to_full_decoding(tmp_path, size, monkeypatch):
    image = smooth(*size).convert("RGB")
    path = saved(tmp_path, image, "image.jpg", quality=90)
    drafted = decode(path, 96)
    monkeypatch.setattr("byol_kedro.files.decode.DRAFT", 1000)
    assert psnr(drafted, decode(path, 96)) > 50


def test_draft_does_not_shift_the_image(tmp_path):
    # 373 pixels in a draft by 2 are 187, half a pixel more than there is; taken whole, stripes wander.
    stripes = np.round(127.5 + 127.5 * np.cos(np.arange(373) * np.pi / 8)).astype(np.uint8)
    image = Image.fromarray(np.tile(stripes, (373, 1))).convert("RGB")
    path = saved(tmp_path, image, "image.jpg", quality=95)
    assert psnr(decode(path, 96), reference(image, 96)) > 35


def test_odd_metadata_give_no_warning(tmp_path):
    path = saved(tmp_path, smooth(), "image.jpg", exif=b"Exif\0\0MM\0*\xff\xff\xff\xff")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        (image,) = decode_all([path], 16)
    plain = saved(tmp_path, smooth(), "plain.jpg")
    np.testing.assert_array_equal(image, decode(plain, 16), strict=True)


def test_reason_is_one_line_without_the_path(tmp_path):
    path = tmp_path / "a\nb.png"
    path.write_bytes(b"no image")
    with pytest.raises(UnreadableImage) as caught:
        decode(path, 16)
    assert str(caught.value) == "not an image: JPEG, PNG, WebP, BMP, TIFF, GIF or AVIF expected"


def test_pipe_does_not_block(tmp_path):
    os.mkfifo(tmp_path / "pipe.jpg")
    with pytest.raises(UnreadableImage):
        decode(tmp_path / "pipe.jpg", 16)
