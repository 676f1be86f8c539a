"""What belongs together: features, their pictures, and the pairs that name these."""

import pandas as pd

from byol_kedro.datasets.belonging import check_same_pictures
from byol_kedro.datasets.images import Images
from byol_kedro.datasets.tensors import Tensors
from byol_kedro.errors import UserError
from byol_kedro.evaluation.pairs import PairSet, pair_set


def pictures(latents: Tensors, images: Images) -> list[str]:
    """The name of each row of the features. UserError when they were computed from other pictures."""
    check_same_pictures(latents, images)
    return [images.names[row] for row in latents["index"]]


def pairs_within(image_pairs: pd.DataFrame, split: str, latents: Tensors, images: Images) -> PairSet:
    """The pairs of `split`, as rows of its features. UserError when features and pictures do not match."""
    return pair_set(image_pairs, split, pictures(latents, images), latents["features"])


def check_two_pictures(images_train: Images, images_test: Images) -> None:
    """UserError when a split has no pair."""
    for split, images in (("train", images_train), ("test", images_test)):
        if len(images) < 2:
            raise UserError(
                f"images_{split} of {images.source} holds {len(images)} picture(s), the pipeline latent needs at "
                "least 2 to make a pair: ingest more pictures"
            )
