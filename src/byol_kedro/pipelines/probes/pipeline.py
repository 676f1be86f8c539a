"""probes: what the encoder's features are good for."""

from kedro.pipeline import Node, Pipeline

from byol_kedro.pipelines.probes.nodes import probes


def create_pipeline() -> Pipeline:
    """Features of train and test → top-1, guesses and the fitted classifiers."""
    return Pipeline(
        [
            Node(
                probes,
                inputs=[
                    "encoder",
                    "latents_train",
                    "latents_test",
                    "images_test",
                    "params:probes",
                    "params:seed",
                ],
                outputs=[
                    "probe_metrics",
                    "probe_predictions",
                    "probe_published",
                    "probe_logistic",
                    "probe_mlp",
                ],
                name="probes",
            ),
        ]
    )
