"""Probes fitted to each predefined training fold of a data set, as in the protocol of STL-10.

Coates, Lee, Ng, AISTATS 2011.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from byol_kedro.evaluation.metrics import spread, top1
from byol_kedro.evaluation.probes.base import PROBES, Labels
from byol_kedro.evaluation.probes.run import ProbeData, drop_unlabeled, fit_and_predict, has_enough_labels

if TYPE_CHECKING:
    from byol_kedro.parameters import Probes


def fold_rows(
    data: ProbeData, folds: Sequence[Labels], names: Sequence[str], params: "Probes", seed: int
) -> list[dict[str, Any]]:
    """One row for each probe: fitted to each fold alone, evaluated on all labeled test images.

    Args:
        data: Features and labels.
        folds: Row numbers of the training features, one int64 array for each fold.
        names: Names of the probes.
        params: Parameters of all probes.
        seed: Seed of every fit. A probe with several seeds is fitted with this one only.

    Returns:
        `top1` has one fraction for each fold, `mean` and `std` (of a sample) are over the folds, and `n_train` is the
        size of the smallest fold. There are no rows without folds or without enough labels.

    Raises:
        NotFiniteError: The probabilities of a probe are not finite.
    """
    parts = [drop_unlabeled(data, rows) for rows in folds]
    if not parts or not all(map(has_enough_labels, parts)):
        return []
    # The deviation is over folds; further seeds in each of them would cost much and say little.
    single = {
        name: params.of(name).model_copy(update={"seeds": 1})
        for name in names
        if "seeds" in PROBES[name].parameters.model_fields
    }
    return [_row(parts, name, params.model_copy(update=single), seed) for name in names]


def _row(parts: list[ProbeData], name: str, params: "Probes", seed: int) -> dict[str, Any]:
    fractions = [top1(fit_and_predict(part, name, params, seed).probabilities, part.test_y) for part in parts]
    return {
        "features": parts[0].features,
        "classifier": PROBES[name].label,
        "protocol": name,
        "top1": fractions,
        **spread(fractions),
        "n_train": int(np.min([len(part.train_y) for part in parts])),
        "n_test": len(parts[0].test_y),
    }
