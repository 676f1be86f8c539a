"""Results table, comparisons, figures and the HTML report, from the metrics of one encoder."""

from byol_kedro.pipelines.report.pipeline import create_pipeline

__all__ = ["create_pipeline"]
