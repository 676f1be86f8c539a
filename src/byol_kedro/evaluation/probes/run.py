"""All classifiers over one set of features."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from byol_kedro.byol.finite import check_features
from byol_kedro.evaluation.metrics import join_predictions, metrics_row, percent, predictions_table
from byol_kedro.evaluation.names import CLASSIFIER
from byol_kedro.evaluation.probes.base import Features, Fit, Labels
from byol_kedro.evaluation.probes.knn import knn, weighted_knn
from byol_kedro.evaluation.probes.linear_adam import linear_adam
from byol_kedro.evaluation.probes.linear_sgd import linear_sgd
from byol_kedro.evaluation.probes.logistic import logistic
from byol_kedro.evaluation.probes.mlp import mlp
from byol_kedro.log import Brief, get_logger

if TYPE_CHECKING:
    from byol_kedro.parameters import Probes

# A protocol is also the name of its block of parameters; names.CLASSIFIER says what the tables call its classifier.
CLASSIFIERS: dict[str, Callable[..., Fit]] = {
    "knn": knn,
    "knn_weighted": weighted_knn,
    "linear_adam": linear_adam,
    "linear_sgd": linear_sgd,
    "logistic": logistic,
    "mlp": mlp,
}

# What to do where a classifier gives no numbers, though its features are.
REMEDIES = {
    "knn": "run the pipeline extract again",
    "knn_weighted": "raise probes.knn_weighted.temperature",
    "linear_adam": "lower probes.linear_adam.lr",
    "linear_sgd": "lower probes.linear_sgd.lrs",
    "logistic": "lower probes.logistic.cs",
    "mlp": "lower probes.mlp.lr",
}

logger = get_logger(__name__)


@dataclass(frozen=True, repr=False)
class Problem(Brief):
    """Features of the training and test images with their labels, -1 where unknown.

    `features` is what the tables call them; train_x (N, D), test_x (M, D) float32; train_y (N,), test_y (M,),
    index (M,) int64: the numbers of the test images in their split; `names`: of all images of that split.
    """

    features: str
    train_x: Features
    train_y: Labels
    test_x: Features
    test_y: Labels
    index: Labels
    names: Sequence[str]
    class_names: Sequence[str]

    @property
    def n_classes(self) -> int:
        return len(self.class_names)


@dataclass(frozen=True)
class Outcome:
    """Rows of the metrics json, the predictions table, and each protocol's fit."""

    rows: list[dict[str, Any]]
    predictions: pd.DataFrame
    fits: dict[str, Fit]

    @property
    def weights(self) -> dict[str, dict[str, np.ndarray]]:
        return {protocol: fit.weights for protocol, fit in self.fits.items()}


def classify(problem: Problem, protocols: Sequence[str], params: "Probes", seed: int) -> Outcome:
    """Fit each of `protocols` on the labeled training images and judge it on the labeled test images.

    Where these are too few to learn or to judge anything there are no rows and no fits. Raises NotFiniteError as
    `fitted`.
    """
    known = labeled(problem)
    if not learnable(known):
        return Outcome([], join_predictions([]), {})
    rows, tables, fits = [], [], {}
    for protocol in protocols:
        classifier, settings = CLASSIFIER[protocol], getattr(params, protocol)
        fit = fitted(known, protocol, params, seed)
        words: dict[str, Any] = {"classifier": classifier, "protocol": protocol, "features": known.features}
        names = [known.names[i] for i in known.index]
        about = {"dim": known.train_x.shape[1], "seed": seed, "settings": settings.model_dump(mode="json")} | words
        rows.append(metrics_row(fit, known.test_y, **about))
        tables.append(predictions_table(fit, known.test_y, known.index, names, known.class_names, **words))
        fits[protocol] = fit
        logger.info("%s + %s (%s): %s %%", known.features, classifier, protocol, percent(rows[-1]["top1"]))
    return Outcome(rows, join_predictions(tables), fits)


def fitted(known: Problem, protocol: str, params: "Probes", seed: int) -> Fit:
    """The classifier of `protocol`, fitted to the training images, all of which have a label.

    Raises:
        NotFiniteError: its probabilities are no numbers.
    """
    settings = getattr(params, protocol)
    fit = CLASSIFIERS[protocol](known.train_x, known.train_y, known.test_x, known.n_classes, settings, seed)
    for probabilities in (fit.probabilities, *fit.repeats):
        whose = f"{known.features} + {CLASSIFIER[protocol]} ({protocol}), probabilities of the test images"
        check_features(probabilities, whose, f"the classifier has diverged: {REMEDIES[protocol]}")
    return fit


def labeled(problem: Problem, rows: Labels | None = None) -> Problem:
    """The images with a label; of the training images, where `rows` are given, those of them alone."""
    train, test = problem.train_y >= 0, problem.test_y >= 0
    if rows is not None:
        train &= np.isin(np.arange(len(train)), rows)
    return replace(
        problem,
        train_x=problem.train_x[train],
        train_y=problem.train_y[train],
        test_x=problem.test_x[test],
        test_y=problem.test_y[test],
        index=problem.index[test],
    )


def learnable(problem: Problem) -> bool:
    """At least two classes to learn and one test image to judge by."""
    return len(np.unique(problem.train_y)) > 1 and len(problem.test_y) > 0
