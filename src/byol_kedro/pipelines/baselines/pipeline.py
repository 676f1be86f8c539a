"""The node of the pipeline baselines and its inputs and outputs."""

from kedro.pipeline import Node, Pipeline

from byol_kedro.pipelines.baselines.nodes import evaluate_baselines


def create_pipeline() -> Pipeline:
    """Pixels and features of the references → metrics, predictions and the principal components."""
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
