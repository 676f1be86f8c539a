"""How many labels the features need: top-1 over the number of labeled images a class."""

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from byol_kedro.evaluation.metrics import spread
from byol_kedro.evaluation.probes.base import Features, Labels
from byol_kedro.evaluation.probes.logistic import fit_logistic
from byol_kedro.evaluation.probes.run import Problem, labeled, learnable
from byol_kedro.evaluation.threads import one_thread

if TYPE_CHECKING:
    from byol_kedro.parameters import FewLabels


@one_thread()
def few_label_rows(problem: Problem, params: "FewLabels", seed: int) -> list[dict[str, Any]]:
    """One row for each of `params.counts` labels a class that is less than all, and one for all labels.

    A logistic regression whose C is given, on features freed of the mean and brought to length 1. Such features
    are those of Wang, Chao, Weinberger, van der Maaten, arXiv 1911.04623 (CL2N); the fixed C is that of Tian
    et al., arXiv 2003.11539, since of one image a class nothing can be held out to choose it. The mean is of
    all training images: few labels are at hand, not few images. The draws are the same for all features.

    `top1` holds a fraction for each draw, `mean` and `std` are over them; `labels`: how many images were
    learned from; `per_class`: of these a class, on average; `whole`: all there are, so that there is one draw.
    """
    known = labeled(problem)
    if not learnable(known):
        return []
    mean = problem.train_x.mean(axis=0, dtype=np.float64).astype(np.float32)
    train, test = _unit(known.train_x - mean), _unit(known.test_x - mean)
    largest = int(np.bincount(known.train_y).max())
    rows = []
    for count in [*(count for count in sorted(params.counts) if count < largest), largest]:
        draws = [draw_labels(known.train_y, count, (seed, draw)) for draw in range(params.draws)]
        draws = draws[:1] if count == largest else draws
        top1 = [float(np.mean(_guess(train[d], known.train_y[d], test, params.c) == known.test_y)) for d in draws]
        labels = float(np.mean([len(d) for d in draws]))
        facts = {"features": known.features, "labels": round(labels), "whole": count == largest}
        rows.append({**facts, "per_class": labels / len(np.unique(known.train_y)), "top1": top1, **spread(top1)})
    return rows


def draw_labels(y: Labels, count: int, seed: tuple[int, int]) -> NDArray[np.int64]:
    """Row numbers of `count` images of each class of y (N,), all where a class has fewer, sorted.

    With the same seed the images of a smaller `count` are among those of a larger one.
    """
    generator = np.random.default_rng(seed)
    return np.sort(np.concatenate([generator.permutation(np.flatnonzero(y == c))[:count] for c in np.unique(y)]))


def _unit(x: Features) -> Features:
    """x (N, D), each row divided by its length; a row of zeros stays."""
    lengths = np.linalg.norm(x, axis=1, keepdims=True)
    return np.asarray(x / np.where(lengths > 0, lengths, 1), np.float32)


def _guess(train_x: Features, train_y: Labels, test_x: Features, c: float) -> Labels:
    return np.asarray(fit_logistic(train_x, train_y, c).predict(test_x), np.int64)
