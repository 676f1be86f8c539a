"""From features to latent vectors, and how good these are."""

import json
from typing import Any

import pandas as pd
import plotly.graph_objects as go

from byol_kedro.datasets.belonging import check_same_encoder
from byol_kedro.datasets.images import Images
from byol_kedro.datasets.tensors import Tensors
from byol_kedro.evaluation.clusters import agreement
from byol_kedro.evaluation.latent_map import draw_latent_map
from byol_kedro.evaluation.latent_vectors import latent_table, vectors_of
from byol_kedro.evaluation.pair_model import PairModel, fit_pair_model
from byol_kedro.evaluation.pair_scores import predict_pairs, score_rows
from byol_kedro.evaluation.pairs import drawn_pairs, named_pairs
from byol_kedro.parameters import Latent
from byol_kedro.pipelines.latent.inputs import check_two_pictures, pairs_within, pictures

L1_UNIT = "l1 is in units of the mean target of the training pairs"


def make_pairs(
    images_train: Images, images_test: Images, pair_file: pd.DataFrame, latent: Latent, seed: int
) -> pd.DataFrame:
    """left, right, target, psnr_1, psnr_2, split: those of the pair file, or drawn ones where it is empty."""
    check_two_pictures(images_train, images_test)
    if len(pair_file):
        return named_pairs(pair_file, images_train.names, images_test.names)
    train, test = ((images.names, images.pixels) for images in (images_train, images_test))
    return drawn_pairs(train, test, latent.pairs, seed)


def fit(
    encoder: Tensors, latents_train: Tensors, images_train: Images, image_pairs: pd.DataFrame, latent: Latent, seed: int
) -> Tensors:
    """`linear1.weight` … of the latent MLP, the scaler's `mean` and `scale` (D,), and `target_scale` (1,)."""
    check_same_encoder(encoder, latents_train)
    pairs = pairs_within(image_pairs, "train", latents_train, images_train)
    header = {
        "encoder_version": encoder.header["version"],
        "encoder_fingerprint": encoder.header["fingerprint"],
        "widths": json.dumps(latent.widths),
        "feature_dim": str(pairs.features.shape[1]),
    }
    return Tensors(fit_pair_model(pairs, latent, seed).to_arrays(), header)


def try_pairs(
    latent_mlp: Tensors,
    latents_train: Tensors,
    latents_test: Tensors,
    images_train: Images,
    images_test: Images,
    image_pairs: pd.DataFrame,
) -> pd.DataFrame:
    """One row a test pair: left, right, its scaled target and what the pair model and its references say."""
    train = pairs_within(image_pairs, "train", latents_train, images_train)
    test = pairs_within(image_pairs, "test", latents_test, images_test)
    predicted = predict_pairs(PairModel.from_arrays(latent_mlp.arrays), train, test)
    named = image_pairs.loc[image_pairs["split"] == "test", ["left", "right"]].reset_index(drop=True)
    return pd.concat([named, predicted], axis=1)


def embed(
    encoder: Tensors,
    latent_mlp: Tensors,
    latents_train: Tensors,
    latents_test: Tensors,
    images_train: Images,
    images_test: Images,
    latent: Latent,
    seed: int,
) -> pd.DataFrame:
    """name, split, label, cluster, z0 … z15 of every picture of train and test."""
    check_same_encoder(encoder, latent_mlp, latents_train, latents_test)
    model = PairModel.from_arrays(latent_mlp.arrays)
    train, test = (
        (pictures(latents, images), latents["labels"], model.vectors(latents["features"]))
        for latents, images in ((latents_train, images_train), (latents_test, images_test))
    )
    return latent_table(train, test, latent.clusters, seed)


def measure(
    latent_mlp: Tensors,
    image_pairs: pd.DataFrame,
    pair_predictions: pd.DataFrame,
    latent_vectors: pd.DataFrame,
    images_test: Images,
) -> dict[str, Any]:
    """The pair model beside its references on the test pairs, the clusters beside the test pictures' labels."""
    counts = image_pairs["split"].value_counts()
    pairs = {split: int(counts.get(split, 0)) for split in ("train", "test")}
    scale = float(latent_mlp["target_scale"][0])
    test = latent_vectors[latent_vectors["split"] == "test"]
    found = agreement(test["cluster"].to_numpy(), test["label"].to_numpy())
    return {
        "encoder_version": latent_mlp.header["encoder_version"],
        "data_fingerprint": images_test.fingerprint,
        "pairs": {**pairs, "target_scale": scale, "unit": L1_UNIT},
        "rows": score_rows(pair_predictions),
        "clusters": {"k": int(latent_vectors["cluster"].nunique()), **found},
    }


def draw_map(latent_vectors: pd.DataFrame, images_test: Images, latent: Latent, seed: int) -> go.Figure:
    """The latent vectors of at most `latent.map_points` test pictures, in two dimensions."""
    test = latent_vectors[latent_vectors["split"] == "test"]
    return draw_latent_map(test, vectors_of(test), images_test.class_names, latent.map_points, seed)
