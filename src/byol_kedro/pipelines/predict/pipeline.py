"""predict: classes, embeddings and neighbors of new images."""

from kedro.pipeline import Node, Pipeline

from byol_kedro.pipelines.predict import nodes


def create_pipeline() -> Pipeline:
    """Return the pipeline: a folder of images → a table with a row for each."""
    return Pipeline(
        [
            Node(
                nodes.predict,
                [
                    "new_images",
                    "encoder",
                    "probes",
                    "pair_model",
                    "latents_train",
                    "latents_test",
                    "latents_unlabeled",
                    "images_train",
                    "images_test",
                    "images_unlabeled",
                    "params:predict",
                    "params:probes",
                    "params:seed",
                    "params:device",
                ],
                "predicted_images",
                name="predict",
            )
        ],
        namespace="predict",
        prefix_datasets_with_namespace=False,
        tags="prediction",
    )
