"""Values, figures and thumbnails as the templates embed them."""

import base64
import io
from dataclasses import replace

import numpy as np
import plotly.graph_objects as go
import pytest
from PIL import Image

from byol_kedro.pipelines.report import nodes, render
from byol_kedro.pipelines.report.charts import few_label_curve
from byol_kedro.pipelines.report.figures import empty
from tests.support import report_inputs as given

PIXELS = np.random.default_rng(0).integers(0, 256, (20, 3, 1, 1)) * np.ones((20, 3, 8, 8))
IMAGES = replace(given.images(), pixels=PIXELS.astype(np.uint8))


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (12000, "12,000"),
        (0.47123, "0.4712"),
        (True, "True"),
        (0, "0"),
        (None, "–"),
        ("", "–"),
        ([], "–"),
        ([1, "a"], "1, a"),
        ({"a": 1}, "a 1"),
    ],
)
def test_values_are_formatted(value, shown):
    assert render.format_value(value) == shown


@pytest.mark.parametrize(("trace", "point", "row"), [(0, 0, 3), (0, 1, 0), (0, 2, 7), (1, 0, 12)])
def test_point_of_the_map_has_the_thumbnail_of_its_image(trace, point, row):
    packed = render.thumbnails(given.pair_embedding_map(), IMAGES)
    number = packed.starts[trace] + point
    left, top = number % packed.columns * 32, number // packed.columns * 32
    sheet = Image.open(io.BytesIO(base64.b64decode(packed.jpeg)))
    shown = np.asarray(sheet.crop((left, top, left + 32, top + 32)), float).mean(axis=(0, 1))
    # JPEG halves the resolution of colors: neighbors mix at the edges.
    np.testing.assert_allclose(shown, IMAGES.pixels[row, :, 0, 0], atol=6)


def test_map_with_too_many_points_has_no_thumbnails(monkeypatch):
    monkeypatch.setattr(render, "MAX_THUMBNAILS", 3)
    assert render.thumbnails(given.pair_embedding_map(), IMAGES) is None


def test_thumbnails_of_names_with_markup():
    name = "R&D/<i>1</i>.png"
    figure = go.Figure(go.Scatter(x=[0], y=[1], text=["R&amp;D/&lt;i&gt;1&lt;/i&gt;.png"]))
    packed = render.thumbnails(figure, replace(IMAGES, names=[*IMAGES.names[:4], name, *IMAGES.names[5:]]))
    shown = np.asarray(Image.open(io.BytesIO(base64.b64decode(packed.jpeg))), float).mean(axis=(0, 1))
    np.testing.assert_allclose(shown, IMAGES.pixels[4, :, 0, 0], atol=6)


def test_two_thousand_thumbnails_take_less_than_three_megabytes():
    noise = np.random.default_rng(0).integers(0, 256, (2000, 3, 16, 16), dtype=np.uint8)
    buffer = io.BytesIO()
    render.contact_sheet(noise, np.arange(2000), 45).save(buffer, format="JPEG", quality=render.JPEG_QUALITY)
    assert len(buffer.getvalue()) * 4 / 3 < 3e6


def embedded(images):
    nothing = empty("title", "why")
    figures = (nothing, nothing, few_label_curve(given.few_label_metrics()["rows"]), nothing, nothing)
    return nodes.embed_figures(*figures, given.cluster_sheet(), given.sample_grid(), images)


def test_empty_figures_are_left_out_except_the_training_curves():
    assert {name for name, content in embedded(IMAGES).items() if content} == {
        "few_label_curve", "training_curves", "cluster_sheet", "sample_grid",
    }  # fmt: skip


def test_cluster_sheet_without_test_images_is_left_out():
    assert embedded(replace(IMAGES, pixels=IMAGES.pixels[:0], names=[]))["cluster_sheet"] is None
