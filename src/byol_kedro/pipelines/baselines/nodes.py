"""The same classifiers on features that BYOL has to beat."""

from typing import Any

import numpy as np
import pandas as pd

from byol_kedro.datasets.belonging import check_same_encoder, check_same_pictures
from byol_kedro.datasets.images import Images
from byol_kedro.datasets.tensors import Array, Tensors
from byol_kedro.evaluation.classify import CLASSIFIERS, Problem, classify
from byol_kedro.evaluation.metrics import join_predictions
from byol_kedro.evaluation.pca import fit_pca, project
from byol_kedro.parameters import Baselines, Probes

PIXEL_PROTOCOLS = ("logistic", "knn")


def baselines(
    encoder: Tensors,
    reference_latents: Tensors,
    images_train: Images,
    images_test: Images,
    parameters: Baselines,
    probes: Probes,
    seed: int,
) -> tuple[dict[str, Any], pd.DataFrame, Tensors]:
    """Classifiers on principal components of the pixels and on the untrained network's features.

    Gives metrics, guesses and the principal components. Raises UserError when the features are
    another encoder's or other pictures'.
    """
    check_same_encoder(encoder, reference_latents)
    check_same_pictures(reference_latents, images_train, images_test)
    pca = fit_pca(images_train.pixels, parameters.pca_components, seed)
    outcomes = (
        classify(_pixels(images_train, images_test, pca), PIXEL_PROTOCOLS, probes, seed),
        classify(_untrained(reference_latents, images_test), tuple(CLASSIFIERS), probes, seed),
    )
    rows = [row for outcome in outcomes for row in outcome.rows]
    predictions = join_predictions([outcome.predictions for outcome in outcomes])
    header = {"data": images_train.source, "data_fingerprint": images_train.fingerprint}
    metrics = {"encoder_version": encoder.header["version"], "data": images_test.source, "rows": rows}
    return metrics, predictions, Tensors(pca, header)


def _pixels(train: Images, test: Images, pca: dict[str, Array]) -> Problem:
    return Problem(
        features=f"pixels, PCA {len(pca['components'])}",
        train_x=project(train.pixels, pca),
        train_y=train.labels,
        test_x=project(test.pixels, pca),
        test_y=test.labels,
        index=np.arange(len(test.pixels)),
        names=test.names,
        n_classes=len(test.class_names),
    )


def _untrained(latents: Tensors, test: Images) -> Problem:
    return Problem(
        features="untrained network",
        train_x=latents["untrained.train.features"],
        train_y=latents["untrained.train.labels"],
        test_x=latents["untrained.test.features"],
        test_y=latents["untrained.test.labels"],
        index=np.arange(len(test.pixels)),
        names=test.names,
        n_classes=len(test.class_names),
    )
