"""raw_images → images_{unlabeled,train,test} → data_summary, sample_grid."""

from kedro.pipeline import Node, Pipeline

from byol_kedro.pipelines.ingest.nodes import ingest, summarize


def create_pipeline() -> Pipeline:
    return Pipeline(
        [
            Node(
                ingest,
                inputs=["raw_images", "params:ingest", "params:seed"],
                outputs=["images_unlabeled", "images_train", "images_test"],
                name="ingest",
            ),
            Node(
                summarize,
                inputs=["images_unlabeled", "images_train", "images_test"],
                outputs=["data_summary", "sample_grid"],
                # Of nodes that could run next, Kedro takes the first by name: before `pretrain`, which takes hours.
                name="describe_images",
            ),
        ]
    )
