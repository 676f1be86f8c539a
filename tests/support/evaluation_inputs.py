"""Small inputs of the nodes that evaluate the features of an encoder."""

import json
from typing import Literal

import numpy as np

from byol_kedro.datasets.images import Images
from byol_kedro.datasets.tensors import Tensors
from byol_kedro.evaluation.probes.base import Knn, KnnWeighted, LinearAdam, LinearSgd, Logistic, Mlp
from byol_kedro.parameters import FewLabels, Probes
from tests.support.probe_problems import blobs

Split = Literal["train", "test"]

PROBE_PARAMS = Probes(
    knn=Knn(neighbors=3),
    knn_weighted=KnnWeighted(neighbors=200, temperature=0.07),
    linear_adam=LinearAdam(lr=0.003, batch_size=32, epochs=2, seeds=2),
    linear_sgd=LinearSgd(lrs=[0.01, 0.1], momentum=0.9, batch_size=32, epochs=2, validation=0.3),
    logistic=Logistic(cs=[0.01, 1.0], validation=0.3),
    mlp=Mlp(hidden_dim=8, lr=0.01, weight_decay=0, batch_size=32, epochs=2, patience=2, validation=0.3),
    few_labels=FewLabels(counts=[1, 5], draws=2, c=1.0),
)
ENCODER = Tensors({}, {"version": "v1", "fingerprint": "e1"})
ENCODER_HEADER = {"encoder_version": "v1", "encoder_fingerprint": "e1"}
DATA = blobs(60, 30, classes=3)
LABELS = {"train": DATA.train_y, "test": DATA.test_y}
FEATURES = {"train": DATA.train_x, "test": DATA.test_x}


def images(split: Split) -> Images:
    """Images of 4 by 4 whose brightness depends on the class, 60 to train and 30 to test."""
    labels = LABELS[split]
    noise = np.random.default_rng(len(labels)).integers(0, 60, (len(labels), 3, 4, 4))
    pixels = (60 * labels[:, None, None, None] + noise).astype(np.uint8)
    names = [f"{split}/{i:02}" for i in range(len(labels))]
    return Images(pixels, labels, names, ["cat", "dog", "fox"], [], f"{split}-images", "photos")


def latents(split: Split) -> Tensors:
    """Features of `images(split)`."""
    arrays = {"features": FEATURES[split], "labels": LABELS[split], "index": np.arange(len(LABELS[split]))}
    return Tensors(arrays, ENCODER_HEADER | {"data": "photos", "data_fingerprint": f"{split}-images"})


def reference_latents() -> Tensors:
    """Features of the untrained network, for both splits."""
    arrays = {
        f"untrained.{split}.{name}": latents(split)[name]
        for split in ("train", "test")
        for name in ("features", "labels")
    }
    header = ENCODER_HEADER | {"data": "photos", "data_fingerprint": "train-images:test-images"}
    header["references"] = json.dumps({"untrained": {"features": "untrained network", "facts": {}}})
    return Tensors(arrays, header)
