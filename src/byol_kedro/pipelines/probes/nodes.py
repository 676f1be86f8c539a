"""Nodes that evaluate the features of the encoder: probes, folds, few labels and label-free quality measures."""

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from byol_kedro.byol.device import resolve_device
from byol_kedro.datasets.images import Images
from byol_kedro.datasets.probe_data import encoded, feature_sets, references
from byol_kedro.datasets.provenance import (
    Provenance,
    check_same_encoder,
    check_same_images,
    features_name,
    metrics_of,
)
from byol_kedro.datasets.tensors import Tensors
from byol_kedro.evaluation.probes.base import probe_names
from byol_kedro.evaluation.probes.few_labels import few_label_rows
from byol_kedro.evaluation.probes.folds import fold_rows
from byol_kedro.evaluation.probes.run import ProbeData, drop_unlabeled, evaluate
from byol_kedro.evaluation.representation import quality_row
from byol_kedro.log import counted, get_logger
from byol_kedro.parameters import Probes
from byol_kedro.pipelines.probes.views import encode_two_views

log = get_logger(__name__)


def fit_probes(
    encoder: Tensors,
    latents_train: Tensors,
    latents_test: Tensors,
    images_test: Images,
    parameters: Probes,
    seed: int,
) -> tuple[dict[str, Any], pd.DataFrame, Tensors]:
    """Fit and evaluate every registered probe on the features of the encoder.

    Returns:
        Metrics, predictions and the fitted probes, whose tensors are named `<probe>.<array>`. All are empty without
        enough labels.

    Raises:
        UserError: The features belong to another encoder or to other images.
    """
    check_same_encoder(encoder, latents_train, latents_test)
    check_same_images(latents_test, images_test)
    data = encoded(encoder, latents_train, latents_test, images_test)
    evaluation = evaluate(data, probe_names(), parameters, seed)
    if not evaluation.rows:
        _log_too_few_labels(drop_unlabeled(data))
    provenance = replace(Provenance.from_header(latents_train.header), data="")
    header = {**provenance.to_header(), "class_names": json.dumps(images_test.class_names)}
    metrics = metrics_of(encoder, images_test, evaluation.rows)
    return metrics, evaluation.predictions, Tensors(evaluation.arrays, header)


def evaluate_folds_and_few_labels(
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
    """Evaluate all features on the folds of the training images, and with few labels.

    Returns:
        Metrics on the folds and metrics with few labels.

    Raises:
        UserError: The features belong to another encoder or to other images.
    """
    sets = feature_sets(encoder, latents_train, latents_test, reference_latents, pca, images_train, images_test)
    folds = [row for data, names in sets for row in fold_rows(data, images_train.folds, names, parameters, seed)]
    few = [row for data, _ in sets for row in few_label_rows(data, parameters.few_labels, seed)]
    return metrics_of(encoder, images_test, folds), metrics_of(encoder, images_test, few)


def measure_quality(
    encoder: Tensors, latents_test: Tensors, reference_latents: Tensors, images_test: Images, seed: int, device: str
) -> dict[str, Any]:
    """Effective rank, uniformity and alignment of the features of the test images, without labels.

    Alignment is measured for the encoder and for the same network untrained.

    Raises:
        UserError: The features belong to another encoder or to other images.
    """
    check_same_encoder(encoder, latents_test, reference_latents)
    check_same_images(latents_test, images_test)
    compared = {data.features: data.test_x for data, _ in references(reference_latents, images_test)}
    if len(images_test) < 2:
        log.info("quality measures skipped: found %d test images, expected at least 2", len(images_test))
        return metrics_of(encoder, images_test, [])
    views = encode_two_views(encoder, images_test, seed, resolve_device(device))
    rows = [
        quality_row(name, features, seed, views.get(name))
        for name, features in {features_name(encoder.header): latents_test["features"], **compared}.items()
    ]
    return metrics_of(encoder, images_test, rows)


def _log_too_few_labels(data: ProbeData) -> None:
    """Log it for the encoder alone, not for each kind of features: all have the same labels."""
    log.info(
        "probes skipped: found %s of %s and %s, expected at least 2 classes to learn and 1 test image",
        counted(len(data.train_y), "labeled training image"),
        counted(len(np.unique(data.train_y)), "class", "classes"),
        counted(len(data.test_y), "labeled test image"),
    )
