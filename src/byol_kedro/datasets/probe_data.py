"""The features that are compared and the labels of their images, as input of the probes."""

import json
from typing import Any

import numpy as np

from byol_kedro.byol.finite import check_finite
from byol_kedro.datasets.images import Images
from byol_kedro.datasets.provenance import check_same_encoder, check_same_images, features_name
from byol_kedro.datasets.tensors import Array, Tensors
from byol_kedro.evaluation.names import PIXELS
from byol_kedro.evaluation.pca import project
from byol_kedro.evaluation.probes.base import probe_names
from byol_kedro.evaluation.probes.run import ProbeData

PIXEL_PROBES = ("logistic", "knn")  # the rows that the published STL-10 table has


def feature_sets(
    encoder: Tensors,
    latents_train: Tensors,
    latents_test: Tensors,
    reference_latents: Tensors,
    pca: Tensors,
    images_train: Images,
    images_test: Images,
) -> list[tuple[ProbeData, tuple[str, ...]]]:
    """Features of the encoder, of each reference and of the pixels, each with the names of its probes.

    Raises:
        UserError: Features belong to another encoder or to other images.
    """
    check_same_encoder(encoder, latents_train, latents_test, reference_latents)
    check_same_images(latents_train, images_train)
    check_same_images(latents_test, images_test)
    check_same_images(reference_latents, images_train, images_test)
    check_same_images(pca, images_train)
    check_finite(pca.arrays, "pca:", "run the pipeline baselines again")
    return [
        (encoded(encoder, latents_train, latents_test, images_test), probe_names()),
        *((data, probe_names()) for data, _ in references(reference_latents, images_test)),
        (pixels(images_train, images_test, {name: pca[name] for name in pca.keys()}), PIXEL_PROBES),  # noqa: SIM118  # Tensors is no mapping
    ]


def encoded(encoder: Tensors, latents_train: Tensors, latents_test: Tensors, images_test: Images) -> ProbeData:
    """Features of the encoder; training rows are in the order of their images, to which the folds refer."""
    order = np.argsort(latents_train["index"])
    return ProbeData(
        features=features_name(encoder.header),
        train_x=latents_train["features"][order],
        train_y=latents_train["labels"][order],
        test_x=latents_test["features"],
        test_y=latents_test["labels"],
        index=latents_test["index"],
        names=images_test.names,
        class_names=images_test.class_names,
    )


def references(latents: Tensors, test: Images) -> list[tuple[ProbeData, dict[str, Any]]]:
    """Features of each reference network, the untrained one first, and further columns of its results."""
    return [
        (
            ProbeData(
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


def pixels(train: Images, test: Images, pca: dict[str, Array]) -> ProbeData:
    """Principal components of the pixels, by the arrays of `evaluation.pca.fit_pca`."""
    return ProbeData(
        features=f"{PIXELS}, PCA {len(pca['components'])}",
        train_x=project(train.pixels, pca),
        train_y=train.labels,
        test_x=project(test.pixels, pca),
        test_y=test.labels,
        index=np.arange(len(test.pixels)),
        names=test.names,
        class_names=test.class_names,
    )
