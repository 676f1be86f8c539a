"""Figures show the values of results, training history and predictions."""

import logging

import numpy as np
import pandas as pd
import pytest

from byol_kedro.pipelines.report import nodes
from byol_kedro.pipelines.report.charts import top1_bars
from byol_kedro.pipelines.report.figures import NO_CLASSIFIER, confusion_matrix
from byol_kedro.pipelines.report.table import cells
from tests.support import report_inputs as given

OTHER = "2026-08-01T00.00.00.000Z"


def texts(figure):
    return " ".join(note.text for note in figure.layout.annotations)


def trace(figure, name):
    return next(trace for trace in figure.data if trace.name == name)


def curves(header=None, manifest=None, history=None):
    return nodes.draw_training(
        header or given.encoder(), manifest or given.manifest(), given.history() if history is None else history
    )


@pytest.mark.parametrize(
    ("name", "column"), [("loss", "loss"), ("standard deviation", "feature_std"), ("learning rate", "lr"), ("τ", "tau")]
)
def test_training_curve_is_a_column_over_the_epochs(name, column):
    history = given.history(3)
    drawn = trace(curves(history=history), name)
    np.testing.assert_array_equal(np.stack([drawn.x, drawn.y]), history[["epoch", column]].T)


@pytest.mark.parametrize(
    ("name", "column", "factor"),
    [("kNN top-1 on training images", "knn_top1", 100), ("effective rank", "effective_rank", 1)],
)
def test_sparse_curve_skips_missing_values(name, column, factor):
    seen = given.history(10)[["epoch", column]].dropna()
    drawn = trace(curves(history=given.history(10)), name)
    np.testing.assert_array_equal([drawn.x, drawn.y], [seen["epoch"], factor * seen[column]])


def test_without_labels_there_is_no_knn_panel():
    figure = curves(history=given.history(3).assign(knn_top1=np.nan))
    assert "kNN" not in texts(figure)
    assert len([name for name in figure.layout if name.startswith("xaxis")]) == 4


def test_knn_panel_names_the_images_it_is_evaluated_on():
    assert "kNN top-1 on training images" in texts(curves())


def test_rank_panel_gives_the_value_of_collapse():
    assert "collapsed: 1" in texts(curves())


def test_line_of_uniform_projections_is_at_one_over_root_dimension():
    lines = [shape.y0 for shape in curves(given.encoder(projection_dim="64")).layout.shapes]
    assert lines == [0.125]


def history_of(version):
    return given.manifest(reads={"training_history": {"version": version, "command": "kedro run"}})


def test_history_of_another_run_is_not_drawn():
    assert not curves(manifest=history_of(OTHER)).data


def test_empty_training_figure_names_the_other_run():
    assert OTHER in texts(curves(manifest=history_of(OTHER)))


def test_history_of_another_run_is_logged_once(caplog):
    with caplog.at_level(logging.INFO):
        curves(manifest=history_of(OTHER))
    assert [OTHER in record.getMessage() for record in caplog.records] == [True]


def test_history_of_the_current_run_is_drawn():
    manifest = given.manifest(run_id=given.VERSION, reads={})
    assert curves(manifest=manifest).data


def test_history_of_the_current_run_is_not_drawn_for_an_older_encoder():
    assert not curves(manifest=given.manifest(reads={})).data


def results(header=None, baselines=None, probes=None, whole=None):
    images, summary = whole or (given.images(), given.data_summary())
    return nodes.tabulate(
        header or given.encoder(),
        given.manifest(),
        baselines or given.baseline_metrics(),
        probes or given.probe_metrics(),
        summary,
        images,
    )[0]


def test_bars_are_grouped_by_features():
    names = [trace.name for trace in top1_bars(results(), 0.25).data if trace.type == "bar"]
    assert names == ["BYOL", "untrained network", "pixels, PCA 256"]


def test_bar_is_top1_in_percent():
    assert list(trace(top1_bars(results(), 0.25), "BYOL").x) == pytest.approx([61.2, 58, 62, 55])


@pytest.mark.parametrize(("side", "length"), [("array", 8), ("arrayminus", 9)])
def test_error_bars_span_the_interval(side, length):
    probes = given.metrics([given.row("mlp", "BYOL", 0.5, ci_low=0.41, ci_high=0.58)])
    bars = trace(top1_bars(results(probes=probes), 0.25), "BYOL")
    assert list(bars.error_x[side]) == pytest.approx([length])


def test_bars_round_as_the_table_does():
    """61.25 % is a tie; 100 * 0.6125 is slightly larger."""
    found = results(probes=given.metrics([given.row("mlp", "BYOL", 0.6125)]))
    bars, values = (trace for trace in top1_bars(found, 0.25).data[:2])
    assert bars.customdata[0][1] == values.text[0].strip() == cells(found)[0]["top-1"].split(" %")[0] == "61.3"


def test_bars_do_not_overlap():
    places = [place for trace in top1_bars(results(), 0.25).data if trace.type == "bar" for place in trace.y]
    assert len(set(places)) == len(places) == 10


def test_chance_is_a_dashed_line():
    line = top1_bars(results(), 0.25).layout.shapes[0]
    assert (line.x0, line.x1, line.line.dash) == (25, 25, "dash")


@pytest.mark.parametrize("kind", ["photos", "stl10 layout", "stl10"])
def test_published_rows_are_drawn_for_the_same_data_only(kind, monkeypatch):
    source = kind.split()[0]
    other = given.images(source=source), given.data_summary()
    whole = given.stl10(monkeypatch) if kind == "stl10" else other
    drawn = [trace.name for trace in top1_bars(results(given.encoder(data=source), whole=whole), 0.1).data]
    assert ("published" in drawn) == (kind == "stl10")


def test_bars_without_rows_say_why_they_are_empty():
    nothing = results(baselines=given.metrics([]), probes=given.metrics([]))
    assert NO_CLASSIFIER in texts(top1_bars(nothing, None))


def predicted(truth, guess, protocol="logistic"):
    table = {"truth": truth, "guess": guess, "classifier": given.CLASSIFIERS[protocol]}
    return pd.DataFrame({**table, "protocol": protocol, "features": "BYOL"})


def test_row_of_the_confusion_matrix_is_in_percent_of_the_true_class():
    drawn = confusion_matrix(predicted([0, 0, 0, 0, 1, 1], [0, 0, 0, 1, 0, 1]), ["cat", "dog"]).data[0]
    np.testing.assert_array_equal(drawn.z, [[75, 25], [50, 50]])


def test_class_without_images_is_a_row_of_zeros():
    drawn = confusion_matrix(predicted([0, 0], [0, 1]), ["cat", "dog"]).data[0]
    np.testing.assert_array_equal(drawn.z[1], [0, 0])


def test_both_axes_have_the_class_names():
    drawn = confusion_matrix(predicted([0, 1], [0, 1]), ["cat", "dog"]).data[0]
    assert (tuple(drawn.x), tuple(drawn.y)) == (("cat", "dog"), ("cat", "dog"))


def test_class_names_are_not_markup_in_the_matrix():
    """Plotly reads labels as HTML: <br> breaks the line and <a> is a link."""
    drawn = confusion_matrix(predicted([0, 1], [0, 1]), ["a<br>b", "R&D"]).data[0]
    assert tuple(drawn.x) == tuple(drawn.y) == ("a&lt;br&gt;b", "R&amp;D")


def test_title_of_the_matrix_names_classifier_and_accuracy():
    figure = confusion_matrix(predicted([0, 0, 0, 1], [0, 0, 1, 1]), ["cat", "dog"])
    assert figure.layout.title.text == "BYOL + logistic regression: 75.0 % top-1"


def test_matrix_is_of_the_fixed_protocol_not_of_the_best_one():
    both = [predicted([0, 1], [0, 0], "logistic"), predicted([0, 1], [0, 1], "mlp")]
    figure = nodes.draw_confusion(pd.concat(both), given.images(class_names=["cat", "dog"]))
    np.testing.assert_array_equal(figure.data[0].z, [[100, 0], [100, 0]])


def test_numeric_class_names_are_categories():
    layout = confusion_matrix(predicted([0, 1], [0, 1]), ["1", "10", "100"]).layout
    assert (layout.xaxis.type, layout.yaxis.type) == ("category", "category")


def test_matrix_of_many_classes_is_one_screen_high():
    names = [f"class {number}" for number in range(300)]
    assert confusion_matrix(predicted([0, 1], [0, 1]), names).layout.height < 1_200


def test_subtitle_says_that_nothing_was_selected_on_test():
    figure = confusion_matrix(predicted([0, 1], [0, 1]), ["cat", "dog"])
    assert "not selected by test accuracy" in figure.layout.title.subtitle.text


def test_matrix_without_predictions_says_why_it_is_empty():
    figure = nodes.draw_confusion(predicted([], []), given.images())
    assert NO_CLASSIFIER in texts(figure)
