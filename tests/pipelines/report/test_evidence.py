"""The report on how far its numbers can be trusted: what it shows is what was measured."""

import re

import numpy as np
import pandas as pd
import pytest

from byol_kedro.errors import UserError
from byol_kedro.pipelines.report import evidence, nodes
from byol_kedro.pipelines.report.charts import few_label_curve
from tests.support import report_inputs as given

OTHER = "2026-01-01T00.00.00.000Z"


def cells(html):
    """The rows of all tables, as text."""
    rows = re.findall(r"<tr>(.*?)</tr>", html)
    return [[re.sub(r"<br>", " ", re.sub(r"</?(?:b|small)>", "", cell)) for cell in _cells(row)] for row in rows]


def _cells(row):
    return re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row)


def pair(a=("BYOL", "logistic"), b=("untrained network", "logistic"), points=5.0, p_holm=0.01):
    names = {"features_a": a[0], "protocol_a": a[1], "features_b": b[0], "protocol_b": b[1]}
    ends = {"points_low": points - 2, "points_high": points + 2}
    return {**names, "n": 8000, "only_a": 700, "only_b": 300, "points": points, **ends, "p": 0.001, "p_holm": p_holm}


def test_a_cell_is_byols_lead_over_the_row_with_its_interval():
    html = evidence.comparisons(pd.DataFrame([pair()]))
    assert cells(html)[1] == ["untrained network, logistic", "+5.0 3.0 to 7.0"]


def test_a_deficit_has_a_minus():
    html = evidence.comparisons(pd.DataFrame([pair(points=-5.0)]))
    assert cells(html)[1][1] == "−5.0 −7.0 to −3.0"


@pytest.mark.parametrize(("p", "bold"), [(0.049, True), (0.05, False)])
def test_bold_is_what_is_beyond_luck_after_the_adjustment(p, bold):
    html = evidence.comparisons(pd.DataFrame([pair(p_holm=p)]))
    assert ("<b>+5.0</b>" in html) == bold


def test_columns_are_byols_classifiers_and_rows_all_others():
    others = [("pixels, PCA 256", "knn"), ("untrained network", "knn"), ("untrained network", "logistic")]
    table = pd.DataFrame([pair(("BYOL", mine), other) for mine in ("knn", "logistic") for other in others])
    shown = cells(evidence.comparisons(table))[:4]
    assert shown[0] == ["", "BYOL, logistic", "BYOL, kNN"]
    assert [row[0] for row in shown[1:]] == [
        "untrained network, logistic", "untrained network, kNN", "pixels, PCA 256, kNN",
    ]  # fmt: skip


def test_a_protocol_without_a_place_is_the_last_row(monkeypatch):
    monkeypatch.setitem(evidence.CLASSIFIER, "forest", "forest")
    others = [("untrained network", "forest"), ("untrained network", "knn")]
    shown = cells(evidence.comparisons(pd.DataFrame([pair(b=other) for other in others])))
    assert [row[0] for row in shown[1:3]] == ["untrained network, kNN", "untrained network, forest"]


def test_a_protocol_without_a_place_is_the_last_column(monkeypatch):
    monkeypatch.setitem(evidence.CLASSIFIER, "forest", "forest")
    shown = cells(evidence.comparisons(pd.DataFrame([pair(("BYOL", mine)) for mine in ("forest", "knn")])))
    assert shown[0] == ["", "BYOL, kNN", "BYOL, forest"]


def test_every_pair_is_there_to_be_opened():
    table = pd.DataFrame([pair(), pair(b=("BYOL", "knn_weighted"))])
    opened = evidence.comparisons(table).split("<details>")[1]
    assert [row[1] for row in cells(opened)[1:]] == ["untrained network, logistic", "BYOL, kNN (weighted)"]


def test_without_pairs_there_is_no_section():
    assert evidence.comparisons(pd.DataFrame([pair()]).iloc[:0]) == ""


def test_comparisons_are_made_from_the_guesses():
    guesses = pd.concat([given.predictions("BYOL", ["knn"]), given.predictions("pixels", ["knn"])])
    row = nodes.compare_classifiers(guesses, 0).iloc[0]
    assert (row["features_a"], row["features_b"], row["n"]) == ("BYOL", "pixels", 20)


def test_calibration_seeds_and_what_was_chosen_stand_beside_each_row():
    seeds = {"n": 5, "mean": 0.581, "std": 0.004}
    rows = [given.row("linear_adam", "BYOL", 0.58, seeds=seeds), given.row("logistic", "BYOL", 0.6, chosen={"C": 0.1})]
    assert cells(evidence.beyond_top1(rows))[1:] == [
        ["BYOL", "logistic regression", "60.0", "4.1", "–", "C 0.1"],
        ["BYOL", "logistic regression (Adam)", "58.0", "4.1", "58.1 ± 0.4", "–"],
    ]


def test_top5_is_a_column_where_it_was_measured():
    html = evidence.beyond_top1([given.row("knn", "BYOL", 0.58, top5=0.912)])
    assert cells(html)[0][3] == "top-5, %"
    assert cells(html)[1][3] == "91.2"


def guesses(truth, guess, features, protocol="logistic"):
    return pd.DataFrame({"truth": truth, "guess": guess}).assign(features=features, protocol=protocol)


def test_right_guesses_are_shares_of_each_true_class():
    table = pd.concat(
        [
            guesses([0, 0, 0, 0, 1, 1], [0, 1, 1, 1, 1, 0], "pixels, PCA 9"),
            guesses([0, 0, 0, 0, 1, 1], [0, 0, 0, 1, 1, 1], "BYOL"),
            guesses([0, 0, 0, 0, 1, 1], [1, 1, 1, 1, 0, 0], "BYOL", "mlp"),
        ]
    )
    assert cells(evidence.classes(table, ["cat", "dog"])) == [
        ["class", "test images", "BYOL, %", "pixels, PCA 9, %"],
        ["dog", "2", "100.0", "50.0"],
        ["cat", "4", "75.0", "25.0"],
    ]


def test_many_classes_are_there_to_be_opened():
    labels = np.arange(30)
    html = evidence.classes(guesses(labels, labels, "BYOL"), [f"class {i}" for i in labels])
    assert "<details><summary>30 classes</summary>" in html


def test_folds_are_shown_with_mean_deviation_and_range():
    html = evidence.less(given.fold_metrics()["rows"], few_label_curve([]))
    assert cells(html)[1] == ["BYOL", "logistic regression", "50.0 ± 2.0", "48.0", "52.0"]


def test_without_folds_nothing_is_said_of_them():
    assert "folds" not in evidence.less([], few_label_curve(given.few_label_metrics()["rows"]))


def test_without_folds_and_curve_there_is_no_section():
    assert evidence.less([], few_label_curve([])) == ""


def test_quality_is_shown_for_both_networks():
    html = evidence.quality(given.quality_metrics()["rows"])
    assert cells(html)[1:] == [
        ["BYOL", "5,000", "512", "211.4", "−2.87", "0.43"],
        ["untrained network", "5,000", "512", "13.2", "−0.06", "–"],
    ]


def trace(figure, name):
    return next(trace for trace in figure.data if trace.name == name)


def test_a_curve_is_the_mean_over_labels_a_class():
    line = trace(few_label_curve(given.few_label_metrics()["rows"]), "BYOL")
    np.testing.assert_allclose([line.x, line.y], [[1, 10, 100], [30, 40, 50]])


def test_the_band_is_one_deviation_around_it():
    band = trace(few_label_curve(given.few_label_metrics()["rows"]), "BYOL, band")
    np.testing.assert_allclose([band.x, band.y], [[1, 10, 100, 100, 10, 1], [34, 44, 54, 46, 36, 26]])


def test_all_labels_are_marked_on_the_axis():
    axis = few_label_curve(given.few_label_metrics()["rows"]).layout.xaxis
    assert (axis.type, axis.ticktext) == ("log", ("1", "10", "100<br>(all)"))


def test_without_labels_the_curve_says_so():
    notes = nodes.draw_few_labels(given.encoder(), given.metrics([]), given.images()).layout.annotations
    assert "nothing was measured" in notes[0].text


def test_few_labels_of_another_encoder_are_refused():
    with pytest.raises(UserError, match="few_label_metrics"):
        nodes.draw_few_labels(given.encoder(), given.few_label_metrics(version=OTHER), given.images())


def test_few_labels_of_other_images_are_refused():
    with pytest.raises(UserError, match="few_label_metrics: measured on test images 0f0f"):
        nodes.draw_few_labels(given.encoder(), given.few_label_metrics(data_fingerprint="0f" * 32), given.images())


@pytest.mark.parametrize("other", [{"encoder_version": OTHER}, {"data_fingerprint": "0f" * 32}])
@pytest.mark.parametrize("wrong", ["fold_metrics", "quality_metrics"])
def test_metrics_of_another_encoder_or_of_other_images_are_refused(wrong, other):
    metrics = {"fold_metrics": given.fold_metrics(), "quality_metrics": given.quality_metrics()}
    metrics[wrong] = metrics[wrong] | other
    empty = given.predictions("BYOL", ["knn"])
    with pytest.raises(UserError, match=wrong):
        nodes.tell_evidence(
            given.encoder(), nodes.compare_classifiers(empty, 0), given.metrics([]), given.metrics([]),
            metrics["fold_metrics"], few_label_curve([]), metrics["quality_metrics"], empty, given.images(),
        )  # fmt: skip
