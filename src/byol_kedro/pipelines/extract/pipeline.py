"""The order of extraction."""

from typing import Any

from kedro.pipeline import Node, Pipeline

from byol_kedro.pipelines.extract.nodes import extract, extract_references


def create_pipeline(**_: Any) -> Pipeline:
    inputs = ["encoder", "images_train", "images_test", "params:device"]
    return Pipeline(
        [
            Node(extract, inputs=inputs, outputs=["latents_train", "latents_test"]),
            Node(extract_references, inputs=inputs, outputs="reference_latents"),
        ]
    )
