"""baselines: what can be had without any training of the encoder."""

from kedro.pipeline import Node, Pipeline

from byol_kedro.pipelines.baselines.nodes import baselines


def create_pipeline() -> Pipeline:
    """Pixels and features of the untrained network → top-1, guesses and the principal components."""
    return Pipeline(
        [
            Node(
                baselines,
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
