"""Nodes from features to embeddings, their scores, clusters and map."""

from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from byol_kedro.byol.finite import check_features
from byol_kedro.datasets.image_grid import image_grid
from byol_kedro.datasets.images import Images
from byol_kedro.datasets.provenance import Provenance, check_same_encoder, check_same_images, image_names
from byol_kedro.datasets.tensors import Tensors, mapped
from byol_kedro.log import get_logger
from byol_kedro.pair_model.baselines import empty_predictions, predict_pairs
from byol_kedro.pair_model.clusters import NOISE, agreement, nearest_to_centers
from byol_kedro.pair_model.embeddings import embedding_table, embeddings_of, empty_embedding_table
from byol_kedro.pair_model.given import named_pairs, saved_names, saved_pairs, unique_images
from byol_kedro.pair_model.map import draw_embedding_map
from byol_kedro.pair_model.model import PairModel
from byol_kedro.pair_model.pairs import (
    SPLITS,
    TEST,
    TRAIN,
    ConcatArray,
    ImagePool,
    empty_pair_table,
    pair_set,
)
from byol_kedro.pair_model.sampled import sample_pairs
from byol_kedro.pair_model.scores import score_rows
from byol_kedro.parameters import PairModelParams
from byol_kedro.pipelines.pair_model.inputs import (
    check_one_kind_of_pairs,
    check_saved_features,
    reference_features,
    split_embeddings,
)

L1_UNIT = "l1 and l1_behind are in units of the mean target of the training pairs"
NEAREST = 8  # images of a cluster on the sheet
# What is skipped if a split has too few images for a pair.
SKIPPED_WITHOUT_PAIRS = {
    TRAIN: "the pair model, the clusters and the map are skipped",
    TEST: "the pair model is not evaluated",
}

log = get_logger(__name__)


def given_pairs(
    images_train: Images,
    images_test: Images,
    pair_file: pd.DataFrame,
    pair_tensors: Tensors,
    settings: PairModelParams,
    seed: int,
) -> pd.DataFrame:
    """Read the pairs of the user's files, which may be missing.

    This node needs no features, so that an error in the files is reported before the training of the encoder.

    Returns:
        left, right, target, psnr_1, psnr_2, split; no rows without files.
    """
    check_one_kind_of_pairs(pair_file, pair_tensors)
    if len(pair_tensors["y"]):
        log.info("pairs: %s given, as saved features in pairs.pt", f"{len(pair_tensors['y']):,}")
        _, left, right = unique_images(pair_tensors["x1"], pair_tensors["x2"])
        return saved_pairs(left, right, pair_tensors["y"], settings.pairs, seed)
    if len(pair_file):
        log.info("pairs: %s given, by name in the pair file", f"{len(pair_file):,}")
        names = [*images_train.names, *images_test.names]
        return named_pairs(pair_file, names, len(images_train), settings.pairs, seed)
    return empty_pair_table()


def make_pairs(
    images_train: Images,
    images_test: Images,
    given_pairs: pd.DataFrame,
    reference_latents: Tensors,
    settings: PairModelParams,
    seed: int,
) -> pd.DataFrame:
    """Sample pairs if none are given.

    Returns:
        left, right, target, psnr_1, psnr_2, split.
    """
    if len(given_pairs):
        return given_pairs
    pairs, train = settings.pairs, len(images_train)
    names, values = [*images_train.names, *images_test.names], ConcatArray([images_train.pixels, images_test.pixels])
    if pairs.target == "cosine":
        check_same_images(reference_latents, images_train, images_test)
        features = reference_features(reference_latents, pairs.reference)
        if features is None:
            log.warning(
                "the pair model, the clusters and the map are skipped: the network %r of the target is not available",
                pairs.reference,
            )
            return empty_pair_table()
        values = features
    sampled = sample_pairs(names, train, values, pairs, seed)
    fewer = "" if len(sampled) == pairs.count else f"; {pairs.count:,} requested, which is more than exist"
    log.info("pairs: none given, %s sampled with target %s%s", f"{len(sampled):,}", pairs.target, fewer)
    for split, skipped in SKIPPED_WITHOUT_PAIRS.items():
        if not (sampled["split"] == split).any():
            log.warning("%s: no %s pair among %d train and %d test images", skipped, split, train, len(images_test))
    return sampled


def pool_images(
    encoder: Tensors,
    latents_train: Tensors,
    latents_test: Tensors,
    images_train: Images,
    images_test: Images,
    pair_tensors: Tensors,
) -> ImagePool:
    """Collect names and features of all images: train, test, then those of saved features."""
    check_same_encoder(encoder, latents_train, latents_test)
    names = [*image_names(latents_train, images_train), *image_names(latents_test, images_test)]
    parts = [mapped(latents, "features") for latents in (latents_train, latents_test)]
    if len(pair_tensors["y"]):
        check_saved_features(pair_tensors, parts[0].shape[1])
        saved, _, _ = unique_images(pair_tensors["x1"], pair_tensors["x2"])
        check_features(saved, "pair_tensors: x1 and x2", "give finite features")
        log.warning(
            "pair_tensors does not name its encoder; its features have to be those of encoder %s",
            encoder.header["version"],
        )
        names += saved_names(len(saved))
        parts.append(saved)
    return ImagePool(names, ConcatArray(parts), train=parts[0])


def predict_test_pairs(pair_model: Tensors, image_pool: ImagePool, image_pairs: pd.DataFrame) -> pd.DataFrame:
    """Predict the target of each test pair with the pair model and its baselines.

    Returns:
        left, right and the columns of `predict_pairs`; no rows without train pairs to fit the baselines to.
    """
    sets = [pair_set(image_pairs, split, image_pool) for split in SPLITS]
    if not len(sets[0].target):
        return pd.concat([image_pairs[["left", "right"]].iloc[:0], empty_predictions()], axis=1)
    predicted = predict_pairs(PairModel.from_arrays(pair_model.arrays), image_pool, *sets)
    named = image_pairs.loc[image_pairs["split"] == TEST, ["left", "right"]].reset_index(drop=True)
    return pd.concat([named, predicted], axis=1)


def embed_images(
    encoder: Tensors,
    pair_model: Tensors,
    latents_train: Tensors,
    latents_test: Tensors,
    latents_unlabeled: Tensors,
    images_train: Images,
    images_test: Images,
    images_unlabeled: Images,
    settings: PairModelParams,
    seed: int,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Compute the embedding and the cluster of each image.

    Returns:
        The columns of `embedding_table` (name, split, label, class, cluster, z0, …), and name and cluster alone; no
        rows without a pair model.
    """
    check_same_encoder(encoder, pair_model, latents_train, latents_test, latents_unlabeled)
    if not pair_model.arrays:
        table = empty_embedding_table()
        return table, table[["name", "cluster"]]
    model = PairModel.from_arrays(pair_model.arrays)
    train = split_embeddings(model, "train", latents_train, images_train)
    test = split_embeddings(model, "test", latents_test, images_test)
    if settings.unlabeled and len(images_unlabeled) and not len(latents_unlabeled["index"]):
        log.warning(
            "pair_model.unlabeled has no effect: the features were extracted without it; run the pipeline extract with "
            "it first"
        )
    unlabeled = split_embeddings(model, "unlabeled", latents_unlabeled, images_unlabeled)
    table = embedding_table(train, [test, unlabeled], images_train.class_names, settings.clusters, seed)
    return table, table[["name", "cluster"]]


def evaluate_model(
    pair_model: Tensors,
    image_pairs: pd.DataFrame,
    pair_predictions: pd.DataFrame,
    pair_embeddings: pd.DataFrame,
    images_test: Images,
    settings: PairModelParams,
    seed: int,
) -> dict[str, Any]:
    """Score the pair model and its baselines on the test pairs, and compare the clusters with the test labels."""
    counts = image_pairs["split"].value_counts()
    trained = image_pairs.loc[image_pairs["split"] == TRAIN, "target"]
    unit = float(trained.mean()) if len(trained) else None
    units = {name: float(pair_model[name][0]) for name in ("target_offset", "target_scale") if pair_model.arrays}
    test = pair_embeddings[pair_embeddings["split"] == "test"]
    cluster = test["cluster"].to_numpy()
    return {
        **Provenance.from_header(pair_model.header).on(images_test),
        "pairs": {
            **{split: int(counts.get(split, 0)) for split in SPLITS},
            "split by": settings.pairs.split,
            "mean target": unit,
            **units,
            "unit": L1_UNIT,
        },
        "rows": [] if unit is None else score_rows(pair_predictions, unit, seed),
        "clusters": {
            "method": settings.clusters.method,
            "k": int(pair_embeddings.loc[pair_embeddings["cluster"] != NOISE, "cluster"].nunique()),
            **agreement(cluster, test["label"].to_numpy()),
            "in none": int((cluster == NOISE).sum()),
        },
    }


def draw_map(pair_embeddings: pd.DataFrame, images_test: Images, settings: PairModelParams, seed: int) -> go.Figure:
    """Draw the embeddings of at most `pair_model.map.points` test images in two dimensions."""
    test = pair_embeddings[pair_embeddings["split"] == "test"]
    if len(pair_embeddings) and len(test) < 2:
        log.info("pair_embedding_map: skipped, found %d test images, at least 2 expected", len(test))
    return draw_embedding_map(test, embeddings_of(test), images_test.class_names, settings.map, seed)


def draw_cluster_sheet(pair_embeddings: pd.DataFrame, images_test: Images) -> np.ndarray:
    """Draw a row for each cluster with the test images nearest to the mean of its train images: (H, W, 3) uint8."""
    train, test = (pair_embeddings[pair_embeddings["split"] == split] for split in ("train", "test"))
    rows = pd.Index(images_test.names).get_indexer(pd.Index(test["name"]))
    fitted, assigned = (table["cluster"].to_numpy() for table in (train, test))
    nearest = nearest_to_centers(embeddings_of(train), fitted, embeddings_of(test), assigned, NEAREST)
    pixels = images_test.pixels
    return image_grid((f"cluster {number}", pixels[rows[members]]) for number, members in nearest.items())
