"""Features of the images, by the encoder and by the networks that it is compared with."""

from byol_kedro.pipelines.extract.pipeline import create_pipeline

__all__ = ["create_pipeline"]
