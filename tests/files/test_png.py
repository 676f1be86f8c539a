"""The checksums of the pixels of PNG files."""

import pytest

from byol_kedro.files import png
from tests.support.bad_images import SMOOTH, chunk, encoded, flipped

GOOD = encoded("PNG", SMOOTH)
START = GOOD.index(b"IDAT") + 4
END = GOOD.index(b"IEND") - 4


def is_damaged(tmp_path, data):
    (tmp_path / "x.png").write_bytes(data)
    return png.has_damaged_pixels(tmp_path / "x.png")


@pytest.mark.parametrize("block", [1 << 20, 1000])
def test_every_byte_of_the_pixels_counts(tmp_path, monkeypatch, block):
    monkeypatch.setattr(png, "BLOCK", block)
    assert not is_damaged(tmp_path, GOOD)
    for position in (START, START + 1000, (START + END) // 2, END - 5, END - 1):
        assert is_damaged(tmp_path, flipped(GOOD, position)), position


def test_second_chunk_of_pixels_counts(tmp_path):
    compressed = GOOD[START : END - 4]
    parts = chunk(b"IDAT", compressed[:5000]), chunk(b"IDAT", compressed[5000:])
    split = GOOD[: START - 8] + b"".join(parts) + GOOD[END:]
    assert not is_damaged(tmp_path, split)
    assert is_damaged(tmp_path, flipped(split, END))


def test_other_chunks_do_not_count(tmp_path):
    text = flipped(chunk(b"tEXt", b"Comment\0by a careless program"), 12)
    assert not is_damaged(tmp_path, GOOD[: START - 8] + text + GOOD[START - 8 :])


@pytest.mark.parametrize("size", [0, 8, 20, START + 10, END - 2, END])
def test_file_that_ends_early_is_left_to_the_decoder(tmp_path, size):
    assert not is_damaged(tmp_path, GOOD[:size])
