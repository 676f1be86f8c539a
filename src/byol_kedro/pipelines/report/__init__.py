"""Metrics in, results table, figures and one page out."""

from byol_kedro.pipelines.report.pipeline import create_pipeline

__all__ = ["create_pipeline"]
