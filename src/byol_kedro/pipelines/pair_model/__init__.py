"""Pairs of images, a pair model fitted to them, an embedding for each image, clusters and a map."""

from byol_kedro.pipelines.pair_model.pipeline import create_pipeline

__all__ = ["create_pipeline"]
