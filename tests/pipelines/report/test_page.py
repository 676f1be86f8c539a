"""The page: one valid file that loads nothing, escapes everything and shows what it was given."""

import base64
import io
import re
from html.parser import HTMLParser

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from plotly.offline import get_plotlyjs

from byol_kedro.pipelines.report import create_pipeline, nodes
from byol_kedro.pipelines.report.markup import Markup, facts, text
from tests.support import report_inputs as given

VOID = {"meta", "link", "img", "br", "hr", "input"}


def build(header=None, classes=given.CLASSES, manifest=None, labeled=True, source="photos", whole=None):
    """`whole`: test images and data summary, where these matter."""
    header, manifest = header or given.encoder(), manifest or given.manifest()
    images = given.images(class_names=classes, labels=None if labeled else [-1] * 20, source=source)
    metrics = (given.baseline_metrics(), given.probe_metrics()) if labeled else (given.metrics([]),) * 2
    data = given.data_summary() | {"class_names": list(classes)}
    images, data = whole or (images, data)
    history = given.history(2) if labeled else given.history(2).assign(knn_top1=np.nan)
    results, _ = nodes.tabulate(header, manifest, *metrics, data, images)
    guesses = pd.concat(
        [given.predictions(name, ["logistic", "knn"], len(classes)) for name in ("BYOL", "untrained network")]
    )
    guesses = guesses if labeled else guesses.iloc[:0]
    comparisons = nodes.compare_classifiers(guesses, 0)
    figures = nodes.draw_top1(results, given.data_summary()), nodes.draw_confusion(guesses, images)
    latent = given.pair_metrics()
    told = (data, results, comparisons, given.quality_metrics(), latent)
    latents = (latent, given.pair_embeddings(), given.pair_embedding_map(), given.cluster_sheet())
    return nodes.write_report(
        header,
        manifest,
        nodes.draw_training(header, manifest, history),
        data,
        given.sample_grid(),
        nodes.introduce(header, manifest, history, *told),
        nodes.tell_results(results, *figures),
        evidence(header, guesses, images, labeled),
        nodes.tell_latents(header, *latents, images),
    )


def evidence(header, guesses, images, labeled=True):
    metrics = (given.baseline_metrics(), given.probe_metrics()) if labeled else (given.metrics([]),) * 2
    folds, few = (given.fold_metrics(), given.few_label_metrics()) if labeled else (given.metrics([]),) * 2
    curve = nodes.draw_few_labels(header, few, images)
    comparisons = nodes.compare_classifiers(guesses, 0)
    return nodes.tell_evidence(header, comparisons, *metrics, folds, curve, given.quality_metrics(), guesses, images)


@pytest.fixture(scope="module")
def page():
    return build()


@pytest.fixture(scope="module")
def body(page):
    return page.replace(get_plotlyjs(), "")


class Elements(HTMLParser):
    """All elements with their attributes, and those that were closed out of order."""

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


def test_plotly_is_in_the_page_once(page):
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
    return {attrs["href"] for tag, attrs in Elements(body).found if tag == "a"}


def test_on_the_published_data_links_lead_to_the_references_of_published_rows(monkeypatch):
    repository = "https://github.com/sthalles/PyTorch-BYOL"
    body = build(given.encoder(data="stl10"), whole=given.stl10(monkeypatch)).replace(get_plotlyjs(), "")
    assert links(body) == {f"{repository}#readme", f"{repository}/issues/4", f"{repository}/issues/6"}
    assert "69.5–70.0 %" in Elements(body).inside["table"]


def test_beside_other_images_in_stl10s_files_nothing_published_is_shown():
    body = build(given.encoder(data="stl10"), source="stl10").replace(get_plotlyjs(), "")
    assert not links(body)
    assert "stl10 layout" in Elements(body).inside["table"]
    assert "published table" not in body


def test_on_other_data_nothing_published_is_shown(body):
    assert not links(body)
    assert "stl10" not in body


def test_every_element_is_closed_in_order(body):
    elements = Elements(body)
    assert (elements.unbalanced, elements.never_closed) == ([], [])


def test_no_identifier_is_there_twice(body):
    names = [attrs["id"] for _, attrs in Elements(body).found if "id" in attrs]
    assert len(names) == len(set(names))


@pytest.mark.parametrize(
    "name", ["top1-bars", "confusion-matrix", "few-label-curve", "training-curves", "pair-embedding-map"]
)
def test_every_figure_is_there(body, name):
    assert name in {attrs.get("id") for _, attrs in Elements(body).found}


def test_the_page_is_html5(page):
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


def test_the_title_says_what_was_trained_on_what(body):
    assert Elements(body).inside["title"] == "BYOL features of resnet18, trained on photos"


def test_a_folder_is_said_to_be_one_of_images():
    page = build(given.encoder(data="folder"), source="folder").replace(get_plotlyjs(), "")
    assert Elements(page).inside["title"] == "BYOL features of resnet18, trained on a folder of images"


def test_fingerprints_of_the_images_are_as_short_as_in_messages(body):
    shown = Elements(body).inside["table"]
    assert given.TEST[:12] in shown
    assert given.TEST[:13] not in shown


def test_the_sample_grid_is_embedded_pixel_by_pixel(body):
    caption = "Some of the images, as they were read"
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
    ids=["command", "what wrote the encoder", "run", "package version", "parameters", "data fingerprint"],
)
def test_the_long_facts_are_there_to_be_opened(body, fact):
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
def test_tables_show_results_latents_and_data(body, fact):
    assert fact in Elements(body).inside["table"]


@pytest.mark.parametrize("fact", ["0.41", "0.52", "0123abcd with changes", "base"])
def test_lists_show_clusters_revision_and_recipe(body, fact):
    assert fact in Elements(body).inside["dd"]


def test_a_cluster_is_shown_with_its_size_and_most_frequent_class(body):
    assert '<td>1</td><td class="right">2</td><td>cat (50%)</td>' in body


def test_a_cluster_without_labels_is_shown_with_its_size(body):
    assert '<td>2</td><td class="right">1</td><td>–</td>' in body


HOSTILE = "</script><script>alert(1)</script><b>&\"'"


@pytest.mark.parametrize(
    "inputs",
    [
        {"header": given.encoder(architecture=HOSTILE, data=HOSTILE, recipe=HOSTILE)},
        {"classes": [HOSTILE, "cat", "coffee", "rocket"]},
        {"manifest": given.manifest(command=HOSTILE, packages={HOSTILE: HOSTILE}, parameters={"a": HOSTILE})},
    ],
    ids=["header", "class names", "manifest"],
)
def test_text_from_outside_is_never_markup(inputs):
    page = build(**inputs).replace(get_plotlyjs(), "")
    assert "alert(1)</script>" not in page


def headings(page):
    return re.findall("<h2>(.*?)</h2>", page)


def test_with_labels_the_results_come_first(body):
    assert headings(body) == [
        "Results", "What is taken for what", "Who beats whom", "Beyond top-1",
        "Right in each class, logistic regression", "With fewer labels", "Quality without labels",
        "Clusters", "Latent vectors", "Training", "Data", "This run",
    ]  # fmt: skip


def test_without_labels_the_clusters_come_first_and_what_needs_labels_is_left_out():
    assert headings(build(labeled=False)) == [
        "Clusters", "Latent vectors", "Quality without labels", "Training", "Data", "This run",
    ]  # fmt: skip


def test_without_labels_no_figure_is_empty():
    assert "nothing was measured" not in build(labeled=False)


def test_the_sheet_of_clusters_is_not_folded(body):
    assert "those nearest to its center" in Elements(re.sub("<details>.*?</details>", "", body)).inside["figcaption"]


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (12000, "12,000"),
        (0.47123, "0.4712"),
        (True, "True"),
        (None, "–"),
        ([], "–"),
        ([1, "<"], "1, &lt;"),
        ({"a<": 1}, "a&lt; 1"),
        (Markup("<b>"), "<b>"),
    ],
)
def test_values_are_shown_short_and_escaped(value, shown):
    assert text(value) == shown


def test_a_summary_of_any_shape_can_be_shown():
    shown = facts({"counts": {"train": 3, "test": 4}, "nested": {"a": {"x": 1}, "b": {"y": 2}}, "none": None})
    assert "<dt>none</dt><dd>–</dd>" in shown


def test_the_pipeline_reads_what_the_others_write():
    assert create_pipeline().inputs() == {
        "encoder", "run_manifest", "training_history", "baseline_metrics", "probe_metrics", "pair_metrics",
        "fold_metrics", "few_label_metrics", "quality_metrics", "params:seed",
        "baseline_predictions", "probe_predictions", "pair_embeddings", "pair_embedding_map", "cluster_sheet",
        "data_summary",
        "sample_grid", "images_test",
    }  # fmt: skip


def test_the_pipeline_makes_the_agreed_artifacts():
    agreed = {
        "results", "results_table", "predictions", "comparisons", "training_curves", "top1_bars", "confusion_matrix",
        "few_label_curve", "report",
    }  # fmt: skip
    assert agreed <= create_pipeline().all_outputs()
