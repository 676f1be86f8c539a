"""The pipeline explore."""

from byol_kedro.pipelines.explore.pipeline import create_pipeline

__all__ = ["create_pipeline"]
