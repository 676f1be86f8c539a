"""BYOL pretraining of an encoder on images without labels."""

from byol_kedro.pipelines.pretrain.pipeline import create_pipeline

__all__ = ["create_pipeline"]
