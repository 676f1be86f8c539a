"""The features that are compared, with the labels of their images, as inputs of the probes."""

import json
from typing import Any

import numpy as np

from byol_kedro.byol.finite import check_finite
from byol_kedro.datasets.images import Images
from byol_kedro.datasets.provenance import check_same_encoder, check_same_images
from byol_kedro.datasets.tensors import Array, Tensors
from byol_kedro.evaluation.names import BYOL, PIXELS
from byol_kedro.evaluation.pca import project
from byol_kedro.evaluation.probes.run import CLASSIFIERS, Problem

PIXEL_PROTOCOLS = ("logistic", "knn")  # the rows of the published STL-10 table
ALL_PROTOCOLS = tuple(CLASSIFIERS)


def feature_sets(
    encoder: Tensors,
    latents_train: Tensors,
    latents_test: Tensors,
    reference_latents: Tensors,
    pca: Tensors,
    images_train: Images,
    images_test: Images,
) -> list[tuple[Problem, tuple[str, ...]]]:
    """Return the features of BYOL and of each reference, and the principal components of the pixels.

    Returns:
        The data of each, with the protocols that are applied to them.

    Raises:
        UserError: Some of them were computed by another encoder or from other images.
    """
    check_same_encoder(encoder, latents_train, latents_test, reference_latents)
    check_same_images(latents_train, images_train)
    check_same_images(latents_test, images_test)
    check_same_images(reference_latents, images_train, images_test)
    check_same_images(pca, images_train)
    check_finite(pca.arrays, "pca:", "run the pipeline baselines again")
    return [
        (byol(latents_train, latents_test, images_test), ALL_PROTOCOLS),
        *((problem, ALL_PROTOCOLS) for problem, _ in references(reference_latents, images_test)),
        (pixels(images_train, images_test, {name: pca[name] for name in pca.keys()}), PIXEL_PROTOCOLS),  # noqa: SIM118  # Tensors is not a mapping
    ]


def byol(latents_train: Tensors, latents_test: Tensors, images_test: Images) -> Problem:
    """Return the features of the encoder, with the training rows in the order of the images, which folds refer to."""
    order = np.argsort(latents_train["index"])
    return Problem(
        features=BYOL,
        train_x=latents_train["features"][order],
        train_y=latents_train["labels"][order],
        test_x=latents_test["features"],
        test_y=latents_test["labels"],
        index=latents_test["index"],
        names=images_test.names,
        class_names=images_test.class_names,
    )


def references(latents: Tensors, test: Images) -> list[tuple[Problem, dict[str, Any]]]:
    """Return the features of each reference encoder, the untrained one first, and the columns of its results."""
    return [
        (
            Problem(
                features=about["features"],
                train_x=latents[f"{key}.train.features"],
                train_y=latents[f"{key}.train.labels"],
                test_x=latents[f"{key}.test.features"],
                test_y=latents[f"{key}.test.labels"],
                index=np.arange(len(test.pixels)),
                names=test.names,
                class_names=test.class_names,
            ),
            about["facts"],
        )
        for key, about in json.loads(latents.header["references"]).items()
    ]


def pixels(train: Images, test: Images, pca: dict[str, Array]) -> Problem:
    """Return the principal components of the pixels, projected with the result of `evaluation.pca.fit_pca`."""
    return Problem(
        features=f"{PIXELS}, PCA {len(pca['components'])}",
        train_x=project(train.pixels, pca),
        train_y=train.labels,
        test_x=project(test.pixels, pca),
        test_y=test.labels,
        index=np.arange(len(test.pixels)),
        names=test.names,
        class_names=test.class_names,
    )
