"""Pipeline probes: evaluate the features of the encoder."""

from byol_kedro.pipelines.probes.pipeline import create_pipeline

__all__ = ["create_pipeline"]
