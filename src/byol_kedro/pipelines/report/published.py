"""What others report on STL-10 with the same network, as bare numbers: no interval is made up for them."""

import json
from collections.abc import Mapping
from hashlib import md5
from typing import Any

import numpy as np

from byol_kedro.datasets.images import Images
from byol_kedro.datasets.sources.stl10 import STL10

README = "sthalles/PyTorch-BYOL README"
ISSUE_4 = "sthalles/PyTorch-BYOL#4 (users)"
ISSUE_6 = "sthalles/PyTorch-BYOL#6 (users)"

LINKS = {
    README: "https://github.com/sthalles/PyTorch-BYOL#readme",
    ISSUE_4: "https://github.com/sthalles/PyTorch-BYOL/issues/4",
    ISSUE_6: "https://github.com/sthalles/PyTorch-BYOL/issues/6",
}

DATA = "stl10"
LAYOUT = f"{DATA} layout"  # what the tables call other images in the files of STL-10
COUNTS = {"unlabeled": 100_000, "train": 5_000, "test": 8_000}
SIDE = 96  # pixels
LABELS = STL10.members["test_y.bin"].md5  # of the labels of the test images, 1 to 10, a byte each
NAMES = STL10.members["class_names.txt"].md5

# Of the classifier, as the table's authors train it.
SETTINGS = json.dumps({"lr": 0.0003, "batch_size": 64, "epochs": 200})

_PIXELS: dict[str, Any] = {"features": "pixels, PCA 256", "dim": 256, "data": DATA, "source": "published"}
_BYOL: dict[str, Any] = {
    "classifier": "logistic regression",
    "protocol": "published",
    "features": "BYOL",
    "architecture": "resnet18",
    "dim": 512,
    "projection_dim": 128,
    "batch_size": 64,
    "data": DATA,
    "source": "published",
    "settings": SETTINGS,
}

# The two reports of ISSUE_4 are one range: tables write them in one row.
ROWS: tuple[dict[str, Any], ...] = (
    {**_BYOL, "epochs": 80, "top1": 0.752, "reference": README},
    {**_BYOL, "epochs": 80, "top1": 0.695, "reference": ISSUE_4},
    {**_BYOL, "epochs": 80, "top1": 0.700, "reference": ISSUE_4},
    {**_BYOL, "epochs": 40, "top1": 0.701, "reference": README},
    {**_BYOL, "epochs": 40, "top1": 0.665, "reference": ISSUE_6},
    {
        **_PIXELS,
        "classifier": "logistic regression",
        "protocol": "logistic",
        "top1": 0.360,
        "reference": README,
    },
    {**_PIXELS, "classifier": "kNN", "protocol": "knn", "top1": 0.318, "reference": README},
)


def name_of_data(images_test: Images, splits: Mapping[str, Mapping[str, Any]]) -> str:
    """What the tables call the images at hand: the name of their source, for STL-10 only where they are STL-10.

    `splits` are those of the data summary. The source `stl10` reads any images in STL-10's files; the original has so
    many of them at 96 px, its class names, and its test labels in this order.
    """
    if images_test.source != DATA:
        return images_test.source
    whole = {name: (count, SIDE, SIDE) for name, count in COUNTS.items()}
    found = {name: (splits[name]["count"], splits[name]["height"], splits[name]["width"]) for name in COUNTS}
    labels = md5((images_test.labels + 1).astype(np.uint8).tobytes(), usedforsecurity=False).hexdigest()
    names = "".join(f"{name}\n" for name in images_test.class_names).encode()
    same = (labels, md5(names, usedforsecurity=False).hexdigest()) == (LABELS, NAMES)
    return DATA if found == whole and same else LAYOUT
