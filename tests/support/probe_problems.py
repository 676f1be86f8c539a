"""Small classification problems of known difficulty."""

from dataclasses import dataclass, replace

import numpy as np

from byol_kedro.evaluation.probes.base import (
    PROBES,
    Knn,
    KnnWeighted,
    LinearAdam,
    LinearSgd,
    Logistic,
    Mlp,
    ProbeResult,
)
from byol_kedro.evaluation.probes.run import ProbeData
from byol_kedro.parameters import FewLabels, Probes

PROBE_PARAMS = Probes(
    knn=Knn(neighbors=5),
    knn_weighted=KnnWeighted(neighbors=20, temperature=0.07),
    linear_adam=LinearAdam(lr=0.01, batch_size=32, epochs=10, seeds=2),
    linear_sgd=LinearSgd(lrs=[0.01, 0.1], momentum=0.9, batch_size=32, epochs=10, validation=0.3),
    logistic=Logistic(cs=[0.001, 0.1, 10.0], validation=0.3),
    mlp=Mlp(hidden_dim=8, lr=0.01, weight_decay=0, batch_size=32, epochs=5, patience=3, validation=0.3),
    few_labels=FewLabels(counts=[1, 5], draws=2, c=1.0),
)


@dataclass(frozen=True)
class Dataset:
    """Features (N, D) float32 and labels (N,) int64 of a training and a test set."""

    train_x: np.ndarray
    train_y: np.ndarray
    test_x: np.ndarray
    test_y: np.ndarray


def blobs(n_train=300, n_test=200, dim=12, classes=4, spread=1.0, seed=0, decades=2):
    """One normal cloud per class; a larger `spread` mixes them. Features are scaled by 10 to the ± `decades`."""
    generator = np.random.default_rng(seed)
    centers = generator.normal(size=(classes, dim))
    scales, shift = 10 ** generator.uniform(-decades, decades, dim), generator.normal(size=dim)

    def draw(n):
        y = generator.permutation(np.arange(n) % classes)
        x = centers[y] + spread * generator.normal(size=(n, dim))
        return (scales * x + shift).astype(np.float32), y

    return Dataset(*draw(n_train), *draw(n_test))


def xor(n_train=400, n_test=400, seed=0):
    """Two classes in four quadrants: every linear classifier is at chance level."""
    generator = np.random.default_rng(seed)

    def draw(n):
        x = generator.uniform(-1, 1, size=(n, 2))
        return x.astype(np.float32), (x[:, 0] * x[:, 1] > 0).astype(np.int64)

    return Dataset(*draw(n_train), *draw(n_test))


def fit_predict(name, data, params, n_classes=4, seed=0) -> ProbeResult:
    """The result of the probe `name`, without any check."""
    probe = PROBES[name]
    fitted = probe.fit(data.train_x, data.train_y, n_classes, params, seed)
    repeats = tuple(probe.predict(data.test_x, arrays) for arrays in fitted.repeats)
    return ProbeResult(probe.predict(data.test_x, fitted.arrays), fitted.arrays, fitted.chosen, repeats)


def probe_data(**changes):
    """120 training and 50 test images of four classes."""
    data = blobs(120, 50, spread=2.0)
    names = [f"test/{i:03}" for i in range(50)]
    parts = (data.train_x, data.train_y, data.test_x, data.test_y)
    return replace(
        ProbeData("BYOL", *parts, index=np.arange(50), names=names, class_names=["ant", "bee", "cat", "dog"]), **changes
    )
