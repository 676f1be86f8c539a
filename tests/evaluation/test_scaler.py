"""Standardization against scikit-learn."""

import numpy as np
from sklearn.preprocessing import StandardScaler

from byol_kedro.evaluation.scaler import Scaler
from tests.support.probe_problems import blobs


def test_agrees_with_scikit_learn():
    data = blobs()
    theirs = StandardScaler().fit(data.train_x.astype(float)).transform(data.test_x.astype(float))
    np.testing.assert_allclose(Scaler.fit(data.train_x)(data.test_x), theirs, atol=1e-4)


def test_constant_feature_is_not_amplified():
    x = np.full((1000, 1), 0.1, np.float32)
    assert np.abs(Scaler.fit(x)(x + np.float32(0.5))).max() < 1
