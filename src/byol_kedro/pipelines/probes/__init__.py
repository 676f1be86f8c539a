"""kNN, logistic regressions and an MLP on the encoder's features."""

from byol_kedro.pipelines.probes.pipeline import create_pipeline

__all__ = ["create_pipeline"]
