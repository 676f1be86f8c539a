"""extract: features of the images, by the encoder and by the reference networks."""

from kedro.pipeline import Node, Pipeline

from byol_kedro.pipelines.extract.nodes import extract, extract_references, extract_unlabeled


def create_pipeline() -> Pipeline:
    """Return the pipeline: encoder and images → latents_{train,test,unlabeled}, reference_latents."""
    inputs = ["encoder", "images_train", "images_test"]
    return Pipeline(
        [
            Node(
                extract,
                inputs=[*inputs, "params:device"],
                outputs=["latents_train", "latents_test"],
                name="labeled",
            ),
            Node(
                extract_unlabeled,
                inputs=["encoder", "images_unlabeled", "params:pair_model.unlabeled", "params:device"],
                outputs="latents_unlabeled",
                name="unlabeled",
            ),
            Node(
                extract_references,
                inputs=[
                    *inputs,
                    "params:references",
                    "params:import_encoder",
                    "params:baselines",
                    "params:device",
                ],
                outputs="reference_latents",
                name="references",
            ),
        ],
        namespace="extract",
        prefix_datasets_with_namespace=False,
        tags="features",
    )
