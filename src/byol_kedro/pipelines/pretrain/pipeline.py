"""images_{unlabeled,train} → first_views, encoder, byol_heads, training_history."""

from typing import Any

from kedro.pipeline import Node, Pipeline

from byol_kedro.pipelines.pretrain.nodes import pretrain, show_views


def create_pipeline(**_: Any) -> Pipeline:
    """The pipeline `pretrain`."""
    return Pipeline(
        [
            Node(
                show_views,
                inputs=["images_unlabeled", "images_train", "params:pretrain", "params:seed"],
                outputs="first_views",
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
                    "params:tensorboard",
                ],
                outputs=["encoder", "byol_heads", "training_history"],
            ),
        ]
    )
