"""import_encoder: a file or a name of weights → the encoder."""

from kedro.pipeline import Node, Pipeline

from byol_kedro.pipelines.import_encoder.nodes import import_encoder


def create_pipeline() -> Pipeline:
    """Return the pipeline: `encoder_from` → encoder and an empty training_history."""
    return Pipeline(
        [
            Node(
                import_encoder,
                inputs=["params:encoder_from", "params:import_encoder", "params:seed"],
                outputs=["encoder", "training_history"],
                name="import_weights",
            )
        ],
        namespace="import_encoder",
        prefix_datasets_with_namespace=False,
        tags="import",
    )
