"""Pairs with a known target."""

import numpy as np

from byol_kedro.evaluation.scaler import Scaler
from byol_kedro.pair_model.pairs import ConcatArray, ImagePool, PairSet
from byol_kedro.parameters import Clusters, EmbeddingMap, PairModelParams, Pairs

PAIRS = Pairs(
    count=300, target="psnr", reference="untrained", balanced=False, column=None, split="image", validation=0.2
)
SETTINGS = PairModelParams(
    pairs=PAIRS,
    widths=[32, 16],
    lr=0.003,
    schedule="cosine",
    batch_size=64,
    epochs=30,
    patience=30,
    scale_target=True,
    weights_from=None,
    unlabeled=False,
    clusters=Clusters(method="kmeans", count=3, min_size=5),
    map=EmbeddingMap(method="tsne", points=50),
)


def changed(block, **values):
    """A validated copy of a parameter block with other values."""
    return type(block).model_validate(block.model_dump() | values)


def linear_pairs(images=200, pairs=2000, dim=10, noise_seed=0):
    """The target is the distance of a fixed random linear map of the features, to three dimensions."""
    generator = np.random.default_rng(noise_seed)
    features = generator.normal(size=(images, dim)).astype(np.float32)
    left = generator.integers(0, images, pairs)
    right = (left + generator.integers(1, images, pairs)) % images
    mapped = features @ np.random.default_rng(99).normal(size=(dim, 3))
    target = 0.01 * np.linalg.norm(mapped[left] - mapped[right], axis=1)
    # Without a scaler, the model would not learn from features of this shift and scale.
    return PairSet((features * 50 + 7).astype(np.float32), left, right, target)


def scaler_of(pairs):
    """Scaler fitted on the features of all images, as if they were train images."""
    return Scaler.fit(pairs.features)


def pool_of(pairs):
    """A pool with the images of the pairs as train images."""
    names = [f"train/{i}" for i in range(len(pairs.features))]
    return ImagePool(names, ConcatArray([pairs.features]), pairs.features)


def empty_pair_set(dim=10):
    """The pairs of a split without pairs."""
    none = np.zeros(0, np.int64)
    return PairSet(np.zeros((0, dim), np.float32), none, none, np.zeros(0))
