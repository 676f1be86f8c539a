"""Results table: the source of every number, training setting and command."""

import io
import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from torchvision.datasets import STL10

from byol_kedro.pipelines.report import nodes
from byol_kedro.pipelines.report import results as results_module
from byol_kedro.pipelines.report.results import COLUMNS, chance_level, comparable, why_unmeasured
from byol_kedro.pipelines.report.table import NOTHING_MEASURED, markdown
from tests.support import report_inputs as given
from tests.support.report_inputs import tabulate


def rows(results, features, source="measured"):
    return results[results["features"].str.startswith(features) & (results["source"] == source)]


def test_columns_of_the_results():
    results, _ = tabulate()
    assert list(results.columns) == [
        "classifier", "protocol", "features", "architecture", "dim", "projection_dim", "epochs", "batch_size",
        "top1", "ci_low", "ci_high", "data", "seed", "encoder", "source", "run_id", "command", "reference",
        "settings",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("architecture", "resnet50"),
        ("epochs", 300),
        ("batch_size", 4096),
        ("projection_dim", 64),
        ("seed", 11),
        ("encoder", given.VERSION),
    ],
)
def test_byol_row_has_the_training_of_the_encoders_header(column, value):
    header = given.encoder(architecture="resnet50", epochs="300", batch_size="4096", projection_dim="64", seed="11")
    results, _ = tabulate(header)
    assert set(rows(results, "BYOL")[column]) == {value}


def test_a_training_in_steps_has_a_fraction_of_epochs():
    results, table = tabulate(given.encoder(epochs="12.371134020618557", steps="4800"))
    assert set(rows(results, "BYOL")["epochs"]) == {12.371134020618557}
    assert "|   12.4 |" in table
    assert "|     80 |" in table  # published


def test_whole_epochs_are_integers():
    assert tabulate()[0]["epochs"].dtype == "Int64"


def test_untrained_network_has_zero_epochs():
    results, _ = tabulate()
    assert set(rows(results, "untrained")["epochs"]) == {0}


@pytest.mark.parametrize("column", ["projection_dim", "batch_size"])
def test_untrained_network_has_no_training(column):
    results, _ = tabulate()
    assert rows(results, "untrained")[column].isna().all()


@pytest.mark.parametrize("column", ["epochs", "batch_size", "projection_dim"])
def test_pixels_have_no_training(column):
    results, _ = tabulate()
    assert rows(results, "pixels")[column].isna().all()


def test_reference_has_its_own_architecture_and_training():
    facts = {"architecture": "resnet18", "epochs": 1727, "batch_size": 256, "seed": 9}
    more = [
        given.row("logistic", "imagenet (vit_small_patch14_dinov2.lvd142m)", 0.8, 384, architecture="vit_small"),
        given.row("logistic", "supervised, from scratch", 0.7, **facts),
    ]
    baselines = given.baseline_metrics()
    results, _ = tabulate(baselines=baselines | {"rows": [*baselines["rows"], *more]})
    found = results[results["protocol"] == "logistic"].iloc[1:3]
    columns = ["features", "architecture", "dim", "epochs", "batch_size", "seed"]
    table = found[columns].astype(object).where(found[columns].notna(), None)
    assert table.to_numpy().tolist() == [
        ["imagenet (vit_small_patch14_dinov2.lvd142m)", "vit_small", 384, None, None, 3],
        ["supervised, from scratch", "resnet18", 512, 1727, 256, 9],
    ]


def test_pixels_have_no_architecture():
    results, _ = tabulate()
    assert set(rows(results, "pixels")["architecture"]) == {""}


@pytest.mark.parametrize(("trained", "data"), [("photos", "photos"), ("stl10", "stl10 → photos")])
def test_data_names_training_and_evaluation_data(trained, data):
    results, _ = tabulate(given.encoder(data=trained))
    assert set(rows(results, "BYOL")["data"]) == {data}


@pytest.mark.parametrize("split", ["unlabeled", "train"])
def test_data_distinguishes_other_images_of_the_same_source(split):
    results, _ = tabulate(summary=given.data_summary(**{split: "0f" * 32}))
    assert set(rows(results, "BYOL")["data"]) == {"photos → photos (other images)"}


def test_pixels_name_the_evaluation_data_only():
    results, _ = tabulate(given.encoder(data="stl10"))
    assert set(rows(results, "pixels")["data"]) == {"photos"}


def test_data_named_by_the_metrics_is_used():
    results, _ = tabulate(probes=given.probe_metrics(data="cifar10"))
    assert set(rows(results, "BYOL")["data"]) == {"photos → cifar10"}


@pytest.mark.parametrize("features", ["BYOL", "pixels"])
def test_metrics_of_the_current_run_name_it(features):
    results, _ = tabulate()
    made = rows(results, features)[["run_id", "command"]].drop_duplicates()
    assert made.to_numpy().tolist() == [[given.RUN, "kedro run --pipelines=evaluate"]]


def test_loaded_metrics_name_the_run_that_made_them():
    read = {"version": "2026-08-01T00.00.00.000Z", "command": "kedro run --pipelines=probes"}
    results, _ = tabulate(manifest=given.manifest(reads={"probe_metrics": read}))
    made = rows(results, "BYOL")[["run_id", "command"]].drop_duplicates()
    assert made.to_numpy().tolist() == [list(read.values())]


def test_measured_numbers_equal_the_metrics():
    results, _ = tabulate(probes=given.metrics([given.row("mlp", "BYOL", 0.5, ci_low=0.41, ci_high=0.58)]))
    assert rows(results, "BYOL")[["top1", "ci_low", "ci_high"]].to_numpy().tolist() == [[0.5, 0.41, 0.58]]


def test_order_of_the_rows():
    results, _ = tabulate()
    order = results["source"] + " " + results["features"]
    assert list(order.drop_duplicates()) == [
        "measured BYOL", "measured untrained network", "measured pixels, PCA 256",
        "published BYOL", "published pixels, PCA 256",
    ]  # fmt: skip


def test_rows_of_the_same_features_are_sorted_by_protocol():
    results, _ = tabulate()
    assert list(rows(results, "BYOL")["protocol"]) == ["logistic", "linear_adam", "mlp", "knn"]


def test_published_rows():
    results, _ = tabulate()
    published = results[results["source"] == "published"].fillna({"epochs": 0})
    facts = published[["features", "epochs", "top1", "reference"]]
    assert {tuple(row) for row in facts.to_numpy().tolist()} == {
        ("BYOL", 40, 0.701, "sthalles/PyTorch-BYOL README"),
        ("BYOL", 80, 0.752, "sthalles/PyTorch-BYOL README"),
        ("BYOL", 40, 0.665, "sthalles/PyTorch-BYOL#6 (users)"),
        ("BYOL", 80, 0.695, "sthalles/PyTorch-BYOL#4 (users)"),
        ("BYOL", 80, 0.700, "sthalles/PyTorch-BYOL#4 (users)"),
        ("pixels, PCA 256", 0, 0.360, "sthalles/PyTorch-BYOL README"),
        ("pixels, PCA 256", 0, 0.318, "sthalles/PyTorch-BYOL README"),
    }


def test_published_rows_have_no_interval():
    results, _ = tabulate()
    assert results.loc[results["source"] == "published", ["ci_low", "ci_high"]].isna().all(axis=None)


def cells(table):
    """Parses the table, split at pipes that are not escaped."""
    lines = [line for line in table.splitlines() if line.startswith("|")]
    marked = [line.replace("\\|", "\0")[1:-1].split("|") for line in lines]
    return [[cell.strip().replace("\0", "|") for cell in line] for line in marked]


def test_headings_of_the_markdown_table():
    _, table = tabulate()
    assert cells(table)[0] == [
        "classifier", "features", "architecture", "feature dim", "projection dim", "epochs", "batch size",
        "top-1", "data", "source",
    ]  # fmt: skip


def test_measured_row_of_the_markdown_table():
    _, table = tabulate()
    assert cells(table)[2] == [
        "logistic regression", "BYOL", "resnet18", "512", "128", "40", "256", "61.2 % (59.9–62.5)", "photos",
        f"run {given.RUN}",
    ]  # fmt: skip


def test_results_of_users_are_merged_into_a_range():
    _, table = tabulate()
    assert [row[7] for row in cells(table) if row[9].startswith("sthalles/PyTorch-BYOL#4")] == ["69.5–70.0 %"]


def test_pipes_are_escaped():
    _, table = tabulate(given.encoder(architecture="a|b"))
    assert cells(table)[2][2] == "a|b"


def test_markdown_table_is_at_most_200_characters_wide():
    _, table = tabulate(given.encoder(data="stl10"))
    assert max(map(len, table.splitlines())) <= 200


def test_table_of_results_read_from_csv_is_the_same():
    results, table = tabulate()
    saved = io.StringIO(results.to_csv(index=False))
    assert markdown(pd.read_csv(saved)) == table


def test_without_labels_only_published_rows_remain():
    results, _ = tabulate(baselines=given.metrics([]), probes=given.metrics([]))
    assert set(results["source"]) == {"published"}


def test_without_labels_the_columns_are_the_same():
    results, _ = tabulate(baselines=given.metrics([]), probes=given.metrics([]))
    assert tuple(results.columns) == COLUMNS


def test_without_labels_the_markdown_says_why_nothing_was_evaluated():
    _, table = tabulate(baselines=given.metrics([]), probes=given.metrics([]))
    assert table.startswith(NOTHING_MEASURED)


@pytest.mark.parametrize(
    ("train", "test", "why"),
    [
        ({}, {}, "the images have no labels"),
        ({"cat": 3}, {"cat": 1}, "the training images have labels of only one class"),
        ({"cat": 3, "dog": 0}, {"cat": 1, "dog": 4}, "the training images have labels of only one class"),
        ({}, {"cat": 1}, "the training images have no labels"),
        ({"cat": 3, "dog": 2}, {}, "no test image has a label"),
    ],
)
def test_reason_why_nothing_was_evaluated(train, test, why):
    assert why_unmeasured({"train": {"classes": train}, "test": {"classes": test}}) == why


def test_predictions_of_probes_and_baselines_are_concatenated():
    probes = given.predictions("BYOL", ["logistic", "knn"])
    baselines = given.predictions("pixels, PCA 256", ["knn"])
    joined = nodes.gather_predictions(given.manifest(), baselines, probes)
    counts = joined.groupby(["features", "protocol"]).size().to_dict()
    assert counts == {("BYOL", "logistic"): 20, ("BYOL", "knn"): 20, ("pixels, PCA 256", "knn"): 20}


def test_empty_predictions_keep_their_columns():
    empty = given.predictions("BYOL", ["knn"]).iloc[:0]
    assert list(nodes.gather_predictions(given.manifest(), empty, empty).columns) == list(empty.columns)


def test_row_has_the_settings_of_its_classifier():
    results, _ = tabulate()
    settings = rows(results, "BYOL").set_index("protocol")["settings"]
    assert json.loads(settings["linear_adam"]) == {"lr": 0.0003, "batch_size": 64, "epochs": 200, "seeds": 5}


def of_stl10(monkeypatch, test=None, splits=None, header=None):
    """Returns the names of the data, and the sources of comparable rows, if something differs from STL-10."""
    images, summary = given.stl10(monkeypatch)
    for name, facts in (splits or {}).items():
        summary["splits"][name] |= facts
    header = header or given.encoder(data="stl10")
    results, _ = tabulate(header, images=replace(images, **test or {}), summary=summary)
    return set(rows(results, "BYOL")["data"]), set(rows(results, "pixels")["data"]), comparable(results)["source"]


def test_stl10_is_recognized_by_size_class_names_and_test_labels(monkeypatch):
    byol, pixels, sources = of_stl10(monkeypatch)
    assert (byol, pixels) == ({"stl10"}, {"stl10"})
    assert sources.value_counts()["published"] == 7


FROG = [name.replace("monkey", "frog") for name in given.STL10_CLASSES]
OTHERS = {
    "class names": {"test": {"class_names": FROG}},
    "labels": {"test": {"labels": np.arange(8000) % 10}},
    "size": {"splits": {"test": {"height": 32, "width": 32}}},
    "unlabeled": {"splits": {"unlabeled": {"count": 12_000}}},
    "train": {"splits": {"train": {"count": 4_999}}},
}


@pytest.mark.parametrize("changes", OTHERS.values(), ids=OTHERS)
def test_other_images_in_stl10_files_are_not_called_stl10(changes, monkeypatch):
    byol, pixels, sources = of_stl10(monkeypatch, **changes)
    assert (byol, pixels) == ({"stl10 layout"}, {"stl10 layout"})
    assert set(sources) == {"measured"}


def test_encoder_trained_on_other_images_is_marked_on_stl10(monkeypatch):
    others = given.encoder(data="stl10", data_fingerprint="0f:0f")
    assert of_stl10(monkeypatch, header=others)[0] == {"stl10 → stl10 (other images)"}


def test_checksum_of_the_labels_equals_torchvisions():
    assert dict(STL10.test_list)["test_y.bin"] == results_module.LABELS


def test_published_rows_are_comparable_to_the_same_protocol_only(monkeypatch):
    images, summary = given.stl10(monkeypatch)
    probes = given.metrics([given.row("logistic", "BYOL", 0.6)])
    baselines = given.metrics([given.row("logistic", "pixels, PCA 256", 0.4, 256)])
    results, _ = tabulate(
        given.encoder(data="stl10"), probes=probes, baselines=baselines, images=images, summary=summary
    )
    assert set(comparable(results)["protocol"]) == {"logistic"}


def test_comparable_rows_of_results_read_from_csv_are_the_same(monkeypatch):
    images, summary = given.stl10(monkeypatch)
    results, _ = tabulate(given.encoder(data="stl10"), images=images, summary=summary)
    read = pd.read_csv(io.StringIO(results.to_csv(index=False)))
    assert comparable(read).index.tolist() == comparable(results).index.tolist()


@pytest.mark.parametrize(
    ("train", "test", "chance"),
    [
        ({"cat": 9, "dog": 1}, {"cat": 3, "dog": 1}, 0.75),
        ({"cat": 9, "dog": 1}, {"cat": 1, "dog": 3}, 0.25),
        ({"cat": 5, "dog": 5, "fox": 2}, {"cat": 1, "dog": 2, "fox": 7}, 0.15),
        ({"cat": 5, "dog": 5}, {"cat": 0, "dog": 4}, 0.5),
        ({"cat": 5, "dog": 5}, {}, None),
        ({}, {"cat": 5}, None),
    ],
)
def test_chance_is_the_test_share_of_the_most_frequent_training_class(train, test, chance):
    assert chance_level({"train": {"classes": train}, "test": {"classes": test}}) == pytest.approx(chance)
