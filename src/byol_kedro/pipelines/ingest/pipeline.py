"""ingest: read, split and resize the images of a source."""

from kedro.pipeline import Node, Pipeline

from byol_kedro.pipelines.ingest.nodes import ingest, summarize


def create_pipeline() -> Pipeline:
    """Return the pipeline: raw_images → images_{unlabeled,train,test} → data_summary, sample_grid."""
    return Pipeline(
        [
            Node(
                ingest,
                inputs=["raw_images", "params:ingest", "params:seed"],
                outputs=["images_unlabeled", "images_train", "images_test"],
                name="read_images",
            ),
            Node(
                summarize,
                inputs=["images_unlabeled", "images_train", "images_test"],
                outputs=["data_summary", "sample_grid"],
                # Kedro runs independent nodes in the order of their names: this one before `pretrain.train`.
                name="describe_images",
            ),
        ],
        namespace="ingest",
        prefix_datasets_with_namespace=False,
        tags="data",
    )
