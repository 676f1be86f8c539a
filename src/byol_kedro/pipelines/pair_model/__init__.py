"""Pairs of images, a small network over them, a latent vector for each image, clusters and a map."""

from byol_kedro.pipelines.pair_model.pipeline import create_pipeline

__all__ = ["create_pipeline"]
