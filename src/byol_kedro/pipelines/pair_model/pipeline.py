"""pair_model: an embedding for each image; distances of embeddings predict how much two images differ."""

from kedro.pipeline import Node, Pipeline

from byol_kedro.pipelines.pair_model import nodes
from byol_kedro.pipelines.pair_model.fit import fit_model


def create_pipeline() -> Pipeline:
    """Features of train and test → pairs, pair model, embeddings, metrics, clusters and map."""
    images, latents = ["images_train", "images_test"], ["latents_train", "latents_test"]
    return Pipeline(
        [
            Node(
                nodes.given_pairs,
                inputs=[*images, "pair_file", "pair_tensors", "params:pair_model", "params:seed"],
                outputs="given_pairs",
                # Kedro runs independent nodes in the order of their names: this one before `pretrain.train`.
                name="read_pairs",
            ),
            Node(
                nodes.make_pairs,
                inputs=[*images, "given_pairs", "reference_latents", "params:pair_model", "params:seed"],
                outputs="image_pairs",
                name="make_pairs",
            ),
            Node(
                nodes.pool_images,
                inputs=["encoder", *latents, *images, "pair_tensors"],
                outputs="image_pool",
                name="collect_features",
            ),
            Node(
                fit_model,
                inputs=[
                    "encoder",
                    "image_pool",
                    "image_pairs",
                    "event_files",
                    "params:pair_model",
                    "params:tensorboard",
                    "params:seed",
                ],
                outputs=["pair_model", "pair_history"],
                name="train",
            ),
            Node(
                nodes.predict_test_pairs,
                inputs=["pair_model", "image_pool", "image_pairs"],
                outputs="pair_predictions",
                name="predict_test_pairs",
            ),
            Node(
                nodes.embed_images,
                inputs=[
                    "encoder",
                    "pair_model",
                    *latents,
                    "latents_unlabeled",
                    *images,
                    "images_unlabeled",
                    "params:pair_model",
                    "params:seed",
                ],
                outputs=["pair_embeddings", "cluster_list"],
                name="embed_images",
            ),
            Node(
                nodes.evaluate_model,
                inputs=[
                    "pair_model",
                    "image_pairs",
                    "pair_predictions",
                    "pair_embeddings",
                    "images_test",
                    "params:pair_model",
                    "params:seed",
                ],
                outputs="pair_metrics",
                name="evaluate",
            ),
            Node(
                nodes.draw_map,
                inputs=["pair_embeddings", "images_test", "params:pair_model", "params:seed"],
                outputs="pair_embedding_map",
                name="draw_map",
            ),
            Node(
                nodes.draw_cluster_sheet,
                inputs=["pair_embeddings", "images_test"],
                outputs="cluster_sheet",
                name="draw_cluster_sheet",
            ),
        ],
        namespace="pair_model",
        prefix_datasets_with_namespace=False,
        tags="evaluation",
    )
