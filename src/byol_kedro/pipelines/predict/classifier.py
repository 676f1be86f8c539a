"""The class of a new image, by one of the classifiers that the results compare."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

import numpy as np

from byol_kedro.byol.finite import check_finite
from byol_kedro.datasets.tensors import Array, Tensors
from byol_kedro.evaluation.probes.base import Features
from byol_kedro.evaluation.probes.linear import linear_probabilities
from byol_kedro.evaluation.probes.mlp import mlp_probabilities
from byol_kedro.evaluation.probes.run import CLASSIFIERS
from byol_kedro.parameters import Probes
from byol_kedro.pipelines.predict.known import Known

# How the saved weights of a protocol are used; kNN has none, its training images are what it knows.
SAVED = {"linear_adam": linear_probabilities, "logistic": linear_probabilities, "mlp": mlp_probabilities}


@dataclass(frozen=True)
class Classifier:
    """`probabilities` of features (n, D) float32: (n, classes) float32, in the order of `class_names`."""

    class_names: list[str]
    probabilities: Callable[[Features], Features]


def chosen_classifier(
    protocol: str, saved: Mapping[str, Tensors], known: Known, probes: Probes, seed: int
) -> Classifier | None:
    """The classifier of `protocol`: saved, or kNN among the labeled training images; None without labels.

    Raises UserError where the saved one holds NaN or infinity.
    """
    if protocol in SAVED:
        probe = saved[protocol]
        if not probe.arrays:
            return None
        weights = dict(probe.arrays)
        check_finite(_of_known_classes(weights), f"probe_{protocol}:", "run the pipeline probes again")
        return Classifier(json.loads(probe.header["class_names"]), partial(SAVED[protocol], weights=weights))
    labeled = known.labels >= 0
    x, y = known.features[labeled], known.labels[labeled]
    if len(np.unique(y)) < 2:
        return None
    knn, parameters, classes = CLASSIFIERS[protocol], getattr(probes, protocol), len(known.class_names)
    return Classifier(known.class_names, lambda new: knn(x, y, new, classes, parameters, seed).probabilities)


def _of_known_classes(weights: Mapping[str, Array]) -> dict[str, Array]:
    """Without the bias of classes that train has no image of, which is minus infinity."""
    return {name: array[~np.isneginf(array)] if name == "bias" else array for name, array in weights.items()}
