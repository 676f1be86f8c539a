"""Nodes of the map of the encoder's features."""

import numpy as np
import pandas as pd

from byol_kedro.datasets.images import Images
from byol_kedro.datasets.provenance import check_same_encoder, check_same_images
from byol_kedro.datasets.tensors import Tensors, mapped
from byol_kedro.evaluation.feature_map import map_features
from byol_kedro.evaluation.projection import check_method
from byol_kedro.log import counted, get_logger
from byol_kedro.parameters import Explore
from byol_kedro.pipelines.explore.page import SPLITS, explorer_page

COLUMNS = {
    "name": "object", "split": "object", "label": "int64", "class": "object", "cluster": "int64", "x": "float32",
    "y": "float32",
}  # fmt: skip

log = get_logger(__name__)


def map_images(
    encoder: Tensors,
    latents_train: Tensors,
    latents_test: Tensors,
    latents_unlabeled: Tensors,
    images_train: Images,
    images_test: Images,
    images_unlabeled: Images,
    settings: Explore,
    seed: int,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Map the features of all splits; of more images than `points`, random ones.

    Returns:
        A row for each image with name, split, label (-1 if unknown), class (empty if unknown), cluster, x and y; and
        the names of the nearest images of each, in columns from the nearest on. Both are empty with fewer than two
        images.

    Raises:
        UserError: the features belong to another encoder or to other images, or umap-learn is not installed.
    """
    check_method(settings.method, "explore.method")
    latents = (latents_train, latents_test, latents_unlabeled)
    splits = (images_train, images_test, images_unlabeled)
    check_same_encoder(encoder, *latents)
    for each, images in zip(latents, splits, strict=True):
        check_same_images(each, images)
    known = pd.concat(
        [_known(split, each, images) for split, each, images in zip(SPLITS, latents, splits, strict=True)],
        ignore_index=True,
    )
    if len(known) < 2:
        log.info("explore: no map, found %s, expected at least 2", counted(len(known), "image"))
        return pd.DataFrame(columns=list(COLUMNS)).astype(COLUMNS), pd.DataFrame()
    chosen = np.arange(len(known))
    if len(known) > settings.points:
        chosen = np.sort(np.random.default_rng(seed).choice(len(known), settings.points, replace=False))
        log.info("explore: %s of %s on the map (explore.points)", f"{len(chosen):,}", counted(len(known), "image"))
    features = np.concatenate([np.asarray(mapped(each, "features")) for each in latents])[chosen]
    found = map_features(features, settings.method, settings.clusters, settings.neighbors, seed)
    shown = known.iloc[chosen].reset_index(drop=True)
    table = shown.assign(cluster=found.cluster, x=found.points[:, 0], y=found.points[:, 1]).astype(COLUMNS)
    names = shown["name"].to_numpy()[found.neighbors]
    return table, pd.DataFrame(names, columns=[f"neighbor_{place + 1}" for place in range(names.shape[1])])


def write_explorer(
    encoder: Tensors,
    feature_map: pd.DataFrame,
    feature_neighbors: pd.DataFrame,
    images_train: Images,
    images_test: Images,
    images_unlabeled: Images,
) -> str:
    """Write the map as one HTML page that loads nothing from elsewhere."""
    splits = dict(zip(SPLITS, (images_train, images_test, images_unlabeled), strict=True))
    return explorer_page(encoder.header, feature_map, feature_neighbors, splits)


def _known(split: str, latents: Tensors, images: Images) -> pd.DataFrame:
    """The images of a split whose features are saved, in the order of the features."""
    index, labels = latents["index"], latents["labels"]
    return pd.DataFrame(
        {
            "name": [images.names[row] for row in index],
            "split": split,
            "label": labels,
            "class": [images.class_names[label] if label >= 0 else "" for label in labels],
        }
    )
