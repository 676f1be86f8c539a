"""The page of the report from small inputs."""

import numpy as np
import pandas as pd

from byol_kedro.pipelines.report import nodes
from tests.support import report_inputs as given


def build(
    header=None, classes=given.CLASSES, manifest=None, labeled=True, source="photos", whole=None, evaluation=None
):
    """Renders the report. `whole` replaces test images and data summary, `evaluation` its section."""
    header, manifest = header or given.encoder(), manifest or given.manifest()
    images = given.images(class_names=classes, labels=None if labeled else [-1] * 20, source=source)
    data = given.data_summary() | {"class_names": list(classes)}
    images, data = whole or (images, data)
    baselines, probes, folds, few = [given.metrics([])] * 4
    predictions = pd.concat(
        [given.predictions(name, ["logistic", "knn"], len(classes)) for name in ("BYOL", "untrained network")]
    )
    if labeled:
        baselines, probes, folds = given.baseline_metrics(), given.probe_metrics(), given.fold_metrics()
        few, history = given.few_label_metrics(), given.history(2)
    else:
        predictions, history = predictions.iloc[:0], given.history(2).assign(knn_top1=np.nan)
    results, _ = nodes.tabulate(header, manifest, baselines, probes, data, images)
    comparisons = nodes.compare_classifiers(predictions, 0)
    quality, pair = given.quality_metrics(), given.pair_metrics()
    figures = nodes.embed_figures(
        nodes.draw_top1(results, given.data_summary()),
        nodes.draw_confusion(predictions, images),
        nodes.draw_few_labels(header, few, images),
        nodes.draw_training(header, manifest, history),
        given.pair_embedding_map(),
        given.cluster_sheet(),
        given.sample_grid(),
        images,
    )
    latents = given.latents(images, header=header)
    return nodes.write_report(
        header,
        manifest,
        data,
        nodes.summarize(header, manifest, history, data, results, comparisons, quality, pair),
        evaluation
        or nodes.describe_evaluation(
            header, results, comparisons, baselines, probes, folds, quality, predictions, images
        ),
        nodes.describe_pair_model(header, pair, given.pair_embeddings(), images),
        figures,
        nodes.show_examples(header, predictions, latents, latents, images, images),
        [],
    )
