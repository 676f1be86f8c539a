"""From features to what classifiers make of them."""

import json
from typing import Any

import numpy as np
import pandas as pd

from byol_kedro.byol.device import resolve_device
from byol_kedro.datasets.images import Images
from byol_kedro.datasets.probe_data import ALL_PROTOCOLS, byol, feature_sets, references
from byol_kedro.datasets.provenance import check_same_encoder, check_same_images
from byol_kedro.datasets.tensors import Tensors
from byol_kedro.evaluation.names import BYOL
from byol_kedro.evaluation.probes.few_labels import few_label_rows
from byol_kedro.evaluation.probes.folds import fold_rows
from byol_kedro.evaluation.probes.run import Problem, classify, labeled
from byol_kedro.evaluation.representation import quality_row
from byol_kedro.log import counted, get_logger
from byol_kedro.parameters import Probes
from byol_kedro.pipelines.probes.views import two_views

log = get_logger(__name__)


def probes(
    encoder: Tensors,
    latents_train: Tensors,
    latents_test: Tensors,
    images_test: Images,
    parameters: Probes,
    seed: int,
) -> tuple[dict[str, Any], pd.DataFrame, Tensors, Tensors, Tensors]:
    """Every classifier on the encoder's features: metrics, guesses, and the weights of those that are kept.

    Raises UserError when the features are another encoder's or other images'.
    """
    check_same_encoder(encoder, latents_train, latents_test)
    check_same_images(latents_test, images_test)
    problem = byol(latents_train, latents_test, images_test)
    outcome = classify(problem, ALL_PROTOCOLS, parameters, seed)
    if not outcome.rows:
        _say_why(labeled(problem))
    header = {
        "encoder_version": encoder.header["version"],
        "encoder_fingerprint": encoder.header["fingerprint"],
        "data_fingerprint": latents_train.header["data_fingerprint"],
        "class_names": json.dumps(images_test.class_names),
    }
    published, logistic, mlp = (
        Tensors(outcome.weights.get(protocol, {}), header) for protocol in ("linear_adam", "logistic", "mlp")
    )
    return _metrics(encoder, images_test, outcome.rows), outcome.predictions, published, logistic, mlp


def learn_from_less(
    encoder: Tensors,
    latents_train: Tensors,
    latents_test: Tensors,
    reference_latents: Tensors,
    pca: Tensors,
    images_train: Images,
    images_test: Images,
    parameters: Probes,
    seed: int,
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Top-1 of all features on the folds of the training images, and with few labels.

    Raises UserError when the features are another encoder's or other images'.
    """
    sets = feature_sets(encoder, latents_train, latents_test, reference_latents, pca, images_train, images_test)
    folds = [
        row
        for problem, protocols in sets
        for row in fold_rows(problem, images_train.folds, protocols, parameters, seed)
    ]
    few = [row for problem, _ in sets for row in few_label_rows(problem, parameters.few_labels, seed)]
    return _metrics(encoder, images_test, folds), _metrics(encoder, images_test, few)


def measure_quality(
    encoder: Tensors, latents_test: Tensors, reference_latents: Tensors, images_test: Images, seed: int, device: str
) -> dict[str, Any]:
    """Effective rank, uniformity and alignment of the test images' features; no label is used.

    Alignment is of the encoder and of the same network untrained. Raises UserError when the features are another
    encoder's or other images'.
    """
    check_same_encoder(encoder, latents_test, reference_latents)
    check_same_images(latents_test, images_test)
    compared = {problem.features: problem.test_x for problem, _ in references(reference_latents, images_test)}
    if len(images_test) < 2:
        log.info("quality: left out, found %d test images, 2 expected", len(images_test))
        return _metrics(encoder, images_test, [])
    views = two_views(encoder, images_test, seed, resolve_device(device))
    rows = [
        quality_row(name, features, seed, views.get(name))
        for name, features in {BYOL: latents_test["features"], **compared}.items()
    ]
    return _metrics(encoder, images_test, rows)


def _say_why(known: Problem) -> None:
    """Once, and not for each kind of features: the labels of all are the same."""
    log.info(
        "no classifiers: found %s of %s and %s, expected at least 2 classes to learn and 1 test image",
        counted(len(known.train_y), "labeled training image"),
        counted(len(np.unique(known.train_y)), "class", "classes"),
        counted(len(known.test_y), "labeled test image"),
    )


def _metrics(encoder: Tensors, images_test: Images, rows: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "encoder_version": encoder.header["version"],
        "data": images_test.source,
        "data_fingerprint": images_test.fingerprint,
        "rows": rows,
    }
