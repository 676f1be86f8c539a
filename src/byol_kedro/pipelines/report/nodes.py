"""From metrics, predictions and histories to what people read."""

from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from byol_kedro.datasets.images import Images
from byol_kedro.datasets.tensors import Tensors
from byol_kedro.evaluation.comparison import compare_all
from byol_kedro.evaluation.metrics import join_predictions
from byol_kedro.evaluation.names import BYOL
from byol_kedro.log import get_logger
from byol_kedro.pipelines.report import charts, evidence, figures, lead, pair_sections, sections
from byol_kedro.pipelines.report.consistency import (
    check_encoder,
    check_images,
    check_runs,
    check_summary,
    made_by,
    own_steps,
)
from byol_kedro.pipelines.report.results import chance_level, collect, measured, name_of_data, why_unmeasured
from byol_kedro.pipelines.report.sections import render
from byol_kedro.pipelines.report.table import markdown
from byol_kedro.pipelines.report.verdict import PROTOCOL

log = get_logger(__name__)


def tabulate(
    encoder: Tensors,
    run_manifest: dict[str, Any],
    baseline_metrics: dict[str, Any],
    probe_metrics: dict[str, Any],
    data_summary: dict[str, Any],
    images_test: Images,
) -> tuple[pd.DataFrame, str]:
    """The results as rows (see `results.collect`) and as Markdown.

    Raises UserError when metrics are another encoder's, or they or the summary are of other images.
    """
    metrics = {"probe_metrics": probe_metrics, "baseline_metrics": baseline_metrics}
    check_summary(images_test, data_summary)
    check_images(images_test, metrics)
    trained, labeled = (data_summary["splits"][split]["fingerprint"] for split in ("unlabeled", "train"))
    names = (images_test.source, f"{trained}:{labeled}", name_of_data(images_test, data_summary["splits"]))
    results = collect(encoder.header, run_manifest, metrics, *names)
    return results, markdown(results)


def gather_predictions(
    run_manifest: dict[str, Any], baseline_predictions: pd.DataFrame, probe_predictions: pd.DataFrame
) -> pd.DataFrame:
    """All guesses in one table, a row for each test image and classifier.

    Raises UserError when guesses are of another run than their metrics.
    """
    check_runs(run_manifest)
    return join_predictions([probe_predictions, baseline_predictions])


def compare_classifiers(predictions: pd.DataFrame, seed: int) -> pd.DataFrame:
    """Every two classifiers on the same test images (see `pairwise.compare_all`)."""
    return compare_all(predictions, seed)


def draw_training(encoder: Tensors, run_manifest: dict[str, Any], training_history: pd.DataFrame) -> go.Figure:
    """The curves of the encoder's own training; those of another run are left out."""
    if own_steps(encoder.header, run_manifest, training_history) is None:
        made = made_by(run_manifest, "training_history")["run_id"]
        why = f"the training history is of run {made}, the encoder of {encoder.header['version']}"
        log.info("training_curves: left out, %s", why)
        return figures.empty("Training curves", f"left out: {why}".replace(", ", ",<br>"))
    return figures.training_curves(training_history, int(encoder.header["projection_dim"]))


def draw_top1(results: pd.DataFrame, data_summary: dict[str, Any]) -> go.Figure:
    """Bars of all classifiers, with chance as a line."""
    return charts.top1_bars(results, chance_level(data_summary["splits"]))


def draw_confusion(predictions: pd.DataFrame, images_test: Images) -> go.Figure:
    """The confusion matrix of the one classifier that was fixed before any test image was seen."""
    chosen = (predictions["protocol"] == PROTOCOL) & (predictions["features"] == BYOL)
    return figures.confusion_matrix(predictions[chosen], images_test.class_names)


def draw_few_labels(encoder: Tensors, few_label_metrics: dict[str, Any], images_test: Images) -> go.Figure:
    """Top-1 over the number of labels a class, a curve for each kind of features."""
    metrics = {"few_label_metrics": few_label_metrics}
    check_encoder(encoder.header, metrics)
    check_images(images_test, metrics)
    return charts.few_label_curve(few_label_metrics["rows"])


def introduce(
    encoder: Tensors,
    run_manifest: dict[str, Any],
    training_history: pd.DataFrame,
    data_summary: dict[str, Any],
    results: pd.DataFrame,
    comparisons: pd.DataFrame,
    quality_metrics: dict[str, Any],
    pair_metrics: dict[str, Any],
) -> str:
    """The report's first screen."""
    steps = own_steps(encoder.header, run_manifest, training_history)
    facts = lead.facts(encoder.header, data_summary, steps)
    if len(measured(results)):
        return facts + lead.labeled(results, chance_level(data_summary["splits"]), comparisons, steps)
    images = sum(split["count"] for split in data_summary["splits"].values())
    why = why_unmeasured(data_summary["splits"])
    return facts + lead.unlabeled(images, pair_metrics["clusters"]["k"], quality_metrics["rows"], why)


def tell_results(results: pd.DataFrame, top1_bars: go.Figure, confusion_matrix: go.Figure) -> str:
    """The report's part on top-1; empty where no classifier was measured."""
    if measured(results).empty:
        return ""
    return sections.results(results, top1_bars) + sections.confusion(confusion_matrix)


def tell_evidence(
    encoder: Tensors,
    comparisons: pd.DataFrame,
    baseline_metrics: dict[str, Any],
    probe_metrics: dict[str, Any],
    fold_metrics: dict[str, Any],
    few_label_curve: go.Figure,
    quality_metrics: dict[str, Any],
    predictions: pd.DataFrame,
    images_test: Images,
) -> str:
    """The report's part on how far the numbers can be trusted."""
    metrics = {"fold_metrics": fold_metrics, "quality_metrics": quality_metrics}
    check_encoder(encoder.header, metrics)
    check_images(images_test, metrics)
    rows = [*probe_metrics["rows"], *baseline_metrics["rows"]]
    return (
        evidence.comparisons(comparisons)
        + evidence.beyond_top1(rows)
        + evidence.classes(predictions, images_test.class_names)
        + evidence.less(fold_metrics["rows"], few_label_curve)
        + evidence.quality(quality_metrics["rows"])
    )


def tell_latents(
    encoder: Tensors,
    pair_metrics: dict[str, Any],
    pair_embeddings: pd.DataFrame,
    pair_embedding_map: go.Figure,
    cluster_sheet: np.ndarray,
    images_test: Images,
) -> str:
    """The report's part on the clusters and the pair model."""
    metrics = {"pair_metrics": pair_metrics}
    check_encoder(encoder.header, metrics)
    check_images(images_test, metrics)
    clusters = pair_sections.clusters(pair_metrics, pair_embeddings, pair_embedding_map, cluster_sheet, images_test)
    return clusters + pair_sections.pairs(pair_metrics)


def write_report(
    encoder: Tensors,
    run_manifest: dict[str, Any],
    training_curves: go.Figure,
    data_summary: dict[str, Any],
    sample_grid: np.ndarray,
    report_lead: str,
    report_results: str,
    report_evidence: str,
    report_latents: str,
) -> str:
    """All of it on one HTML page: results first; where there are none, the clusters."""
    told = [report_results, report_evidence, report_latents]
    training = sections.training(encoder.header, training_curves)
    data = sections.data(data_summary, sample_grid)
    parts = [*(told if report_results else reversed(told)), training, data, sections.run(run_manifest)]
    return render(encoder.header, run_manifest, [report_lead, *parts])
