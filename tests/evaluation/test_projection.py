"""Projections to two dimensions: the method that is asked for has to be installed."""

import numpy as np
import pytest

from byol_kedro.errors import UserError
from byol_kedro.evaluation import projection


def test_missing_umap_names_the_package_and_the_parameter(monkeypatch):
    monkeypatch.setattr(projection, "find_spec", lambda _name: None)
    with pytest.raises(UserError, match=r"^explore\.method: umap needs .*pip install umap-learn"):
        projection.check_method("umap", "explore.method")


def test_tsne_needs_no_further_package(monkeypatch):
    monkeypatch.setattr(projection, "find_spec", lambda _name: None)
    projection.check_method("tsne", "explore.method")


def test_tsne_keeps_groups_apart():
    generator = np.random.default_rng(0)
    centers = np.repeat(100 * np.eye(3, 16), 20, axis=0)
    points = projection.project((centers + generator.normal(size=(60, 16))).astype(np.float32), "tsne", 0)
    distance = np.linalg.norm(points[:, None] - points[None], axis=2)
    group = np.repeat(np.arange(3), 20)
    same = group[:, None] == group[None]
    assert distance[same].max() < distance[~same].min()
