"""From features to latent vectors, and how good these are."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from byol_kedro.byol.finite import check_features
from byol_kedro.datasets.events import EventFolder
from byol_kedro.datasets.image_grid import image_grid
from byol_kedro.datasets.images import Images
from byol_kedro.datasets.provenance import check_same_encoder, image_names
from byol_kedro.datasets.tensors import Tensors, mapped
from byol_kedro.files.weights import read_weights
from byol_kedro.log import get_logger
from byol_kedro.pair_model.baselines import no_predictions, predict_pairs
from byol_kedro.pair_model.clusters import NOISE, agreement, nearest_to_centers
from byol_kedro.pair_model.embeddings import latent_table, no_vectors, vectors_of
from byol_kedro.pair_model.given import named_pairs, saved_images, saved_names, saved_pairs
from byol_kedro.pair_model.map import draw_latent_map
from byol_kedro.pair_model.model import PairModel, imported_pair_model
from byol_kedro.pair_model.pairs import SPLITS, TEST, TRAIN, VALIDATION, Pool, no_pairs, pair_set
from byol_kedro.pair_model.sampled import drawn_pairs
from byol_kedro.pair_model.scores import score_rows
from byol_kedro.pair_model.stack import Stack
from byol_kedro.pair_model.training import fit_pair_model, no_history
from byol_kedro.parameters import PairModelParams
from byol_kedro.pipelines.pair_model.event_log import on_board
from byol_kedro.pipelines.pair_model.inputs import (
    check_one_kind_of_pairs,
    check_saved_features,
    check_weights_of,
    reference_features,
    vectors,
)

MARKS = {"encoder_version": "version", "encoder_fingerprint": "fingerprint"}
L1_UNIT = "l1 and l1_behind are in units of the mean target of the training pairs"
NEAREST = 8  # images of a cluster on the sheet
# What there is not where a split has no pair, since its images are too few.
LACKING = {
    TRAIN: "nothing to fit a pair model to, without which there are no clusters and no map",
    TEST: "the pair model is not measured",
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
    """left, right, target, psnr_1, psnr_2, split of the pairs in the user's files; none where there are none.

    Needs no features, so that a mistake in the files is told before the training.
    """
    check_one_kind_of_pairs(pair_file, pair_tensors)
    if len(pair_tensors["y"]):
        log.info("pairs: %s given, as saved features in pairs.pt", f"{len(pair_tensors['y']):,}")
        _, left, right = saved_images(pair_tensors["x1"], pair_tensors["x2"])
        return saved_pairs(left, right, pair_tensors["y"], settings.pairs, seed)
    if len(pair_file):
        log.info("pairs: %s given, by name in the pair file", f"{len(pair_file):,}")
        names = [*images_train.names, *images_test.names]
        return named_pairs(pair_file, names, len(images_train), settings.pairs, seed)
    return no_pairs()


def make_pairs(
    images_train: Images,
    images_test: Images,
    given_pairs: pd.DataFrame,
    reference_latents: Tensors,
    settings: PairModelParams,
    seed: int,
) -> pd.DataFrame:
    """left, right, target, psnr_1, psnr_2, split: those that were given, or drawn ones where none were."""
    if len(given_pairs):
        return given_pairs
    pairs, train = settings.pairs, len(images_train)
    names, values = [*images_train.names, *images_test.names], Stack([images_train.pixels, images_test.pixels])
    if pairs.target == "cosine":
        features = reference_features(reference_latents, pairs.reference)
        if features is None:
            log.warning("no target: the network %r was left out; so are pair model, clusters and map", pairs.reference)
            return no_pairs()
        values = features
    drawn = drawn_pairs(names, train, values, pairs, seed)
    more = "" if len(drawn) == pairs.count else f"; {pairs.count:,} were asked for, more than each split has"
    log.info("pairs: none given, %s drawn, their target (%s) computed%s", f"{len(drawn):,}", pairs.target, more)
    for split, lacking in LACKING.items():
        if not (drawn["split"] == split).any():
            log.warning("%s: no %s pair among %d train and %d test images", lacking, split, train, len(images_test))
    return drawn


def pool_images(
    encoder: Tensors,
    latents_train: Tensors,
    latents_test: Tensors,
    images_train: Images,
    images_test: Images,
    pair_tensors: Tensors,
) -> Pool:
    """Names and features of all images that a pair may name: train, test, then those of saved features."""
    check_same_encoder(encoder, latents_train, latents_test)
    names = [*image_names(latents_train, images_train), *image_names(latents_test, images_test)]
    parts = [mapped(latents, "features") for latents in (latents_train, latents_test)]
    if len(pair_tensors["y"]):
        check_saved_features(pair_tensors, parts[0].shape[1])
        saved, _, _ = saved_images(pair_tensors["x1"], pair_tensors["x2"])
        check_features(saved, "pair_tensors: x1 and x2", "give features that are numbers")
        log.warning(
            "pair_tensors names no encoder: its features have to be those of encoder %s", encoder.header["version"]
        )
        names += saved_names(len(saved))
        parts.append(saved)
    return Pool(names, Stack(parts), train=parts[0])


def fit(
    encoder: Tensors,
    image_pool: Pool,
    image_pairs: pd.DataFrame,
    event_files: EventFolder,
    settings: PairModelParams,
    tensorboard: bool,
    seed: int,
) -> tuple[Tensors, pd.DataFrame]:
    """`linear1.weight` … of the latent MLP, its scalers (see `PairModel`), and the course of its training.

    They are read instead of fitted where `pair_model.weights_from` names a file. With `tensorboard` the training can be
    watched there. There are none where there is no training pair to fit to.
    """
    marks = {name: encoder.header[mark] for name, mark in MARKS.items()}
    train = pair_set(image_pairs, TRAIN, image_pool)
    if settings.weights_from is None and not len(train.target):
        return Tensors({}, marks), no_history()
    if settings.weights_from is None:
        with on_board(event_files, wanted=tensorboard) as watch:
            validation = pair_set(image_pairs, VALIDATION, image_pool)
            model, history = fit_pair_model(train, validation, image_pool.scaler, settings, seed, watch)
    else:
        content, origin = read_weights(Path(settings.weights_from), "pair_model.weights_from")
        check_weights_of(encoder, origin)
        model, history = imported_pair_model(content, settings.weights_from, image_pool.scaler), no_history()
    header = {
        **marks,
        "widths": json.dumps(model.widths),
        "feature_dim": str(len(model.scaler.mean)),
        "weights_from": settings.weights_from or "",
    }
    return Tensors(model.to_arrays(), header), history


def try_pairs(pair_model: Tensors, image_pool: Pool, image_pairs: pd.DataFrame) -> pd.DataFrame:
    """One row a test pair: left, right, its target and what the pair model and its references say.

    None without training pairs, which the references are fitted to.
    """
    sets = [pair_set(image_pairs, split, image_pool) for split in SPLITS]
    if not len(sets[0].target):
        return pd.concat([image_pairs[["left", "right"]].iloc[:0], no_predictions()], axis=1)
    predicted = predict_pairs(PairModel.from_arrays(pair_model.arrays), image_pool, *sets)
    named = image_pairs.loc[image_pairs["split"] == TEST, ["left", "right"]].reset_index(drop=True)
    return pd.concat([named, predicted], axis=1)


def embed(
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
    """name, split, label, class, cluster, z0 … z15 of every image, of none without a pair model; and name, cluster."""
    check_same_encoder(encoder, pair_model, latents_train, latents_test, latents_unlabeled)
    if not pair_model.arrays:
        table = no_vectors()
        return table, table[["name", "cluster"]]
    model = PairModel.from_arrays(pair_model.arrays)
    train = vectors(model, "train", latents_train, images_train)
    test = vectors(model, "test", latents_test, images_test)
    if settings.unlabeled and len(images_unlabeled) and not len(latents_unlabeled["index"]):
        log.warning(
            "pair_model.unlabeled has no effect here: the features were extracted without it; run extract with it first"
        )
    unlabeled = vectors(model, "unlabeled", latents_unlabeled, images_unlabeled)
    table = latent_table(train, [test, unlabeled], images_train.class_names, settings.clusters, seed)
    return table, table[["name", "cluster"]]


def measure(
    pair_model: Tensors,
    image_pairs: pd.DataFrame,
    pair_predictions: pd.DataFrame,
    pair_embeddings: pd.DataFrame,
    images_test: Images,
    settings: PairModelParams,
    seed: int,
) -> dict[str, Any]:
    """The pair model beside its references on the test pairs, the clusters beside the test images' labels."""
    counts = image_pairs["split"].value_counts()
    trained = image_pairs.loc[image_pairs["split"] == TRAIN, "target"]
    unit = float(trained.mean()) if len(trained) else None
    units = {name: float(pair_model[name][0]) for name in ("target_offset", "target_scale") if pair_model.arrays}
    test = pair_embeddings[pair_embeddings["split"] == "test"]
    cluster = test["cluster"].to_numpy()
    return {
        "encoder_version": pair_model.header["encoder_version"],
        "data_fingerprint": images_test.fingerprint,
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
    """The latent vectors of at most `pair_model.map.points` test images, in two dimensions."""
    test = pair_embeddings[pair_embeddings["split"] == "test"]
    if len(pair_embeddings) and len(test) < 2:
        log.info("pair_embedding_map: left out, found %d test images, 2 expected", len(test))
    return draw_latent_map(test, vectors_of(test), images_test.class_names, settings.map, seed)


def draw_sheet(pair_embeddings: pd.DataFrame, images_test: Images) -> np.ndarray:
    """(H, W, 3) uint8: a row for each cluster, the test images nearest to the mean of its train images."""
    train, test = (pair_embeddings[pair_embeddings["split"] == split] for split in ("train", "test"))
    rows = pd.Index(images_test.names).get_indexer(pd.Index(test["name"]))
    found, fallen = (table["cluster"].to_numpy() for table in (train, test))
    nearest = nearest_to_centers(vectors_of(train), found, vectors_of(test), fallen, NEAREST)
    pixels = images_test.pixels
    return image_grid((f"cluster {number}", pixels[rows[members]]) for number, members in nearest.items())
