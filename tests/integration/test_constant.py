"""Equal images, and so constant features."""

import logging
import warnings

import numpy as np
import pytest
from sklearn.exceptions import ConvergenceWarning

from byol_kedro.byol.encoder import to_arrays, untrained_encoder
from byol_kedro.datasets.tensors import Tensors
from byol_kedro.evaluation.pca import fit_pca
from byol_kedro.evaluation.scaler import Scaler, is_constant
from byol_kedro.pair_model.clusters import cluster_embeddings
from byol_kedro.parameters import Baselines, Clusters
from byol_kedro.pipelines.extract.nodes import extract, extract_references
from tests.support.encoder_inputs import SETTINGS
from tests.support.encoders import HEADER
from tests.support.pretrain_inputs import split

SAME = split("train", 9)
SAME.pixels[:] = SAME.pixels[0]


@pytest.fixture
def no_warnings():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


def test_a_tiny_deviation_counts_as_constant():
    x = np.array([[0, 1e-30, 1], [0, 0, 2]], np.float32)
    assert Scaler.fit(x).scale.tolist() == [1, 1, 0.5]
    assert not is_constant(x)
    assert is_constant(x[:, :2])
    assert not is_constant(x[:1])  # undefined for a single row


def test_constant_features_are_a_warning_per_network(caplog):
    header = HEADER.to_dict() | {"version": "v1", "fingerprint": "f1"}
    encoder = Tensors(to_arrays(untrained_encoder(HEADER)), header)
    with caplog.at_level(logging.WARNING):
        extract(encoder, SAME, split("test", 4), "cpu")
        extract_references(encoder, SAME, SAME, {}, SETTINGS, Baselines(pca_components=2, supervised=False), "cpu")
    of_encoder, of_untrained = caplog.messages
    assert of_encoder.startswith("encoder v1 gives the same features for all 9 training images")
    assert of_untrained.startswith("untrained network gives the same features for all 9 training images")


@pytest.mark.usefixtures("no_warnings")
@pytest.mark.parametrize("value", [0, 127])
def test_pca_of_equal_images_is_a_warning(caplog, value):
    with caplog.at_level(logging.WARNING):
        pca = fit_pca(np.full((30, 3, 8, 8), value, np.uint8), 8, 0)
    assert caplog.messages == ["PCA: all 30 training images are the same, so nothing can be learned from them"]
    assert all(np.isfinite(array).all() for array in pca.values())


def test_pca_of_almost_equal_images_is_no_warning(caplog):
    pixels = np.full((30, 3, 8, 8), 127, np.uint8)
    pixels[0, 0, 0, 0] = 128
    with caplog.at_level(logging.WARNING):
        fit_pca(pixels, 8, 0)
    assert caplog.messages == []


def test_almost_equal_embeddings_have_fewer_clusters(caplog):
    x = (1e-30 * np.random.default_rng(0).normal(size=(40, 6))).astype(np.float32)
    with caplog.at_level(logging.INFO), warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # as in settings.py
        found, _ = cluster_embeddings(x, x[:3], Clusters(method="kmeans", count=4, min_size=5), 0)
    assert set(found) == {0}
    assert caplog.messages == ["clusters: found 1 of 4 requested, the embeddings are too similar for more"]
