"""Time and memory of the evaluation at STL-10's sizes, as a markdown table: `python benchmarks/evaluation.py`.

Each line runs in a process of its own, so that its peak memory is its own; imports and inputs are part of it.
"""

import resource
import sys
import time
from collections.abc import Callable
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import torch
import yaml
from sklearn.neighbors import KNeighborsClassifier
from torch.utils.data import DataLoader, TensorDataset

from byol_kedro.evaluation.classify import CLASSIFIERS, Problem
from byol_kedro.evaluation.few_labels import few_label_rows
from byol_kedro.evaluation.folds import fold_rows
from byol_kedro.evaluation.knn import knn
from byol_kedro.evaluation.metrics import top1
from byol_kedro.evaluation.names import CLASSIFIER
from byol_kedro.evaluation.pca import fit_pca, project
from byol_kedro.parameters import Probes

PARAMETERS = Path(__file__).parents[1] / "conf" / "base" / "parameters_probes.yml"
PROBES = Probes(**yaml.safe_load(PARAMETERS.read_text(encoding="utf-8"))["probes"])
CLASSES, DIM, TEST = 10, 512, 8_000


def features(n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Overlapping clouds, (n, 512) float32 and (n,) int64."""
    generator = np.random.default_rng(seed)
    centres = np.random.default_rng(0).normal(size=(CLASSES, DIM)).astype(np.float32)
    y = generator.integers(0, CLASSES, n)
    x = generator.standard_normal((n, DIM), np.float32)
    for i, label in enumerate(y):
        x[i] += 0.12 * centres[label]  # in place: the inputs must not be what makes the peak
    return x, y


def classifier(protocol: str) -> str:
    (train_x, train_y), (test_x, test_y) = features(5_000, 1), features(TEST, 2)
    start = time.perf_counter()
    fit = CLASSIFIERS[protocol](train_x, train_y, test_x, CLASSES, getattr(PROBES, protocol), 0)
    return line(start, f"top-1 {100 * top1(fit.probabilities, test_y):.1f} % {fit.chosen or ''}")


def usual_loop(_: str) -> str:
    """One seed of `published` as it is usually written: a DataLoader, autograd and torch's Adam."""
    (train_x, train_y), params = features(5_000, 1), PROBES.published
    start = time.perf_counter()
    layer = torch.nn.Linear(DIM, CLASSES)
    optimizer = torch.optim.Adam(layer.parameters(), params.lr)
    pictures = TensorDataset(torch.from_numpy(train_x), torch.from_numpy(train_y))
    for _epoch in range(params.epochs):
        for x, y in DataLoader(pictures, params.batch_size, shuffle=True):
            optimizer.zero_grad()
            torch.nn.functional.cross_entropy(layer(x), y).backward()
            optimizer.step()
    return line(start, "")


def problem() -> Problem:
    (train_x, train_y), (test_x, test_y) = features(5_000, 1), features(TEST, 2)
    names = [str(i) for i in range(TEST)]
    return Problem("BYOL", train_x, train_y, test_x, test_y, np.arange(TEST), names, CLASSES)


def folds(_: str) -> str:
    rows = [np.random.default_rng(i).permutation(5_000)[:1_000] for i in range(10)]
    known = problem()
    start = time.perf_counter()
    fold_rows(known, rows, tuple(CLASSIFIERS), PROBES, 0)
    return line(start, "of one kind of features")


def few_labels(_: str) -> str:
    known = problem()
    start = time.perf_counter()
    few_label_rows(known, PROBES.few_labels, 0)
    return line(start, "of one kind of features")


def pca(_: str) -> str:
    generator = np.random.default_rng(0)
    train, test = (generator.integers(0, 256, (n, 3, 96, 96), np.uint8) for n in (5_000, TEST))
    start = time.perf_counter()
    weights = fit_pca(train, 256, 0)
    fitted = time.perf_counter() - start
    shape = project(test, weights).shape
    return line(start, f"fit {fitted:.1f} s, then {shape[0]:,} projected")


def large_knn(library: str) -> str:
    (train_x, train_y), (test_x, test_y) = features(105_000, 1), features(TEST, 2)
    start = time.perf_counter()
    if library == "ours":
        guess = knn(train_x, train_y, test_x, CLASSES, PROBES.knn, 0).probabilities.argmax(axis=1)
    else:
        theirs = KNeighborsClassifier(PROBES.knn.neighbours, metric="cosine", algorithm="brute")
        guess = theirs.fit(train_x, train_y).predict(test_x)
    return line(start, f"top-1 {100 * np.mean(guess == test_y):.1f} %")


def line(start: float, note: str) -> str:
    seconds = time.perf_counter() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2 ** (30 if sys.platform == "darwin" else 20)
    return f"{seconds:.1f} | {peak:.2f} | {note} |"


LINES: list[tuple[str, Callable[[str], str], str]] = [
    *((f"{name} ({protocol}), 5,000 / 8,000, 512-d", classifier, protocol) for protocol, name in CLASSIFIER.items()),
    ("published, one seed, the usual DataLoader loop", usual_loop, ""),
    ("ten folds of 1,000, every classifier", folds, ""),
    ("few labels", few_labels, ""),
    ("PCA 256, 5,000 pictures of 96 by 96", pca, ""),
    ("kNN, 105,000 / 8,000, 512-d", large_knn, "ours"),
    ("the same, scikit-learn's brute force", large_knn, "theirs"),
]


def main() -> None:
    print("| what | seconds | peak memory, GiB | |\n|---|---|---|---|")
    for what, function, argument in LINES:
        with get_context("spawn").Pool(1) as pool:
            print(f"| {what} | {pool.apply(function, (argument,))}", flush=True)


if __name__ == "__main__":
    main()
