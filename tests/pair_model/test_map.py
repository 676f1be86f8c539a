"""The map: its points, colors and size."""

import sys
from types import SimpleNamespace
from typing import ClassVar

import numpy as np
import pandas as pd
import pytest

from byol_kedro.pair_model.map import draw_embedding_map
from byol_kedro.parameters import EmbeddingMap
from tests.support.probe_problems import blobs


def settings(points=50, method="tsne"):
    return EmbeddingMap(method=method, points=points)


CLASSES = ["ant", "bee", "cow", "doe"]


def map_of(n=40, points=50, labels=None, vectors=None, seed=0, method="tsne"):
    data = blobs(n, 10, dim=16, spread=0.05, decades=0)
    labels = data.train_y if labels is None else np.full(n, labels)
    table = pd.DataFrame({"name": [f"test/{i}" for i in range(n)], "label": labels, "cluster": np.arange(n) % 3})
    return draw_embedding_map(
        table, data.train_x if vectors is None else vectors, CLASSES, settings(points, method), seed
    )


def shown(figure):
    return [name for trace in figure.data for name in trace.text]


def test_each_class_has_a_color():
    figure = map_of()
    assert [trace.name for trace in figure.data] == CLASSES
    assert len({trace.marker.color for trace in figure.data}) == 4


def test_neighbors_of_a_point_have_its_class():
    figure = map_of(n=80)
    points = np.concatenate([np.column_stack([trace.x, trace.y]) for trace in figure.data])
    label = np.concatenate([[i] * len(trace.x) for i, trace in enumerate(figure.data)])
    apart = np.linalg.norm(points[:, None] - points, axis=2) + 1e9 * np.eye(len(points))
    assert (label[apart.argmin(axis=1)] == label).mean() > 0.95


def test_a_point_shows_its_name_and_cluster():
    trace = map_of().data[0]
    assert [int(name.removeprefix("test/")) % 3 for name in trace.text] == list(trace.customdata)
    assert "%{text}" in trace.hovertemplate
    assert "%{customdata}" in trace.hovertemplate


def test_few_images_are_all_on_the_map():
    assert sorted(shown(map_of(n=12))) == sorted(f"test/{i}" for i in range(12))


def test_points_are_limited_and_distinct():
    names = shown(map_of(points=15))
    assert len(names) == len(set(names)) == 15


def test_the_points_are_drawn_with_the_seed(monkeypatch):
    monkeypatch.setattr("byol_kedro.evaluation.projection._tsne", lambda vectors, seed: np.zeros((len(vectors), 2)))
    drawn = [set(shown(map_of(points=15, seed=seed))) for seed in (2, 2, 3)]
    assert drawn[0] == drawn[1] != drawn[2]


@pytest.mark.parametrize("vectors", [None, np.ones((40, 16), np.float32)], ids=["PCA start", "random start"])
def test_the_same_seed_gives_the_same_map(vectors):
    assert map_of(vectors=vectors, seed=2).to_json() == map_of(vectors=vectors, seed=2).to_json()


def test_images_without_a_label_are_colored_by_cluster():
    assert [trace.name for trace in map_of(labels=-1).data] == ["cluster 0", "cluster 1", "cluster 2"]


def test_noise_has_a_group_of_its_own():
    table = pd.DataFrame({"name": list("abcd"), "label": -1, "cluster": [-1, 0, 0, -1]})
    figure = draw_embedding_map(table, np.eye(4, dtype=np.float32), CLASSES, settings(), 0)
    assert [(trace.name, trace.text) for trace in figure.data] == [
        ("no cluster", ("a", "d")),
        ("cluster 0", ("b", "c")),
    ]


def test_class_and_file_names_are_not_markup():
    table = pd.DataFrame({"name": ["R&D/<i>1</i>.png", "&lt;.png"], "label": [0, 1], "cluster": [0, 0]})
    figure = draw_embedding_map(table, np.eye(2, dtype=np.float32), ["<b>cat</b>", "dog"], settings(), 0)
    assert [(trace.name, trace.text) for trace in figure.data] == [
        ("&lt;b&gt;cat&lt;/b&gt;", ("R&amp;D/&lt;i&gt;1&lt;/i&gt;.png",)),
        ("dog", ("&amp;lt;.png",)),
    ]


def test_the_axes_are_blank_and_have_the_same_scale():
    layout = map_of(n=12).layout
    for axis in (layout.xaxis, layout.yaxis):
        assert (axis.showticklabels, axis.showgrid, axis.zeroline, axis.ticks) == (False, False, False, "")
    assert layout.yaxis.scaleanchor == "x"


def test_a_map_of_2000_points_is_below_100_kilobytes(monkeypatch):
    coordinates = 100 * np.random.default_rng(0).normal(size=(2000, 2)).astype(np.float32)
    monkeypatch.setattr("byol_kedro.evaluation.projection._tsne", lambda vectors, seed: coordinates)
    assert len(map_of(n=2000, points=2000).to_json()) < 100_000


@pytest.mark.parametrize("n", [2, 3, 5])
def test_very_few_images_have_a_map(n):
    assert len(shown(map_of(n=n))) == n


@pytest.mark.parametrize("n", [0, 1])
def test_fewer_than_two_images_have_no_map(n):
    table = pd.DataFrame({"name": ["test/0"], "label": [0], "cluster": [0]})[:n]
    assert not draw_embedding_map(table, np.zeros((n, 16), np.float32), CLASSES, settings(), 0).data


@pytest.mark.parametrize("spread", [0, 1e-30, 1e30])
def test_embeddings_of_a_collapsed_or_diverged_model_have_a_map(spread):
    vectors = spread * np.random.default_rng(0).normal(size=(20, 16))
    figure = map_of(n=20, vectors=vectors.astype(np.float32))
    assert np.isfinite([x for trace in figure.data for x in trace.x]).all()


class FakeUmap:
    """Returns the first two coordinates and records its parameters."""

    calls: ClassVar[list] = []

    def __init__(self, **settings):
        self.calls.append(settings)

    def fit_transform(self, vectors):
        return vectors[:, :2]


@pytest.mark.parametrize(
    ("n", "expected"),
    [
        (40, {"n_neighbors": 15, "init": "spectral", "random_state": 3, "n_jobs": 1}),
        (5, {"n_neighbors": 4, "init": "random", "random_state": 3, "n_jobs": 1}),
    ],
)
def test_parameters_passed_to_umap(n, expected, monkeypatch):
    monkeypatch.setitem(sys.modules, "umap", SimpleNamespace(UMAP=FakeUmap))
    figure = map_of(n=n, seed=3, method="umap")
    assert FakeUmap.calls[-1] == expected
    assert figure.layout.title.text == "Map of the embeddings (UMAP)"


def test_two_images_are_mapped_without_umap(monkeypatch):
    monkeypatch.setitem(sys.modules, "umap", SimpleNamespace(UMAP=None))
    assert len(shown(map_of(n=2, method="umap"))) == 2
