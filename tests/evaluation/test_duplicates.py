"""Perceptual hashes against SciPy, and near-duplicate decisions on copies and different images."""

import io

import numpy as np
import pytest
from PIL import Image
from scipy.fft import dctn
from scipy.stats import spearmanr
from skimage import data

from byol_kedro.evaluation import duplicates
from byol_kedro.evaluation.duplicates import NEAR, alike, nearest, perceptual_hash

SIDES = [32, 96]
PHOTOGRAPHS = ("astronaut", "chelsea", "coffee", "rocket")


def patches(side):
    """16 square patches of each of four photographs, as PIL images of `side` pixels."""
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


def hash_distances(a, b):
    return np.bitwise_count(perceptual_hash(pixels(a)) ^ perceptual_hash(pixels(b)))


def test_hash_agrees_with_scipys_cosine_transform():
    images = np.random.default_rng(0).integers(0, 256, (20, 3, 24, 40), dtype=np.uint8)
    gray = np.tensordot(images.astype(float), [0.299, 0.587, 0.114], axes=([1], [0]))
    waves = dctn(gray, axes=(1, 2))[:, 1:9, 1:9].reshape(20, 64)
    # dctn scales every coefficient by 4, and the median with it.
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
    ids=["jpeg", "smaller", "brighter", "gray"],
)
def test_modified_copies_have_near_hashes(side, change):
    images = [image for image in patches(side) if np.asarray(image).std() > 20]  # a plain wall has no features to hash
    copies = [change(image).resize((side, side)) for image in images]
    agree = [alike(a, b) for a, b in zip(pixels(images), pixels(copies), strict=True)]
    assert np.mean(agree & (hash_distances(images, copies) <= NEAR)) > 0.9


@pytest.mark.parametrize("side", SIDES)
def test_different_photographs_have_distant_hashes(side):
    hashes = perceptual_hash(pixels(patches(side)))
    ours, others = hashes[:32], hashes[32:]
    assert nearest(ours, others)[0].min() > NEAR


def wall(seed, slope=0.0, spot=0):
    """A noisy wall (3, 32, 32), darker toward the bottom by `slope`, with a bright spot in the corner."""
    grain = np.random.default_rng(seed).normal(0, 2, (32, 32))
    gray = 128 + grain - slope * np.linspace(0, 1, 32)[:, None]
    gray[29:, 2:5] += spot
    return np.round([gray] * 3).astype(np.uint8)


def test_walls_with_a_spot_have_near_hashes_but_are_not_alike():
    a, b = wall(0, spot=120), wall(1, spot=120)
    assert np.bitwise_count(perceptual_hash(a[None]) ^ perceptual_hash(b[None])) <= NEAR
    assert np.corrcoef(a.ravel(), b.ravel())[0, 1] > 0.8  # the spot alone: why ranks are compared
    assert not alike(a, b)


def test_gradients_of_the_same_direction_are_not_alike():
    assert not alike(wall(0, slope=60), wall(1, slope=60))


def test_constant_images_are_not_alike():
    below, faint = np.full((3, 16, 16), 80, np.uint8), np.full((3, 16, 16), 90, np.uint8)
    faint[2, 4:8, 4:8] += 1  # a tenth of a gray level
    assert not alike(faint, faint)
    assert not alike(below, faint)


def test_a_negative_is_not_alike():
    image = pixels(patches(32))[5]
    assert not alike(image, 255 - image)


def test_alike_agrees_with_scipys_rank_correlation(monkeypatch):
    squares = pixels(patches(32))[5:7]
    gray = [np.tensordot([0.299, 0.587, 0.114], square.astype(float), axes=1) for square in squares]
    inner = [x - x.mean(axis=0) - x.mean(axis=1, keepdims=True) + x.mean() for x in gray]
    expected = float(min(spearmanr(*np.round(pair).reshape(2, -1))[0] for pair in (gray, inner)))
    for limit, answer in ((expected - 1e-9, True), (expected + 1e-9, False)):
        monkeypatch.setattr(duplicates, "ALIKE", limit)
        assert alike(*squares) is answer


def test_nearest_hash_is_found_at_any_position():
    generator = np.random.default_rng(1)
    hashes, others = (generator.integers(0, 2**63, n, dtype=np.uint64) for n in (100, 70))
    distances, rows = nearest(hashes, others)
    table = [[(int(a) ^ int(b)).bit_count() for b in others] for a in hashes]
    assert distances.tolist() == [min(row) for row in table]
    assert rows.tolist() == [row.index(min(row)) for row in table]


def test_no_images_give_no_hashes():
    assert perceptual_hash(np.zeros((0, 3, 8, 8), np.uint8)).shape == (0,)
