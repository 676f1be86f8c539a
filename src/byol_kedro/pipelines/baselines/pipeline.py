"""baselines: top-1 without a trained encoder."""

from kedro.pipeline import Node, Pipeline

from byol_kedro.pipelines.baselines.nodes import evaluate_baselines


def create_pipeline() -> Pipeline:
    """Return the pipeline: pixels and features of the reference encoders → top-1, predictions, PCA."""
    return Pipeline(
        [
            Node(
                evaluate_baselines,
                inputs=[
                    "encoder",
                    "reference_latents",
                    "images_train",
                    "images_test",
                    "params:baselines",
                    "params:probes",
                    "params:seed",
                ],
                outputs=["baseline_metrics", "baseline_predictions", "pca"],
                name="evaluate",
            ),
        ],
        namespace="baselines",
        prefix_datasets_with_namespace=False,
        tags="evaluation",
    )
