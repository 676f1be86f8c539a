"""Nodes of the report: results table, comparisons, figures, and the sections of the HTML page."""

from html import escape
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from byol_kedro.datasets.images import Images
from byol_kedro.datasets.provenance import check_same_encoder, check_same_images
from byol_kedro.datasets.tensors import Tensors
from byol_kedro.evaluation.comparison import compare_all
from byol_kedro.evaluation.metrics import join_predictions
from byol_kedro.evaluation.names import OWN
from byol_kedro.log import get_logger
from byol_kedro.pipelines.report import charts, evaluation_sections, examples, figures, pair_sections, sections
from byol_kedro.pipelines.report.consistency import (
    check_encoder,
    check_images,
    check_runs,
    check_summary,
    made_by,
    own_steps,
)
from byol_kedro.pipelines.report.contents import contents
from byol_kedro.pipelines.report.issues import IssueSheet
from byol_kedro.pipelines.report.render import Plot, plot, png, render, thumbnails
from byol_kedro.pipelines.report.results import chance_level, collect, measured, name_of_data, why_unmeasured
from byol_kedro.pipelines.report.table import markdown
from byol_kedro.pipelines.report.verdict import PROTOCOL, encoder_name

log = get_logger(__name__)


def tabulate(
    encoder: Tensors,
    run_manifest: dict[str, Any],
    baseline_metrics: dict[str, Any],
    probe_metrics: dict[str, Any],
    data_summary: dict[str, Any],
    images_test: Images,
) -> tuple[pd.DataFrame, str]:
    """Returns the results as rows (see `results.collect`) and as a Markdown table.

    Raises:
        UserError: The metrics were computed for another encoder or on other test images, or the data summary
            describes other test images.
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
    """Concatenates the predictions of all classifiers, one row per test image and classifier.

    Raises:
        UserError: Predictions and metrics come from different runs.
    """
    check_runs(run_manifest)
    return join_predictions([probe_predictions, baseline_predictions])


def compare_classifiers(predictions: pd.DataFrame, seed: int) -> pd.DataFrame:
    """Compares every pair of classifiers on the same test images (see `comparison.compare_all`)."""
    return compare_all(predictions, seed)


def draw_training(encoder: Tensors, run_manifest: dict[str, Any], training_history: pd.DataFrame) -> go.Figure:
    """Plots the training history of the encoder; the figure is empty if there is none or it is from another run."""
    if encoder.header.get("imported_from"):
        why = f"The encoder was imported from<br>{escape(encoder.header['imported_from'])}, without a training history."
        return figures.empty("Training curves", why)
    if own_steps(encoder.header, run_manifest, training_history) is None:
        made = made_by(run_manifest, "training_history")["run_id"]
        version = encoder.header["version"]
        log.info("training_curves is empty: training_history is from run %s, the encoder from run %s", made, version)
        why = f"The training history is from run {made},<br>the encoder from run {version}."
        return figures.empty("Training curves", why)
    return figures.training_curves(training_history, int(encoder.header["projection_dim"]))


def draw_top1(results: pd.DataFrame, data_summary: dict[str, Any]) -> go.Figure:
    """Plots top-1 of all classifiers, with the chance level as a line."""
    return charts.top1_bars(results, chance_level(data_summary["splits"]))


def draw_confusion(predictions: pd.DataFrame, images_test: Images) -> go.Figure:
    """Plots the confusion matrix of the encoder with the protocol of the summary."""
    chosen = (predictions["protocol"] == PROTOCOL) & predictions["features"].isin(OWN)
    return figures.confusion_matrix(predictions[chosen], images_test.class_names)


def draw_few_labels(encoder: Tensors, few_label_metrics: dict[str, Any], images_test: Images) -> go.Figure:
    """Plots top-1 over the number of labels per class, one curve for each kind of features.

    Raises:
        UserError: The metrics were computed for another encoder or on other test images.
    """
    metrics = {"few_label_metrics": few_label_metrics}
    check_encoder(encoder.header, metrics)
    check_images(images_test, metrics)
    return charts.few_label_curve(few_label_metrics["rows"])


def summarize(
    encoder: Tensors,
    run_manifest: dict[str, Any],
    training_history: pd.DataFrame,
    data_summary: dict[str, Any],
    results: pd.DataFrame,
    comparisons: pd.DataFrame,
    quality_metrics: dict[str, Any],
    pair_metrics: dict[str, Any],
) -> dict[str, Any]:
    """Returns the first section of the report: setup, conclusions and headline numbers."""
    splits = data_summary["splits"]
    steps = own_steps(encoder.header, run_manifest, training_history)
    if len(measured(results)):
        summary = sections.labeled(results, chance_level(splits), comparisons, steps)
    else:
        images = sum(split["count"] for split in splits.values())
        clusters, why = pair_metrics["clusters"]["k"], why_unmeasured(splits)
        summary = sections.unlabeled(images, clusters, quality_metrics["rows"], why)
    return {"setup": sections.setup(encoder.header, data_summary, steps), "summary": summary}


def describe_evaluation(
    encoder: Tensors,
    results: pd.DataFrame,
    comparisons: pd.DataFrame,
    baseline_metrics: dict[str, Any],
    probe_metrics: dict[str, Any],
    fold_metrics: dict[str, Any],
    quality_metrics: dict[str, Any],
    predictions: pd.DataFrame,
    images_test: Images,
) -> dict[str, Any]:
    """Returns the sections on classifiers and features, by name; None for a section without content.

    Raises:
        UserError: The metrics were computed for another encoder or on other test images.
    """
    metrics = {"fold_metrics": fold_metrics, "quality_metrics": quality_metrics}
    check_encoder(encoder.header, metrics)
    check_images(images_test, metrics)
    return {
        "results": evaluation_sections.results(results),
        "comparisons": evaluation_sections.comparisons(comparisons),
        "calibration": evaluation_sections.calibration([*probe_metrics["rows"], *baseline_metrics["rows"]]),
        "classes": evaluation_sections.classes(predictions, images_test.class_names),
        "folds": evaluation_sections.folds(fold_metrics["rows"]),
        "quality": evaluation_sections.quality(quality_metrics["rows"]),
    }


def describe_pair_model(
    encoder: Tensors, pair_metrics: dict[str, Any], pair_embeddings: pd.DataFrame, images_test: Images
) -> dict[str, Any]:
    """Returns the sections on the clusters and the pair model, by name; None for a section without content.

    Raises:
        UserError: The metrics were computed for another encoder or on other test images.
    """
    metrics = {"pair_metrics": pair_metrics}
    check_encoder(encoder.header, metrics)
    check_images(images_test, metrics)
    return {
        "clusters": pair_sections.clusters(pair_metrics, pair_embeddings, images_test.class_names),
        "pairs": pair_sections.pairs(pair_metrics),
    }


def embed_figures(
    top1_bars: go.Figure,
    confusion_matrix: go.Figure,
    few_label_curve: go.Figure,
    training_curves: go.Figure,
    pair_embedding_map: go.Figure,
    cluster_sheet: np.ndarray,
    sample_grid: np.ndarray,
    images_test: Images,
) -> dict[str, Any]:
    """Returns figures and images as the page embeds them, by catalog entry; None for those that are empty.

    The training curves are always embedded: an empty figure says why.
    """

    def shown(figure: go.Figure, name: str) -> Plot | None:
        return plot(figure, name) if figure.data else None

    return {
        "top1_bars": shown(top1_bars, "top1-bars"),
        "confusion_matrix": shown(confusion_matrix, "confusion-matrix"),
        "few_label_curve": shown(few_label_curve, "few-label-curve"),
        "training_curves": plot(training_curves, "training-curves"),
        "pair_embedding_map": shown(pair_embedding_map, "pair-embedding-map"),
        "thumbnails": thumbnails(pair_embedding_map, images_test),
        "cluster_sheet": png(cluster_sheet) if len(images_test) else None,
        "sample_grid": png(sample_grid),
    }


def show_examples(
    encoder: Tensors,
    predictions: pd.DataFrame,
    latents_train: Tensors,
    latents_test: Tensors,
    images_train: Images,
    images_test: Images,
) -> dict[str, Any]:
    """Returns the most confident mistakes of the encoder, and the nearest neighbors of some test images.

    Raises:
        UserError: The features belong to another encoder or to other images.
    """
    check_same_encoder(encoder, latents_train, latents_test)
    check_same_images(latents_train, images_train)
    check_same_images(latents_test, images_test)
    neighbors = examples.neighbors(latents_train, latents_test, images_train, images_test)
    return {**examples.mistakes(predictions, images_test), "neighbors": neighbors}


def write_report(
    encoder: Tensors,
    run_manifest: dict[str, Any],
    data_summary: dict[str, Any],
    report_summary: dict[str, Any],
    report_evaluation: dict[str, Any],
    report_pair_model: dict[str, Any],
    report_figures: dict[str, Any],
    report_examples: dict[str, Any],
    report_issues: list[IssueSheet],
) -> str:
    """Renders the report as one HTML page; sections without content are left out."""
    context = {
        "title": sections.title(encoder.header),
        "encoder_version": encoder.header["version"],
        "encoder_name": encoder_name(encoder.header),
        "figures": report_figures,
        "examples": report_examples,
        "image_issues": report_issues,
        "fields": sections.training(encoder.header),
        "data": sections.data(data_summary),
        "run": sections.run(run_manifest),
        **report_summary,
        **report_evaluation,
        **report_pair_model,
    }
    return render({**context, "sections": contents(context)})
