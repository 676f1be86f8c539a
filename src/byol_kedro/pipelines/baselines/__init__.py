"""Pipeline baselines: evaluate principal components of the pixels, and other networks."""

from byol_kedro.pipelines.baselines.pipeline import create_pipeline

__all__ = ["create_pipeline"]
