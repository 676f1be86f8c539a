"""Time and memory of the evaluation at the sizes of STL-10, as a Markdown table: `python benchmarks/evaluation.py`.

Each row is measured in a separate process; its peak memory includes imports and inputs. `--small` runs all rows on a
tenth of the images as a quick check, `--only WORD` those whose name contains WORD.
"""

import argparse
import resource
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import torch
import yaml
from scipy.stats import ttest_ind
from sklearn.neighbors import KNeighborsClassifier
from torch.utils.data import DataLoader, TensorDataset

from byol_kedro.datasets.probe_data import PIXEL_PROBES
from byol_kedro.evaluation.comparison import compare_all
from byol_kedro.evaluation.duplicates import nearest, perceptual_hash
from byol_kedro.evaluation.metrics import join_predictions, top1
from byol_kedro.evaluation.pca import fit_pca, project
from byol_kedro.evaluation.probes.base import PROBES, probe_names
from byol_kedro.evaluation.probes.few_labels import few_label_rows
from byol_kedro.evaluation.probes.folds import fold_rows
from byol_kedro.evaluation.probes.run import Evaluation, ProbeData, evaluate, fit_and_predict
from byol_kedro.evaluation.representation import quality_row
from byol_kedro.parameters import Probes

PARAMETER_FILE = Path(__file__).parents[1] / "conf" / "base" / "parameters_probes.yml"
PARAMETERS = Probes(**yaml.safe_load(PARAMETER_FILE.read_text(encoding="utf-8"))["probes"])
CLASSES, DIM, COMPONENTS, SIDE = 10, 512, 256, 96


@dataclass(frozen=True)
class Sizes:
    """Numbers of labeled training and test images, of all training images, and of images per fold."""

    train: int = 5_000
    test: int = 8_000
    pool: int = 105_000
    fold: int = 1_000


def features(n: int, seed: int, dim: int = DIM) -> tuple[np.ndarray, np.ndarray]:
    """Overlapping clouds, (n, dim) float32 and (n,) int64."""
    generator = np.random.default_rng(seed)
    centers = np.random.default_rng(0).normal(size=(CLASSES, dim)).astype(np.float32)
    y = generator.integers(0, CLASSES, n)
    x = generator.standard_normal((n, dim), np.float32)
    for i, label in enumerate(y):
        x[i] += 0.12 * centers[label]  # in place, so that the inputs do not determine the peak
    return x, y


def images(n: int, seed: int) -> np.ndarray:
    """Noise, (n, 3, 96, 96) uint8; the cost does not depend on the values."""
    return np.random.default_rng(seed).integers(0, 256, (n, 3, SIDE, SIDE), np.uint8)


def probe_data(sizes: Sizes, name: str = "BYOL", dim: int = DIM, seed: int = 1) -> ProbeData:
    """Features by the name that tables call them."""
    (train_x, train_y), (test_x, test_y) = features(sizes.train, seed, dim), features(sizes.test, seed + 1, dim)
    names = [str(i) for i in range(sizes.test)]
    return ProbeData(
        name, train_x, train_y, test_x, test_y, np.arange(sizes.test), names, [str(i) for i in range(CLASSES)]
    )


def folds_of(sizes: Sizes) -> list[np.ndarray]:
    """Row numbers of ten random folds."""
    return [np.random.default_rng(i).permutation(sizes.train)[: sizes.fold] for i in range(10)]


def probe(sizes: Sizes, name: str) -> str:
    """Fit and evaluate one probe."""
    data = probe_data(sizes)
    start = time.perf_counter()
    result = fit_and_predict(data, name, PARAMETERS, 0)
    return measured(start, f"top-1 {100 * top1(result.probabilities, data.test_y):.1f} % {result.chosen or ''}")


def whole(sizes: Sizes, _: str) -> str:
    """The whole evaluation of three kinds of features: probes, folds, few labels, quality, comparisons."""
    sets = [
        (probe_data(sizes), probe_names()),
        (probe_data(sizes, "untrained network", seed=3), probe_names()),
        (probe_data(sizes, f"pixels, PCA {COMPONENTS}", COMPONENTS, seed=5), PIXEL_PROBES),
    ]
    start = last = time.perf_counter()
    parts = {}

    def lap(name: str) -> None:
        nonlocal last
        parts[name], last = time.perf_counter() - last, time.perf_counter()

    evaluations: list[Evaluation] = [evaluate(one, protocols, PARAMETERS, 0) for one, protocols in sets]
    lap("probes")
    for one, protocols in sets:
        fold_rows(one, folds_of(sizes), protocols, PARAMETERS, 0)
    lap("folds")
    for one, _protocols in sets:
        few_label_rows(one, PARAMETERS.few_labels, 0)
    lap("few labels")
    for one, _protocols in sets[:2]:
        quality_row(one.features, one.test_x, 0)
    lap("quality")
    compare_all(join_predictions([evaluation.predictions for evaluation in evaluations]), 0)
    lap("comparisons")
    return measured(start, ", ".join(f"{name} {seconds:.0f} s" for name, seconds in parts.items()))


def compare_with_dataloader_loop(sizes: Sizes, _: str) -> str:
    """Top-1 and time of `linear_adam`: five seeds at once, and one ordinary loop for each seed."""
    data = probe_data(sizes)
    start = time.perf_counter()
    result = fit_and_predict(data, "linear_adam", PARAMETERS, 0)
    ours = [top1(each, data.test_y) for each in (result.probabilities, *result.repeats)]
    at_once = time.perf_counter() - start
    loops = [dataloader_loop(data, seed) for seed in range(PARAMETERS.linear_adam.seeds)]
    seconds, theirs = zip(*loops, strict=True)
    p = ttest_ind(ours, theirs, equal_var=False).pvalue
    note = (
        f"five at once {at_once:.1f} s, one DataLoader loop {np.mean(seconds):.1f} s (of {len(loops)}); top-1 "
        f"{spread(ours)} and {spread(theirs)}, Welch's p {p:.2f}"
    )
    return measured(start, note)


def dataloader_loop(data: ProbeData, seed: int) -> tuple[float, float]:
    """Seconds and top-1 of one seed of `linear_adam` with a DataLoader, autograd and torch.optim.Adam."""
    torch.manual_seed(seed)
    params, start = PARAMETERS.linear_adam, time.perf_counter()
    mean, scale = data.train_x.mean(axis=0), data.train_x.std(axis=0)
    train, test = (torch.from_numpy((x - mean) / scale) for x in (data.train_x, data.test_x))
    layer = torch.nn.Linear(DIM, CLASSES)
    optimizer = torch.optim.Adam(layer.parameters(), params.lr)
    loader = DataLoader(TensorDataset(train, torch.from_numpy(data.train_y)), params.batch_size, shuffle=True)
    for _epoch in range(params.epochs):
        for x, y in loader:
            optimizer.zero_grad()
            torch.nn.functional.cross_entropy(layer(x), y).backward()
            optimizer.step()
    with torch.no_grad():
        predicted = layer(test).numpy()
    return time.perf_counter() - start, top1(predicted, data.test_y)


def pca(sizes: Sizes, _: str) -> str:
    """Fit the principal components and project the test images."""
    train, test = images(sizes.train, 0), images(sizes.test, 1)
    start = time.perf_counter()
    weights = fit_pca(train, COMPONENTS, 0)
    fitted = time.perf_counter() - start
    shape = project(test, weights).shape
    return measured(start, f"fit {fitted:.1f} s, then {shape[0]:,} projected")


def large_knn(sizes: Sizes, library: str) -> str:
    """Nearest neighbors among all training images, by this package or by scikit-learn."""
    (train_x, train_y), (test_x, test_y) = features(sizes.pool, 1), features(sizes.test, 2)
    start = time.perf_counter()
    if library == "ours":
        fitted = PROBES["knn"].fit(train_x, train_y, CLASSES, PARAMETERS.knn, 0)
        predicted = PROBES["knn"].predict(test_x, fitted.arrays).argmax(axis=1)
    else:
        theirs = KNeighborsClassifier(PARAMETERS.knn.neighbors, metric="cosine", algorithm="brute")
        predicted = theirs.fit(train_x, train_y).predict(test_x)
    return measured(start, f"top-1 {100 * np.mean(predicted == test_y):.1f} %")


def duplicates(sizes: Sizes, _: str) -> str:
    """Hash all images in pieces, and search for the nearest hash of each test image."""
    piece = images(500, 0)
    start = time.perf_counter()
    hashes = np.concatenate([perceptual_hash(piece) for _ in range(-(-(sizes.pool + sizes.test) // len(piece)))])
    hashed = time.perf_counter() - start
    nearest(hashes[: sizes.test], hashes[sizes.test :])
    return measured(start, f"hashes {hashed:.1f} s, without reading the images")


def spread(values: list[float] | tuple[float, ...]) -> str:
    """Mean ± standard deviation of fractions, in percent."""
    return f"{100 * np.mean(values):.2f} ± {100 * np.std(values, ddof=1):.2f} %"


def measured(start: float, note: str) -> str:
    """Seconds since `start`, peak memory and a note, as the last cells of a row."""
    seconds = time.perf_counter() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2 ** (30 if sys.platform == "darwin" else 20)
    return f"{seconds:.1f} | {peak:.2f} | {note} |"


def rows(sizes: Sizes) -> list[tuple[str, Callable[[Sizes, str], str], str]]:
    """Name, function and its second argument for each row."""
    shape = f"{sizes.train:,} / {sizes.test:,}, {DIM}-d"
    return [
        (f"whole evaluation of three kinds of features, {shape}, ten folds of {sizes.fold:,}", whole, ""),
        *((f"{entry.label} ({name}), {shape}", probe, name) for name, entry in PROBES.items()),
        (f"linear_adam, five seeds and one DataLoader loop for each, {shape}", compare_with_dataloader_loop, ""),
        (f"PCA {COMPONENTS}, {sizes.train:,} images of {SIDE} by {SIDE}", pca, ""),
        (f"kNN, {sizes.pool:,} / {sizes.test:,}, {DIM}-d", large_knn, "ours"),
        ("the same kNN, scikit-learn's brute force", large_knn, "theirs"),
        (f"near duplicates, {sizes.pool:,} / {sizes.test:,} images of {SIDE} by {SIDE}", duplicates, ""),
    ]


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--small", action="store_true", help="a tenth of the images")
    parser.add_argument("--only", default="", metavar="WORD", help="rows whose name contains WORD")
    arguments = parser.parse_args()
    sizes = Sizes(500, 800, 10_500, 100) if arguments.small else Sizes()
    print("| what | seconds | peak memory, GiB | |\n|---|---|---|---|")
    for what, function, argument in rows(sizes):
        if arguments.only in what:
            with get_context("spawn").Pool(1) as pool:
                print(f"| {what} | {pool.apply(function, (sizes, argument))}", flush=True)


if __name__ == "__main__":
    main()
