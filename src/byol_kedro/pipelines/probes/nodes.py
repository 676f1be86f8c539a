"""From features to what classifiers make of them."""

import json
from typing import Any

import pandas as pd

from byol_kedro.datasets.belonging import check_same_encoder, check_same_pictures
from byol_kedro.datasets.images import Images
from byol_kedro.datasets.tensors import Tensors
from byol_kedro.evaluation.classify import CLASSIFIERS, Problem, classify
from byol_kedro.parameters import Probes


def probes(
    encoder: Tensors,
    latents_train: Tensors,
    latents_test: Tensors,
    images_test: Images,
    parameters: Probes,
    seed: int,
) -> tuple[dict[str, Any], pd.DataFrame, Tensors, Tensors, Tensors]:
    """Every classifier on the encoder's features: metrics, guesses, and the weights of those that have any.

    Raises UserError when the features are another encoder's or other pictures'.
    """
    check_same_encoder(encoder, latents_train, latents_test)
    check_same_pictures(latents_test, images_test)
    problem = _problem(latents_train, latents_test, images_test)
    outcome = classify(problem, tuple(CLASSIFIERS), parameters, seed)
    version = encoder.header["version"]
    header = {
        "encoder_version": version,
        "encoder_fingerprint": encoder.header["fingerprint"],
        "class_names": json.dumps(images_test.class_names),
    }
    published, logistic, mlp = (
        Tensors(outcome.weights.get(protocol, {}), header) for protocol in ("published", "logistic", "mlp")
    )
    metrics = {"encoder_version": version, "data": images_test.source, "rows": outcome.rows}
    return metrics, outcome.predictions, published, logistic, mlp


def _problem(latents_train: Tensors, latents_test: Tensors, images_test: Images) -> Problem:
    return Problem(
        features="BYOL",
        train_x=latents_train["features"],
        train_y=latents_train["labels"],
        test_x=latents_test["features"],
        test_y=latents_test["labels"],
        index=latents_test["index"],
        names=images_test.names,
        n_classes=len(images_test.class_names),
    )
