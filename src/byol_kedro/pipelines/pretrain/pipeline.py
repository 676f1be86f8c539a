"""The order of pretraining: one node."""

from typing import Any

from kedro.pipeline import Node, Pipeline

from byol_kedro.pipelines.pretrain.nodes import pretrain


def create_pipeline(**_: Any) -> Pipeline:
    return Pipeline(
        [
            Node(
                pretrain,
                inputs=["images_unlabeled", "images_train", "params:pretrain", "params:seed", "params:device"],
                outputs=["encoder", "byol_heads", "training_history"],
            ),
        ]
    )
