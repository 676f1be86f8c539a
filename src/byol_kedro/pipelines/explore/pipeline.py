"""explore: a map of the encoder's features of all splits, as a table and as an interactive page."""

from kedro.pipeline import Node, Pipeline

from byol_kedro.pipelines.explore import nodes
from byol_kedro.pipelines.explore.page import SPLITS


def create_pipeline() -> Pipeline:
    """Return the pipeline: features and images → feature_map, explorer."""
    latents, images = ([f"{kind}_{split}" for split in SPLITS] for kind in ("latents", "images"))
    return Pipeline(
        [
            Node(
                nodes.map_images,
                ["encoder", *latents, *images, "params:explore", "params:seed"],
                ["feature_map", "feature_neighbors"],
                name="map_images",
            ),
            Node(
                nodes.write_explorer,
                ["encoder", "feature_map", "feature_neighbors", *images],
                "explorer",
                name="write_explorer",
            ),
        ],
        namespace="explore",
        prefix_datasets_with_namespace=False,
        tags="report",
    )
