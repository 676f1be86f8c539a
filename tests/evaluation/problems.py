"""Small problems whose difficulty is known."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Known:
    """Features (N, D) float32 and labels (N,) int64 of a training and a test set."""

    train_x: np.ndarray
    train_y: np.ndarray
    test_x: np.ndarray
    test_y: np.ndarray


def blobs(n_train=300, n_test=200, dim=12, classes=4, spread=1.0, seed=0, decades=2):
    """One normal cloud a class; a larger `spread` mixes them. Features are scaled by 10 to the ± `decades`."""
    generator = np.random.default_rng(seed)
    centres = generator.normal(size=(classes, dim))
    scales, shift = 10 ** generator.uniform(-decades, decades, dim), generator.normal(size=dim)

    def draw(n):
        y = generator.permutation(np.arange(n) % classes)
        x = centres[y] + spread * generator.normal(size=(n, dim))
        return (scales * x + shift).astype(np.float32), y

    return Known(*draw(n_train), *draw(n_test))


def xor(n_train=400, n_test=400, seed=0):
    """Two classes in four quadrants: no line tells them apart better than a coin does."""
    generator = np.random.default_rng(seed)

    def draw(n):
        x = generator.uniform(-1, 1, size=(n, 2))
        return x.astype(np.float32), (x[:, 0] * x[:, 1] > 0).astype(np.int64)

    return Known(*draw(n_train), *draw(n_test))
