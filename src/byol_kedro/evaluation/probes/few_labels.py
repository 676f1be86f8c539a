"""Few-label evaluation: top-1 over the number of labeled images per class."""

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from byol_kedro.evaluation.metrics import spread
from byol_kedro.evaluation.probes.base import Features, Labels
from byol_kedro.evaluation.probes.logistic import fit_logistic
from byol_kedro.evaluation.probes.run import ProbeData, drop_unlabeled, has_enough_labels
from byol_kedro.evaluation.threads import one_thread

if TYPE_CHECKING:
    from byol_kedro.parameters import FewLabels


@one_thread()
def few_label_rows(data: ProbeData, params: "FewLabels", seed: int) -> list[dict[str, Any]]:
    """One row for each of `params.counts` below the size of the largest class, and one for all labels.

    The classifier is a logistic regression on features that are centered and scaled to length 1 (CL2N of Wang, Chao,
    Weinberger, van der Maaten, arXiv 1911.04623). Its C is fixed, as in Tian et al., arXiv 2003.11539, since one image
    per class leaves nothing to choose it on. The mean is that of all training images: few labels are available, not few
    images. All features have the same draws.

    Returns:
        `top1` has one fraction for each draw, `mean` and `std` are over the draws. `labels` is the number of images
        with a label, `per_class` the average of it over the classes, and `whole` whether these are all labels, for
        which there is one draw. There are no rows without enough labels.
    """
    labeled = drop_unlabeled(data)
    if not has_enough_labels(labeled):
        return []
    mean = data.train_x.mean(axis=0, dtype=np.float64).astype(np.float32)
    train, test = _unit_length(labeled.train_x - mean), _unit_length(labeled.test_x - mean)
    train_y, test_y = labeled.train_y, labeled.test_y
    largest = int(np.bincount(train_y).max())
    rows = []
    for count in [*(count for count in sorted(params.counts) if count < largest), largest]:
        draws = [draw_labels(train_y, count, (seed, draw)) for draw in range(params.draws)]
        draws = draws[:1] if count == largest else draws
        top1 = [float(np.mean(_predict(train[d], train_y[d], test, params.c) == test_y)) for d in draws]
        labels = float(np.mean([len(d) for d in draws]))
        row = {"features": labeled.features, "labels": round(labels), "whole": count == largest}
        rows.append({**row, "per_class": labels / len(np.unique(train_y)), "top1": top1, **spread(top1)})
    return rows


def draw_labels(y: Labels, count: int, seed: tuple[int, int]) -> NDArray[np.int64]:
    """Sorted row numbers of `count` images of each class of y (N,), or of all if a class has fewer.

    With the same seed, a smaller draw is a subset of a larger one.
    """
    generator = np.random.default_rng(seed)
    return np.sort(np.concatenate([generator.permutation(np.flatnonzero(y == c))[:count] for c in np.unique(y)]))


def _unit_length(x: Features) -> Features:
    """Features (N, D) with each row scaled to length 1; a row of zeros is unchanged."""
    lengths = np.linalg.norm(x, axis=1, keepdims=True)
    return np.asarray(x / np.where(lengths > 0, lengths, 1), np.float32)


def _predict(train_x: Features, train_y: Labels, test_x: Features, c: float) -> Labels:
    return np.asarray(fit_logistic(train_x, train_y, c).predict(test_x), np.int64)
