"""curate: what is wrong with the images."""

from kedro.pipeline import Node, Pipeline

from byol_kedro.pipelines.curate import nodes


def create_pipeline() -> Pipeline:
    """Return the pipeline: images and their features → a table of issues."""
    return Pipeline(
        [
            Node(
                nodes.find_issues,
                [
                    "raw_images",
                    "encoder",
                    "latents_train",
                    "latents_test",
                    "latents_unlabeled",
                    "images_train",
                    "images_test",
                    "images_unlabeled",
                    "params:curate",
                    "params:probes",
                    "params:seed",
                ],
                "image_issues",
                name="find_issues",
            )
        ],
        namespace="curate",
        prefix_datasets_with_namespace=False,
        tags="curation",
    )
