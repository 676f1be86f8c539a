"""Pairs whose target is known."""

import numpy as np

from byol_kedro.evaluation.pairs import PairSet
from byol_kedro.parameters import Latent

SETTINGS = Latent(pairs=10, widths=[32, 16], lr=0.003, batch_size=64, epochs=30, clusters=3, map_points=50)


def linear_pairs(pictures=200, pairs=2000, dim=10, noise_seed=0):
    """The target is the distance of a fixed random linear map of the features, to three dimensions."""
    generator = np.random.default_rng(noise_seed)
    features = generator.normal(size=(pictures, dim)).astype(np.float32)
    left = generator.integers(0, pictures, pairs)
    right = (left + generator.integers(1, pictures, pairs)) % pictures
    mapped = features @ np.random.default_rng(99).normal(size=(dim, 3))
    target = 0.01 * np.linalg.norm(mapped[left] - mapped[right], axis=1)
    # Shift and scale hide from the model what only a scaler finds.
    return PairSet((features * 50 + 7).astype(np.float32), left, right, target)
