"""Nodes of the pipeline ingest."""

from typing import Any

import numpy as np
import numpy.typing as npt

from byol_kedro.datasets.image_grid import class_grid
from byol_kedro.datasets.images import Images
from byol_kedro.datasets.raw import RawImages
from byol_kedro.parameters import Ingest
from byol_kedro.pipelines.ingest.data_summary import describe, log_summary
from byol_kedro.pipelines.ingest.overlap import ImageHashes, contradicting_labels, count_overlap
from byol_kedro.sources.source import SPLITS, ImageStream


def ingest(raw_images: RawImages, parameters: Ingest, seed: int) -> tuple[ImageStream, ...]:
    """Open the source and return its splits unlabeled, train and test; pixels are read when a stream is saved."""
    source = raw_images.open(parameters, seed)
    return tuple(source.stream(split) for split in SPLITS)


def summarize(unlabeled: Images, train: Images, test: Images) -> tuple[dict[str, Any], npt.NDArray[np.uint8]]:
    """Return a summary of the splits and a grid of sample images, (H, W, 3) uint8."""
    splits = dict(zip(SPLITS, (unlabeled, train, test), strict=True))
    log_summary(splits)
    hashes = {split: ImageHashes.of(images) for split, images in splits.items()}
    summary = {
        "source": train.source,
        "splits": {split: describe(images) for split, images in splits.items()},
        "test_images_in": count_overlap(**hashes),
        "contradicting_labels": contradicting_labels(hashes["train"], hashes["test"]),
    }
    return summary, class_grid(train, unlabeled)
