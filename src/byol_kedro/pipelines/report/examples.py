"""Images of the report: the most confident mistakes, and the nearest neighbors of some test images."""

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from PIL import Image

from byol_kedro.datasets.images import Images
from byol_kedro.datasets.tensors import Tensors, mapped
from byol_kedro.evaluation.names import OWN
from byol_kedro.evaluation.probes.base import PROBES
from byol_kedro.evaluation.search import search
from byol_kedro.files.tiles import image_of
from byol_kedro.pipelines.report.verdict import PROTOCOL

MISTAKES = 18
QUERIES, NEIGHBORS = 8, 7
SIDE = 128  # pixels; larger images are reduced
JPEG_QUALITY = 85


@dataclass(frozen=True)
class Mistake:
    """A test image with a wrong prediction; `jpeg` is base64, `confidence` text such as `98 %`."""

    name: str
    jpeg: str
    truth: str
    guess: str
    confidence: str


@dataclass(frozen=True)
class Neighbor:
    """An image of a row of neighbors, the first of which is the test image, without a `similarity`.

    `label` is the class or, without one, the name; `differs` is whether both have a class and these differ.
    """

    name: str
    jpeg: str
    label: str
    similarity: str
    differs: bool


def mistakes(predictions: pd.DataFrame, images_test: Images) -> dict[str, Any]:
    """The wrong predictions of the encoder with the protocol of the summary that have the highest confidence.

    Args:
        predictions: Predictions of all classifiers (`metrics.predictions_table`).
        images_test: The images that they are for.
    """
    own = predictions[predictions["features"].isin(OWN) & (predictions["protocol"] == PROTOCOL)]
    wrong = own[own["truth"] != own["guess"]].sort_values("confidence", ascending=False, kind="stable")
    names = images_test.class_names
    shown = [
        Mistake(
            row["name"], jpeg(images_test.pixels[row["index"]]), names[row["truth"]], names[row["guess"]],
            confidence_text(row["confidence"]),
        )
        for row in wrong.head(MISTAKES).to_dict("records")
    ]  # fmt: skip
    return {"mistakes": shown, "wrong": len(wrong), "tested": len(own), "classifier": PROBES[PROTOCOL].label}


def neighbors(
    latents_train: Tensors, latents_test: Tensors, images_train: Images, images_test: Images
) -> list[list[Neighbor]]:
    """Rows of a test image and the training images with the most similar features.

    The test images are spread evenly over the classes, or over the split if they have no labels.
    """
    train_rows, test_rows = latents_train["index"], latents_test["index"]
    count = min(NEIGHBORS, len(train_rows))
    if not count or not len(test_rows):
        return []
    chosen = spread_over_classes(latents_test["labels"], QUERIES)
    queries = np.asarray(mapped(latents_test, "features")[chosen])
    similarity, found = search([mapped(latents_train, "features")], queries, count)
    return [
        [
            _image(images_test, int(test_rows[query]), "", images_test.labels[test_rows[query]]),
            *(
                _image(images_train, int(train_rows[row]), f"{value:.2f}", images_test.labels[test_rows[query]])
                for row, value in zip(rows.tolist(), values.tolist(), strict=True)
            ),
        ]
        for query, rows, values in zip(chosen, found, similarity, strict=True)
    ]


def confidence_text(probability: float) -> str:
    """`98 %`; a probability below 1 is never shown as 100 %."""
    return f"{min(round(100 * probability), 99)} %" if probability < 0.995 else "> 99 %"


def spread_over_classes(labels: npt.NDArray[np.int64], count: int) -> list[int]:
    """Choose at most `count` positions of labels (N,): in turn the next one of each class, spread over the images.

    Positions of images without a label are used only if no image has one.
    """
    classes = [np.flatnonzero(labels == label) for label in np.unique(labels[labels >= 0])]
    classes = classes or [np.arange(len(labels))]
    classes = [classes[place] for place in np.linspace(0, len(classes) - 1, min(count, len(classes)), dtype=int)]
    shares = [len(part) for part in np.array_split(np.arange(count), len(classes))]
    chosen = [
        members[np.linspace(0, len(members) - 1, min(share, len(members)), dtype=int)]
        for members, share in zip(classes, shares, strict=True)
    ]
    return sorted({int(position) for members in chosen for position in members})


def jpeg(pixels: npt.NDArray[np.uint8]) -> str:
    """Encode an image (3, H, W) as JPEG of at most `SIDE` pixels, in base64."""
    image, buffer = image_of(pixels), io.BytesIO()
    image.thumbnail((SIDE, SIDE), Image.Resampling.LANCZOS)
    image.save(buffer, format="JPEG", quality=JPEG_QUALITY)
    return base64.b64encode(buffer.getvalue()).decode("ascii")


def _image(images: Images, row: int, similarity: str, label_of_query: np.int64) -> Neighbor:
    name, label = images.names[row], images.labels[row]
    known: Sequence[str] = images.class_names
    return Neighbor(
        name=name,
        jpeg=jpeg(images.pixels[row]),
        label=known[label] if label >= 0 else name,
        similarity=similarity,
        differs=bool(min(label, label_of_query) >= 0 and label != label_of_query),
    )
