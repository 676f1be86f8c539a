"""The page is one valid file that loads nothing, escapes all text and shows what it was given."""

import base64
import html
import io
import re
from html.parser import HTMLParser
from importlib.resources import files

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from plotly.offline import get_plotlyjs

from byol_kedro.pipelines.report import create_pipeline, nodes
from tests.support import report_inputs as given
from tests.support.report_page import build

VOID = {"meta", "link", "img", "br", "hr", "input"}


@pytest.fixture(scope="module")
def page():
    return build()


@pytest.fixture(scope="module")
def body(page):
    return page.replace(get_plotlyjs(), "")


class Elements(HTMLParser):
    """Collects all elements with their attributes, and those that are closed out of order."""

    def __init__(self, page):
        super().__init__()
        self.found, self.unbalanced, self._open, self.inside = [], [], [], {}
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))
        if tag not in VOID:
            self._open.append(tag)

    def handle_endtag(self, tag):
        if not self._open or self._open.pop() != tag:
            self.unbalanced.append(tag)

    def handle_data(self, data):
        for tag in set(self._open):
            self.inside[tag] = self.inside.get(tag, "") + data

    @property
    def never_closed(self):
        return self._open


def test_plotly_is_included_once(page):
    assert page.count(get_plotlyjs()) == 1


def test_nothing_is_loaded_from_elsewhere(body):
    loads = [
        attrs.get("src") or attrs.get("href")
        for tag, attrs in Elements(body).found
        if tag != "a" and (attrs.get("src") or attrs.get("href"))
    ]
    assert all(address.startswith("data:") for address in loads)


def test_styles_import_nothing(body):
    assert not re.search(r"@import|url\(", body)


def links(body):
    """Returns the addresses outside of the page."""
    return {attrs["href"] for tag, attrs in Elements(body).found if tag == "a" and not attrs["href"].startswith("#")}


def test_published_rows_link_to_their_references(monkeypatch):
    repository = "https://github.com/sthalles/PyTorch-BYOL"
    body = build(given.encoder(data="stl10"), whole=given.stl10(monkeypatch)).replace(get_plotlyjs(), "")
    assert links(body) == {f"{repository}#readme", f"{repository}/issues/4", f"{repository}/issues/6"}
    assert "69.5–70.0 %" in Elements(body).inside["table"]


def test_other_images_in_stl10_files_have_no_published_rows():
    body = build(given.encoder(data="stl10"), source="stl10").replace(get_plotlyjs(), "")
    assert not links(body)
    assert "stl10 layout" in Elements(body).inside["table"]
    assert "published table" not in body


def test_other_data_has_no_published_rows(body):
    assert not links(body)
    assert "stl10" not in body


def test_every_element_is_closed_in_order(body):
    elements = Elements(body)
    assert (elements.unbalanced, elements.never_closed) == ([], [])


def test_identifiers_are_unique(body):
    names = [attrs["id"] for _, attrs in Elements(body).found if "id" in attrs]
    assert len(names) == len(set(names))


@pytest.mark.parametrize(
    "name", ["top1-bars", "confusion-matrix", "few-label-curve", "training-curves", "pair-embedding-map"]
)
def test_figure_is_on_the_page(body, name):
    assert name in {attrs.get("id") for _, attrs in Elements(body).found}


def test_page_is_html5(page):
    assert page.startswith("<!DOCTYPE html>\n")


@pytest.mark.parametrize(
    ("tag", "attributes"),
    [
        ("html", {"lang": "en"}),
        ("meta", {"charset": "utf-8"}),
        ("meta", {"name": "viewport", "content": "width=device-width, initial-scale=1"}),
    ],
)
def test_language_encoding_and_width_are_declared(body, tag, attributes):
    assert (tag, attributes) in Elements(body).found


def test_title_names_architecture_and_training_data(body):
    assert Elements(body).inside["title"] == "BYOL: resnet18 trained on photos"


def test_title_of_a_folder_of_images():
    page = build(given.encoder(data="folder"), source="folder").replace(get_plotlyjs(), "")
    assert Elements(page).inside["title"] == "BYOL: resnet18 trained on a folder of images"


def test_fingerprints_are_shortened(body):
    shown = Elements(body).inside["table"]
    assert given.TEST[:12] in shown
    assert given.TEST[:13] not in shown


def test_sample_grid_is_embedded_losslessly(body):
    caption = "Sample images"
    source = next(attrs["src"] for tag, attrs in Elements(body).found if attrs.get("alt") == caption)
    image = Image.open(io.BytesIO(base64.b64decode(source.removeprefix("data:image/png;base64,"))))
    np.testing.assert_array_equal(np.asarray(image), given.sample_grid())


@pytest.mark.parametrize(
    "fact",
    [
        "kedro run --pipelines=evaluate",
        "kedro run --pipelines=pretrain",
        given.RUN,
        "2.9.0",
        '"neighbors": 5',
        "ab" * 32,
    ],
    ids=["command", "command of the encoder", "run", "package version", "parameters", "data fingerprint"],
)
def test_long_facts_are_collapsed(body, fact):
    assert fact in Elements(body).inside["details"]


@pytest.mark.parametrize(
    "fact",
    [
        "61.2 % (59.9–62.5)",
        "pair model",
        "0.012 (0.011 to 0.013)",
        "0.020 (0.019 to 0.021)",
        "12,000",
        "cat 100",
        "without label",
    ],
)
def test_tables_show_results_pair_model_and_data(body, fact):
    assert fact in Elements(body).inside["table"]


@pytest.mark.parametrize("fact", ["0.41", "0.52", "0123abcd with uncommitted changes", "base"])
def test_lists_show_clusters_revision_and_recipe(body, fact):
    assert fact in Elements(body).inside["dd"]


@pytest.mark.parametrize(
    "row",
    [
        '<td>1</td><td class="right">2</td><td>cat (50%)</td>',
        '<td>2</td><td class="right">1</td><td>–</td>',
        '<td>pair model</td><td class="right">0.012 (0.011 to 0.013)</td>',
    ],
    ids=["cluster with labels", "cluster without labels", "pair model"],
)
def test_row_of_a_table(body, row):
    assert row in body


@pytest.mark.parametrize(("p", "cell"), [(0.01, "<b>+9.0</b>"), (0.2, "+9.0")])
def test_significant_differences_are_bold(p, cell):
    pair = {"features_a": "BYOL", "protocol_a": "knn", "features_b": "pixels", "protocol_b": "knn", "n": 9, "p": 0.01}
    row = {"points": 9.0, "points_low": -1.5, "points_high": 19.5, "only_a": 3, "only_b": 1, "p_holm": p}
    context = nodes.describe_evaluation(
        given.encoder(), given.tabulate()[0], pd.DataFrame([pair | row]), given.metrics([]), given.metrics([]),
        given.metrics([]), given.quality_metrics(), given.predictions("BYOL", ["knn"]), given.images(),
    )  # fmt: skip
    page = build(evaluation=context)
    assert f'<td class="right">{cell}<br><small>−1.5 to 19.5</small></td>' in page


HOSTILE = "</script><script>alert(1)</script><b>&\"'{{ 7 * 191 }}{% raw %}"


@pytest.mark.parametrize(
    "inputs",
    [
        {"header": given.encoder(architecture=HOSTILE, data=HOSTILE, recipe=HOSTILE)},
        {"classes": [HOSTILE, "cat", "coffee", "rocket"]},
        {"manifest": given.manifest(command=HOSTILE, packages={HOSTILE: HOSTILE}, parameters={"a": HOSTILE})},
    ],
    ids=["header", "class names", "manifest"],
)
def test_text_is_never_markup_or_a_template(inputs):
    page = build(**inputs).replace(get_plotlyjs(), "")
    assert "alert(1)</script>" not in page
    assert "1337" not in page
    assert HOSTILE in html.unescape(page)
    assert not Elements(page).unbalanced


@pytest.mark.parametrize("name", ["<script>alert(1)</script>", "{{ title }}", "a<br>b", "R&D"])
def test_class_names_are_shown_literally(name):
    inside = Elements(build(classes=[name, "cat", "coffee", "rocket"]).replace(get_plotlyjs(), "")).inside
    assert name in inside["td"]


def test_only_plotly_is_not_escaped():
    templates = files("byol_kedro.pipelines.report").joinpath("templates").iterdir()
    unescaped = re.findall(r"{{([^}]*safe)", "".join(template.read_text("utf-8") for template in templates))
    assert sorted(unescaped) == [" content.html | safe", " plotlyjs | safe"]


def headings(page):
    return re.findall("<h2>(.*?)</h2>", page)


def test_sections_with_labels(body):
    assert headings(body) == [
        "Results", "Confusion matrix", "Mistakes", "Nearest neighbors", "Label efficiency", "Training",
        "Quality without labels", "Pairwise comparisons",
        "Calibration and seeds", "Data", "Pair model", "Reproducibility",
    ]  # fmt: skip


def test_sections_without_labels():
    page = build(labeled=False)
    assert headings(page) == [
        "Nearest neighbors", "Training", "Quality without labels", "Data", "Pair model", "Reproducibility",
    ]  # fmt: skip
    assert "top1-bars" not in page


@pytest.mark.parametrize("labeled", [True, False])
def test_contents_link_to_every_section_in_its_order(labeled):
    page = build(labeled=labeled).replace(get_plotlyjs(), "")
    links = re.findall('<a href="#(.*?)">(.*?)</a>', page)
    assert [title for _, title in links] == headings(page)
    assert [name for name, _ in links] == re.findall('<section id="(.*?)">', page)


def test_conclusions_are_one_paragraph(body):
    (lead,) = re.findall('<p class="lead">(.*?)</p>', body)
    assert lead.startswith("BYOL reaches 61.2 % top-1 (95 % CI 59.9–62.5)")


def test_cluster_sheet_is_not_collapsed(body):
    opened = re.sub("<details>.*?</details>", "", body, flags=re.DOTALL)
    assert "nearest to the center" in Elements(opened).inside["figcaption"]


def test_inputs_of_the_pipeline():
    assert create_pipeline().inputs() == {
        "encoder", "run_manifest", "training_history", "baseline_metrics", "probe_metrics", "pair_metrics",
        "fold_metrics", "few_label_metrics", "quality_metrics", "params:seed",
        "baseline_predictions", "probe_predictions", "pair_embeddings", "pair_embedding_map", "cluster_sheet",
        "data_summary",
        "sample_grid", "images_test", "images_train", "latents_train", "latents_test",
        "images_unlabeled", "image_issues",
    }  # fmt: skip


def test_outputs_of_the_pipeline():
    agreed = {
        "results", "results_table", "predictions", "comparisons", "training_curves", "top1_bars", "confusion_matrix",
        "few_label_curve", "report",
    }  # fmt: skip
    assert agreed <= create_pipeline().all_outputs()
