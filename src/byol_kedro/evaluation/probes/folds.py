"""Every classifier on each of the training folds that a data set comes with: STL-10's official protocol."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from byol_kedro.evaluation.metrics import spread, top1
from byol_kedro.evaluation.names import CLASSIFIER
from byol_kedro.evaluation.probes.base import Labels
from byol_kedro.evaluation.probes.run import Problem, fitted, labeled, learnable

if TYPE_CHECKING:
    from byol_kedro.parameters import Probes


def fold_rows(
    problem: Problem, folds: Sequence[Labels], protocols: Sequence[str], params: "Probes", seed: int
) -> list[dict[str, Any]]:
    """One row a protocol: train on each fold alone, test on all labeled test images.

    `folds`: row numbers of the training features, int64, one array a fold. `top1` holds a fraction for each fold,
    `mean` and `std` (of a sample) are over them, as Coates, Lee, Ng (AISTATS 2011) ask for; `n_train` is the
    size of a fold, the smallest where they differ. There are no rows where there are no folds or no labels.

    Raises NotFiniteError as `fitted`.
    """
    parts = [labeled(problem, rows) for rows in folds]
    if not parts or not all(map(learnable, parts)):
        return []
    # The deviation is over folds; further seeds in each of them would cost much and say little.
    once = params.model_copy(update={"linear_adam": params.linear_adam.model_copy(update={"seeds": 1})})
    return [_row(parts, protocol, once, seed) for protocol in protocols]


def _row(parts: list[Problem], protocol: str, params: "Probes", seed: int) -> dict[str, Any]:
    fractions = [top1(fitted(part, protocol, params, seed).probabilities, part.test_y) for part in parts]
    return {
        "features": parts[0].features,
        "classifier": CLASSIFIER[protocol],
        "protocol": protocol,
        "top1": fractions,
        **spread(fractions),
        "n_train": int(np.min([len(part.train_y) for part in parts])),
        "n_test": len(parts[0].test_y),
    }
