"""Summary of the report: setup, and the numbers that the conclusions rest on."""

import pytest

from byol_kedro.pipelines.report import nodes, sections
from tests.support import report_inputs as given


def summarize(manifest=None, labeled=True):
    nothing = {} if labeled else {"baselines": given.metrics([]), "probes": given.metrics([])}
    results, _ = given.tabulate(**nothing)
    predictions = given.predictions("BYOL", ["knn", "logistic"] if labeled else ["knn"])
    return nodes.summarize(
        given.encoder(), manifest or given.manifest(), given.history(2), given.data_summary(), results,
        nodes.compare_classifiers(predictions, 0), given.quality_metrics(), given.pair_metrics(),
    )  # fmt: skip


def test_setup_names_training_and_evaluation_data():
    assert summarize()["setup"] == (
        "Encoder: resnet18, trained with BYOL on photos (recipe base: 40 epochs, 100 steps of 256 images). "
        "Evaluation data: photos, 12,000 unlabeled, 400 train and 20 test images of 32 px in 4 classes."
    )


def test_setup_and_header_show_a_fraction_of_epochs():
    header = given.encoder(epochs="12.371134020618557", steps="4800").header
    assert "(recipe base: 12.4 epochs, 4,800 steps of 256 images)" in sections.setup(header, given.data_summary(), 4800)
    main = sections.training(header)["main"]
    assert (main["epochs"], main["steps"]) == ("12.4", "4800")


def test_steps_of_another_training_are_not_given():
    loaded = {"training_history": {"version": "2026-08-01T00.00.00.000Z", "command": "kedro run"}}
    assert "steps" not in summarize(manifest=given.manifest(reads=loaded))["setup"]


def test_data_without_classes_are_said_to_have_no_labels():
    data = given.data_summary()
    data["splits"]["train"]["classes"] = {}
    assert sections.setup(given.encoder().header, data, 1).endswith("images of 32 px without labels.")


def test_headline_numbers_are_top1_with_interval_and_chance():
    assert summarize()["summary"]["numbers"] == [
        ("BYOL", "61.2 %", "59.9–62.5"),
        ("untrained network", "52.2 %", "50.9–53.5"),
        ("pixels, PCA 256", "40.2 %", "38.9–41.5"),
        ("chance", "25.0 %", "most frequent training class"),
    ]


@pytest.mark.parametrize(("chance", "shown"), [(0.06, "6.0 %"), (1 / 300, "0.3 %")])
def test_chance_has_one_decimal(chance, shown):
    comparisons = nodes.compare_classifiers(given.predictions("BYOL", ["knn"]), 0)
    numbers = sections.labeled(given.tabulate()[0], chance, comparisons, 1)["numbers"]
    assert numbers[-1][:2] == ("chance", shown)


def test_comparisons_of_the_summary_are_counted():
    assert summarize()["summary"]["family"] == 2


def test_without_labels_images_of_all_splits_are_counted():
    summary = summarize(labeled=False)["summary"]
    assert summary["numbers"] == []
    assert "12,420 images" in summary["sentences"][0]


def test_main_fields_of_the_header_come_first():
    fields = sections.training(given.encoder().header)
    assert fields["main"]["batch size"] == "256"
    assert "fingerprint" in fields["others"]


def test_data_summary_of_any_shape_is_shown():
    summary = {"splits": {}, "counts": {"train": 3}, "nested": {"a": {"x": 1}, "b": {"x": 2}}, "no_value": None}
    shown = sections.data(summary)
    assert shown["fields"] == {"splits": {}, "counts": {"train": 3}, "no value": None}
    assert [(table.headings, table.rows) for table in shown["tables"]] == [(["nested", "a", "b"], [["x", 1, 2]])]
