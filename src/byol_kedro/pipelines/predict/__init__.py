"""Pipeline predict: features, embeddings, classes and nearest known images of new images."""

from byol_kedro.pipelines.predict.pipeline import create_pipeline

__all__ = ["create_pipeline"]
