"""Checks of the inputs: parameters, pair files, features and imported weights."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path

import pandas as pd

from byol_kedro.datasets.images import Images
from byol_kedro.datasets.provenance import Provenance, image_names
from byol_kedro.datasets.tensors import Tensors, mapped
from byol_kedro.errors import UserError
from byol_kedro.evaluation.projection import check_method
from byol_kedro.files.weights import read_weights
from byol_kedro.pair_model.embeddings import SplitEmbeddings
from byol_kedro.pair_model.model import PairModel, check_layers
from byol_kedro.pair_model.pairs import ConcatArray
from byol_kedro.pair_model.training import check_widths
from byol_kedro.parameters import PairModelParams, Parameters


def check_pair_model(parameters: Parameters, *, with_references: bool) -> None:
    """Check the parameters of the pair model before the run, without any artifact.

    Args:
        parameters: all parameters of the run.
        with_references: whether the run extracts the features of the reference networks.

    Raises:
        UserError: a package or a file is missing, the weights are not those of a pair model, or the network that is
            the target of the pairs is unknown.
    """
    settings = parameters.pair_model
    check_method(settings.map.method, "pair_model.map.method")
    if settings.weights_from is not None:
        content, _ = read_weights(Path(settings.weights_from), "pair_model.weights_from")
        check_layers(content, settings.weights_from)
    known = {"untrained", *parameters.references, *(["supervised"] if parameters.baselines.supervised else [])}
    if with_references and settings.pairs.target == "cosine" and settings.pairs.reference not in known:
        raise UserError(_unknown_network(settings.pairs.reference, "this run", known))


def check_feature_dim(settings: PairModelParams, features: int, given: tuple[pd.DataFrame, Tensors] | None) -> None:
    """Check files and widths against the encoder before it is trained.

    Args:
        settings: the parameter block `pair_model`.
        features: number of features of the encoder.
        given: the pair file and the saved features of pairs, if the run reads them.

    Raises:
        UserError: the saved features, or the weights of `weights_from`, have another number of features, or the
            network does not fit into memory.
    """
    if settings.weights_from is None:
        check_widths(settings, features)
    else:
        content, _ = read_weights(Path(settings.weights_from), "pair_model.weights_from")
        check_layers(content, settings.weights_from, features)
    if given is not None:
        check_one_kind_of_pairs(*given)
        check_saved_features(given[1], features)


def check_one_kind_of_pairs(pair_file: pd.DataFrame, pair_tensors: Tensors) -> None:
    """Check that pairs are given either by name or as saved features.

    Raises:
        UserError: both are given.
    """
    if len(pair_file) and len(pair_tensors["y"]):
        raise UserError("pairs are given twice, in pair_file and in pair_tensors (pairs.pt); remove one of them")


def check_saved_features(pair_tensors: Tensors, features: int) -> None:
    """Check that the saved features of pairs have as many numbers as those of the encoder.

    Raises:
        UserError: they have another number.
    """
    found = pair_tensors["x1"].shape[1]
    if len(pair_tensors["y"]) and found != features:
        raise UserError(
            f"pair_tensors: its features have {found} numbers, those of the encoder {features}; use the encoder that "
            "they were extracted with"
        )


def split_embeddings(model: PairModel, split: str, latents: Tensors, images: Images) -> SplitEmbeddings:
    """Embeddings, names and labels of the images of one split.

    Raises:
        UserError: features and images, or features and model, do not match.
    """
    features, names = mapped(latents, "features"), image_names(latents, images)
    if len(features) and features.shape[1] != len(model.scaler.mean):
        raise UserError(
            f"pair_model expects features of {len(model.scaler.mean)} numbers, those of {split} have "
            f"{features.shape[1]}: run the pipeline pair_model again"
        )
    return SplitEmbeddings(split, names, latents["labels"], model.embed(features))


def reference_features(reference_latents: Tensors, name: str) -> ConcatArray | None:
    """Features of train, then test, of the reference network `name`.

    Returns:
        The features, or None if the network was not available.

    Raises:
        UserError: the name is unknown.
    """
    known = {key.split(".")[0] for key in reference_latents.keys()}  # noqa: SIM118  # no mapping
    if name in known:
        return ConcatArray([mapped(reference_latents, f"{name}.{split}.features") for split in ("train", "test")])
    if name in json.loads(reference_latents.header.get("left_out", "[]")):
        return None
    raise UserError(_unknown_network(name, "reference_latents", known))


def _unknown_network(name: str, where: str, known: Iterable[str]) -> str:
    return f"pair_model.pairs.reference: {where} has no network {name!r}, expected one of {', '.join(sorted(known))}"


def check_encoder_of_weights(encoder: Tensors, header: Mapping[str, str]) -> None:
    """Check that imported weights were fitted to features of this encoder.

    The published file does not name its encoder and passes.

    Raises:
        UserError: the header names another encoder.
    """
    found, expected = Provenance.from_header(header), Provenance.of(encoder)
    if found.encoder_fingerprint not in ("", expected.encoder_fingerprint):
        raise UserError(
            f"pair_model.weights_from: fitted to features of encoder {found.encoder_version}, but these are features "
            f"of encoder {expected.encoder_version}; pin the other encoder and its features with --load-versions"
        )
