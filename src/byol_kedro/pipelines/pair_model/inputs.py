"""What belongs together: features, their images, and the pairs that name these."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path

import pandas as pd

from byol_kedro.datasets.images import Images
from byol_kedro.datasets.provenance import image_names
from byol_kedro.datasets.tensors import Tensors, mapped
from byol_kedro.errors import UserError
from byol_kedro.files.weights import read_weights
from byol_kedro.pair_model.embeddings import Vectors
from byol_kedro.pair_model.map import check_map
from byol_kedro.pair_model.model import PairModel, check_layers
from byol_kedro.pair_model.stack import Stack
from byol_kedro.parameters import PairModelParams, Parameters


def check_latent(parameters: Parameters, *, with_references: bool) -> None:
    """UserError for what can be known to be refused later, without any artifact.

    `with_references`: whether the features of other networks are computed in the same run.
    """
    settings = parameters.pair_model
    check_map(settings.map)
    if settings.weights_from is not None:
        content, _ = read_weights(Path(settings.weights_from), "pair_model.weights_from")
        check_layers(content, settings.weights_from)
    known = {"untrained", *parameters.references, *(["supervised"] if parameters.baselines.supervised else [])}
    if with_references and settings.pairs.target == "cosine" and settings.pairs.reference not in known:
        raise UserError(_unknown_network(settings.pairs.reference, "this run", known))


def check_features(settings: PairModelParams, features: int, given: tuple[pd.DataFrame, Tensors] | None) -> None:
    """What is refused of an encoder with so many `features` that is only going to be trained.

    `given`: the pair file and the saved features of pairs, where the run reads them.

    Raises:
        UserError: the saved features or the weights of `weights_from` are those of another number.
    """
    if settings.weights_from is not None:
        content, _ = read_weights(Path(settings.weights_from), "pair_model.weights_from")
        check_layers(content, settings.weights_from, features)
    if given is not None:
        check_one_kind_of_pairs(*given)
        check_saved_features(given[1], features)


def check_one_kind_of_pairs(pair_file: pd.DataFrame, pair_tensors: Tensors) -> None:
    """UserError where the user has given pairs by name and as features."""
    if len(pair_file) and len(pair_tensors["y"]):
        raise UserError("pair_file and pair_tensors (pairs.pt) are both there: which pairs are meant? Move one away")


def check_saved_features(pair_tensors: Tensors, features: int) -> None:
    """UserError where the features of pairs are of another encoder than one with so many `features`."""
    found = pair_tensors["x1"].shape[1]
    if len(pair_tensors["y"]) and found != features:
        raise UserError(
            f"pair_tensors: its features have {found} numbers, those of the encoder {features}; take the encoder that "
            "it was made with"
        )


def vectors(model: PairModel, split: str, latents: Tensors, images: Images) -> Vectors:
    """Latent vectors with names and labels. UserError when features and images or model do not match."""
    features, names = mapped(latents, "features"), image_names(latents, images)
    if len(features) and features.shape[1] != len(model.scaler.mean):
        raise UserError(
            f"pair_model takes features of {len(model.scaler.mean)} numbers, those of {split} have "
            f"{features.shape[1]}: run the pipeline pair_model again"
        )
    return Vectors(split, names, latents["labels"], model.vectors(features))


def reference_features(reference_latents: Tensors, name: str) -> Stack | None:
    """Features of train, then test, of the network `name`; None where that was to be there and could not be had.

    Raises UserError with the names there are where it is unknown.
    """
    known = {key.split(".")[0] for key in reference_latents.keys()}  # noqa: SIM118  # no mapping
    if name in known:
        return Stack([mapped(reference_latents, f"{name}.{split}.features") for split in ("train", "test")])
    if name in json.loads(reference_latents.header.get("left_out", "[]")):
        return None
    raise UserError(_unknown_network(name, "reference_latents", known))


def _unknown_network(name: str, where: str, known: Iterable[str]) -> str:
    return f"pair_model.pairs.reference: {where} has no network {name!r}, it has {', '.join(sorted(known))}"


def check_weights_of(encoder: Tensors, header: Mapping[str, str]) -> None:
    """UserError when the header of imported weights names another encoder; the published file names none."""
    found = header.get("encoder_fingerprint")
    if found is not None and found != encoder.header["fingerprint"]:
        raise UserError(
            f"pair_model.weights_from: fitted to features of encoder {header['encoder_version']}, but these are of "
            f"{encoder.header['version']}; pin that one with --load-versions, and its features too"
        )
