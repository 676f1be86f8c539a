"""Sections on classifiers and features: their tables hold the numbers of the metrics and predictions."""

import numpy as np
import pandas as pd
import pytest

from byol_kedro.errors import UserError
from byol_kedro.pipelines.report import evaluation_sections as sections
from byol_kedro.pipelines.report import nodes
from byol_kedro.pipelines.report.charts import few_label_curve
from byol_kedro.pipelines.report.figures import NO_CLASSIFIER
from byol_kedro.pipelines.report.table import Difference
from tests.support import report_inputs as given

OTHER = "2026-01-01T00.00.00.000Z"


def pair(a=("BYOL", "logistic"), b=("untrained network", "logistic"), points=5.0, p_holm=0.01):
    names = {"features_a": a[0], "protocol_a": a[1], "features_b": b[0], "protocol_b": b[1]}
    ends = {"points_low": points - 2, "points_high": points + 2}
    return {**names, "n": 8000, "only_a": 700, "only_b": 300, "points": points, **ends, "p": 0.001, "p_holm": p_holm}


def first_cells(table):
    return [row[0] for row in table.rows]


@pytest.mark.parametrize("points", [5.0, -5.0])
def test_cell_is_the_difference_of_byol_to_the_row(points):
    table = sections.comparisons(pd.DataFrame([pair(points=points)]))["byol"]
    assert table.rows == [["untrained network, logistic", Difference(points, points - 2, points + 2, True)]]


@pytest.mark.parametrize(("p", "significant"), [(0.049, True), (0.05, False)])
def test_significance_uses_the_adjusted_p_value(p, significant):
    table = sections.comparisons(pd.DataFrame([pair(p_holm=p)]))["byol"]
    assert table.rows[0][1].significant is significant


def test_columns_are_classifiers_of_byol_and_rows_those_of_other_features():
    others = [("pixels, PCA 256", "knn"), ("untrained network", "knn"), ("untrained network", "logistic")]
    pairs = pd.DataFrame([pair(("BYOL", own), other) for own in ("knn", "logistic") for other in others])
    table = sections.comparisons(pairs)["byol"]
    assert table.headings == ["", "BYOL, logistic", "BYOL, kNN"]
    assert first_cells(table) == ["untrained network, logistic", "untrained network, kNN", "pixels, PCA 256, kNN"]


def test_row_of_an_unknown_protocol_is_last():
    others = [("untrained network", "forest"), ("untrained network", "knn")]
    table = sections.comparisons(pd.DataFrame([pair(b=other) for other in others]))["byol"]
    assert first_cells(table) == ["untrained network, kNN", "untrained network, forest"]


def test_column_of_an_unknown_protocol_is_last():
    pairs = pd.DataFrame([pair(("BYOL", own)) for own in ("forest", "knn")])
    assert sections.comparisons(pairs)["byol"].headings == ["", "BYOL, kNN", "BYOL, forest"]


def test_all_pairs_are_listed():
    table = pd.DataFrame([pair(), pair(b=("BYOL", "knn_weighted"))])
    rows = sections.comparisons(table)["pairs"].rows
    assert [row[1] for row in rows] == ["untrained network, logistic", "BYOL, kNN (weighted)"]
    assert rows[0][3:] == [700, 300, "0.001", "0.01"]


def test_without_pairs_there_is_no_comparison():
    assert sections.comparisons(pd.DataFrame([pair()]).iloc[:0]) is None


def test_comparisons_are_computed_from_predictions():
    predictions = pd.concat([given.predictions("BYOL", ["knn"]), given.predictions("pixels", ["knn"])])
    row = nodes.compare_classifiers(predictions, 0).iloc[0]
    assert (row["features_a"], row["features_b"], row["n"]) == ("BYOL", "pixels", 20)


def test_calibration_table_has_seeds_and_selected_hyperparameters():
    seeds = {"n": 5, "mean": 0.581, "std": 0.004}
    rows = [given.row("linear_adam", "BYOL", 0.58, seeds=seeds), given.row("logistic", "BYOL", 0.6, chosen={"C": 0.1})]
    assert sections.calibration(rows).rows == [
        ["BYOL", "logistic regression", "60.0", "4.1", "", {"C": 0.1}],
        ["BYOL", "logistic regression (Adam)", "58.0", "4.1", "58.1 ± 0.4", {}],
    ]


def test_top5_is_a_column_if_it_was_measured():
    table = sections.calibration([given.row("knn", "BYOL", 0.58, top5=0.912)])
    assert (table.headings[3], table.rows[0][3]) == ("top-5, %", "91.2")


def predicted(truth, guess, features, protocol="logistic"):
    return pd.DataFrame({"truth": truth, "guess": guess}).assign(features=features, protocol=protocol)


def test_accuracy_per_class_is_a_share_of_the_true_class():
    predictions = pd.concat(
        [
            predicted([0, 0, 0, 0, 1, 1], [0, 1, 1, 1, 1, 0], "pixels, PCA 9"),
            predicted([0, 0, 0, 0, 1, 1], [0, 0, 0, 1, 1, 1], "BYOL"),
            predicted([0, 0, 0, 0, 1, 1], [1, 1, 1, 1, 0, 0], "BYOL", "mlp"),
        ]
    )
    table = sections.classes(predictions, ["cat", "dog"])["table"]
    assert table.headings == ["class", "test images", "BYOL, %", "pixels, PCA 9, %"]
    assert table.rows == [["dog", 2, "100.0", "50.0"], ["cat", 4, "75.0", "25.0"]]


@pytest.mark.parametrize(("number", "is_open"), [(20, True), (21, False)])
def test_table_of_many_classes_is_collapsed(number, is_open):
    labels = np.arange(number)
    section = sections.classes(predicted(labels, labels, "BYOL"), [f"class {i}" for i in labels])
    assert section["open"] is is_open


def test_folds_have_mean_deviation_and_range():
    section = sections.folds(given.fold_metrics()["rows"])
    assert section["table"].rows == [["BYOL", "logistic regression", "50.0 ± 2.0", "48.0", "52.0"]]
    assert (section["n"], section["n_train"], section["n_test"]) == (3, 1000, 8000)


@pytest.mark.parametrize("section", [sections.calibration, sections.folds, sections.quality])
def test_section_without_rows_is_left_out(section):
    assert section([]) is None


def test_quality_has_a_row_for_each_network():
    assert sections.quality(given.quality_metrics()["rows"]).rows == [
        ["BYOL", "5,000", "512", "211.4", "−2.87", "0.43"],
        ["untrained network", "5,000", "512", "13.2", "−0.06", "–"],
    ]


def trace(figure, name):
    return next(trace for trace in figure.data if trace.name == name)


def test_curve_is_the_mean_over_labels_per_class():
    line = trace(few_label_curve(given.few_label_metrics()["rows"]), "BYOL")
    np.testing.assert_allclose([line.x, line.y], [[1, 10, 100], [30, 40, 50]])


def test_band_is_one_standard_deviation():
    band = trace(few_label_curve(given.few_label_metrics()["rows"]), "BYOL, band")
    np.testing.assert_allclose([band.x, band.y], [[1, 10, 100, 100, 10, 1], [34, 44, 54, 46, 36, 26]])


def test_all_labels_are_marked_on_the_axis():
    axis = few_label_curve(given.few_label_metrics()["rows"]).layout.xaxis
    assert (axis.type, axis.ticktext) == ("log", ("1", "10", "100<br>(all)"))


def test_curve_without_labels_says_why_it_is_empty():
    figure = nodes.draw_few_labels(given.encoder(), given.metrics([]), given.images())
    assert figure.layout.annotations[0].text == NO_CLASSIFIER


def test_few_label_metrics_of_another_encoder_are_rejected():
    with pytest.raises(UserError, match="few_label_metrics"):
        nodes.draw_few_labels(given.encoder(), given.few_label_metrics(version=OTHER), given.images())


def test_few_label_metrics_of_other_images_are_rejected():
    with pytest.raises(UserError, match=r"few_label_metrics .* 0f0f"):
        nodes.draw_few_labels(given.encoder(), given.few_label_metrics(data_fingerprint="0f" * 32), given.images())


@pytest.mark.parametrize("other", [{"encoder_version": OTHER}, {"data_fingerprint": "0f" * 32}])
@pytest.mark.parametrize("wrong", ["fold_metrics", "quality_metrics"])
def test_metrics_of_another_encoder_or_other_images_are_rejected(wrong, other):
    metrics = {"fold_metrics": given.fold_metrics(), "quality_metrics": given.quality_metrics()}
    metrics[wrong] = metrics[wrong] | other
    predictions = given.predictions("BYOL", ["knn"])
    with pytest.raises(UserError, match=wrong):
        nodes.describe_evaluation(
            given.encoder(), given.tabulate()[0], nodes.compare_classifiers(predictions, 0), given.metrics([]),
            given.metrics([]), metrics["fold_metrics"], metrics["quality_metrics"], predictions, given.images(),
        )  # fmt: skip
