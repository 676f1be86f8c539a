"""Fit probes to one set of features and evaluate them on the test images."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from byol_kedro.byol.finite import check_features
from byol_kedro.evaluation.metrics import join_predictions, metrics_row, percent, predictions_table
from byol_kedro.evaluation.probes.base import PROBES, Arrays, Features, Labels, ProbeResult
from byol_kedro.log import Brief, get_logger

if TYPE_CHECKING:
    from byol_kedro.parameters import Probes

logger = get_logger(__name__)


@dataclass(frozen=True, repr=False)
class ProbeData(Brief):
    """Features of the training and test images with their labels, -1 where unknown.

    Attributes:
        features: Name of the features in tables.
        train_x: (N, D) float32.
        train_y: (N,) int64.
        test_x: (M, D) float32.
        test_y: (M,) int64.
        index: (M,) int64, numbers of the test images in their split.
        names: Names of all images of that split.
        class_names: Names of the classes.
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
        """Number of classes."""
        return len(self.class_names)


@dataclass(frozen=True)
class Evaluation:
    """Rows of the metrics JSON, the predictions table, and the result of each probe by its name."""

    rows: list[dict[str, Any]]
    predictions: pd.DataFrame
    results: dict[str, ProbeResult]

    @property
    def arrays(self) -> Arrays:
        """The arrays to save of all probes, named `<probe>.<array>`."""
        return {
            f"{name}.{array}": result.arrays[array]
            for name, result in self.results.items()
            for array in PROBES[name].arrays
        }


def evaluate(data: ProbeData, names: Sequence[str], params: "Probes", seed: int) -> Evaluation:
    """Fit the probes `names` to the labeled training images and evaluate them on the labeled test images.

    Without enough labels (see `has_enough_labels`) there are no rows and no results.

    Raises:
        NotFiniteError: The probabilities of a probe are not finite.
    """
    labeled = drop_unlabeled(data)
    if not has_enough_labels(labeled):
        return Evaluation([], join_predictions([]), {})
    rows, tables, results = [], [], {}
    image_names = [labeled.names[i] for i in labeled.index]
    for name in names:
        result = fit_and_predict(labeled, name, params, seed)
        key: dict[str, Any] = {"classifier": PROBES[name].label, "protocol": name, "features": labeled.features}
        settings = params.of(name).model_dump(mode="json")
        rows.append(
            metrics_row(result, labeled.test_y, dim=labeled.train_x.shape[1], seed=seed, settings=settings, **key)
        )
        tables.append(predictions_table(result, labeled.test_y, labeled.index, image_names, labeled.class_names, **key))
        results[name] = result
        logger.info("%s + %s (%s): %s %%", labeled.features, PROBES[name].label, name, percent(rows[-1]["top1"]))
    return Evaluation(rows, join_predictions(tables), results)


def fit_and_predict(data: ProbeData, name: str, params: "Probes", seed: int) -> ProbeResult:
    """Fit the probe `name` to the training images, all of which have a label, and predict the test images.

    Raises:
        NotFiniteError: The probabilities are not finite.
    """
    probe = PROBES[name]
    fitted = probe.fit(data.train_x, data.train_y, data.n_classes, params.of(name), seed)
    probabilities, *repeats = (probe.predict(data.test_x, arrays) for arrays in (fitted.arrays, *fitted.repeats))
    for each in (probabilities, *repeats):
        check_features(
            each,
            f"{data.features} + {probe.label} ({name}), probabilities of the test images",
            f"the probe has diverged: {probe.remedy}",
        )
    return ProbeResult(probabilities, fitted.arrays, fitted.chosen, tuple(repeats))


def drop_unlabeled(data: ProbeData, rows: Labels | None = None) -> ProbeData:
    """Keep the images with a label; of the training images only `rows`, if given."""
    train, test = data.train_y >= 0, data.test_y >= 0
    if rows is not None:
        train &= np.isin(np.arange(len(train)), rows)
    return replace(
        data,
        train_x=data.train_x[train],
        train_y=data.train_y[train],
        test_x=data.test_x[test],
        test_y=data.test_y[test],
        index=data.index[test],
    )


def has_enough_labels(data: ProbeData) -> bool:
    """Whether there are at least two classes to learn and one test image, in data without unlabeled images."""
    return len(np.unique(data.train_y)) > 1 and len(data.test_y) > 0
