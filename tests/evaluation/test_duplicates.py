"""Perceptual hashes: a second writing, and what they take for the same picture."""

import io

import numpy as np
import pytest
from PIL import Image
from scipy.fft import dctn
from skimage import data

from byol_kedro.evaluation.duplicates import NEAR, nearest, perceptual_hash

SIDES = [32, 96]
PHOTOGRAPHS = ("astronaut", "chelsea", "coffee", "rocket")


def patches(side):
    """Squares of four photographs, 16 of each, as PIL images of `side` pixels."""
    squares = []
    for name in PHOTOGRAPHS:
        photograph = Image.fromarray(getattr(data, name)()).resize((640, 480))
        corners = [(left, top) for left in range(0, 640, 160) for top in range(0, 480, 120)]
        squares += [photograph.crop((x, y, x + 160, y + 120)).resize((side, side)) for x, y in corners]
    return squares


def pixels(images):
    return np.stack([np.asarray(image).transpose(2, 0, 1) for image in images])


def jpeg(image, quality=60):
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=quality)
    return Image.open(buffer).convert("RGB")


def bits_between(a, b):
    return np.bitwise_count(perceptual_hash(pixels(a)) ^ perceptual_hash(pixels(b)))


def test_the_hash_is_the_sign_of_scipys_cosine_transform_about_its_median():
    images = np.random.default_rng(0).integers(0, 256, (20, 3, 24, 40), dtype=np.uint8)
    grey = np.tensordot(images.astype(float), [0.299, 0.587, 0.114], axes=([1], [0]))
    waves = dctn(grey, axes=(1, 2))[:, 1:9, 1:9].reshape(20, 64)
    # dctn multiplies every wave by the same 4: the median moves with it.
    bits = waves > np.median(waves, axis=1, keepdims=True)
    expected = np.packbits(bits, axis=1).view(np.uint64)[:, 0]
    assert np.bitwise_count(perceptual_hash(images) ^ expected).max() == 0


@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize(
    "change",
    [
        jpeg,
        lambda image: image.resize((round(0.9 * image.width),) * 2),
        lambda image: image.point(lambda value: min(255, value + 20)),
        lambda image: image.convert("L").convert("RGB"),
    ],
    ids=["jpeg", "smaller", "brighter", "grey"],
)
def test_a_copy_that_was_changed_a_little_is_near(side, change):
    images = [image for image in patches(side) if np.asarray(image).std() > 20]  # a plain wall has no features to hash
    distances = bits_between(images, [change(image) for image in images])
    assert np.mean(distances <= NEAR) > 0.9


@pytest.mark.parametrize("side", SIDES)
def test_different_photographs_are_not_near(side):
    hashes = perceptual_hash(pixels(patches(side)))
    ours, others = hashes[:32], hashes[32:]
    assert nearest(ours, others)[0].min() > NEAR


def test_the_nearest_is_found_wherever_it_stands():
    generator = np.random.default_rng(1)
    hashes, others = (generator.integers(0, 2**63, n, dtype=np.uint64) for n in (100, 70))
    distances, rows = nearest(hashes, others)
    table = [[(int(a) ^ int(b)).bit_count() for b in others] for a in hashes]
    assert distances.tolist() == [min(row) for row in table]
    assert rows.tolist() == [row.index(min(row)) for row in table]


def test_no_pictures_have_no_hashes():
    assert perceptual_hash(np.zeros((0, 3, 8, 8), np.uint8)).shape == (0,)
