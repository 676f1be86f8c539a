"""probes: classifiers on frozen features, and label-free quality measures."""

from kedro.pipeline import Node, Pipeline

from byol_kedro.pipelines.probes import nodes


def create_pipeline() -> Pipeline:
    """Return the pipeline: features → top-1, predictions, fitted probes, folds, few labels, quality."""
    return Pipeline(
        [
            Node(
                nodes.fit_probes,
                ["encoder", "latents_train", "latents_test", "images_test", "params:probes", "params:seed"],
                ["probe_metrics", "probe_predictions", "probes"],
                name="fit",
            ),
            Node(
                nodes.evaluate_folds_and_few_labels,
                [
                    "encoder",
                    "latents_train",
                    "latents_test",
                    "reference_latents",
                    "pca",
                    "images_train",
                    "images_test",
                    "params:probes",
                    "params:seed",
                ],
                ["fold_metrics", "few_label_metrics"],
                name="evaluate_folds_and_few_labels",
            ),
            Node(
                nodes.measure_quality,
                ["encoder", "latents_test", "reference_latents", "images_test", "params:seed", "params:device"],
                "quality_metrics",
                name="measure_quality",
            ),
        ],
        namespace="probes",
        prefix_datasets_with_namespace=False,
        tags="evaluation",
    )
