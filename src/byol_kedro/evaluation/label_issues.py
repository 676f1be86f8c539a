"""Labels that contradict the features: confident learning on cross-validated probabilities.

Northcutt, Jiang, Chuang, "Confident Learning: Estimating Uncertainty in Dataset Labels", arXiv 1911.00068.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from byol_kedro.evaluation.probes.base import Features, Labels, stratified_split
from byol_kedro.evaluation.probes.logistic import fit_logistic
from byol_kedro.evaluation.scaler import Scaler
from byol_kedro.evaluation.threads import one_thread

CHOOSING_ROWS = 4_000  # images on which C is chosen


@dataclass(frozen=True, eq=False)
class LabelIssues:
    """Of each labeled image (N,): whether its label is suspicious, the score and the class that is more likely."""

    suspicious: NDArray[np.bool_]
    score: NDArray[np.float64]
    likely: Labels


@one_thread()
def cross_validated(
    x: Features, y: Labels, n_classes: int, cs: list[float], folds: int, seed: int, group: Labels
) -> NDArray[np.float64]:
    """Probabilities (N, n_classes) of each image by a logistic regression that was fitted without it.

    C is the best of `cs` on a validation part of at most `CHOOSING_ROWS` images. A class without images in the fitted
    part has probability 0.

    Args:
        x: Features (N, D) float32.
        y: Labels (N,) int64, of at least two classes.
        n_classes: Number of classes.
        cs: Inverse strengths of the regularization.
        folds: Number of parts, at least 2.
        seed: Seed of the parts.
        group: (N,) int64; images of one group, such as copies, are in the same part, -1 for an image of its own.
    """
    scaled = Scaler.fit(x)(x)
    chosen = np.random.default_rng(seed).permutation(len(y))[:CHOOSING_ROWS]
    fit, validation = (chosen[part] for part in stratified_split(y[chosen], 0.2, seed))
    strengths = sorted(cs) if len(np.unique(y[fit])) > 1 else [min(cs)]
    c = max(strengths, key=lambda c: _top1(scaled, y, fit, validation, c)) if len(strengths) > 1 else strengths[0]
    probabilities = np.zeros((len(y), n_classes))
    part = _parts(y, folds, seed, group)
    for fold in range(folds):
        held_out, rest = part == fold, part != fold
        if not held_out.any() or len(np.unique(y[rest])) < 2:
            continue
        model = fit_logistic(scaled[rest], y[rest], c)
        probabilities[np.ix_(held_out, model.classes_)] = model.predict_proba(scaled[held_out])
    return probabilities


def confident_learning(probabilities: NDArray[np.float64], y: Labels) -> LabelIssues:
    """Find suspicious labels: the off-diagonal entries of the confident joint (1911.00068, equation 1).

    The threshold of a class is the mean probability of it over the images with its label. An image belongs confidently
    to the most probable of the classes whose threshold it reaches. Its label is suspicious if that is another class.

    Args:
        probabilities: Cross-validated (N, C).
        y: Labels (N,).

    Returns:
        The score is the largest probability of another class less that of the label, from -1 to 1: the normalized
        margin of section 3.2, negated.
    """
    rows, classes = np.arange(len(y)), probabilities.shape[1]
    thresholds = np.array([probabilities[y == c, c].mean() if (y == c).any() else np.inf for c in range(classes)])
    reached = np.where(probabilities >= thresholds, probabilities, -np.inf)
    confident = np.where(np.isfinite(reached).any(axis=1), reached.argmax(axis=1), y)
    others = probabilities.copy()
    others[rows, y] = -1
    likely = others.argmax(axis=1)
    score = others.max(axis=1) - probabilities[rows, y]
    # A class with one image cannot be learned without it.
    judged = np.bincount(y, minlength=classes)[y] > 1
    return LabelIssues((confident != y) & (score > 0) & judged, score, np.where(confident != y, confident, likely))


def confused_classes(probabilities: NDArray[np.float64], y: Labels) -> list[tuple[int, int, float]]:
    """Pairs of classes with the balanced error of telling one from the other: 0.5 is chance.

    Returns:
        Class, class and error, the largest error first.
    """
    present = [c for c in range(probabilities.shape[1]) if np.count_nonzero(y == c) > 1]
    found = []
    for position, a in enumerate(present):
        for b in present[position + 1 :]:
            prefers_b = probabilities[:, b] > probabilities[:, a]
            error = (np.mean(prefers_b[y == a]) + np.mean(~prefers_b[y == b])) / 2
            found.append((a, b, float(error)))
    return sorted(found, key=lambda pair: -pair[2])


def _top1(x: Features, y: Labels, fit: Labels, validation: Labels, c: float) -> float:
    return float(np.mean(fit_logistic(x[fit], y[fit], c).predict(x[validation]) == y[validation]))


def _parts(y: Labels, folds: int, seed: int, group: Labels) -> Labels:
    """The part (N,) of each image, stratified by class; images of a group are in the part of its first image."""
    generator, part = np.random.default_rng(seed), np.zeros(len(y), np.int64)
    for label in np.unique(y):
        rows = generator.permutation(np.flatnonzero(y == label))
        part[rows] = (np.arange(len(rows)) + generator.integers(folds)) % folds
    grouped = np.flatnonzero(group >= 0)
    _, first, inverse = np.unique(group[grouped], return_index=True, return_inverse=True)
    part[grouped] = part[grouped[first]][inverse]
    return part
