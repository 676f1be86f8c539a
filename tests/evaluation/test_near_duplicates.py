"""Groups of near duplicates."""

import numpy as np
from skimage import data, transform

from byol_kedro.evaluation.duplicates import NEAR
from byol_kedro.evaluation.near_duplicates import groups, mutual_neighbor_pairs, near_hash_pairs, verified


def test_all_pairs_of_near_hashes_are_found_once():
    rng = np.random.default_rng(0)
    hashes = rng.integers(0, 2**63, 100).astype(np.uint64)
    hashes[70] = hashes[3] ^ np.uint64(0b11111)
    hashes[71] = hashes[3] ^ np.uint64(0b111111)
    expected = {
        (a, b) for a in range(100) for b in range(a + 1, 100) if (int(hashes[a]) ^ int(hashes[b])).bit_count() <= NEAR
    }
    assert {(3, 70), (70, 71)} <= expected
    assert sorted(map(tuple, near_hash_pairs(hashes).tolist())) == sorted(expected)


def test_neighbors_must_be_mutual_and_similar():
    similarity = np.array([[0.95, 0.91], [0.95, 0.2], [0.91, 0.91], [0.91, 0.1]], np.float32)
    neighbor = np.array([[1, 2], [0, 2], [3, 1], [2, 0]])
    assert mutual_neighbor_pairs(similarity, neighbor).tolist() == [[0, 1], [2, 3]]


def test_pixels_decide_and_a_mirrored_copy_counts():
    image = (transform.resize(data.astronaut(), (32, 32)) * 255).astype(np.uint8).transpose(2, 0, 1)
    other = (transform.resize(data.coffee(), (32, 32)) * 255).astype(np.uint8).transpose(2, 0, 1)
    images = [image, other, image[:, :, ::-1], np.clip(image.astype(int) + 20, 0, 255).astype(np.uint8)]
    pairs = np.array([[0, 1], [0, 2], [1, 2], [0, 3], [2, 3]])
    assert verified(pairs, images).tolist() == [[0, 2], [0, 3]]  # [2, 3] follows from both


def test_groups_are_numbered_in_the_order_of_their_first_images():
    pairs = np.array([[5, 6], [1, 4], [4, 2]])
    assert groups(pairs, 8).tolist() == [-1, 0, 0, -1, 0, 1, 1, -1]
    assert groups(pairs[:0], 2).tolist() == [-1, -1]
