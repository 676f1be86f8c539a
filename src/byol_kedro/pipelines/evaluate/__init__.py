"""evaluate: extract, baselines, probes, pair_model and report in one run."""

from kedro.pipeline import Pipeline

from byol_kedro.pipelines import baselines, extract, pair_model, probes, report


def create_pipeline() -> Pipeline:
    """Return the evaluation of the newest or a pinned encoder."""
    parts = (extract, baselines, probes, pair_model, report)
    return sum((part.create_pipeline() for part in parts), Pipeline([]))
