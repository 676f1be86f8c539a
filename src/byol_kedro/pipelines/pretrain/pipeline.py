"""pretrain: train the encoder with BYOL."""

from kedro.pipeline import Node, Pipeline

from byol_kedro.pipelines.pretrain.nodes import pretrain, show_views


def create_pipeline() -> Pipeline:
    """Return the pipeline: images_{unlabeled,train} → first_views, encoder, byol_heads, training_history."""
    return Pipeline(
        [
            Node(
                show_views,
                inputs=["images_unlabeled", "images_train", "params:pretrain", "params:seed"],
                outputs="first_views",
                name="draw_views",
            ),
            Node(
                pretrain,
                inputs=[
                    "images_unlabeled",
                    "images_train",
                    "checkpoints",
                    "event_files",
                    "params:pretrain",
                    "params:seed",
                    "params:device",
                    "params:devices",
                    "params:max_restarts",
                    "params:tensorboard",
                ],
                outputs=["encoder", "byol_heads", "training_history"],
                name="train",
            ),
        ],
        namespace="pretrain",
        prefix_datasets_with_namespace=False,
        tags="training",
    )
