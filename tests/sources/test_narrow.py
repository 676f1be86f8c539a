"""Images that look black or flat because of their range of values are detected."""

import logging

import numpy as np
import pytest
from PIL import Image

from byol_kedro.files import decoders
from byol_kedro.files.decode import NarrowPixels, UnreadableImage, center_square, decode
from byol_kedro.pipelines.ingest.data_summary import describe, log_summary
from byol_kedro.sources import array as array_module
from byol_kedro.sources import encoded as encoded_module
from tests.support.deep_images import SIDE, ramp, write_gray, write_png, write_tiff
from tests.support.image_datasets import NEW, OLD
from tests.support.image_folders import SPLITS, decode_here, ingested
from tests.support.written_sources import write_npy, write_npz

TWELVE, FOURTEEN, WHOLE = 4095, 16383, 65535


def opaque(values: np.ndarray) -> np.ndarray:
    values[..., -1] = WHOLE
    return values


NARROW = {
    "12 bits": lambda path: write_png(path, ramp(0, TWELVE)),
    "8 bits": lambda path: write_png(path, ramp(0, 255)),
    "14 bits": lambda path: write_png(path, ramp(0, FOURTEEN)),
    "12 bits around the middle, as of a CT": lambda path: write_png(path, ramp(32768 - 1024, 32768 + 3071)),
    "12 bits of colors": lambda path: write_png(path, ramp(0, TWELVE, 3)),
    "14 bits of colors": lambda path: write_png(path, ramp(0, FOURTEEN, 3)),
    "12 bits beside an alpha channel": lambda path: write_png(path, opaque(ramp(0, TWELVE, 2))),
    "14 bits of colors beside an alpha channel": lambda path: write_png(path, opaque(ramp(0, FOURTEEN, 4))),
    "12 bits, little end first": lambda path: write_tiff(path, ramp(0, TWELVE), "<"),
    "12 bits, big end first": lambda path: write_tiff(path, ramp(0, TWELVE), ">"),
    "12 bits of colors in a TIFF": lambda path: write_tiff(path, ramp(0, TWELVE, 3), ">"),
    "12 bits where white is zero": lambda path: write_tiff(path, ramp(0, TWELVE), white_is_zero=True),
    "a mask of 0 and 1": lambda path: write_gray(path, 0, 1),
    "classes of 0 to 16": lambda path: write_gray(path, 0, 16),
    "black": lambda path: write_gray(path, 0, 0),
}
AS_IT_SHOULD_BE = {
    "all 16 bits": lambda path: write_png(path, ramp(0, WHOLE)),
    "all 16 bits of colors": lambda path: write_png(path, ramp(0, WHOLE, 3)),
    "all 16 bits of a TIFF": lambda path: write_tiff(path, ramp(0, WHOLE), ">"),
    "15 bits": lambda path: write_png(path, ramp(0, 32767)),
    "a faint but whole image": lambda path: write_png(path, ramp(20000, 30000)),
    "a night of 8 bits": lambda path: write_gray(path, 0, 40),
    "a fog of 8 bits": lambda path: write_gray(path, 190, 200),
    "white": lambda path: write_gray(path, 255, 255),
}


@pytest.mark.parametrize("name", NARROW)
def test_narrow_range_is_detected(tmp_path, name):
    pixels = decode(NARROW[name](tmp_path / "image.png"), SIDE)
    assert isinstance(pixels, NarrowPixels)
    assert pixels.shape == (3, SIDE, SIDE)


@pytest.mark.parametrize("name", AS_IT_SHOULD_BE)
def test_full_range_is_not_narrow(tmp_path, name):
    assert type(decode(AS_IT_SHOULD_BE[name](tmp_path / "image.png"), SIDE)) is np.ndarray


@pytest.mark.parametrize("write", [write_png, write_tiff])
def test_full_16_bit_range_is_scaled(tmp_path, write):
    values = ramp(0, WHOLE)
    np.testing.assert_array_equal(decode(write(tmp_path / "image", values), SIDE)[0], np.rint(values / 257))


@pytest.mark.parametrize("mode", ["I;16", "I;16B", "I;16L"])
def test_pil_image_is_marked_like_its_file(mode):
    values = ramp(0, TWELVE)
    image = Image.frombytes(mode, (SIDE, SIDE), values.astype(">u2" if mode == "I;16B" else "<u2").tobytes())
    pixels = center_square(image, SIDE)
    assert isinstance(pixels, NarrowPixels)
    np.testing.assert_array_equal(pixels[0], np.rint(values / 257))


@pytest.mark.parametrize("mode", ["I", "F"])
def test_image_of_unknown_range_is_refused(mode):
    with pytest.raises(UnreadableImage, match="pixels are signed, float or 32-bit"):
        center_square(Image.new(mode, (SIDE, SIDE), 1), SIDE)


@pytest.mark.parametrize("size", [(0, 8), (8, 0), (0, 0)])
def test_empty_image_is_refused(size):
    with pytest.raises(UnreadableImage, match=rf"the image is empty \({size[0]} x {size[1]}\)"):
        center_square(Image.new("RGB", size), 8)


def test_narrow_pixels_pass_through_decoder_processes(tmp_path):
    paths = [write_png(tmp_path / f"{n}.png", ramp(0, most)) for n, most in enumerate((TWELVE, WHOLE, TWELVE))]
    found = list(decoders.decode_all(paths, SIDE, processes=1))
    assert [isinstance(pixels, NarrowPixels) for pixels in found] == [True, False, True]
    for path, pixels in zip(paths, found, strict=True):
        np.testing.assert_array_equal(pixels, decode(path, SIDE))


def ingest(tmp_path, version=NEW):
    return ingested("folder", tmp_path / "raw", tmp_path / "out", version, image_size=SIDE)


def told(images, caplog):
    caplog.clear()
    with caplog.at_level(logging.INFO):
        log_summary(images)
    return [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]


WORDS = (
    "train: 3 of 5 images use a small part of their range of values and look black or flat, for example 12-bit values "
    "in 16 bits or values of 0 to 1; scale them to the full range first; the first is train/a/1.png"
)


def test_narrow_images_are_counted_at_each_ingest(tmp_path, caplog, monkeypatch):
    monkeypatch.setattr(encoded_module, "decode_all", decode_here)
    for n, most in enumerate((WHOLE, TWELVE, TWELVE, WHOLE, TWELVE)):
        write_png(tmp_path / f"raw/train/{'ab'[n > 2]}/{n}.png", ramp(0, most))
    write_png(tmp_path / "raw/test/a/9.png", ramp(0, WHOLE))
    first = ingest(tmp_path, OLD)
    assert first["train"].narrow.tolist() == [1, 2, 4]
    assert told(first, caplog) == [WORDS]
    assert [describe(first[split])["narrow_range"] for split in SPLITS] == [0, 3, 0]
    np.testing.assert_array_equal(first["train"].pixels[1, 0], np.rint(ramp(0, TWELVE) / 257))

    monkeypatch.setattr(encoded_module, "decode_all", None)
    assert told(ingest(tmp_path), caplog) == [WORDS]

    monkeypatch.setattr(encoded_module, "decode_all", decode_here)
    write_png(tmp_path / "raw/train/a/0.png", ramp(1, TWELVE))
    (tmp_path / "raw/train/a/2.png").unlink()
    changed = ingest(tmp_path, "2026-01-03T00.00.00.000Z")
    assert [changed["train"].names[row] for row in changed["train"].narrow] == [
        f"train/{n}.png" for n in ("a/0", "a/1", "b/4")
    ]


@pytest.mark.parametrize("write", [write_npy, write_npz])
@pytest.mark.parametrize("channels_last", [False, True])
def test_narrow_images_of_arrays_are_counted(tmp_path, write, channels_last, caplog, monkeypatch):
    monkeypatch.setattr(array_module, "BATCH_BYTES", 3 * 3 * SIDE**2)
    pixels = np.random.default_rng(0).integers(0, 256, (11, 3, SIDE, SIDE), dtype=np.uint8)
    narrow = [0, 1, 4, 10]
    pixels[narrow] //= 16
    pixels[5, 2, SIDE - 1, SIDE - 1], pixels[6] = 255, 0
    pixels[6, 1, 3, 3] = 17  # one pixel of 17 where the others are 0
    given = pixels.transpose(0, 2, 3, 1) if channels_last else pixels
    images = ingested("array", write(tmp_path / "raw", train=given, test=given[2:4]), tmp_path / "out", image_size=SIDE)
    assert images["train"].narrow.tolist() == narrow
    np.testing.assert_array_equal(images["train"].pixels, pixels)
    assert told(images, caplog)[0].startswith("train: 4 of 11 images use a small part of their range of values")


def test_narrow_images_are_counted_per_split(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 2, (16, 3, SIDE, SIDE), dtype=np.uint8)
    images = ingested("array", write_npy(tmp_path / "raw", train=pixels), tmp_path / "out", image_size=SIDE)
    assert [len(images[split].narrow) for split in SPLITS] == [0, 12, 4]
