"""The section on latents: what is undefined stays empty, and each point shows its own image."""

import base64
import io
import json
import re
from dataclasses import replace

import numpy as np
import plotly.graph_objects as go
import pytest
from PIL import Image

from byol_kedro.pipelines.report import pair_sections
from tests.support import report_inputs as given

PIXELS = np.random.default_rng(0).integers(0, 256, (20, 3, 1, 1)) * np.ones((20, 3, 8, 8))
IMAGES = replace(given.images(), pixels=PIXELS.astype(np.uint8))


def clusters(vectors):
    return pair_sections.clusters(
        given.pair_metrics(), vectors, given.pair_embedding_map(), given.cluster_sheet(), IMAGES
    )


def sprite():
    return pair_sections.thumbnails_on_hover(given.pair_embedding_map(), "plot", IMAGES)


def tile(html, number):
    data = re.search(r"data:image/jpeg;base64,([^\"]+)", html)[1]
    columns = int(re.search(r"columns = (\d+)", html)[1])
    left, top = number % columns * 32, number // columns * 32
    return Image.open(io.BytesIO(base64.b64decode(data))).crop((left, top, left + 32, top + 32))


@pytest.mark.parametrize(("trace", "point", "row"), [(0, 0, 3), (0, 1, 0), (0, 2, 7), (1, 0, 12)])
def test_a_point_has_the_thumbnail_of_its_own_image(trace, point, row):
    html = sprite()
    starts = json.loads(re.search(r"starts = (\[[^\]]+\])", html)[1])
    shown = np.asarray(tile(html, starts[trace] + point), float).mean(axis=(0, 1))
    # JPEG halves the resolution of colors: neighbors mix at the edges.
    np.testing.assert_allclose(shown, IMAGES.pixels[row, :, 0, 0], atol=6)


def test_a_map_with_too_many_points_has_no_thumbnails(monkeypatch):
    monkeypatch.setattr(pair_sections, "MOST", 3)
    assert sprite() == ""


def test_two_thousand_thumbnails_take_less_than_three_megabytes():
    noise = np.random.default_rng(0).integers(0, 256, (2000, 3, 16, 16), dtype=np.uint8)
    buffer = io.BytesIO()
    pair_sections.contact_sheet(noise, np.arange(2000), 45).save(buffer, format="JPEG", quality=pair_sections.QUALITY)
    assert len(buffer.getvalue()) * 4 / 3 < 3e6


def test_what_a_model_has_no_value_for_is_a_dash():
    row = re.search(r"<td>mean of train</td>(.*?)</tr>", pair_sections.pairs(given.pair_metrics()))[1]
    assert re.findall(r">([^<]*)</td>", row) == [
        "0.020 (0.019 to 0.021)",
        "–",
        "0.000 (−0.001 to 0.001)",
        "0.008 (0.007 to 0.009)",
    ]


def test_without_test_pairs_there_are_no_numbers():
    rows = [given.latent_row("pair model", n=0)]
    assert '<td>pair model</td><td class="right">–</td>' in pair_sections.pairs(given.pair_metrics() | {"rows": rows})


def test_without_a_test_pair_a_sentence_says_so():
    counts = {"pairs": {"train": 15, "test": 0}}
    html = pair_sections.pairs(given.pair_metrics() | {"rows": [given.latent_row("pair model", n=0)]} | counts)
    assert pair_sections.NO_PAIRS in html
    assert "<td>pair model</td>" not in html
    assert "15" in html


def test_without_a_pair_model_there_is_neither_section():
    assert pair_sections.pairs(given.pair_metrics() | {"rows": []}) == ""
    assert clusters(given.pair_embeddings()[:0]) == ""


def test_without_test_images_the_clusters_are_those_of_train():
    vectors, none = given.pair_embeddings().assign(split="train"), replace(IMAGES, pixels=IMAGES.pixels[:0])
    html = pair_sections.clusters(given.pair_metrics(), vectors, go.Figure(), given.cluster_sheet(), none)
    assert "Size of each cluster" in html
    assert "<figure" not in html


def test_images_in_no_cluster_are_counted_as_such():
    vectors = given.pair_embeddings().assign(cluster=-1)
    assert '<td>none</td><td class="right">6</td>' in clusters(vectors)
